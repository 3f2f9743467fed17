#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a former peer had is nobody's: not after its listener got another key, not after a crash.
# And a peer that sleeps is called again and again, as long as somebody wants to talk to it.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2

inner_count() { at gw bpftool -j map dump pinned "$(gw_pin sp_inner)" | jq 'length'; }
inner_is() {
	local n
	n=$(inner_count) || return 1
	[ "$n" -eq "$1" ] || { echo "sp_inner holds $n prefixes" && return 1; }
}
# c2 speaks from the address that was c1's.
borrowed() { at c2 curl -sf -m 2 --interface "$(inner4 1)" "http://$WEB4/whoami"; }
# Handshake initiations that arrive at c1 within SECONDS.
initiations() { # SECONDS FILE
	at c1 /usr/bin/python3 - "$1" <<-'PY'
	import socket, sys, time
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.bind(("", 51821))
	end, n = time.time() + float(sys.argv[1]), 0
	while time.time() < end:
	    s.settimeout(max(0.01, end - time.time()))
	    try:
	        n += len(s.recv(2048)) == 148
	    except socket.timeout:
	        break
	print(n)
	PY
}
called_again() {
	local n
	n=$(cat "$T/initiations")
	[ "${n:-0}" -ge 3 ] || { echo "${n:-0} initiations in 14 s" && return 1; }
}

lab_init
lab_up one_nic 2
lab_internet
lab_keys gw c1 c2
gw_config
gw_start || { lab_result; exit 1; }
check "two peers and the gateway: six prefixes" inner_is 6

lab_keys gw
GW_PEERS=c2
gw_config
check "the listener gets another key, and c1 is no more" gw_cli reload
check "its prefixes are gone with it" inner_is 4
client_up 2
check "c2 gets in" within 10 first_ping 2
addr c2 wg0 "$(inner4 1)/32"
check "but not with the address that was c1's" not borrowed
check "and that is why" gw_drops_above 0 source_not_allowed
client_down 2

GW_PEERS="c1 c2"
gw_config
check "c1 is back" gw_cli reload
check "with its prefixes" inner_is 6
gw_stop KILL
GW_PEERS=c2
gw_config
gw_start || { lab_result; exit 1; }
check "after a crash only what is configured now has prefixes" inner_is 4

gw_config_peer() {
	printf '  { name = "%s"; user = "user-%s"; public_key = "%s"; addresses = ["%s"]; endpoint = "%s:51821"; }' \
		"$1" "$1" "$(pub "$1")" "$(inner4 "${1#c}")" "$(client_addr4 "${1#c}")"
}
GW_PEERS=c1
gw_config
check "c1 has an endpoint now" gw_cli reload
initiations 14 >"$T/initiations" &
COUNTER=$!
sleep 0.5
at gw ping -c 1 -W 1 "$(inner4 1)" >/dev/null
at gw ping -c 1 -W 1 "$(inner4 1)" >/dev/null
wait "$COUNTER"
check "a peer that does not answer is called again" called_again
lab_result

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# peer add makes a working client; peer remove under load cuts it within a second; others lose nothing.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
lab_up one_nic 2
lab_internet
lab_keys gw c1
GW_PEERS=c1
gw_config
# The user of the new peer is there before the peer.
sed -i "s/^users = (/&\n  { name = \"guest\"; groups = [\"staff\"]; },/; \
	s/mtu = 1420; }/mtu = 1420; endpoint = \"$ENDPOINT4:51820\"; }/" "$T/gw.conf"
gw_start || { lab_result; exit 1; }
client_up 1
check "handshake" within 10 first_ping 1

check "peer add" gw_cli peer add guest-laptop --user guest --out "$T/guest.conf"
check "the new client's file is only its owner's" expect mode "$(stat -c %a "$T/guest.conf")" 600
guest_up() { # as wg-quick would, with what the file says
	sed '/^Address\|^DNS\|^MTU/d' "$T/guest.conf" >"$T/guest.wg"
	client_device 2 && at_client 2 wg setconf wg0 "$T/guest.wg" || return 1
	sed -n 's/^Address *= *//p' "$T/guest.conf" | tr -d ' ' | tr ',' '\n' | while read -r a; do
		addr c2 wg0 "$a"
	done
	ip -n "$LAB-c2" link set wg0 mtu 1420 up
	route c2 $ENDPOINT4 via 198.51.100.129
	route c2 0.0.0.0/1 dev wg0
	route c2 128.0.0.0/1 dev wg0
}
check "its file brings a stock client up" guest_up
check "it gets out" within 10 seen_from_egress 2 4

steady_start 1 4 other
steady_start 2 4 victim
lab_spawn "$T/bulk.log" nsenter --net="/run/netns/$LAB-c2" iperf3 -u -l 1200 -b 50M -c $WEB4 -p 5201 -t 60
sleep 1
# What arrives at the server later than a second after the command, from the victim's ports.
gw_cli show flows -j | jq -r '.[] | select(.user == "guest" and .protocol == "udp") | .translated' |
	sed 's/.*://' | sort -u >"$T/ports"
check "the victim has flows" test -s "$T/ports"
check "peer remove" gw_cli peer remove guest-laptop
sleep 1
filter="src host $EGRESS4 and udp and ($(sed 's/^/src port /' "$T/ports" | paste -sd ' ' | sed 's/ src/ or src/g'))"
late=$(at net timeout 3 tcpdump -n -q -i net0 "$filter" 2>/dev/null)
check "a second later nothing of it leaves" expect "late packets" "$late" ""
check "and no new handshake gets it in" not seen_from_egress 2 4
steady_stop other
check "the other client lost nothing: $LOST of $SENT" test "$LOST" = 0 -a "$SENT" -gt 300
lab_result

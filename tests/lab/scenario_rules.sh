#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Options of rules, with a stock client: reject answers, deny is silent, shadow rules only count, a
# rule ends by the clock, grace runs out, a rule's limit holds both ways, decisions are logged.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
lab_up one_nic 1
lab_internet
lab_keys gw c1
first_rules() { # ACTION [OPTIONS]: of the rule for the bad host
	GW_POLICY=$(cat <<-CONF
	  { name = "watch"; from = "any"; to = "web-host"; service = "web"; action = "deny";
	    mode = "shadow"; log = true; },
	  { name = "bad"; from = "any"; to = "bad-host"; action = "$1"; ${2:-} },
	  { name = "out"; from = "staff"; to = "web-host"; action = "allow"; log = true; ${3:-} }
	CONF
	)
	gw_config
}
first_rules reject
gw_start || { lab_result; exit 1; }
client_up 1
check "handshake" within 10 first_ping 1

curl_bad() { at c1 curl -sS -m "$1" "http://$2/"; }
refused() { # at once, not by running into a timeout
	local start
	start=$(now_ms)
	shows "connect to" curl_bad 5 "$1" && [ $(($(now_ms) - start)) -lt 1000 ]
}
check "reject: TCP over IPv4 is refused at once" refused "$EVIL4"
check "reject: TCP over IPv6 is refused at once" refused "[$EVIL6]"
check "reject: a ping is told that it is prohibited" \
	shows "prohibited|filtered" at c1 ping -n -c 1 -W 2 "$EVIL4"
check "each counts as policy_deny" gw_drops_above 2 policy_deny
first_rules deny
check "reload" gw_cli reload
check "deny: silence" shows "timed out" curl_bad 2 "$EVIL4"

rule() { gw_cli show rules -j | jq -r ".[] | select(.name == \"$1\") | .$2"; }
check "a shadow rule does not act" seen_from_egress 1 4
check "but counts what it would have done" test "$(rule watch would_hits)" -ge 1
check "and the rule behind it has the hit" test "$(rule out hits)" -ge 1
check "with its time" shows "^20[0-9-]+T[0-9:]+Z$" rule out last_hit
check "its line in the log" shows \
	"flow: rule=watch action=deny mode=shadow user=user-c1 protocol=6 " cat "$T/gw.log"
check "and that of the rule that decided" shows "flow: rule=out action=allow mode=enforce" \
	cat "$T/gw.log"
before=$(rule out hits)
GW_POLICY=$(printf '{ name = "new"; from = "any"; to = "bad-host"; action = "deny"; },\n%s' "$GW_POLICY")
gw_config
check "reload with a rule in front" gw_cli reload
check "hits belong to the name, not to the place" test "$(rule out hits)" -ge "$before" -a \
	"$(rule new hits)" -eq 0

# Both ends of a rule's life under a running download.
running() {
	rm -f "$T/slow"
	lab_spawn "$T/slow" nsenter --net="/run/netns/$LAB-c1" curl -sSN "http://$WEB4/slow/600"
	slow=$SPAWNED
	within 8 test -s "$T/slow"
}
grows() {
	local a
	a=$(stat -c %s "$T/slow")
	sleep 1
	[ "$(stat -c %s "$T/slow")" -gt "$a" ]
}
first_rules deny "" "expires = \"$(date -u -d '+14 seconds' +%Y-%m-%dT%H:%M:%SZ)\";"
check "a rule that ends in 14 s" gw_cli reload
running
check "carries a download" grows
check "until then" within 25 not grows
check "and no new flow" not seen_from_egress 1 4
lab_kill "$slow"
first_rules deny "" "on_change = \"grace 6 s\";"
check "a rule with 6 s of grace" gw_cli reload
running
check "carries a download" grows
GW_POLICY='{ name = "none"; from = "any"; to = "bad-host"; action = "deny"; }'
gw_config
check "a reload without it" gw_cli reload
check "lets the download go on" grows
check "and no new flow" not seen_from_egress 1 4
check "until its grace is over" within 12 not grows
lab_kill "$slow"

first_rules deny "" "limit = { up = \"20 Mbit/s\"; down = \"20 Mbit/s\"; };"
check "a rule with 20 Mbit/s" gw_cli reload
measure() { # up|down: 1200 bytes of payload make 1228 in IPv4
	local words=() before rate
	[ "$1" = down ] && words=(-R)
	before=$(gw_drops limit_rule)
	rate=$(udp_rate 1 4 40 4 "${words[@]}" | awk '{ printf "%.2f", $1 * 1228 / 1200 }')
	check "20 Mbit/s asked for $1, $rate measured" between "$rate" 19.6 20.4
	check "the rest is counted as limit_rule" gw_drops_above "$before" limit_rule
}
measure up
measure down
lab_result

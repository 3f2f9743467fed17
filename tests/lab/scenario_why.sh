#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Why was it dropped? A stock client, a workload and a stranger lose packets for known reasons, and
# `sallyport why` says each in words: who, what, the rule with its file and line, the limit.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
GW_GATEWAY='log_drops = 100;'
GW_USER_LIMIT='limit = { up = "2 Mbit/s"; down = "2 Mbit/s"; };'
GW_POLICY='  { name = "no-bad-host"; from = "any"; to = ["bad-host"]; service = "any"; action = "deny"; },
  { name = "slow-web"; from = ["app"]; to = ["web-host"]; service = ["udp"]; action = "allow"; limit = { up = "1 Mbit/s"; down = "1 Mbit/s"; }; },
  { name = "staff-out"; from = ["staff"]; to = ["web-host"]; service = ["web", "measure", "udp", "ping"]; action = "allow"; }'
GW_EXTRA='zones = ( { name = "app"; interface = "in-app"; prefixes = ["10.50.0.0/24"]; } );'
lab_up two_nic 1
lab_internet
lab_keys gw c1
napi() { # NS DEV
	ip netns exec "$LAB-$1" ethtool -K "$2" gro off
	ip netns exec "$LAB-$1" ethtool -K "$2" gro on
}
napi rtr to-gw
lab_ns capp
lab_link gw in-app capp eth0
napi capp eth0
addr gw in-app 10.50.0.1/24
addr capp eth0 10.50.0.2/24 10.77.0.2/32
route capp default via 10.50.0.1
gw_config
sed -i 's/{ name = "out0"; roles = \["egress"\]; }/&, { name = "in-app"; roles = ["inside"]; }/' "$T/gw.conf"
gw_start || { lab_result; exit 1; }
client_up 1
check "handshake" within 10 first_ping 1

line_of() { grep -n "name = \"$1\"" "$T/gw.conf" | head -n 1 | cut -d: -f1; }
why() { gw_cli why "$@"; }
row() { # REASON FIELD [why words]: of the newest
	gw_cli why -j --reason "$1" "${@:3}" | jq -r ".[0].$2"
}

# ------------------------------------------------------------------ a client of a tunnel
denied_tcp 1 "$EVIL4"
check "a denied host: who, why and by which rule" shows \
	"user-c1 \(c1\)  policy_deny: a rule denies it" why --user user-c1
check "with the rule's file and line" shows \
	"rule +no-bad-host \($T/gw.conf:$(line_of no-bad-host)\)" why --reason policy_deny
check "and the packet" shows "packet +tcp 10\.9\.0\.[0-9]+:[0-9]+ -> $EVIL4:80 \[S\], .* in a tunnel" \
	why --reason policy_deny
check "and what to do" shows "do +change that rule" why --reason policy_deny
check "in JSON: the rule decided" expect decided_by "$(row policy_deny decided_by)" rule
denied_tcp 1 "$WEB4" 22
check "what no rule allows: the default decided" shows \
	"rule +the default at the end of the policy \(generation [0-9]+\)" why --reason policy_default
check "and names no rule" expect rule "$(row policy_default rule)" null
udp_rate 1 4 8 3 >/dev/null
check "above its rate: the user's limit" shows \
	"limit +2 Mbit/s of the user, up; .* free now; [1-9][0-9]* packets refused" why --reason limit_up
check "of that user" expect user "$(row limit_up user)" user-c1
many() { [ "$(gw_cli why -j --reason limit_up | jq '[.[] | .count + .left_out] | add')" -ge "$1" ]; }
check "all are counted, told or left out" many "$(($(gw_drops limit_up) / 2))"

# ------------------------------------------------------------------ a workload, a stranger
first() { at capp ping -n -c 1 -W 0.3 "$1"; }
first "$WEB4" >/dev/null
check "a workload is known by its zone" expect user "$(row policy_default user --user app)" app
at capp ping -n -c 1 -W 0.3 -I 10.77.0.2 "$WEB4" >/dev/null
check "a source of no zone is unknown" shows \
	"unknown  spoofed_source: a source address that cannot come from here" why --reason spoofed_source
check "with its address and interface" shows "icmp 10\.77\.0\.2 -> $WEB4 \[8/0\], .* by in-app" why --reason spoofed_source
at capp /usr/bin/python3 - "$WEB4" <<-'PY'
	import socket, sys, time
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	end = time.time() + 1.5
	while time.time() < end:
	    s.sendto(bytes(1200), (sys.argv[1], 7))
	    time.sleep(0.001)
PY
check "above its rule's rate: the rule" shows \
	"rule +slow-web \($T/gw.conf:$(line_of slow-web)\)" why --reason limit_rule
check "and that limit" shows "limit +1 Mbit/s of the rule, up" why --reason limit_rule
at net nc -n -z -w 1 "$EGRESS4" 25000
check "a stranger at a NAT port is nobody's" shows "unknown  no_flow: " why --reason no_flow

# ------------------------------------------------------------------ later
before=$(line_of no-bad-host)
sed -i '1i # a line more\n# and another' "$T/gw.conf"
check "reload of a file with other lines" gw_cli reload
check "what was dropped before keeps its line" expect line "$(row policy_deny rule.line)" "$before"
denied_tcp 1 "$EVIL4"
check "what is dropped now has the new one" expect line "$(row policy_deny rule.line)" "$((before + 2))"
check "a reason that is none" shows 'no drop reason is called "nonsense"' why --reason nonsense
check "is refused" not why --reason nonsense
check "a user that is none" shows 'no user or zone is called "nobody-here"' why --user nobody-here
check "--last bounds the answer" expect rows "$(gw_cli why -j --last 2 | jq length)" 2
check "the log has a line of JSON" shows \
	'drop: \{"time":"20[^"]+Z","reason":"policy_deny",.*"user":"user-c1","peer":"c1",.*"rule":\{"name":"no-bad-host"' \
	cat "$T/gw.log"
lines() { grep -c 'drop: {' "$T/gw.log"; }
check "at a bounded rate" test "$(lines)" -le 3000
gw_cli metrics >"$T/metrics"
check "promtool accepts the metrics" promtool check metrics <"$T/metrics"
above() { awk -v name="$1" '$1 == name { found = $2 > 0 } END { exit !found }' "$T/metrics"; }
check "events are counted" above sallyport_drop_events_total
check "and what the pace left out" above 'sallyport_drop_events_left_out_total{reason="limit_up"}'
check "and what passed a tunnel" above 'sallyport_forward_packets_total{direction="up",kind="tunnel"}'
check "and what a workload sent" above 'sallyport_forward_packets_total{direction="up",kind="plain"}'
sed -i 's/log_drops = 100;/drop_events = 0;/' "$T/gw.conf"
check "switched off by a reload" gw_cli reload
before=$(row policy_deny count) lines=$(lines)
denied_tcp 1 "$EVIL4"
check "nothing more is told" expect count "$(row policy_deny count)" "$before"
check "nor logged" expect lines "$(lines)" "$lines"
lab_result

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Plain egress: workloads behind inside interfaces leave by XDP alone, under the same policy; two
# zones that may not reach each other; a reload cuts or keeps; the daemon dies and nothing else does.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
LIMIT=20
lab_up two_nic 0
lab_internet
lab_keys gw
# A redirect into a veth needs NAPI at its far end; there GRO brings it, when switched on while up.
napi() { # NS DEV
	ip netns exec "$LAB-$1" ethtool -K "$2" gro off
	ip netns exec "$LAB-$1" ethtool -K "$2" gro on
}
napi rtr to-gw
# workload NAME NET: a host behind an interface of the gateway's own.
workload() {
	lab_ns "c$1"
	lab_link gw "in-$1" "c$1" eth0
	napi "c$1" eth0
	addr gw "in-$1" "10.$2.0.1/24" "fd00:$2::1/64"
	addr "c$1" eth0 "10.$2.0.2/24" "fd00:$2::2/64"
	route "c$1" default via "10.$2.0.1"
	route "c$1" default via "fd00:$2::1"
}
workload app 50
workload db 60
APP4=10.50.0.2 DB4=10.60.0.2 DB6=fd00:60::2

GW_POLICY='  { name = "no-bad-host"; from = "any"; to = ["bad-host"]; service = "any"; action = "deny"; },
  { name = "app-out"; from = ["app"]; to = ["web-host"]; service = ["web", "measure", "udp", "ping"]; action = "allow"; egress = "main"; },
  { name = "db-any"; from = ["db"]; to = "any"; service = ["ping"]; action = "allow"; }'
GW_EXTRA='zones = (
  { name = "app"; interface = "in-app"; prefixes = ["10.50.0.0/24", "fd00:50::/64"]; },
  { name = "db"; interface = "in-db"; prefixes = ["10.60.0.0/24", "fd00:60::/64"]; limit = { up = "20 Mbit/s"; down = "20 Mbit/s"; }; } );'
gw_config
sed -i 's/{ name = "out0"; roles = \["egress"\]; }/&, { name = "in-app"; roles = ["inside"]; }, { name = "in-db"; roles = ["inside"]; }/' "$T/gw.conf"
cp "$T/gw.conf" "$T/good.conf"
gw_start || { lab_result; exit 1; }
first() { at "c$1" ping -n -c 1 -W 0.3 "$2"; }
check "the first echo" within 5 first app $WEB4
check "the first echo, v6" within 5 first app $WEB6

for family in 4 6; do
	check "v$family: the server sees the egress address" seen_from_egress app $family
	check "v$family: download of $LAB_MB MB, whole" download app $family
	check "v$family: upload of $LAB_MB MB, whole" upload app $family
	check "v$family: a datagram and its echo" udp_echo app $family
	check "v$family: ping" ping_ok app "$(web_addr $family)"
	before=$(gw_drops policy_deny)
	check "v$family: a denied host is not reached" denied_tcp app "$(evil $family | tr -d '[]')"
	check "v$family: counted as policy_deny" gw_drops_above "$before" policy_deny
done

# What they never were: a worker's.
flow_kinds() { gw_cli show flows -j | jq -r '[.[].kind] | unique | join(",")'; }
check "all flows are plain" expect kinds "$(flow_kinds)" plain
check "and show their zone" shows '"user": *"app"' gw_cli show flows -j

# ------------------------------------------------------------------ zones
before=$(gw_drops policy_default)
check "one zone does not reach the other" not first app $DB4
check "nor back, though it may go anywhere" not first db $APP4
check "nor over IPv6" not first app $DB6
check "counted as policy_default" gw_drops_above "$((before + 2))" policy_default
spoof() { # an address of another zone
	ip -n "$LAB-capp" addr add $DB4/32 dev lo
	at capp ping -n -c 1 -W 0.3 -I $DB4 $WEB4
	ip -n "$LAB-capp" addr del $DB4/32 dev lo
}
before=$(gw_drops spoofed_source)
spoof >/dev/null 2>&1
check "an address of another zone is spoofed_source" gw_drops_above "$before" spoofed_source
sed 's|^policy = (|&\n  { name = "app-db"; from = ["app"]; to = ["db-host"]; service = ["ping", "udp"]; action = "allow"; },|
	s|{ name = "bad-host"|{ name = "db-host"; prefixes = ["10.60.0.2/32", "fd00:60::2/128"]; }, &|' \
	"$T/good.conf" >"$T/gw.conf"
check "a rule that names the other zone" gw_cli reload
check "opens it in one direction" within 3 first app $DB4
check "v6 too" within 3 first app $DB6
check "and not in the other" not first db $APP4
cp "$T/good.conf" "$T/gw.conf"
check "the old policy again" gw_cli reload

# ------------------------------------------------------------------ limits
sed 's|service = \["ping"\]; action = "allow"; }$|service = "any"; action = "allow"; }|' "$T/good.conf" >"$T/gw.conf"
check "db may send more than pings" gw_cli reload
measure() { # FAMILY up|down
	local words=() header=28 before rate
	[ "$2" = down ] && words=(-R)
	[ "$1" = 6 ] && header=48
	before=$(gw_drops "limit_$2")
	rate=$(udp_rate db "$1" $((LIMIT * 2)) 5 "${words[@]}" |
		awk -v h=$header '{ printf "%.2f", $1 * (1200 + h) / 1200 }')
	check "v$1 $2: $LIMIT Mbit/s asked for, $rate measured" \
		between "$rate" "$(awk "BEGIN { print $LIMIT * 0.98 }")" "$(awk "BEGIN { print $LIMIT * 1.02 }")"
	check "v$1 $2: the rest is counted" gw_drops_above "$before" "limit_$2"
}
measure 4 up
measure 4 down
measure 6 up
measure 6 down

# ------------------------------------------------------------------ live flows
grows() { # FILE
	local a
	a=$(stat -c %s "$1")
	sleep 1
	[ "$(stat -c %s "$1")" -gt "$a" ]
}
slow() { # NAME
	lab_spawn "$T/$1" nsenter --net="/run/netns/$LAB-capp" curl -sSN "http://$WEB4/slow/600"
	SLOW=$SPAWNED
	within 5 test -s "$T/$1"
}
deny() { sed 's/^policy = (/&\n  { name = "no-app"; from = ["app"]; to = "any"; service = "any"; action = "deny"; },/' "$1" >"$T/gw.conf"; }
cp "$T/good.conf" "$T/gw.conf"
gw_cli reload >/dev/null
slow kill
before=$(gw_drops policy_deny)
deny "$T/good.conf"
check "a reload that denies" gw_cli reload
sleep 0.5
check "cuts the running download" not grows "$T/kill"
check "counted as policy_deny" gw_drops_above "$before" policy_deny
lab_kill "$SLOW"
sed 's/egress = "main"; }/egress = "main"; on_change = "keep"; }/' "$T/good.conf" >"$T/keep.conf"
cp "$T/keep.conf" "$T/gw.conf"
check "a rule with keep" gw_cli reload
slow keep
deny "$T/keep.conf"
check "a reload that denies" gw_cli reload
sleep 0.5
check "lets the running download go on" grows "$T/keep"
check "and nothing new begin" denied_tcp app $WEB4
lab_kill "$SLOW"

# ------------------------------------------------------------------ without the daemon
cp "$T/good.conf" "$T/gw.conf"
check "the first policy" gw_cli reload
slow dead
steady_start app 4 through
generation=$(gw_cli status -j | jq .generation)
gw_stop KILL
check "the daemon is dead" not kill -0 "$GW_PID"
check "the download goes on" grows "$T/dead"
check "a new flow begins" seen_from_egress app 6
check "a whole file comes" download app 4
check "denied stays denied" denied_tcp app $EVIL4
gw_start || { lab_result; exit 1; }
check "a new daemon has a later policy" test "$(gw_cli status -j | jq .generation)" -gt "$generation"
check "the download still goes on" grows "$T/dead"
adopted() { gw_cli show flows -j | jq -e '[.[] | select(.kind == "plain" and .user == "app" and .protocol == "tcp")] | length > 0'; }
check "its flow was adopted, under the zone's name" adopted
# ICMP flows end after 60 s of silence; then nothing but the daemon gives their ports back.
no_old_echo() { gw_cli show flows -j | jq -e '[.[] | select(.protocol == "icmp" and .idle_s > 70)] | length == 0'; }
check "echoes of the beginning were swept away" within 20 no_old_echo
claims() { at gw bpftool -j map dump pinned "$(gw_pin sp_ports)" | jq '[.[].formatted | select(.key.proto == 1 or .key.proto == 58)] | length'; }
echoes() { gw_cli show flows -j | jq '[.[] | select(.protocol == "icmp" and .translated != null)] | length'; }
claims_match() { [ "$(claims)" -le "$(echoes)" ]; }
check "and their ports with them" within 20 claims_match
steady_stop through
check "$SENT datagrams through death and restart, lost: $LOST" test "$LOST" = 0 -a "$SENT" -gt 100
deny "$T/good.conf"
check "the new daemon's reload" gw_cli reload
sleep 0.5
check "cuts what the old one had allowed" not grows "$T/dead"
lab_kill "$SLOW"
lab_result

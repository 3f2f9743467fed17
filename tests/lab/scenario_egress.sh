#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Pools of addresses: each user keeps one, with ports of his own; one that drains keeps its flows
# and begins none; what is full or drained is refused, and another pool's address is taken only
# where the configuration says so.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
lab_up one_nic 2
lab_internet
lab_keys gw c1 c2
A=192.0.2.11 B=192.0.2.12 C=192.0.2.13
GW_POLICY='  { name = "out"; from = ["staff"]; to = ["web-host"]; action = "allow"; egress = "main"; }'
pools=""
configure() { # text of the pools
	pools=$1
	gw_config
	awk -v pools="$pools" '/^egress = / { print "egress = (" pools ");"; skip = 1; next } skip { skip = 0; next } { print }' \
		"$T/gw.conf" >"$T/new.conf" && mv "$T/new.conf" "$T/gw.conf"
	[ -z "${USER_EGRESS:-}" ] || sed -i "s/{ name = \"user-c1\";/& egress = \"$USER_EGRESS\";/" "$T/gw.conf"
}
pool() { # NAME "ADDRESSES" [more]
	printf '{ name = "%s"; interface = "out0"; addresses = [%s]; ports = "20000-20999"; %s }' "$1" "$2" "${3:-}"
}
for a in $A $B $C; do
	addr gw out0 $a/24
done
configure "$(pool main "\"$A\", \"$B\"" "block = 64;"), $(pool spare "\"$C\"")"
gw_start || { lab_result; exit 1; }
for n in 1 2; do
	check "client $n connects" client_up $n
	check "client $n: the first ping comes back" within 15 first_ping $n
done
seen() { at "c$1" curl -sS -m 5 "http://$WEB4/whoami"; } # "ADDRESS PORT"
seen_as() { # N ADDRESS
	local from
	from=$(seen "$1") || return 1
	expect "source at the server" "${from% *}" "$2"
}
not_seen() { not at "c$1" curl -sS -m 1 -o /dev/null "http://$WEB4/whoami"; }
field() { gw_cli show egress -j | jq -r ".[] | select(.address == \"$1\") | .$2"; }
# ------------------------------------------------------------------ blocks
block() { gw_cli show egress -j | jq -r "[.[] | .address as \$a | .blocks[] | select(.user == \"user-c$1\") | \"\(\$a) \(.port_min) \(.port_max)\"][0]"; }
in_block() { # N: four connections, all from the user's own address and ports
	local from a min max port
	read -r a min max < <(block "$1")
	for _ in 1 2 3 4; do
		from=$(seen "$1") || return 1
		port=${from#* }
		{ [ "${from% *}" = "$a" ] && [ "$port" -ge "$min" ] && [ "$port" -le "$max" ]; } ||
			{ echo "seen as $from, the block is $a $min-$max" && return 1; }
	done
}
check "client 1 leaves from the block that show egress names" in_block 1
check "client 2 from its own" in_block 2
check "the blocks are two" not expect blocks "$(block 1)" "$(block 2)"
burst() { # N COUNT: that many flows at once
	at "c$1" /usr/bin/python3 - "$WEB4" "$2" <<-'PY'
	import socket, sys
	s = []
	for i in range(int(sys.argv[2])):
	    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	    u.sendto(b"x", (sys.argv[1], 7))
	    s.append(u)
	PY
}
before=$(gw_drops nat_exhausted)
burst 1 200
check "more flows than a block has ports: counted as nat_exhausted" within 3 gw_drops_above "$before" nat_exhausted
refusals() { gw_cli show egress -j | jq -e 'map(.refused) | add > 0'; }
check "and by show egress" refusals
check "the other user notices nothing" in_block 2
check "the metric too" shows '^sallyport_nat_pool_refused_total\{pool="main",address="192.0.2.1[12]"\} [1-9]' gw_cli metrics
check "the log says it" within 5 grep -q 'egress: 192.0.2.1[12] of pool main is exhausted' "$T/gw.log"
read -r first _ < <(block 1)
was=$(block 1)
gw_stop
gw_start || { lab_result; exit 1; }
check "after a restart: the same block" expect block "$(block 1)" "$was"
check "and traffic in it" within 30 in_block 1
# ------------------------------------------------------------------ draining
other=$([ "$first" = $A ] && echo $B || echo $A)
at c1 curl -sSN "http://$WEB4/slow/600" >"$T/slow" 2>&1 &
SLOW=$!
within 5 test -s "$T/slow"
grows() {
	local a
	a=$(stat -c %s "$1")
	sleep 1
	[ "$(stat -c %s "$1")" -gt "$a" ]
}
configure "$(pool main "\"$A\", \"$B\"" "block = 64; drain = [\"$first\"];"), $(pool spare "\"$C\"")"
check "a reload that drains the address" gw_cli reload
check "the download goes on" grows "$T/slow"
check "what begins leaves as another address" seen_as 1 "$other"
check "show egress: draining" expect state "$(field "$first" state)" draining
flows_left() { [ "$(field "$first" flows)" -gt 0 ]; }
check "with its flows" flows_left
kill $SLOW
wait $SLOW 2>/dev/null
configure "$(pool main "\"$first\", \"$other\"" "state = \"drain\";"), $(pool spare "\"$C\"")"
check "a pool that drains whole" gw_cli reload
before=$(gw_drops nat_no_pool)
check "begins nothing" not_seen 1
check "counted as nat_no_pool" gw_drops_above "$before" nat_no_pool
configure "$(pool main "\"$first\", \"$other\"" "state = \"drain\"; fallback = \"spare\";"), $(pool spare "\"$C\"")"
check "unless it names a fall-back" gw_cli reload
check "whose address is taken then" seen_as 1 $C
# ------------------------------------------------------------------ an address of one's own
USER_EGRESS=$B
configure "$(pool main "\"$A\", \"$B\""), $(pool spare "\"$C\"")"
check "a user with an address of his own" gw_cli reload
for _ in 1 2 3; do
	check "leaves as that" seen_as 1 $B
done
configure "$(pool main "\"$A\", \"$B\"" "drain = \"$B\";"), $(pool spare "\"$C\"")"
check "while it drains" gw_cli reload
check "he leaves as no other" not_seen 1
USER_EGRESS=
configure "$(pool main "\"$A\"" "block = 1000; "), $(pool spare "\"$C\"")"
check "two users and one block: refused, with the numbers" \
	shows 'gw.conf:[0-9]+: egress.main.block: found 2 users and zones.*at most 1' gw_cli reload
lab_result

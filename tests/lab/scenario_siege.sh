#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A web tier that was taken over, behind a policy of least privilege: it may reach one port of its
# database and one of the internet. It scans, spoofs, asks for the cloud's metadata, knocks at the
# gateway, and carries data out in names and pings. A witness at each place says what arrived.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
# shellcheck source=tests/lab/zones.sh
. "$LAB_DIR/zones.sh" || exit 2
lab_init
lab_up two_nic 0
zones_up web:50 db:60 mgmt:70
GW_POLICY='  { name = "web-db"; from = ["web"]; to = ["database"]; service = ["postgres"]; action = "allow"; },
  { name = "web-mirror"; from = ["web"]; to = ["web-host"]; service = ["web"]; action = "allow"; },
  { name = "mgmt-out"; from = ["mgmt"]; to = "any"; action = "allow"; }'
zones_config
sed -i 's|{ name = "bad-host"|{ name = "database"; prefixes = ["10.60.0.2/32", "fd00:60::2/128"]; }, &|
	s|{ name = "ping"|{ name = "postgres"; protocol = "tcp"; ports = 5432; }, &|' "$T/gw.conf"
gw_start || { lab_result; exit 1; }
# Who would answer, if asked: databases, a shell on the gateway's own addresses, the internet's host.
listen() { # NS PORT...
	lab_spawn "$T/listen.$1" nsenter --net="/run/netns/$LAB-$1" /usr/bin/python3 "$LAB_DIR/listen.py" "${@:2}"
	within 5 grep -q started "$T/listen.$1"
}
listen cdb 22 5432 80
listen cmgmt 22 443
listen net 22 25 53 443 853 8443
attack() { at cweb /usr/bin/python3 "$LAB_DIR/attacker.py" "$@"; }
nothing() { # command...: succeeds and says nothing
	local out
	out=$("$@" 2>&1) || { echo "$out" && return 1; }
	[ -z "$out" ] || { echo "$out" && return 1; }
}
witness() { # NS DEV
	lab_spawn "$T/witness.$1" nsenter --net="/run/netns/$LAB-$1" /usr/bin/python3 "$LAB_DIR/witness.py" "$2"
	WITNESS[$1]=$SPAWNED
	within 5 grep -q started "$T/witness.$1"
}
declare -A WITNESS=()
saw() { # NS: all that arrived there
	lab_kill "${WITNESS[$1]}" INT
	sed /started/d "$T/witness.$1"
}
PORTS="21 22 23 25 53 80 110 139 143 389 443 445 1433 3306 3389 5201 5432 5900 6379 8080 8443 9200 9586 27017"

# What is allowed works, or the rest would prove nothing.
open_is() { [ "$(attack scan "$1" "$2")" = "open $1 $2" ]; }
check "its database" within 6 open_is 10.60.0.2 5432
check "its database, v6" within 6 open_is fd00:60::2 5432
check "its mirror" within 6 open_is $WEB4 80
check "its mirror, v6" within 6 open_is $WEB6 80

witness cdb eth0
witness cmgmt eth0
witness net net0
# ------------------------------------------------------------------ scans
for a in 10.60.0.2 fd00:60::2; do
	# shellcheck disable=SC2086 # a list of ports
	check "$a: of 24 ports only its own answers" expect open "$(attack scan $a $PORTS)" "open $a 5432"
done
for a in 10.70.0.2 fd00:70::2 169.254.169.254 fd00:ec2::254 $EVIL4 $EVIL6; do
	# shellcheck disable=SC2086
	check "$a: nothing answers" nothing attack scan $a $PORTS
	check "$a: nor to datagrams" nothing attack knock $a 7 53 123 161 443 500 5353
done
check "other ports of the mirror are closed" expect open "$(attack scan $WEB4 22 80 443 5201 8443 | sort -k3n)" \
	"$(printf 'open %s %s\n' $WEB4 80 $WEB4 443)"
check "pings of another zone" nothing attack pings 10.70.0.2 5
for a in 10.60.0.1 10.70.0.1 192.0.2.1 198.51.100.1; do
	check "$a, the gateway's: nothing of Sallyport's listens" nothing attack scan $a 9586 51820 80 443
	check "$a: nor to datagrams but a tunnel's" nothing attack knock $a 53 123 161 51820
done

# ------------------------------------------------------------------ names and pings
for a in $WEB4 $EVIL4 $WEB6 $EVIL6; do
	check "$a: data in 50 names" nothing attack names $a 50
	check "$a: data in 50 pings" nothing attack pings $a 50
done

# ------------------------------------------------------------------ other people's addresses
before=$(gw_drops spoofed_source unspecified inner_from_outside)
mac=$(at gw cat /sys/class/net/in-web/address)
check "spoofing" nothing attack spoof "$mac" eth0 $WEB4 10.60.0.2 10.70.0.2 10.50.0.1 192.0.2.1 \
	10.9.0.2 127.0.0.1 0.0.0.0 224.0.0.1 255.255.255.255 $EVIL4
check "spoofing, v6" nothing attack spoof "$mac" eth0 $WEB6 fd00:60::2 fd00:70::2 fd00:50::1 2001:db8:2::1 \
	fd00:9::2 ::1 :: ff02::1 $EVIL6
check "to its database as another zone" nothing attack spoof "$mac" eth0 10.60.0.2 10.70.0.2 $WEB4
sleep 0.5
spoofed=$(($(gw_drops spoofed_source unspecified inner_from_outside) - before))
check "all 63 are dropped for what they are: $spoofed" test "$spoofed" -eq 63

# ------------------------------------------------------------------ what arrived
check "mgmt has seen no packet" nothing saw cmgmt
db=$(saw cdb)
check "the database has seen its own port alone" nothing awk '!($3 == 6 && $4 == 5432) && $3 != 58' <<<"$db"
net=$(saw net)
check "the internet has seen the mirror's ports alone" \
	nothing awk -v a=$WEB4 -v b=$WEB6 '!(($2 == a || $2 == b) && $3 == 6 && ($4 == 80 || $4 == 443))' <<<"$net"
check "and no address but the gateway's" \
	nothing awk -v a="$EGRESS4" -v b="$EGRESS6" '$1 != a && $1 != b' <<<"$net"
check "every attempt is counted" gw_drops_above 200 policy_default
check "mgmt, meanwhile, works" within 3 zone_ping mgmt $WEB4
lab_result

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What rules and routers owe a workload: reject answers, shadow rules only count, decisions are
# logged, fragments pass, and a path that is narrower than the wire is told by ICMP.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
lab_up two_nic 0
lab_internet
lab_keys gw
# A redirect into a veth needs NAPI at its far end; there GRO brings it, when switched on while up.
napi() { # NS DEV
	ip netns exec "$LAB-$1" ethtool -K "$2" gro off
	ip netns exec "$LAB-$1" ethtool -K "$2" gro on
}
napi rtr to-gw
lab_ns capp
lab_link gw in-app capp eth0
napi capp eth0
addr gw in-app 10.50.0.1/24 fd00:50::1/64
addr capp eth0 10.50.0.2/24 fd00:50::2/64
route capp default via 10.50.0.1
route capp default via fd00:50::1
GW_EXTRA='zones = ( { name = "app"; interface = "in-app"; prefixes = ["10.50.0.0/24", "fd00:50::/64"]; } );'
rules() { # ACTION for the bad host
	GW_POLICY=$(cat <<-CONF
	  { name = "watch"; from = "any"; to = "web-host"; service = "web"; action = "deny";
	    mode = "shadow"; log = true; },
	  { name = "bad"; from = "any"; to = "bad-host"; action = "$1"; log = true; },
	  { name = "out"; from = ["app"]; to = "web-host"; action = "allow"; egress = "main"; log = true; }
	CONF
	)
	gw_config
	sed -i 's/{ name = "out0"; roles = \["egress"\]; }/&, { name = "in-app"; roles = ["inside"]; }/' "$T/gw.conf"
}
rules reject
gw_start || { lab_result; exit 1; }
first() { at capp ping -n -c 1 -W 0.3 "$1"; }
check "the first echo" within 5 first $WEB4
check "the first echo, v6" within 5 first $WEB6

# ------------------------------------------------------------------ reject
refused() { # at once, not by running into a timeout
	local start
	start=$(now_ms)
	shows "connect to" at capp curl -sS -m 5 "http://$1/" && [ $(($(now_ms) - start)) -lt 1000 ]
}
udp_refused() { # HOST: a connected socket hears of it
	at capp /usr/bin/python3 - "$1" <<-'PY'
	import socket, sys
	s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
	s.settimeout(2)
	s.connect((sys.argv[1], 9))
	s.send(b"x" * 900)
	try:
	    s.recv(10)
	except TimeoutError:
	    sys.exit("silence")
	except OSError as e:
	    print(e)
	PY
}
before=$(gw_drops policy_deny)
for a in "$EVIL4" "[$EVIL6]"; do
	check "reject: TCP to $a is refused at once" refused "$a"
	check "reject: a ping of $a is told that it is prohibited" \
		shows "prohibited|filtered" at capp ping -n -c 1 -W 2 "$(tr -d '[]' <<<"$a")"
	check "reject: so is a datagram" udp_refused "$(tr -d '[]' <<<"$a")"
done
check "each counts as policy_deny" gw_drops_above $((before + 5)) policy_deny

# ------------------------------------------------------------------ counters, shadow, log
rule() { gw_cli show rules -j | jq -r ".[] | select(.name == \"$1\") | .$2"; }
check "a rejecting rule has its hits" test "$(rule bad hits)" -ge 6
check "a shadow rule does not act" seen_from_egress app 4
check "but counts what it would have done" test "$(rule watch would_hits)" -ge 1
hits=$(rule out hits) packets=$(rule out packets)
check "the rule behind it has the hit" test "$hits" -ge 3
check "and its packets" test "$packets" -gt "$hits"
check "with its time" shows "^20[0-9-]+T[0-9:]+Z$" rule out last_hit
check "another flow" seen_from_egress app 6
check "is one hit more" test "$(rule out hits)" -eq $((hits + 1))
check "a line of the shadow rule" within 3 shows \
	"flow: rule=watch action=deny mode=shadow user=app protocol=6 source=10.50.0.2:" cat "$T/gw.log"
check "a line of the rule that decided" shows "flow: rule=out action=allow mode=enforce user=app" cat "$T/gw.log"
check "and of the one that refused" shows "flow: rule=bad action=reject mode=enforce user=app" cat "$T/gw.log"
rules deny
check "reload" gw_cli reload
check "deny: silence" shows "timed out" at capp curl -sS -m 2 "http://$EVIL4/"
hits=$(rule bad hits)
at capp ping -n -c 8 -i 0.05 -W 0.1 $EVIL4 >/dev/null
check "one refusal for each CPU, however often it is sent" test "$(rule bad hits)" -gt "$hits" -a \
	"$(rule bad hits)" -le $((hits + $(nproc)))

# ------------------------------------------------------------------ fragments
for family in 4 6; do
	check "v$family: a datagram of 6000 bytes and its echo" udp_echo app $family 6000
	check "v$family: a ping of 4000 bytes" ping_ok app "$(web_addr $family)" -s 4000
done

# ------------------------------------------------------------------ time and size
check "v4: the gateway is a hop" shows "From 10.50.0.1 .*Time to live exceeded" \
	at capp ping -n -c 1 -W 2 -t 1 $WEB4
check "v6: the gateway is a hop" shows "From fd00:50::1 .*(Hop limit|Time exceeded)" \
	at capp ping -n -c 1 -W 2 -t 1 $WEB6
narrow() { # MTU of the way out
	ip -n "$LAB-gw" link set out0 mtu "$1"
	ip -n "$LAB-rtr" link set to-gw mtu "$1"
}
forget_mtu() { # NS: what its kernel has learned of paths
	ip -n "$LAB-$1" route flush cache
	ip -n "$LAB-$1" -6 route flush cache
}
# A sender with DF hears which size passes, and its kernel remembers.
learns() { # HOST MTU
	at capp /usr/bin/python3 - "$1" "$2" <<-'PY'
	import socket, sys, time
	host, mtu = sys.argv[1], int(sys.argv[2])
	six = ":" in host
	s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
	level, discover, get = (41, 23, 24) if six else (0, 10, 14)
	s.setsockopt(level, discover, 2)
	s.connect((host, 9))
	for i in range(20):
	    try:
	        s.send(bytes(s.getsockopt(level, get) - (48 if six else 28)))
	    except OSError:
	        pass
	    if s.getsockopt(level, get) == mtu:
	        sys.exit(0)
	    time.sleep(0.1)
	sys.exit(f"the path's MTU is still {s.getsockopt(level, get)}")
	PY
}
upload_through() { # FAMILY: its segments are too long from the middle on
	lab_spawn "$T/up" nsenter --net="/run/netns/$LAB-capp" curl -sS -m 60 --limit-rate 20M \
		-T "$T/www/file" "http://$(web "$1")/up"
	sleep 0.7
	narrow 1300
	wait "$SPAWNED"
	expect "size and sha256" "$(cat "$T/up")" "$((LAB_MB << 20)) $SUM"
}
before=$(gw_drops too_big)
check "v4: an upload goes on when its path becomes narrower" upload_through 4
check "counted as too_big" gw_drops_above "$before" too_big
narrow 1500
check "v6: an upload goes on when its path becomes narrower" upload_through 6
narrow 1280
forget_mtu capp
check "v4: a sender with DF learns 1280" within 5 learns $WEB4 1280
check "v6: a sender with DF learns 1280" within 5 learns $WEB6 1280
for family in 4 6; do
	check "v$family: datagrams are then cut to fit" udp_echo app $family 3000
	check "v$family: a new download, whole" download app $family
done
narrow 1500
ip -n "$LAB-gw" link set in-app mtu 1300
ip -n "$LAB-capp" link set eth0 mtu 1300
remote_learns() { # FAMILY: the answer is too long once, and then comes in fragments
	udp_echo app "$1" 1400
}
forget_mtu net
before=$(gw_drops too_big)
check "v4: outside hears what fits inside" within 10 remote_learns 4
check "v6: outside hears what fits inside" within 10 remote_learns 6
check "counted as too_big" gw_drops_above $((before + 1)) too_big
lab_result

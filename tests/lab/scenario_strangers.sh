#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Who has no key gets no answer, and who has one gets no more than its own (T05, T06, T08, T14, T43, T44).
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
lab_up one_nic 2
lab_internet
lab_keys gw c1 c2
GW_PEERS=c1
gw_config
gw_start || { lab_result; exit 1; }
lab_spawn "$T/first.log" nsenter --net="/run/netns/$LAB-rtr" \
	tcpdump --immediate-mode -U -n -q -i to-c1 -w "$T/first.pcap" "udp and dst port 51820"
first=$SPAWNED
within 5 grep -q listening "$T/first.log"
client_up 1
check "handshake of the client" within 10 first_ping 1
sleep 0.2
lab_kill "$first"

# answers_during COMMAND...: how many packets the stranger gets from the gateway meanwhile
answers_during() {
	local dump
	lab_spawn "$T/answers" nsenter --net="/run/netns/$LAB-c2" \
		tcpdump --immediate-mode -l -n -q -i eth0 "src host $ENDPOINT4 or src host $ENDPOINT6"
	dump=$SPAWNED
	within 5 grep -q listening "$T/answers"
	"$@" || fail "the attack itself: $*"
	sleep 0.5
	lab_kill "$dump" INT
	ANSWERS=$(grep -c '^[0-9].* IP' "$T/answers")
}
random_datagrams() { # COUNT: of every length, half of them dressed as WireGuard messages
	at c2 /usr/bin/python3 - "$1" "$ENDPOINT4" "$ENDPOINT6" <<-'PY'
	import random, socket, sys
	random.seed(5)
	lengths = {1: 148, 2: 92, 3: 64, 4: 32}
	socks = [(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), sys.argv[2]),
	         (socket.socket(socket.AF_INET6, socket.SOCK_DGRAM), sys.argv[3])]
	for i in range(int(sys.argv[1])):
	    s, host = socks[i & 1]
	    data = bytearray(random.randbytes(random.randrange(0, 1400)))
	    if i % 4 > 1:
	        kind = random.randrange(1, 5)
	        data = bytearray([kind, 0, 0, 0]) + random.randbytes(lengths[kind] - 4)
	    s.sendto(data, (host, 51820))
	PY
}
steady_start 1 4 guest
answers_during random_datagrams "${LAB_DATAGRAMS:-20000}"
check "T05: ${LAB_DATAGRAMS:-20000} random datagrams get no answer" expect answers "$ANSWERS" 0
steady_stop guest
check "T05: the client beside it loses less than 0.1 %: $LOST of $SENT" \
	test "$SENT" -gt 100 -a $((LOST * 1000)) -le "$SENT"
check "T05: they are counted" gw_drops_above 0 wg_malformed wg_unknown_index handshake_rate

cp "$T/gw.conf" "$T/good.conf"
# A peer with such a key, whom the gateway would call on its own: refused, or never called.
low_order() {
	local hex key loaded=0
	for hex in "$@"; do
		key=$(printf "$(sed 's/../\\x&/g' <<<"$hex")" | base64)
		sed "s|^peers = (|&\n{ name = \"low\"; user = \"user-c1\"; public_key = \"$key\"; addresses = [\"10.9.0.101\"]; \
			endpoint = \"$(client_addr4 2):5000\"; keepalive = 1; },|" "$T/good.conf" >"$T/gw.conf"
		if gw_cli reload >"$T/low.log" 2>&1; then
			loaded=$((loaded + 1))
			sleep 2
		else
			grep -q 'gw.conf:[0-9]*:.*public' "$T/low.log" || { cat "$T/low.log" && return 1; }
		fi
	done
	echo "# $loaded of $# were loaded"
}
zero=000000000000000000000000000000000000000000000000000000000000
ff=ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
answers_during low_order 00${zero}00 01${zero}00 \
	e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800 \
	5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157 \
	ec${ff}7f ed${ff}7f ee${ff}7f
check "T06: seven public keys of low order: refused, or no packet is sent" expect packets "$ANSWERS" 0
cp "$T/good.conf" "$T/gw.conf" && gw_cli reload >/dev/null || fail "back to the good file"

replay_initiation() { # COUNT: the recorded first message, again and again, from elsewhere
	at c2 /usr/bin/python3 - "$T/first.pcap" "$ENDPOINT4" "$1" <<-'PY'
	import socket, sys, time
	from scapy.all import UDP, rdpcap
	first = [bytes(p[UDP].payload) for p in rdpcap(sys.argv[1]) if UDP in p]
	first = [m for m in first if m[:4] == b"\x01\0\0\0" and len(m) == 148]
	if not first:
	    sys.exit("no initiation was recorded")
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	for _ in range(int(sys.argv[3])):
	    s.sendto(first[0], (sys.argv[2], 51820))
	    time.sleep(0.002)
	PY
}
endpoint=$(gw_peer c1 endpoint)
answers_during replay_initiation 1000
check "T08: a recorded initiation, 1000 times: at most one answer" test "$ANSWERS" -le 1
check "T08: the endpoint stays" expect endpoint "$(gw_peer c1 endpoint)" "$endpoint"
check "T08: the session too" seen_from_egress 1 4

# T14: an address inside the tunnel that is not this peer's.
addr c1 wg0 10.9.0.77/32 fd00:9::77/128
before=$(gw_drops source_not_allowed)
check "T14: a foreign inner source gets no answer" not ping_ok 1 "$WEB4" -I 10.9.0.77
check "T14: nor in IPv6" not ping_ok 1 "$WEB6" -I fd00:9::77
check "T14: six packets are counted" test "$(gw_drops source_not_allowed)" -ge $((before + 6))

# T43: the gateway's listening port as a client's source port.
source_port_kept_out() {
	local port
	port=$(at c1 /usr/bin/python3 - "$WEB4" <<-'PY'
	import socket, sys
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.bind(("10.9.0.2", 51820))
	s.settimeout(2)
	s.sendto(b"x", (sys.argv[1], 7))
	print(s.recv(100).split()[1].decode())
	PY
	) || return 1
	[ "$port" -ge 20000 ] && [ "$port" -le 29999 ] || { echo "the server saw port $port" && return 1; }
}
at_client 1 wg set wg0 listen-port 40404
check "T43: source port 51820 is translated into the pool's range" source_port_kept_out
check "T43: the listener still answers" within 5 seen_from_egress 1 4

# T44: inner addresses from the outside, and probes into the NAT range.
ip -n "$LAB-rtr" route add 10.9.0.0/24 via 192.0.2.1
ip -n "$LAB-rtr" route add fd00:9::/64 via 2001:db8:2::1
before=$(gw_drops inner_from_outside)
outside_ping() { at net ping -n -c 2 -i 0.2 -W 1 "$1" | grep -q 'bytes from'; }
for a in 10.9.0.1 10.9.0.2 fd00:9::1 fd00:9::2; do
	check "T44: $a does not answer to the outside" not outside_ping $a
done
check "T44: counted as inner_from_outside" test "$(gw_drops inner_from_outside)" -ge $((before + 8))
before=$(gw_drops no_flow)
for port in 20000 25000 29999; do
	check "T44: a probe at NAT port $port gets no answer" not at net nc -n -z -w 1 $EGRESS4 $port
done
check "T44: counted as no_flow" gw_drops_above "$before" no_flow
lab_result

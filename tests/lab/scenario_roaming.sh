#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A client changes its address and port under load; someone who replays its packets from elsewhere
# changes nothing (T13).
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
lab_up one_nic 2
lab_internet
lab_keys gw c1 c2
gw_config
gw_start || { lab_result; exit 1; }
client_up 1
check "handshake" within 10 first_ping 1
steady_start 1 4 roamer
endpoint_is() { [[ $(gw_peer c1 endpoint) == $1* ]]; }

MOVES=10
old=$(client_addr4 1)
for ((i = 1; i <= MOVES; i++)); do
	new=198.51.100.$((200 + i))
	addr c1 eth0 "$new/25"
	ip -n "$LAB-c1" addr del "$old/25" dev eth0
	route c1 default via 198.51.100.129
	route c1 "$ENDPOINT4" via 198.51.100.129
	within 3 endpoint_is "$new:" || fail "move $i: the gateway still answers $(gw_peer c1 endpoint)"
	old=$new
	sleep 0.3
done
check "the gateway followed $MOVES moves" endpoint_is "$old:"
at_client 1 wg set wg0 listen-port 40404
check "and a change of port" within 3 endpoint_is "$old:40404"
steady_stop roamer
check "at most one packet lost a move: $LOST of $SENT" test "$LOST" -le $((MOVES + 1))
check "IPv6 afterwards" seen_from_egress 1 6

# T13: authentic packets, seen on the way, sent again from another address.
nsenter --net="/run/netns/$LAB-rtr" timeout 3 tcpdump -q -n -i to-c1 -c 200 -w "$T/seen.pcap" \
	"udp and dst port 51820" 2>/dev/null &
ping_ok 1 "$WEB4" -c 100 -i 0.01
download 1 4 >/dev/null
wait $!
before=$(gw_drops replayed)
at c2 /usr/bin/python3 - "$T/seen.pcap" "$ENDPOINT4" <<'PY'
import socket, sys
from scapy.all import UDP, rdpcap
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for p in rdpcap(sys.argv[1]):
    if UDP in p:
        s.sendto(bytes(p[UDP].payload), (sys.argv[2], 51820))
PY
check "replayed packets are dropped as such" gw_drops_above "$before" replayed
check "and move nothing" endpoint_is "$old:40404"
check "the client goes on" seen_from_egress 1 4
lab_result

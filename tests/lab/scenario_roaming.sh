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
endpoint_is() {
	local now
	now=$(gw_peer c1 endpoint)
	[[ $now == "$1"* ]] || { echo "endpoint: $now, expected $1" && return 1; }
}
soon() { within 3 "$@" || "$@"; }

# The client's way to the internet changes: a stateless translation in the router, so that from one
# packet to the next its outer address is another one. (wireguard-go itself does not notice the loss
# of its own address on newer kernels; it waits for the next handshake then.)
move_to() {
	at rtr nft -f - <<-NFT
	table ip roam
	flush table ip roam
	table ip roam {
	  chain out { type filter hook postrouting priority 0;
	    ip saddr $(client_addr4 1) udp dport 51820 ip saddr set $1; }
	  chain in { type filter hook prerouting priority -300;
	    ip daddr $1 udp sport 51820 ip daddr set $(client_addr4 1); }
	}
	NFT
}
MOVES=10
for ((i = 1; i <= MOVES; i++)); do
	new=198.51.100.$((200 + i))
	move_to $new || fail "the lab's own move"
	within 3 endpoint_is "$new:" || fail "move $i: the gateway still answers $(gw_peer c1 endpoint)"
	sleep 0.3
done
check "the gateway followed $MOVES moves" endpoint_is "$new:"
steady_stop roamer
check "at most one packet lost a move: $LOST of $SENT" test "$LOST" -le $MOVES
at_client 1 wg set wg0 listen-port 40404
ping_ok 1 "$WEB4" >/dev/null
check "a change of port too" soon endpoint_is "$new:40404"
at_client 1 wg set wg0 peer "$(pub gw)" endpoint "[$ENDPOINT6]:51820"
ping_ok 1 "$WEB4" >/dev/null
check "and from IPv4 to IPv6" soon endpoint_is "[$(client_addr6 1)]:40404"
check "traffic afterwards" seen_from_egress 1 6
at_client 1 wg set wg0 peer "$(pub gw)" endpoint "$ENDPOINT4:51820"
ping_ok 1 "$WEB4" >/dev/null
check "and back" soon endpoint_is "$new:40404"

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
check "and move nothing" endpoint_is "$new:40404"
check "the client goes on" seen_from_egress 1 4
lab_result

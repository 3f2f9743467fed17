#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# MTU 1280 to 1500 on the client's tunnel, a narrow path behind the gateway, a wide server before
# it: nothing hangs, since MSS is clamped and "too big" is said and passed on both ways.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
LAB_MB=${LAB_MTU_MB:-8}
lab_up one_nic 1
lab_internet
lab_keys gw c1
gw_config
gw_start || { lab_result; exit 1; }
client_up 1
check "handshake" within 10 first_ping 1
for mtu in 1280 1332 1380 1420 1440 1500; do
	ip -n "$LAB-c1" link set wg0 mtu $mtu
	for family in 4 6; do
		check "MTU $mtu v$family: download" download 1 $family
		check "MTU $mtu v$family: upload" upload 1 $family
	done
done

ip -n "$LAB-c1" link set wg0 mtu 1420
too_big_for_tunnel() { # the server's datagram is wider than the tunnel: it must be told
	at net ip route flush cache
	at c1 /usr/bin/python3 - "$(web_addr "$1")" <<-'PY'
	import socket, sys
	s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
	s.sendto(b"x" * (1420 - (48 if ":" in sys.argv[1] else 28)), (sys.argv[1], 7))
	s.settimeout(1)
	try:
	    s.recv(2000)
	except TimeoutError:
	    pass
	PY
	at net ip route get "$(egress "$1")" | grep -q 'mtu 1420'
}
too_big_for_path() { # behind the gateway the way narrows: the client must be told
	local size=1372
	at c1 ip route flush cache
	at c1 ping -n -M 'do' -c 3 -i 0.2 -W 1 -s $size "$(web_addr "$1")" >/dev/null 2>&1
	at c1 ip route get "$(web_addr "$1")" | grep -q 'mtu 1300'
}
# What just fits going up comes back with the address in front, and does not fit any more.
for family in 4 6; do
	check "v$family: the server is told that its packet is too big for the tunnel" \
		too_big_for_tunnel $family
done
ip -n "$LAB-rtr" link set to-net mtu 1300
for family in 4 6; do
	check "v$family: the client is told about a narrow path behind the gateway" too_big_for_path $family
	check "v$family: upload over the narrow path" upload 1 $family
	check "v$family: download over the narrow path" download 1 $family
done
lab_result

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# NAT gives nobody a port on which the gateway itself is called.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2

# From the listener's own port number, which port preservation would like to keep.
echoed() {
	at c1 /usr/bin/python3 - "$(inner4 1)" 25000 "$WEB4" <<-'PY'
	import socket, sys
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.bind((sys.argv[1], int(sys.argv[2])))
	s.settimeout(1)
	for _ in range(5):
	    s.sendto(b"hello", (sys.argv[3], 7))
	    try:
	        sys.exit(not s.recv(100).endswith(b"hello"))
	    except socket.timeout:
	        pass
	sys.exit("no echo")
	PY
}

lab_init
lab_up one_nic 1
lab_internet
lab_keys gw c1
GW_PORTS=25000-25003
gw_config
sed -i 's/port = 51820/port = 25000/' "$T/gw.conf"
gw_start || { lab_result; exit 1; }
PORT=25000
client_up 1
check "handshake" within 10 first_ping 1
check "UDP from the port that is the tunnel's outside" echoed
lab_result

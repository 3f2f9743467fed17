#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Datagrams longer than a packet: both ways, to the internet, to the gateway and from client to
# client; and none of their fragments reaches what is denied (RFC 1858: tiny, overlapping, alone).
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
GW_POLICY="$(gw_policy_default),
  { name = \"each-other\"; from = [\"staff\"]; to = [\"clients\"]; service = [\"ping\", \"udp\"]; action = \"allow\"; }"
GW_MTU=1380
MTU=1380
lab_up one_nic 2
lab_internet
lab_keys gw c1 c2
gw_config
gw_start || { lab_result; exit 1; }
client_up 1
client_up 2
check "first client" within 10 handshake_after_ping 1
check "second client" within 10 handshake_after_ping 2
handshake_done 1 && handshake_done 2 || { lab_result; exit 1; }

# RFC 8201: with IPv6 the server itself must learn what the tunnel takes, and loses a packet for it.
at c1 ping -n -c 1 -W 1 -s 1400 $WEB6 >/dev/null
for size in 1400 3000 20000; do
	check "v4: ping of $size bytes" ping_ok 1 $WEB4 -s $size -M 'dont'
	check "v6: ping of $size bytes" ping_ok 1 $WEB6 -s $size
done
for size in 1472 8000 60000; do
	check "v4: UDP of $size bytes and its echo" udp_echo 1 4 $size
	check "v6: UDP of $size bytes and its echo" udp_echo 1 6 $size
done
check "v4: the gateway itself answers 3000 bytes" ping_ok 1 10.9.0.1 -s 3000 -M 'dont'
check "v6: the gateway itself answers 3000 bytes" ping_ok 1 fd00:9::1 -s 3000
check "v4: the other client answers 3000 bytes" ping_ok 1 "$(inner4 2)" -s 3000 -M 'dont'
check "v6: the other client answers 3000 bytes" ping_ok 1 "$(inner6 2)" -s 3000
many_pings() { # a thousand datagrams of three fragments each way, from both clients at once
	at c2 ping -n -q -i 0.002 -c 500 -s 3000 "$1" >"$T/many.c2" 2>&1 &
	at c1 ping -n -q -i 0.002 -c 500 -s 3000 "$1" >"$T/many.c1" 2>&1
	wait $!
	grep -h received "$T"/many.c[12]
	[ "$(grep -hc ' 0% packet loss' "$T/many.c1")$(grep -hc ' 0% packet loss' "$T/many.c2")" = 11 ]
}
check "v4: two clients, 500 long pings each, none lost" many_pings $WEB4
check "v6: two clients, 500 long pings each, none lost" many_pings $WEB6

# A sender that knows no path MTU: 1472 bytes of UDP without DF through a tunnel of 1380.
cat >"$T/plain.py" <<'PY'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER, IP_PMTUDISC_DONT
s.bind((sys.argv[1], 9007))
while True:
    size, peer = s.recvfrom(100)
    s.sendto(bytes(i * 7 % 251 for i in range(int(size))), peer)
PY
lab_spawn "$T/plain.log" nsenter --net="/run/netns/$LAB-net" /usr/bin/python3 "$T/plain.py" $WEB4
plain_answer() { # BYTES
	at c1 /usr/bin/python3 - $WEB4 "$1" <<-'PY'
	import socket, sys
	size = int(sys.argv[2])
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.settimeout(1)
	for attempt in range(3):
	    s.sendto(str(size).encode(), (sys.argv[1], 9007))
	    try:
	        got = s.recv(65536)
	        break
	    except TimeoutError:
	        continue
	else:
	    sys.exit("no answer in three attempts")
	if got != bytes(i * 7 % 251 for i in range(size)):
	    sys.exit(f"{len(got)} bytes, and not those that were sent")
	PY
}
before=$(gw_drops too_big)
check "v4: an answer of 1472 bytes without DF arrives" plain_answer 1472
check "v4: one of 5000 bytes, whose fragments are cut further" plain_answer 5000
check "v4: nothing was called too big" expect too_big "$(gw_drops too_big)" "$before"

# What stands behind the gateway and must stay unreached sees every frame for it.
cat >"$T/watch.py" <<'PY'
import socket, sys
evil = [socket.inet_aton(sys.argv[1]), socket.inet_pton(socket.AF_INET6, sys.argv[2])]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("net0", 0))
print("started", flush=True)
while True:
    f = s.recv(2048)
    if f[12:14] == b"\x08\x00" and f[30:34] == evil[0] or f[12:14] == b"\x86\xdd" and f[38:54] == evil[1]:
        print("reached", flush=True)
PY
cat >"$T/attack.py" <<'PY'
# Raw fragments: tiny first ones, overlapping, alone, atomic, interleaved with an allowed datagram.
import socket, struct, sys, time
good, bad, me, v6 = sys.argv[1], sys.argv[2], sys.argv[3], ":" in sys.argv[1]
raw = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW, 255)
if v6:
    raw.setsockopt(socket.IPPROTO_IPV6, 36, 1)  # IPV6_HDRINCL
    pton = lambda a: socket.inet_pton(socket.AF_INET6, a)
def send(dst, ident, proto, offset, more, body):
    if v6:
        f = struct.pack("!BBHI", proto, 0, offset | more, ident) + body
        raw.sendto(struct.pack("!IHBB", 6 << 28, len(f), 44, 64) + pton(me) + pton(dst) + f, (dst, 0))
    else:
        h = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), ident, more << 13 | offset // 8, 64, proto, 0)
        raw.sendto(h + socket.inet_aton(me) + socket.inet_aton(dst) + body, (dst, 0))
udp = lambda n: struct.pack("!HHHH", 40000, 7, 8 + n, 0) + b"x" * (n - n % 8)
tcp = struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, 0x50, 2, 1000, 0, 0) + b"y" * 4
icmp = (b"\x80" if v6 else b"\x08") + b"\0\0\0\1\2\3\4" + b"z" * 64
n = 0x100
for proto, first in ((17, udp(64)), (6, tcp), (58 if v6 else 1, icmp)):
    for dst in (bad, good):  # the good one last: its record must not open the bad one
        for cut in (8, 16, 24, len(first)):
            n += 1
            send(bad, n, proto, 24, 1, b"a" * 24)       # alone, before anything
            send(dst, n, proto, 0, 1, first[:cut])      # tiny, or with its ports
            send(bad, n, proto, 8, 1, first)            # over the headers
            send(bad, n, proto, 0, 1, first[:cut])      # the first one again
            for offset in range(8, 128, 8):
                send(bad, n, proto, offset, 1, b"b" * 8)
            send(bad, n, proto, 128, 0, b"c" * 5)
            if v6:
                send(bad, n, proto, 0, 0, first)        # atomic: RFC 6946
                send(bad, n, 60, 0, 1, bytes([proto, 0, 1, 4, 0, 0, 0, 0]) + first)
                send(bad, n, 44, 0, 1, bytes([proto, 0, 0, 1, 0, 0, 0, 1]) + first)
    time.sleep(0.02)
PY
lab_spawn "$T/watch.log" nsenter --net="/run/netns/$LAB-net" /usr/bin/python3 "$T/watch.py" $EVIL4 $EVIL6
within 5 grep -q started "$T/watch.log"
unreached() {
	sleep 0.5
	expect "frames for the denied host" "$(grep -c reached "$T/watch.log")" 0
}
for family in 4 6; do
	before=$(gw_drops fragment policy_deny fragment_tiny)
	dst=$([ $family = 6 ] && echo $EVIL6 || echo $EVIL4)
	check "v$family: a denied host answers no long ping" not ping_ok 1 "$dst" -s 3000
	check "v$family: every fragment was dropped and counted" gw_drops_above "$((before + 8))" \
		fragment policy_deny fragment_tiny
	me=$([ $family = 6 ] && inner6 1 || inner4 1)
	tiny=$(gw_drops fragment_tiny) alone=$(gw_drops fragment)
	check "v$family: forged fragments are sent" \
		at c1 /usr/bin/python3 "$T/attack.py" "$(web_addr $family)" "$dst" "$me"
	check "v$family: none of them passed" unreached
	check "v$family: tiny ones were counted" gw_drops_above "$((tiny + 10))" fragment_tiny
	check "v$family: so were those without their first" gw_drops_above "$((alone + 100))" fragment
	check "v$family: an honest datagram still does" udp_echo 1 $family 8000
done
at rtr nsenter --net="/run/netns/$LAB-rtr" ping -n -c 1 -W 1 $EVIL4 >/dev/null
check "the watcher does see what comes" within 3 grep -q reached "$T/watch.log"
gw_dump sp_fragments >"$T/records" 2>&1
check "records read like a table" not grep -q Error "$T/records"
lab_result

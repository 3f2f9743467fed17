#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""witness.py DEV: counts the IP packets that arrive there; at the end one line for each
"SOURCE DESTINATION PROTOCOL PORT COUNT", neighbour discovery left out."""
import collections
import signal
import socket
import struct
import sys

s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind((sys.argv[1], 3))
s.settimeout(0.2)
seen, going = collections.Counter(), True


def stop(*_):
    global going
    going = False


signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
print("started", flush=True)
while going:
    try:
        frame, where = s.recvfrom(2048)
    except TimeoutError:
        continue
    kind = struct.unpack("!H", frame[12:14])[0]
    if where[2] == 4 or kind not in (0x0800, 0x86DD):
        continue
    ip = frame[14:]
    if kind == 0x0800:
        a, b, proto, l4 = ip[12:16], ip[16:20], ip[9], ip[(ip[0] & 15) * 4 :]
    else:
        a, b, proto, l4 = ip[8:24], ip[24:40], ip[6], ip[40:]
    if proto == 58 and l4[:1] and 130 <= l4[0] <= 143:
        continue
    port = struct.unpack("!H", l4[2:4])[0] if proto in (6, 17) and len(l4) >= 4 else 0
    f = socket.AF_INET if kind == 0x0800 else socket.AF_INET6
    seen[socket.inet_ntop(f, a), socket.inet_ntop(f, b), proto, port] += 1
for key, count in sorted(seen.items()):
    print(*key, count)

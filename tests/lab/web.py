#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The internet host: HTTP that says who asked, serves a file fast and hashes uploads; UDP echo.

web.py FOLDER HTTP-PORT UDP-PORT ADDRESS...
GET /whoami        the client's address and port as this host sees them
GET /NAME          a file of FOLDER, by sendfile
GET /slow/N        N lines, ten a second, to see when a running download is cut
PUT /anything      size and SHA-256 of the body
UDP                "address port " and the datagram back
"""
import hashlib
import http.server
import os
import socket
import socketserver
import sys
import threading
import time

FOLDER, HTTP_PORT, UDP_PORT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/whoami":
            return self.answer(f"{self.client_address[0]} {self.client_address[1]}\n".encode())
        if self.path.startswith("/slow/"):
            return self.slow(int(self.path[6:]))
        try:
            source = open(os.path.join(FOLDER, os.path.basename(self.path)), "rb")
        except OSError:
            return self.send_error(404)
        with source:
            size = os.fstat(source.fileno()).st_size
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            self.wfile.flush()
            self.connection.sendfile(source)

    def slow(self, lines):
        self.send_response(200)
        self.send_header("Content-Length", str(lines * 16))
        self.end_headers()
        for n in range(lines):
            self.wfile.write(b"%015d\n" % n)
            self.wfile.flush()
            time.sleep(0.1)

    def do_PUT(self):
        left = int(self.headers["Content-Length"])
        size, digest = left, hashlib.sha256()
        if self.headers.get("Expect") == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        while left:
            block = self.rfile.read1(min(left, 1 << 20))
            if not block:
                return
            digest.update(block)
            left -= len(block)
        self.answer(f"{size} {digest.hexdigest()}\n".encode())

    def handle_expect_100(self):
        return True

    def log_message(self, form, *args):
        print(f"{time.time():.3f} {self.client_address[0]} {self.client_address[1]} {form % args}", flush=True)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self):
        # Not HTTPServer's: that one asks the DNS for the host's name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address):
        print(f"{time.time():.3f} {client_address[0]} {sys.exc_info()[1]!r}", flush=True)


class Server6(Server):
    address_family = socket.AF_INET6


def udp_echo(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.bind((address, UDP_PORT))
        while True:
            data, peer = s.recvfrom(65536)
            s.sendto(f"{peer[0]} {peer[1]} ".encode() + data, peer)


for address in sys.argv[4:]:
    server = (Server6 if ":" in address else Server)((address, HTTP_PORT), Web)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=udp_echo, args=(address,), daemon=True).start()
threading.Event().wait()

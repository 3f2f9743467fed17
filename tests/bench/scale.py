# SPDX-License-Identifier: Apache-2.0
"""Scale (row 6): many peers and flows in one gateway: what each takes, and whether the loop goes on.

While a long list or the metrics are made, another client asks for the version over and over: the
longest wait is how long the loop was held.
"""
import json
import os
import socket
import subprocess
import threading
import time

import lab
import plain
from lab import sh

SESSIONS = 400  # with a real handshake; what more of them take is counted from these


class Crowd(plain.Sallyport):
    short = "sc"
    peers = 0

    def write_config(self):
        key = f"{self.dir}/key"
        with open(os.open(key, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as f:
            f.write(self.lab.private_key + "\n")
        self.public_key = self.lab.public_key
        keys = sh(f"{self.lab.build}/tests/bench/generator", "keys", "0", str(self.peers)).split()
        peers = ",\n".join(
            f'{{ name = "c{i}"; user = "u"; public_key = "{k}"; addresses = ["{lab.inner(i)}"]; }}'
            for i, k in enumerate(keys))
        with open(self.conf, "w") as f:
            f.write(f'''gateway = {{ control = "{self.dir}/sock"; state_dir = "{self.dir}"; flows_max = {plain.FLOWS_MAX};
  sessions_max = 131072; handshakes_per_s = 1000; }};
interfaces = ( {{ name = "tun0"; roles = ["inside", "tunnel"]; }}, {{ name = "out0"; roles = ["egress"]; }} );
wireguard = ( {{ name = "wg0"; port = 51820; private_key_file = "{key}"; addresses = ["10.64.0.1/10"]; }} );
users = ( {{ name = "u"; }} );
peers = ( {peers} );
zones = ( {{ name = "w"; interface = "tun0"; prefixes = ["10.128.0.0/16"]; flows_max = {plain.FLOWS_MAX}; }} );
egress = ( {{ name = "main"; interface = "out0"; addresses = ["198.18.1.101"]; }} );
policy = ( {{ name = "out"; from = "any"; to = "any"; action = "allow"; egress = "main"; }} );
''')

    def memory_kb(self):
        with open(f"/proc/{self.pid_daemon}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    def ask(self, command):
        """How long the answer took, and how long it was."""
        began = time.monotonic()
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(120)
            s.connect(f"{self.dir}/sock")
            s.sendall(json.dumps({"command": command}).encode() + b"\n")
            total, last = 0, b""
            while not last.endswith(b"\n"):
                last = s.recv(1 << 20)
                if not last:
                    raise lab.BenchError(f"{command}: the daemon hung up")
                total += len(last)
        return time.monotonic() - began, total

    def held(self, command):
        """The longest wait of another client while the command is answered, in ms."""
        done, waits = threading.Event(), []

        def probe():
            while not done.is_set():
                waits.append(self.ask("version")[0] * 1e3)
                time.sleep(0.001)
        thread = threading.Thread(target=probe)
        thread.start()
        try:
            time.sleep(0.2)
            quiet = sorted(waits)
            waits.clear()
            seconds, size = self.ask(command)
        finally:
            done.set()
            thread.join()
        # An answer that came in one piece held the loop for no longer than it took.
        waits = waits or [seconds * 1e3]
        return {"held_ms": min(max(waits), seconds * 1e3), "before_ms": max(quiet), "answer_s": seconds, "answer_mb": size / 1e6}


def map_bytes(name):
    """Of the newest map of that name: memory, and places."""
    maps = [m for m in json.loads(sh("bpftool", "map", "show", "-j")) if m.get("name") == name]
    newest = max(maps, key=lambda m: m["id"])
    return newest["bytes_memlock"], newest["max_entries"]


def rows(bench):
    peers, flows = (2000, 1 << 17) if bench.quick else (100000, 1 << 20)
    few = type("Few", (Crowd,), {"short": "sf", "peers": 1})
    many = type("Many", (Crowd,), {"short": "sm", "peers": peers})
    empty = few(bench)
    base_kb = empty.memory_kb()
    empty.close()
    began = time.monotonic()
    g = many(bench)
    try:
        started_s = time.monotonic() - began
        configured_kb = g.memory_kb()
        subprocess.run(["nsenter", f"--net=/run/netns/{g.world.far}", f"{bench.build}/tests/bench/shake",
                        "-k", g.public_key, "-N", "0", "-n", str(SESSIONS), "-s", "2", "-r",
                        str(SESSIONS // 2)], check=True, capture_output=True)
        sessions_kb = g.memory_kb()
        for _ in range(4):  # the ring of a veth loses some of them
            g.flows(flows, 0, 2 * flows)
        memory, places = map_bytes("sp_flows")
        detail = {"peers": peers, "started_s": started_s,
                  "peer_bytes": (configured_kb - base_kb) * 1024 / peers,
                  "session_bytes": (sessions_kb - configured_kb) * 1024 / SESSIONS,
                  "flow_entry_bytes": memory / places}
        p = {"row": 6, "title": f"scale: {peers} peers, {flows} flows", "unit": "ms the loop was held",
             "values": {}, "ratios": {}, "detail": {"memory": [detail]}}
        for command in ("metrics", "status", "show peers", "show sessions", "show flows", "show rules"):
            done = bench.attempt(f"row 6 {command}", lambda c=command: g.held(c))
            if done:
                p["values"][command] = [done["held_ms"]]
                p["detail"][command] = [done]
                bench.say(f"row 6 {command}: the loop was held {done['held_ms']:.1f} ms, {done['answer_mb']:.1f} MB "
                          f"in {done['answer_s']:.2f} s")
        yield p
    finally:
        g.close()

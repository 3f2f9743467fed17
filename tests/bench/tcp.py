# SPDX-License-Identifier: Apache-2.0
"""Real TCP through a wireguard-go client (row 7): the client, not the gateway, must be the limit."""
import json
import os

import lab
from lab import BenchError, sh

def cpu_ns(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as f:
            total += int(f.read().split()[0])
    return total


class Client:
    """Client 0 of the configuration in a namespace of its own, on the generator's core."""

    def __init__(self, gateway, program):
        self.world, self.gateway = gateway.world, gateway
        self.ns = f"{self.world.far}c"
        sh("ip", "netns", "add", self.ns)
        try:
            self.start(program)
        except BaseException:
            self.close()
            raise

    def start(self, program):
        world, build = self.world, self.gateway.lab.build
        sh("ip", "-n", world.far, "link", "set", "t0", "netns", self.ns)
        for words in (("addr", "add", "198.18.0.2/24", "dev", "t0"), ("link", "set", "t0", "up"),
                      ("link", "set", "lo", "up")):
            sh("ip", "-n", self.ns, *words)
        sh("ip", "-n", world.far, "addr", "add", "203.0.113.10/32", "dev", "lo")
        sh("ip", "-n", world.far, "route", "add", "10.64.0.0/10", "via", "198.18.1.1")  # a peer without NAT
        key = f"{self.gateway.dir}/client"
        with open(os.open(key, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as f:
            f.write("[Interface]\nPrivateKey = " + sh(f"{build}/tests/bench/generator", "private", "0") +
                    f"[Peer]\nPublicKey = {self.gateway.public_key}\nAllowedIPs = 0.0.0.0/0\n"
                    "Endpoint = 198.18.0.1:51820\n")
        words = ("nsenter", f"--net=/run/netns/{self.ns}", "unshare", "--mount", "--propagation", "private",
                 "sh", "-c", f"mount -t tmpfs tmpfs /run && exec taskset -c 0 {program} -f wgc")
        child = world.spawn(f"{self.gateway.dir}/client.log", *words, env={
            "WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD": "1", "GOMAXPROCS": "1", "LOG_LEVEL": "error"})
        enter = ("nsenter", f"--net=/run/netns/{self.ns}", f"--mount=/proc/{child.pid}/ns/mnt")
        ours = os.readlink("/proc/self/ns/mnt")
        world.wait_for(lambda: os.readlink(f"/proc/{child.pid}/ns/mnt") != ours and
                       "wgc.sock" in sh(*enter, "ls", "/run/wireguard", check=False), child)
        sh(*enter, "wg", "setconf", "wgc", key)
        sh("ip", "-n", self.ns, "addr", "add", "10.64.0.2/32", "dev", "wgc")
        sh("ip", "-n", self.ns, "link", "set", "wgc", "mtu", "1420", "up")
        sh("ip", "-n", self.ns, "route", "add", "203.0.113.0/24", "dev", "wgc")
        self.pid = child.pid
        self.server = world.spawn(f"{self.gateway.dir}/iperf.log", "nsenter", f"--net=/run/netns/{world.far}",
                                  "taskset", "-c", "0", "iperf3", "-s", "-B", "203.0.113.10")

    def measure(self, down, streams, seconds):
        before = cpu_ns(self.gateway.pid), cpu_ns(self.pid)
        text = sh("nsenter", f"--net=/run/netns/{self.ns}", "timeout", "20", "taskset", "-c", "0", "iperf3", "-J",
                  "-c", "203.0.113.10", "-t", str(seconds), "-P", str(streams), *(["-R"] if down else []))
        after = cpu_ns(self.gateway.pid), cpu_ns(self.pid)
        end = json.loads(text)["end"]["sum_received"]
        return {"gbit_s": end["bits_per_second"] / 1e9, "seconds": end["seconds"],
                "gateway_busy": (after[0] - before[0]) / 1e9 / end["seconds"],
                "client_busy": (after[1] - before[1]) / 1e9 / end["seconds"]}

    def close(self):
        sh("ip", "netns", "del", self.ns, check=False)


class Sallyport(lab.Sallyport):
    short = "cs"


def rows(bench, peer_class):
    peer = type("TcpPeer", (peer_class,), {"short": "cw"})
    gateways, clients = [], []
    try:
        for c in (Sallyport, peer):
            gateway = bench.attempt(c.name, lambda c=c: c(bench))
            if gateway:
                gateways.append(gateway)
                clients.append(Client(gateway, peer_class.program))
        if not clients or gateways[0].name != "sallyport":
            raise BenchError("row 7: the gateway itself did not come up")
        for down in (False, True):
            for streams in (8,) if bench.quick else (1, 8):
                yield point(bench, clients, down, streams)
    finally:
        for c in clients:
            c.close()
        for g in gateways:
            g.close()


def point(bench, clients, down, streams):
    p = {"row": 7, "title": f"TCP of a wireguard-go client, {'down' if down else 'up'}, {streams} streams",
         "unit": "of the gateway's core busy", "values": {}, "ratios": {}, "detail": {}}
    for c in clients:
        run = bench.attempt(f"row 7 {c.gateway.name}", lambda c=c: c.measure(down, streams, 2 if bench.quick else 5))
        if run:
            p["detail"][c.gateway.name] = [run]
            p["values"][c.gateway.name] = [run["gateway_busy"]]
            bench.say(f"row 7 {p['title']}, {c.gateway.name}: {run['gbit_s']:.2f} Gbit/s, gateway "
                      f"{run['gateway_busy']:.0%} busy, client {run['client_busy']:.0%}")
    return p

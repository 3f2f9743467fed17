# SPDX-License-Identifier: Apache-2.0
"""Plain egress in XDP: rows 10 (forwarding), 11 (new flows) and 12 (drops), and what stands beside it.

Each gateway's receive path runs on a NAPI thread of its own on core 1; its CPU time counts.
"""
import json

import lab
from lab import BenchError, sh

FLOWS_MAX = 1 << 21
DENIED_PORT = 25


class Plain(lab.Gateway):
    """A gateway whose work is done in the NAPI thread of tun0."""

    sink = ("-x",)

    def own_napi(self):
        """The thread that receives on tun0, on the gateway's core."""
        before = lab.napi_threads("tun0")
        sh("ip", "netns", "exec", self.world.gw, "sh", "-c", "echo 1 >/sys/class/net/tun0/threaded")
        ours = lab.napi_threads("tun0") - before
        if len(ours) != 1:
            raise BenchError("no threaded NAPI for veth")
        self.pid = int(ours.pop())
        sh("taskset", "-pc", "1", str(self.pid))

    def received(self):
        """Packets that an XDP program of tun0 has seen."""
        text = sh("ip", "netns", "exec", self.world.gw, "ethtool", "-S", "tun0")
        return sum(int(line.split(":")[1]) for line in text.splitlines() if "xdp_packets" in line)

    def flows(self, flows, first, count, port=443, size=64):
        words = ["taskset", "-c", "0", f"{self.lab.build}/tests/bench/generator", "run", "-d", "flows",
                 "-f", str(flows), "-o", str(first), "-c", str(count), "-t", str(port),
                 "-b", str(size), "-p", str(self.pid), *self.sink]
        before = self.received()
        done = json.loads(sh("timeout", "120", "nsenter", f"--net=/run/netns/{self.world.far}",
                             *words))
        done["received"] = self.received() - before
        return done


class Sallyport(Plain):
    name, short = "sallyport", "ps"

    def write_config(self):
        with open(self.conf, "w") as f:
            f.write(f'''gateway = {{ control = "{self.dir}/sock"; state_dir = "{self.dir}"; flows_max = {FLOWS_MAX}; }};
interfaces = ( {{ name = "tun0"; roles = ["inside"]; }}, {{ name = "out0"; roles = ["egress"]; }} );
zones = ( {{ name = "w"; interface = "tun0"; prefixes = ["10.128.0.0/16"]; flows_max = {FLOWS_MAX};
  limit = {{ up = "900 Gbit/s"; down = "900 Gbit/s"; }}; }} );
services = ( {{ name = "mail"; protocol = "udp"; ports = [{DENIED_PORT}]; }} );
egress = ( {{ name = "main"; interface = "out0"; addresses = ["198.18.1.101"]; }} );
policy = ( {{ name = "no-mail"; from = "any"; to = "any"; service = ["mail"]; action = "deny"; }},
  {{ name = "out"; from = "any"; to = "any"; action = "allow"; egress = "main"; }} );
''')
    def start(self):
        self.conf = f"{self.dir}/gw.conf"
        self.write_config()
        child = self.world.spawn(f"{self.dir}/log", *self.own_mounts(
            f"{self.lab.build}/sallyportd -c {self.conf}"))
        self.world.wait_for(self.answers, child, 60)
        self.pid_daemon = child.pid
        self.own_napi()

    def answers(self):
        return "transmit" in sh(f"{self.lab.build}/sallyport", "-c", self.conf, "-s",
                                f"{self.dir}/sock", "status", "-j", check=False)


class Bare(Plain):
    """A program that does nothing else: redirects, or drops."""

    words = ("tun0", "out0")
    name, short = "bare redirect", "pb"

    def start(self):
        child = self.world.spawn(f"{self.dir}/log", *self.own_mounts(
            f"{self.lab.build}/tests/bench/bare {' '.join(self.words)}"))
        self.world.wait_for(lambda: "ready" in open(f"{self.dir}/log").read(), child)
        self.own_napi()


class Drop(Bare):
    words = ("tun0",)
    name, short = "bare drop", "pd"


class Kernel(Plain):
    """Kernel forwarding with nftables NAT; its packets end in tc, since XDP would copy them again."""

    name, short = "kernel + nft", "pk"
    gro = True
    sink = ()

    def start(self):
        gw = self.world.gw
        self.world.at(gw, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.world.at(gw, "nft", "add table ip n; add chain ip n post "
                      "{ type nat hook postrouting priority 100; }; "
                      "add rule ip n post oifname out0 snat to 198.18.1.101")
        sh("ip", "-n", gw, "route", "add", "10.128.0.0/16", "via", "198.18.0.2")
        self.world.need_napi(self.lab)
        self.own_napi()

    def received(self):
        return 0


def each_ns(done, packets):
    if not done[packets]:
        raise BenchError("no packet came through")
    return done["process_ns"] / done[packets]


def forward(gateway, flows, first, count):
    return 1e3 / each_ns(gateway.flows(flows, first, count), "delivered")


def drops(gateway, count):
    done = gateway.flows(16384, 0, count, port=DENIED_PORT)
    if done["delivered"]:
        raise BenchError(f"{done['delivered']} denied packets came through")
    return 1e3 / each_ns(done, "received")


class Fresh:
    """Numbers of flows that no gateway of this run has seen."""

    def __init__(self):
        self.next = 1 << 20

    def take(self, count):
        if (self.next + count) >> 14 > 255:
            raise BenchError("no new flows left")
        self.next += count
        return self.next - count


def rows(bench):
    """Yields points; each gateway lives as long as it is needed."""
    count = 1000000 if bench.quick else 4000000
    limit = conntrack_max()
    gateways = []
    try:
        conntrack_max(FLOWS_MAX)
        gateways = [bench.attempt(c.name, lambda c=c: c(bench)) for c in (Sallyport, Bare, Drop, Kernel)]
        ours, redirect, drop, kernel = gateways
        if not ours:
            raise BenchError("the gateway itself did not come up")
        for flows, name in ((1, "1 flow"), (10000, "10,000 flows"), (1 << 20, "1,048,576 flows")):
            # A first round of all flows, so that they are there.
            for g in (ours, redirect, kernel) if flows > 1 else ():
                if g:
                    bench.attempt("warm-up", lambda g=g: g.flows(flows, 0, 2 * flows))
            yield bench.compare(10, f"plain egress, {name}, 64 B", "Mpps a core", ours,
                                [redirect, kernel],
                                lambda g, flows=flows: forward(g, flows, 0, max(count, flows)))
        fresh, some = Fresh(), 100000
        yield bench.compare(11, "new plain flows, a new port for each twelfth", "M flows/s a core", ours,
                            [kernel], lambda g: forward(g, some, fresh.take(some), some))
        yield bench.compare(12, "denied packets, 64 B", "Mpps a core", ours, [drop],
                            lambda g: drops(g, count))
    finally:
        conntrack_max(limit)
        for g in gateways:
            if g:
                g.close()


def conntrack_max(value=None):
    """The kernel's limit of tracked connections is the machine's: put back afterwards."""
    name = "net.netfilter.nf_conntrack_max"
    if value is None:
        return sh("sysctl", "-n", name, check=False).strip()
    if value:
        sh("sysctl", "-qw", f"{name}={value}", check=False)
    return value

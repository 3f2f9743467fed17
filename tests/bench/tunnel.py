# SPDX-License-Identifier: Apache-2.0
"""Tunnels beyond their throughput: latency (8), handshakes (9), new flows (11), everything on (14)."""
import json
import statistics
import subprocess

import lab
from lab import BenchError, sh

SHAKERS, SHAKER_FIRST = 800, 200
NEW_CLIENTS = 100


class Sallyport(lab.Sallyport):
    short = "ts"
    extra = "flows_max = 1048576; handshakes_per_s = 1000;"
    egress = "198.18.1.101"
    ports = "1024-65535"
    flows_max = 1048576


class Everything(Sallyport):
    """Limits on users and rules, a log of flows, metrics that are read: what a site would switch on."""

    name, short = "sallyport, all on", "te"
    limit = 'limit = { up = "400 Gbit/s"; down = "400 Gbit/s"; };'
    rule = 'log = true; limit = { up = "800 Gbit/s"; down = "800 Gbit/s"; };'
    metrics = "127.0.0.1:9586"

    def __init__(self, *words):
        self.extra = f'{Sallyport.extra} metrics = "{self.metrics}";'
        super().__init__(*words)

    def run(self, *words):
        """A scrape runs beside each load."""
        scrape = self.world.spawn(f"{self.dir}/scrape", "nsenter", f"--net=/run/netns/{self.world.gw}",
                                  "sh", "-c", f"while sleep 0.5; do curl -s -o /dev/null http://{self.metrics}/metrics; done")
        try:
            return super().run(*words)
        finally:
            scrape.terminate()
            scrape.wait()


def generate(gateway, *words):
    return [f"{gateway.lab.build}/tests/bench/generator", "run", "-k", gateway.public_key,
            "-p", str(gateway.pid), *words]


def far(gateway, *words):
    return ["timeout", "100", "nsenter", f"--net=/run/netns/{gateway.world.far}",
            "taskset", "-c", "0", *words]


def latency(gateway, rate, seconds):
    return json.loads(sh(*far(gateway, *generate(
        gateway, "-d", "up", "-l", "-n", "16", "-r", str(rate), "-c", str(rate * seconds)))))


def latencies(bench, ours, peers):
    """Rows 8: the least of each figure over the rounds would flatter; the median counts."""
    seconds = 2 if bench.quick else 4
    half = {}
    for g in (ours, *peers):
        done = g.run("up", 16, "128", 1, 100000)
        half[g.name] = int(done["delivered_pps"] / 2) or 10000
    common = min(half.values())
    for title, rates in (("idle, 1,000 packets a second", lambda g: 1000),
                         ("at half of what the slowest carries", lambda g: common)):
        point = {"row": 8, "title": f"latency of 128 B, {title}", "unit": "us", "less": True,
                 "values": {}, "ratios": {}, "detail": {}}
        for peer in peers:
            runs = {ours.name: [], peer.name: []}
            for _ in range(max(bench.pairs // 2, 1)):
                for g in (ours, peer, peer, ours):
                    runs[g.name].append(latency(g, rates(g), seconds))
            for name, list_ in runs.items():
                point["detail"].setdefault(name, []).extend(list_)
                point["values"][name] = [r["p99_us"] for r in point["detail"][name]]
            point["ratios"][peer.name] = [
                statistics.median(r["p99_us"] for r in runs[peer.name]) /
                statistics.median(r["p99_us"] for r in runs[ours.name])]
            bench.say(f"row 8 {title}: p99 {statistics.median(point['values'][ours.name]):.0f} us, "
                      f"{point['ratios'][peer.name][0]:.2f}x less than {peer.name}")
        yield point


def shake(gateway, *words):
    return [f"{gateway.lab.build}/tests/bench/shake", "-k", gateway.public_key, "-p", str(gateway.pid),
            "-N", str(SHAKER_FIRST), "-n", str(SHAKERS), *words]


def shakes_a_core(gateway, seconds):
    done = json.loads(sh(*far(gateway, *shake(gateway, "-s", str(seconds), "-w", "32"))))
    if not done["done"]:
        raise BenchError("no handshake was answered")
    return 1e3 / done["cpu_us"]


def flood(gateway, mac1, seconds):
    """A flood of 200,000 bogus initiations a second; beside it clients that begin, and data."""
    rate, data = 200000, 4000
    run = []
    for words in (generate(gateway, "-d", "up", "-l", "-n", "16", "-r", str(data),
                           "-c", str(data * (seconds + 2))),
                  generate(gateway, "-d", "flood", "-r", str(rate), "-c", str(rate * (seconds + 1)),
                           *(["-m"] if mac1 else [])),
                  shake(gateway, "-s", str(seconds), "-r", "100")):
        run.append(subprocess.Popen(far(gateway, *words), stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True))
        if len(run) == 1:
            first = run[0].stderr.readline()  # who carries data has its sessions before
    out = [child.communicate() for child in run]
    for child, (_, error) in zip(run, out):
        if child.returncode:
            raise BenchError(f"flood: {error.strip() or first.strip()}")
    carried, flooded, shaken = (json.loads(o) for o, _ in out)
    return {"flood_pps": flooded["offered_pps"],
            "answered": shaken["heard_in_1s"] / max(shaken["begun"], 1),
            "done": shaken["done_in_1s"] / max(shaken["begun"], 1),
            "lost": 1 - carried["received"] / carried["sent"]}


def floods(bench, gateways):
    for mac1, title in ((False, "MAC1 wrong"), (True, "MAC1 right")):
        point = {"row": 9, "title": f"flood of 200,000 bogus initiations a second, {title}",
                 "unit": "of 100 legitimate ones a second answered in 1 s", "values": {}, "ratios": {},
                 "detail": {}}
        for g in gateways:
            runs = bench.attempt(f"row 9 {title} {g.name}",
                                 lambda g=g: [flood(g, mac1, 2 if bench.quick else 6)])
            if runs:
                point["detail"][g.name] = runs
                point["values"][g.name] = [r["answered"] for r in runs]
                bench.say(f"row 9 {title}, {g.name}: {runs[0]}")
        yield point


class Fresh:
    def __init__(self):
        self.next = 0

    def take(self, count):
        self.next += count
        return self.next - count


def new_flows(gateway, fresh, count):
    each = count // NEW_CLIENTS
    done = json.loads(sh(*far(gateway, *generate(
        gateway, "-d", "up", "-F", "-n", str(NEW_CLIENTS), "-c", str(count), "-b", "64",
        "-o", str(fresh.take(each))))))
    return 1e3 / done["gateway_cpu_ns"]


def cores(gateway, way):
    done = gateway.run(way, 100, "512", 1, gateway.lab.count)
    return 1e3 / done["gateway_cpu_ns"]


def rows(bench, peer_class):
    gateways = [bench.attempt(c.name, lambda c=c: c(bench))
                for c in (Sallyport, peer_class, Everything)]
    try:
        ours, peer, everything = gateways
        if not ours:
            raise BenchError("the gateway itself did not come up")
        peers = [peer] if peer else []
        yield from latencies(bench, ours, peers)
        fresh, count = Fresh(), 100000
        yield bench.compare(11, "new flows in tunnels, a new port for each sixteenth", "M flows/s a core",
                            ours, peers, lambda g: new_flows(g, fresh, count))
        for way in ("up", "down"):
            yield bench.compare(14, f"all of it on, {way}, 100 clients, 512 B", "Mpps a core", everything,
                                [ours], lambda g, way=way: cores(g, way))
        yield bench.compare(9, "handshakes", "thousand/s a core", ours, peers,
                            lambda g: shakes_a_core(g, 1 if bench.quick else 2))
        yield from floods(bench, [ours, *peers])
    finally:
        for g in gateways:
            if g:
                g.close()

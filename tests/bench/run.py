#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make bench: the gateway beside its peers and its limits, in pairs A-B-B-A; see docs/performance.md.

Usage: run.py BUILD [quick] [baseline]. Compares the ratios with baseline.json, or renews it. Writes BUILD/bench/result.json, result.md and result.svg.
"""
import json
import os
import statistics
import sys
import tempfile
import time

import gate
import lab
import plain
import scale
import tcp
import tunnel
from lab import BenchError, sh
from report import write_markdown, write_svg

CLIENTS = 1000
# row of the goals, way, clients, bytes inside, packets in a row of one client, offload
POINTS = [
    (3, "up", 1, "1420", 32, True), (3, "down", 1, "1420", 32, True),
    (4, "up", 100, "1420", 1, True), (4, "down", 100, "1420", 1, True),
    (4, "up", 1000, "1420", 1, True), (4, "down", 1000, "1420", 1, True),
    (5, "up", 100, "64", 1, False), (5, "down", 100, "64", 1, False),
    (5, "up", 100, "imix", 1, False), (5, "down", 100, "imix", 1, False),
]


class Bench:
    def __init__(self, build, quick):
        self.build, self.quick = os.path.abspath(build), quick
        self.out = f"{self.build}/bench"
        os.makedirs(self.out, exist_ok=True)
        self.private_key = sh("wg", "genkey").strip()
        self.public_key = sh("wg", "pubkey", input=self.private_key).strip()
        self.client_keys = sh(f"{self.build}/tests/bench/generator", "keys", "0",
                              str(CLIENTS)).split()
        self.pairs = 1 if quick else 7
        self.count = 150000 if quick else 400000
        self.missing = []

    def say(self, text):
        print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)

    def attempt(self, what, make):
        try:
            return make()
        except (BenchError, OSError, ValueError) as error:
            self.missing.append(f"{what}: {str(error).splitlines()[-1][-200:]}")
            self.say(f"left out: {self.missing[-1]}")
            return None

    def once(self, gateway, point):
        _, way, clients, size, burst, _ = point
        if not gateway.public_key:
            way = "plain"
        figures = gateway.run(way, clients, size, burst, self.count)
        if not figures["delivered"]:
            raise BenchError(f"{gateway.name}: no packet came through")
        # What a core could do if it had nothing else: independent of who else uses the machine.
        figures["mpps_core"] = 1e3 / figures["gateway_cpu_ns"]
        return figures

    def program(self, name):
        """The figures of a program that measures by itself."""
        path = f"{self.out}/{name}.json"
        sh(f"{self.build}/tests/bench/{name}", "-j", path, *(["-q"] if self.quick else []))
        with open(path) as f:
            return json.load(f)

    def pair(self, point, a, b):
        """A-B-B-A, as often as asked for; the ratio of each round counts."""
        runs, ratios = {a.name: [], b.name: []}, []
        for _ in range(self.pairs):
            done = [self.once(g, point) for g in (a, b, b, a)]
            runs[a.name] += [done[0], done[3]]
            runs[b.name] += [done[1], done[2]]
            ratios.append((done[0]["mpps_core"] + done[3]["mpps_core"]) /
                          (done[1]["mpps_core"] + done[2]["mpps_core"]))
        return runs, ratios

    def point(self, point, ours, others):
        row, way, clients, size, burst, offload = point
        result = {"row": row, "way": way, "clients": clients, "bytes": size, "burst": burst,
                  "offload": offload, "gateways": {}, "ratios": {}}
        for other in others:
            done = self.attempt(f"row {row} {way} {other.name}",
                                lambda: self.pair(point, ours, other))
            if not done:
                continue
            for name, runs in done[0].items():
                result["gateways"].setdefault(name, []).extend(runs)
            result["ratios"][other.name] = done[1]
            self.say(f"row {row} {way:4} {clients:5} clients {size:>4} B: {statistics.median(done[1]):.2f}x "
                     f"{other.name}")
        return result

    def compare(self, row, title, unit, ours, others, measure):
        """A point of any kind: what measure says of each gateway, in pairs A-B-B-A; more is better."""
        point = {"row": row, "title": title, "unit": unit, "values": {}, "ratios": {}}
        for other in others:
            if not other:
                continue
            done = self.attempt(f"row {row} {title}, {other.name}",
                                lambda: self.rounds(measure, ours, other))
            if not done:
                continue
            a, b, ratios = done
            point["values"].setdefault(ours.name, []).extend(a)
            point["values"][other.name] = b
            point["ratios"][other.name] = ratios
            self.say(f"row {row} {title}: {statistics.median(a):.3f} {unit}, "
                     f"{statistics.median(ratios):.2f}x {other.name}")
        return point

    def rounds(self, measure, a, b):
        mine, theirs, ratios = [], [], []
        for _ in range(self.pairs):
            done = [measure(g) for g in (a, b, b, a)]
            mine += [done[0], done[3]]
            theirs += [done[1], done[2]]
            ratios.append((done[0] + done[3]) / (done[1] + done[2]))
        return mine, theirs, ratios

    def offload_rows(self, offload, classes):
        gateways = [self.attempt(c.name, lambda c=c: c(self, offload)) for c in classes]
        try:
            ours, others = gateways[0], [g for g in gateways[1:] if g]
            if not ours:
                raise BenchError("the gateway itself did not come up")
            return [self.point(p, ours, others) for p in POINTS
                    if p[5] == offload and not (self.quick and p[2] == CLIENTS)]
        finally:
            for g in gateways:
                if g:
                    g.close()

    def run(self):
        results = {"quick": self.quick, "pairs": self.pairs, "kernel": os.uname().release,
                   "load_before": os.getloadavg()[0], "engine": self.program("engine"),
                   "decisions": self.program("decide"), "points": [], "rows": []}
        newest = self.attempt("wireguard-go, newest",
                              lambda: lab.newest_wireguard_go(f"{self.out}/sid"))
        peers = [newest or lab.WireguardGo]
        if newest and not self.quick:
            peers.append(lab.WireguardGo)
        limits = [lab.Raw, lab.Kernel]
        for offload in (True, False):
            results["points"] += self.offload_rows(
                offload, [lab.Sallyport, *peers, *limits, *([] if self.quick else [Again])])
        for rows in (plain.rows(self), tunnel.rows(self, peers[0]), tcp.rows(self, peers[0]),
                     scale.rows(self)):
            try:
                results["rows"] += rows
            except (BenchError, OSError, ValueError) as error:
                self.missing.append(str(error).splitlines()[-1][-200:])
        results["missing"] = self.missing
        results["load_after"] = os.getloadavg()[0]
        with open(f"{self.out}/result.json", "w") as f:
            json.dump(results, f, indent=1)
        write_markdown(results, f"{self.out}/result.md")
        write_svg(results, f"{self.out}/result.svg")
        with open(f"{self.out}/result.md") as f:
            print(f.read())
        return results


class Again(lab.Sallyport):
    """The gateway against itself: what two equal things differ by here."""

    name, short = "itself", "a"


def main():
    if os.geteuid() != 0:
        sys.exit("bench: needs root: network namespaces and BPF")
    bench = Bench(sys.argv[1], "quick" in sys.argv[2:])
    with tempfile.TemporaryDirectory(prefix="sallyport-bench.") as bench.dir:
        results = bench.run()
    if "baseline" in sys.argv[2:]:
        gate.renew(results)
    elif not gate.holds(results):
        sys.exit(1)


main()

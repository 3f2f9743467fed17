# SPDX-License-Identifier: Apache-2.0
"""The regression gate: ratios of this run against the committed ones in baseline.json.

A ratio says how many times as much the gateway does as its peer, or its limit, in the same run: it
survives another machine as a figure in nanoseconds does not. A row is lost when its ratio falls
below the baseline's by more than its tolerance; what one of the two runs lacks is named, not judged.
"""
import json
import os
from statistics import median

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "baseline.json")
# Parts of the baseline that may be missing. Rows whose peer is disturbed most easily get more.
TOLERANCE = {"engine": 0.15, "decisions": 0.40, 3: 0.50, 4: 0.30, 5: 0.30, 8: 0.70, 9: 0.40, 10: 0.35,
             11: 0.40, 12: 0.35, 14: 0.25}


def ratios(results):
    """{name: (group of the tolerance, ratio)}; more is better."""
    found = {}
    for e in results["engine"]:
        found[f"engine {e['way']} {e['bytes']} B, {e['clients']} clients: AEAD/engine"] = (
            "engine", e["aead_ticks"] / e["engine_ticks"])
    first = results["decisions"][0]["ticks"]
    for d in results["decisions"][1:]:
        found[f"decision, {d['policy']}"] = ("decisions", first / d["ticks"])
    for p in results["points"]:
        for other, list_ in p["ratios"].items():
            name = f"row {p['row']} {p['way']}, {p['clients']} clients, {p['bytes']} B / {family(other)}"
            found[name] = (p["row"], median(list_))
    for p in results["rows"]:
        for other, list_ in p["ratios"].items():
            if p["row"] in TOLERANCE and not p.get("varies"):
                found[f"row {p['row']} {p['title']} / {family(other)}"] = (p["row"], median(list_))
    return found


def family(name):
    """The newest wireguard-go stands for both: which one can be had differs."""
    return name.split(",")[0]


def renew(results):
    keep = {name: round(ratio, 3) for name, (_, ratio) in sorted(ratios(results).items())}
    with open(PATH, "w") as f:
        json.dump({"quick": results["quick"], "kernel": results["kernel"], "ratios": keep}, f, indent=1)
        f.write("\n")
    print(f"baseline: {len(keep)} ratios written to {PATH}")


def holds(results):
    """Says what was lost; True when nothing was."""
    if not os.path.exists(PATH):
        print("gate: there is no baseline; make bench-baseline makes one")
        return True
    with open(PATH) as f:
        base = json.load(f)["ratios"]
    now, lost = ratios(results), 0
    for name, ratio in base.items():
        if name not in now:
            print(f"gate: not in this run: {name}")
            continue
        group, got = now[name]
        if got < ratio * (1 - TOLERANCE[group]):
            lost += 1
            print(f"gate: LOST: {name}: {got:.2f}, the baseline is {ratio:.2f}, "
                  f"{TOLERANCE[group]:.0%} less is allowed")
    for name in now.keys() - base.keys():
        print(f"gate: not in the baseline: {name}")
    print(f"gate: {len(base)} ratios, {lost} lost")
    return lost == 0

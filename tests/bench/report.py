# SPDX-License-Identifier: Apache-2.0
"""The figures of a bench as a table and as a picture."""
from statistics import median

COLOURS = ["#1b6ca8", "#d1495b", "#edae49", "#66a182", "#8d96a3", "#6d597a"]


def spread(values, digits=2):
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def label(p):
    return (f"row {p['row']}: {p['way']}, {p['clients']} client{'s' * (p['clients'] > 1)}, "
            f"{p['bytes']} B, bursts of {p['burst']}, offload {'on' if p['offload'] else 'off'}")


# What the rows must reach, as docs/performance.md tells them.
GOALS = {6: "2 KB a session, 256 B a flow; the loop never held for 10 ms", 7: "the client's core is the limit, the gateway's below 60 % busy", 8: "no more than wireguard-go",
         9: "7,000/s a core; in the flood 99 % answered, data loss below 0.1 %",
         10: "0.7x of a bare redirect, 5x kernel + nft",
         11: "0.2 M/s in tunnels, 0.5 M/s plain", 12: "0.7x of a bare drop", 14: "0.95x"}


def row_lines(p):
    lines = ["", f"## Row {p['row']}: {p['title']}", "", f"Goal: {GOALS[p['row']]}.", "",
             f"| gateway | {p['unit']} | sallyport is |", "|---|---|---|"]
    for name, values in p["values"].items():
        ratio = p["ratios"].get(name)
        lines.append(f"| {name} | {spread(values, 3)} | {spread(ratio) + 'x' if ratio else ''} |")
    for name, runs in p.get("detail", {}).items():
        keys = sorted(runs[0])
        lines += ["", f"{name}: " + ", ".join(
            f"{k} {median(r[k] for r in runs):.4g}" for k in keys) + "."]
    return lines


def decision_lines(decisions):
    lines = ["", "## Row 13: a decision as rules grow", "", "Goal: within 1.5x. Ticks of a walk of the image, "
             "1,024 hosts in use.", "", "| policy | nodes | ticks | times |", "|---|---|---|---|"]
    for d in decisions:
        lines.append(f"| {d['policy']} | {d['nodes']} | {d['ticks']:.0f} | "
                     f"{d['ticks'] / decisions[0]['ticks']:.2f} |")
    return lines


def write_markdown(results, path):
    lines = ["# Benchmark", "",
             f"Kernel {results['kernel']}; {results['pairs']} round(s) of A-B-B-A; load average "
             f"{results['load_before']:.1f} before, {results['load_after']:.1f} after. "
             "Median (least-most). Ratios carry over to other machines, absolutes do not.", "",
             "## The engine alone (rows 1, 2, 6)", "",
             "Ticks a packet, batches of 64, warm; AEAD is the bare loop over the same packets.", "",
             "| way | bytes | clients | engine | AEAD | more |", "|---|---|---|---|---|---|"]
    for e in results["engine"]:
        lines.append(f"| {e['way']} | {e['bytes']} | {e['clients']} | {e['engine_ticks']:.0f} | "
                     f"{e['aead_ticks']:.0f} | {e['engine_ticks'] - e['aead_ticks']:.0f} |")
    for p in results["points"]:
        lines += ["", f"## {label(p)[0].upper()}{label(p)[1:]}", "",
                  "| gateway | Mpps a core | CPU ns a packet | Mpps delivered | of what was offered | "
                  "segments a buffer | sallyport is |", "|---|---|---|---|---|---|---|"]
        for name, runs in p["gateways"].items():
            ratio = p["ratios"].get(name)
            lines.append(
                f"| {name} | {spread([r['mpps_core'] for r in runs])} | "
                f"{spread([r['gateway_cpu_ns'] for r in runs], 0)} | "
                f"{spread([r['delivered_pps'] / 1e6 for r in runs])} | "
                f"{spread([r['offered_pps'] / 1e6 for r in runs])} | "
                f"{spread([r['delivered'] / max(r['buffers'], 1) for r in runs], 1)} | "
                f"{spread(ratio) + 'x' if ratio else ''} |")
    for p in results["rows"]:
        lines += row_lines(p)
    lines += decision_lines(results["decisions"])
    if results["missing"]:
        lines += ["", "## Left out", ""] + [f"- {m}" for m in results["missing"]]
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")


def row_bars(rows, y):
    """Each row on a scale of its own."""
    bars = []
    for p in rows:
        bars.append(f'<text x="10" y="{y}" font-weight="bold">row {p["row"]}: {p["title"]} ({p["unit"]})</text>')
        y += 8
        most = max([0.001] + [median(v) for v in p["values"].values()])
        for i, (name, values) in enumerate(p["values"].items()):
            width = median(values) / most * 440
            bars.append(f'<rect x="190" y="{y}" width="{width:.1f}" height="14" '
                        f'fill="{COLOURS[i % len(COLOURS)]}"/>'
                        f'<text x="184" y="{y + 11}" text-anchor="end">{name}</text>'
                        f'<text x="{196 + width:.1f}" y="{y + 11}">{median(values):.3g}</text>')
            y += 18
        y += 24
    return bars, y


def write_svg(results, path):
    bars, y, most = [], 40, 0.001
    for p in results["points"]:
        most = max([most] + [median(r["mpps_core"] for r in runs) for runs in p["gateways"].values()])
    for p in results["points"]:
        bars.append(f'<text x="10" y="{y}" font-weight="bold">{label(p)}</text>')
        y += 8
        for i, (name, runs) in enumerate(p["gateways"].items()):
            value = median(r["mpps_core"] for r in runs)
            bars.append(f'<rect x="190" y="{y}" width="{value / most * 480:.1f}" height="14" '
                        f'fill="{COLOURS[i % len(COLOURS)]}"/>'
                        f'<text x="184" y="{y + 11}" text-anchor="end">{name}</text>'
                        f'<text x="{196 + value / most * 480:.1f}" y="{y + 11}">{value:.2f}</text>')
            y += 18
        y += 24
    more, y = row_bars(results["rows"], y)
    bars += more
    with open(path, "w") as f:
        f.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{y}" '
                'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
                '<text x="10" y="14">Mpps a core (one core of CPU time, kernel work included)</text>'
                + "".join(bars) + "</svg>\n")

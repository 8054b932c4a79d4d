"""Tables of searches: for each folder that `spiq search` wrote, one line per strategy, over all seeds.

    python3 summarize.py FOLDER...

With --check SPIQ every setting is run again by `SPIQ simulate` from its file, and compared; exit code 1 if any
figure differs.
"""

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

UNITS = {
    "model": ("model_bytes", "model, KiB", 1 / 1024),
    "footprint": ("footprint_bytes", "footprint, KiB", 1 / 1024),
    "energy": ("energy_j", "energy, µJ", 1e6),
    "latency": ("latency_s", "latency, µs", 1e6),
    "power": ("power_w", "power, mW", 1e3),
}

PAPERS = {
    "qsvit": "22.75 % of memory and 21.33 % of power within 2.1 points",
    "aq4svit-greedy": "up to 82.5 % of memory within 1.5 points, 6.6 times as fast as the beam",
    "aq4svit-beam": "up to 90 % of memory within 1.5 points",
    "spikehq": "3.14 to 3.67 bits",
}


def spread(values, digits):
    low, high = min(values), max(values)
    mean = sum(values) / len(values)
    if f"{low:.{digits}f}" == f"{high:.{digits}f}":
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def table(folder):
    report = json.loads((folder / "search.json").read_text())
    problem = report["request"]["problem"]
    budgets = {name: value for name, value in problem["budgets"].items() if value not in (None, {})}
    key, name, factor = UNITS[problem["objective"]]
    runs = defaultdict(list)
    for run in report["runs"]:
        runs[run["strategy"]].append(run)
    lines = [
        f"### {folder.name}: least {problem['objective']}, budgets {budgets}, "
        f"at most {problem['max_evaluations']:.0f} evaluations",
        "",
        f"| strategy | seeds | {name} | saved % | power saved % | bits | drop, points (validation) "
        "| drop (test) | evaluations | settings | seconds | gate rejected |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for strategy, same in runs.items():
        found = [run for run in same if run["final"]]
        seeds = f"{len(found)} of {len(same)}" if len(found) < len(same) else str(len(same))
        cells = ["-"] * 6
        if found:
            values = [run["final"][key] for run in found]
            powers = [run["final"]["power_w"] for run in found]
            float_value, float_power = report["float"][key], report["float"]["power_w"]
            cells = [
                spread([factor * value for value in values], 2),
                spread([100 * (1 - value / float_value) for value in values], 1),
                spread([100 * (1 - power / float_power) for power in powers], 1),
                spread([run["final"]["average_weight_bits"] for run in found], 2),
                spread([100 * run["best"]["drop"] for run in found], 2),
                spread([100 * run["final"]["accuracy_drop"] for run in found], 2),
            ]
        gates = [f"{run['gate']['rejected']} of {run['gate']['seen']}" for run in same if run["gate"]]
        cells += [
            spread([run["evaluations"] for run in same], 1),
            spread([run["candidates"] for run in same], 0),
            spread([run["seconds"] for run in same], 0),
            gates[0] if gates else "-",
        ]
        lines.append(f"| {strategy} | {seeds} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def paper_table(folder):
    """The papers' methods beside what their papers report, for the least footprint."""
    runs = defaultdict(list)
    report = json.loads((folder / "search.json").read_text())
    for run in report["runs"]:
        if run["final"]:
            runs[run["strategy"]].append(run)
    lines = [
        "### The papers' methods here and in their papers",
        "",
        "**Not the same networks, data or machines**: the right column is ImageNet, networks of up to 55 million",
        "weights and the papers' own hardware, the others are the bundled network on Fashion-MNIST and edge-28, for",
        "the least footprint. The memory of the papers is that of weights, as is most of the model.",
        "",
        "| method | model saved % | footprint saved % | power saved % | bits | drop, points (test) | evaluations | seconds "
        "| its paper, on ImageNet |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for paper, reported in PAPERS.items():
        for strategy in (paper, f"{paper} accelerated"):
            cells = ["nothing found"] + ["-"] * 6
            if found := runs.get(strategy):
                saved = lambda key: [100 * (1 - run["final"][key] / report["float"][key]) for run in found]
                cells = [
                    spread(saved("model_bytes"), 1),
                    spread(saved("footprint_bytes"), 1),
                    spread(saved("power_w"), 1),
                    spread([run["final"]["average_weight_bits"] for run in found], 2),
                    spread([100 * run["final"]["accuracy_drop"] for run in found], 2),
                    spread([run["evaluations"] for run in found], 1),
                    spread([run["seconds"] for run in found], 0),
                ]
            lines.append(f"| {strategy} | " + " | ".join(cells) + f" | {reported} |")
    return "\n".join(lines) + "\n"


def gate_table(folders):
    """What the gate rejected, and what of it an audit found to keep the accuracy."""
    lines = [
        "### The gate of AQ4SViT (greedy, accelerated, least footprint)",
        "",
        "Every candidate that the gate rejected was run all the same (`--audit`). Slack: a candidate may drift this",
        "many times as far as the farthest that kept the accuracy.",
        "",
        "| drift | slack | candidates | rejected | falsely | false-prune rate | footprint, KiB | evaluations |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for folder in folders:
        report = json.loads((folder / "search.json").read_text())
        problem, run = report["request"]["problem"], report["runs"][0]
        gate, found = run["gate"], run["final"]
        rate = f"{100 * gate['falsely_rejected'] / gate['audited']:.0f} %" if gate["audited"] else "-"
        footprint = f"{found['footprint_bytes'] / 1024:.2f}" if found else "-"
        lines.append(
            f"| {problem['metric']} | {problem['slack']} | {gate['seen']} | {gate['rejected']} "
            f"| {gate['falsely_rejected']} | {rate} | {footprint} | {run['evaluations']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def check(folder, spiq):
    """Every setting again, from its file; the number of settings, and of those that differ."""
    report = json.loads((folder / "search.json").read_text())
    runs = [run for run in report["runs"] if run["setting_file"]]
    request = report["request"]
    with tempfile.TemporaryDirectory() as out:
        command = [spiq, "simulate", "--quiet", "--json", "--out", out, "--model", request["model"]]
        command += ["--hw", request["hardware"], "--data", request["data"]]
        for run in runs:
            command += ["--quant", str(folder / run["setting_file"])]
        if request["limit"]:
            command += ["--limit", str(request["limit"])]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    different = 0
    for theirs, run in zip(json.loads(done.stdout)["settings"], runs, strict=True):
        mine = run["final"]
        pairs = [(theirs[key], mine[key]) for key in ("accuracy", "latency_s", "power_w", "average_weight_bits")]
        pairs.append((theirs["model_bytes"], mine["model_bytes"]))
        pairs.append((theirs["footprint_bytes"]["total"], mine["footprint_bytes"]))
        if any(a != b for a, b in pairs):
            print(f"{folder / run['setting_file']}: DIFFERENT", file=sys.stderr)
            different += 1
    return len(runs), different


def main():
    arguments = sys.argv[1:]
    spiq = None
    if arguments[:1] == ["--check"]:
        spiq, arguments = arguments[1], arguments[2:]
    given = [Path(folder) for folder in arguments]
    gates = [folder for folder in given if folder.name.startswith("gate-")]
    folders = [folder for folder in given if folder not in gates]
    print("# Searches on the bundled network\n")
    print("Written by [compare.sh](compare.sh). Saved: against the float network charged as 32-bit integers.")
    print("Evaluations: images executed, in validation sets; seconds: an answer that an earlier run had asked for")
    print("counts as long as it took then. A strategy without random choices runs once for all seeds.\n")
    for folder in folders:
        print(table(folder))
    for folder in folders:
        if folder.name != "footprint":
            continue
        print(paper_table(folder))
    if gates:
        print(gate_table(gates))
    if spiq:
        counts = [check(folder, spiq) for folder in folders]
        settings, different = map(sum, zip(*counts))
        print(f"Run again from their files by `spiq simulate` on all test images: {settings} settings, of which")
        print(f"{different} give other figures than the search wrote down.")
        sys.exit(1 if different else 0)


main()

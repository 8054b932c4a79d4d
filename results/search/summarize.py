"""Tables of searches: for each folder that `spiq search` wrote, one line per strategy, over all seeds.

    python3 summarize.py FOLDER...

With --check SPIQ every setting is run again by `SPIQ simulate` from its file, and compared.
"""

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

UNITS = {
    "memory": ("memory_bytes", "memory, KiB", 1 / 1024),
    "energy": ("energy_j", "energy, µJ", 1e6),
    "latency": ("latency_s", "latency, µs", 1e6),
    "power": ("power_w", "power, mW", 1e3),
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
    budgets = {name: value for name, value in problem["budgets"].items() if value is not None}
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


def check(folder, spiq):
    """Every setting again, from its file."""
    for run in json.loads((folder / "search.json").read_text())["runs"]:
        if not run["setting_file"]:
            continue
        request = json.loads((folder / "search.json").read_text())["request"]
        with tempfile.TemporaryDirectory() as out:
            command = [spiq, "simulate", "--quiet", "--json", "--out", out, "--model", request["model"]]
            command += ["--hw", request["hardware"], "--data", request["data"]]
            command += ["--quant", str(folder / run["setting_file"])]
            if request["limit"]:
                command += ["--limit", str(request["limit"])]
            done = subprocess.run(command, capture_output=True, check=True)
        theirs, mine = json.loads(done.stdout)["settings"][0], run["final"]
        pairs = [(theirs[key], mine[key]) for key in ("accuracy", "latency_s", "power_w", "average_weight_bits")]
        pairs.append((theirs["memory_bytes"]["total"], mine["memory_bytes"]))
        same = all(a == b for a, b in pairs)
        print(f"{run['setting_file']}: {'the same' if same else 'DIFFERENT'}", file=sys.stderr)


def main():
    arguments = sys.argv[1:]
    spiq = None
    if arguments[:1] == ["--check"]:
        spiq, arguments = arguments[1], arguments[2:]
    print("# Searches on the bundled network\n")
    print("Written by [compare.sh](compare.sh). Saved: against the float network charged as 32-bit integers.")
    print("Evaluations: images executed, in validation sets; seconds: an answer that an earlier run had asked for")
    print("counts as long as it took then. A strategy without random choices runs once for all seeds.\n")
    for folder in map(Path, arguments):
        print(table(folder))
        if spiq:
            check(folder, spiq)
    print("The papers report, on ImageNet and networks of their own, so not to be compared line by line: QSViT")
    print("22.75 % of memory and 21.33 % of power saved within 2.1 points; AQ4SViT up to 82.5 % (greedy) and 90 %")
    print("(beam) of memory within 1.5 points, greedy 6.6 times as fast; SpikeHQ 3.14 to 3.67 bits on average.")


main()

"""Bits and machine chosen together, beside one after the other, at equal numbers of executed images.

    python results/search/co_design.py --spiq target/release/spiq > results/search/co_design.md

(a) bits for the machine as it is; (b) the best machine at `w4`, then bits for it; (c) `spiq search --space`, machine and
bits together. All look at the same validation images, within the same drop of accuracy and the same area, from several
seeds. What is found is read again from its files and measured by `spiq evaluate`; figures that differ are counted.
"""

import argparse
import itertools
import json
import subprocess
import tempfile
from pathlib import Path

from against_optuna import DATA, DROP, Evaluator, shown

SPACE = "results/search/co_design.ron"
# Fewer than by default: every one of them is charged on several machines.
WIDTHS = ["--weight-bits", "6,5,4,3,2", "--power-of-two-bits", "0", "--membrane-bits", "16,8,6,4,3"]
# What is minimised, a figure of it in this unit, and the largest area, which the machine as it is may exceed.
OBJECTIVES = {
    "edap": (lambda f: f["energy_j"] * f["latency_s"] * f["area_mm2"], 1e-12, "pJs mm2", 0.4),
    "edp": (lambda f: f["energy_j"] * f["latency_s"], 1e-12, "pJs", 0.4),
    "energy": (lambda f: f["energy_j"], 1e-6, "µJ", 0.4),
}


def machines():
    """Changes that make the machines of the space, as `--set` takes them."""
    lanes = "units.lanes.layouts.*.lanes"
    for channels, weights, state, activations in itertools.product(
        [16, 32, 64, 128], range(32, 113, 16), [16, 32, 64], [32, 64]
    ):
        yield {
            f"{lanes}.OutputChannels": channels,
            f"{lanes}.Groups": channels,
            "units.vector unit.values_per_cycle": channels,
            "memories.weight SRAM.bandwidth_bits_per_cycle": 16 * channels,
            "memories.state SRAM.bandwidth_bits_per_cycle": 16 * channels,
            "memories.weight SRAM.banks": channels // 4,
            "memories.state SRAM.banks": channels // 4,
            "memories.weight SRAM.capacity_bytes": weights * 1024,
            "memories.state SRAM.capacity_bytes": state * 1024,
            "memories.activation SRAM.capacity_bytes": activations * 1024,
        }


def at_w4(spiq, data):
    """Figures of every machine at `w4`, with what `--hw` calls it."""
    found = []
    with Evaluator(spiq, ["--data", data, "--limit", "8", "--quant", "w4"]) as evaluator:
        for changes in machines():
            figures = evaluator.ask(set=changes)["figures"]
            if figures:
                found.append((figures, "edge-28" + "".join(f"+{path}={value}" for path, value in changes.items())))
    return found


def search(spiq, data, minimize, seed, evaluations, out, machine):
    command = [
        *(spiq, "search", "--quiet", "--json", "--data", data, "--minimize", minimize, "--seed", str(seed)),
        *("--max-accuracy-drop", str(DROP), "--confidence", "0"),
        *("--max-evaluations", str(evaluations), "--out", str(out), *WIDTHS, *machine),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return json.loads(done.stdout)["runs"][0] if done.returncode == 0 else None


def described(run, hw):
    """What the machine of a run has."""
    if run.get("machine"):
        parameters = run["machine"]["parameters"]
        sizes = [int(parameters[name]) if name == "lanes" else kib(parameters[name]) for name in sorted(parameters)]
        return dict(zip(sorted(parameters), sizes))
    changes = dict(change.split("=") for change in hw.split("+")[1:])
    value = lambda path, default: int(changes.get(path, default))
    return {
        "activation_sram": value("memories.activation SRAM.capacity_bytes", 65536) // 1024,
        "lanes": value("units.lanes.layouts.*.lanes.OutputChannels", 64),
        "state_sram": value("memories.state SRAM.capacity_bytes", 65536) // 1024,
        "weight_sram": value("memories.weight SRAM.capacity_bytes", 98304) // 1024,
    }


def kib(text):
    return int(text[:-3]) if text.endswith("KiB") else int(text) // 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--spiq", default="target/release/spiq")
    parser.add_argument("--evaluations", type=int, default=12)
    parser.add_argument("--images", type=int, default=750)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--objectives", nargs="+", default=["energy", "edap", "edp"])
    arguments = parser.parse_args()
    spiq = str(Path(arguments.spiq).resolve())
    folder = Path(tempfile.mkdtemp())
    data = folder / "validation.ron"
    data.write_text(DATA.format(folder=Path("data/fashion-mnist").resolve(), images=arguments.images))
    uniform = at_w4(spiq, str(data))
    print("# Machine and bits together\n")
    print("Written by [co_design.py](co_design.py): the bundled network, strategy `ilp`, the machines of")
    print(f"[co_design.ron](co_design.ron), {arguments.images} validation images, {arguments.evaluations} evaluations of these each at the most, seeds")
    print(f"{', '.join(map(str, arguments.seeds))}, at most {100 * DROP} points lost on them. Figures are means over seeds (and ranges); machines are")
    print("lanes (output channels), KiB of weights / state / activations.\n")
    differing = 0
    for minimize in arguments.objectives:
        differing += compare(arguments, spiq, str(data), folder, uniform, minimize)
    print(f"Measured again from the files that were written: {differing} figures differ.")


def compare(arguments, spiq, data, folder, uniform, minimize):
    value, unit, unit_name, area = OBJECTIVES[minimize]
    fitting = [(figures, hw) for figures, hw in uniform if figures["area_mm2"] <= area]
    best = min(fitting, key=lambda one: value(one[0]))[1]
    ways = {
        "(a) bits for `edge-28`": "edge-28",
        "(b) best machine at `w4`, then bits": best,
        "(c) machine and bits together": None,
    }
    print(f"### Least {minimize}, at most {area} mm2 but for (a)\n")
    print(f"| | {minimize}, {unit_name} | area, mm2 | drop, points | evaluations | machines |\n|---|---|---|---|---|---|")
    differing = 0
    for way, hw in ways.items():
        values, areas, drops, used, machines = [], [], [], [], []
        for seed in arguments.seeds:
            out = folder / f"{minimize}-{way[1]}-{seed}"
            flags = ["--space", SPACE] if hw is None else ["--hw", hw]
            limit = [] if hw == "edge-28" else ["--max-area", f"{area}mm2"]
            run = search(spiq, data, minimize, seed, arguments.evaluations, out, [*flags, *limit])
            if run is None:
                continue
            figures = run["best"]["measured"]["figures"]
            values.append(value(figures) / unit)
            areas.append(figures["area_mm2"])
            drops.append(100 * run["best"]["drop"])
            used.append(run["evaluations"])
            m = described(run, hw or "")
            machines.append(f"{m['lanes']}: {m['weight_sram']} / {m['state_sram']} / {m['activation_sram']}")
            differing += again(spiq, data, out, hw, figures)
        cells = [shown(values, 3), shown(areas, 3), shown(drops, 2), shown(used, 1)] if values else ["-"] * 4
        print(f"| {way} | {' | '.join(cells)} | {'; '.join(dict.fromkeys(machines)) or 'nothing found'} |", flush=True)
    print(flush=True)
    return differing


def again(spiq, data, out, hw, figures):
    """How many figures of what a search wrote differ when its files are read again."""
    machine = str(out / "machine.ron") if hw is None else hw
    command = [spiq, "evaluate", "--quiet", "--data", data, "--hw", machine, "--quant", str(out / "setting.ron")]
    measured = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)["figures"]
    names = ["energy_j", "latency_s", "area_mm2", "footprint_bytes", "model_bytes", "power_w"]
    return sum(measured[name] != figures[name] for name in names)


if __name__ == "__main__":
    main()

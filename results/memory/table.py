"""Memory of Spike-driven Transformer v2 by setting, as Markdown: what `spiq describe` says of shapes.

    python table.py SPIQ > README.table.md
"""

import json
import subprocess
import sys
from pathlib import Path

MODELS = ["sdtv2_15M", "sdtv2_15M_fused"]
STAGES = str(Path(__file__).with_name("stages.ron"))
SETTINGS = ["w16", "w8", "w6", "w5", "w4", "w3", "pot3", "w4u8", STAGES]
MIB = 2**20


def describe(spiq, model, setting):
    command = [spiq, "describe", model, "--quant", setting, "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["memory"]


def row(model, setting, memory):
    at, wide = memory["footprint_bytes"], memory["footprint_bytes_at_32_bits"]
    total, total_wide = sum(at.values()), sum(wide.values())
    cells = [model, Path(setting).stem, f"{memory['average_weight_bits']:.2f}"]
    cells += [f"{x / MIB:.2f}" for x in (at["weights"], at["membrane"], total)]
    cells += [f"{100 * (1 - at['weights'] / wide['weights']):.1f} %", f"{100 * (1 - total / total_wide):.1f} %"]
    return cells


def main():
    header = ["model", "setting", "bits per weight", "weights MiB", "membranes MiB", "all MiB"]
    header += ["weights saved", "all saved"]
    rows = [row(model, setting, describe(sys.argv[1], model, setting)) for model in MODELS for setting in SETTINGS]
    for cells in [header, ["---"] * len(header), *rows]:
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()

"""Compares every spike of every neuron layer, and the logits, with a dump of `spiq run`; or writes them.

    OMP_NUM_THREADS=1 python spikes.py MODEL.ron WEIGHTS.safetensors DIR/input.npy --compare DIR
    OMP_NUM_THREADS=1 python spikes.py MODEL.ron WEIGHTS.safetensors INPUT.npy --write DIR

Prints values compared and mismatches per layer. Exit status 1 if a value differs or a layer is missing on
either side.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open

from execution import DTYPES, add_arguments, execute

OTHER_FILES = {"input", "logits"}


def mismatches(ours, path):
    """Values compared and how many differ, or why nothing can be compared."""
    if not path.exists():
        return 0, f"{path.name} is missing"
    theirs = np.load(path)
    if theirs.shape != ours.shape:
        return 0, f"shape {list(theirs.shape)}, here {list(ours.shape)}"
    return ours.size, int(np.count_nonzero(ours != theirs))


def compare(spikes, logits, folder, exact_logits):
    """Prints a line per layer; returns the number of lines that are wrong."""
    wrong, compared, different = 0, 0, 0
    width = max(map(len, spikes))
    for name, ours in spikes.items():
        values, differing = mismatches(ours, folder / f"{name}.npy")
        print(f"{name:{width}}  {values:>12}  {differing}")
        wrong += bool(differing)
        compared += values
        different += differing if isinstance(differing, int) else 0
    for name in sorted({path.stem for path in folder.glob("*.npy")} - spikes.keys() - OTHER_FILES):
        print(f"{name:{width}}  is no neuron layer here")
        wrong += 1
    print(f"{'spikes':{width}}  {compared:>12}  {different}")
    theirs = np.load(folder / "logits.npy")
    classes = int(np.count_nonzero(logits.argmax(1) != theirs.argmax(1)))
    print(f"{'classes':{width}}  {len(logits):>12}  {classes}")
    wrong += bool(classes)
    if exact_logits:
        values, differing = mismatches(logits, folder / "logits.npy")
        print(f"{'logits':{width}}  {values:>12}  {differing}")
        wrong += bool(differing)
    return wrong


def write(spikes, logits, args):
    args.write.mkdir(parents=True, exist_ok=True)
    for name, levels in spikes.items():
        np.save(args.write / f"{name}.npy", levels)
    np.save(args.write / "logits.npy", logits)
    np.save(args.write / "input.npy", np.load(args.input))
    fired = sum(int(levels.sum(dtype=np.int64)) for levels in spikes.values())
    print(f"{fired} spikes of {len(spikes)} layers")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--dtype", choices=DTYPES, default="float64")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--compare", type=Path, metavar="DIR")
    action.add_argument("--write", type=Path, metavar="DIR")
    args = parser.parse_args()
    try:
        logits, spikes = execute(args, args.dtype, keep_spikes=True)
        if args.write:
            write(spikes, logits, args)
        else:
            with safe_open(args.weights, "np") as file:
                integers = (file.metadata() or {}).get("units") == "integers"
            sys.exit(bool(compare(spikes, logits, args.compare, integers)))
    except (KeyError, OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

"""Random networks, computed here and checked by `spiq validate`.

    OMP_NUM_THREADS=1 python fuzz.py --count 10000 --seed 1 --spiq ../../target/release/spiq

Networks are written as golden bundles, BATCH of them for one call. A bundle that is refused, or in which a value
differs, is kept under --keep and named. In every batch one bundle is written once more with one recorded integer
changed; that `spiq` finds it shows that a difference would be seen. Exit code 0 only if nothing else differs.
"""

import argparse
import collections
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import bundle
from random_networks import RandomNetwork

BATCH = 200
LARGEST = 24


def random_network(seed, number):
    """Network `number` of a run, whatever else the run holds."""
    rng = np.random.default_rng((seed, number))
    return RandomNetwork(rng).grow(int(rng.integers(2, LARGEST)))


def spoil(folder, rng):
    """Changes one recorded integer of the bundle by one, of a node that is not the input."""
    manifest = json.loads((folder / "manifest.json").read_text())
    node = manifest["nodes"][int(rng.integers(1, len(manifest["nodes"])))]
    values = node["values"]["values"]
    at = int(rng.integers(len(values)))
    values[at] = 1 - values[at] if values[at] in (0, 1) else values[at] + 1
    (folder / "manifest.json").write_text(json.dumps(manifest))


def validate(spiq, folders):
    """Whether all bundles are equal, and what was printed."""
    done = subprocess.run([spiq, "validate", *map(str, folders)], capture_output=True, text=True)
    return done.returncode == 0, done.stdout + done.stderr


class Fuzz:
    """Counts of what was compared, and the bundles that failed."""

    def __init__(self, args):
        self.args = args
        self.nodes, self.values, self.saturations = collections.Counter(), 0, 0
        self.failed, self.unseen = [], 0

    def write(self, folder, number):
        net = random_network(self.args.seed, number)
        bundle.write(folder, net.nodes, net.values, net.timesteps)
        for node in net.nodes[1:]:
            value = net.values[node["name"]]
            self.nodes[node["operation"]["type"]] += 1
            self.values += value.out.size + (0 if value.membranes is None else value.membranes.size)
            self.saturations += value.saturations

    def batch(self, numbers):
        with tempfile.TemporaryDirectory() as scratch:
            folders = [Path(scratch) / str(number) for number in numbers]
            for folder, number in zip(folders, numbers):
                self.write(folder, number)
            if not validate(self.args.spiq, folders)[0]:
                self.find(folders)
            spoiled = Path(scratch) / "spoiled"
            shutil.copytree(folders[0], spoiled)
            spoil(spoiled, np.random.default_rng(numbers[0]))
            self.unseen += validate(self.args.spiq, [spoiled])[0]

    def find(self, folders):
        for folder in folders:
            equal, text = validate(self.args.spiq, [folder])
            if not equal:
                kept = self.args.keep / f"{self.args.seed}-{folder.name}"
                shutil.copytree(folder, kept, dirs_exist_ok=True)
                self.failed.append(kept)
                print(f"{kept}:\n{text}", flush=True)

    def report(self):
        by_kind = ", ".join(f"{count} {kind}" for kind, count in self.nodes.most_common())
        print(f"{self.args.count} networks, {sum(self.nodes.values())} layers: {by_kind}")
        print(f"{self.values} values, {self.saturations} of them clamped or wrapped")
        print(f"{len(self.failed)} networks differ, {self.unseen} changed integers not seen")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--spiq", required=True)
    parser.add_argument("--first", type=int, default=0, help="number of the first network")
    parser.add_argument("--keep", type=Path, default=Path("failed"))
    args = parser.parse_args()
    fuzz = Fuzz(args)
    numbers = range(args.first, args.first + args.count)
    for start in range(0, args.count, BATCH):
        fuzz.batch(numbers[start : start + BATCH])
    fuzz.report()
    return int(bool(fuzz.failed) or fuzz.unseen > 0 or args.count == 0)


if __name__ == "__main__":
    sys.exit(main())

"""Kills `spiq` at random instants, and checks that nothing is lost.

    python3 tests/kill.py [--spiq target/release/spiq] [--kills 100] [--seed N]

`simulate`, `run --dump` and `export` write over an earlier result: after a kill every file of it is whole, the
old one or the new one, and the next run leaves what a run that was never killed leaves, and no other file.
`search` is killed and resumed: it ends with the result of a search that was never killed.
"""

import argparse
import hashlib
import json
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODEL = """Model(
    name: "tiny",
    family: SpikeDrivenV1(dim: 8, depth: 1, heads: 8, mlp_ratio: 4, pooling: (false, false, true, true)),
    input: Image(shape: (1, 28, 28), mean: [0.5], std: [0.5], bits: 8),
    timesteps: 2, classes: 10, weights: Seeded(7),
)
"""
DATA = """DataSet(name: "small", source: "a test", licence: "none", classes: 10,
    test: Idx(images: "images", labels: "labels"), validation: Idx(images: "images", labels: "labels"),
)
"""
SUBJECT = "--model tiny.ron --data data.ron"
# The result that is there, and the run over it that is killed.
OVERWRITING = {
    "simulate": [f"simulate --quiet {SUBJECT} --quant {quant} --out out" for quant in ("w8 --quant w6", "w4")],
    "run --dump": [
        f"run {SUBJECT} --quant w8 --dump out --dump-membranes",
        f"run {SUBJECT} --quant w4 --dump out",
    ],
    "export golden": [f"export golden {SUBJECT} --quant {quant} --out out" for quant in ("w8", "w4")],
    "export torch": [f"export torch {SUBJECT} --quant {quant} --out out" for quant in ("w8", "w4")],
}
SEARCH = (
    f"search --quiet {SUBJECT} --max-accuracy-drop 1 --strategy uniform,random,ilp,nsga2,aq4svit-greedy"
    " --max-evaluations 20 --out"
)


def inputs(folder, dice):
    images = [dice.randrange(256) for _ in range(4 * 28 * 28)]
    (folder / "tiny.ron").write_text(MODEL)
    (folder / "data.ron").write_text(DATA)
    (folder / "images").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 4, 28, 28) + bytes(images))
    (folder / "labels").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, 4) + bytes([1, 0, 9, 3]))


def files(folder):
    """Hashes of all results: what the program keeps for itself is hidden."""
    hashes = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and name.parts[0] != ".spiq":
            hashes[str(name)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return hashes


def left_over(folder):
    """What killed runs were writing."""
    return [str(p) for p in folder.rglob("*") if p.name.startswith((".tmp", ".spiq-", "new-"))]


class Bench:
    def __init__(self, spiq, folder):
        self.spiq, self.folder = spiq, folder

    def start(self, command):
        words = [self.spiq, *command.split()]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(words, cwd=self.folder, stdout=quiet, stderr=subprocess.PIPE, text=True)

    def run(self, command):
        started = time.monotonic()
        process = self.start(command)
        message = process.communicate()[1]
        if process.returncode != 0:
            sys.exit(f"{command}: exit {process.returncode}: {message}")
        return time.monotonic() - started

    def kill(self, command, seconds):
        """Whether the process was killed before it ended."""
        process = self.start(command)
        time.sleep(seconds)
        process.kill()
        return process.wait() == -9


def overwrite(bench, name, kills, dice):
    earlier, new = OVERWRITING[name]
    out, kept = bench.folder / "out", bench.folder / "kept"
    for folder in (out, kept):
        shutil.rmtree(folder, ignore_errors=True)
    bench.run(earlier)
    shutil.copytree(out, kept)
    old = files(out)
    seconds = bench.run(new)
    complete = files(out)
    killed = mixed = 0
    for kill in range(kills):
        shutil.rmtree(out)
        shutil.copytree(kept, out)
        killed += bench.kill(new, dice.uniform(0, 1.1 * seconds))
        now = files(out)
        for file, digest in old.items():
            whole = (digest, complete.get(file))
            # A file that the new result does not have may be gone when the new result is complete.
            if now.get(file) not in whole:
                sys.exit(f"{name}, kill {kill}: {file} is neither the old nor the new one")
        mixed += any(now.get(f) != d for f, d in old.items()) and any(now.get(f) != d for f, d in complete.items())
        bench.run(new)
        if files(out) != complete:
            sys.exit(f"{name}, kill {kill}: the next run leaves {sorted(files(out))}, not {sorted(complete)}")
        if left_over(out):
            sys.exit(f"{name}, kill {kill}: left over: {left_over(out)}")
    print(f"{name}: {kills} runs, {killed} killed before their end, {mixed} of them between two files")


def timeless(value):
    if isinstance(value, dict):
        return {key: timeless(inner) for key, inner in value.items() if key != "seconds"}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def found(folder):
    setting = (folder / "setting.ron").read_text()
    return timeless(json.loads((folder / "search.json").read_text())), setting


def search(bench, kills, dice):
    folder = bench.folder / "searched"
    seconds = bench.run(f"{SEARCH} whole")
    whole = found(bench.folder / "whole")
    killed = 0
    for kill in range(kills):
        log = folder / "log.jsonl"
        begun = log.exists() and b"\n" in log.read_bytes()
        command = f"search --quiet --resume {folder.name}" if begun else f"{SEARCH} {folder.name}"
        ended = not bench.kill(command, dice.uniform(0, seconds / 3))
        killed += not ended
        if log.exists() and b"\n" in log.read_bytes():
            shutil.rmtree(bench.folder / "copy", ignore_errors=True)
            shutil.copytree(folder, bench.folder / "copy")
            bench.run("search --quiet --resume copy")
            if found(bench.folder / "copy") != whole:
                sys.exit(f"search, kill {kill}: the resumed search found something else")
            if left_over(bench.folder / "copy"):
                sys.exit(f"search, kill {kill}: left over: {left_over(bench.folder / 'copy')}")
        if ended:
            shutil.rmtree(folder)
    print(f"search: {kills} runs, {killed} killed before their end, all resumed to the whole result")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spiq", default="target/release/spiq")
    parser.add_argument("--kills", type=int, default=100, help="in all, over all commands")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--only", help="one of the commands: " + ", ".join(["search", *OVERWRITING]))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    dice = random.Random(arguments.seed)
    names = [name for name in ["search", *OVERWRITING] if arguments.only in (None, name)]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(str(Path(arguments.spiq).resolve()), Path(folder))
        inputs(bench.folder, dice)
        for i, name in enumerate(names):
            kills = arguments.kills // len(names) + (i < arguments.kills % len(names))
            search(bench, kills, dice) if name == "search" else overwrite(bench, name, kills, dice)


if __name__ == "__main__":
    main()

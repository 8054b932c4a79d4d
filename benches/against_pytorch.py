"""Time of one image: PyTorch with SpikingJelly in float, and spiq's integers, in turns, with the ratios.

    pip install -r python/oracle/requirements.txt
    python benches/against_pytorch.py [--threads 2] [--settings w8 w4 w3 pot3] [--isa avx2] sdtv1_8-384_imagenet sdtv2_15M

The forward pass of PyTorch takes the same time whatever the weights are, which are random. Both sides run on
the same number of threads, one after the other, and the fastest of several runs counts.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python" / "oracle"))


def pytorch_seconds(name, threads, times):
    """Seconds of the fastest forward pass of batch 1."""
    import ron
    import torch
    from build import build
    from spikingjelly.clock_driven.functional import reset_net

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    description = ron.read(ROOT / "models" / f"{name}.ron")
    module = build(description)
    image = torch.rand(1, *description["input"]["shape"])
    fastest = float("inf")
    with torch.inference_mode():
        for _ in range(times):
            reset_net(module)
            start = time.perf_counter()
            module(image)
            fastest = min(fastest, time.perf_counter() - start)
    return fastest


def spiq_seconds(name, settings, threads, isa):
    """Seconds of the fastest run at each setting."""
    command = ["cargo", "bench", "--quiet", "--bench", "networks", "--", name, *settings, *isa]
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
    out = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout
    return {setting: float(seconds) for setting, seconds in re.findall(r"(\w+) ([\d.]+) s", out)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--settings", nargs="+", default=["w8", "w4", "w3", "pot3"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--isa", nargs=1, default=[], help="instruction set of spiq's integers")
    parser.add_argument("--times", type=int, default=7, help="runs of PyTorch, before and after")
    args = parser.parse_args()
    for name in args.models:
        before = pytorch_seconds(name, args.threads, args.times)
        ours = spiq_seconds(name, args.settings, args.threads, args.isa)
        theirs = min(before, pytorch_seconds(name, args.threads, args.times))
        row = [f"{s} {ours[s]:.4f} s {theirs / ours[s]:.1f}x" for s in args.settings]
        print(f"{name}: PyTorch {theirs:.4f} s, float {ours['float']:.4f} s; " + ", ".join(row), flush=True)


if __name__ == "__main__":
    main()

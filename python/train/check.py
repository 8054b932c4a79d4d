"""Compares what `spiq` computes in floating point with what training computes, on test images.

    OMP_NUM_THREADS=1 python check.py --spiq SPIQ --data FOLDER MODEL.ron ... [--weights FOLDER]

Weights are those of `NAME.safetensors` in the folder, or random ones with which every layer fires. Sums of
single precision round differently, and a potential that comes to lie on the other side of its threshold
changes the image from there on. So: exit status 1 if a spike of more than one image in twenty differs, or, of
the other images, a logit by more than 1e-5.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import fashion_mnist
import neurons  # noqa: F401  Those of this folder, before the networks ask for any.
from images import to_input
from training import rounded

sys.path.append(str(Path(__file__).resolve().parents[1] / "oracle"))
import ron  # noqa: E402
from build import build  # noqa: E402
from firing import keep  # noqa: E402
from testing import randomize  # noqa: E402

TOLERANCE = 1e-5
TURNED_IMAGES = 0.05


def weights(network, x, path):
    """State of the file at `path`, or random weights; what is returned is loaded."""
    if path:
        state = load_file(path)
    else:
        randomize(network, 1)(x)
        state = rounded(network)
    network.load_state_dict(state, strict=False)
    network.double()
    return state


@torch.no_grad()
def check(model, images, args):
    """A line about one model, and whether it is as it should be."""
    torch.manual_seed(1)
    description = ron.read(model)
    network, x = build(description), to_input(images, description)
    state = weights(network, x, args.weights and args.weights / f"{description['name']}.safetensors")
    spikes = {}
    keep(network, spikes)
    logits = network(x.double()).numpy()
    with tempfile.TemporaryDirectory() as folder:
        theirs, fired = dump(model, state, args, Path(folder))
        turned = np.zeros(len(images), bool)
        for name, (ours,) in spikes.items():
            turned |= (ours != fired(name)).any((0, 2, 3, 4))
    difference = np.abs(logits - theirs).max(1)[~turned].max(initial=0)
    classes = int((logits.argmax(1) != theirs.argmax(1)).sum())
    silent = sum(not ours.any() for (ours,) in spikes.values())
    line = (
        f"{len(images)} images, {classes} classes differ; {len(spikes)} neuron layers, {silent} silent;"
        f" {turned.sum()} images with a spike that differs; logits of the others differ by {difference:.1e}"
    )
    return line, turned.mean() <= TURNED_IMAGES and difference <= TOLERANCE


def dump(model, state, args, folder):
    """Logits of `spiq`, and a function of a neuron layer that reads its spikes."""
    save_file(state, folder / "weights.safetensors")
    files = ["--weights", folder / "weights.safetensors", "--dump", folder / "dump"]
    command = [args.spiq, "run", "--model", model, "--quant", "fp32", "--limit", str(args.limit), *files]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return np.load(folder / "dump" / "logits.npy"), lambda name: np.load(folder / "dump" / f"{name}.npy")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL.ron")
    parser.add_argument("--spiq", type=Path, required=True, help="the binary")
    parser.add_argument("--data", type=Path, required=True, help="folder of the four IDX files")
    parser.add_argument("--weights", type=Path, help="folder of trained weights")
    parser.add_argument("--limit", type=int, default=64, help="test images")
    args = parser.parse_args()
    torch.set_num_threads(1)
    images = fashion_mnist.read_idx(args.data / "t10k-images-idx3-ubyte.gz")[: args.limit]
    wrong = 0
    for model in args.models:
        line, fine = check(model, images, args)
        print(f"{model.stem}: {line}", flush=True)
        wrong += not fine
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

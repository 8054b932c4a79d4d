"""Trains networks on Fashion-MNIST or CIFAR-10, one after the other, and writes their weights.

    OMP_NUM_THREADS=1 python train.py --data FOLDER --out FOLDER MODEL.ron ...

Run again with the options it had, it continues where it was ended. Nothing is chosen on test images: the
weights are those of the last step.
"""

import argparse
import fcntl
import os
import sys
from pathlib import Path

import torch

import cifar10
import fashion_mnist
import neurons  # noqa: F401  Those of this folder, before the networks ask for any.
from training import Recipe, Training

sys.path.append(str(Path(__file__).resolve().parents[1] / "oracle"))
import ron  # noqa: E402
from build import build  # noqa: E402


SETS = {"fashion-mnist": fashion_mnist, "cifar10": cifar10}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL.ron", help="models/*.ron")
    parser.add_argument("--data", type=Path, required=True, help="folder of the images")
    parser.add_argument("--images", choices=SETS, default="fashion-mnist", help="what they are")
    parser.add_argument("--out", type=Path, required=True, help="folder of weights, logs and checkpoints")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--peak-rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--last-step", type=int, help="end there, to time a step or to try a network")
    return parser.parse_args()


def only_one(folder: Path):
    """A file with the number of this process, locked as long as it is open; ends if another has it."""
    file = open(folder / "driver.pid", "a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        sys.exit(f"{folder}: process {file.read().strip()} is training")
    file.truncate(0)
    print(os.getpid(), file=file, flush=True)
    return file


def train(path: Path, recipe: Recipe, data, shift: int, args: argparse.Namespace) -> None:
    description = ron.read(path)
    torch.manual_seed(recipe.seed)
    training = Training(build(description), description, recipe, data, shift, args.out)
    if training.path("safetensors").exists():
        print(f"{training.name} is trained", flush=True)
    else:
        training.run(args.last_step)


def main() -> None:
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    lock = only_one(args.out)
    torch.set_num_threads(1)
    recipe = Recipe(args.epochs, args.batch, args.peak_rate, args.seed)
    images = SETS[args.images]
    data = images.load(args.data)
    for path in args.models:
        train(path, recipe, data, images.SHIFT, args)
    lock.close()


if __name__ == "__main__":
    main()

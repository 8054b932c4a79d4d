"""Writes the test and validation parts of Fashion-MNIST into a folder.

    python export_data.py --data FOLDER --out ../../data/fashion-mnist
"""

import argparse
import shutil
from pathlib import Path

import fashion_mnist

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=Path, required=True)
parser.add_argument("--out", type=Path, required=True)
args = parser.parse_args()

_, (images, labels), _ = fashion_mnist.load(args.data)
for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
    shutil.copyfile(args.data / name, args.out / name)
fashion_mnist.write_idx(args.out / "validation-images-idx3-ubyte.gz", images)
fashion_mnist.write_idx(args.out / "validation-labels-idx1-ubyte.gz", labels)

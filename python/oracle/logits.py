"""Writes the float logits of a model, [B, classes].

    OMP_NUM_THREADS=1 python logits.py MODEL.ron WEIGHTS.safetensors INPUT.npy OUT.npy [--dtype float64]
"""

import argparse
from pathlib import Path

import numpy as np

from execution import DTYPES, add_arguments, execute


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("out", type=Path)
    parser.add_argument("--dtype", choices=DTYPES, default="float32")
    args = parser.parse_args()
    try:
        np.save(args.out, execute(args, args.dtype)[0])
    except (KeyError, OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

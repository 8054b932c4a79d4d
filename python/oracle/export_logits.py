"""Writes what PyTorch computes on the first test images: logits, and spikes per neuron layer.

    OMP_NUM_THREADS=1 python export_logits.py --out ../../tests/golden/sdtv1_2-64_fashion.json

Weights and images are those of the repository. tests/it/oracle_logits.rs compares the float
executor with the file.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

from execution import run

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "python" / "train"))
import fashion_mnist  # noqa: E402
from images import to_input  # noqa: E402

MODEL = "sdtv1_2-64_fashion"
IMAGES = 16


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    images = fashion_mnist.read_idx(ROOT / "data" / "fashion-mnist" / "t10k-images-idx3-ubyte.gz")[:IMAGES]
    model = ROOT / "models" / f"{MODEL}.ron"
    logits, spikes = run(model, model.with_suffix(".safetensors"), to_input(images), "float32", keep_spikes=True)
    counts = {name: int(fired.sum(dtype=np.int64)) for name, fired in spikes.items()}
    golden = {
        "script": "python/oracle/export_logits.py",
        "torch": torch.__version__,
        "model": MODEL,
        "images": f"the first {IMAGES} test images of Fashion-MNIST, one at a time",
        "spikes": counts,
    }
    # One line per image.
    rows = ",\n  ".join(json.dumps([round(x, 6) for x in row]) for row in logits.tolist())
    text = json.dumps(golden, indent=1).removesuffix("\n}")
    args.out.write_text(f'{text},\n "logits": [\n  {rows}\n ]\n}}\n')
    print(f"{sum(counts.values())} spikes of {len(counts)} layers")


if __name__ == "__main__":
    main()

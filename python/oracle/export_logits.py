"""Writes what PyTorch computes on the first test images: logits, and spikes per neuron layer.

    OMP_NUM_THREADS=1 python export_logits.py --out ../../tests/golden/sdtv1_2-64_fashion.json

Weights and images are those of the repository. tests/it/oracle_logits.rs compares the float
executor with the file.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python" / "train"))

import fashion_mnist  # noqa: E402
from sdt_v1 import Lif, SpikeDrivenTransformer  # noqa: E402
from train import to_input  # noqa: E402

MODEL = "sdtv1_2-64_fashion"
IMAGES = 16


def count_spikes(model: torch.nn.Module) -> dict[str, int]:
    """Counts, from now on, the spikes of every neuron layer that the forward pass runs."""
    counts: dict[str, int] = {}

    def hook(name):
        def add(_module, _inputs, output):
            counts[name] = counts.get(name, 0) + int(output.sum(dtype=torch.float64))

        return add

    for name, module in model.named_modules():
        if isinstance(module, Lif):
            module.register_forward_hook(hook(name))
    return counts


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    torch.set_num_threads(1)
    model = SpikeDrivenTransformer(1, 10, dim=64, depth=2)
    model.load_state_dict(load_file(ROOT / "models" / f"{MODEL}.safetensors"))
    model.eval()
    images = fashion_mnist.read_idx(ROOT / "data" / "fashion-mnist" / "t10k-images-idx3-ubyte.gz")[:IMAGES]
    counts = count_spikes(model)
    logits = torch.cat([model(to_input(images[i : i + 1])) for i in range(IMAGES)])
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

"""Golden vectors of small networks of every family: what PyTorch with SpikingJelly says.

    OMP_NUM_THREADS=1 python make_golden.py SPIQ FOLDER

For every FOLDER/<name>.ron, with the weights and images that `spiq` makes of its seed, writes
FOLDER/<name>.json: float logits and spikes per neuron layer of the checkpoint, and, for an integer setting,
the integer logits and a hash of every spike of every neuron layer. Nothing that `spiq` computed is in it.
"""

import argparse
import hashlib
import json
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

from execution import execute
from ron import read

IMAGES = 2
# Every integer is exact in float64 whatever the scales; membranes of 32 bits discard nothing.
SETTING = "w4u32"


def spiq(binary, *arguments):
    subprocess.run([binary, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def run(binary, model, quant, units, images):
    """Logits and spikes of PyTorch for what `spiq` exports at a setting."""
    with tempfile.TemporaryDirectory() as scratch:
        subject = ["--model", model, "--quant", quant, "--data", "noise"]
        spiq(binary, "export", "torch", *subject, "--units", units, "--out", scratch)
        np.save(Path(scratch, "input.npy"), images)
        weights = Path(scratch, "model.safetensors")
        files = argparse.Namespace(model=model, weights=weights, input=Path(scratch, "input.npy"))
        return execute(files, "float64", keep_spikes=True)


def integers_of(binary, model):
    """What the first layer reads of the synthetic images: pixels less their zero point, or counts."""
    with tempfile.TemporaryDirectory() as scratch:
        subject = ["--model", model, "--quant", SETTING, "--data", "noise", "--limit", IMAGES]
        spiq(binary, "run", *subject, "--dump", scratch)
        return np.load(Path(scratch, "input.npy"))


def normalized(images, description):
    """The same in real numbers."""
    source = description["input"]
    if source[""] != "Image":
        return images.astype(np.float64)
    mean, std = (np.array(source[part]).reshape(-1, 1, 1) for part in ("mean", "std"))
    pixels = images + np.rint(255 * mean)
    return (pixels / 255 - mean) / std


def digest(levels):
    """Of uint8 [T, B, C, H, W], C-contiguous."""
    return hashlib.sha256(levels.tobytes()).hexdigest()


def golden(binary, model):
    images = integers_of(binary, model)
    logits, spikes = run(binary, model, "fp32", "real", normalized(images, read(model)))
    exact, hashed = run(binary, model, SETTING, "integers", images)
    return {
        "made_by": "python/oracle/make_golden.py",
        "torch": version("torch"),
        "spikingjelly": version("spikingjelly"),
        "images": IMAGES,
        "float": {
            "logits": logits.tolist(),
            "spikes": {name: int((levels > 0).sum()) for name, levels in spikes.items()},
        },
        "integers": {
            "setting": SETTING,
            "logits": exact.astype(int).tolist(),
            "sha256": {name: digest(levels) for name, levels in hashed.items()},
        },
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spiq", type=Path)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    for model in sorted(args.folder.glob("*.ron")):
        text = json.dumps(golden(args.spiq, model), indent=1)
        model.with_suffix(".json").write_text(text + "\n")
        print(model.stem)


if __name__ == "__main__":
    main()

"""Writes the checkpoints of this folder, with the values that they should be read as.

    python make.py          (torch 2.15.0, safetensors 0.8.0; from any folder)

`expected.safetensors` holds every tensor of `NAME.pth` as single precision under `NAME/`, counters of
batches apart.
`tiny_bf16.pth` is a whole network, that of `tiny.ron`.
"""

import argparse
import sys
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
PYTHON = HERE.parents[2] / "python"
sys.path += [str(PYTHON / "train"), str(PYTHON / "oracle")]
from build import load  # noqa: E402

EXPECTED = {}


def save(name, state, wrap=lambda state: state, **options):
    weights = {key: value.detach() for key, value in state.items() if value.dtype != torch.int64}
    EXPECTED.update((f"{name}/{key}", value.float().clone().contiguous()) for key, value in weights.items())
    torch.save(wrap(state), HERE / f"{name}.pth", **options)


def base(dtype=torch.float32):
    """A convolution with its normalization: what a state dict of PyTorch looks like."""
    module = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
    torch.nn.init.uniform_(module[1].running_mean)
    return module.to(dtype).state_dict()


def parallel(state):
    return OrderedDict((f"module.{key}", value) for key, value in state.items())


def training(state):
    """What a training script leaves: data parallel names, an optimizer, flags."""
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([weight])
    weight.sum().backward()
    optimizer.step()
    flags = argparse.Namespace(lr=1e-3, seed=2**70, betas=[0.9, 0.999], output=None, distributed=True)
    return {"optimizer": optimizer.state_dict(), "args": flags, "epoch": 299, "model": parallel(state)}


def views():
    values = torch.randn(4, 6)
    return {
        "transposed": values.t(),
        "part": values[1:3, 2:5],
        "permuted": torch.randn(2, 3, 4).permute(2, 0, 1),
        "steps": values[::2, ::3],
        "one": values[3, 5],
        "empty": values[:0],
    }


def integers():
    return {
        "bytes": torch.tensor([0, 255], dtype=torch.uint8),
        "chars": torch.tensor([-128, 127], dtype=torch.int8),
        "shorts": torch.tensor([-32768, 32767], dtype=torch.int16),
        "ints": torch.tensor([-(2**31), 2**24], dtype=torch.int32),
    }


def tiny():
    model = load(HERE / "tiny.ron")
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            # Neurons fire now and then.
            torch.nn.init.constant_(module.bias, 0.5)
    return model.to(torch.bfloat16).state_dict()


def main():
    torch.manual_seed(1)
    save("f32", base())
    save("f16", base(torch.float16))
    save("bf16", base(torch.bfloat16))
    save("f64", base(torch.float64))
    save("training", base(), training)
    save("views", views())
    save("integers", integers())
    parameters = {"weight": torch.nn.Parameter(torch.randn(3)), "bias": torch.nn.Parameter(torch.randn(2))}
    save("parameters_protocol4", parameters, lambda state: {"state_dict": state}, pickle_protocol=4)
    save_file(EXPECTED, HERE / "expected.safetensors")
    torch.save(base(), HERE / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(training(tiny()), HERE / "tiny_bf16.pth")


if __name__ == "__main__":
    main()

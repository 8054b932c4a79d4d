"""Loads a safetensors file into a module; README.md says what it holds."""

import torch
from safetensors import safe_open
from torch import nn

from blocks import Grid, Lif, Mean, MultiSpike, Product

# Names of parameters that checkpoints may hold or lack and no forward pass reads.
UNREAD = ("norm1", "norm2", "norm", "pos_embed", "talking_heads", "num_batches_tracked")
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
WEIGHT_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear)


def load(model, path, dtype):
    """`model` with the weights of the file at `path`, in `dtype`, in evaluation mode.

    Raises ValueError if a tensor is missing, unknown or of another shape.
    """
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        tensors = {key: file.get_tensor(key).to(dtype) for key in file.keys() if not is_unread(key)}
    if metadata.get("norms") == "folded":
        fold(model)
    if metadata.get("units") == "integers":
        use_integers(model)
        require_quantization(model, tensors)
    model.to(dtype)
    set_quantization(model, tensors)
    set_parameters(model, tensors)
    return model.eval()


def is_unread(key):
    return any(part in UNREAD for part in key.split("."))


def fold(model):
    """Every normalization becomes the identity, every weight layer has a bias."""
    for name, module in list(model.named_modules()):
        if isinstance(module, NORMS):
            parent, _, child = name.rpartition(".")
            model.get_submodule(parent).add_module(child, nn.Identity())
        elif isinstance(module, WEIGHT_LAYERS) and module.bias is None:
            module.bias = nn.Parameter(torch.zeros(module.weight.shape[0]))


def use_integers(model):
    """Sums for means, counts for scaled products, levels for k/4: what scales them lies in thresholds."""
    for module in model.modules():
        if isinstance(module, Mean):
            module.sums = True
        elif isinstance(module, Product):
            module.scale = 1
        elif isinstance(module, MultiSpike):
            module.norm = 1


def require_quantization(model, tensors):
    """Integers mean nothing without the thresholds and grids that scale them."""
    for kind, part in (((Lif, MultiSpike), "threshold"), ((Grid,), "multiplier")):
        names = [name for name, module in model.named_modules() if isinstance(module, kind)]
        missing = [f"{name}.{part}" for name in names if f"{name}.{part}" not in tensors]
        if missing:
            raise ValueError(f"{len(missing)} tensors are missing: {missing[:3]}")


def set_quantization(model, tensors):
    """Takes thresholds and grids out of `tensors`."""
    for name, module in model.named_modules():
        if isinstance(module, (Lif, MultiSpike)) and f"{name}.threshold" in tensors:
            module.set_threshold(tensors.pop(f"{name}.threshold"))
        if isinstance(module, Grid) and f"{name}.multiplier" in tensors:
            module.multiplier = tensors.pop(f"{name}.multiplier")
            module.step = tensors.pop(f"{name}.step", torch.ones(1)).item()
            if f"{name}.limits" in tensors:
                module.limits = tuple(tensors.pop(f"{name}.limits").tolist())


def set_parameters(model, tensors):
    """Copies what is left of `tensors`; trailing dimensions of 1 may be missing."""
    expected = {key: value for key, value in model.state_dict().items() if not is_unread(key)}
    for problem, keys in (("missing", expected.keys() - tensors), ("unknown", tensors.keys() - expected)):
        if keys:
            raise ValueError(f"{len(keys)} tensors are {problem}: {sorted(keys)[:3]}")
    for key, target in expected.items():
        if squeezed(target.shape) != squeezed(tensors[key].shape):
            raise ValueError(f"{key}: {list(tensors[key].shape)} where {list(target.shape)} is expected")
        target.copy_(tensors[key].view(target.shape))


def squeezed(shape):
    """`shape` without trailing ones."""
    shape = list(shape)
    while shape and shape[-1] == 1:
        shape.pop()
    return shape

"""Bundled models, random weights and inputs for the checks."""

from pathlib import Path

import torch
from torch import nn

import ron
from build import FAMILIES

MODELS = Path(__file__).resolve().parents[2] / "models"


def descriptions():
    """Bundled descriptions of the families, by name."""
    read = {path.stem: ron.read(path) for path in sorted(MODELS.glob("*.ron"))}
    return {name: description for name, description in read.items() if description["family"][""] in FAMILIES}


def randomize(model, seed):
    """Random weights, and normalizations whose running statistics are those of the first input that comes: so
    that, unlike with PyTorch's initial values, every layer fires."""
    generator = torch.Generator().manual_seed(seed)

    def follow(norm, inputs):
        x = inputs[0]
        if x.numel() > x.shape[1] and norm.num_batches_tracked == 0:
            dims = [dim for dim in range(x.dim()) if dim != 1]
            norm.running_mean.copy_(x.mean(dims))
            norm.running_var.copy_(x.var(dims, correction=0))
            norm.num_batches_tracked += 1

    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)):
                # Inputs are sparse; a layer without a normalization behind it must fire neurons all the same.
                deviation = 4 * module.weight[0].numel() ** -0.5
                module.weight.normal_(0, deviation, generator=generator)
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.normal_(0.5, 0.5, generator=generator)
                module.register_forward_pre_hook(follow)
    return model


def random_input(description, timesteps):
    """A normalized image, or frames of event counts."""
    generator = torch.Generator().manual_seed(1)
    shape = description["input"]["shape"]
    if description["input"][""] == "Events":
        return torch.randint(0, 4, (timesteps, 1, *shape), generator=generator).float()
    return torch.randn(1, *shape, generator=generator)

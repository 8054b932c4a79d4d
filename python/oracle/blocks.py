"""Building blocks that the families share.

Every tensor is [T, B, C, H, W]; tokens are the positions H x W in row-major order. Modules that a
checkpoint knows hold its parameters under its names; joins, grids, means and products hold none and
are named as the nodes of `spiq describe`.
"""

import torch
from torch import nn

from neurons import Lif, MultiSpike


class Grid(nn.Module):
    """The identity, unless a weight file says on what grid values are rounded (see README.md)."""

    def __init__(self):
        super().__init__()
        self.multiplier, self.step, self.limits = None, 1.0, (-float("inf"), float("inf"))

    def round(self, x):
        """x in steps, halves rounded up, not yet clamped."""
        return torch.floor(x * self.multiplier.view(-1, 1, 1) + 0.5)

    def forward(self, x):
        return x if self.multiplier is None else self.round(x).clamp(*self.limits) * self.step


class Join(Grid):
    """Residual join: the branch is brought onto the grid of the stream, the sum is clamped."""

    def forward(self, stream, branch):
        if self.multiplier is None:
            return stream + branch
        return (stream / self.step + self.round(branch)).clamp(*self.limits) * self.step


class Mean(nn.Module):
    """Mean over `dims`, or the sum where weights are integers."""

    def __init__(self, *dims):
        super().__init__()
        self.dims, self.sums = dims, False

    def forward(self, x):
        return x.sum(self.dims, keepdim=True) if self.sums else x.mean(self.dims, keepdim=True)


class Product(nn.Module):
    """Attention without softmax: (q k^T) v = q (k^T v) per head, times `scale`."""

    def __init__(self, heads, scale, order):
        super().__init__()
        self.heads, self.scale = heads, scale
        self.query_key_first = {"QueryKeyFirst": True, "KeyValueFirst": False}[order]

    def forward(self, q, k, v):
        size = q.shape[3:]
        q, k, v = (split_heads(x, self.heads) for x in (q, k, v))
        product = (q @ k.mT) @ v if self.query_key_first else q @ (k.mT @ v)
        return merge_heads(product * self.scale, size)


def split_heads(x, heads):
    """[T, B, C, H, W] -> [T, B, heads, tokens, C / heads]."""
    return x.flatten(3).unflatten(2, (heads, -1)).mT


def merge_heads(x, size):
    """[T, B, heads, tokens, C / heads] -> [T, B, C, H, W]."""
    return x.mT.flatten(2, 3).unflatten(3, size)


def per_frame(layer, x):
    """A layer of images, of token sequences or of vectors, applied to every frame of [T, B, C, H, W].

    Timesteps that are views of one frame, as those of an image are until the first neuron, stay views of one.
    """
    same = x.stride(0) == 0
    frames = x[0] if same else x.flatten(0, 1)
    if isinstance(layer, nn.Linear):
        frames = layer(frames.movedim(1, -1)).movedim(-1, 1)
    elif isinstance(layer, (nn.Conv1d, nn.BatchNorm1d)):
        frames = layer(frames.flatten(2)).unflatten(2, frames.shape[2:])
    else:
        frames = layer(frames)
    return frames.expand(len(x), *frames.shape) if same else frames.unflatten(0, x.shape[:2])


class Block(nn.Module):
    """A module that names the layers its input passes through."""

    def run(self, x, *names):
        """Applies submodules in order; those of this file see all timesteps at once."""
        for name in names:
            layer = self.get_submodule(name)
            if isinstance(layer, nn.Sequential):
                x = self.run(x, *(f"{name}.{i}" for i in range(len(layer))))
            elif isinstance(layer, (Lif, MultiSpike, Grid, Mean, Block)):
                x = layer(x)
            else:
                x = per_frame(layer, x)
        return x

    def hold(self, **modules):
        """Adds submodules by name, in order."""
        for name, module in modules.items():
            self.add_module(name, module)


class Classifier(Block):
    """What all networks have in common: direct coding before, one value per class behind."""

    def __init__(self, timesteps):
        super().__init__()
        self.timesteps = timesteps

    def forward(self, x):
        """Images [B, C, H, W], shown at every timestep, or frames [T, B, C, H, W] -> [B, classes]."""
        if x.dim() == 4:
            x = x.expand(self.timesteps, *x.shape)
        return self.classify(self.features(x)).flatten(2).squeeze(0)


def conv3x3(inputs, outputs, stride=1, bias=False):
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=bias)


def max_pool():
    """The pooling of all stems."""
    return nn.MaxPool2d(3, 2, 1)


def unused_norms(block, dim):
    """Normalizations that checkpoints hold and no forward pass reads."""
    block.hold(norm1=nn.LayerNorm(dim), norm2=nn.LayerNorm(dim))

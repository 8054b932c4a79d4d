"""A Spikformer in plain PyTorch, written as its authors wrote theirs: tokens before channels, all timesteps at once."""

import torch
from torch import nn


class Lif(nn.Module):
    """H = V + (X - V) / tau, fires on H >= v_threshold, resets to v_reset or by v_threshold; [T, ...]."""

    def __init__(self, v_threshold=1.0, tau=2.0, v_reset=0.0):
        super().__init__()
        self.v_threshold, self.tau, self.v_reset, self.decay_input, self.v = v_threshold, tau, v_reset, True, 0.0

    def reset(self):
        self.v = 0.0

    def forward(self, x):
        return torch.stack([self.step(frame) for frame in x])

    def step(self, x):
        h = self.v + (x / self.tau if self.decay_input else x) - self.v / self.tau
        spikes = (h >= self.v_threshold).to(x.dtype)
        self.v = h - spikes * (h if self.v_reset == 0 else self.v_threshold)
        return spikes


class Stem(nn.Module):
    def __init__(self, inputs, dim, pooling):
        super().__init__()
        widths, self.pooling = [inputs, dim // 8, dim // 4, dim // 2, dim], pooling
        for i in range(4):
            suffix = str(i) if i else ""
            self.add_module(f"proj_conv{suffix}", nn.Conv2d(widths[i], widths[i + 1], 3, 1, 1, bias=False))
            self.add_module(f"proj_bn{suffix}", nn.BatchNorm2d(widths[i + 1]))
            self.add_module(f"proj_lif{suffix}", Lif())
        self.rpe_conv, self.rpe_bn, self.rpe_lif = nn.Conv2d(dim, dim, 3, 1, 1, bias=False), nn.BatchNorm2d(dim), Lif()
        self.maxpool = nn.MaxPool2d(3, 2, 1)

    def layer(self, x, conv, norm, lif):
        frames = norm(conv(x.flatten(0, 1)))
        return lif(frames.reshape(*x.shape[:2], *frames.shape[1:]))

    def forward(self, x):
        for i, pooled in enumerate(self.pooling):
            parts = (getattr(self, f"proj_{part}{i if i else ''}") for part in ("conv", "bn", "lif"))
            x = self.layer(x, *parts)
            if pooled:
                frames = self.maxpool(x.flatten(0, 1))
                x = frames.reshape(*x.shape[:2], *frames.shape[1:])
        x = x + self.layer(x, self.rpe_conv, self.rpe_bn, self.rpe_lif)
        return x.flatten(-2).transpose(-1, -2)  # [T, B, N, C]


class Linear(nn.Module):
    """Adds `{name}_linear`, `{name}_bn`, `{name}_lif`."""

    def hold(self, name, inputs, outputs):
        self.add_module(f"{name}_linear", nn.Linear(inputs, outputs))
        self.add_module(f"{name}_bn", nn.BatchNorm1d(outputs))
        self.add_module(f"{name}_lif", Lif())

    def layer(self, name, x):
        linear, norm, lif = (getattr(self, f"{name}_{part}") for part in ("linear", "bn", "lif"))
        y = norm(linear(x.flatten(0, 1)).transpose(-1, -2)).transpose(-1, -2)
        return lif(y.reshape(*x.shape[:3], -1))


class Attention(Linear):
    def __init__(self, dim, heads, scale):
        super().__init__()
        self.heads, self.scale = heads, scale
        for name in ("q", "k", "v", "proj"):
            self.hold(name, dim, dim)
        self.attn_lif = Lif(0.5)

    def forward(self, x):
        t, b, n, c = x.shape
        q, k, v = (
            self.layer(name, x).reshape(t, b, n, self.heads, c // self.heads).transpose(2, 3) for name in "qkv"
        )
        product = (q @ k.transpose(-2, -1)) @ v * self.scale
        return self.layer("proj", self.attn_lif(product.transpose(2, 3).reshape(t, b, n, c)))


class Mlp(Linear):
    def __init__(self, dim, hidden):
        super().__init__()
        self.hold("fc1", dim, hidden)
        self.hold("fc2", hidden, dim)

    def forward(self, x):
        return self.layer("fc2", self.layer("fc1", x))


class Block(nn.Module):
    def __init__(self, dim, heads, hidden, scale):
        super().__init__()
        self.attn, self.mlp = Attention(dim, heads, scale), Mlp(dim, hidden)

    def forward(self, x):
        x = x + self.attn(x)
        return x + self.mlp(x)


class Spikformer(nn.Module):
    def __init__(self, inputs=1, timesteps=3, classes=5, dim=24, depth=1, heads=3, mlp_ratio=2, pooling=(), scale=0.3):
        super().__init__()
        self.timesteps = timesteps
        self.patch_embed = Stem(inputs, dim, pooling)
        self.block = nn.ModuleList(Block(dim, heads, int(dim * mlp_ratio), scale) for _ in range(depth))
        self.head = nn.Linear(dim, classes)

    def forward(self, images):
        x = self.patch_embed(images.unsqueeze(0).repeat(self.timesteps, 1, 1, 1, 1))
        for block in self.block:
            x = block(x)
        return self.head(x.mean(2).mean(0))


def lively(network, images):
    """Random weights of one seed, and normalizations that follow the images, so that all neurons fire."""
    dice = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, (nn.Conv2d, nn.Linear)):
                part.weight.normal_(0, 4 * part.weight[0].numel() ** -0.5, generator=dice)
            if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
                part.weight.uniform_(0.5, 1.5, generator=dice)
                part.bias.normal_(0.5, 0.5, generator=dice)
                part.momentum = None
        network.train()(images)
    return network.eval()

"""Spike-driven Transformer v1 (Yao et al., NeurIPS 2023) in plain PyTorch.

Module names are those of the original implementation, so that a checkpoint
trained here has the same keys as a published one. Tensors are [T, B, C, H, W].
"""

import math

import torch
from torch import nn


class Lif(nn.Module):
    """LIF neuron over [T, ...]: H = V + (X - V)/2, fire on H >= threshold, hard reset to 0.

    The surrogate derivative of the step is that of the scaled arc tangent,
    1 / (1 + (pi x)^2); the reset carries no gradient.
    """

    def __init__(self, threshold=1.0):
        super().__init__()
        self.threshold = threshold

    def forward(self, x):
        membrane = torch.zeros_like(x[0], dtype=torch.float32)
        spikes = []
        for current in x.unbind(0):
            potential = 0.5 * (membrane + current)
            hard = (potential >= self.threshold).to(x.dtype)
            if self.training:
                soft = torch.atan((potential - self.threshold) * math.pi) / math.pi
                hard = hard + (soft - soft.detach()).to(x.dtype)
            spikes.append(hard)
            membrane = torch.where(potential < self.threshold, potential, 0.0)
        return torch.stack(spikes)


def per_image(x, *layers):
    """Applies stateless layers to every timestep of [T, B, ...] at once."""
    t, b = x.shape[:2]
    x = x.flatten(0, 1)
    for layer in layers:
        x = layer(x)
    return x.unflatten(0, (t, b))


class PatchEmbedding(nn.Module):
    """Four 3x3 convolution stages and a relative position convolution."""

    def __init__(self, in_channels, dim, pooling):
        super().__init__()
        widths = [in_channels, dim // 8, dim // 4, dim // 2, dim]
        self.pooling = pooling
        for stage in range(4):
            suffix = str(stage) if stage else ""
            conv = nn.Conv2d(widths[stage], widths[stage + 1], 3, 1, 1, bias=False)
            setattr(self, f"proj_conv{suffix}", conv)
            setattr(self, f"proj_bn{suffix}", nn.BatchNorm2d(widths[stage + 1]))
            setattr(self, f"proj_lif{suffix}", Lif())
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.rpe_conv = nn.Conv2d(dim, dim, 3, 1, 1, bias=False)
        self.rpe_bn = nn.BatchNorm2d(dim)

    def forward(self, image, timesteps):
        # Direct coding: every timestep sees the same image, so one convolution serves all.
        x = self.proj_bn(self.proj_conv(image))
        x = x.unsqueeze(0).expand(timesteps, *x.shape)
        x = self.proj_lif(x)
        if self.pooling[0]:
            x = per_image(x, self.pool)
        for stage in (1, 2):
            x = per_image(x, getattr(self, f"proj_conv{stage}"), getattr(self, f"proj_bn{stage}"))
            x = getattr(self, f"proj_lif{stage}")(x)
            if self.pooling[stage]:
                x = per_image(x, self.pool)
        x = per_image(x, self.proj_conv3, self.proj_bn3)
        if self.pooling[3]:
            x = per_image(x, self.pool)
        return x + per_image(self.proj_lif3(x), self.rpe_conv, self.rpe_bn)


class SpikeDrivenSelfAttention(nn.Module):
    """SDSA-1: the OR over tokens of k AND v masks q."""

    def __init__(self, dim, heads):
        super().__init__()
        self.shortcut_lif = Lif()
        for name in ("q", "k", "v"):
            setattr(self, f"{name}_conv", nn.Conv2d(dim, dim, 1, bias=False))
            setattr(self, f"{name}_bn", nn.BatchNorm2d(dim))
            setattr(self, f"{name}_lif", Lif())
        # Present in the original, never used by its forward pass.
        self.talking_heads = nn.Conv1d(heads, heads, 1, bias=False)
        self.talking_heads_lif = Lif(0.5)
        self.proj_conv = nn.Conv2d(dim, dim, 1)
        self.proj_bn = nn.BatchNorm2d(dim)

    def forward(self, x):
        s = self.shortcut_lif(x)
        q, k, v = (
            getattr(self, f"{n}_lif")(per_image(s, getattr(self, f"{n}_conv"), getattr(self, f"{n}_bn")))
            for n in ("q", "k", "v")
        )
        mask = self.talking_heads_lif((k * v).sum(dim=(-2, -1), keepdim=True))
        return x + per_image(q * mask, self.proj_conv, self.proj_bn)


class Mlp(nn.Module):
    def __init__(self, dim, ratio):
        super().__init__()
        self.fc1_lif = Lif()
        self.fc1_conv = nn.Conv2d(dim, dim * ratio, 1)
        self.fc1_bn = nn.BatchNorm2d(dim * ratio)
        self.fc2_lif = Lif()
        self.fc2_conv = nn.Conv2d(dim * ratio, dim, 1)
        self.fc2_bn = nn.BatchNorm2d(dim)

    def forward(self, x):
        hidden = per_image(self.fc1_lif(x), self.fc1_conv, self.fc1_bn)
        return x + per_image(self.fc2_lif(hidden), self.fc2_conv, self.fc2_bn)


class Block(nn.Module):
    def __init__(self, dim, heads, ratio):
        super().__init__()
        self.attn = SpikeDrivenSelfAttention(dim, heads)
        self.mlp = Mlp(dim, ratio)

    def forward(self, x):
        return self.mlp(self.attn(x))


class SpikeDrivenTransformer(nn.Module):
    def __init__(self, in_channels, classes, dim, depth, heads=8, ratio=4, pooling=(0, 0, 1, 1), timesteps=4):
        super().__init__()
        self.timesteps = timesteps
        self.patch_embed = PatchEmbedding(in_channels, dim, pooling)
        self.block = nn.ModuleList(Block(dim, heads, ratio) for _ in range(depth))
        self.head_lif = Lif()
        self.head = nn.Linear(dim, classes)

    def forward(self, image):
        """Image [B, C, H, W], normalised -> logits [B, classes]."""
        x = self.patch_embed(image, self.timesteps)
        for block in self.block:
            x = block(x)
        return self.head(self.head_lif(x.flatten(3).mean(3))).mean(0)

"""Spikformer (Zhou et al., ICLR 2023): conv-BN-LIF, spike addition, SSA."""

import torch
from torch import nn

from blocks import Block, Classifier, Lif, Mean, Product, conv3x3, max_pool, unused_norms


class Stem(Block):
    """Four 3x3 stages, some pooled, and a relative position convolution that is added."""

    def __init__(self, inputs, dim, pooling):
        super().__init__()
        self.stages = []
        widths = [inputs, dim // 8, dim // 4, dim // 2, dim]
        for i, pooled in enumerate(pooling):
            suffix = str(i) if i else ""
            names = [f"{kind}{suffix}" for kind in ("proj_conv", "proj_bn", "proj_lif")]
            layers = [conv3x3(widths[i], widths[i + 1]), nn.BatchNorm2d(widths[i + 1]), Lif()]
            if pooled:
                names.append(f"maxpool{suffix}")
                layers.append(max_pool())
            self.hold(**dict(zip(names, layers)))
            self.stages += names
        self.hold(rpe_conv=conv3x3(dim, dim), rpe_bn=nn.BatchNorm2d(dim), rpe_lif=Lif())

    def forward(self, x):
        x = self.run(x, *self.stages)
        return x + self.run(x, "rpe_conv", "rpe_bn", "rpe_lif")


class Layers(Block):
    """conv-BN-LIF layers in the classes of one data set: `q_linear` (CIFAR) or `q_conv`."""

    def __init__(self, kind):
        super().__init__()
        self.kind = {"Linear": "linear", "Conv": "conv"}[kind]

    def layer(self, name, inputs, outputs, bias, images=False):
        """Adds `{name}_conv`, `{name}_bn`, `{name}_lif`, on images or on token sequences."""
        norm = nn.BatchNorm1d(outputs)
        if self.kind == "linear":
            weights = nn.Linear(inputs, outputs)
        elif images:
            weights, norm = nn.Conv2d(inputs, outputs, 1, bias=bias), nn.BatchNorm2d(outputs)
        else:
            weights = nn.Conv1d(inputs, outputs, 1, bias=bias)
        self.hold(**{f"{name}_{self.kind}": weights, f"{name}_bn": norm, f"{name}_lif": Lif()})

    def apply_layer(self, name, x):
        return self.run(x, f"{name}_{self.kind}", f"{name}_bn", f"{name}_lif")


class Attention(Layers):
    def __init__(self, dim, heads, kind, order, scale):
        super().__init__(kind)
        for name in ("q", "k", "v"):
            self.layer(name, dim, dim, bias=False)
        self.hold(ssa=Product(heads, scale, order), attn_lif=Lif(0.5))
        self.layer("proj", dim, dim, bias=True)

    def forward(self, x):
        q, k, v = (self.apply_layer(name, x) for name in ("q", "k", "v"))
        return x + self.apply_layer("proj", self.attn_lif(self.ssa(q, k, v)))


class Mlp(Layers):
    def __init__(self, dim, ratio, kind, images):
        super().__init__(kind)
        self.layer("fc1", dim, int(dim * ratio), True, images)
        self.layer("fc2", int(dim * ratio), dim, True, images)

    def forward(self, x):
        return x + self.apply_layer("fc2", self.apply_layer("fc1", x))


class TransformerBlock(Block):
    def __init__(self, dim, attention, mlp):
        super().__init__()
        unused_norms(self, dim)
        self.hold(attn=attention, mlp=mlp)

    def forward(self, x):
        return self.run(x, "attn", "mlp")


class Spikformer(Classifier):
    def __init__(
        self,
        inputs,
        timesteps,
        classes,
        dim,
        depth,
        heads,
        mlp_ratio,
        pooling,
        layers,
        order,
        scale,
        unused_tokens=0,
    ):
        super().__init__(timesteps)
        self.patch_embed = Stem(inputs, dim, pooling)
        # The checkpoints of event cameras have an MLP on token sequences and two unused tensors.
        events = unused_tokens > 0

        def block():
            attention = Attention(dim, heads, layers, order, scale)
            return TransformerBlock(dim, attention, Mlp(dim, mlp_ratio, layers, images=not events))

        self.block = nn.ModuleList(block() for _ in range(depth))
        if events:
            self.pos_embed = nn.Parameter(torch.zeros(1, unused_tokens, dim))
            self.norm = nn.LayerNorm(dim)
        self.hold(head_mean=Mean(3, 4), head_mean_time=Mean(0), head=nn.Linear(dim, classes))

    def features(self, x):
        return self.run(x, "patch_embed", *(f"block.{i}" for i in range(len(self.block))))

    def classify(self, x):
        return self.run(x, "head_mean", "head_mean_time", "head")

"""Spikingformer (Zhou et al., 2023): LIF-conv-BN, membrane shortcuts, SSA."""

from torch import nn

from blocks import Block, Classifier, Grid, Join, Lif, Mean, Product, conv3x3, max_pool, unused_norms


class Stem(Block):
    """conv-BN, then four times LIF, pooling, conv-BN; the last result is the residual stream."""

    def __init__(self, inputs, dim, pooling, names):
        super().__init__()
        first, other, pool = {
            "Proj": ("proj_", "proj{}_", "maxpool{}"),
            "Block": ("block0_", "block{}_", "block{}_mp"),
        }[names]
        widths = [dim // 8, dim // 4, dim // 2, dim, dim]
        self.hold(**{f"{first}conv": conv3x3(inputs, widths[0]), f"{first}bn": nn.BatchNorm2d(widths[0])})
        self.order = [f"{first}conv", f"{first}bn"]
        for i, pooled in enumerate(pooling, start=1):
            prefix = other.format(i)
            layers = {f"{prefix}lif": Lif()}
            if pooled:
                layers[pool.format(i)] = max_pool()
            layers[f"{prefix}conv"] = conv3x3(widths[i - 1], widths[i])
            layers[f"{prefix}bn"] = nn.BatchNorm2d(widths[i])
            self.hold(**layers)
            self.order += layers
        self.stream = Grid()

    def forward(self, x):
        return self.run(x, *self.order, "stream")


class Attention(Block):
    def __init__(self, dim, heads, order):
        super().__init__()
        self.proj_lif = Lif()
        for name in ("q", "k", "v"):
            conv, norm = nn.Conv1d(dim, dim, 1, bias=False), nn.BatchNorm1d(dim)
            self.hold(**{f"{name}_conv": conv, f"{name}_bn": norm, f"{name}_lif": Lif()})
        self.hold(ssa=Product(heads, 0.125, order), attn_lif=Lif(0.5))
        self.hold(proj_conv=nn.Conv1d(dim, dim, 1), proj_bn=nn.BatchNorm1d(dim), add=Join())

    def forward(self, stream):
        spikes = self.proj_lif(stream)
        q, k, v = (self.run(spikes, f"{name}_conv", f"{name}_bn", f"{name}_lif") for name in ("q", "k", "v"))
        branch = self.run(self.ssa(q, k, v), "attn_lif", "proj_conv", "proj_bn")
        return self.add(stream, branch)


class Mlp(Block):
    def __init__(self, dim, ratio):
        super().__init__()
        hidden = int(dim * ratio)
        self.hold(mlp1_lif=Lif(), mlp1_conv=nn.Conv2d(dim, hidden, 1), mlp1_bn=nn.BatchNorm2d(hidden))
        self.hold(mlp2_lif=Lif(), mlp2_conv=nn.Conv2d(hidden, dim, 1), mlp2_bn=nn.BatchNorm2d(dim))
        self.add = Join()

    def forward(self, stream):
        names = ("mlp1_lif", "mlp1_conv", "mlp1_bn", "mlp2_lif", "mlp2_conv", "mlp2_bn")
        return self.add(stream, self.run(stream, *names))


class TransformerBlock(Block):
    def __init__(self, dim, heads, ratio, order):
        super().__init__()
        unused_norms(self, dim)
        self.hold(attn=Attention(dim, heads, order), mlp=Mlp(dim, ratio))

    def forward(self, stream):
        return self.run(stream, "attn", "mlp")


class Spikingformer(Classifier):
    def __init__(
        self, inputs, timesteps, classes, dim, depth, heads, mlp_ratio, pooling, stem, order
    ):
        super().__init__(timesteps)
        self.patch_embed = Stem(inputs, dim, pooling, stem)
        self.block = nn.ModuleList(TransformerBlock(dim, heads, mlp_ratio, order) for _ in range(depth))
        self.hold(head_mean=Mean(3, 4), head_mean_time=Mean(0), head=nn.Linear(dim, classes))

    def features(self, x):
        return self.run(x, "patch_embed", *(f"block.{i}" for i in range(len(self.block))))

    def classify(self, x):
        return self.run(x, "head_mean", "head_mean_time", "head")

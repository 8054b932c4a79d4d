"""Spike-driven Transformer v1 (Yao et al., NeurIPS 2023): membrane shortcuts, SDSA-1."""

from collections import OrderedDict

from torch import nn

from blocks import Block, Classifier, Grid, Join, Lif, Mean, conv3x3, max_pool, merge_heads, split_heads


class Stem(Block):
    """Four stages; the last pools before its neuron, and what it pooled is the residual stream."""

    def __init__(self, inputs, dim, pooling):
        super().__init__()
        self.stages = [[], [], [], []]
        widths = [inputs, dim // 8, dim // 4, dim // 2, dim]
        for i, pooled in enumerate(pooling):
            suffix = str(i) if i else ""
            conv, norm = conv3x3(widths[i], widths[i + 1]), nn.BatchNorm2d(widths[i + 1])
            layers = {f"proj_conv{suffix}": conv, f"proj_bn{suffix}": norm, f"proj_lif{suffix}": Lif()}
            self.hold(**layers)
            self.stages[i] += layers
            if pooled:
                self.hold(**{f"maxpool{suffix}": max_pool()})
                self.stages[i].append(f"maxpool{suffix}")
        self.stages[3].remove("proj_lif3")
        self.hold(stream=Grid(), rpe_conv=conv3x3(dim, dim), rpe_bn=nn.BatchNorm2d(dim), add=Join())

    def forward(self, x):
        stream = self.run(x, *sum(self.stages, []), "stream")
        return self.add(stream, self.run(stream, "proj_lif3", "rpe_conv", "rpe_bn"))


class Attention(Block):
    """SDSA-1: the OR over tokens of k AND v masks q.

    On event cameras (`pooled`) the original also takes the maximum over 3 x 3 neighbours four times:
    over positions of k and v, and over (token, channel within the head) of k AND v and of the result.
    """

    def __init__(self, dim, heads, pooled):
        super().__init__()
        self.heads, self.pooled = heads, pooled
        self.shortcut_lif = Lif()
        for name in ("q", "k", "v"):
            conv, norm = nn.Conv2d(dim, dim, 1, bias=False), nn.BatchNorm2d(dim)
            self.hold(**{f"{name}_conv": conv, f"{name}_bn": norm, f"{name}_lif": Lif()})
        # Held by checkpoints, never read.
        self.talking_heads = nn.Conv1d(heads, heads, 1, bias=False)
        self.talking_heads_lif = Lif(0.5)
        self.hold(proj_conv=nn.Conv2d(dim, dim, 1), proj_bn=nn.BatchNorm2d(dim), add=Join())
        if pooled:
            self.pool = nn.Sequential(OrderedDict(pool=nn.MaxPool3d((1, 3, 3), (1, 1, 1), (0, 1, 1))))

    def pool_within_heads(self, x):
        return merge_heads(self.pool(split_heads(x, self.heads)), x.shape[3:])

    def project(self, spikes, name):
        x = self.run(spikes, f"{name}_conv", f"{name}_bn", f"{name}_lif")
        return self.pool(x) if self.pooled and name != "q" else x

    def forward(self, stream):
        spikes = self.shortcut_lif(stream)
        q, k, v = (self.project(spikes, name) for name in ("q", "k", "v"))
        both = self.pool_within_heads(k * v) if self.pooled else k * v
        mask = self.talking_heads_lif(both.sum((3, 4), keepdim=True))
        masked = self.pool_within_heads(q * mask) if self.pooled else q * mask
        return self.add(stream, self.run(masked, "proj_conv", "proj_bn"))


class Mlp(Block):
    def __init__(self, dim, ratio):
        super().__init__()
        hidden = int(dim * ratio)
        self.hold(fc1_lif=Lif(), fc1_conv=nn.Conv2d(dim, hidden, 1), fc1_bn=nn.BatchNorm2d(hidden))
        self.hold(fc2_lif=Lif(), fc2_conv=nn.Conv2d(hidden, dim, 1), fc2_bn=nn.BatchNorm2d(dim), add=Join())

    def forward(self, stream):
        names = ("fc1_lif", "fc1_conv", "fc1_bn", "fc2_lif", "fc2_conv", "fc2_bn")
        return self.add(stream, self.run(stream, *names))


class TransformerBlock(Block):
    def __init__(self, dim, heads, ratio, pooled):
        super().__init__()
        self.hold(attn=Attention(dim, heads, pooled), mlp=Mlp(dim, ratio))

    def forward(self, stream):
        return self.run(stream, "attn", "mlp")


class SpikeDrivenV1(Classifier):
    def __init__(self, inputs, timesteps, classes, dim, depth, heads, mlp_ratio, pooling, pool_keys=False):
        super().__init__(timesteps)
        self.patch_embed = Stem(inputs, dim, pooling)
        self.block = nn.ModuleList(TransformerBlock(dim, heads, mlp_ratio, pool_keys) for _ in range(depth))
        self.hold(head_mean=Mean(3, 4), head_lif=Lif(), head=nn.Linear(dim, classes), logits=Mean(0))

    def features(self, x):
        return self.run(x, "patch_embed", *(f"block.{i}" for i in range(len(self.block))))

    def classify(self, x):
        return self.run(x, "head_mean", "head_lif", "head", "logits")

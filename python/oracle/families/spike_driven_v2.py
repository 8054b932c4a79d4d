"""Spike-driven Transformer v2, Meta-SpikeFormer (Yao et al., ICLR 2024): convolution blocks, SDSA-3.

Membrane shortcuts throughout; queries, keys, values and outputs of the attention are RepConv, as
checkpoints hold them before fusion.
"""

from functools import partial

from torch import nn
from torch.nn import functional

from blocks import Block, Classifier, Grid, Join, Lif, Mean, Product, conv3x3, per_frame


class Downsample(Block):
    """(LIF,) strided convolution, and a new residual stream."""

    def __init__(self, inputs, outputs, kernel, stride, first=False):
        super().__init__()
        if not first:
            self.encode_lif = Lif()
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
        self.hold(encode_conv=conv, encode_bn=nn.BatchNorm2d(outputs), stream=Grid())
        self.order = ["encode_lif"] * (not first) + ["encode_conv", "encode_bn", "stream"]

    def forward(self, stream):
        return self.run(stream, *self.order)


class SepConv(Block):
    """1x1, depthwise 7x7, 1x1; the second has no normalization and no neuron behind it."""

    def __init__(self, dim):
        super().__init__()
        wide = 2 * dim
        self.hold(lif1=Lif(), pwconv1=nn.Conv2d(dim, wide, 1, bias=False), bn1=nn.BatchNorm2d(wide))
        self.hold(lif2=Lif(), dwconv=nn.Conv2d(wide, wide, 7, 1, 3, groups=wide, bias=False))
        self.dwconv.grid = Grid()
        self.hold(pwconv2=nn.Conv2d(wide, dim, 1, bias=False), bn2=nn.BatchNorm2d(dim), add=Join())

    def forward(self, stream):
        names = ("lif1", "pwconv1", "bn1", "lif2", "dwconv", "dwconv.grid", "pwconv2", "bn2")
        return self.add(stream, self.run(stream, *names))


class ConvBlock(Block):
    """A separable convolution and a channel convolution (3x3, 3x3), each a membrane shortcut."""

    def __init__(self, dim):
        super().__init__()
        wide = 4 * dim
        self.Conv = SepConv(dim)
        self.hold(lif1=Lif(), conv1=conv3x3(dim, wide), bn1=nn.BatchNorm2d(wide))
        self.hold(lif2=Lif(), conv2=conv3x3(wide, dim), bn2=nn.BatchNorm2d(dim), add=Join())

    def forward(self, stream):
        stream = self.Conv(stream)
        return self.add(stream, self.run(stream, "lif1", "conv1", "bn1", "lif2", "conv2", "bn2"))


class NormAndPad(Block):
    """BN, then a border of what it yields for an all-zero input of the convolution before it."""

    def __init__(self, dim):
        super().__init__()
        self.hold(bn=nn.BatchNorm2d(dim), grid=Grid())

    def forward(self, x, zero):
        x = self.run(x, "bn", "grid")
        zero = self.grid(per_frame(partial(by_running_statistics, self.bn), zero))
        height, width = x.shape[3:]
        padded = zero.expand(*x.shape[:3], height + 2, width + 2).clone()
        padded[..., 1:-1, 1:-1] = x
        return padded


def by_running_statistics(norm, x):
    """A normalization as in evaluation: so the border is computed in training, too."""
    if isinstance(norm, nn.Identity):
        return x
    return functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)


class RepConv(Block):
    """1x1 and BN, depthwise 3x3 padded behind that BN, 1x1 and BN."""

    def __init__(self, dim):
        super().__init__()
        first = nn.Conv2d(dim, dim, 1, bias=False)
        depthwise = nn.Conv2d(dim, dim, 3, groups=dim, bias=False)
        depthwise.grid = Grid()
        last = nn.Sequential(depthwise, nn.Conv2d(dim, dim, 1, bias=False), nn.BatchNorm2d(dim))
        self.body = nn.Sequential(first, NormAndPad(dim), last)

    def forward(self, x):
        first = self.body[0]
        zero = x.new_zeros(first.out_channels) if first.bias is None else first.bias
        x = self.body[1](per_frame(first, x), zero.view(1, 1, -1, 1, 1))
        return self.run(x, "body.2.0", "body.2.0.grid", "body.2.1", "body.2.2")


def projection(dim, rep_conv):
    """RepConv and BN as a checkpoint holds them, or the one convolution that they are equal to."""
    if rep_conv == "Fused":
        return nn.Conv2d(dim, dim, 3, 1, 1)
    return nn.Sequential(RepConv(dim), nn.BatchNorm2d(dim))


class Attention(Block):
    def __init__(self, dim, heads, rep_conv):
        super().__init__()
        self.head_lif = Lif()
        self.hold(**{f"{name}_conv": projection(dim, rep_conv) for name in ("q", "k", "v", "proj")})
        self.hold(q_lif=Lif(), k_lif=Lif(), v_lif=Lif(), attn_lif=Lif(0.5), add=Join())
        self.sdsa = Product(heads, 0.125, "KeyValueFirst")

    def forward(self, stream):
        spikes = self.head_lif(stream)
        q, k, v = (self.run(spikes, f"{name}_conv") for name in ("q", "k", "v"))
        product = self.sdsa(self.q_lif(q), self.k_lif(k), self.v_lif(v))
        return self.add(stream, self.run(product, "attn_lif", "proj_conv"))


class Mlp(Block):
    def __init__(self, dim, ratio):
        super().__init__()
        hidden = int(dim * ratio)
        self.hold(fc1_lif=Lif(), fc1_conv=nn.Conv1d(dim, hidden, 1), fc1_bn=nn.BatchNorm1d(hidden))
        self.hold(fc2_lif=Lif(), fc2_conv=nn.Conv1d(hidden, dim, 1), fc2_bn=nn.BatchNorm1d(dim), add=Join())

    def forward(self, stream):
        names = ("fc1_lif", "fc1_conv", "fc1_bn", "fc2_lif", "fc2_conv", "fc2_bn")
        return self.add(stream, self.run(stream, *names))


class TransformerBlock(Block):
    def __init__(self, dim, heads, ratio, rep_conv):
        super().__init__()
        self.hold(attn=Attention(dim, heads, rep_conv), mlp=Mlp(dim, ratio))

    def forward(self, stream):
        return self.run(stream, "attn", "mlp")


class SpikeDrivenV2(Classifier):
    def __init__(self, inputs, timesteps, classes, dims, depths, heads, mlp_ratio, rep_conv="Unfused"):
        super().__init__(timesteps)
        e0, e1, e2, e3 = dims

        def blocks(dim, depth):
            return nn.ModuleList(TransformerBlock(dim, heads, mlp_ratio, rep_conv) for _ in range(depth))

        self.hold(
            downsample1_1=Downsample(inputs, e0 // 2, 7, 2, first=True),
            ConvBlock1_1=nn.ModuleList([ConvBlock(e0 // 2)]),
            downsample1_2=Downsample(e0 // 2, e0, 3, 2),
            ConvBlock1_2=nn.ModuleList([ConvBlock(e0)]),
            downsample2=Downsample(e0, e1, 3, 2),
            ConvBlock2_1=nn.ModuleList([ConvBlock(e1)]),
            ConvBlock2_2=nn.ModuleList([ConvBlock(e1)]),
            downsample3=Downsample(e1, e2, 3, 2),
            block3=blocks(e2, depths[0]),
            downsample4=Downsample(e2, e3, 3, 1),
            block4=blocks(e3, depths[1]),
            head_mean=Mean(3, 4),
            lif=Lif(),
            head=nn.Linear(e3, classes),
            logits=Mean(0),
        )

    def features(self, x):
        x = self.run(x, "downsample1_1", "ConvBlock1_1.0", "downsample1_2", "ConvBlock1_2.0")
        x = self.run(x, "downsample2", "ConvBlock2_1.0", "ConvBlock2_2.0", "downsample3")
        x = self.run(x, *(f"block3.{i}" for i in range(len(self.block3))), "downsample4")
        return self.run(x, *(f"block4.{i}" for i in range(len(self.block4))))

    def classify(self, x):
        return self.run(x, "head_mean", "lif", "head", "logits")

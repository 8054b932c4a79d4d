"""Spike-driven Transformer v3 (Yao et al., TPAMI 2025): integer spikes, worth k/4, and one timestep.

`spike` makes a neuron layer.
"""

from torch import nn

from blocks import Block, Classifier, Grid, Join, Mean, MultiSpike, Product, conv3x3


def conv_norm(inputs, outputs, kernel, groups=1):
    """conv-BN without a bias."""
    conv = nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class Downsample(Block):
    """(Spike,) strided convolution, and a new residual stream."""

    def __init__(self, spike, inputs, outputs, kernel, stride, first=False):
        super().__init__()
        if not first:
            self.encode_spike = spike()
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
        self.hold(encode_conv=conv, encode_bn=nn.BatchNorm2d(outputs), stream=Grid())
        self.order = ["encode_spike"] * (not first) + ["encode_conv", "encode_bn", "stream"]

    def forward(self, stream):
        return self.run(stream, *self.order)


class SepConv(Block):
    """1x1, depthwise, 1x1, each behind a spike and before a BN."""

    def __init__(self, spike, dim, kernel):
        super().__init__()
        wide = 2 * dim
        self.hold(spike1=spike(), pwconv1=conv_norm(dim, wide, 1))
        self.hold(spike2=spike(), dwconv=conv_norm(wide, wide, kernel, wide))
        self.hold(spike3=spike(), pwconv2=conv_norm(wide, dim, 1), add=Join())

    def forward(self, stream):
        names = ("spike1", "pwconv1", "spike2", "dwconv", "spike3", "pwconv2")
        return self.add(stream, self.run(stream, *names))


class ConvBlock(Block):
    """A separable convolution and a channel convolution (3x3, 3x3), each a membrane shortcut."""

    def __init__(self, spike, dim):
        super().__init__()
        wide = 4 * dim
        self.Conv = SepConv(spike, dim, 7)
        self.hold(spike1=spike(), conv1=conv3x3(dim, wide), bn1=nn.BatchNorm2d(wide))
        self.hold(spike2=spike(), conv2=conv3x3(wide, dim), bn2=nn.BatchNorm2d(dim), add=Join())

    def forward(self, stream):
        stream = self.Conv(stream)
        return self.add(stream, self.run(stream, "spike1", "conv1", "bn1", "spike2", "conv2", "bn2"))


class Attention(Block):
    """Linear attention whose values are `value_ratio` times wider than queries and keys."""

    def __init__(self, spike, dim, heads, value_ratio):
        super().__init__()
        values = dim * value_ratio
        self.hold(head_spike=spike(), q_conv=conv_norm(dim, dim, 1), k_conv=conv_norm(dim, dim, 1))
        self.hold(v_conv=conv_norm(dim, values, 1))
        self.hold(q_spike=spike(), k_spike=spike(), v_spike=spike())
        self.product = Product(heads, 2 * (dim // heads) ** -0.5, "QueryKeyFirst")
        self.hold(attn_spike=spike(), proj_conv=conv_norm(values, dim, 1), add=Join())

    def forward(self, stream):
        spikes = self.head_spike(stream)
        q, k, v = (self.run(spikes, f"{name}_conv") for name in ("q", "k", "v"))
        product = self.product(self.q_spike(q), self.k_spike(k), self.v_spike(v))
        return self.add(stream, self.run(product, "attn_spike", "proj_conv"))


class Mlp(Block):
    def __init__(self, spike, dim, ratio):
        super().__init__()
        hidden = int(dim * ratio)
        self.hold(fc1_spike=spike(), fc1_conv=nn.Conv1d(dim, hidden, 1), fc1_bn=nn.BatchNorm1d(hidden))
        self.hold(fc2_spike=spike(), fc2_conv=nn.Conv1d(hidden, dim, 1), fc2_bn=nn.BatchNorm1d(dim))
        self.add = Join()

    def forward(self, stream):
        names = ("fc1_spike", "fc1_conv", "fc1_bn", "fc2_spike", "fc2_conv", "fc2_bn")
        return self.add(stream, self.run(stream, *names))


class TransformerBlock(Block):
    def __init__(self, spike, dim, heads, ratio, value_ratio):
        super().__init__()
        attention = Attention(spike, dim, heads, value_ratio)
        self.hold(conv=SepConv(spike, dim, 3), attn=attention, mlp=Mlp(spike, dim, ratio))

    def forward(self, stream):
        return self.run(stream, "conv", "attn", "mlp")


class SpikeDrivenV3(Classifier):
    def __init__(
        self, inputs, timesteps, classes, dims, depths, heads, mlp_ratio, value_ratio, levels
    ):
        super().__init__(timesteps)
        e0, e1, e2, e3 = dims

        def spike():
            return MultiSpike(levels, norm=levels)

        def conv_block(dim):
            return nn.ModuleList([ConvBlock(spike, dim)])

        def blocks(dim, depth):
            shape = (dim, heads, mlp_ratio, value_ratio)
            return nn.ModuleList(TransformerBlock(spike, *shape) for _ in range(depth))

        self.hold(
            downsample1_1=Downsample(spike, inputs, e0 // 2, 7, 2, first=True),
            ConvBlock1_1=conv_block(e0 // 2),
            downsample1_2=Downsample(spike, e0 // 2, e0, 3, 2),
            ConvBlock1_2=conv_block(e0),
            downsample2=Downsample(spike, e0, e1, 3, 2),
            ConvBlock2_1=conv_block(e1),
            ConvBlock2_2=conv_block(e1),
            downsample3=Downsample(spike, e1, e2, 3, 2),
            block3=blocks(e2, depths[0]),
            downsample4=Downsample(spike, e2, e3, 3, 1),
            block4=blocks(e3, depths[1]),
            head_mean=Mean(3, 4),
            spike=MultiSpike(levels, norm=1),
            head=nn.Linear(e3, classes),
            logits=Mean(0),
        )

    def features(self, x):
        x = self.run(x, "downsample1_1", "ConvBlock1_1.0", "downsample1_2", "ConvBlock1_2.0")
        x = self.run(x, "downsample2", "ConvBlock2_1.0", "ConvBlock2_2.0", "downsample3")
        x = self.run(x, *(f"block3.{i}" for i in range(len(self.block3))), "downsample4")
        return self.run(x, *(f"block4.{i}" for i in range(len(self.block4))))

    def classify(self, x):
        return self.run(x, "head_mean", "spike", "head", "logits")

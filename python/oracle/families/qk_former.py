"""QKFormer (Zhou et al., NeurIPS 2024): spike addition, token attention, SSA in the last stage."""

from torch import nn

from blocks import Block, Classifier, Lif, Mean, Product, conv3x3, max_pool


class Embedding(Block):
    """conv-BN-(pooling)-LIF layers, and a strided 1x1 shortcut around the last of them."""

    def __init__(self, layers, shortcut):
        """`layers`: (name, inputs, outputs, name of the pooling or None); `shortcut`: (index of the layer
        that it starts behind, or -1 for the input, stride)."""
        super().__init__()
        self.groups = []
        for name, inputs, outputs, pool in layers:
            modules = {f"{name}_conv": conv3x3(inputs, outputs), f"{name}_bn": nn.BatchNorm2d(outputs)}
            if pool:
                modules[pool] = max_pool()
            modules[f"{name}_lif"] = Lif()
            self.hold(**modules)
            self.groups.append(list(modules))
        self.start, stride = shortcut
        inputs, outputs = layers[self.start + 1][1], layers[-1][2]
        conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.hold(proj_res_conv=conv, proj_res_bn=nn.BatchNorm2d(outputs), proj_res_lif=Lif())

    def forward(self, x):
        before, behind = self.groups[: self.start + 1], self.groups[self.start + 1 :]
        x = self.run(x, *sum(before, []))
        main = self.run(x, *sum(behind, []))
        return main + self.run(x, "proj_res_conv", "proj_res_bn", "proj_res_lif")


def first_embedding(style, inputs, dim):
    if style == "Cifar":
        layers = [("proj", inputs, dim // 8, None), ("proj1", dim // 8, dim // 4, None)]
        return Embedding(layers, (0, 1))
    if style == "ImageNet":
        layers = [
            ("proj", inputs, dim // 8, "proj_maxpool"),
            ("proj1", dim // 8, dim // 4, "proj1_maxpool"),
            ("proj2", dim // 4, dim // 4, None),
        ]
        return Embedding(layers, (0, 2))
    layers = [
        ("proj", inputs, dim // 16, None),
        ("proj1", dim // 16, dim // 8, "maxpool1"),
        ("proj2", dim // 8, dim // 4, "maxpool2"),
        ("proj3", dim // 4, dim // 2, "maxpool3"),
    ]
    return Embedding(layers, (1, 4))


def next_embedding(style, dim):
    """Halves the resolution and doubles the channels to `dim`."""
    first = "proj" if style == "Events" else "proj3"
    pools = ("proj3_maxpool", None) if style == "ImageNet" else (None, "proj4_maxpool")
    return Embedding([(first, dim // 2, dim, pools[0]), ("proj4", dim, dim, pools[1])], (-1, 2))


class Attention(Block):
    """Layers that both kinds of attention have."""

    def __init__(self, dim, names):
        super().__init__()
        for name in names:
            conv, norm = nn.Conv1d(dim, dim, 1, bias=False), nn.BatchNorm1d(dim)
            self.hold(**{f"{name}_conv": conv, f"{name}_bn": norm, f"{name}_lif": Lif()})
        self.attn_lif = Lif(0.5)
        self.hold(proj_conv=nn.Conv1d(dim, dim, 1), proj_bn=nn.BatchNorm1d(dim), proj_lif=Lif())

    def layer(self, name, x):
        return self.run(x, f"{name}_conv", f"{name}_bn", f"{name}_lif")


class TokenAttention(Attention):
    """Per token and head: keys pass if any channel of the query fires."""

    def __init__(self, dim, heads):
        super().__init__(dim, ("q", "k"))
        self.heads = heads

    def forward(self, x):
        q, k = self.layer("q", x), self.layer("k", x)
        count = q.unflatten(2, (self.heads, -1)).sum(3)
        mask = self.attn_lif(count).repeat_interleave(k.shape[2] // self.heads, 2)
        return x + self.layer("proj", k * mask)


class SelfAttention(Attention):
    """SSA. The last neuron layer of the original sees [T B, C, tokens], which mixes time and batch for more
    than one image; here every image has its own neurons."""

    def __init__(self, dim, heads):
        super().__init__(dim, ("q", "k", "v"))
        self.product = Product(heads, 0.125, "KeyValueFirst")

    def forward(self, x):
        product = self.product(*(self.layer(name, x) for name in ("q", "k", "v")))
        return x + self.layer("proj", self.attn_lif(product))


class Mlp(Block):
    def __init__(self, dim, ratio, names):
        super().__init__()
        self.order = []
        for name, inputs, outputs in zip(names, (dim, int(dim * ratio)), (int(dim * ratio), dim)):
            conv, norm = nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs)
            layers = {f"{name}_conv": conv, f"{name}_bn": norm, f"{name}_lif": Lif()}
            self.hold(**layers)
            self.order += layers

    def forward(self, x):
        return x + self.run(x, *self.order)


class TransformerBlock(Block):
    def __init__(self, attention_name, attention, mlp):
        super().__init__()
        self.order = (attention_name, "mlp")
        self.hold(**{attention_name: attention, "mlp": mlp})

    def forward(self, x):
        return self.run(x, *self.order)


class QkFormer(Classifier):
    def __init__(self, inputs, timesteps, classes, dim, depths, heads, mlp_ratio, style):
        super().__init__(timesteps)
        names = ("fc1", "fc2") if style == "ImageNet" else ("mlp1", "mlp2")
        last_name = "attn" if style == "ImageNet" else "ssa"

        def block(width, last):
            name, attention = (last_name, SelfAttention) if last else ("tssa", TokenAttention)
            return TransformerBlock(name, attention(width, heads), Mlp(width, mlp_ratio, names))

        # Channels double from stage to stage; networks for event cameras have no middle stage.
        depths = (depths[0], depths[2]) if style == "Events" else depths
        self.stages = len(depths)
        for i, depth in enumerate(depths, start=1):
            width = dim >> (self.stages - i)
            embedding = first_embedding(style, inputs, dim) if i == 1 else next_embedding(style, width)
            blocks = nn.ModuleList(block(width, last=i == self.stages) for _ in range(depth))
            self.hold(**{f"patch_embed{i}": embedding, f"stage{i}": blocks})
        self.hold(head_mean=Mean(3, 4), head_mean_time=Mean(0), head=nn.Linear(dim, classes))

    def features(self, x):
        for stage in range(1, self.stages + 1):
            blocks = range(len(self.get_submodule(f"stage{stage}")))
            x = self.run(x, f"patch_embed{stage}", *(f"stage{stage}.{i}" for i in blocks))
        return x

    def classify(self, x):
        return self.run(x, "head_mean", "head_mean_time", "head")

"""Networks of no family in plain PyTorch: membrane shortcuts, and weight layers without a neuron between them."""

from torch import nn
from torch.nn import functional

from spikformer import Lif


class Shortcuts(nn.Module):
    """A pooled stem, one branch on maps, one on tokens: images ``[B, 1, H, W]`` to logits ``[B, 5]``."""

    LAYERS = [
        {"Conv": {"name": "stem", "out_channels": 8, "kernel": 3, "pad": 1, "norms": ["stem_bn"]}},
        {"MaxPool": {"name": "stem_pool", "size": 2, "stride": 2}},
        {"Requantize": {"name": "stream", "grid": "Residual"}},
        {"Neuron": {"name": "lif1"}},
        {"Conv": {"name": "conv1", "out_channels": 8, "kernel": 3, "pad": 1, "bias": True, "norms": ["bn1"]}},
        {"Add": {"name": "add1", "inputs": ["stream", "conv1"]}},
        {"Neuron": {"name": "lif2"}},
        {"Conv": {"name": "fc2", "out_channels": 12, "kernel": 1, "norms": ["bn2"]}},
        {"Neuron": {"name": "lif3"}},
        {"Conv": {"name": "fc3", "out_channels": 8, "kernel": 1, "norms": ["bn3"]}},
        {"Add": {"name": "add2", "inputs": ["add1", "fc3"]}},
        {"MeanTokens": {"name": "tokens"}},
        {"Neuron": {"name": "lif"}},
        {"Linear": {"name": "head", "out_features": 5}},
        {"MeanTimesteps": {"name": "logits"}},
    ]

    def __init__(self, timesteps=3, neuron=Lif):
        super().__init__()
        self.timesteps = timesteps
        self.stem, self.stem_bn, self.pool = nn.Conv2d(1, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.MaxPool2d(2)
        self.conv1, self.bn1 = nn.Conv2d(8, 8, 3, 1, 1), nn.BatchNorm2d(8)
        self.fc2, self.bn2 = nn.Conv1d(8, 12, 1, bias=False), nn.BatchNorm1d(12)
        self.fc3, self.bn3 = nn.Conv1d(12, 8, 1, bias=False), nn.BatchNorm1d(8)
        self.lif1, self.lif2, self.lif3, self.lif = (neuron() for _ in range(4))
        self.head = nn.Linear(8, 5)

    def forward(self, images):
        x = self.pool(self.stem_bn(self.stem(images)))
        x = x.unsqueeze(0).repeat(self.timesteps, 1, 1, 1, 1)
        x = x + self.bn1(self.conv1(self.lif1(x).flatten(0, 1))).view(x.shape)
        hidden = self.bn2(self.fc2(self.lif2(x).flatten(0, 1).flatten(2)))
        hidden = self.lif3(hidden.unflatten(0, x.shape[:2])).flatten(0, 1)
        x = x + self.bn3(self.fc3(hidden)).view(x.shape)
        return self.head(self.lif(x.flatten(3).mean(3))).mean(0)


class Bordered(nn.Module):
    """A RepConv: 1x1 and normalization, 3x3 by channel with a border of what that yields for zeros, 1x1."""

    LAYERS = [
        {"Conv": {"name": "stem", "out_channels": 6, "kernel": 3, "stride": 2, "pad": 1, "norms": ["stem_bn"]}},
        {"Neuron": {"name": "lif1"}},
        {"Conv": {"name": "first", "out_channels": 6, "kernel": 1, "norms": ["bn"]}},
        {"Requantize": {"name": "grid1", "grid": "Activation"}},
        {"Conv": {"name": "wide", "out_channels": 6, "kernel": 3, "pad": 1, "groups": 6, "padding": "BiasOfInput"}},
        {"Requantize": {"name": "grid2", "grid": "Activation"}},
        {"Conv": {"name": "last", "out_channels": 8, "kernel": 1, "norms": ["bn1", "bn2"]}},
        {"Neuron": {"name": "lif2"}},
        {"Linear": {"name": "head", "out_features": 5, "flatten": True}},
        {"MeanTimesteps": {"name": "logits"}},
    ]

    def __init__(self, timesteps=3, neuron=Lif):
        super().__init__()
        self.timesteps = timesteps
        self.stem, self.stem_bn = nn.Conv2d(1, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6)
        self.first, self.bn = nn.Conv2d(6, 6, 1, bias=False), nn.BatchNorm2d(6)
        self.wide, self.last = nn.Conv2d(6, 6, 3, groups=6, bias=False), nn.Conv2d(6, 8, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
        self.lif1, self.lif2 = neuron(), neuron()
        self.head = nn.Linear(8 * 64, 5)

    def border(self):
        """What the normalization yields for zeros, of its parameters as they are while the module runs."""
        norm = self.bn
        return norm.bias - norm.running_mean * norm.weight / (norm.running_var + norm.eps).sqrt()

    def forward(self, images):
        x = self.stem_bn(self.stem(images)).unsqueeze(0).repeat(self.timesteps, 1, 1, 1, 1)
        x = self.bn(self.first(self.lif1(x).flatten(0, 1)))
        outside = 1 - functional.pad(x.new_ones(x.shape[2:]), (1, 1, 1, 1))
        x = functional.pad(x, (1, 1, 1, 1)) + outside * self.border().view(-1, 1, 1)
        x = self.bn2(self.bn1(self.last(self.wide(x))))
        x = self.lif2(x.unflatten(0, (self.timesteps, -1)))
        return self.head(x.flatten(2)).mean(0)

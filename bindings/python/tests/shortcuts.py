"""A network of no family with membrane shortcuts, in plain PyTorch: a pooled stem, one branch on maps, one on tokens."""

from torch import nn

from spikformer import Lif


class Shortcuts(nn.Module):
    """Images ``[B, C, H, W]`` to logits ``[B, classes]``."""

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


"""Modules that come in without a description: families at sizes of their own, and forks of them."""

import sys
from pathlib import Path

import numpy as np
import pytest

import spiq

torch = pytest.importorskip("torch")

from spikformer import Lif, Spikformer, lively  # noqa: E402

SHAPE = (1, 16, 16)


def fork(**sizes):
    images = np.random.default_rng(2).integers(0, 256, (8, *SHAPE))
    return lively(Spikformer(**sizes), torch.as_tensor(images, dtype=torch.float32) / 255)


@pytest.mark.parametrize(
    "sizes",
    [
        dict(dim=24, depth=1, heads=3, mlp_ratio=2, pooling=(True, False, True, False), scale=0.3),
        dict(dim=32, depth=2, heads=2, mlp_ratio=1, pooling=(False, True, False, True), scale=0.125),
    ],
)
def test_a_module_of_a_family_says_its_sizes(sizes):
    network = fork(**sizes)
    model = spiq.Model.from_torch(network, input_shape=SHAPE, timesteps=3)
    assert spiq.torch.verify(network, "w3u4", "noise", limit=2).equal
    same = spiq.Model.from_torch(
        network, family="Spikformer", classes=5, timesteps=3, layers="Linear", order="QueryKeyFirst", **sizes,
        input={"Image": {"shape": list(SHAPE), "mean": [0.0], "std": [1.0], "bits": 8}},
    )
    assert model.sha256 == same.sha256 and model.layers == same.layers


def test_heads_that_a_module_does_not_say_are_tried():
    network = fork(dim=24, depth=1, heads=3, mlp_ratio=2, pooling=(True, False, True, False), scale=0.3)
    attention = network.block[0].attn
    attention.split, attention.heads = attention.heads, None
    source = type(attention)

    class Silent(source):
        def forward(self, x):
            self.heads = self.split
            try:
                return super().forward(x)
            finally:
                self.heads = None

    attention.__class__ = Silent
    spiq.Model.from_torch(network, input_shape=SHAPE, timesteps=3)
    assert spiq.torch.verify(network, "w4", "noise", limit=2).equal
    with pytest.raises(spiq.Error, match="of its spikes are not those of the described network"):
        spiq.Model.from_torch(network, input_shape=SHAPE, timesteps=3, heads=4)


class Step(Lif):
    """One timestep at a time."""

    def forward(self, x):
        return self.step(x)


class Steps(torch.nn.Module):
    """Of no family: layers one behind the other, in a loop over timesteps."""

    def __init__(self, timesteps=4):
        super().__init__()
        torch.manual_seed(5)
        self.timesteps = timesteps
        self.features = torch.nn.Sequential(
            torch.nn.Conv2d(1, 6, 3, padding=1, bias=False), torch.nn.BatchNorm2d(6), Step(tau=1.5), torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(6, 8, (3, 1), stride=(1, 2), padding=(1, 0), groups=2), torch.nn.Dropout(0.1), Step(0.7),
            torch.nn.AvgPool2d(2),
        )
        self.last = torch.nn.Linear(8 * 4 * 2, 10)
        self.lif = Step(v_reset=None)
        self.out = torch.nn.Linear(10, 3)
        with torch.no_grad():
            for part in self.modules():
                if isinstance(part, (torch.nn.Conv2d, torch.nn.Linear)):
                    part.weight *= 4

    def forward(self, x):
        steps = [self.out(self.lif(self.last(self.features(x).flatten(1)))) for _ in range(self.timesteps)]
        return sum(steps) / self.timesteps


def test_layers_that_follow_each_other_need_no_description():
    network = Steps().eval()
    model = spiq.Model.from_torch(network, input_shape=SHAPE, timesteps=4)
    assert list(model.layers)[:3] == ["input", "features.0", "features.2"]
    found = spiq.torch.verify(network, "w4u6", "noise", limit=2)
    assert found.equal and all(row["values"] for row in found.layers), str(found)


class Shifted(Steps):
    """Adds something between two layers."""

    def forward(self, x):
        maps = 1.0 + self.features(x)
        return sum(self.out(self.lif(self.last(maps.flatten(1)))) for _ in range(self.timesteps))


def test_what_is_no_chain_is_named():
    network = Steps().eval()
    network.features[3] = torch.nn.LPPool2d(1, 2).eval()
    with pytest.raises(spiq.Error, match="features.3: a layer of the kind LPPool2d is not known") as caught:
        spiq.Model.from_torch(network, input_shape=SHAPE, timesteps=4)
    assert caught.value.layer == "features.3"
    with pytest.raises(spiq.Error, match="last: its input is not what a layer before it yields"):
        spiq.Model.from_torch(Shifted().eval(), input_shape=SHAPE, timesteps=4)
    network = fork(dim=24, depth=1, heads=3, mlp_ratio=2, pooling=(True, False, True, False), scale=0.3)
    with pytest.raises(spiq.Error, match="input_shape"):
        spiq.Model.from_torch(network, timesteps=3)


def oracle(description):
    """A network of python/oracle, small, if it and SpikingJelly are there."""
    pytest.importorskip("spikingjelly")
    folder = Path(__file__).resolve().parents[3] / "python" / "oracle"
    if not folder.is_dir():
        pytest.skip("python/oracle is not beside the package")
    sys.path.insert(0, str(folder))
    from build import build

    torch.manual_seed(4)
    return build(description)


IMAGE = {"Image": {"shape": [3, 32, 32], "mean": [0.0] * 3, "std": [1.0] * 3, "bits": 8}}
FAMILIES = {
    "SpikeDrivenV1": dict(dim=24, depth=1, heads=3, mlp_ratio=2, pooling=(False, True, False, True)),
    "SpikeDrivenV2": dict(dims=(8, 12, 16, 24), depths=(1, 2), heads=4, mlp_ratio=3),
    "SpikeDrivenV3": dict(dims=(8, 12, 16, 24), depths=(1, 2), heads=4, mlp_ratio=3, value_ratio=2, levels=4),
    "Spikformer": dict(
        dim=24, depth=2, heads=3, mlp_ratio=2, pooling=(True, False, False, True), layers="Conv",
        order="KeyValueFirst", scale=0.25,
    ),
    "Spikingformer": dict(
        dim=24, depth=1, heads=3, mlp_ratio=2, pooling=(False, True, True, False), stem="Block",
        order="QueryKeyFirst",
    ),
    "QkFormer": dict(dim=32, depths=(1, 1, 2), heads=4, mlp_ratio=2, style="Cifar"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_six_families_say_their_sizes(family):
    timesteps = 1 if family == "SpikeDrivenV3" else 2
    described = dict(input=IMAGE, timesteps=timesteps, classes=7)
    spelled = described | {"input": {"": "Image", **IMAGE["Image"]}}
    module = oracle({"name": "x", "family": {"": family, **FAMILIES[family]}, **spelled})
    model = spiq.Model.from_torch(module, input_shape=(3, 32, 32), timesteps=timesteps)
    expected = spiq.Model.family(family, state_dict=module.state_dict(), **described, **FAMILIES[family])
    assert model.layers == expected.layers
    assert spiq.torch.verify(module, "w4", "noise", limit=1).equal

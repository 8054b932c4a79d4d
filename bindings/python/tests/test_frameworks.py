"""Neurons of snnTorch and of SpikingJelly since 1.0, as they are in live modules."""

import numpy as np
import pytest

import spiq

torch = pytest.importorskip("torch")

INPUT = {"Image": {"shape": [1, 12, 12], "mean": [0.4], "std": [0.3], "bits": 8}}
LAYERS = [
    {"Conv": {"name": "conv", "out_channels": 6, "kernel": 3, "stride": 2, "pad": 1, "bias": True}},
    {"Neuron": {"name": "lif1"}},
    {"Conv": {"name": "deep", "out_channels": 8, "kernel": 3, "pad": 1, "bias": True}},
    {"Neuron": {"name": "lif2"}},
    {"Linear": {"name": "head", "out_features": 4, "flatten": True}},
    {"MeanTimesteps": {"name": "logits"}},
]
IMAGES = np.random.default_rng(1).integers(0, 256, (8, 1, 12, 12), dtype=np.uint8)
PIXELS = (torch.as_tensor(IMAGES, dtype=torch.float32) / 255 - 0.4) / 0.3
T = 5


class Parts(torch.nn.Module):
    def __init__(self, first, second):
        super().__init__()
        torch.manual_seed(2)
        self.conv, self.lif1 = torch.nn.Conv2d(1, 6, 3, 2, 1), first
        self.deep, self.lif2 = torch.nn.Conv2d(6, 8, 3, 1, 1), second
        self.head = torch.nn.Linear(8 * 36, 4)
        with torch.no_grad():
            self.conv.weight *= 3
            self.deep.weight *= 4
        self.eval()


class Hidden(Parts):
    """Each neuron keeps its state."""

    def forward(self, x):
        return sum(self.head(self.lif2(self.deep(self.lif1(self.conv(x)))).flatten(1)) for _ in range(T)) / T


class Handed(Parts):
    """Membranes are handed from timestep to timestep, as in the tutorials of snnTorch."""

    def forward(self, x):
        first, second, total = self.lif1.init_leaky(), self.lif2.init_leaky(), 0
        for _ in range(T):
            spikes, first = self.lif1(self.conv(x), first)
            spikes, second = self.lif2(self.deep(spikes), second)
            total = total + self.head(spikes.flatten(1))
        return total / T


class AllAtOnce(Parts):
    """Neurons that see all timesteps of a call, ``[T, B, ...]``."""

    def forward(self, x):
        x = self.conv(x).unsqueeze(0).repeat(T, 1, 1, 1, 1)
        spikes = self.lif1(x)
        x = self.deep(spikes.flatten(0, 1)).unflatten(0, spikes.shape[:2])
        return self.head(self.lif2(x).flatten(2)).mean(0)


def data():
    return spiq.Data(IMAGES, np.arange(8) % 4, validation=(255 - IMAGES, np.arange(8) % 4))


def read(network):
    return spiq.Model.from_torch(
        network, family="Layers", layers=LAYERS, input=INPUT, timesteps=T, classes=4, samples=data()
    )


def check(network, reset):
    """Every spike of the float network and of integers; training; the module is left as it was."""
    before = {name: value.clone() for name, value in network.state_dict().items()}
    model = read(network)
    assert spiq.torch.verify(network, "fp32", data()).differing == 0
    for setting in ("w8", "w3u4"):
        found = spiq.torch.verify(network, setting, data())
        assert found.equal and all(row["values"] for row in found.layers), str(found)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    spikes = [row["values"] for row in found.layers]
    assert spikes == [8 * T * 6 * 36, 8 * T * 8 * 36]
    assert model.timesteps == T
    training = spiq.torch.prepare_qat(network, "w3u4", data())
    optimizer, losses = torch.optim.Adam(network.parameters(), 5e-3), []
    network.train()
    for _ in range(4):
        reset(network)
        loss = torch.nn.functional.cross_entropy(network(PIXELS), torch.arange(8) % 4)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    network.eval()
    assert min(losses) < losses[0]
    training.finish()
    reset(network)
    found = spiq.torch.verify(network, training.setting, model=read(network))
    assert found.equal, str(found)


@pytest.mark.parametrize("kind, hidden", [(Hidden, True), (Handed, False)])
@pytest.mark.parametrize(
    "arguments",
    [
        dict(beta=0.5, reset_mechanism="zero"),
        dict(beta=0.9, reset_mechanism="zero", threshold=0.7, reset_delay=False),
        # Where a potential exceeds two thresholds, snnTorch takes the second one off in the next timestep.
        dict(beta=0.8, reset_mechanism="subtract", reset_delay=False, threshold=2.5),
        dict(beta=1.0, reset_mechanism="zero", learn_threshold=True),
        # The default: what a spike takes off comes off one timestep later.
        dict(beta=0.9),
        dict(beta=0.2, threshold=0.6),
        dict(beta=0.7, reset_mechanism="none"),
    ],
)
def test_leaky(kind, hidden, arguments):
    snntorch = pytest.importorskip("snntorch")

    def reset(network):
        network.lif1.reset_mem()
        network.lif2.reset_mem()

    check(kind(*(snntorch.Leaky(init_hidden=hidden, **arguments) for _ in range(2))), reset)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda snn: snn.Leaky(beta=torch.rand(6), init_hidden=True, reset_mechanism="zero"), "a beta of 6 values"),
        (lambda snn: snn.Synaptic(alpha=0.9, beta=0.5, init_hidden=True), "of the kind Synaptic are not built"),
        (
            lambda snn: snn.Leaky(beta=0.5, init_hidden=True, reset_mechanism="zero", graded_spikes_factor=2.0),
            "graded spikes are not built",
        ),
    ],
)
def test_neurons_of_snntorch_that_are_not_built(make, message):
    snntorch = pytest.importorskip("snntorch")
    with pytest.raises(spiq.Error, match=message) as caught:
        read(Hidden(make(snntorch), make(snntorch)))
    assert caught.value.layer == "lif1"


def test_a_membrane_from_elsewhere_is_refused():
    snntorch = pytest.importorskip("snntorch")
    network = Handed(*(snntorch.Leaky(beta=0.5, reset_mechanism="zero") for _ in range(2)))
    read(network)
    with spiq.torch.apply_to(network, "w4", data()), torch.no_grad():
        with pytest.raises(spiq.Error, match="lif1 is given a membrane that is neither zero nor"):
            network.lif1(network.conv(PIXELS), torch.ones(8, 6, 6, 6))


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize(
    "name, arguments",
    [
        ("LIFNode", dict(tau=2.0, detach_reset=True)),
        ("LIFNode", dict(tau=1.5, v_reset=None, decay_input=False)),
        ("ParametricLIFNode", dict(init_tau=1.7)),
        ("IFNode", dict(v_reset=None)),
    ],
)
def test_activation_based(mode, name, arguments):
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    from spikingjelly.activation_based import functional

    network = (Hidden if mode == "s" else AllAtOnce)(
        *(getattr(neuron, name)(step_mode=mode, **arguments) for _ in range(2))
    )
    check(network, functional.reset_net)


def test_layers_of_spikingjelly_that_take_all_timesteps():
    """Its convolutions and normalizations read ``[T, B, C, H, W]``."""
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    from spikingjelly.activation_based import functional, layer

    class Multi(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(3)
            self.conv, self.norm = layer.Conv2d(1, 6, 3, 2, 1, bias=False), layer.BatchNorm2d(6)
            self.lif1, self.deep, self.lif2 = neuron.LIFNode(), layer.Conv2d(6, 8, 3, 1, 1), neuron.LIFNode(tau=3.0)
            self.head = layer.Linear(8 * 36, 4)
            functional.set_step_mode(self, "m")
            with torch.no_grad():
                self.norm.weight *= 2
                self.deep.weight *= 4
            self.eval()

        def forward(self, x):
            x = self.lif1(self.norm(self.conv(x.unsqueeze(0).repeat(T, 1, 1, 1, 1))))
            return self.head(self.lif2(self.deep(x)).flatten(2)).mean(0)

    layers = [dict(part) for part in LAYERS]
    layers[0] = {"Conv": {k: v for k, v in layers[0]["Conv"].items() if k != "bias"} | {"norms": ["norm"]}}
    network = Multi()
    spiq.Model.from_torch(network, family="Layers", layers=layers, input=INPUT, timesteps=T, classes=4, samples=data())
    found = spiq.torch.verify(network, "w3u4", data())
    assert found.equal, str(found)
    training = spiq.torch.prepare_qat(network, "w3u4", data())
    functional.reset_net(network)
    network.train()
    torch.nn.functional.cross_entropy(network(PIXELS), torch.arange(8) % 4).backward()
    assert all(torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0 for p in network.parameters())
    network.eval()
    training.finish()
    assert spiq.torch.verify(network, training.setting).equal

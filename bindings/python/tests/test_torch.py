import copy
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spiq

torch = pytest.importorskip("torch")

from shortcuts import Shortcuts  # noqa: E402
from spikformer import Lif, Spikformer, lively  # noqa: E402

from spiq import _torch_layers, _torch_module  # noqa: E402

SIZES = dict(dim=24, depth=1, heads=3, mlp_ratio=2, pooling=(True, False, True, False), scale=0.3)
INPUT = {"Image": {"shape": [1, 16, 16], "mean": [0.4], "std": [0.3], "bits": 8}}
DESCRIBED = dict(
    family="Spikformer", input=INPUT, timesteps=3, classes=5, layers="Linear", order="QueryKeyFirst", **SIZES
)


@pytest.fixture(scope="module")
def data():
    dice = np.random.default_rng(1)
    images, seen = (dice.integers(0, 256, (n, 1, 16, 16), dtype=np.uint8) for n in (6, 12))
    return spiq.Data(images, np.arange(6) % 5, validation=(seen, np.arange(12) % 5))


def normalized(images):
    return (torch.as_tensor(images, dtype=torch.float32) / 255 - 0.4) / 0.3


def images_of(model, data):
    prepared = spiq._spiq.Prepared(model._inner, spiq.Setting("fp32")._inner, data._inner, 6)
    return np.concatenate([prepared.sample(i) for i in range(len(prepared))])


@pytest.fixture()
def network():
    images = np.random.default_rng(2).integers(0, 256, (8, 1, 16, 16))
    return lively(Spikformer(**SIZES), normalized(images))


def from_torch(network, data, **arguments):
    return spiq.Model.from_torch(network, samples=data, **DESCRIBED | arguments)


def snapshot(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_every_spike_is_that_of_the_library(network, data):
    """Scales of any size, narrow membranes, calibrated roundings; more positions than channels and fewer."""
    before = snapshot(network)
    model = from_torch(network, data)
    for setting in ["w8", "w3", "pot3", "floor8", "w4u3", "w3+gptq"]:
        found = spiq.torch.verify(network, setting, data, limit=3)
        assert found.equal and found.first is None and found.classes_differing == 0, str(found)
        assert found.distance < 1e-6 and found.images == 3
        assert found.values == sum(3 * 3 * int(np.prod(model.layers[row["layer"]])) for row in found.layers)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_from_a_module_to_a_verified_setting(network, tmp_path):
    """What a search finds knows its model and data; images to be verified are arrays."""
    dice = np.random.default_rng(1)
    images, seen = (dice.integers(0, 256, (n, 1, 16, 16), dtype=np.uint8) for n in (6, 12))
    data = spiq.Data(images, np.arange(6) % 5, validation=(seen, np.arange(12) % 5))
    model = from_torch(network, data)
    found = spiq.search(
        model, data, max_accuracy_drop=1.0, max_energy="1mJ", minimize="model", strategies="ratio-greedy",
        weight_bits=[8, 3], power_of_two_bits=[], membrane_bits=[16, 4], max_evaluations=8, out=tmp_path,
        progress=False,
    )
    assert spiq.torch.verify(network, found.setting, images[:2]).images == 2
    assert spiq.torch.verify(network, found.setting, torch.as_tensor(images)).equal
    applied = found.setting.apply_to(network)
    assert spiq.torch.verify(network, found.setting).equal
    applied.undo()
    with pytest.raises(spiq.Error, match="images alone do not say the ranges"):
        spiq.torch.verify(network, "w4", images)
    with pytest.raises(spiq.Error, match="data: missing"):
        spiq.torch.apply_to(network, "w4")
    with pytest.raises(spiq.Error, match="from_torch has not read this module"):
        spiq.torch.verify(copy.deepcopy(network), "w4", data)


def test_the_module_classifies_what_the_library_classifies(network, data):
    """In a batch, in single precision, in the module's own calls."""
    model = from_torch(network, data)
    images = normalized(images_of(model, data))
    report = spiq.simulate(model, data, settings="w3", progress=False)
    with spiq.torch.apply_to(network, "w3", data) as applied:
        with torch.no_grad():
            classes = network(images).argmax(1).numpy()
    right = float(np.mean(classes == np.arange(6) % 5))
    assert right == report.to_dict()["settings"][0]["accuracy"]
    assert 0 < applied.distance < 0.1


def test_undo_restores(network, data):
    model = from_torch(network, data)
    images = normalized(images_of(model, data))

    def yields():
        for part in network.modules():
            part.reset() if isinstance(part, Lif) else None
        with torch.no_grad():
            return network(images)

    before, logits = snapshot(network), yields()
    applied = spiq.torch.apply_to(network, "w2", data)
    assert not torch.equal(yields(), logits)
    with pytest.raises(spiq.Error, match="undo"):
        spiq.torch.apply_to(network, "w2", data)
    with pytest.raises(spiq.Error, match="another model or setting"):
        spiq.torch.verify(network, "w3", data)
    assert spiq.torch.verify(network, "w2", data, limit=1).equal
    applied.undo()
    assert torch.equal(yields(), logits)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_what_changes_a_module_that_was_applied_to_shows(network, data):
    """A weight that is one step off, in the second layer of the MLP: nothing before it differs."""
    from_torch(network, data)
    with spiq.torch.apply_to(network, "w4", data):
        with torch.no_grad():
            network.block[0].mlp.fc2_linear.weight[0] *= 2
        found = spiq.torch.verify(network, "w4", data, limit=2)
    assert not found.equal and found.first["layer"] == "block.0.mlp.fc2_lif" and found.first["channel"] == 0
    assert "first: layer block.0.mlp.fc2_lif, image 0" in str(found)


def test_neurons_are_read(network, data):
    """Thresholds, soft resets, a tau of 1.5, inputs that do not decay, and a parametric neuron."""

    class Parametric(Lif):
        def __init__(self):
            super().__init__()
            del self.tau
            self.w = torch.nn.Parameter(torch.tensor(0.7))

        def step(self, x):
            self.tau = 1 / self.w.sigmoid()
            spikes = super().step(x)
            del self.tau
            return spikes

    for name in ("q_lif", "k_lif"):
        getattr(network.block[0].attn, name).v_threshold = 0.75
    network.block[0].mlp.fc1_lif.v_reset = None
    network.block[0].mlp.fc2_lif.tau = 1.5
    network.patch_embed.rpe_lif.decay_input = False
    with pytest.raises(spiq.Error) as caught:
        from_torch(network, data, neurons=[])
    assert caught.value.layer == "patch_embed.rpe_lif"
    network.block[0].attn.proj_lif = Parametric().eval()
    from_torch(network, data)
    assert spiq.torch.verify(network, "fp32", data).differing == 0
    assert spiq.torch.verify(network, "w4u6", data).equal


@pytest.mark.parametrize(
    "change, layer, message",
    [
        (lambda n: n.train(), None, "training mode"),
        (lambda n: setattr(n.block[0].attn.q_lif, "tau", 0.5), None, "a time constant tau of 0.5 is not above 1"),
        (lambda n: setattr(n.block[0].attn.q_lif, "v_reset", 2.0), None, "a reset to 2.0 is not below the threshold"),
        (lambda n: setattr(n.block[0].attn, "k_lif", n.block[0].attn.q_lif), "block.0.attn.k_lif", "one submodule"),
        (lambda n: setattr(n.block[0].mlp, "fc1_lif", torch.nn.ReLU().eval()), "block.0.mlp.fc1_lif", "no v_threshold"),
        (lambda n: delattr(n.block[0].mlp, "fc1_lif"), "block.0.mlp.fc1_lif", "no layer"),
        (lambda n: setattr(n.block[0].attn, "heads", 4), "block.0.attn.attn_lif", "not those of the described"),
        (lambda n: n.head.weight.data.fill_(float("nan")), None, "value 0 is NaN"),
        (lambda n: setattr(n.patch_embed, "pooling", (False,) * 4), "patch_embed.proj_lif1", "not 3 frames"),
    ],
)
def test_modules_that_are_not_the_network(change, layer, message, network, data):
    change(network)
    with pytest.raises(spiq.Error, match=message) as caught:
        from_torch(network, data)
    assert caught.value.layer == layer


def test_a_failure_leaves_the_module(network, data):
    from_torch(network, data)
    network.head = torch.nn.Linear(24, 6)
    network.eval()
    before = snapshot(network)
    with pytest.raises(spiq.Error):
        spiq.torch.apply_to(network, "w4", data)
    network.head = torch.nn.Linear(23, 5).eval()
    with pytest.raises((spiq.Error, RuntimeError)):
        spiq.torch.apply_to(network, "w4", data)
    assert all(torch.equal(before[name], value) for name, value in snapshot(network).items() if "head" not in name)
    assert not any("forward" in part.__dict__ for part in network.modules())
    assert not any(part._forward_pre_hooks or part._forward_hooks for part in network.modules())


def test_a_network_step_by_step(data):
    """Integrate-and-fire neurons that see one timestep a call, in a network of no family."""

    class Integrate(Lif):
        def forward(self, x):
            h = self.v + x
            spikes = (h >= self.v_threshold).to(x.dtype)
            self.v = h - spikes * self.v_threshold
            return spikes

    class Steps(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.fc = torch.nn.Conv2d(1, 4, 3, 2, 1), torch.nn.Linear(4 * 64, 5)
            self.if1 = Integrate(v_threshold=0.5, tau=None, v_reset=None)

        def forward(self, images):
            return sum(self.fc(self.if1(self.conv1(images)).flatten(1)) for _ in range(4)) / 4

    torch.manual_seed(4)
    network = Steps().eval()
    layers = [
        {"Conv": {"name": "conv1", "out_channels": 4, "kernel": 3, "stride": 2, "pad": 1, "bias": True}},
        {"Neuron": {"name": "if1"}},
        {"Linear": {"name": "fc", "out_features": 5, "flatten": True}},
        {"MeanTimesteps": {"name": "logits"}},
    ]
    spiq.Model.from_torch(network, family="Layers", layers=layers, input=INPUT, timesteps=4, classes=5, samples=data)
    found = spiq.torch.verify(network, "w4u5", data)
    assert found.equal and [row["layer"] for row in found.layers] == ["if1"], str(found)


def narrow_stream(bits, fraction_bits):
    text = spiq.Setting("w4").to_ron().replace("residual_bits: 16", f"residual_bits: {bits}")
    return text.replace("residual_bits:", f"residual_fraction_bits: Some({fraction_bits}), residual_bits:")


def test_a_sum_that_leaves_the_residual_format(data):
    """The module adds by itself; what it adds leads to the clamped sum, on maps and on tokens, also in a batch."""
    network = lively(Shortcuts(), normalized(np.random.default_rng(2).integers(0, 256, (8, 1, 16, 16))))
    model = spiq.Model.from_torch(
        network, family="Layers", layers=Shortcuts.LAYERS, input=INPUT, timesteps=3, classes=5, samples=data
    )
    setting = narrow_stream(5, 3)
    report = spiq.simulate(model, data, settings=setting, progress=False).to_dict()
    saturations = sum(layer["saturations"] for layer in report["settings"][0]["layers"])
    found = spiq.torch.verify(network, setting, data, limit=6)
    assert saturations > 100 and found.equal, str(found)
    images = normalized(images_of(model, data))
    with spiq.torch.apply_to(network, setting, data), torch.no_grad():
        batch = network(images)
        for i in range(6):
            for part in network.modules():
                part.reset() if isinstance(part, Lif) else None
            assert torch.allclose(network(images[i : i + 1])[0], batch[i], atol=1e-5), i


@pytest.mark.parametrize(
    "kind, arguments",
    [
        ("MultiStepLIFNode", dict(tau=1.5)),
        ("MultiStepLIFNode", dict(tau=4.0, decay_input=False)),
        ("MultiStepLIFNode", dict(tau=3.0, v_reset=None)),
        ("MultiStepLIFNode", dict(tau=1.25, v_reset=-0.25)),
        ("MultiStepLIFNode", dict(tau=2.0, v_reset=0.2, decay_input=False)),
        ("MultiStepParametricLIFNode", dict(init_tau=1.7)),
        ("MultiStepParametricLIFNode", dict(init_tau=5.0, decay_input=False, v_reset=-1.0)),
        ("MultiStepIFNode", dict(v_reset=None)),
        ("MultiStepIFNode", dict(v_reset=-0.5)),
    ],
)
def test_neurons_of_spikingjelly(kind, arguments, data):
    """Every spike of the float network and of the integers is that of the module, whatever its neurons are."""
    neuron = pytest.importorskip("spikingjelly.clock_driven.neuron")
    network = Spikformer(**SIZES)
    for part in network.modules():
        for name, own in list(part.named_children()):
            if isinstance(own, Lif):
                setattr(part, name, getattr(neuron, kind)(v_threshold=own.v_threshold, **arguments))
    network = lively(network, normalized(np.arange(256).reshape(1, 1, 16, 16)))
    from_torch(network, data)
    assert spiq.torch.verify(network, "fp32", data).differing == 0
    found = spiq.torch.verify(network, "w4u8", data)
    assert found.equal, str(found)


def test_spikingjelly(data):
    neuron = pytest.importorskip("spikingjelly.clock_driven.neuron")
    network = Spikformer(**SIZES)
    for part in network.modules():
        for name, own in list(part.named_children()):
            if isinstance(own, Lif):
                setattr(part, name, neuron.MultiStepLIFNode(v_threshold=own.v_threshold, detach_reset=True))
    network = lively(network, normalized(np.arange(256).reshape(1, 1, 16, 16)))
    lif = network.block[0].attn.q_lif
    # What trained on a GPU says so; it is run on what any machine has, and says so again.
    lif.backend = "cupy"
    from_torch(network, data)
    assert spiq.torch.verify(network, "w4u4", data).equal
    assert lif.backend == "cupy"


def ints(x):
    return torch.tensor(x, dtype=torch.float64)


def layer(integers, shape=(), many=True, **arguments):
    rounding = _torch_layers.Rounding()
    neuron = dict(thresholds=[8], multiplier=1, shift=1, reset="zero", amounts=[], strict=False, membrane=None) | integers
    steps = dict(steps=ints(1.0), level=1.0) | arguments
    return _torch_layers.Neuron(neuron, shape, many=many, rounding=rounding, **steps)


def test_neurons_by_hand():
    def fires(neuron, *x):
        return neuron.forward(ints(x).view(-1, 1)).flatten().tolist()

    def word(bits, discard=0):
        return {"bits": bits, "discards": [discard]}

    # g: 5, 2 + 5 = 7, 3 + 5 = 8 fires, 0 + 7 = 7, 3 + 0.
    assert fires(layer({"membrane": word(4)}), 5, 5, 5, 7, 0) == [0, 0, 1, 0, 0]
    # The rest of 10 - 8 stays, halved: 1 + 7 fires.
    assert fires(layer({"membrane": word(4), "reset": "threshold", "amounts": [8]}), 10, 7) == [1, 1]
    # Behind the leak: 10 >> 1 = 5 less 8 are -3, and -3 + 10 = 7 does not fire; 7 >> 1 = 3, and 3 + 5 = 8 does.
    assert fires(layer({"membrane": word(4), "reset": "delayed", "amounts": [8]}), 10, 10, 5) == [1, 0, 1]
    # Nothing comes off: 10 >> 1 = 5, 5 + 3 = 8 fires, 4 + 3 does not.
    assert fires(layer({"membrane": word(4), "reset": "amount", "amounts": [0]}), 10, 3, 3) == [1, 1, 0]
    # 7 >> 1 = 3, of which the low bit is not stored: 2 + 5 = 7 instead of 8.
    assert fires(layer({"membrane": word(4, discard=1)}), 7, 5) == [0, 0]
    # -9 >> 1 = -5, clamped to -2 of 2 bits: -2 + 10 = 8 fires.
    assert fires(layer({"membrane": word(2)}), -9, 10) == [0, 1]
    # Steps of 0.25, and what is no whole number of them is told.
    quarter = layer({"membrane": word(4)}, steps=ints(0.25))
    assert fires(quarter, 2.0, 1.99) == [1, 1] and quarter.rounding.distance == pytest.approx(0.04)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.lists(st.integers(-60, 60), min_size=3, max_size=3), min_size=1, max_size=6),
    st.lists(st.integers(1, 40), min_size=3, max_size=3),
    st.sampled_from([(1, 0), (1, 1), (1, 2), (1, 3), (3, 2), (0, 0), (21845, 16), (29491, 15)]),
    st.sampled_from(["zero", "threshold", "delayed", "amount"]),
    st.booleans(),
    st.integers(2, 6),
    st.integers(0, 3),
)
def test_neurons_against_a_loop(x, thresholds, kept, reset, strict, bits, discard):
    multiplier, shift = kept
    amounts = {"zero": [], "amount": [3, 0, 5]}.get(reset, [threshold - strict for threshold in thresholds])
    integers = dict(thresholds=thresholds, multiplier=multiplier, shift=shift, reset=reset, strict=strict)
    integers["amounts"] = amounts
    integers["membrane"] = {"bits": bits, "discards": [discard] * 3}
    expected = []
    v = [0] * 3
    for frame in x:
        spikes = []
        for c in range(3):
            g = v[c] + frame[c]
            fires = g >= thresholds[c]
            taken = 0 if not fires else amounts[c] if amounts else g
            left = g if reset == "delayed" else g - taken
            kept = (2 * left + 1) * multiplier // 2 ** (shift + 1)
            stored = (kept - taken if reset == "delayed" else kept) // 2**discard
            stored = max(-(2 ** (bits - 1)), min(2 ** (bits - 1) - 1, stored))
            v[c] = stored * 2**discard
            spikes.append(int(fires))
        expected.append(spikes)
    whole = layer(integers, (3,))
    assert whole.forward(ints(x)).tolist() == expected and whole.v.tolist() == v
    single = layer(integers, (3,), many=False)
    assert [single.forward(ints(frame)).tolist() for frame in x] == expected


def test_requantizers_by_hand():
    """x 3/4 rounded with halves up, clamped to 4 bits, in steps of 0.5; RepConv's border on the same grid."""
    integers = dict(multipliers=[3], shifts=[2], limits=(-8, 7), joins=False)
    hook = _torch_layers.Requantize(integers, [1.0], 0.5, _torch_layers.Rounding())
    values = ints([[2, -2, 3, 100]]).T
    assert hook(torch.nn.Linear(4, 1), None, values).flatten().tolist() == [1.0, -0.5, 1.0, 3.5]
    # A bias of 2 is 1.5 steps of the grid, and 2 on it, worth 1: the border; 3 + 2 = 5 is 3.75 steps, and 4.
    assert hook.border([2.0]).tolist() == [1.0]
    assert hook(torch.nn.Linear(1, 1), None, ints([3.0 + 1.0])).tolist() == [2.0]


def test_pixels_by_hand():
    pixels = _torch_layers.Pixels([[p - 2 for p in range(4)]], 0.5, [0.5], [0.25], 3, False)
    normal = (ints([0, 1, 2, 3]) / 3 - 0.5) / 0.25
    assert pixels(None, (normal.view(1, 1, 2, 2),))[0].flatten().tolist() == [-1.0, -0.5, 0.0, 0.5]
    with pytest.raises(spiq.Error, match="no pixel"):
        pixels(None, (ints([0.1]).view(1, 1, 1, 1),))


def test_layouts():
    orders = lambda *a: [(way.order, way.channel_shape) for way in _torch_module.layouts(*a)]  # noqa: E731
    assert orders((1, 6, 2, 2), 6, 4) == [("CN", (6, 1, 1))]
    assert orders((1, 4, 6), 6, 4) == [("NC", (6,))]
    assert orders((1, 4, 4), 4, 4) == [("CN", (4, 1)), ("NC", (4,))]
    assert orders((1, 3, 4, 2), 6, 4) == [("HND", (3, 1, 2))]
    assert orders((1, 5, 5), 6, 4) == []
    values = np.arange(24)
    for extents, axes in [((6, 4), None), ((4, 6), (1, 0))]:
        (way,) = _torch_module.layouts(extents, 6, 4)
        expected = values.reshape(extents) if axes is None else values.reshape(extents).transpose(axes)
        assert np.array_equal(way.frames(values, 1)[0], expected)
    (way,) = _torch_module.layouts((3, 4, 2), 6, 4)
    assert np.array_equal(way.frames(values, 1)[0], values.reshape(3, 4, 2).transpose(0, 2, 1).reshape(6, 4))


def test_it_says_that_pytorch_is_missing():
    code = "import sys; sys.modules['torch'] = None\nimport spiq\nspiq.torch.verify(None, 'w4', 'noise')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    message = "ImportError: spiq.torch needs PyTorch, which is not installed: pip install torch"
    assert run.stderr.strip().endswith(message)


def test_a_module_that_was_applied_to_can_be_copied(network, data):
    model = from_torch(network, data)
    with spiq.torch.apply_to(network, "w3", data):
        twin = copy.deepcopy(network)
        images = normalized(images_of(model, data)[:1])
        assert torch.equal(twin(images), network(images))

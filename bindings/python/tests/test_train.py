import copy

import numpy as np
import pytest

import spiq

torch = pytest.importorskip("torch")

from shortcuts import Bordered, Shortcuts  # noqa: E402
from spikformer import Spikformer, lively  # noqa: E402

SIZES = dict(dim=24, depth=1, heads=3, mlp_ratio=2, pooling=(True, False, True, False), scale=0.3)
INPUT = {"Image": {"shape": [1, 16, 16], "mean": [0.4], "std": [0.3], "bits": 8}}
DESCRIBED = dict(input=INPUT, timesteps=3, classes=5)
IMAGES = np.random.default_rng(1).integers(0, 256, (20, 1, 16, 16), dtype=np.uint8)
LABELS = np.arange(20) % 5
PIXELS = (torch.as_tensor(IMAGES, dtype=torch.float32) / 255 - 0.4) / 0.3
COARSE = """Setting(name: "coarse", weights: Uniform(bits: 3, scale: Pow2, granularity: Layer, clip: Mse),
    membrane_bits: 5, residual_bits: 6, residual_fraction_bits: Some(3),
    layers: [("head", Layer(weights: PowerOfTwo(bits: 3, scale: Pow2, granularity: Channel)))])"""


class Surrogate(torch.autograd.Function):
    """Spikes, with the derivative of an arc tangent."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x >= 0).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient):
        return gradient / (1 + (3.14 * ctx.saved_tensors[0]) ** 2)


def made(kind, **arguments):
    # Of biases, which PyTorch draws.
    torch.manual_seed(3)
    return lively(kind(**arguments), PIXELS[:8])


def read(network):
    if isinstance(network, Spikformer):
        arguments = dict(family="Spikformer", layers="Linear", order="QueryKeyFirst", **SIZES)
    else:
        arguments = dict(family="Layers", layers=type(network).LAYERS)
    return spiq.Model.from_torch(network, samples=data(), **DESCRIBED | arguments)


def data():
    return spiq.Data(IMAGES, LABELS, validation=(255 - IMAGES, LABELS))


def logits_of(network):
    for part in network.modules():
        part.reset() if hasattr(part, "v_threshold") else None
    return network(PIXELS)


def train(network, steps, rate=2e-3, on_grids=False):
    """Losses; every parameter has to have a gradient, but a step whose weights lie on its grid."""
    optimizer, losses = torch.optim.Adam(network.parameters(), rate), []
    network.train()
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(logits_of(network), torch.as_tensor(LABELS))
        optimizer.zero_grad()
        loss.backward()
        for name, parameter in network.named_parameters():
            still = on_grids and name.endswith("step")
            assert torch.isfinite(parameter.grad).all() and (still or parameter.grad.abs().sum() > 0), name
        optimizer.step()
        losses.append(float(loss.detach()))
    network.eval()
    return losses


@pytest.mark.parametrize(
    "kind, arguments, setting",
    [
        (Spikformer, SIZES, "w3u4"),
        (Spikformer, SIZES, "pot3"),
        (Shortcuts, {}, "w2u5"),
        (Shortcuts, {}, COARSE),
        (Bordered, {}, "w3u4"),
        (Bordered, {}, "pot3"),
    ],
)
def test_the_integers_are_those_that_training_saw(kind, arguments, setting):
    """After the last step those of the library, and before the first, of uniform weights, those of the setting."""
    network = made(kind, **arguments)
    read(network)
    with torch.no_grad():
        with spiq.torch.apply_to(network, setting, data()):
            expected = logits_of(network)
        training = spiq.torch.prepare_qat(network, setting, data(), surrogate=Surrogate.apply)
        assert setting.startswith("pot") or torch.allclose(logits_of(network), expected, atol=1e-5)
    losses = train(network, 6)
    assert min(losses[-2:]) < losses[0] - 0.05 and training.steps == 6
    training.calibrate()
    with torch.no_grad():
        seen = logits_of(network)
    assert not torch.allclose(seen, expected, atol=1e-3) and training.distance < 0.1
    model = training.finish()
    assert not any("step" in name for name in network.state_dict())
    found = spiq.torch.verify(network, training.setting, data(), model=read(network))
    assert found.equal and found.differing == 0, str(found)
    with spiq.torch.apply_to(network, training.setting, model=model), torch.no_grad():
        assert torch.allclose(logits_of(network), seen, atol=1e-5)


@pytest.mark.parametrize(
    "kind, arguments, asked",
    # Rates of neurons on a stream are not matched by scales of a layer, and a layer of the last has no bias.
    [(Spikformer, SIZES, "bias_correction"), (Shortcuts, {}, "bias_correction"), (Bordered, {}, "rate_matching")],
)
@pytest.mark.parametrize("weights", ["Uniform(bits: 4, scale: Free", "Uniform(bits: 3, scale: Pow2"])
def test_training_starts_from_calibrated_integers(kind, arguments, asked, weights):
    """Before the first step its integers are those of the setting, not those of weights rounded to nearest."""
    network = made(kind, **arguments)
    read(network)
    # A scale that is a power of two takes up no threshold.
    asked = "" if asked == "rate_matching" and "Pow2" in weights else f"{asked}: true"
    setting = f"""Setting(name: "calibrated", weights: {weights}, granularity: Channel, clip: Max), membrane_bits: 8,
        residual_bits: 12, rounding: SecondOrder, {asked})"""
    with torch.no_grad():
        with spiq.torch.apply_to(network, setting, data()):
            expected = logits_of(network)
        other, arguments = copy.deepcopy(network), dict(model=read(network), surrogate=Surrogate.apply)
        nearest = spiq.torch.prepare_qat(other, setting, data(), **arguments)
        assert not torch.allclose(logits_of(nearest.module), expected, atol=1e-3)
    training = spiq.torch.prepare_qat(network, setting, data(), surrogate=Surrogate.apply, calibrated=True)
    with torch.no_grad():
        assert torch.allclose(logits_of(network), expected, atol=1e-5)
    train(network, 3, on_grids=True)
    training.calibrate()
    training.finish()
    found = spiq.torch.verify(network, training.setting, data(), model=read(network))
    assert found.differing == 0, str(found)


@pytest.mark.parametrize(
    "kind, arguments",
    [
        ("MultiStepLIFNode", dict(tau=1.5, detach_reset=True)),
        ("MultiStepLIFNode", dict(tau=3.0, v_reset=None, decay_input=False)),
        ("MultiStepParametricLIFNode", dict(init_tau=1.7)),
        ("MultiStepParametricLIFNode", dict(init_tau=3.0, decay_input=False, v_reset=-0.5)),
        ("MultiStepIFNode", dict(v_reset=None)),
    ],
)
def test_neurons_of_spikingjelly_train(kind, arguments):
    """With the surrogate gradients, resets and leaks of their own; of parametric ones the leak is learned, too."""
    neuron = pytest.importorskip("spikingjelly.clock_driven.neuron")
    network = made(Shortcuts, neuron=lambda: getattr(neuron, kind)(**arguments))
    read(network)
    training = spiq.torch.prepare_qat(network, "w3u5", data())
    losses = train(network, 5, rate=5e-3)
    assert min(losses) < losses[0]
    training.finish()
    found = spiq.torch.verify(network, training.setting, data(), model=read(network))
    assert found.equal, str(found)


def test_gradients_by_hand():
    """Two timesteps of a neuron of tau 2 at its threshold, a step of 1/4, a membrane of 3 bits that clamps."""
    from spiq import _torch_layers, _torch_train_layers

    integers = dict(
        thresholds=[8],
        heights=[1.0],
        gain=2.0,
        multiplier=1,
        shift=1,
        reset="zero",
        amounts=[],
        strict=False,
        membrane={"bits": 3, "discards": [0]},
    )
    rounding = _torch_layers.Rounding()

    def spikes(x, surrogate):
        x = torch.tensor(x, dtype=torch.float64).view(-1, 1).requires_grad_()
        neuron = _torch_train_layers.TrainedNeuron(
            integers,
            (),
            torch.nn.Identity(),
            surrogate,
            lambda: np.array([0.25]),
            lambda function, *given: function(*given),
            level=1.0,
            many=True,
            rounding=rounding,
        )
        out = neuron.forward(x)
        out[-1].backward()
        return out.flatten().tolist(), x.grad.flatten().tolist()

    heights = []

    def surrogate(x):
        heights.append(float(x.detach()))
        return x * 3

    # g: 4 steps, 2 stay; 2 + 6 = 8 fires. H - theta: 0.5 - 1, 1 - 1. dH2/dx2 = 1/2, and dH2/dx1 = 1/2 dV1/dx1, where
    # V1 = (1 - s1) H1: (1 - 0) 1/2 - 3/2 * 1/2 = -1/4.
    assert spikes([1.0, 1.5], surrogate) == ([0.0, 1.0], [3 * -0.125 * 1.0, 1.5])
    assert heights == [-0.5, 0.0]
    # -20 steps leave -10, stored as -4 of 3 bits: no gradient through the membrane.
    assert spikes([-5.0, 3.0], surrogate) == ([0.0, 1.0], [0.0, 1.5])


def test_what_collapses_or_explodes_says_where_and_when():
    network = made(Shortcuts)
    read(network)
    spiq.torch.prepare_qat(network, "w3", data(), surrogate=Surrogate.apply)
    train(network, 1)
    network.train()
    with pytest.raises(spiq.Error, match="training step 2: head: the gradient of its weights is not finite") as caught:
        (logits_of(network).sum() * float("nan")).backward()
    assert caught.value.layer == "head"
    twin = copy.deepcopy(network)
    with torch.no_grad():
        network.fc2.weight_log2_step[3] -= 30
    with pytest.raises(spiq.Error, match="training step 3: fc2: a step of its weights collapsed") as caught:
        logits_of(network)
    with torch.no_grad():
        network.fc2.weight[0] = float("inf")
    with pytest.raises(spiq.Error, match="training step 4: fc2: its weights or their steps are not finite"):
        logits_of(network)
    # A failure inside of a forward pass lends nothing for longer, and a copy goes on.
    assert isinstance(network.stem.weight, torch.nn.Parameter) and network.stem_bn.training
    assert torch.isfinite(logits_of(twin)).all()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(setting="fp32"), "fp32 has no integers"),
        (dict(setting="floor8"), "scheme UnitFloor have no step to learn"),
        (dict(surrogate=None), "lif1: its neurons have no surrogate_function and no spike_grad"),
    ],
)
def test_what_does_not_train_leaves_the_module(arguments, message):
    network = made(Shortcuts)
    read(network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    arguments = dict(setting="w3", surrogate=Surrogate.apply) | arguments
    with pytest.raises(spiq.Error, match=message):
        spiq.torch.prepare_qat(network, data=data(), **arguments)
    after = network.state_dict()
    assert list(after) == list(before) and all(torch.equal(before[name], after[name]) for name in before)
    assert not any("forward" in part.__dict__ or part._forward_pre_hooks for part in network.modules())


def test_undo_leaves_weights_off_their_grids():
    network = made(Shortcuts)
    read(network)
    with torch.no_grad():
        expected, before = logits_of(network), network.stem.weight.clone()
    training = spiq.torch.prepare_qat(network, "w3", data(), surrogate=Surrogate.apply)
    with pytest.raises(spiq.Error, match="undo"):
        spiq.torch.apply_to(network, "w3", data())
    training.undo()
    with torch.no_grad():
        assert torch.equal(logits_of(network), expected) and torch.equal(network.stem.weight, before)
    assert not any("forward" in part.__dict__ for part in network.modules())


def test_sums_that_single_precision_does_not_hold_are_told():
    """Weights of 2^14 steps on activations of 2^15; in double precision every sum is whole."""
    network = made(Bordered).double()
    read(network)
    training = spiq.torch.prepare_qat(network, "pot5", data(), surrogate=Surrogate.apply)
    with torch.no_grad():
        network(PIXELS[:2].double())
        assert training.distance < 1e-6
        network.float()
        logits_of(network)
    with pytest.warns(UserWarning, match="module.double"):
        training.finish()


def test_a_grid_that_moved_is_told():
    network = made(Bordered)
    read(network)
    training = spiq.torch.prepare_qat(network, "w4", data(), surrogate=Surrogate.apply)
    with torch.no_grad():
        network.bn.weight *= 8
        network.bn.bias *= 8
    with pytest.raises(spiq.Error, match="grid1: its range has changed") as caught:
        training.finish()
    assert caught.value.layer == "grid1"
    training.calibrate()
    with torch.no_grad():
        seen = logits_of(network)
    training.finish()
    with spiq.torch.apply_to(network, training.setting), torch.no_grad():
        assert torch.allclose(logits_of(network), seen, atol=1e-5)

"""Networks of snnTorch, SpikingJelly and Norse through their own exports: their spikes against those of spiq.

    OMP_NUM_THREADS=1 SPIQ=../../target/release/spiq python -m pytest test_nir_frameworks.py

What is not installed is skipped; SpikingJelly has an export to NIR since 2.0.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
nir = pytest.importorskip("nir")
pytest.importorskip("nirtorch")

from test_nir import Dice, convert, executes, execute  # noqa: E402

T = 5


def weighted(module, dice):
    """`module` with dyadic weights."""
    for parameter in module.parameters():
        parameter.data = torch.tensor(dice.weights(*parameter.shape))
    return module.double()


def layers_of(dice):
    """Two weight layers, and what is between the first neuron and the second."""
    first = weighted(torch.nn.Conv2d(2, 6, 3, padding=1), dice)
    second = weighted(torch.nn.Linear(6 * 3 * 3, 8), dice)
    return first, [torch.nn.AvgPool2d((2, 2), (2, 2)), torch.nn.Flatten()], second


def compare(dump, forward, reset=lambda: None):
    """Spikes of the last neuron, image by image, for a module that maps one frame."""
    compared = fired = 0
    for image in range(dump["input"].shape[1]):
        reset()
        frames = torch.tensor(dump["input"][:, image]).double()
        expected = torch.stack([forward(frame[None])[0] for frame in frames]).detach().numpy()
        got = last_spikes(dump)[:, image].reshape(expected.shape)
        assert (got == expected).all(), f"{(got != expected).sum()} of {got.size}"
        compared, fired = compared + got.size, fired + got.sum()
    assert 0 < fired < compared


def last_spikes(dump):
    return next(values for name, values in dump.items() if name.endswith("3") or name == "last")


class Named(torch.nn.Module):
    """A chain whose last neuron is called `last`."""

    def __init__(self, first, neuron, between, second, last):
        super().__init__()
        self.first, self.neuron = first, neuron
        self.pool, self.flatten = between
        self.second, self.last = second, last

    def forward(self, x):
        return self.last(self.second(self.flatten(self.pool(self.neuron(self.first(x))))))


@executes
@pytest.mark.parametrize(
    ("reset", "beta", "one", "last"),
    [
        ("zero", 0.5, 2.0, 1.5),
        ("zero", 0.25, 2.0, 1.5),
        ("zero", 0.125, 2.0, 1.5),
        ("subtract", 0.5, 2.75, 3.5),
        ("subtract-delayed", 0.5, 2.75, 3.5),
        ("subtract-delayed", 0.25, 2.0, 2.0),
        ("none", 0.5, 2.0, 1.5),
    ],
)
def test_snntorch(tmp_path, reset, beta, one, last):
    """Leaky: its input is not decayed, it fires above its threshold; NIR does not say how it resets.

    Without a delay of the reset, snnTorch subtracts a second threshold in the next step where a potential exceeds two.
    """
    snn = pytest.importorskip("snntorch")
    from snntorch.export_nir import export_to_nir

    def leaky(threshold, *shape):
        fields = {"threshold": threshold * torch.ones(shape), "init_hidden": True}
        fields |= {"reset_mechanism": reset.removesuffix("-delayed"), "reset_delay": reset != "subtract"}
        return snn.Leaky(beta=beta * torch.ones(shape), **fields)

    first, between, second = layers_of(Dice(1))
    net = Named(first, leaky(one, 6, 6, 6), between, second, leaky(last, 8))
    graph = export_to_nir(net.float(), torch.zeros(1, 2, 6, 6), ignore_dims=[0])
    assert isinstance(graph.nodes["neuron"], nir.LIF)
    dump = execute(tmp_path, convert(tmp_path, graph, "--timesteps", str(T), "--reset", reset))
    compare(dump, lambda x: net(x.float()), lambda: snn.Leaky.reset_hidden())


@executes
@pytest.mark.parametrize(
    ("tau", "decay_input", "rest", "one", "last"),
    [
        (2.0, True, 0.0, 1.75, 2.5),
        (2.0, False, 0.0, 1.75, 2.5),
        (1.5, True, 0.0, 1.75, 2.5),
        (1.5, False, 0.0, 1.75, 2.5),
        (1.25, True, 0.0, 1.75, 2.5),
        (4 / 3, False, 0.0, 1.75, 2.5),
        (None, None, 0.0, 1.75, 2.5),
        (2.0, True, -0.5, 1.75, 2.5),
        (2.0, False, 0.25, 2.75, 4.0),
        (None, None, 0.25, 3.75, 5.5),
    ],
)
def test_spikingjelly(tmp_path, tau, decay_input, rest, one, last):
    """LIFNode and IFNode fire at their threshold, which NIR does not say, and start at what they reset to."""
    pytest.importorskip("spikingjelly.activation_based.nir_exchange")
    from spikingjelly.activation_based import functional, neuron
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    def node(threshold):
        if tau is None:
            return neuron.IFNode(v_threshold=threshold, v_reset=rest)
        fires_at = threshold / (tau if decay_input else 1)
        return neuron.LIFNode(tau=tau, decay_input=decay_input, v_threshold=fires_at, v_reset=rest)

    first, between, second = layers_of(Dice(2))
    net = Named(first, node(one), between, second, node(last))
    graph = export_to_nir(net.double(), torch.zeros(1, 2, 6, 6).double())
    functional.reset_net(net)
    dump = execute(tmp_path, convert(tmp_path, graph, "--timesteps", str(T), "--fire", "at"))
    compare(dump, net, lambda: functional.reset_net(net))


@executes
@pytest.mark.parametrize("kind", ["lif", "iaf"])
def test_norse(tmp_path, kind):
    """LIFBoxCell of tau = 2 dt, with Norse's dt of 1 ms, and IAFCell."""
    norse = pytest.importorskip("norse.torch")

    def cell(threshold):
        th = torch.tensor([threshold])
        if kind == "iaf":
            return norse.IAFCell(norse.IAFParameters(v_th=th, v_reset=torch.zeros(1)))
        inverse = torch.tensor([500.0])
        parameters = norse.LIFBoxParameters(tau_mem_inv=inverse, v_th=th, v_leak=torch.zeros(1), v_reset=torch.zeros(1))
        return norse.LIFBoxCell(parameters)

    first, (pool, flatten), second = layers_of(Dice(4))
    one, last = (1.0, 1.25) if kind == "lif" else (4.0, 8.0)
    net = norse.SequentialState(first, cell(one), pool, flatten, second, cell(last))
    graph, dt = nir_of_norse([first, cell(one), pool, flatten, second, cell(last)])
    dump = execute(tmp_path, convert(tmp_path, graph, "--timesteps", str(T), "--dt", dt))
    state = [None]

    def forward(x):
        out, state[0] = net(x.float(), state[0])
        return out

    net.float()
    compare(dump, forward, lambda: state.__setitem__(0, None))


def nir_of_norse(modules):
    """Each module through Norse's own map, in a chain with the shapes that its cells do not know, and its dt."""
    from norse.torch.utils import export_nir

    # Norse 1.1 writes dt / tau_mem_inv for a time constant in seconds, which is 1 / tau_mem_inv.
    old = hasattr(export_nir, "_extract_norse_module")
    mapped = {} if old else export_nir._norse_to_nir_mapping_dict()
    nodes = [nir.Input(np.array([2, 6, 6]))]
    for module in modules:
        if isinstance(module, torch.nn.AvgPool2d):
            nodes.append(nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])))
        elif isinstance(module, torch.nn.Flatten):
            nodes.append(nir.Flatten({"input": np.array([6, 3, 3])}, 0, -1))
        else:
            nodes.append(export_nir._extract_norse_module(module) if old else mapped[type(module)](module))
    nodes[1].input_shape = (6, 6)
    names = ["input", "first", "neuron", "pool", "flatten", "second", "last", "output"]
    nodes.append(nir.Output(np.array([8])))
    edges = list(zip(names[:-1], names[1:], strict=True))
    return nir.NIRGraph(dict(zip(names, nodes, strict=True)), edges, type_check=False), "1e-6" if old else "1e-3"

"""Networks of snnTorch, SpikingJelly and Norse through their own exports: their spikes against those of spiq.

    OMP_NUM_THREADS=1 SPIQ=../../target/release/spiq python -m pytest test_nir_frameworks.py

What is not installed is skipped; SpikingJelly has an export to NIR since 2.0.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
nir = pytest.importorskip("nir")
pytest.importorskip("nirtorch")

from test_nir import HERE, Dice, convert, executes, execute  # noqa: E402

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


# Weights in steps of 1/64 and no further bits: currents of Loihi have 24.
FEW = """Setting(name: "few", weights: Uniform(bits: 9, scale: Pow2, granularity: Layer, clip: Max),
    membrane_bits: 32, residual_bits: 16, layers: [("*", Layer(fraction_bits: 0))])"""
# Thresholds of both layers of neurons.
NORSE = {"lif": (1.0, 1.25), "iaf": (4.0, 8.0), "cuba": (0.5, 4.0)}


def norse_cell(norse, kind, threshold):
    """A cell of Norse whose time constants are 2 dt, with Norse's dt of 1 ms."""
    th, zero, inverse = torch.tensor([threshold]), torch.zeros(1), torch.tensor([500.0])
    if kind == "iaf":
        return norse.IAFCell(norse.IAFParameters(v_th=th, v_reset=zero))
    fields = {"tau_mem_inv": inverse, "v_th": th, "v_leak": zero, "v_reset": zero}
    if kind == "cuba":
        return norse.LIFCell(norse.LIFParameters(tau_syn_inv=inverse, **fields))
    return norse.LIFBoxCell(norse.LIFBoxParameters(**fields))


def stateful(net):
    """`net` of one frame, and what resets it."""
    state = [None]

    def forward(x):
        out, state[0] = net(x.float(), state[0])
        return out.reshape(len(x), -1)

    return forward, lambda: state.__setitem__(0, None)


def quant_of(tmp_path, kind):
    """The setting of a network with neurons of `kind`; None for that of the others."""
    if kind != "cuba":
        return None
    (tmp_path / "few.ron").write_text(FEW)
    return tmp_path / "few.ron"


@executes
@pytest.mark.parametrize("kind", list(NORSE))
def test_norse(tmp_path, kind):
    """LIFBoxCell, IAFCell, and LIFCell, whose export lacks the tau_syn / dt by which its current jumps."""
    norse = pytest.importorskip("norse.torch")
    first, (pool, flatten), second = layers_of(Dice(4))
    one, last = (norse_cell(norse, kind, threshold) for threshold in NORSE[kind])
    modules = [first, one, pool, flatten, second, last]
    graph, dt = nir_of_norse(modules)
    for node in graph.nodes.values():
        if isinstance(node, nir.CubaLIF):
            node.w_in = np.round(node.tau_syn / float(dt))
    ron = convert(tmp_path, graph, "--timesteps", str(T), "--dt", dt)
    compare(execute(tmp_path, ron, quant_of(tmp_path, kind)), *stateful(norse.SequentialState(*modules).float()))


@executes
def test_norse_readout(tmp_path):
    """Potentials of LIBoxCell at the last timestep, up to what a leak drops."""
    norse = pytest.importorskip("norse.torch")
    first, (pool, flatten), second = layers_of(Dice(4))
    integrator = norse.LIBoxCell(norse.LIBoxParameters(tau_mem_inv=torch.tensor([500.0]), v_leak=torch.zeros(1)))
    modules = [first, norse_cell(norse, "lif", 1.0), pool, flatten, second, integrator]
    graph, dt = nir_of_norse(modules)
    flags = ["--timesteps", str(T), "--dt", dt, "--readout", "last"]
    dump = execute(tmp_path, convert(tmp_path, graph, *flags))
    step = json.loads((tmp_path / "dump" / "run.json").read_text())["logit_step"]
    forward, reset = stateful(norse.SequentialState(*modules).float())
    for image, logits in enumerate(dump["logits"] * step):
        reset()
        expected = [forward(torch.tensor(frame[None]))[0] for frame in dump["input"][:, image]][-1].detach().numpy()
        assert np.abs(logits - expected).max() < T * step and np.abs(expected).max() > 100 * step


@executes
@pytest.mark.parametrize("kind", list(NORSE))
def test_out_to_norse(tmp_path, kind):
    """What nir_export.py writes, read and run by Norse, whose LIF knows no r but 1."""
    norse = pytest.importorskip("norse.torch")
    dice, nodes = Dice(6), [nir.Input(np.array([2, 6, 6]))]
    for shape, threshold in zip([(6, 6, 6), (8,)], NORSE[kind], strict=True):
        one = np.ones(shape)
        lif = {"tau_mem" if kind == "cuba" else "tau": 2e-3 * one, "v_leak": 0 * one} if kind != "iaf" else {}
        if kind == "cuba":
            lif |= {"tau_syn": 2e-3 * one, "w_in": 2 * one}
        if len(shape) == 1:
            nodes.append(nir.Flatten({"input": np.array([6, 6, 6])}, 0, -1))
            nodes.append(nir.Affine(dice.weights(8, 216), dice.weights(8)))
        else:
            nodes.append(nir.Conv2d((6, 6), dice.weights(6, 2, 3, 3), 1, 1, 1, 1, dice.weights(6)))
        node = {"lif": nir.LIF, "iaf": nir.IF, "cuba": nir.CubaLIF}[kind]
        nodes.append(node(r=one, v_threshold=2 * threshold * one, v_reset=0 * one, **lif))
    nodes.append(nir.Output(np.array([8])))
    names = ["input", "first", "neuron", "flatten", "second", "last", "output"]
    graph = nir.NIRGraph(dict(zip(names, nodes, strict=True)), list(zip(names[:-1], names[1:], strict=True)), type_check=False)
    ron = convert(tmp_path, graph, "--timesteps", str(T), "--dt", "1e-3")
    dump = execute(tmp_path, ron, quant_of(tmp_path, kind))
    command = [sys.executable, HERE / "nir_export.py", "--dt", "1e-3", ron, tmp_path / "out.nir"]
    subprocess.run(list(map(str, command)), check=True)
    compare(dump, *stateful(norse.from_nir(nir.read(tmp_path / "out.nir"), dt=1e-3)))


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

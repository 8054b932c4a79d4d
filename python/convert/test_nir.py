"""NIR files in and out: equations against spiq's spikes, and what is refused.

    OMP_NUM_THREADS=1 SPIQ=../../target/release/spiq python -m pytest test_nir.py

SPIQ is the binary; what executes networks is skipped without it, and all of it where nir and h5py are missing.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("h5py")
nir = pytest.importorskip("nir")

import layers  # noqa: E402
import nir_import  # noqa: E402
import nir_neurons  # noqa: E402
import nir_reference  # noqa: E402
from refusal import Refused  # noqa: E402

HERE = Path(__file__).parent
SPIQ = os.environ.get("SPIQ")
executes = pytest.mark.skipif(SPIQ is None, reason="SPIQ names no binary of spiq")

# Weights of at most 16 bits with a scale of two, and 4 bits behind the point: dyadic weights as they are.
EXACT = """Setting(name: "exact", weights: Uniform(bits: 16, scale: Pow2, granularity: Layer, clip: Max),
    membrane_bits: 32, residual_bits: 16, layers: [("*", Layer(fraction_bits: 4))])"""
DT = 1e-4


class Dice:
    """Random nodes with weights in steps of 1/64."""

    def __init__(self, seed):
        self.generator = np.random.default_rng(seed)

    def pick(self, options):
        return options[self.generator.integers(len(options))]

    def weights(self, *shape):
        return (self.generator.integers(-16, 40, shape) / 64).astype(np.float32)

    def neuron(self, shape):
        """A neuron whose integers fire as real numbers do: what a membrane keeps is 1/2, 1/3, 1/4, 1/5 or all."""
        channels = (shape[0],) + (1,) * (len(shape) - 1)
        thresholds = np.broadcast_to(self.generator.integers(20, 90, channels) / 64, shape).copy()
        kind = self.pick(["decayed", "undecayed", "third", "quarter", "fifth", "if", "if r", "channels", "to"])
        if kind in ("third", "fifth"):
            # Doubles have no thirds: nothing may meet a threshold exactly.
            thresholds += 1e-5
        t = {"third": 1.5, "quarter": 4 / 3, "fifth": 1.25}.get(kind, 2.0)
        r = {"decayed": 1.0, "undecayed": 2.0, "third": 1.0, "quarter": 4 / 3, "fifth": 1.25, "if": 1.0}.get(kind, 0.5 / DT)
        one = np.ones(shape)
        if kind == "to":
            # One threshold for all, above what is reset to.
            rest, fires_at = one * self.pick([-0.25, 0.125, 0.25]), one * (thresholds.min() + 0.25)
            r = one * self.pick([0.5, 1.0, 2.0])
            return nir.LIF(tau=one * 2 * DT, r=r, v_leak=rest, v_threshold=fires_at, v_reset=rest)
        if kind == "channels":
            t = np.broadcast_to(self.generator.permutation(np.resize([2.0, 4 / 3, 8 / 7], channels[0])).reshape(channels), shape)
            r = t if self.pick([True, False]) else one
            return nir.LIF(tau=t * DT, r=r.copy(), v_leak=one * 0, v_threshold=thresholds + 1e-5, v_reset=one * 0)
        if kind.startswith("if"):
            return nir.IF(r=one * r, v_threshold=thresholds, v_reset=one * 0)
        return nir.LIF(tau=one * t * DT, r=one * r, v_leak=one * 0, v_threshold=thresholds, v_reset=one * 0)

    def network(self):
        """Two convolutions, poolings and scales here and there, and two linear layers."""
        rows, columns = (int(x) for x in self.generator.integers(12, 17, 2))
        shape, nodes = (2, rows, columns), [nir.Input(np.array([2, rows, columns]))]
        for outs in (4, 6):
            groups, kernel = self.pick([1, 2]), [self.pick([1, 2, 3] if size > 2 else [1]) for size in shape[1:]]
            stride, pad = [self.pick([1, 2]) for _ in kernel], [self.pick([0, size // 2]) for size in kernel]
            apart = [self.pick([1, 2] if size > 5 else [1]) for size in shape[1:]]
            weight = self.weights(outs, shape[0] // groups, *kernel)
            node = nir.Conv2d(shape[1:], weight, tuple(stride), tuple(pad), tuple(apart), groups, self.weights(outs))
            nodes.append(node)
            shape = (outs, *windows(shape, kernel, stride, pad, apart))
            shape = self.pooled(nodes, shape)
            nodes.append(self.neuron(shape))
            shape = self.pooled(nodes, shape)
        nodes.append(nir.Flatten({"input": np.array(shape)}, 0, -1))
        nodes.append(nir.Affine(self.weights(12, int(np.prod(shape))), self.weights(12)))
        nodes.append(self.neuron((12,)))
        nodes.append(nir.Linear(self.weights(5, 12)))
        nodes += self.pick(
            [[self.neuron((5,))], [nir.Threshold(self.generator.integers(20, 90, 5) / 64)], [nir.I(np.ones(5))], []]
        )
        return nir.NIRGraph.from_list(*nodes, type_check=False)

    def pooled(self, nodes, shape):
        if min(shape[1:]) < 2 or self.pick([True, False]):
            return shape
        kind = self.pick([nir.SumPool2d, nir.AvgPool2d])
        size, stride, pad = (np.array([self.pick(some) for _ in "yx"]) for some in ([1, 2], [1, 2], [0]))
        nodes.append(kind(size, stride, pad))
        shape = (shape[0], *windows(shape, size, stride, pad))
        if self.pick([True, False]):
            factors = self.generator.integers(1, 3, (shape[0], 1, 1)) / 2
            nodes.append(nir.Scale(np.broadcast_to(factors, shape).copy()))
        return shape


def windows(shape, kernel, stride, pad, apart=(1, 1)):
    """Rows and columns behind windows."""
    axes = zip(shape[1:], kernel, stride, pad, apart, strict=True)
    return [int((size + 2 * around - (k - 1) * gap - 1) // step + 1) for size, k, step, around, gap in axes]


def convert(tmp_path, graph, *arguments):
    """The description that `graph` becomes."""
    nir.write(tmp_path / "net.nir", graph)
    return import_file(tmp_path, *arguments)


def import_file(tmp_path, *arguments):
    command = [sys.executable, HERE / "nir_import.py", *arguments, tmp_path / "net.nir", tmp_path / "net.ron"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        raise Refused(f"{done.returncode}: {done.stderr.replace(str(tmp_path), '.').strip()}")
    return tmp_path / "net.ron"


def execute(tmp_path, model, quant=None):
    """The dump of a run on random events, or noise, as arrays by name."""
    setting = tmp_path / "exact.ron"
    setting.write_text(EXACT)
    frames = np.random.default_rng(3).random((3, *frames_of(model)))
    np.save(tmp_path / "frames.npy", (frames < 0.4).astype(np.uint8))
    np.save(tmp_path / "labels.npy", np.zeros(3, np.uint8))
    (tmp_path / "data.ron").write_text(
        f'DataSet(name: "d", source: "random", licence: "none", classes: {layers.read(model)[0]["classes"]}, '
        'test: Npy(images: "frames.npy", labels: "labels.npy", layout: Ntchw), '
        'validation: Npy(images: "frames.npy", labels: "labels.npy", layout: Ntchw))'
    )
    command = [SPIQ, "run", "--model", model, "--quant", quant or setting, "--data", tmp_path / "data.ron"]
    command += ["--dump", tmp_path / "dump"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {path.stem: np.load(path) for path in (tmp_path / "dump").glob("*.npy")}


def frames_of(model):
    described = layers.read(model)[0]
    return (described["timesteps"], *described["input"]["shape"])


def compare(graph, dump, step, **neurons):
    """Every spike of every neuron, and the logits."""
    compared = 0
    for image in range(dump["input"].shape[1]):
        yields = nir_reference.run(graph, dump["input"][:, image].astype(np.float64), **neurons)
        for name, node in graph.nodes.items():
            if isinstance(node, nir.IF | nir.LIF | nir.Threshold):
                expected = yields[name]
                got = dump[name][:, image].reshape(expected.shape)
                assert (got == expected).all(), f"{name}: {(got != expected).sum()} of {got.size}"
                compared += got.size
        last = yields["output"]
        last = last[-1] if any(isinstance(node, nir.I) for node in graph.nodes.values()) else last.sum(0)
        assert dump["logits"][image] * step * len(yields["output"]) == pytest.approx(last, abs=1e-6)
    return compared


@executes
@pytest.mark.parametrize("seed", range(16))
def test_equations_are_executed_spike_by_spike(tmp_path, seed):
    graph = Dice(seed).network()
    dump = execute(tmp_path, convert(tmp_path, graph, "--timesteps", "5"))
    step = json.loads((tmp_path / "dump" / "run.json").read_text())["logit_step"]
    assert compare(graph, dump, step) > 300


@executes
@pytest.mark.parametrize("over", ["last", "mean", "max"])
@pytest.mark.parametrize("tau", [2.0, 4.0, [2.0, 4 / 3, 4.0]])
def test_leaky_readouts(tmp_path, over, tau):
    """Potentials of LI, up to what its leak drops: less than a step per timestep."""
    dice, t = Dice(3), np.broadcast_to(np.array(tau), (3,)).copy()
    one = np.ones((4, 4, 4))
    nodes = {
        "input": nir.Input({"input": np.array([2, 4, 4])}),
        "conv": nir.Conv2d((4, 4), dice.weights(4, 2, 3, 3), 1, 1, 1, 1, dice.weights(4)),
        "lif": nir.LIF(tau=one * 2 * DT, r=one * 2, v_leak=one * 0, v_reset=one * 0, v_threshold=one),
        "flatten": nir.Flatten({"input": np.array([4, 4, 4])}, 0, -1),
        "linear": nir.Linear(dice.weights(3, 64)),
        "li": nir.LI(t * DT, np.full(3, 2.0), np.zeros(3)),
        "output": nir.Output({"output": np.array([3])}),
    }
    graph = nir.NIRGraph(nodes, list(zip(list(nodes), list(nodes)[1:])))
    dump = execute(tmp_path, convert(tmp_path, graph, "--timesteps", "5", "--readout", over))
    step = json.loads((tmp_path / "dump" / "run.json").read_text())["logit_step"]
    for image, found in enumerate(dump["logits"] * step):
        potentials = nir_reference.run(graph, dump["input"][:, image].astype(np.float64))["li"]
        expected = {"last": potentials[-1], "mean": potentials.mean(0), "max": potentials.max(0)}[over]
        # Each timestep drops less than a step of a potential.
        assert np.abs(found - expected).max() < 5 * step * (5 if over == "mean" else 1), (found, expected)
        assert np.abs(expected).max() > 100 * step


def dynamics(leak, reset="Zero", fire="AboveThreshold"):
    return layers.Word(leak), layers.Word(reset), layers.Word(fire)


def described(path, leaks, end="MeanTimesteps", **readout):
    """A network with a neuron of each of `leaks`, and its weights."""
    dice, network = Dice(5), layers.Network((2, 6, 6))
    for i, (leak, reset, fire) in enumerate(leaks):
        # A window of (3, 1) over rows that are two apart, and one of 3.
        window = {"kernel": (3, 1), "pad": (2, 0), "dilation": (2, 1)} if i % 2 else {"kernel": 3, "pad": 1}
        network.add("Conv", f"conv{i}", out_channels=4, **window, groups=2 if i else 1, bias=i == 0)
        network.tensors[f"conv{i}.weight"] = dice.weights(4, 2, 3, 1 if i % 2 else 3)
        fields = {"threshold": 0.75, "leak": leak, "reset": reset, "fire": fire}
        network.add("Neuron", f"lif{i}", **fields)
        if "per_channel" in leak:
            network.tensors[f"lif{i}.tau"] = np.array([1.5, 2.0, 4.0, 1.25], np.float32)
    network.tensors["conv0.bias"] = dice.weights(4)
    network.add("AvgPool", "pool", size=(2, 1), stride=(2, 1), pad=(1, 0))
    network.add("Linear", "fc", out_features=3, flatten=True)
    network.tensors.update({"fc.weight": dice.weights(3, 96), "fc.bias": dice.weights(3)})
    network.add("Neuron", "last", per_channel=True, leak=layers.Word("None"), fire=layers.Word("AboveThreshold"))
    network.tensors["last.threshold"] = np.array([0.5, 1.0, 0.25], np.float32)
    network.add("Linear", "count", out_features=3, flatten=True)
    network.tensors.update({"count.weight": np.eye(3), "count.bias": np.zeros(3)})
    network.add(end, "logits", **readout)
    network.write(path, "Integers(shape: (2, 6, 6), max: 7, zero_point: 3)", 9, 3)
    return path


LEAKS = [
    "HalfWithInput",
    "None",
    "Shift(1)",
    "Shift(3)",
    "Tau(tau: 1.5, decay_input: true)",
    "Tau(tau: 4.0, decay_input: false)",
    "Tau(tau: 10.0, decay_input: false)",
    "Tau(tau: 2.2857142857142856, decay_input: true)",
    "Parametric(of: Tau, per_channel: true, decay_input: true)",
    "Parametric(of: Tau, per_channel: true, decay_input: false)",
    "Loihi(voltage_decay: 2048, current_decay: 1023)",
]
RESETS = ["To(-0.5)", "To(0.25)", "Subtract", "SubtractAmount(0.5)", "SubtractDelayed", "None"]
READOUTS = [
    {},
    {"end": "Readout", "leak": layers.Word("None"), "over": layers.Word("Max")},
    {"end": "Readout", "leak": layers.Word("Tau(tau: 4.0, decay_input: false)"), "over": layers.Word("Last")},
]


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("dt", ["1e-4", "1e-3", "0.7"])
def test_out_and_in_is_equal(tmp_path, dt, readout):
    leaks = [dynamics(leak, fire=fire) for leak in LEAKS for fire in ("AboveThreshold", "AtThreshold")][:-1]
    leaks += [dynamics(leak, reset) for leak in ("HalfWithInput", "None") for reset in RESETS]
    path = described(tmp_path / "a.ron", leaks, **readout)
    command = [sys.executable, HERE / "nir_export.py", "--dt", dt, path, tmp_path / "net.nir"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    again = import_file(tmp_path, "--dt", dt)
    assert again.read_text() == path.read_text().replace('"a', '"net')
    expected, got = (layers.load_file(file.with_suffix(".safetensors")) for file in (path, again))
    assert expected.keys() == got.keys()
    for name, tensor in expected.items():
        assert tensor.dtype == got[name].dtype and (tensor == got[name]).all(), name


@pytest.mark.parametrize(
    ("leak", "tensor", "becomes"),
    [
        ("Beta(0.75)", None, "Tau(tau: 4.0, decay_input: false)"),
        ("Parametric(decay_input: true)", ("w", np.float32(0.0)), "HalfWithInput"),
        ("Parametric(of: Beta, decay_input: false)", ("beta", np.float32(0.75)), "Tau(tau: 4.0, decay_input: false)"),
    ],
)
def test_leaks_that_nir_says_otherwise(tmp_path, leak, tensor, becomes):
    path = described(tmp_path / "a.ron", [dynamics(leak)])
    if tensor is not None:
        tensors = layers.load_file(path.with_suffix(".safetensors"))
        layers.save_file({**tensors, f"lif0.{tensor[0]}": np.array(tensor[1])}, path.with_suffix(".safetensors"))
    command = [sys.executable, HERE / "nir_export.py", path, tmp_path / "net.nir"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    again = layers.read(import_file(tmp_path))[1]
    leak = next(layer["leak"] for layer in again if layer["name"] == "lif0")
    assert leak == layers.ron.Reader(becomes).value()


def test_time_constants_by_hand():
    def leak(tau, r):
        fields = nir_import.nir_graph.hdf5.Fields("f", "n", {"tau": np.float32(tau), "r": np.float32(r)})
        made, gain, taus = nir_neurons.lif(fields, (1, 1, 1), DT)
        assert taus is None
        return made, float(gain[0])

    # 1 - 1/t is 1/2, 1/4 and 1/8 of what was there, and the input is not decayed: r = t.
    assert leak(2e-4, 2) == ("Shift(1)", 1.0)
    assert leak(DT / 0.75, 1 / 0.75) == ("Shift(2)", 1.0)
    assert leak(DT / 0.875, 1 / 0.875) == ("Shift(3)", 1.0)
    # snnTorch's beta of 0.9 in single precision is tau = 10 again.
    beta = np.float32(0.9)
    assert leak(np.float32(DT) / (1 - beta), 1 / (1 - beta)) == ("Tau(tau: 10.0, decay_input: false)", 1.0)
    # Decayed input in units of r: half the resistance takes twice the threshold.
    assert leak(2e-4, 0.5) == ("HalfWithInput", 0.5)
    assert leak(1.5e-4, 1) == ("Tau(tau: 1.5, decay_input: true)", 1.0)
    # tau = dt keeps nothing.
    assert leak(DT, 3) == (None, 3.0)
    assert nir_neurons.rational(float(np.float32(8 / 3))) == 8 / 3
    assert nir_neurons.rational(np.pi) == np.pi


def lif(shape=(3,), **changed):
    one = np.ones(shape)
    fields = {"tau": one * 2 * DT, "r": one, "v_leak": one * 0, "v_reset": one * 0, "v_threshold": one}
    return nir.LIF(**{**fields, **{key: one * value for key, value in changed.items()}})


def cuba(tau_syn, tau_mem):
    one = np.ones(3)
    return nir.CubaLIF(tau_syn=one * tau_syn, tau_mem=one * tau_mem, r=one, v_leak=one * 0, v_threshold=one)


def conv(**changed):
    fields = {
        "stride": 1,
        "padding": 0,
        "dilation": 1,
        "groups": 1,
        "weight": np.ones((3, 2, 3, 3)),
        "bias": np.zeros(3),
    }
    return nir.Conv2d((5, 5), **{**fields, **changed})


ROW, MAP = np.array([3]), np.array([2, 5, 5])
LINEAR = nir.Linear(np.eye(3))

REFUSED = [
    (
        ROW,
        [LINEAR, lif(v_reset=0.5)],
        "node lif: v_reset: 0.5: neurons reset to what they leak toward, v_leak, 0.0",
    ),
    (
        ROW,
        [LINEAR, lif(v_leak=-1)],
        "node lif: v_reset: 0.0: neurons reset to what they leak toward, v_leak, -1.0",
    ),
    (ROW, [LINEAR, lif(v_leak=1.5, v_reset=1.5)], "node lif: v_reset: 1.5 is not below the threshold, 1.0"),
    (
        ROW,
        [LINEAR, lif(v_leak=0.5, v_reset=0.5, v_threshold=[1, 2, 3])],
        "node lif: v_reset: 0.5, where each channel has a threshold or a unit of its own",
    ),
    (ROW, [LINEAR, lif(tau=0.5 * DT)], "node lif: tau: is 0.5 dt: a step of more than tau diverges; dt is 0.0001"),
    (
        ROW,
        [LINEAR, lif(tau=[DT, 2 * DT, 3 * DT])],
        "node lif: tau: is dt of one channel, which keeps nothing, and 3 dt of another",
    ),
    (ROW, [LINEAR, lif(r=0)], "node lif: r: 0.0 is not above 0"),
    (ROW, [LINEAR, lif(v_threshold=-1)], "node lif: v_threshold: -1.0 is not above 0"),
    (ROW, [LINEAR, lif(tau=np.nan)], "node lif: tau: a value is not finite"),
    (ROW, [LINEAR, lif(shape=(2,))], "node lif: r: 2 values for 3x1x1 neurons"),
    (
        ROW,
        [LINEAR, cuba(1.23456 * DT, 2 * DT)],
        "node cubalif: tau_syn: dt / tau_syn is 0.810005: no 1 to 4096 parts of 4096, as Loihi decays",
    ),
    (
        ROW,
        [LINEAR, nir.LI(np.full(3, 1e-3), np.ones(3), np.zeros(3))],
        "node li: type: LI yields a potential per timestep: --readout says which is read, last, mean or max",
    ),
    (ROW, [LINEAR, nir.I(np.ones(3)), lif()], "node lif: reads i, a readout: only an Output may"),
    (ROW, [nir.Linear(np.ones((3, 4)))], "node linear: weight: reads 4 values of 3"),
    (ROW, [nir.Affine(np.eye(3), np.zeros(2))], "node affine: bias: 2 values for 3 outputs"),
    (ROW, [nir.Delay(np.ones(3))], "node delay: type: Delay has no layer"),
    (
        np.array([2, 8]),
        [nir.Conv1d(8, np.ones((3, 2, 3)), 1, 0, 1, 1, np.zeros(3)), lif((3, 6))],
        "node conv1d: type: Conv1d has no layer",
    ),
    (
        MAP,
        [conv(dilation=(1, 3)), lif((3, 3, 1))],
        "node conv2d: weight: [3, 3] does not fit a map of (2, 5, 5)",
    ),
    (MAP, [conv(weight=np.ones((3, 2, 6, 6))), lif()], "node conv2d: weight: [6, 6] does not fit a map of (2, 5, 5)"),
    (MAP, [conv(weight=np.ones((3, 1, 3, 3))), lif()], "node conv2d: weight: [3, 1, 3, 3] in 1 groups for 2 channels"),
    (
        MAP,
        [conv(), lif((3, 3, 3), v_threshold=np.arange(1, 28).reshape(3, 3, 3))],
        "node lif: v_threshold: differs between neurons of one channel",
    ),
    (MAP, [conv(), lif((3, 3, 3))], None),
    (
        MAP,
        [nir.Linear(np.ones((3, 50)))],
        "node linear: weight: reads a map of (2, 5, 5), which no Flatten has flattened",
    ),
]


@pytest.mark.parametrize(("shape", "nodes", "message"), REFUSED)
def test_what_is_refused(tmp_path, shape, nodes, message):
    graph = nir.NIRGraph.from_list(nir.Input(shape), *nodes, type_check=False)
    if message is None:
        assert convert(tmp_path, graph, "--timesteps", "4").exists()
        return
    with pytest.raises(Refused) as refused:
        convert(tmp_path, graph, "--timesteps", "4")
    assert str(refused.value) == f"2: error: ./net.nir: {message}"
    assert not (tmp_path / "net.ron").exists()


def edges(*pairs):
    nodes = {"in": nir.Input(ROW), "a": nir.Linear(np.eye(3)), "x": lif(), "b": nir.Linear(np.eye(3)), "y": lif()}
    nodes["out"] = nir.Output(ROW)
    return nir.NIRGraph(nodes, [tuple(pair.split()) for pair in pairs], type_check=False)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["in a", "a x", "x b", "b y", "y a", "y out"], "node x: is on a cycle: x -> b -> y -> a -> x"),
        (["in a", "a x", "x b", "b y", "y z"], "edges: y -> z: no node is called 'z'"),
        (["in a", "a x", "b x", "x y", "y out"], "node b: reads nothing"),
        (["in a", "a x", "in b", "b x", "x y", "y out"], "node x: adds a, b: only spikes of one shape are added"),
        (["in a", "a x", "x b", "b y"], "nodes: ends in out (Output), y (LIF), where one Output is read"),
    ],
)
def test_graphs_that_are_refused(tmp_path, pairs, message):
    with pytest.raises(Refused) as refused:
        convert(tmp_path, edges(*pairs), "--timesteps", "4")
    assert str(refused.value) == f"2: error: ./net.nir: {message}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bias: true", 'bias: true, layer_scale: Some("s")', "layer conv0: layer_scale: NIR has no factor behind a weight layer"),
        ("bias: true", 'bias: true, norms: ["bn"]', "layer conv0: norms: NIR has no batch normalization"),
        (
            'Neuron(name: "lif0"',
            'MaxPool(name: "lif0", size: 2, stride: 2), Neuron(name: "x"',
            "layer lif0: MaxPool has no node in NIR",
        ),
        (
            "threshold: 0.75, fire",
            "threshold: 0.75, leak: Loihi(voltage_decay: 0, current_decay: 9), fire",
            "layer lif0: leak: voltage_decay 0 is a time constant without end",
        ),
        ('name: "conv0"', 'name: "gone"', "layer gone: weight: the checkpoint has no gone.weight"),
        ("out_channels: 4, ", "", "layer conv0: out_channels: is missing, or is no number"),
        (',\n        MeanTimesteps(name: "logits")', "", "family: does not end in MeanTimesteps or a Readout"),
        ("Layers([", "Layers(", "line"),
    ],
)
def test_layers_that_nir_does_not_say(tmp_path, old, new, message):
    path = described(tmp_path / "a.ron", [dynamics("HalfWithInput")])
    path.write_text(path.read_text().replace(old, new, 1))
    command = [sys.executable, HERE / "nir_export.py", path, tmp_path / "net.nir"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 2 and not (tmp_path / "net.nir").exists()
    expected = f"error: {path}: {message}\n"
    assert done.stderr == expected or message == "line", done.stderr


def test_a_broken_file_costs_no_earlier_result(tmp_path):
    convert(tmp_path, edges("in a", "a x", "x b", "b y", "y out"), "--timesteps", "4")
    before = (tmp_path / "net.ron").read_text()
    (tmp_path / "net.nir").write_bytes((tmp_path / "net.nir").read_bytes()[:900])
    with pytest.raises(Refused, match="no HDF5 file that can be read"):
        import_file(tmp_path, "--timesteps", "4")
    assert (tmp_path / "net.ron").read_text() == before

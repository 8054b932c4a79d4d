"""Files in the layout of Lava-DL's export_hdf5: Loihi's integers against spiq's, and what is refused.

OMP_NUM_THREADS=1 SPIQ=../../target/release/spiq python -m pytest test_netx.py
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
pytest.importorskip("nir")

from nir_reference import windows  # noqa: E402
from test_nir import SPIQ, executes, execute  # noqa: E402

HERE = Path(__file__).parent


def export(path, *layers):
    """Writes layers as lava.lib.dl.slayer.block.base does: types as arrays of one, the rest as datasets."""
    with h5py.File(path, "w") as file:
        for index, layer in enumerate(layers):
            handle = file.create_group(f"layer/{index}")
            handle.create_dataset("type", (1,), "S10", [layer["type"].encode("ascii")])
            for key, value in layer.items():
                if key != "type":
                    handle.create_dataset(key, data=value)


def neuron(threshold, current, voltage, **changed):
    """What `device_params` of a CUBA neuron holds."""
    fields = {"type": "CUBA", "iDecay": current, "vDecay": voltage, "vThMant": threshold, "refDelay": 1}
    fields = {**fields, "gradedSpike": False, **changed}
    return {f"neuron/{key}": value for key, value in fields.items()}


def network(seed):
    """An input of spikes, a convolution, a pooling and two dense layers; weights are even, as SLAYER's are."""
    generator = np.random.default_rng(seed)

    def even(*shape):
        return 2 * generator.integers(-20, 41, shape).astype(np.float32)

    window = {"stride": [1, 2], "padding": [2, 1], "dilation": [2, 1]}
    return [
        {"type": "input", "shape": [2, 6, 15]},
        {"type": "conv", "shape": [4, 6, 8], "inChannels": 2, "outChannels": 4, "kernelSize": [3, 3], "groups": 1}
        | window
        | {"weight": even(4, 2, 3, 3)}
        | neuron(300, 1024, 128),
        {"type": "pool", "shape": [4, 3, 4], "kernelSize": [2, 2], "stride": [2, 2], "padding": [0, 0]}
        | {"dilation": [1, 1], "weight": np.full((1, 1, 2, 2), 64.0)}
        | neuron(80, 4096, 4096),
        {"type": "flatten", "shape": [48, 1, 1]},
        {"type": "dense", "shape": [10], "inFeatures": 48, "outFeatures": 10, "weight": even(10, 48)}
        | {"bias": 2 * generator.integers(-9, 10, 10).astype(np.float32)}
        | neuron(250, 4096, 700),
        {"type": "dense", "shape": [3], "inFeatures": 10, "outFeatures": 3, "weight": even(3, 10)}
        | neuron(90, 2000, 50),
    ]


def convert(tmp_path, *arguments):
    command = [sys.executable, HERE / "netx_import.py", *arguments, tmp_path / "net.net", tmp_path / "net.ron"]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


class Loihi:
    """Lava's bit-accurate LIF: u and v of 24 bits, rounded towards 0, biases into the voltage."""

    def __init__(self, layer):
        self.layer, self.u, self.v = layer, 0, 0
        self.bias = np.asarray(layer.get("bias", 0)).astype(np.int64)

    def step(self, current):
        decay = lambda x, by: np.sign(x) * (np.abs(x) * (4096 - by) // 4096)  # noqa: E731
        du, dv = self.layer["neuron/iDecay"], self.layer["neuron/vDecay"]
        self.u = decay(self.u, du) + (current << 6)
        bias = self.bias.reshape(-1, *[1] * (current.ndim - 1)) << 6
        self.v = decay(self.v, dv) + self.u + bias
        spikes = self.v > self.layer["neuron/vThMant"] << 6
        self.v = np.where(spikes, 0, self.v)
        return spikes.astype(np.int64)


def sums(layer, x):
    """What reaches the neurons of a layer."""
    weight = np.asarray(layer["weight"]).astype(np.int64)
    if layer["type"] == "dense":
        return weight @ x.reshape(-1)
    view = windows(x, weight.shape[2:], layer["stride"], layer["padding"], layer["dilation"])
    if layer["type"] == "pool":
        return np.einsum("cyxij,ij->cyx", view, weight[0, 0])
    return np.einsum("cyxij,ocij->oyx", view, weight)


@executes
@pytest.mark.parametrize("seed", range(4))
def test_every_spike_is_that_of_loihi(tmp_path, seed):
    layers = network(seed)
    export(tmp_path / "net.net", *layers)
    done = convert(tmp_path, "--timesteps", "12")
    assert done.returncode == 0, done.stderr
    dump = execute(tmp_path, tmp_path / "net.ron", "int8")
    fired = {}
    for image in range(dump["input"].shape[1]):
        states = {i: Loihi(layer) for i, layer in enumerate(layers) if "weight" in layer}
        for t, frame in enumerate(dump["input"][:, image].astype(np.int64)):
            x = frame
            for i, state in states.items():
                x = state.step(sums(state.layer, x))
                assert (dump[f"layer{i}"][t, image].reshape(x.shape) == x).all(), (i, t)
                fired[i] = fired.get(i, 0) + x.sum()
    assert min(fired.values()) > 0, fired


@executes
@pytest.mark.parametrize("zero", [0, 17])
def test_an_input_with_a_neuron_reads_pixels(tmp_path, zero):
    """x becomes the bias 2 w x - w + b of a neuron that keeps no current of it; signed where some integer is 0."""
    layer = {"type": "input", "shape": [1, 4, 4], "weight": [[3.0]], "bias": [[1.0]]} | neuron(200, 1024, 128)
    dense = {"type": "dense", "shape": [2], "weight": np.full((2, 16), 6.0)} | neuron(50, 4096, 64)
    export(tmp_path / "net.net", layer, dense)
    done = convert(tmp_path, "--timesteps", "8", "--max", "40", *(["--zero-point", str(zero)] if zero else []))
    assert done.returncode == 0, done.stderr
    written = f"max: 40, zero_point: {zero})" if zero else "max: 40)"
    assert f"input: Integers(shape: (1, 4, 4), {written}" in (tmp_path / "net.ron").read_text()
    command = "--quant", "int8", "--data", "noise", "--dump", tmp_path / "dump"
    subprocess.run([*map(str, [SPIQ, "run", "--model", tmp_path / "net.ron", *command])], check=True)
    x, got = (np.load(tmp_path / f"dump/{name}.npy") for name in ("input", "layer0"))
    state = Loihi({"neuron/iDecay": 4096, "neuron/vDecay": 128, "neuron/vThMant": 200})
    for t, frame in enumerate(x.astype(np.int64)):
        assert (got[t] == state.step(6 * frame - 3 + 1)).all()
    assert 0 < got.sum() < got.size and (x.min() < 0) == (zero > 0)


def without(layer, *keys):
    return {key: value for key, value in layer.items() if key not in keys}


DENSE = {"type": "dense", "shape": [2], "weight": np.ones((2, 4))} | neuron(50, 100, 100)
CONV = network(0)[1]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [{"type": "average", "shape": [2]}],
            "layer/0: type: average: not built; input, flatten, dense, conv, pool are",
        ),
        (
            [{"type": "input", "shape": [1, 4, 4]} | neuron(5, 1, 1, type="SDNN")],
            "layer/0/neuron: type: SDNN: sigma-delta neurons and delta encodings are not built",
        ),
        ([DENSE | {"delay": [1.0, 0, 0, 0]}], "layer/0: delay: delays of axons are not built"),
        (
            [DENSE | {"bias": [1.0, 0]}],
            "layer/0: bias: adds to the voltage of neurons that keep a current (iDecay is not 4096)",
        ),
        ([DENSE | {"weight": np.full((2, 4), 0.5)}], "layer/0: weight: holds values that are no integers"),
        ([DENSE | {"weight": np.full((2, 4), 300)}], "layer/0: weight: 300 to 300 are not in -256..=255"),
        (
            [DENSE | {"neuron/iDecay": 0}],
            "layer/0/neuron: iDecay: 0, and vDecay 100: not 1 to 4096 and 0 to 4096 parts of 4096",
        ),
        ([DENSE | {"neuron/vDecay": [1, 2]}], "layer/0/neuron: vDecay: [1, 2]: neurons of a layer share one value"),
        ([DENSE | {"neuron/vThMant": 0}], "layer/0/neuron: vThMant: 0 is not above 0"),
        ([DENSE | {"neuron/refDelay": 3}], "layer/0/neuron: refDelay: 3: refractory neurons are not built"),
        ([DENSE | {"neuron/gradedSpike": True}], "layer/0/neuron: gradedSpike: graded spikes are not built"),
        ([without(DENSE, "neuron/iDecay")], "layer/0/neuron: iDecay: is missing"),
        ([CONV], "layer/0: type: no input layer says the map that it reads"),
        (
            [network(0)[0], CONV | {"dilation": [5, 1]}],
            "layer/1: weight: [3, 3] does not fit a map of (2, 6, 15)",
        ),
        ([network(0)[0], CONV | {"shape": [4, 6, 7]}], "layer/1: shape: [4, 6, 7] where [4, 6, 8] follows"),
        ([], "layer: is missing"),
    ],
)
def test_what_is_refused(tmp_path, layers, message):
    export(tmp_path / "net.net", *layers)
    done = convert(tmp_path, "--timesteps", "4")
    assert (done.returncode, done.stderr) == (2, f"error: {tmp_path}/net.net: {message}\n")
    assert not (tmp_path / "net.ron").exists()

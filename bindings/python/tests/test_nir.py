import subprocess
import sys

import numpy as np
import pytest

import spiq


def test_it_says_what_is_missing():
    code = "import sys; sys.modules['h5py'] = None\nimport importlib.util as u\nfind = u.find_spec\n"
    code += "u.find_spec = lambda name: None if name == 'h5py' else find(name)\n"
    code += "import spiq\nspiq.Model.from_nir('x.nir')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ImportError: Model.from_nir needs h5py" in run.stderr and "pip install 'spiq[nir]'" in run.stderr


# Weights in steps of 1/32 as they are.
EXACT = """Setting(name: "exact", weights: Uniform(bits: 16, scale: Pow2, granularity: Layer, clip: Max),
    membrane_bits: 32, residual_bits: 16, layers: [("*", Layer(fraction_bits: 4))])"""


@pytest.fixture()
def graph():
    """Counts of 2 x 4 x 4, a convolution, LIF of tau = 2 dt, a linear layer, an integrator that is read."""
    nir = pytest.importorskip("nir")
    pytest.importorskip("safetensors")
    dice = np.random.default_rng(1)
    weight, dense = dice.integers(-8, 20, (3, 2, 3, 3)) / 32, dice.integers(-16, 16, (5, 48)) / 32
    one = np.ones((3, 4, 4))
    nodes = {
        "input": nir.Input(np.array([2, 4, 4])),
        "conv": nir.Conv2d((4, 4), weight, 1, 1, 1, 1, np.zeros(3)),
        "lif": nir.LIF(tau=2e-4 * one, r=2 * one, v_leak=0 * one, v_threshold=one, v_reset=0 * one),
        "flat": nir.Flatten({"input": np.array([3, 4, 4])}, 0, -1),
        "fc": nir.Linear(dense),
        "sum": nir.I(r=np.ones(5) / 1e-4),
        "output": nir.Output(np.array([5])),
    }
    names = list(nodes)
    return nir.NIRGraph(nodes, list(zip(names, names[1:])))


def test_a_graph_is_its_file_and_executes(graph, tmp_path):
    """Spikes of the first layer, against the equation in doubles; all weights are parts of two."""
    import nir

    nir.write(tmp_path / "net.nir", graph)
    options = dict(timesteps=4, max=3, fire="at")
    model = spiq.Model.from_nir(graph, name="net", **options)
    of_file = spiq.Model.from_nir(tmp_path / "net.nir", **options)
    assert (model.name, model.sha256, model.layers) == (of_file.name, of_file.sha256, of_file.layers)
    assert (model.timesteps, model.classes, model.input_shape) == (4, 5, (2, 4, 4))
    events = np.random.default_rng(2).integers(0, 4, (6, 4, 2, 4, 4), dtype=np.uint8)
    data = spiq.Data(events, np.arange(6) % 5, validation=(events, np.arange(6) % 5))
    report = spiq.simulate(model, data, settings="w8", progress=False)
    assert len(report.to_dict()["settings"]) == 1
    prepared = spiq._spiq.Prepared(model._inner, spiq.Setting(EXACT)._inner, data._inner, 6)
    prepared.dump(tmp_path / "dump")
    # [T, B, C, H, W]
    spikes, weight = np.load(tmp_path / "dump" / "lif.npy"), graph.nodes["conv"].weight
    assert 0 < spikes.mean() < 1
    for image, sample in enumerate(events.astype(float)):
        v = np.zeros((3, 4, 4))
        for timestep, frame in enumerate(sample):
            padded = np.pad(frame, ((0, 0), (1, 1), (1, 1)))
            windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
            v = v / 2 + np.einsum("cyxij,ocij->oyx", windows, weight)
            assert np.array_equal(spikes[timestep, image], v >= 1)
            v[v >= 1] = 0


@pytest.mark.parametrize(
    "change, arguments, layer, message",
    [
        (lambda nodes: setattr(nodes["lif"], "v_reset", np.full((3, 4, 4), 0.5)), {}, "lif", "v_reset: 0.5"),
        (lambda nodes: None, dict(timesteps=None), None, "timesteps"),
        (lambda nodes: None, dict(fire="sometimes"), None, "fire"),
    ],
)
def test_what_has_no_layer_is_refused(graph, change, arguments, layer, message):
    change(graph.nodes)
    with pytest.raises(spiq.Error, match=message) as caught:
        spiq.Model.from_nir(graph, **{"timesteps": 4} | arguments)
    assert caught.value.layer == layer


def test_what_is_no_nir_is_refused(tmp_path):
    pytest.importorskip("nir")
    (tmp_path / "x.nir").write_bytes(b"not HDF5")
    with pytest.raises(spiq.Error, match="no HDF5 file") as caught:
        spiq.Model.from_nir(tmp_path / "x.nir", timesteps=2)
    assert caught.value.file == str(tmp_path / "x.nir")
    with pytest.raises(spiq.Error, match="list is no path and no nir.NIRGraph"):
        spiq.Model.from_nir([], timesteps=2)

"""State dicts of torch.ao, Brevitas and LSQ: the weights that these run on against those of spiq.

    OMP_NUM_THREADS=1 SPIQ=../../target/release/spiq python -m pytest test_quantized.py
"""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")
warnings.filterwarnings("ignore", category=DeprecationWarning)

HERE = Path(__file__).parent
SPIQ = os.environ.get("SPIQ")
executes = pytest.mark.skipif(SPIQ is None, reason="SPIQ names no binary of spiq")


class Net(torch.nn.Module):
    def __init__(self, conv, fc):
        super().__init__()
        self.conv, self.fc = conv, fc

    def forward(self, x):
        return self.fc(self.conv(x).flatten(1))


def convert(tmp_path, net):
    torch.save({"model": net.state_dict()}, tmp_path / "a.pth")
    command = [sys.executable, HERE / "torch_ao.py", tmp_path / "a.pth", tmp_path / "a.safetensors"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return safetensors.load_file(tmp_path / "a.safetensors"), done.stdout


def dequantized(tensors, name):
    codes = tensors[f"{name}.weight"]
    assert codes.dtype == torch.int8
    return codes.float() * tensors[f"{name}.weight_scale"].reshape(-1, *[1] * (codes.ndim - 1))


def executed(tmp_path, state, quantized, setting):
    """The weights of `conv` that spiq executes at `setting`."""
    safetensors.save_file({name: x.detach().clone() for name, x in state.items()}, tmp_path / "net.safetensors")
    (tmp_path / "net.ron").write_text(f"""Model(name: "net", family: Layers([
        Conv(name: "conv", out_channels: 5, kernel: 3, bias: true), Neuron(name: "lif"),
        Linear(name: "fc", out_features: 4, flatten: true), MeanTimesteps(name: "logits")]), quantized: [{quantized}],
        input: Events(shape: (2, 6, 6), max: 3), timesteps: 2, classes: 4, weights: File("net.safetensors"))""")
    (tmp_path / "net_setting.ron").write_text(
        f'Setting(name: "s", weights: {setting}, membrane_bits: 16, residual_bits: 16, layers: [("fc", '
        "Layer(weights: Uniform(bits: 8, scale: Free, granularity: Layer, clip: Max)))])"
    )
    command = [SPIQ, "export", "torch", "--data", "noise", "--model", tmp_path / "net.ron"]
    done = subprocess.run(list(map(str, [*command, "--quant", tmp_path / "net_setting.ron", "--out", tmp_path / "out"])), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return safetensors.load_file(next((tmp_path / "out").glob("*.safetensors")))["conv.weight"]


@executes
@pytest.mark.parametrize(
    ("quantizer", "options", "quantized", "bits"),
    [
        ("Int8WeightPerTensorFloat", {}, "codes: Narrow(8)", 8),
        ("Int8WeightPerTensorFloat", {"weight_bit_width": 3}, "codes: Narrow(3)", 3),
        ("Int8WeightPerChannelFloat", {"weight_bit_width": 4}, "codes: Narrow(4), per_channel: true", 4),
        ("SignedTernaryWeightPerTensorConst", {}, "codes: Narrow(2), scale: Constant(0.1)", 2),
        ("SignedBinaryWeightPerTensorConst", {}, "codes: Binary, scale: Constant(0.1)", 2),
    ],
)
def test_brevitas(tmp_path, quantizer, options, quantized, bits):
    """The weights that a layer of Brevitas computes with, from the state dict that it saves."""
    brevitas = pytest.importorskip("brevitas.nn")
    quant = pytest.importorskip("brevitas.quant")
    torch.manual_seed(5)
    conv = brevitas.QuantConv2d(2, 5, 3, weight_quant=getattr(quant, quantizer), **options)
    found = executed(
        tmp_path, Net(conv, torch.nn.Linear(80, 4)).state_dict(), f'Quantized(layers: "conv", {quantized})',
        f"Stored(bits: {bits})",
    )
    expected = conv.quant_weight().value.detach()
    assert (found - expected).abs().max() <= expected.abs().max() * 2**-22 and len(expected.unique()) > 1


@executes
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_lsq(tmp_path, bits):
    """clamp(w / alpha), rounded, times alpha, as LSQ and QSD-Transformer compute it."""
    net = layers()
    alpha = torch.tensor([0.02, 0.03, 0.011, 0.05, 0.007]).requires_grad_()
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    expected = (net.conv.weight / alpha.reshape(-1, 1, 1, 1)).clamp(low, high).round() * alpha.reshape(-1, 1, 1, 1)
    state = net.state_dict() | {"conv.alpha": alpha, "conv.init_state": torch.ones(1)}
    quantized = f'Quantized(layers: "conv", codes: Signed({bits}), scale: Tensor("alpha"), per_channel: true)'
    found = executed(tmp_path, state, quantized, f"Stored(bits: {bits})")
    assert (found - expected).abs().max() <= 1e-8


def layers():
    torch.manual_seed(3)
    return Net(torch.nn.Conv2d(2, 5, 3), torch.nn.Linear(80, 4))


@pytest.mark.parametrize("per_channel", [True, False])
def test_a_network_that_is_prepared_for_training(tmp_path, per_channel):
    ao = pytest.importorskip("torch.ao.quantization")
    fake = ao.default_per_channel_weight_fake_quant if per_channel else ao.default_weight_fake_quant
    net = layers()
    net.qconfig = ao.QConfig(activation=torch.nn.Identity, weight=fake)
    ao.prepare_qat(net.train(), inplace=True)
    net(torch.randn(7, 2, 6, 6))
    tensors, line = convert(tmp_path, net.eval())
    for name in ("conv", "fc"):
        layer = getattr(net, name)
        assert (dequantized(tensors, name) == layer.weight_fake_quant(layer.weight)).all()
    assert line == 'quantized: [Quantized(codes: Signed(8), scale: Tensor("weight_scale"), per_channel: true)],\n'
    assert sorted(tensors) == sorted(f"{n}.{x}" for n in ("conv", "fc") for x in ("weight", "weight_scale", "bias"))


def test_quantized_tensors(tmp_path):
    net = layers()
    weight, scales = net.conv.weight.detach(), torch.tensor([0.01, 0.02, 0.03, 0.004, 0.05])
    zeros = torch.tensor([0, 3, -5, 0, 1])
    quantized = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
    one = torch.quantize_per_tensor(net.fc.weight.detach(), 0.001, 0, torch.qint8)
    state = net.state_dict()
    torch.save({"conv.weight": quantized, "conv.bias": state["conv.bias"], "conv.scale": torch.tensor(0.1)}
               | {"fc._packed_params._packed_params": (one, state["fc.bias"])}, tmp_path / "a.pth")
    command = [sys.executable, HERE / "torch_ao.py", tmp_path / "a.pth", tmp_path / "a.safetensors"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "scales of activations are left out: conv.scale" in done.stderr
    tensors = safetensors.load_file(tmp_path / "a.safetensors")
    codes = tensors["conv.weight"].float() * scales.reshape(-1, 1, 1, 1)
    assert (codes - quantized.dequantize()).abs().max() < 1e-6
    assert (tensors["fc.weight"].float() * 0.001 - one.dequantize()).abs().max() < 1e-6
    assert (tensors["fc.bias"] == state["fc.bias"]).all() and "conv.scale" not in tensors


def test_what_is_refused(tmp_path):
    torch.save(layers().state_dict(), tmp_path / "a.pth")
    command = [sys.executable, HERE / "torch_ao.py", tmp_path / "a.pth", tmp_path / "a.safetensors"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "error: no weight is quantized\n")
    assert not (tmp_path / "a.safetensors").exists()

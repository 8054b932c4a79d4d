"""Converts a state dict of torch.ao.quantization to safetensors with codes and scales. Needs requirements.txt.

    python torch_ao.py model.pth model.safetensors

A quantized `{name}.weight` becomes its integers less their zero points, and `{name}.weight_scale`; so does one of a
network prepared for training, which `{name}.weight_fake_quant` rounds. The line that a description needs is printed.
Scales of activations are left out: what spiq executes in their place are spikes.
"""

import argparse

import torch
from safetensors.torch import save_file

import to_safetensors
from refusal import Refused, note, run

# What a quantized tensor is made of, beside what others are.
QUANTIZED = {
    ("torch._utils", "_rebuild_qtensor"),
    ("torch", "per_tensor_affine"),
    ("torch", "per_channel_affine"),
    ("torch", "per_tensor_symmetric"),
    ("torch", "per_channel_symmetric"),
}
FAKE = ".weight_fake_quant."
PACKED = "._packed_params._packed_params"


def codes_of(name, weight):
    """Codes and scales of a quantized tensor."""
    if weight.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return weight.int_repr().int() - weight.q_zero_point(), torch.tensor([weight.q_scale()], dtype=torch.float64)
    if weight.qscheme() != torch.per_channel_affine or weight.q_per_channel_axis() != 0:
        raise Refused(name, f"{weight.qscheme()}: one scale, or one of each output channel, is read")
    zeros = weight.q_per_channel_zero_points().reshape(-1, *[1] * (weight.ndim - 1))
    return (weight.int_repr() - zeros).int(), weight.q_per_channel_scales()


def faked(name, weight, fields, bits):
    """Codes of `bits` bits and scales that a fake quantization rounds `weight` to."""
    if not {"scale", "zero_point"} <= fields.keys():
        raise Refused(name, "is fake-quantized without a scale and a zero point")
    scale, zero = fields["scale"].reshape(-1).float(), fields["zero_point"].reshape(-1).float()
    if len(scale) not in (1, len(weight)) or len(zero) != len(scale):
        raise Refused(name, f"{len(scale)} scales and {len(zero)} zero points for {len(weight)} channels")
    shape = (-1, *[1] * (weight.ndim - 1))
    # As PyTorch computes them: times the reciprocal, in single precision.
    codes = torch.round(weight.float() * (1.0 / scale).reshape(shape)) + zero.reshape(shape)
    limit = 1 << (bits - 1)
    return (codes.clamp(-limit, limit - 1) - zero.reshape(shape)).int(), scale


def convert(entries, bits):
    """Tensors with codes and scales in the place of quantized ones, and the bits of codes of each scaled layer: more
    than `bits` where a zero point is taken off.
    """
    flat = {}
    for name, value in entries.items():
        if name.endswith(PACKED) and isinstance(value, tuple) and len(value) == 2:
            layer = name.removesuffix(PACKED)
            flat |= {f"{layer}.weight": value[0], f"{layer}.bias": value[1]}
        elif isinstance(value, torch.Tensor):
            flat[name] = value
    fakes = {name.split(FAKE)[0] for name in flat if FAKE in name}
    scaled, tensors, left = {}, {}, []
    for name, value in flat.items():
        layer = name.removesuffix(".weight")
        if value is None or FAKE in name:
            continue
        if value.is_quantized or (name.endswith(".weight") and layer in fakes):
            start = f"{layer}{FAKE}"
            fields = {key.removeprefix(start): x for key, x in flat.items() if key.startswith(start)}
            codes, scale = codes_of(name, value) if value.is_quantized else faked(name, value, fields, bits)
            needed = max(bits, *(int(x).bit_length() + 1 for x in (codes.max(), -codes.min() - 1)))
            # One scale is one of every channel, so that one line describes all layers.
            scale = scale.float().expand(len(codes)).clone()
            tensors |= {name: codes.to(torch.int8 if needed <= 8 else torch.int16), f"{layer}.weight_scale": scale}
            scaled[layer] = needed
        elif name.rsplit(".", 1)[-1] in ("scale", "zero_point") or "activation_post_process" in name:
            left.append(name)
        else:
            tensors[name] = value.detach().clone().contiguous()
    if not scaled:
        raise Refused("no weight is quantized")
    if left:
        note(f"scales of activations are left out: {', '.join(left[:3])}{' ..' if len(left) > 3 else ''}")
    return tensors, scaled


def lines(scaled, real):
    """What a description says of these weights, `real` being layers without codes."""
    bits = max(scaled.values())
    every = f'Quantized(codes: Signed({bits}), scale: Tensor("weight_scale"), per_channel: true)'
    return ", ".join([every, *(f'Quantized(layers: "{name}", codes: Real)' for name in real)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--key", help="the state dict, keys joined by dots")
    bits = "bits of weights, which a state dict does not say, 2 to 16 [8]"
    parser.add_argument("--bits", type=int, default=8, choices=range(2, 17), metavar="B", help=bits)
    parser.add_argument("checkpoint")
    parser.add_argument("safetensors")
    arguments = parser.parse_args()
    to_safetensors.TENSORS |= QUANTIZED
    to_safetensors.check_reading()
    top = to_safetensors.read(arguments.checkpoint)
    entries = to_safetensors.entries(top, arguments.key)
    tensors, scaled = convert(to_safetensors.without_wrappers(entries), arguments.bits)
    save_file(tensors, arguments.safetensors)
    weights = (name.removesuffix(".weight") for name, x in tensors.items() if name.endswith(".weight") and x.ndim > 1)
    print(f"quantized: [{lines(scaled, [name for name in weights if name not in scaled])}],")


if __name__ == "__main__":
    run(main)

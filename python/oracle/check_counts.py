"""Checks all published variants against listings of the original implementations.

    OMP_NUM_THREADS=1 python check_counts.py REFERENCE [NAME ...]

REFERENCE holds SUMMARY.csv (totals), NAME.csv (every operation in order) and, for some variants,
NAME.state_dict.txt (keys and shapes). Runs one timestep of each variant on random data and compares
parameters, state dict, neurons and operations per timestep, and layer by layer in order of execution
the name, the neurons or values of the output, the constants of neurons and attention. Exit status 1
if anything differs.
"""

import argparse
import ast
import csv
import sys
from pathlib import Path

import torch
from torch import nn

from blocks import Lif, MultiSpike, Product, randomize
from build import build
from families.spike_driven_v2 import NormAndPad
from published import descriptions

WEIGHT_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear)
OBSERVED = WEIGHT_LAYERS + (nn.BatchNorm1d, nn.BatchNorm2d, nn.MaxPool2d, nn.MaxPool3d, Lif, MultiSpike, NormAndPad)
LISTED_OPERATIONS = {
    "Conv1d", "Conv2d", "Linear", "BatchNorm1d", "BatchNorm2d", "BNAndPadLayer",
    "MaxPool2d", "MaxPool3d", "MultiStepLIFNode", "MultiSpike",
}  # fmt: skip
UNUSED = ("norm1", "norm2", "norm", "pos_embed", "talking_heads")


def kind_of(x):
    """As the listings classify what meets the weights."""
    if torch.all((x == 0) | (x == 1)):
        return "binary"
    return "integer" if torch.all(x == x.round()) else "real"


class Observation:
    """What one forward pass executes: layers in order, work by kind of input, neurons."""

    def __init__(self, model, image):
        self.layers, self.attention, self.neurons = [], [], 0
        self.work = {"binary": 0, "integer": 0, "real": 0, "attention": 0}
        hooks = [
            module.register_forward_hook(self.hook(name))
            for name, module in model.named_modules()
            if isinstance(module, OBSERVED + (Product,)) and not name.endswith(".body.1.bn")
        ]
        with torch.no_grad():
            model(image)
        for hook in hooks:
            hook.remove()

    def hook(self, name):
        def observe(module, inputs, output):
            if isinstance(module, Product):
                self.attention.append(module.scale)
                self.work["attention"] += product_work(module, *inputs)
                return
            self.layers.append((name, output.numel(), constants(module)))
            if isinstance(module, WEIGHT_LAYERS):
                self.work[kind_of(inputs[0])] += output.numel() * module.weight[0].numel()
            self.neurons += output.numel() if isinstance(module, (Lif, MultiSpike)) else 0

        return observe


def product_work(product, q, _k, v):
    """Multiply-accumulates of the two products, in the order of the original."""
    tokens = q.shape[3] * q.shape[4]
    if product.query_key_first:
        return tokens * tokens * (q.shape[2] + v.shape[2])
    return 2 * tokens * q.shape[2] * v.shape[2] // product.heads


def constants(module):
    """(threshold, tau) or (norm,) of neurons, (kernel, stride, padding, groups, bias) of convolutions, (kernel, stride,
    padding) of pooling."""
    if isinstance(module, Lif):
        return (module.v_threshold, module.tau)
    if isinstance(module, MultiSpike):
        return (float(module.norm),)
    if isinstance(module, (nn.Conv1d, nn.Conv2d)):
        window = (module.kernel_size, module.stride, module.padding)
        return (*map(list, window), module.groups, module.bias is not None)
    if isinstance(module, (nn.MaxPool2d, nn.MaxPool3d)):
        window = (module.kernel_size, module.stride, module.padding)
        return tuple(size if isinstance(size, int) else list(size) for size in window)
    return (module.bias is not None,) if isinstance(module, nn.Linear) else ()


def listed_constants(row):
    """The same, from a row of a listing."""
    columns = {
        "MultiStepLIFNode": ("v_th", "tau"),
        "MultiSpike": ("norm",),
        "Linear": ("bias",),
        "Conv": ("kernel", "stride", "pad", "groups", "bias"),
        "MaxPool": ("kernel", "stride", "pad"),
    }.get(row["op"].rstrip("123d"), ())
    values = [ast.literal_eval(row[column]) for column in columns]
    return tuple(float(value) if row["op"].startswith("Multi") else value for value in values)


def listed(path):
    """The layers and attention scales that the listing of an original holds, per timestep."""
    layers, scales = [], []
    with path.open() as file:
        for row in csv.DictReader(file):
            if row["op"] in LISTED_OPERATIONS:
                values = 1
                for size in ast.literal_eval(row["out_shape"]):
                    values *= size
                layers.append((row["name"], values, listed_constants(row)))
            elif row["op"] == "mul" and row["arg"]:
                scales.append(float(row["arg"]))
    return layers, scales


def quirk(description):
    """Neurons that the totals leave out: those of the last neuron layer of a QKFormer SSA block, whose tensor has
    no batch axis, are counted as if it had one channel."""
    family = description["family"]
    if family[""] != "QkFormer":
        return 0
    height = description["input"]["shape"][1]
    tokens = (height // (4 if family["style"] == "Cifar" else 16)) ** 2
    return family["depths"][2] * (family["dim"] - 1) * tokens


def check(name, description, reference, summary):
    """Differences, as text."""
    model = randomize(build({**description, "timesteps": 1}), 0)
    shape = description["input"]["shape"]
    generator = torch.Generator().manual_seed(0)
    events = torch.randint(0, 4, (1, 1, *shape), generator=generator).float()
    image = events if shape[0] == 2 else torch.randn(1, *shape, generator=generator)
    seen = Observation(model, image)
    state = model.state_dict()
    unused = [p.numel() for key, p in model.named_parameters() if any(part in key.split(".") for part in UNUSED)]
    executed = [model.get_submodule(name) for name, *_ in seen.layers]
    weights = [sum(p.numel() for p in layer.parameters()) for layer in executed if isinstance(layer, WEIGHT_LAYERS)]
    found = {
        "params": sum(p.numel() for p in model.parameters()),
        "neurons": seen.neurons - quirk(description),
        "lif": sum(isinstance(module, (Lif, MultiSpike)) for module in model.modules()),
        "sdk": len(state),
        "spk": seen.work["binary"],
        "inte": seen.work["integer"],
        "real": seen.work["real"],
        "macs": seen.work["binary"] + seen.work["integer"] + seen.work["real"],
        "mm": seen.work["attention"],
        "unused": sum(unused),
        "weights": sum(weights),
        "wl": len(weights),
        "T": description["timesteps"],
    }
    differences = [f"{key}: {value}, listed {summary[key]}" for key, value in found.items() if value != int(summary[key])]
    keys = reference / f"{name}.state_dict.txt"
    if keys.exists():
        lines = [line.split("\t")[:2] for line in keys.read_text().splitlines()]
        ours = [[key, str(list(value.shape))] for key, value in state.items()]
        differences += [f"state dict: {a}, listed {b}" for a, b in zip(sorted(ours), sorted(lines)) if a != b]
    differences += compare_layers(seen, *listed(reference / f"{name}.csv"), description["timesteps"])
    return differences


def compare_layers(seen, layers, scales, timesteps):
    # A classifier behind the mean over timesteps runs once.
    ours = [(name, values * timesteps, constants) for name, values, constants in seen.layers]
    if ours[-1] != layers[-1]:
        ours[-1] = seen.layers[-1]
    differences = [f"layer {a}, listed {b}" for a, b in zip(ours, layers) if a != b]
    if len(ours) != len(layers):
        differences.append(f"{len(ours)} layers, listed {len(layers)}")
    if seen.attention != scales:
        differences.append(f"attention scales {seen.attention}, listed {scales}")
    return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    with (args.reference / "SUMMARY.csv").open() as file:
        summary = {row["model"]: row for row in csv.DictReader(file)}
    torch.manual_seed(0)
    wrong = 0
    known = descriptions()
    for name in sorted(set(known) | set(summary)) if not args.names else args.names:
        differences = check(name, known[name], args.reference, summary[name])
        print(f"{name}: {len(differences) or 'no'} differences", flush=True)
        for difference in differences[:10]:
            print(f"  {difference}")
        wrong += bool(differences)
    print(f"{wrong} of {len(args.names or known)} variants differ")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()

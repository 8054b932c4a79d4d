"""Checks the bundled descriptions of published networks against listings of the originals.

    OMP_NUM_THREADS=1 python check_counts.py REFERENCE [NAME ...]

REFERENCE holds SUMMARY.csv (totals), NAME.csv (every operation in order) and, for some variants,
NAME.state_dict.txt (keys and shapes). Runs one timestep of each variant on random data and compares
totals of parameters, neurons and operations per timestep; names and shapes of the state dict; and,
layer by layer in order of execution, the name, the size of the output, kernel, stride, padding, groups
and bias, the threshold and time constant of neurons, heads and scale of attention. Exit status 1 if
anything differs.
"""

import argparse
import ast
import csv
import math
import sys
from pathlib import Path

import torch
from torch import nn

from blocks import Lif, MultiSpike, Product
from build import build
from families.spike_driven_v2 import NormAndPad
from testing import descriptions, random_input, randomize
from weights import WEIGHT_LAYERS, is_unread

# Layers that listings hold, and what these call them.
LISTED = {
    nn.Conv1d: "Conv1d",
    nn.Conv2d: "Conv2d",
    nn.Linear: "Linear",
    nn.BatchNorm1d: "BatchNorm1d",
    nn.BatchNorm2d: "BatchNorm2d",
    nn.MaxPool2d: "MaxPool2d",
    nn.MaxPool3d: "MaxPool3d",
    NormAndPad: "BNAndPadLayer",
    Lif: "MultiStepLIFNode",
    MultiSpike: "MultiSpike",
}
# Bundled names of variants that listings call otherwise.
BUNDLED = {
    "qkformer_4-256_cifar10dvs_mlp1": "qkformer_4-256_cifar10dvs",
    "sdtv2_31M_8_384": "sdtv2_31M",
    "sdtv2_55M_8_512": "sdtv2_55M",
    "sdtv2_5M_dims_32_64_128_192": "sdtv2_5M",
    "sdtv3_l_19M": "sdtv3_19M",
    "sdtv3_m_10M": "sdtv3_10M",
    "sdtv3_s_5M": "sdtv3_5M",
    "sdtv3_t": "sdtv3_3M",
}
# Columns of a listing that hold the constants of an operation.
COLUMNS = {
    "MultiStepLIFNode": ("v_th", "tau"),
    "MultiSpike": ("norm",),
    "Conv1d": ("kernel", "stride", "pad", "groups", "bias"),
    "Conv2d": ("kernel", "stride", "pad", "groups", "bias"),
    "MaxPool2d": ("kernel", "stride", "pad"),
    "MaxPool3d": ("kernel", "stride", "pad"),
    "Linear": ("bias",),
}


class Observation:
    """What one forward pass executes: layers in order, work by what meets the weights, neurons."""

    def __init__(self, model, x):
        self.layers, self.attention, self.weights, self.neurons = [], [], [], 0
        self.work = {"binary": 0, "integer": 0, "real": 0, "attention": 0}
        for name, module in model.named_modules():
            # Part of the BNAndPadLayer that holds it.
            if type(module) in LISTED and not name.endswith(".body.1.bn"):
                module.register_forward_hook(self.layer(name))
            elif isinstance(module, Product):
                module.register_forward_hook(self.product)
        with torch.no_grad():
            model(x)

    def layer(self, name):
        def observe(module, inputs, output):
            self.layers.append((name, output.numel(), LISTED[type(module)], constants(module)))
            if isinstance(module, WEIGHT_LAYERS):
                self.work[kind(inputs[0])] += output.numel() * module.weight[0].numel()
                self.weights.append(sum(p.numel() for p in module.parameters()))
            elif isinstance(module, (Lif, MultiSpike)):
                self.neurons += output.numel()

        return observe

    def product(self, module, inputs, _output):
        """Multiply-accumulates of the two products, in the order of the original."""
        q, _, v = inputs
        tokens, width, values = q.shape[3] * q.shape[4], q.shape[2], v.shape[2]
        if module.query_key_first:
            self.work["attention"] += tokens * tokens * (width + values)
        else:
            self.work["attention"] += 2 * tokens * width * values // module.heads
        self.attention.append((module.heads, module.scale))


def kind(x):
    """As listings classify what meets the weights."""
    if torch.all((x == 0) | (x == 1)):
        return "binary"
    return "integer" if torch.all(x == x.round()) else "real"


def constants(module):
    """In the order of `COLUMNS`."""
    if isinstance(module, Lif):
        return [module.v_threshold, module.tau]
    if isinstance(module, MultiSpike):
        return [module.norm]
    if isinstance(module, nn.Linear):
        return [module.bias is not None]
    if not isinstance(module, (nn.Conv1d, nn.Conv2d, nn.MaxPool2d, nn.MaxPool3d)):
        return []
    sizes = (module.kernel_size, module.stride, module.padding)
    window = [size if isinstance(size, int) else list(size) for size in sizes]
    return [*window, module.groups, module.bias is not None] if isinstance(module, WEIGHT_LAYERS) else window


def read_listing(path):
    """Layers as `Observation` has them, for all timesteps, and heads and scales of attention."""
    layers, attention, heads = [], [], None
    with path.open() as file:
        for row in csv.DictReader(file):
            if row["op"] in LISTED.values():
                values = math.prod(ast.literal_eval(row["out_shape"]))
                listed = [ast.literal_eval(row[column]) for column in COLUMNS.get(row["op"], ())]
                layers.append((row["name"], values, row["op"], listed))
            elif row["op"] == "matmul":
                heads = ast.literal_eval(row["in_shape"])[-3]
            elif row["op"] == "mul" and row["arg"]:
                attention.append((heads, float(row["arg"])))
    return layers, attention


def neurons_not_listed(description):
    """The last neuron layer of an SSA block of QKFormer sees a tensor without a batch axis; the totals count
    it as if it had one channel."""
    family = description["family"]
    if family[""] != "QkFormer":
        return 0
    tokens = (description["input"]["shape"][1] // (4 if family["style"] == "Cifar" else 16)) ** 2
    return family["depths"][2] * (family["dim"] - 1) * tokens


def compare_totals(description, model, seen, summary):
    unread = [p.numel() for key, p in model.named_parameters() if is_unread(key)]
    work = seen.work
    found = {
        "T": description["timesteps"],
        "params": sum(p.numel() for p in model.parameters()),
        "unused": sum(unread),
        "weights": sum(seen.weights),
        "wl": len(seen.weights),
        "lif": sum(kind in ("MultiStepLIFNode", "MultiSpike") for _, _, kind, _ in seen.layers),
        "neurons": seen.neurons - neurons_not_listed(description),
        "macs": work["binary"] + work["integer"] + work["real"],
        "mm": work["attention"],
        "spk": work["binary"],
        "inte": work["integer"],
        "real": work["real"],
        "sdk": len(model.state_dict()),
    }
    different = [key for key, value in found.items() if value != int(summary[key])]
    return [f"{key}: {found[key]}, listed {summary[key]}" for key in different]


def compare_state_dict(model, path):
    listed = sorted(line.split("\t")[:2] for line in path.read_text().splitlines())
    ours = sorted([key, str(list(value.shape))] for key, value in model.state_dict().items())
    return [f"state dict: {a}, listed {b}" for a, b in zip(ours, listed) if a != b]


def compare_layers(seen, layers, attention, timesteps):
    ours = [(name, values * timesteps, *rest) for name, values, *rest in seen.layers]
    if layers[-1][1] == seen.layers[-1][1]:
        # A classifier behind the mean over timesteps runs once.
        ours[-1] = seen.layers[-1]
    differences = [f"layer {a}, listed {b}" for a, b in zip(ours, layers) if a != b]
    if len(ours) != len(layers):
        differences.append(f"{len(ours)} layers, listed {len(layers)}")
    if seen.attention != attention:
        differences.append(f"heads and scales of attention {seen.attention}, listed {attention}")
    return differences


def check(name, description, reference, summary):
    """Differences, as text."""
    model = randomize(build({**description, "timesteps": 1}), 0)
    seen = Observation(model, random_input(description, 1))
    differences = compare_totals(description, model, seen, summary)
    keys = reference / f"{name}.state_dict.txt"
    if keys.exists():
        differences += compare_state_dict(model, keys)
    layers, attention = read_listing(reference / f"{name}.csv")
    return differences + compare_layers(seen, layers, attention, description["timesteps"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference", type=Path)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with (args.reference / "SUMMARY.csv").open() as file:
        summary = {row["model"]: row for row in csv.DictReader(file)}
    known = descriptions()
    names = args.names or summary
    wrong = 0
    for name in names:
        description = known[BUNDLED.get(name, name)]
        differences = check(name, description, args.reference, summary[name])
        print(name, f"{len(differences) or 'no'} differences", flush=True)
        for difference in differences[:10]:
            print(f"  {difference}")
        wrong += bool(differences)
    print(f"{wrong} of {len(names)} variants differ")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

"""Quantizes the bundled model once more, by every scheme, and compares with what `spiq export golden` writes.

    OMP_NUM_THREADS=1 python check_quantizer.py --spiq ../../target/release/spiq

Compared are the codes of all weights, the biases, fraction bits, thresholds, discarded membrane bits and
requantizers. The ranges that `spiq` calibrated (the residual format) are taken from the bundle.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

import bundle
import layers
import quantizer

ROOT = Path(__file__).resolve().parents[2]
MODEL = "sdtv1_2-64_fashion"
MEAN, STD = [0.2860], [0.3530]
MEMBRANE_BITS = 10


def schemes():
    """Every kind of scheme, as (setting text, fields)."""
    for bits, scale, granularity, clip in itertools.product(
        (2, 4, 8, 16), ("Free", "Pow2"), ("Layer", "Channel"), ("Max", "Mse")
    ):
        fields = {"bits": bits, "scale": scale, "granularity": granularity, "clip": clip}
        yield {"kind": "Uniform"} | fields
    for bits in (3, 8):
        yield {"kind": "UnitFloor", "bits": bits}
    for bits, scale, granularity in itertools.product((2, 3, 4, 5), ("Free", "Pow2"), ("Layer", "Channel")):
        yield {"kind": "PowerOfTwo", "bits": bits, "scale": scale, "granularity": granularity}
    for name, widths in quantizer.LEVELS.items():
        for bits, scale, granularity, clip in itertools.product(
            widths, ("Free", "Pow2"), ("Layer", "Channel"), ("Max", "Mse")
        ):
            fields = {"bits": bits, "scale": scale, "granularity": granularity, "clip": clip}
            yield {"kind": "Levels", "set": name} | fields


def setting(scheme):
    """The setting file of a scheme."""
    fields = ", ".join(f"{key}: {value}" for key, value in scheme.items() if key != "kind")
    words = f"membrane_bits: {MEMBRANE_BITS}, residual_bits: 16"
    return f'Setting(name: "check", weights: {scheme["kind"]}({fields}), {words})\n'


def folded(parameters, name):
    """Weights [out, in, k, k] and bias of a layer with its normalization, in float64."""
    real = {key: value.astype(np.float64) for key, value in parameters.items()}
    weights = real[f"{name}.weight"]
    weights = weights.reshape(*weights.shape, *[1] * (4 - weights.ndim))
    bias = real.get(f"{name}.bias", np.zeros(len(weights)))
    norm = name.replace("conv", "bn")
    if f"{norm}.running_var" in real:
        values = (real[f"{norm}.{key}"] for key in ("weight", "bias", "running_mean", "running_var"))
        weights, bias = quantizer.fold_norm(weights, bias, *values)
    return weights, bias


class Check:
    """Walks a bundle, knowing the worth of one step of every node per channel."""

    def __init__(self, parameters, scheme, manifest):
        self.parameters, self.scheme = parameters, scheme
        self.timesteps, self.nodes = manifest["timesteps"], manifest["nodes"]
        self.steps, self.compared, self.wrong = {}, 0, []

    def run(self):
        for node in self.nodes:
            op = node["operation"]
            check = getattr(self, op["type"], None)
            inputs = [self.steps[name] for name in node["inputs"]]
            self.steps[node["name"]] = check(node, op, *inputs) if check else [Fraction(1)] * node["shape"][0]
        return self

    def equal(self, node, what, recorded, computed):
        recorded, computed = np.broadcast_arrays(recorded, computed)
        self.compared += recorded.size
        if (recorded != computed).any():
            at = tuple(np.argwhere(recorded != computed)[0])
            differ = int((recorded != computed).sum())
            self.wrong.append(f"{node['name']} {what}: {differ} differ, at {at} {recorded[at]}, here {computed[at]}")

    def input(self, node, _op):
        return [Fraction(1, 256)] * node["shape"][0]

    def weighted(self, node, op, inputs):
        weights, bias = folded(self.parameters, node["name"])
        if node["inputs"] == [self.nodes[0]["name"]]:
            weights, bias = quantizer.fold_normalization(weights, bias, MEAN, STD)
        # The classes are compared with one another.
        scheme = self.scheme | ({"granularity": "Layer"} if node["name"] == "head" else {})
        if scheme["kind"] != "UnitFloor" and node["name"] != "head":
            weights = quantizer.without_dead_channels(weights, bias)
        scheme = quantizer.at_best_base(weights, scheme)
        codes, lsb = quantizer.quantize(weights, scheme)
        f = quantizer.default_fraction_bits([Fraction(s) * inputs[0] for s in lsb])
        codes, lsb = quantizer.widen_steps(weights, bias, codes, lsb, scheme, 2.0**f / float(inputs[0]))
        steps = [Fraction(s) * inputs[0] for s in lsb]
        self.equal(node, "weights", op["weights"], codes)
        self.equal(node, "fraction bits", op["fraction_bits"], f)
        real = np.array([float(s) for s in steps])
        self.equal(node, "bias", op["bias"], quantizer.bias_codes(bias, f, real))
        return [s / 2**f for s in steps]

    def neuron(self, node, op, inputs):
        theta = Fraction(1, 2) if node["name"].endswith("talking_heads_lif") else Fraction(1)
        thresholds = quantizer.threshold_codes(theta, 2, 0, inputs)
        self.equal(node, "thresholds", op["thresholds"], np.minimum(thresholds, self.out_of_reach(node)))
        if "membrane" in op:
            discards = layers.discard_bits(op["thresholds"], 1, op["membrane"]["bits"])
            self.equal(node, "discards", op["membrane"]["discards"], discards)
        return [Fraction(1)] * node["shape"][0]

    def out_of_reach(self, node):
        """The smallest threshold that no potential g = V + X reaches."""
        return 2 * self.bound(node["inputs"][0]) + 1

    def bound(self, name):
        node = next(node for node in self.nodes if node["name"] == name)
        op = node["operation"]
        if op["type"] == "weighted":
            # Spikes are 1; a pixel is 0..=255 less the zero point.
            most = max(quantizer.zero_point(MEAN)[0], 255 - quantizer.zero_point(MEAN)[0])
            largest = int(most) if node["inputs"] == [self.nodes[0]["name"]] else 1
            sums = np.abs(op["weights"]).reshape(len(op["weights"]), -1).sum(axis=1) * largest
            return int(((sums << op["fraction_bits"]) + np.abs(op["bias"])).max())
        if "format" in op:
            return 2 ** (op["format"]["bits"] - 1)
        height, width = next(n for n in self.nodes if n["name"] == node["inputs"][0])["shape"][1:]
        return self.bound(node["inputs"][0]) * height * width if op["type"] == "sum_positions" else height * width

    def max_pool(self, _node, _op, inputs):
        return inputs

    def requantize(self, node, op, inputs):
        self.scales(node, op, inputs)
        return [Fraction(1, 2 ** op["format"]["fraction_bits"])] * len(inputs)

    def add_membrane(self, node, op, stream, branch):
        self.scales(node, op, branch)
        return stream

    def scales(self, node, op, steps):
        pairs = [quantizer.requantizer(step * 2 ** op["format"]["fraction_bits"]) for step in steps]
        self.equal(node, "multipliers", op["multipliers"], np.array([m for m, _ in pairs]))
        self.equal(node, "shifts", op["shifts"], np.array([s for _, s in pairs]))

    def sum_positions(self, node, _op, inputs):
        before = next(n for n in self.nodes if n["name"] == node["inputs"][0])
        return [s / (before["shape"][1] * before["shape"][2]) for s in inputs]


def check(spiq, parameters, scheme, scratch):
    """Exports the model with a setting and compares; prints one line, returns (compared, different)."""
    file, out = scratch / "check.ron", scratch / "bundle"
    file.write_text(setting(scheme))
    command = [spiq, "export", "golden", "--out", str(out), "--quant", str(file), "--limit", "1"]
    subprocess.run(command, check=True, capture_output=True)
    found = Check(parameters, scheme, bundle.read(out)).run()
    print(f"{' '.join(map(str, scheme.values()))}: {found.compared} compared, {len(found.wrong)} parts differ")
    print("".join(f"  {line}\n" for line in found.wrong), end="", flush=True)
    return found.compared, len(found.wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spiq", required=True)
    args = parser.parse_args()
    parameters = load_file(ROOT / "models" / f"{MODEL}.safetensors")
    compared = different = 0
    for scheme in schemes():
        with tempfile.TemporaryDirectory() as scratch:
            counts = check(args.spiq, parameters, scheme, Path(scratch))
            compared, different = compared + counts[0], different + counts[1]
    print(f"{compared} integers compared, {different} parts differ")
    return int(different > 0 or compared == 0)


if __name__ == "__main__":
    sys.exit(main())

"""Converts a netx file of Lava-DL (.net) to a model description of spiq and its weights. Needs requirements-hdf5.txt.

    python netx_import.py --timesteps 32 network.net network.ron

writes network.ron and network.safetensors with the integers of the file, which run as they are at the settings int8
and int16. The layout is that of lava.lib.dl.slayer.block.base (export_hdf5) and lava.lib.dl.netx.hdf5 (Network).
docs/formats.md says what becomes of each layer.
"""

import argparse
import pathlib

import numpy as np

import hdf5
from layers import Network, Word, shape_of, sides
from refusal import Refused, run

# Weights that Lava holds: 8 bits and a sign, others it clips.
WEIGHTS = (-256, 255)
# Spikes that a readout of ones counts.
MAX_COUNTED = 4096


class Importer:
    """Turns the layers of a file into layers of spiq; `shape` is that of what the last one yields."""

    def __init__(self, path, given):
        self.path, self.given = path, given
        self.network, self.shape, self.counts = None, None, False

    def layer(self, index, fields):
        kind = fields.text("type")
        method = getattr(self, f"add_{kind}", None)
        if kind not in KINDS:
            fields.refuse("type", f"{kind}: not built; {', '.join(KINDS)} are")
        method(f"layer{index}", fields)

    def start(self, fields, shape):
        """The input of the network."""
        if self.given is not None and np.prod(self.given) != np.prod(shape):
            fields.refuse("shape", f"{list(shape)} is not --input-shape {','.join(map(str, self.given))}")
        self.shape = tuple(self.given or shape)
        self.network = Network(self.shape)

    def add_input(self, name, fields):
        if self.network is not None:
            fields.refuse("type", "is a second input")
        self.start(fields, self.extents(fields))
        if "neuron" not in fields:
            return
        # The input x becomes the bias 2 w x - w + b of a neuron, and no current is kept of a bias.
        weight = fields.wholes("weight", -(1 << 20))[0] if "weight" in fields else 64
        bias = fields.wholes("bias", -(1 << 20))[0] if "bias" in fields else 0
        channels = self.shape[0]
        weights = np.full((channels, 1, 1, 1), 2 * weight, np.int64)
        self.weighted(name, weights, channels, POINT, np.full(channels, bias - weight, np.int64))
        self.neuron(name, fields.child("neuron"), keeps_current=False)
        self.counts = True

    def extents(self, fields):
        shape = fields.wholes("shape", 1)
        shape = shape + [1] * (3 - len(shape))
        if len(shape) != 3:
            fields.refuse("shape", f"{len(shape)} dimensions, where channels, rows and columns are read")
        return tuple(shape)

    def add_flatten(self, name, fields):
        if self.shape is None:
            fields.refuse("type", "stands before any layer")

    def integers(self, fields, field):
        values = fields.numbers(field)
        if (values != np.floor(values)).any():
            fields.refuse(field, "holds values that are no integers")
        return values.astype(np.int64)

    def weights(self, fields):
        if isinstance(fields.get("weight"), dict):
            fields.refuse("weight", "complex weights are not built")
        weight = self.integers(fields, "weight")
        if weight.min() < WEIGHTS[0] or weight.max() > WEIGHTS[1]:
            fields.refuse("weight", f"{weight.min()} to {weight.max()} are not in {WEIGHTS[0]}..={WEIGHTS[1]}")
        if "delay" in fields and fields.numbers("delay").any():
            fields.refuse("delay", "delays of axons are not built")
        return weight

    def bias(self, fields, outputs):
        """The bias, which Lava adds to the voltage: that is a bias of the current only where none is kept."""
        if "bias" not in fields:
            return None
        bias = self.integers(fields, "bias").reshape(-1)
        if len(bias) != outputs:
            fields.refuse("bias", f"{len(bias)} values for {outputs} outputs")
        if bias.any() and fields.child("neuron").wholes("iDecay")[0] != 4096:
            fields.refuse("bias", "adds to the voltage of neurons that keep a current (iDecay is not 4096)")
        if "weight_exp" in fields.child("neuron"):
            fields.refuse("neuron/weight_exp", "scales of a bias are not built")
        return bias

    def add_dense(self, name, fields):
        weight = self.weights(fields)
        outputs = int(np.prod(fields.wholes("shape", 1)))
        if weight.size % outputs:
            fields.refuse("weight", f"{weight.size} values for {outputs} outputs")
        weight = weight.reshape(outputs, -1)
        if self.network is None:
            self.start(fields, (1, 1, weight.shape[1]))
        if weight.shape[1] != np.prod(self.shape):
            fields.refuse("weight", f"reads {weight.shape[1]} values of {np.prod(self.shape)}")
        bias = self.bias(fields, outputs)
        self.network.add("Linear", f"{name}.dense", out_features=outputs, flatten=True)
        self.store(f"{name}.dense", weight, np.zeros(outputs, np.int64) if bias is None else bias)
        self.shape = (outputs, 1, 1)
        self.neuron(name, fields.child("neuron"))

    def add_conv(self, name, fields):
        weight = self.weights(fields)
        if self.network is None:
            fields.refuse("type", "no input layer says the map that it reads")
        groups = fields.wholes("groups", 1)[0]
        if weight.ndim != 4 or weight.shape[1] * groups != self.shape[0] or weight.shape[0] % groups:
            fields.refuse("weight", f"{list(weight.shape)} in {groups} groups for {self.shape[0]} channels")
        window = self.window(fields, weight.shape[2:])
        bias = self.bias(fields, len(weight))
        self.weighted(name, weight, groups, window, bias)
        self.check_shape(fields)
        self.neuron(name, fields.child("neuron"))

    def add_pool(self, name, fields):
        """A sum over windows times a weight, which is a convolution of each channel by itself."""
        weight = self.weights(fields)
        if self.network is None:
            fields.refuse("type", "no input layer says the map that it reads")
        if weight.ndim != 4 or weight.shape[:2] != (1, 1):
            fields.refuse("weight", f"{list(weight.shape)} is not [1, 1, rows, columns]")
        window = self.window(fields, weight.shape[2:])
        self.weighted(name, np.repeat(weight, self.shape[0], 0), self.shape[0], window, None)
        self.check_shape(fields)
        self.neuron(name, fields.child("neuron"))

    def window(self, fields, kernel):
        """Kernel, stride, padding and dilation."""
        fitting = {"stride": fields.pair("stride", 1), "pad": fields.pair("padding")}
        window = {"kernel": tuple(kernel), **fitting, "dilation": fields.pair("dilation", 1)}
        if min(outputs(self.shape, window)) < 1:
            fields.refuse("weight", f"{list(kernel)} does not fit a map of {self.shape}")
        return window

    def weighted(self, name, weight, groups, window, bias):
        name = f"{name}.conv"
        written = {field: sides(value) for field, value in window.items()}
        self.network.add("Conv", name, out_channels=len(weight), groups=groups, bias=bias is not None, **written)
        self.store(name, weight, bias)
        self.shape = (len(weight), *outputs(self.shape, window))

    def check_shape(self, fields):
        if self.extents(fields) != self.shape:
            fields.refuse("shape", f"{list(self.extents(fields))} where {list(self.shape)} follows")

    def store(self, name, weight, bias):
        self.network.tensors[f"{name}.weight"] = weight
        if bias is not None:
            self.network.tensors[f"{name}.bias"] = bias

    def neuron(self, name, fields, keeps_current=True):
        """A neuron of Loihi; Lava's `du` is iDecay - 1."""
        kind = fields.text("type")
        if kind == "SDNN":
            fields.refuse("type", "SDNN: sigma-delta neurons and delta encodings are not built")
        if kind not in ("CUBA", "LOIHI"):
            fields.refuse("type", f"{kind}: not built; CUBA and LOIHI are")
        current, voltage = (self.share(fields, field) for field in ("iDecay", "vDecay"))
        if not keeps_current:
            current = 4096
        if not 1 <= current <= 4096 or not 0 <= voltage <= 4096:
            fields.refuse("iDecay", f"{current}, and vDecay {voltage}: not 1 to 4096 and 0 to 4096 parts of 4096")
        if "refDelay" in fields and self.share(fields, "refDelay") != 1:
            fields.refuse("refDelay", f"{self.share(fields, 'refDelay')}: refractory neurons are not built")
        if "gradedSpike" in fields and fields.numbers("gradedSpike").any():
            fields.refuse("gradedSpike", "graded spikes are not built")
        leak = Word(f"Loihi(voltage_decay: {voltage}, current_decay: {current - 1})")
        threshold = float(self.share(fields, "vThMant"))
        if threshold <= 0:
            fields.refuse("vThMant", f"{threshold:g} is not above 0")
        self.network.add("Neuron", name, threshold=threshold, leak=leak, fire=Word("AboveThreshold"))

    def share(self, fields, field):
        """The one value of all neurons."""
        values = set(fields.wholes(field))
        if len(values) != 1:
            fields.refuse(field, f"{sorted(values)}: neurons of a layer share one value")
        return values.pop()

    def readout(self):
        """The counts of the last spikes."""
        features = int(np.prod(self.shape))
        if features > MAX_COUNTED:
            raise Refused(self.path, "layer", f"{features} outputs are more than {MAX_COUNTED}")
        if self.shape[1:] != (1, 1):
            self.network.add("Linear", "count", out_features=features, flatten=True)
            self.store("count", np.eye(features, dtype=np.int64), np.zeros(features, np.int64))
        self.network.add("MeanTimesteps", "output")
        return features


KINDS = ("input", "flatten", "dense", "conv", "pool")
POINT = {"kernel": (1, 1), "stride": (1, 1), "pad": (0, 0), "dilation": (1, 1)}


def outputs(shape, window):
    """Rows and columns behind a window."""
    axes = zip(shape[1:], *(window[field] for field in ("kernel", "stride", "pad", "dilation")), strict=True)
    return [(size + 2 * pad - (kernel - 1) * apart - 1) // stride + 1 for size, kernel, stride, pad, apart in axes]


def indexed(top):
    """The layers of a file, 0 to n - 1."""
    layers = top.child("layer")
    for index in range(len(layers.fields)):
        yield index, layers.child(str(index))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--timesteps", type=int, required=True, help="timesteps of a sample, 1 to 64")
    parser.add_argument("--max", type=int, default=1, help="largest value of the input [1]")
    parser.add_argument("--zero-point", type=int, default=0, help="the value of an input of integers that is 0 [0]")
    parser.add_argument("--input-shape", type=shape_of, metavar="C,H,W", help="of an input that no layer says")
    parser.add_argument("net")
    parser.add_argument("ron")
    arguments = parser.parse_args()
    if not 1 <= arguments.timesteps <= 64 or not 1 <= arguments.max <= 65535:
        parser.error("--timesteps is not in 1..=64, or --max not in 1..=65535")
    if pathlib.Path(arguments.ron).suffix != ".ron":
        parser.error(f"{arguments.ron} does not end in .ron")
    importer = Importer(arguments.net, arguments.input_shape)
    for index, fields in indexed(hdf5.Fields(arguments.net, "", hdf5.read(arguments.net))):
        importer.layer(index, fields)
    if importer.network is None or not importer.network.layers:
        raise Refused(arguments.net, "layer", "holds no layers")
    classes, shape = importer.readout(), importer.network.shape
    zero = f", zero_point: {arguments.zero_point}" if arguments.zero_point else ""
    if zero and not (importer.counts and 0 <= arguments.zero_point <= arguments.max):
        parser.error("--zero-point is not in 0..=--max, or the input has no neuron: its values are events")
    kind = "Integers" if importer.counts else "Events"
    spec = f"{kind}(shape: {shape}, max: {arguments.max}{zero})"
    importer.network.write(arguments.ron, spec, arguments.timesteps, classes)


if __name__ == "__main__":
    run(main)

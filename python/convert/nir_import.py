"""Converts a NIR file to a model description of spiq and its weights. Needs requirements-hdf5.txt.

    python nir_import.py --timesteps 16 network.nir network.ron

writes network.ron and network.safetensors. Neurons of NIR are differential equations; they become those of one
step of Euler's method per timestep of --dt seconds. docs/formats.md says what becomes of each node.
"""

import argparse
import dataclasses
import pathlib
import re

import numpy as np

import linear_map
import nir_graph
import nir_neurons as neurons
import ron
from layers import Network, Word, narrow, shape_of, sides, text
from refusal import Refused, note, run

# Spikes that a readout of ones counts.
MAX_COUNTED = 4096


@dataclasses.dataclass
class Value:
    """What a node yields: `map` of the spikes or the input that the layer `layer` yields."""

    layer: str
    shape: tuple
    spikes: bool
    flat: bool = False
    # Integer spikes, which no pooling and no count over timesteps reads.
    levels: bool = False
    map: linear_map.LinearMap | None = None

    def counts(self):
        """True for counts of spikes, which neurons read as they are."""
        return self.map is None and not self.spikes and self.layer != "input"

    def extents(self):
        """Shape of what it yields."""
        return self.map.output() if self.map else self.shape

    def features(self):
        return int(np.prod(self.extents()))


class Importer:
    """Turns nodes into layers, in order of execution."""

    def __init__(self, path, arguments):
        self.path, self.arguments = path, arguments
        self.network, self.values, self.emitted = None, {}, {}
        self.integrators, self.readouts, self.last, self.classes = set(), {}, None, None
        over = arguments.readout
        self.over = None if over is None else over.capitalize()

    def node(self, node):
        """Adds what `node` is."""
        if node.kind not in KINDS:
            node.fields.refuse("type", f"{node.kind} has no layer")
        behind = next((name for name in node.reads if name in self.integrators), None)
        if behind is not None and node.kind != "Output":
            node.fields.refuse("", f"reads {behind}, a readout: only an Output may")
        add = getattr(self, f"add_{node.kind.lower()}")
        self.values[node.name] = add(node, node.fields, self.read(node))

    def read(self, node):
        """What `node` reads: one value, or the sum of spikes."""
        if node.kind == "Input" and not node.reads:
            return None
        if not node.reads:
            node.fields.refuse("", "reads nothing")
        values = [self.values[name] for name in node.reads]
        if len(values) == 1:
            return values[0]
        if any(value.map or not value.spikes or value.shape != values[0].shape for value in values):
            node.fields.refuse("", f"adds {', '.join(node.reads)}: only spikes of one shape are added")
        total = values[0].layer
        for i, value in enumerate(values[1:], 1):
            name = plain(f"{node.name}.sum{i}" if i + 1 < len(values) else f"{node.name}.sum")
            total = self.network.add("Add", name, inputs=(total, value.layer))
        return dataclasses.replace(values[0], layer=total)

    def add_input(self, node, fields, value):
        if value is not None:
            return value
        if self.network is not None:
            fields.refuse("", "is a second input")
        shape = fields.wholes("shape", 1)
        shape = (shape[0], 1, shape[1]) if len(shape) == 2 else tuple(shape + [1] * (3 - len(shape)))
        if len(shape) != 3:
            fields.refuse("shape", f"{len(shape)} dimensions, where at most channels, rows and columns are read")
        flat = shape[1:] == (1, 1)
        given = self.arguments.input_shape
        if given is not None:
            if not flat or np.prod(given) != shape[0]:
                fields.refuse("shape", f"{list(shape)} is not --input-shape {','.join(map(str, given))} in one row")
            shape = given
        elif flat and shape[0] > 64:
            shape = (1, 1, shape[0])
        self.network = Network(shape)
        return Value("input", shape, False, flat)

    def add_output(self, node, fields, value):
        if self.last is not node:
            return value
        self.readout(node, fields, value)
        return None

    def add_flatten(self, node, fields, value):
        rank = 1 if value.flat else 3
        first, last = (int(fields.numbers(field).reshape(-1)[0]) for field in ("start_dim", "end_dim"))
        # PyTorch counts the batch, NIR does not; a whole map is meant by both 0 and 1.
        if first not in (0, 1) or last not in (-1, rank - 1, rank):
            fields.refuse("start_dim", f"dimensions {first} to {last} are not the whole map")
        return dataclasses.replace(value, flat=True)

    def add_linear(self, node, fields, value):
        return self.weights(node, value, self.dense(fields, value, plain(node.name), None))

    def add_affine(self, node, fields, value):
        bias = fields.numbers("bias").reshape(-1)
        return self.weights(node, value, self.dense(fields, value, plain(node.name), bias))

    def dense(self, fields, value, name, bias):
        weight = fields.numbers("weight")
        if weight.ndim != 2:
            fields.refuse("weight", f"{weight.ndim} dimensions, where [out, in] are read")
        if not value.flat and value.extents()[1:] != (1, 1):
            fields.refuse("weight", f"reads a map of {value.extents()}, which no Flatten has flattened")
        if weight.shape[1] != value.features():
            fields.refuse("weight", f"reads {weight.shape[1]} values of {value.features()}")
        if bias is not None and len(bias) != len(weight):
            fields.refuse("bias", f"{len(bias)} values for {len(weight)} outputs")
        return linear_map.linear(name, value.extents(), weight, bias)

    def add_conv2d(self, node, fields, value):
        weight, bias = fields.numbers("weight"), fields.numbers("bias").reshape(-1)
        shape = self.map_shape(fields, value)
        groups = fields.wholes("groups", 1)[0]
        if weight.ndim != 4 or weight.shape[1] * groups != shape[0] or weight.shape[0] % groups:
            fields.refuse("weight", f"{list(weight.shape)} in {groups} groups for {shape[0]} channels")
        if len(bias) != len(weight):
            fields.refuse("bias", f"{len(bias)} values for {len(weight)} channels")
        bias, dilation = bias if bias.any() else None, fields.pair("dilation", 1)
        pad, stride = self.padding(fields, weight.shape[2:], dilation), fields.pair("stride", 1)
        layer = linear_map.LinearMap(plain(node.name), shape, weight, bias, stride, pad, groups, dilation)
        self.check_extents(fields, "weight", layer)
        return self.weights(node, value, layer)

    def padding(self, fields, kernel, dilation):
        if not isinstance(fields.get("padding"), str):
            return fields.pair("padding")
        if fields.text("padding") == "valid":
            return (0, 0)
        around = [(extent - 1) * apart for extent, apart in zip(kernel, dilation, strict=True)]
        if fields.text("padding") != "same" or any(total % 2 for total in around):
            fields.refuse("padding", f"{fields.text('padding')!r} around a kernel of {list(kernel)}")
        return tuple(total // 2 for total in around)

    def map_shape(self, fields, value):
        if value.flat and value.extents()[1:] != (1, 1):
            fields.refuse("", "reads what a Flatten has flattened")
        return value.extents()

    def check_extents(self, fields, field, layer):
        if min(layer.extents()) < 1:
            fields.refuse(field, f"{list(layer.weight.shape[2:])} does not fit a map of {layer.shape}")

    def add_sumpool2d(self, node, fields, value):
        return self.pool(node, fields, value, lambda kernel: 1.0)

    def add_avgpool2d(self, node, fields, value):
        return self.pool(node, fields, value, lambda kernel: 1.0 / (kernel[0] * kernel[1]))

    def pool(self, node, fields, value, factor):
        shape, kernel = self.map_shape(fields, value), fields.pair("kernel_size", 1)
        if kernel[0] > shape[1] or kernel[1] > shape[2]:
            fields.refuse("kernel_size", f"{list(kernel)} does not fit a map of {shape}")
        factors = np.full(shape[0], factor(kernel))
        stride, pad = fields.pair("stride", 1), fields.pair("padding")
        if value.map is None and value.spikes and not value.levels and pad[0] < kernel[0] and pad[1] < kernel[1]:
            return self.counted(node, value, (kernel, stride, pad), factors * kernel[0] * kernel[1])
        pool = linear_map.channelwise(plain(node.name), shape, kernel, factors, stride, pad)
        return self.weights(node, value, pool)

    def counted(self, node, value, window, factors):
        """The means of windows of spikes, times the factors of their channels."""
        kernel, stride, pad = window
        pool = linear_map.channelwise(plain(node.name), value.shape, kernel, factors, stride, pad)
        name = self.network.add(
            "AvgPool", plain(node.name), value.layer, size=sides(kernel), stride=sides(stride), pad=sides(pad)
        )
        means = Value(name, pool.output(), False, value.flat)
        if (factors == 1).all():
            return means
        return self.weights(node, means, linear_map.channelwise(f"{name}.scale", means.shape, (1, 1), factors))

    def add_scale(self, node, fields, value):
        shape = value.extents()
        factors = neurons.per_channel(fields, "scale", shape)
        if value.map and not value.map.depthwise:
            return dataclasses.replace(value, map=value.map.scaled(factors))
        return self.weights(node, value, linear_map.channelwise(plain(node.name), shape, (1, 1), factors))

    def weights(self, node, value, layer):
        """`layer` of `value`, joined with a map that is there already."""
        first = value.map
        flat = value.flat and layer.output()[1:] == (1, 1)
        if first is None:
            return dataclasses.replace(value, map=layer, flat=flat)
        joined = None
        if first.depthwise:
            joined = linear_map.behind(first, layer)
        elif layer.depthwise:
            joined = linear_map.before(first, layer)
        if joined is None:
            return self.grid(node, value, layer, flat)
        return dataclasses.replace(value, map=joined, flat=flat)

    def grid(self, node, value, layer, flat):
        """Two weight layers without a neuron between them, or a pooling that padding keeps apart from one."""
        before = self.emit(node, value)
        name = self.network.add("Requantize", f"{before}.grid", before, grid=Word("Activation"))
        note(f"node {node.name}: what it reads of {before} is rounded to a grid of activation_bits")
        return Value(name, value.map.output(), False, flat, map=layer)

    def mapped(self, node, value):
        """`value` as a map of something: spikes and inputs are one of ones."""
        if value.map is not None:
            return value
        name = f"{plain(node.name)}.input"
        ones = linear_map.channelwise(name, value.shape, (1, 1), np.ones(value.shape[0]))
        return dataclasses.replace(value, map=ones)

    def emit(self, node, value):
        """The weight layer that `value` is."""
        layer = self.mapped(node, value).map
        if layer.name in self.emitted:
            if self.emitted[layer.name] is not layer:
                node.fields.refuse("", f"reads {layer.name} in another way than a node before it")
            return layer.name
        self.emitted[layer.name] = layer
        bias = layer.bias
        if layer.reads_all():
            weight = layer.weight.reshape(len(layer.weight), -1)
            bias = np.zeros(len(weight)) if bias is None else bias
            self.network.add("Linear", layer.name, value.layer, out_features=len(weight), flatten=True)
        else:
            weight = layer.weight
            self.conv(layer, value.layer)
        self.store(layer.name, "weight", weight)
        if bias is not None:
            self.store(layer.name, "bias", bias)
        return layer.name

    def conv(self, layer, source):
        windows = {
            "kernel": layer.weight.shape[2:],
            "stride": layer.stride,
            "pad": layer.pad,
            "dilation": layer.dilation,
        }
        self.network.add(
            "Conv",
            layer.name,
            source,
            out_channels=len(layer.weight),
            **{field: sides(window) for field, window in windows.items()},
            groups=layer.groups,
            bias=layer.bias is not None,
        )

    def store(self, name, what, values):
        self.network.tensors[f"{name}.{what}"] = values
        if narrow(values).dtype == np.float64:
            note(f"{name}.{what}: not all values are single precision; spiq rounds them to it")

    def add_if(self, node, fields, value):
        gain = neurons.integrator_gain(fields, value.extents(), self.arguments.dt)
        return self.fires(node, fields, value, Word("None"), gain)

    def add_lif(self, node, fields, value):
        leak, gain, taus = neurons.lif(fields, value.extents(), self.arguments.dt)
        if leak is None:
            neurons.check_rest(fields)
            return self.step(node, value, neurons.positive(fields, "v_threshold", value.extents()) / gain)
        if taus is not None:
            self.store(plain(node.name), "tau", taus)
        return self.fires(node, fields, value, leak, gain)

    def add_cubalif(self, node, fields, value):
        neurons.check_rest(fields)
        leak, gain = neurons.cuba(fields, value.extents(), self.arguments.dt)
        if self.arguments.fire != "above" or self.arguments.reset != "zero":
            fields.refuse("type", "CubaLIF becomes a neuron of Loihi: above its threshold, to zero")
        note(f"node {node.name}: current and voltage are those of Loihi, of 24 bits and rounded towards 0")
        return self.fires(node, fields, value, leak, gain)

    def add_threshold(self, node, fields, value):
        return self.step(node, value, neurons.positive(fields, "threshold", value.extents()))

    def step(self, node, value, thresholds):
        """A neuron without memory: an integer spike of at most 1, which fires above 1/2."""
        value = self.mapped(node, value)
        before = self.emit(node, dataclasses.replace(value, map=value.map.scaled(0.5 / thresholds)))
        name = self.network.add("IntegerNeuron", plain(node.name), before, max=1, norm=1)
        return Value(name, value.extents(), True, value.flat, True)

    def fires(self, node, fields, value, leak, gain):
        """The neuron layer: thresholds in the unit of its potential."""
        shape, before = value.extents(), value.layer if value.counts() else self.emit(node, value)
        thresholds = neurons.positive(fields, "v_threshold", shape)
        own = metadata(fields)
        fire = own.get("fire") if own.get("fire") in FIRES.values() else FIRES[self.arguments.fire]
        reset = self.reset(node, fields, own, thresholds, gain)
        same_gain = len(np.unique(gain)) == 1
        if same_gain and len(np.unique(thresholds)) == 1:
            threshold, per_channel = float(thresholds[0] / gain[0]), False
        else:
            threshold = float(1 / gain[0]) if same_gain else 1.0
            per_channel = True
            self.store(plain(node.name), "threshold", thresholds if same_gain else thresholds / gain)
        name = self.network.add(
            "Neuron",
            plain(node.name),
            before,
            threshold=threshold,
            per_channel=per_channel,
            leak=leak,
            reset=reset,
            fire=Word(fire),
        )
        return Value(name, shape, True, value.flat)

    def reset(self, node, fields, own, thresholds, gain):
        """What a spike leaves: as the command says, or as spiq left it in the file; at v_reset other than 0, that."""
        value, given = neurons.rest(fields), own.get("reset", "")
        if value == 0:
            known = given in RESETS.values() or re.fullmatch(r"SubtractAmount\([0-9.e-]{1,24}\)", given)
            return Word(given if known else RESETS[self.arguments.reset])
        if self.arguments.reset != "zero":
            fields.refuse("v_reset", f"{value}, where spikes subtract")
        if len(np.unique(thresholds)) > 1 or len(np.unique(gain)) > 1:
            fields.refuse("v_reset", f"{value}, where each channel has a threshold or a unit of its own")
        if value >= thresholds[0]:
            fields.refuse("v_reset", f"{value} is not below the threshold, {thresholds[0]}")
        note(f"node {node.name}: membranes start at v_reset, {value}, which NIR does not say")
        return Word(f"To({text(float(value / gain[0]))})")

    def add_i(self, node, fields, value):
        """The last potential of an integrator is the sum of its inputs, T times their mean."""
        over = self.readout_of(fields)
        if over is not None:
            self.readouts[node.name] = Word("None"), None, over
        r = neurons.positive(fields, "r", value.extents())
        return self.integrated(node, value, r if (r != r[0]).any() else None)

    def add_li(self, node, fields, value):
        over = self.readout_of(fields)
        if over is None:
            fields.refuse("type", "LI yields a potential per timestep: --readout says which is read, last, mean or max")
        neurons.check_rest(fields)
        leak, gain, taus = neurons.li(fields, value.extents(), self.arguments.dt)
        self.readouts[node.name] = leak, taus, over
        return self.integrated(node, value, gain if (gain != 1).any() else None)

    def readout_of(self, fields):
        """Which potential is read: as the command says, or as spiq left it in the file."""
        own = metadata(fields).get("readout")
        return own if self.over is None and own in ("Last", "Mean", "Max") else self.over

    def add_cubali(self, node, fields, value):
        fields.refuse("type", "CubaLI: a readout has one membrane, and no current")

    def integrated(self, node, value, factors):
        self.integrators.add(node.name)
        value = self.mapped(node, value)
        return value if factors is None else dataclasses.replace(value, map=value.map.scaled(factors))

    def readout(self, node, fields, value):
        """One value per class: the mean over timesteps of the last weight layer or of the last spikes, or a potential."""
        if value.map is None:
            features = value.features()
            if value.layer == "input" or features > MAX_COUNTED:
                fields.refuse("", f"{features} outputs that are the input, or more than {MAX_COUNTED}")
            if value.shape[1:] == (1, 1) and not value.levels:
                self.network.add("MeanTimesteps", plain(node.name), value.layer)
                self.classes = features
                return
            name = f"{value.layer}.count"
            value = dataclasses.replace(value, map=linear_map.linear(name, value.shape, np.eye(features)))
        if value.map.output()[1:] != (1, 1):
            fields.refuse("", f"yields a map of {value.map.output()}, where one value per class is read")
        before = self.emit(node, value)
        none = (None, None, None)
        leak, taus, over = next((self.readouts[name] for name in node.reads if name in self.readouts), none)
        name = plain(node.name)
        if leak is None:
            self.network.add("MeanTimesteps", name, before)
        else:
            self.network.add("Readout", name, before, leak=leak, over=Word(over))
        if taus is not None:
            self.store(name, "tau", taus)
        self.classes = value.features()

    def graph(self, nodes):
        """All nodes of a graph."""
        read = {name for node in nodes for name in node.reads}
        ends = [node for node in nodes if node.name not in read]
        if len(ends) != 1 or ends[0].kind != "Output":
            named = ", ".join(f"{node.name} ({node.kind})" for node in ends)
            raise Refused(self.path, "nodes", f"ends in {named or 'nothing'}, where one Output is read")
        self.last = ends[0]
        for node in nodes:
            self.node(node)


KINDS = (
    "Input Output Flatten Linear Affine Conv2d SumPool2d AvgPool2d Scale IF LIF CubaLIF Threshold I LI CubaLI"
).split()
FIRES = {"above": "AboveThreshold", "at": "AtThreshold"}
RESETS = {"zero": "Zero", "subtract": "Subtract", "subtract-delayed": "SubtractDelayed", "none": "None"}


def plain(name):
    """A name for a layer: what spiq does not take in one becomes `_`."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return re.sub(r"^[.-]|\.$", "_", name)


def metadata(fields):
    """What an export of spiq left for its import."""
    own = fields.fields.get("metadata", {})
    return {key: x for key, x in own.items() if isinstance(x, str)} if isinstance(own, dict) else {}


def input_spec(arguments, shape, stored):
    """The input of the description: as the command says, or as spiq left it in the file."""
    if arguments.input is None and isinstance(stored, str):
        try:
            reader = ron.Reader(stored)
            spec = reader.value()
        except ValueError:
            spec = None
        known = isinstance(spec, dict) and spec.get("") in ("Image", "Events", "Integers")
        if known and reader.at == len(reader.tokens) and tuple(spec.get("shape", ())) == shape:
            return Word(stored)
    kind = {"events": "Events", "integers": "Integers"}[arguments.input or "events"]
    zero = f", zero_point: {arguments.zero_point}" if arguments.zero_point else ""
    return Word(f"{kind}(shape: {tuple(shape)}, max: {arguments.max}{zero})")


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--timesteps", type=int, help="timesteps of a sample, which NIR does not say")
    parser.add_argument("--dt", type=float, default=1e-4, help="seconds of a timestep [1e-4]; Norse has 1e-3")
    parser.add_argument(
        "--input", choices=["events", "integers"], help="a frame of counts per timestep, or one [events]"
    )
    parser.add_argument("--input-shape", type=shape_of, metavar="C,H,W", help="of an input that NIR holds in one row")
    parser.add_argument("--max", type=int, default=1, help="largest value of the input [1]")
    parser.add_argument("--zero-point", type=int, default=0, help="the integer of the input that stands for 0 [0]")
    parser.add_argument("--fire", choices=FIRES, default="above", help="at or above the threshold [above]")
    parser.add_argument("--reset", choices=RESETS, default="zero", help="what a spike leaves [zero]")
    parser.add_argument("--readout", choices=["last", "mean", "max"], help="which potential of LI is read")
    parser.add_argument("nir")
    parser.add_argument("ron")
    parsed = parser.parse_args(arguments)
    if not (0 < parsed.dt < float("inf")) or not (1 <= parsed.max <= 65535):
        parser.error("--dt is not above 0, or --max not in 1..=65535")
    if parsed.zero_point and (parsed.input != "integers" or not 0 <= parsed.zero_point <= parsed.max):
        parser.error("--zero-point is not in 0..=--max, or without --input integers")
    if pathlib.Path(parsed.ron).suffix != ".ron":
        parser.error(f"{parsed.ron} does not end in .ron")
    return parsed


def timesteps(arguments, stored):
    """Timesteps of a sample, as the command says, or as spiq left them in the file."""
    given = arguments.timesteps
    if given is None and isinstance(stored, str) and stored.isdecimal():
        given = int(stored)
    if given is None or not 1 <= given <= 64:
        raise Refused("--timesteps", f"{given} is not in 1..=64")
    return given


def main():
    arguments = parse()
    nodes, stored = nir_graph.read(arguments.nir)
    importer = Importer(arguments.nir, arguments)
    importer.graph(nodes)
    network = importer.network
    spec = input_spec(arguments, network.shape, stored.get("input"))
    network.write(arguments.ron, spec, timesteps(arguments, stored.get("timesteps")), importer.classes)


if __name__ == "__main__":
    run(main)

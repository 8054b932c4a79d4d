"""Converts a `Layers` description of spiq and its weights to a NIR file. Needs requirements-hdf5.txt.

    python nir_export.py network.ron network.nir

Layers that no node of NIR says are refused by name. Timesteps, the input and >= at a threshold, which NIR can not
say, are left in the metadata, where nir_import.py finds them.
"""

import argparse
import os
import pathlib

import nir
import numpy as np

import layers
from layers import Struct, Word
from refusal import Refused, note, run

# A neuron of Loihi decays by parts of this many.
PARTS = 4096


class Exporter:
    """Turns layers into nodes; `shapes` are those of what they yield, without a batch."""

    def __init__(self, path, model, tensors, dt):
        self.path, self.tensors, self.dt = path, tensors, dt
        shape = self.field(model, "input", "shape")
        if not isinstance(shape, list) or len(shape) != 3:
            raise Refused(path, "input.shape", "is not (channels, rows, columns)")
        self.nodes = {"input": nir.Input(np.array(shape))}
        self.shapes, self.edges, self.last = {"input": tuple(shape)}, [], "input"
        self.ended = False

    def field(self, model, name, inner):
        value = model.get(name)
        if not isinstance(value, dict) or inner not in value:
            raise Refused(self.path, f"{name}.{inner}", "is missing")
        return value[inner]

    def refuse(self, layer, field, message):
        raise Refused(self.path, f"layer {layer.get('name', layer[''])}", field, message)

    def add(self, layer):
        """Adds what `layer` is."""
        kind = layer[""]
        if kind == "Scope":
            return
        method = getattr(self, f"add_{kind.lower()}", None)
        if kind not in KINDS:
            self.refuse(layer, "", f"{kind} has no node in NIR")
        if self.ended:
            self.refuse(layer, "", "stands behind the readout, which is the end of a graph of NIR")
        if "name" not in layer:
            self.refuse(layer, "name", "is missing")
        method(layer)

    def source(self, layer):
        name = layer.get("input", self.last)
        if name not in self.shapes:
            self.refuse(layer, "input", f"no layer before it is called {name!r}")
        return name, self.shapes[name]

    def tensor(self, layer, what, shape):
        key = f"{layer['name']}.{what}"
        if key not in self.tensors:
            self.refuse(layer, what, f"the checkpoint has no {key}")
        if self.tensors[key].size != np.prod(shape):
            self.refuse(layer, what, f"{self.tensors[key].shape} is not {shape}")
        return self.tensors[key].reshape(shape)

    def check_norms(self, layer):
        if layer["norms"]:
            self.refuse(layer, "norms", "NIR has no batch normalization")
        if layer["layer_scale"]:
            self.refuse(layer, "layer_scale", "NIR has no factor behind a weight layer")

    def place(self, name, node, source, shape):
        self.nodes[name], self.shapes[name], self.last = node, shape, name
        self.edges.append((source, name))

    def add_conv(self, layer):
        self.check_norms(layer)
        source, (channels, *extents) = self.source(layer)
        outs, groups = layer["out_channels"], layer["groups"]
        kernel, stride, pad, dilation = (layers.pair(layer[field]) for field in WINDOW)
        if not groups or channels % groups:
            self.refuse(layer, "groups", f"{groups} for {channels} channels")
        weight = self.tensor(layer, "weight", (outs, channels // groups, *kernel))
        bias = self.tensor(layer, "bias", (outs,)) if layer["bias"] else np.zeros(outs, np.float32)
        node = nir.Conv2d(tuple(extents), weight, stride, pad, dilation, groups, bias)
        covered = [(size - 1) * apart + 1 for size, apart in zip(kernel, dilation)]
        self.place(layer["name"], node, source, (outs, *outputs(extents, covered, stride, pad)))

    def add_avgpool(self, layer):
        source, (channels, *extents) = self.source(layer)
        size, stride, pad = (layers.pair(layer[field]) for field in ("size", "stride", "pad"))
        node = nir.AvgPool2d(np.array(size), np.array(stride), np.array(pad))
        self.place(layer["name"], node, source, (channels, *outputs(extents, size, stride, pad)))

    def add_linear(self, layer):
        self.check_norms(layer)
        source, shape = self.source(layer)
        if shape[1:] != (1, 1) and not layer["flatten"]:
            self.refuse(layer, "flatten", "NIR has no linear layer of each position")
        outs, ins = layer["out_features"], int(np.prod(shape))
        weight, bias = self.tensor(layer, "weight", (outs, ins)), self.tensor(layer, "bias", (outs,))
        flat = f"{layer['name']}.flatten"
        self.place(flat, nir.Flatten({"input": np.array(shape)}, 0, -1), source, shape)
        self.place(layer["name"], nir.Affine(weight, bias), flat, (outs, 1, 1))

    def add_neuron(self, layer):
        source, shape = self.source(layer)
        own = self.own_shape(source, shape)
        threshold = np.full(shape[0], float(layer["threshold"]))
        if layer["per_channel"]:
            threshold = threshold * self.tensor(layer, "threshold", (shape[0],))
        node = self.dynamics(layer, spread(threshold, own))
        if layer["fire"] == "AtThreshold":
            node.metadata = {**node.metadata, "fire": "AtThreshold"}
            note(f"layer {layer['name']} fires at its threshold, nodes of NIR above it: the metadata says so")
        self.place(layer["name"], node, source, shape)

    def own_shape(self, source, shape):
        """Behind a linear layer, NIR has one dimension."""
        return shape if isinstance(self.nodes[source], nir.Conv2d | nir.AvgPool2d) else (shape[0],)

    def rest(self, layer):
        """The value that membranes leak toward and reset to; what subtracts is left in the metadata."""
        reset = layer["reset"]
        if isinstance(reset, dict) and reset[""] == "To":
            return float(reset["items"][0]), {}
        if reset == "Zero":
            return 0.0, {}
        written = reset if isinstance(reset, str) else f"{reset['']}({float(reset['items'][0])})"
        note(f"layer {layer['name']} resets by {written}, nodes of NIR to v_reset: the metadata says so")
        return 0.0, {"reset": written}

    def dynamics(self, layer, thresholds):
        """The equation of which one step of Euler's method per dt is `layer`."""
        one = np.ones_like(thresholds)
        value, metadata = self.rest(layer)
        rest = {"v_leak": one * value, "v_reset": one * value, "v_threshold": thresholds}
        if kind_of(layer["leak"]) == "Loihi":
            return self.loihi(layer, rest, one)
        t, decayed = self.time_constants(layer, one)
        if t is None:
            return nir.IF(r=one, v_threshold=thresholds, v_reset=one * value, metadata=metadata)
        return nir.LIF(tau=t * self.dt, r=one if decayed else t, metadata=metadata, **rest)

    def time_constants(self, layer, one):
        """tau in timesteps, for every neuron, and whether the input is decayed; None where nothing leaks."""
        leak = layer["leak"]
        kind = kind_of(leak)
        if kind == "None" or (kind == "Shift" and leak["items"][0] == 0):
            return None, False
        if kind == "HalfWithInput":
            return one * 2, True
        if kind == "Shift":
            return one / (1 - 2.0 ** -leak["items"][0]), False
        if kind == "Beta":
            return one / (1 - float(leak["items"][0])), False
        if kind == "Tau":
            return one * float(leak["tau"]), leak.get("decay_input", True)
        if kind == "Parametric":
            return spread(self.learned(layer, one.shape[0]), one.shape), leak["decay_input"]
        self.refuse(layer, "leak", f"{kind} has no node in NIR")

    def learned(self, layer, channels):
        """tau in timesteps as the checkpoint says, for every channel."""
        what = layer["leak"].get("of", "W")
        if what not in LEARNED:
            self.refuse(layer, "leak", f"{what} is none of {', '.join(LEARNED)}")
        shape = (channels,) if layer["leak"].get("per_channel") else ()
        t = LEARNED[what](self.tensor(layer, what.lower(), shape).astype(np.float64))
        if not (np.isfinite(t) & (t >= 1)).all():
            self.refuse(layer, "leak", f"{t.max()} is no time constant of NIR")
        return np.broadcast_to(t, (channels,))

    def add_readout(self, layer):
        source, shape = self.source(layer)
        t, decayed = self.time_constants(layer, np.ones(shape[0]))
        metadata = {"readout": str(layer["over"])}
        if t is None:
            node = nir.I(r=np.ones(shape[0]), metadata=metadata)
        else:
            node = nir.LI(t * self.dt, np.ones_like(t) if decayed else t, np.zeros_like(t), metadata=metadata)
        inner = f"{layer['name']}.potential"
        self.place(inner, node, source, shape)
        self.place(layer["name"], nir.Output(np.array([shape[0]])), inner, shape)
        self.ended = True

    def loihi(self, layer, rest, one):
        leak = layer["leak"]
        voltage, current = leak["voltage_decay"], leak["current_decay"] + 1
        if voltage == 0:
            self.refuse(layer, "leak", "voltage_decay 0 is a time constant without end")
        note(f"layer {layer['name']}: the equation of its neurons has neither the rounding nor the 24 bits of Loihi")
        mem, syn = PARTS / voltage, PARTS / current
        return nir.CubaLIF(
            tau_mem=one * mem * self.dt, tau_syn=one * syn * self.dt, r=one * mem, w_in=one * syn, **rest
        )

    def add_integerneuron(self, layer):
        source, shape = self.source(layer)
        if (layer["max"], layer["norm"]) != (1, 1):
            self.refuse(layer, "max", "NIR has no integer spikes")
        own = self.own_shape(source, shape)
        self.place(layer["name"], nir.Threshold(np.full(own, 0.5)), source, shape)

    def add_meantimesteps(self, layer):
        source, shape = self.source(layer)
        self.place(layer["name"], nir.Output(np.array([shape[0]])), source, shape)
        self.ended = True


KINDS = ("Conv", "AvgPool", "Linear", "Neuron", "IntegerNeuron", "MeanTimesteps", "Readout")
WINDOW = ("kernel", "stride", "pad", "dilation")
LEARNED = {"W": lambda w: 1 + np.exp(-w), "Tau": lambda tau: tau, "Beta": lambda beta: 1 / (1 - np.clip(beta, 0, 1))}


def kind_of(value):
    """The name of a value of RON, with fields or without."""
    return value if isinstance(value, str) else value[""]


def spread(values, shape):
    """Values of channels, for every neuron of a map of `shape`."""
    return np.broadcast_to(np.reshape(values, (-1, *[1] * (len(shape) - 1))), shape).copy()


def outputs(extents, window, stride, pad):
    """Rows and columns behind windows."""
    axes = zip(extents, window, stride, pad, strict=True)
    return [(extent + 2 * around - size) // step + 1 for extent, size, step, around in axes]


def structure(value):
    """What was read of a description, to be written again."""
    if isinstance(value, dict):
        return Struct(value[""], **{key: structure(x) for key, x in value.items() if key})
    return tuple(map(structure, value)) if isinstance(value, list) else value


def input_text(spec):
    """The input of a description as RON; lists of numbers stay lists, a shape is a tuple."""
    fields = {key: value if key in ("mean", "std") else structure(value) for key, value in spec.items() if key}
    return layers.text(Struct(Word(spec[""]), **fields))


def convert(path, dt):
    """The NIR graph of the description at `path`."""
    model, described, tensors = layers.read(path)
    exporter = Exporter(path, model, tensors, dt)
    for layer in described:
        try:
            exporter.add(layer)
        except (KeyError, TypeError) as error:
            exporter.refuse(layer, error.args[0], "is missing, or is no number")
    if not exporter.ended:
        raise Refused(path, "family", "does not end in MeanTimesteps or a Readout")
    metadata = {"timesteps": str(model.get("timesteps")), "input": input_text(model["input"])}
    return nir.NIRGraph(exporter.nodes, exporter.edges, metadata, type_check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dt", type=float, default=1e-4, help="seconds of a timestep [1e-4]")
    parser.add_argument("ron")
    parser.add_argument("nir")
    arguments = parser.parse_args()
    if not 0 < arguments.dt < float("inf"):
        parser.error("--dt is not above 0")
    graph = convert(arguments.ron, arguments.dt)
    path = pathlib.Path(arguments.nir)
    staged = path.with_name(f".{path.name}.new")
    nir.write(staged, graph)
    os.replace(staged, path)


if __name__ == "__main__":
    run(main)

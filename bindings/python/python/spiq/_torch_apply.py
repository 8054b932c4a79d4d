"""Makes a module compute integers: what its layers are given in the place of their parameters and neurons."""

from collections import deque

import numpy as np
import torch

from . import _torch_layers as layers
from . import _torch_module as reading
from ._error import Error
from ._torch_neurons import HandsOn, hands_on


def neurons_of(model):
    """Nodes of layers of neurons, in order."""
    return [node for node in model._inner.nodes if node["kind"] in ("neuron", "levels")]


class _Told:
    """Keeps what a layer of neurons reads, call by call, as ``[frames, C, N]``."""

    def __init__(self, told, layout):
        self.told, self.layout = told, layout

    def __call__(self, integers):
        self.told.append(self.layout.frames(integers, -1))

    def forget(self):
        self.told.clear()


class Applier:
    """What :func:`spiq.torch.apply_to` does, with a way back for each step."""

    def __init__(self, applied, model, integers, lie):
        self.applied, self.module, self.integers, self.lie = applied, applied.module, integers, lie
        self.nodes = {node["name"]: node for node in model._inner.nodes}
        self.about = model._inner.input
        self.prefix = reading.prefix_of(self.module, neurons_of(model)[0]["name"])
        # By the name of a bias, what is written for it.
        self.borders = {}
        # By the name of a layer of neurons, what stands in for it.
        self.neurons = {}
        self.rounding = applied._rounding = layers.Rounding()

    def run(self, parameters):
        self.read_pixels()
        self.stand_in_for_neurons()
        self.put_on_grids()
        self.set_parameters(parameters)
        self.module._spiq_applied = self.applied
        self.applied._undo.append(lambda: delattr(self.module, "_spiq_applied"))

    def part(self, name):
        try:
            return self.module.get_submodule(self.prefix + name)
        except AttributeError:
            raise Error(f"module: it has no layer {name}", file="module", layer=name) from None

    def hook(self, handle):
        self.applied._undo.append(handle.remove)

    def read_pixels(self):
        """The first layers read the integers of pixels."""
        mean, std, largest = self.about["mean"], self.about["std"], self.about["max"]
        for node in self.nodes.values():
            if node["kind"] != "weighted" or self.nodes[node["inputs"][0]]["kind"] != "input":
                continue
            read, part = self.integers[node["inputs"][0]], self.part(node["name"])
            flat = isinstance(part, torch.nn.Linear)
            pixels = layers.Pixels(read["codes"], read["steps"][0], mean, std, largest, flat)
            self.hook(part.register_forward_pre_hook(pixels))

    def put_on_grids(self):
        """What starts a residual stream or is added to one is rounded behind the layer that it comes from."""
        for name, read in self.integers.items():
            if read["requantize"] is None:
                continue
            source = self.source_of(name)
            last = (source["norms"] or [source["name"]])[-1]
            joins = read["requantize"]["joins"]
            requantize = self.requantizer(name, source, self.joined(name, source) if joins else None)
            self.hook(self.part(last).register_forward_hook(requantize))
            if source["norms"] and not joins:
                self.border(last, requantize)

    def requantizer(self, name, source, joined):
        read, steps = self.integers[name], self.integers[source["name"]]["steps"]
        return layers.Requantize(read["requantize"], steps, read["steps"][0], self.rounding, joined)

    def border(self, last, requantize):
        self.borders[f"{last}.bias"] = requantize.border

    def source_of(self, name):
        """The weight layer that yields what ``name`` puts on a grid."""
        reader, source = name, self.nodes[self.nodes[name]["inputs"][-1]]
        while True:
            readers = [n["name"] for n in self.nodes.values() if source["name"] in n["inputs"]]
            if readers != [reader] or source["kind"] not in ("max_pool", "weighted"):
                message = f"{name}: what it puts on a grid is read elsewhere, too, or is no convolution's"
                raise Error(f"module: {message}", file="module", layer=name)
            if source["kind"] == "weighted":
                return source
            # The largest of rounded values is the rounded largest.
            reader, source = source["name"], self.nodes[source["inputs"][0]]

    def joined(self, name, source):
        """What will have, call by call, the integers of the stream that a branch from ``source`` is added to.

        A neuron before the branch reads them. None where there is no such neuron, or where values are pooled
        between the branch and the sum.
        """
        stream, branch = self.nodes[name]["inputs"]
        before, neuron = [source], None
        while before and neuron is None and branch == source["name"]:
            node = before.pop(0)
            reads = node["name"] in self.neurons and node["inputs"] == [stream]
            neuron = node["name"] if reads else None
            before += [self.nodes[i] for i in node["inputs"] if i != stream]
        if neuron is None:
            return None
        told, layout = deque(), self.lie[neuron][0]
        self.neurons[neuron].listeners.append(_Told(told, layout))
        return told

    def stand_in_for_neurons(self):
        for name, (layout, many) in self.lie.items():
            arguments = dict(level=self.integers[name]["steps"][0], many=many, rounding=self.rounding)
            neuron, part = self.neuron(name, layout, arguments), self.part(name)
            self.neurons[name] = neuron
            if hands_on(part):
                # Its attribute `reset` is a tensor.
                self.replace(part, "forward", HandsOn(name, part, neuron).forward)
                self.lend_membrane(part)
            else:
                self.replace(part, "forward", neuron.forward)
                self.replace(part, "reset", neuron.reset)

    def lend_membrane(self, part):
        own = part.mem
        part.reset_mem()
        self.applied._undo.append(lambda: setattr(part, "mem", own))

    def neuron(self, name, layout, arguments):
        """What stands in for a layer of neurons."""
        read, steps = self.integers[name], self.integers[self.nodes[name]["inputs"][0]]["steps"]
        arguments = arguments | dict(steps=layers.along(steps, layout.channel_shape, torch.float64))
        if read["levels"] is None:
            return layers.Neuron(read["neuron"], layout.channel_shape, **arguments)
        return layers.Levels(read["levels"], layout.channel_shape, **arguments)

    def replace(self, part, method, other):
        """The layer stays what it is, since modules ask for its type; what it computes is another thing."""
        own = part.__dict__.get(method)
        part.__dict__[method] = other
        undo = part.__dict__.pop if own is None else part.__dict__.__setitem__
        arguments = (method,) if own is None else (method, own)
        self.applied._undo.append(lambda: undo(*arguments))

    def set_parameters(self, parameters):
        """Writes dequantized weights; thresholds are in the neurons."""
        for name, shape, values in parameters:
            owner, _, kind = name.rpartition(".")
            if kind == "threshold" and owner in self.lie:
                continue
            part = self.part(owner)
            if kind == "running_var":
                # Such that the normalization divides by 1, whatever it adds.
                values = np.full(shape, 1.0 - part.eps)
            if name in self.borders:
                values = self.borders[name](values.tolist())
            target = getattr(part, kind)
            if target is None:
                if kind == "weight" or not np.any(values):
                    continue
                raise Error(f"module: {name} is missing, and the integers have one", file="module", field=name)
            own = target.data
            if own.numel() != len(values):
                raise Error(f"module: {name}: {list(own.shape)} instead of {shape}", file="module", field=name)
            new = torch.from_numpy(np.ascontiguousarray(values)).view(own.shape)
            self.applied._undo.append(lambda target=target, own=own: setattr(target, "data", own))
            target.data = new.to(device=own.device, dtype=own.dtype)

"""From a module of PyTorch and back: it is read, it computes the integers of a setting, and its spikes are compared.

    import spiq

    model = spiq.Model.from_torch(net, family="Spikformer", ...)
    with spiq.torch.apply_to(net, model, "w4", data):
        net(images)                                   # the integers of the setting, in your own module
    print(spiq.torch.verify(net, model, "w4", data))  # every spike of every layer: equal, or the first that differs

PyTorch is imported when something here is called, and is no dependency of the package.
"""

import json
import tempfile
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from . import _spiq
from ._error import Error
from ._subject import Data, Model, Setting

__all__ = ["Applied", "Verification", "apply_to", "verify"]


def _parts():
    """What needs PyTorch."""
    try:
        import torch
    except ImportError as error:
        raise ImportError("spiq.torch needs PyTorch, which is not installed: pip install torch") from error
    from . import _torch_layers, _torch_module

    return torch, _torch_layers, _torch_module


class Applied:
    """A module that computes the integers of a setting, until :meth:`undo`; a context that ends with that.

    Attributes:
        module: The module.
        setting: The setting.
    """

    def __init__(self, module, model, setting):
        self.module, self.setting = module, setting
        self._key = setting.to_ron(), model.sha256
        self._undo = []
        self._rounding = None

    @property
    def distance(self):
        """How far a value was from an integer of the setting, at most: in steps, where 0.5 would be ambiguous."""
        return self._rounding.distance

    def undo(self):
        """Parameters, neurons and hooks are as they were before; a copy of the module has no way back."""
        if self._undo is None:
            raise Error("module: it is a copy of one that computed integers, which cannot be undone", file="module")
        while self._undo:
            self._undo.pop()()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.undo()

    def __reduce__(self):
        return _copied, (self.module, *self._key, self._rounding)

    def __repr__(self):
        return f"<spiq.torch.Applied {self.setting.name}>"


def _copied(module, setting, sha256, rounding):
    """What a copy of a module says of itself."""
    applied = Applied.__new__(Applied)
    applied.module, applied.setting, applied._key = module, Setting(setting), (setting, sha256)
    applied._undo, applied._rounding = None, rounding
    return applied


@dataclass
class Verification:
    """How what a module yields compares with what the library computes; ``str`` of it is a table."""

    setting: str
    images: int
    #: One dict per layer of neurons, in order: ``layer``, ``values``, ``differing``.
    layers: list = field(default_factory=list)
    #: The first spike that differs: ``layer``, ``image``, ``timestep``, ``channel``, ``position``; or None.
    first: dict | None = None
    #: Logits that differ by more than rounding, and images that are classified otherwise.
    logits_differing: int = 0
    classes_differing: int = 0
    #: The largest difference of logits, in parts of the largest logit.
    logit_difference: float = 0.0
    #: How far a value was from an integer, at most, in steps; None for the float network.
    distance: float | None = None

    @property
    def differing(self):
        """Spikes that differ."""
        return sum(row["differing"] for row in self.layers)

    @property
    def values(self):
        """Spikes compared."""
        return sum(row["values"] for row in self.layers)

    @property
    def equal(self):
        """True if every spike and every logit agrees."""
        return self.differing == 0 and self.logits_differing == 0

    def __str__(self):
        rows = [*self.layers, {"layer": "spikes", "values": self.values, "differing": self.differing}]
        width = max(len(row["layer"]) for row in rows)
        lines = [f"{row['layer']:{width}}  {row['values']:>12}  {row['differing']:>9}" for row in rows]
        about = f"setting {self.setting}, {self.images} images"
        logits = f"logits: {self.logits_differing} differ; classes: {self.classes_differing} differ"
        header = f"{'layer':{width}}  {'values':>12}  {'differing':>9}"
        where = () if self.first is None else ("first: " + ", ".join(f"{k} {v}" for k, v in self.first.items()),)
        return "\n".join([about, header, *lines, logits, *where])


def apply_to(module, model, setting, data, *, forward=None):
    """Makes ``module`` compute the integers of ``model`` at ``setting``.

    Weights and biases become what the integers are worth, batch normalizations add biases alone, and every layer of
    neurons finds the integers of its input, keeps its membrane in the word of the setting, and fires what the
    library fires. Images are still given as before; the first layer reads the integers of their
    pixels, and what starts or joins a residual stream is put on its grid. Everything between, such as attention,
    pooling, shortcuts and reshaping, stays the module's own. There is no gradient.

    Args:
        module: A ``torch.nn.Module`` in evaluation mode with the layers of ``model`` by its names.
        model: The :class:`spiq.Model` of it.
        setting: A :class:`spiq.Setting`, or what makes one; ``fp32`` has no integers.
        data: The :class:`spiq.Data` that the setting was searched or simulated on: ranges and calibrated roundings
            depend on its validation images. The first test image shows how values lie in the module.
        forward: ``forward(module, image)`` yields logits of an image ``[1, C, H, W]``, or of events ``[1, T, C, H,
            W]``; without, ``module(image)``.

    Returns:
        An :class:`Applied`, whose ``undo`` restores the module.

    Raises:
        Error: If the module is not that of the model; it is then as it was.
    """
    _, _, reading = _parts()
    model, setting = Model._of(model), Setting._of(setting)
    reading.check(module)
    if getattr(module, "_spiq_applied", None) is not None:
        raise Error("module: it computes the integers of a setting already: undo() first", file="module")
    prepared = _spiq.Prepared(model._inner, setting._inner, Data._of(data)._for(model), 1)
    integers = {node["name"]: node for node in prepared.integers()}
    lie = _layouts(module, model, data, forward)
    applied = Applied(module, model, setting)
    try:
        _Applier(applied, model, integers, lie).run(prepared.parameters())
    except BaseException:
        applied.undo()
        raise
    return applied


def verify(module, model, setting, data, *, limit=8, forward=None, dtype=None):
    """Runs ``module`` and the library on the same images, and compares every spike of every layer of neurons.

    A module that :func:`apply_to` changed is run as it is; another is changed for the run, and restored. At ``fp32``
    it is run with its own neurons, in floats: spikes whose potential is within rounding of a threshold may differ.

    Args:
        module, model, setting, data, forward: As of :func:`apply_to`.
        limit: Test images that are run, one by one.
        dtype: The type that the module computes in meanwhile; ``torch.float64`` without.

    Returns:
        A :class:`Verification`.
    """
    torch, _, reading = _parts()
    model, setting, data = Model._of(model), Setting._of(setting), Data._of(data)
    reading.check(module)
    done = getattr(module, "_spiq_applied", None)
    if setting.to_ron() is None:
        if done is not None:
            raise Error("module: it computes integers, and fp32 has none: undo() first", file="module")
        return _compare(module, model, setting, data, limit, forward, dtype or torch.float64)[0]
    if done is not None and done._key != (setting.to_ron(), model.sha256):
        message = f"it computes the integers of {done.setting.name}, of another model or setting"
        raise Error(f"module: {message}", file="module", field="setting")
    with ExitStack() as stack:
        # In which weights are rounded, where they are written for this run.
        stack.enter_context(reading.in_type(module, dtype or torch.float64))
        applied = done or stack.enter_context(apply_to(module, model, setting, data, forward=forward))
        applied._rounding.distance = 0.0
        verification, _ = _compare(module, model, setting, data, limit, forward, dtype or torch.float64)
        verification.distance = applied.distance
    return verification


def check_float(module, model, data, limit, forward):
    """Refuses a module whose float network is not that of ``model``, with the first layer that shows it."""
    found = verify(module, model, "fp32", data, limit=limit, forward=forward)
    for row in found.layers:
        if row["differing"] > 1e-3 * row["values"]:
            share = 100.0 * row["differing"] / row["values"]
            message = f"{share:.3g} % of its spikes are not those of the described network"
            raise Error(f"module: {row['layer']}: {message}", file="module", layer=row["layer"])
    if found.differing == 0 and found.logits_differing:
        raise Error("module: its spikes are those of the described network, and its logits are not", file="module")


def _neurons(model):
    """Nodes of layers of neurons, in order."""
    return [node for node in model._inner.nodes if node["kind"] in ("neuron", "levels")]


def _layouts(module, model, data, forward):
    """How values lie in every layer of neurons, as the float network shows it on one image."""
    torch, _, _ = _parts()
    return _compare(module, model, Setting("fp32"), data, 1, forward, torch.float64)[1]


def _compare(module, model, setting, data, limit, forward, dtype):
    """A :class:`Verification`, and by layer its layout and whether it is given all timesteps at once."""
    _, _, reading = _parts()
    data = Data._of(data)._for(model)
    if limit < 1:
        raise Error(f"limit: {limit} images are none", field="limit")
    prepared = _spiq.Prepared(model._inner, setting._inner, data, limit)
    nodes = _neurons(model)
    watch = reading.Watch(module, reading.layers_of(module, [n["name"] for n in nodes]), model.timesteps, forward)
    about, device = model._inner.input, reading.device_of(module)
    rows = {node["name"]: {"layer": node["name"], "values": 0, "differing": 0} for node in nodes}
    found = Verification(setting.name, len(prepared), list(rows.values()))
    lie = {}
    with tempfile.TemporaryDirectory() as folder:
        prepared.dump(folder)
        folder = Path(folder)
        step = json.loads((folder / "run.json").read_text())["logit_step"]
        expected = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in [*rows, "logits"]}
        with reading.in_type(module, dtype):
            for i in range(len(prepared)):
                image = reading.image_of(prepared.sample(i), about, dtype, device)
                logits = watch.run(image)
                for node in nodes:
                    _compare_layer(watch, node, expected[node["name"]][:, i], i, rows, found, lie)
                _compare_logits(logits, expected["logits"][i].astype(np.float64) * step, found)
        del expected
    return found, lie


def _compare_layer(watch, node, spikes, image, rows, found, lie):
    """Adds what a layer yields for one image to its row; the layout that fits best is that of the first image."""
    _, _, reading = _parts()
    name, (channels, height, width) = node["name"], node["shape"]
    positions = height * width
    extents, values, many = watch.fired(name, channels * positions)
    spikes = np.asarray(spikes).reshape(len(spikes), channels, positions)
    levels = np.rint(values * node["norm"])
    if name not in lie:
        ways = reading.layouts(extents, channels, positions)
        if not ways:
            message = f"{name} yields {list(extents)}, where {channels} channels of {height} x {width} do not lie"
            raise Error(f"module: {message}", file="module", layer=name)
        unlike = [np.count_nonzero(way.frames(levels, len(spikes)) != spikes) for way in ways]
        lie[name] = ways[int(np.argmin(unlike))], many
    unlike = lie[name][0].frames(levels, len(spikes)) != spikes
    rows[name]["values"] += unlike.size
    rows[name]["differing"] += int(np.count_nonzero(unlike))
    if found.first is None and unlike.any():
        timestep, channel, position = (int(index[0]) for index in np.nonzero(unlike))
        found.first = dict(layer=name, image=image, timestep=timestep, channel=channel, position=position)


def _compare_logits(logits, expected, found):
    if logits.shape != expected.shape:
        message = f"logits: {list(logits.shape)} of an image, and the model has {len(expected)} classes"
        raise Error(f"module: {message}", file="module", field="logits")
    scale = max(float(np.abs(expected).max()), 1e-30)
    difference = np.abs(logits - expected) / scale
    found.logit_difference = max(found.logit_difference, float(difference.max()))
    found.logits_differing += int(np.count_nonzero(difference > 1e-4))
    found.classes_differing += int(logits.argmax() != expected.argmax())


class _Told:
    """Keeps what a layer of neurons reads, call by call, as ``[frames, C, N]``."""

    def __init__(self, told, layout):
        self.told, self.layout = told, layout

    def __call__(self, integers):
        self.told.append(self.layout.frames(integers, -1))

    def forget(self):
        self.told.clear()


class _Applier:
    """What :func:`apply_to` does, with a way back for each step."""

    def __init__(self, applied, model, integers, lie):
        self.torch, self.layers, self.reading = _parts()
        self.applied, self.module, self.integers, self.lie = applied, applied.module, integers, lie
        self.nodes = {node["name"]: node for node in model._inner.nodes}
        self.about = model._inner.input
        self.prefix = self.reading.prefix_of(self.module, _neurons(model)[0]["name"])
        # By the name of a bias, what is written for it.
        self.borders = {}
        # By the name of a layer of neurons, what stands in for it.
        self.neurons = {}
        self.rounding = applied._rounding = self.layers.Rounding()

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
            flat = isinstance(part, self.torch.nn.Linear)
            pixels = self.layers.Pixels(read["codes"], read["steps"][0], mean, std, largest, flat)
            self.hook(part.register_forward_pre_hook(pixels))

    def put_on_grids(self):
        """What starts a residual stream or is added to one is rounded behind the layer that it comes from."""
        for name, read in self.integers.items():
            if read["requantize"] is None:
                continue
            source = self.source_of(name)
            last = (source["norms"] or [source["name"]])[-1]
            steps, step, joins = self.integers[source["name"]]["steps"], read["steps"][0], read["requantize"]["joins"]
            joined = self.joined(name, source) if joins else None
            requantize = self.layers.Requantize(read["requantize"], steps, step, self.rounding, joined)
            self.hook(self.part(last).register_forward_hook(requantize))
            if source["norms"] and not joins:
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
            node, read = self.nodes[name], self.integers[name]
            steps = self.layers.along(
                self.integers[node["inputs"][0]]["steps"], layout.channel_shape, self.torch.float64
            )
            arguments = dict(steps=steps, level=read["steps"][0], many=many, rounding=self.rounding)
            if read["levels"] is None:
                neuron = self.layers.Neuron(read["neuron"], layout.channel_shape, **arguments)
            else:
                neuron = self.layers.Levels(read["levels"], layout.channel_shape, **arguments)
            self.neurons[name] = neuron
            self.stand_in(self.part(name), neuron)

    def stand_in(self, part, neuron):
        """The layer stays what it is, since modules ask for its type; what it computes is another thing."""
        for method in ("forward", "reset"):
            own = part.__dict__.get(method)
            part.__dict__[method] = getattr(neuron, method)
            undo = part.__dict__.pop if own is None else part.__dict__.__setitem__
            arguments = (method,) if own is None else (method, own)
            self.applied._undo.append(lambda undo=undo, arguments=arguments: undo(*arguments))

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
            new = self.torch.from_numpy(np.ascontiguousarray(values)).view(own.shape)
            self.applied._undo.append(lambda target=target, own=own: setattr(target, "data", own))
            target.data = new.to(device=own.device, dtype=own.dtype)

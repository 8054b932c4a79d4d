"""Compares what a module yields with what the library computes."""

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from . import _spiq
from . import _torch_module as reading
from ._error import Error
from ._subject import Data, Setting
from ._torch_apply import neurons_of


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


def check_float(module, model, data, limit, forward):
    """Refuses a module whose float network is not that of ``model``, with the first layer that shows it."""
    data = Data._of(data)._for(model)
    found, _ = compare(module, model, Setting("fp32"), data, data, limit, forward, torch.float64)
    for row in found.layers:
        if row["differing"] > 1e-3 * row["values"]:
            share = 100.0 * row["differing"] / row["values"]
            message = f"{share:.3g} % of its spikes are not those of the described network"
            raise Error(f"module: {row['layer']}: {message}", file="module", layer=row["layer"])
    if found.differing == 0 and found.logits_differing:
        raise Error("module: its spikes are those of the described network, and its logits are not", file="module")


def layouts_of(module, model, data, forward):
    """How values lie in every layer of neurons, as the float network shows it on one image of ``data``."""
    return compare(module, model, Setting("fp32"), data, data, 1, forward, torch.float64)[1]


def compare(module, model, setting, data, images, limit, forward, dtype):
    """A :class:`Verification` on ``images`` at what ``data`` calibrates, both as the compiled part has them.

    And by layer its layout and whether it is given all timesteps at once.
    """
    if limit < 1:
        raise Error(f"limit: {limit} images are none", field="limit")
    prepared = _spiq.Prepared(model._inner, setting._inner, data, limit, images)
    nodes = neurons_of(model)
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

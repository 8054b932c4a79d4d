"""Networks as spiq describes them: `Layers` in a .ron file, and a .safetensors file with the weights beside it."""

import os
import pathlib
import re
import sys

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from refusal import Refused

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "oracle"))
import ron  # noqa: E402


class Word(str):
    """A name of Rust, which stands without quotes."""


class Struct(dict):
    """Named fields behind a name of Rust."""

    def __init__(self, name, /, **fields):
        super().__init__(fields)
        self.name = name


def text(value):
    """`value` as RON writes it."""
    if isinstance(value, Struct):
        return f"{value.name}({', '.join(f'{name}: {text(field)}' for name, field in value.items())})"
    if isinstance(value, Word):
        return str(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, tuple):
        return f"({', '.join(map(text, value))})"
    if isinstance(value, list):
        return f"[{', '.join(map(text, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)


# What a layer has where nothing is said; see docs/models.md.
DEFAULTS = {
    "Conv": {"stride": 1, "pad": 0, "dilation": 1, "groups": 1, "bias": False, "norms": [], "layer_scale": None},
    "Linear": {"flatten": False, "norms": [], "layer_scale": None},
    "MaxPool": {"pad": 0},
    "AvgPool": {"pad": 0},
    "Neuron": {
        "threshold": 1.0,
        "per_channel": False,
        "leak": "HalfWithInput",
        "reset": "Zero",
        "fire": "AtThreshold",
    },
}


# Values of an input, as in spiq.
MAX_INPUT = 1 << 27


class Network:
    """Layers in order, each reading the one before or the one that it names, and their tensors."""

    def __init__(self, shape):
        if np.prod(np.array(shape, float)) > MAX_INPUT:
            raise Refused("input", f"{shape}: more than {MAX_INPUT} values")
        self.shape, self.layers, self.tensors = shape, [], {}

    def add(self, kind, name, source=None, **fields):
        """Adds a layer that reads `source`; fields that say nothing new are left out."""
        if not re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_-])?", name):
            raise Refused(f"layer {name!r}", "is no name: ASCII letters, digits, '_', '.' and '-', at most 128")
        if name == "input" or any(layer["name"] == name for layer in self.layers):
            raise Refused(f"layer {name}", "the network has another layer of that name")
        last = self.layers[-1]["name"] if self.layers else "input"
        reads = {} if source in (None, last) else {"input": source}
        kept = {key: x for key, x in fields.items() if DEFAULTS.get(kind, {}).get(key) != x}
        self.layers.append(Struct(kind, name=name, **reads, **kept))
        return name

    def write(self, path, input_spec, timesteps, classes):
        """Writes the description `path` and the weights beside it, each complete before it has its name."""
        path = pathlib.Path(path)
        weights = path.with_suffix(".safetensors")
        name = re.sub(r"[^ -~]", "_", path.stem)[:128]
        lines = ",\n".join(f"        {text(layer)}" for layer in self.layers)
        content = (
            f"Model(\n    name: {text(name)},\n    family: Layers([\n{lines},\n    ]),\n    input: {input_spec},\n"
            f"    timesteps: {timesteps},\n    classes: {classes},\n    weights: File({text(weights.name)}),\n)\n"
        )
        staged = [path.with_name(f".{path.name}.new"), weights.with_name(f".{weights.name}.new")]
        staged[0].write_text(content)
        save_file({key: narrow(value) for key, value in self.tensors.items()}, staged[1])
        os.replace(staged[1], weights)
        os.replace(staged[0], path)


def shape_of(text):
    """Channels, rows and columns of an argument `C,H,W`."""
    shape = tuple(int(x) for x in text.split(","))
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(text)
    return shape


def sides(rows_columns):
    """Rows and columns as a description writes them: one number where both are the same."""
    rows, columns = map(int, rows_columns)
    return rows if rows == columns else (rows, columns)


def pair(value):
    """Rows and columns of what a description says: one number or two."""
    rows, columns = value if isinstance(value, list) else (value, value)
    return int(rows), int(columns)


def narrow(tensor):
    """The smallest type that holds every value: integers as they are, else single precision where that is exact."""
    tensor = np.ascontiguousarray(tensor)
    if tensor.dtype.kind in "iu":
        largest = max(abs(int(tensor.min())), abs(int(tensor.max()) + 1))
        return tensor.astype(np.int8 if largest <= 1 << 7 else np.int16 if largest <= 1 << 15 else np.int32)
    single = tensor.astype(np.float32)
    return single if (single == tensor).all() else tensor.astype(np.float64)


def read(path):
    """The description at `path`, its layers, and the tensors of its checkpoint."""
    path = pathlib.Path(path)
    try:
        model = ron.read(path)
    except (ValueError, UnicodeDecodeError) as error:
        raise Refused(path, error) from error
    family = model.get("family") if isinstance(model, dict) else None
    if not isinstance(family, dict) or family.get("") != "Layers":
        raise Refused(path, "family", "is not Layers([...])")
    layers = family.get("items", [[]])[0]
    for i, layer in enumerate(layers):
        if not isinstance(layer, dict) or "" not in layer:
            raise Refused(path, "family", f"layer {i} has no kind")
    weights = model.get("weights")
    if not isinstance(weights, dict) or weights.get("") != "File":
        raise Refused(path, "weights", "are not in a file")
    checkpoint = path.parent / str(weights["items"][0])
    try:
        tensors = load_file(checkpoint)
    except (SafetensorError, OSError) as error:
        raise Refused(checkpoint, error) from error
    return model, [{**DEFAULTS.get(layer[""], {}), **layer} for layer in layers], tensors

"""Golden bundles (docs/formats.md) as Python: reading, writing, comparing."""

import hashlib
import json
from pathlib import Path

import numpy as np

import network

#: Fields of an operation that are tensors, wherever they stand.
TENSORS = ("weights", "bias", "padding", "thresholds", "discards", "multipliers", "shifts", "token", "positions")


def read_tensor(entry, folder):
    """A tensor of the manifest: values in place, or a file whose hash is checked."""
    if "values" in entry:
        return np.array(entry["values"], np.int64).reshape(entry["shape"])
    data = (folder / entry["file"]).read_bytes()
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise ValueError(f"{folder / entry['file']}: not the file that the manifest was written for")
    return np.load(folder / entry["file"], allow_pickle=False).astype(np.int64)


def with_arrays(operation, folder):
    """The operation with arrays for tensors, also inside its parts."""
    found = {}
    for key, value in operation.items():
        if key in TENSORS:
            value = read_tensor(value, folder)
        elif isinstance(value, dict):
            value = with_arrays(value, folder)
        found[key] = value
    return found


def read(folder):
    """The manifest of the bundle in `folder`, with arrays for tensors."""
    folder = Path(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    if (manifest["schema"], manifest["version"]) != ("spiq-golden", 1):
        raise ValueError(f"{folder}: not a golden bundle of version 1")
    for node in manifest["nodes"]:
        node["operation"] = with_arrays(node["operation"], folder)
        for key in ("values", "membranes"):
            if key in node:
                node[key] = read_tensor(node[key], folder)
    return manifest


def inline(value):
    """Arrays as tensors whose values stand in the manifest."""
    if isinstance(value, np.ndarray):
        return {"shape": list(value.shape), "values": value.ravel().tolist()}
    if isinstance(value, dict):
        return {key: inline(v) for key, v in value.items()}
    return value


def write(folder, nodes, values, timesteps):
    """Writes nodes and what they yielded as one file, `folder`/manifest.json."""
    described = []
    for node in nodes:
        value = values[node["name"]]
        entry = node | {"shape": list(value.out.shape[2:]), "operation": inline(node["operation"])}
        entry |= {"values": inline(value.out), "saturations": value.saturations}
        if value.membranes is not None:
            entry["membranes"] = inline(value.membranes)
        described.append(entry)
    images = values[nodes[0]["name"]].out.shape[1]
    manifest = {"schema": "spiq-golden", "version": 1, "producer": "python/reference", "timesteps": timesteps}
    Path(folder).mkdir(parents=True, exist_ok=True)
    text = json.dumps(manifest | {"images": images, "nodes": described}, separators=(",", ":"))
    (Path(folder) / "manifest.json").write_text(text + "\n")


def differences(name, part, expected, got):
    """How many integers were compared, and a line for the first that differs, if one does."""
    if expected.shape != got.shape:
        return 0, f"{name}: {part} of shape {expected.shape} recorded, {got.shape} computed"
    wrong = np.argwhere(expected != got)
    if not len(wrong):
        return expected.size, None
    at = tuple(wrong[0])
    place = ", ".join(f"{axis} {i}" for axis, i in zip(("t", "image", "channel", "y", "x"), at))
    return expected.size, f"{name}: {len(wrong)} {part} differ, first at {place}: expected {expected[at]}, got {got[at]}"


def compare(manifest):
    """Runs the bundle from its input: integers compared, and one line per node and part that differs."""
    nodes = manifest["nodes"]
    values = network.run(nodes, nodes[0]["values"], manifest["timesteps"])
    compared, wrong = 0, []
    for node in nodes[1:]:
        value = values[node["name"]]
        parts = {"values": value.out, "membranes": value.membranes, "saturations": np.array(value.saturations)}
        for part, got in parts.items():
            if part in node:
                count, line = differences(node["name"], part, np.asarray(node[part]), got)
                compared += count
                wrong += [line] if line else []
    return compared, wrong

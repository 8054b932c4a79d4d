"""Runs a network of integer layers: nodes in order of execution, as docs/formats.md describes a golden bundle.

A node is a dict with "name", "inputs" (names of earlier nodes) and "operation", whose tensors are numpy arrays.
Values are [T, B, C, H, W]; a node that is the same at every timestep has one frame.
"""

from dataclasses import dataclass

import numpy as np

import layers


@dataclass
class Value:
    """What a node yields, the membranes of a neuron, and how many values a word could not hold."""

    out: np.ndarray
    membranes: np.ndarray | None = None
    saturations: int = 0


def together(*values):
    """The values with as many frames as the longest of them."""
    frames = max(len(v) for v in values)
    return [np.broadcast_to(v, (frames, *v.shape[1:])) for v in values]


def weighted(op, x, _timesteps):
    around = op["groups"], op.get("padding", 0), op.get("dilation", 1)
    acc = layers.accumulate(x, op["weights"], op["stride"], op["pad"], *around)
    word = op.get("accumulator")
    held, changed = layers.hold(acc, word["bits"], word["overflow"]) if word else (acc, 0)
    return Value(layers.preactivation(held, op["bias"], op["fraction_bits"]), None, changed)


def neuron(op, x, timesteps):
    x = np.broadcast_to(x, (timesteps, *x.shape[1:]))
    word = op.get("membrane", {"bits": None, "discards": 0})
    rule = {"strict": op["strict"], "bits": word["bits"], "discard": word["discards"]}
    rule |= {"multiplier": op.get("multipliers", op.get("multiplier", 1)), "amounts": op.get("amounts")}
    return Value(*layers.neuron(x, op["thresholds"], op["shift"], op["reset"], **rule))


def loihi(op, x, timesteps):
    x = np.broadcast_to(x, (timesteps, *x.shape[1:]))
    return Value(*layers.loihi(x, op["thresholds"], op["current_decay"], op["voltage_decay"]))


def readout(op, x, timesteps):
    x = np.broadcast_to(x, (timesteps, *x.shape[1:]))
    return Value(layers.readout(x, op["shift"], op.get("multipliers", op.get("multiplier", 1)), op["over"]))


def on_grid(x, op):
    held, changed = layers.hold(x, op["format"]["bits"], "saturate")
    return Value(held, None, changed)


def requantize(op, x, _timesteps):
    return on_grid(layers.requantize(x, op["multipliers"], op["shifts"]), op)


def add_membrane(op, stream, branch, _timesteps):
    if "multipliers" in op:
        branch = layers.requantize(branch, op["multipliers"], op["shifts"])
    return on_grid(sum(together(stream, branch)), op)


def class_token(op, x, _timesteps):
    rows = layers.tokens(x) + op.get("positions", 0)
    token = np.broadcast_to(op["token"], (*rows.shape[:2], 1, rows.shape[3]))
    held = on_grid(rows, op)
    held.out = np.concatenate([token, held.out], axis=2).swapaxes(2, 3)[:, :, :, None]
    return held


OPERATIONS = {
    "weighted": weighted,
    "neuron": neuron,
    "loihi": loihi,
    "levels": lambda op, x, _t: Value(layers.integer_spikes(x, op["thresholds"])),
    "readout": readout,
    "requantize": requantize,
    "add_membrane": add_membrane,
    "add_spikes": lambda _op, a, b, _t: Value(sum(together(a, b))),
    "or": lambda _op, a, b, _t: Value(np.bitwise_or(*together(a, b))),
    "and_not": lambda _op, a, b, _t: Value(layers.and_not(*together(a, b))),
    "max_pool": lambda op, x, _t: Value(layers.max_pool(x, op["size"], op["stride"], op["pad"])),
    "plane_pool": lambda op, x, _t: Value(layers.plane_pool(x, op["heads"])),
    "key_value_count": lambda _op, *inputs: Value(layers.key_value_count(*together(*inputs[:-1]))),
    "channel_count": lambda op, q, _t: Value(layers.channel_count(q, op["heads"])),
    "attention": lambda op, q, k, v, _t: Value(layers.attention(*together(q, k, v), op["heads"])),
    "mask": lambda _op, spikes, by, _t: Value(layers.mask(*together(spikes, by))),
    "class_token": class_token,
    "first_token": lambda _op, x, _t: Value(x.reshape(*x.shape[:3], -1, 1)[..., :1, :]),
    "sum_pool": lambda op, x, _t: Value(layers.sum_pool(x, op["size"], op["stride"], op["pad"])),
    "sum_positions": lambda _op, x, _t: Value(layers.sum_positions(x)),
    "sum_timesteps": lambda _op, x, timesteps: Value(layers.sum_timesteps(x, timesteps)),
}


def run_node(node, values, timesteps):
    """The value of `node`, given those of the nodes before it by name."""
    op = node["operation"]
    return OPERATIONS[op["type"]](op, *(values[name].out for name in node["inputs"]), timesteps)


def run(nodes, recorded_input, timesteps):
    """All values by name; the first node is the input."""
    values = {nodes[0]["name"]: Value(recorded_input)}
    for node in nodes[1:]:
        values[node["name"]] = run_node(node, values, timesteps)
    return values

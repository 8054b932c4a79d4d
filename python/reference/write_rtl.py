"""Writes random layers for rtl/run.sh, in the format of `spiq export rtl` (docs/formats.md).

    OMP_NUM_THREADS=1 python write_rtl.py --count 60 --seed 1 --out DIR && ../../rtl/run.sh DIR
"""

import argparse
from pathlib import Path

import numpy as np

import layers
from network import run_node
from random_networks import RandomNetwork


def signed_bits(*arrays):
    """Bits of the narrowest two's complement word that holds all values."""
    low, high = min(int(a.min()) for a in arrays), max(int(a.max()) for a in arrays)
    return 1 + max((-1 - low if low < 0 else low).bit_length(), high.bit_length() if high > 0 else 0)


def write_mem(path, values, bits):
    """One value per line, two's complement in whole hexadecimal digits."""
    digits = (bits + 3) // 4
    path.write_text("".join(f"{int(v) & (16**digits - 1):0{digits}x}\n" for v in np.ravel(values)))


def write_header(folder, **constants):
    lines = (f"localparam int {name.upper()} = {int(value)};\n" for name, value in constants.items())
    (folder / "layer.vh").write_text("".join(lines))


def write_steps(folder, name, values, bits):
    for t, frame in enumerate(values):
        write_mem(folder / f"{name}_t{t}.mem", frame, bits)


def neuron_constants(operation):
    return {
        "multiplier_bits": multiplier_bits(operation),
        "shift": operation["shift"],
        "soft_reset": operation["reset"] == "subtract",
        "delayed_reset": operation["reset"] == "subtract_delayed",
        "membrane_bits": operation["membrane"]["bits"],
    }


def multiplier_bits(operation):
    """Bits of the multipliers; 0 where one of 1 leaves a shift."""
    one = operation.get("multiplier", 1) == 1 and "multipliers" not in operation
    return 0 if one else max(1, int(np.max(multipliers(operation))).bit_length())


def multipliers(operation):
    return operation.get("multipliers", operation.get("multiplier", 1))


def amounts_of(operation):
    """What a spike subtracts, 0 of a hard reset."""
    if operation["reset"] == "zero":
        return np.zeros(1, np.int64)
    return layers.subtracted(operation["thresholds"], operation["strict"], operation.get("amounts"))


def write_state(folder, operation, channels, value):
    """Thresholds, discards, membranes and spikes of the neurons, and the widths they need."""
    thresholds = np.broadcast_to(operation["thresholds"], channels)
    widths = {"threshold_bits": signed_bits(thresholds), "v_bits": signed_bits(value.membranes)}
    amounts = np.broadcast_to(amounts_of(operation), channels)
    widths["amount_bits"] = signed_bits(amounts)
    write_mem(folder / "thresh.mem", thresholds, widths["threshold_bits"])
    write_mem(folder / "amount.mem", amounts, widths["amount_bits"])
    write_mem(folder / "multiplier.mem", np.broadcast_to(multipliers(operation), channels), 20)
    write_mem(folder / "discard.mem", np.broadcast_to(operation["membrane"]["discards"], channels), 8)
    write_steps(folder, "v", value.membranes, widths["v_bits"])
    write_steps(folder, "out", value.out, 1)
    return widths


def write_weighted(folder, spikes, weighted, neuron, timesteps):
    """A weight layer that reads `spikes`, with its neurons."""
    folder.mkdir(parents=True)
    x = run_node({"inputs": ["in"], "operation": weighted}, {"in": spikes}, timesteps)
    value = run_node({"inputs": ["x"], "operation": neuron}, {"x": x}, timesteps)
    weights, bias, f = weighted["weights"], weighted["bias"], weighted["fraction_bits"]
    sums = np.abs(weights).reshape(len(weights), -1).sum(axis=1)
    bound = (sums << f) + np.abs(bias)
    factor = {"shift": neuron["shift"], "multiplier": multipliers(neuron)}
    reach = bound.max() * layers.reach(**factor, timesteps=timesteps)
    reset = {key: neuron.get(key) for key in ("reset", "strict", "amounts")}
    reach = np.array([reach + layers.undershoot(neuron["thresholds"], highest=reach, **factor, **reset)])
    images, channels = spikes.out.shape[1:3]
    widths = {
        "weight_bits": signed_bits(weights),
        "accumulator_bits": signed_bits(sums, -sums),
        "x_bits": signed_bits(bound, -bound),
        "potential_bits": signed_bits(reach, -reach),
    }
    widths |= write_state(folder, neuron, len(weights), value)
    write_mem(folder / "w.mem", weights, widths["weight_bits"])
    write_mem(folder / "bias.mem", bias, widths["x_bits"])
    write_steps(folder, "in", spikes.out, 1)
    write_steps(folder, "x", np.broadcast_to(x.out, value.out.shape), widths["x_bits"])
    shapes = zip(("channels", "height", "width"), spikes.out.shape[2:], value.out.shape[2:])
    shape = {f"{side}_{axis}": n for axis, *both in shapes for side, n in zip(("in", "out"), both)}
    geometry = {key: weighted[key] for key in ("stride", "pad", "groups", "fraction_bits")}
    geometry["kernel"] = weights.shape[2]
    frames = {"timesteps": timesteps, "images": images}
    write_header(folder, **frames, **shape, **geometry, **neuron_constants(neuron), **widths)


def write_attention(folder, rng):
    """A random attention of scale 1/8 and threshold 0.5."""
    folder.mkdir(parents=True)
    timesteps, images, heads = (int(n) for n in rng.integers(1, 4, 3))
    size, width, value_width = (int(n) for n in rng.integers(1, 6, 3))
    rate = rng.uniform(0.2, 0.9)
    shape = (timesteps, images, heads * width, size, size)
    q, k = (rng.random((2, *shape)) < rate).astype(np.int64)
    v = (rng.random((*shape[:2], heads * value_width, size, size)) < rate).astype(np.int64)
    counts = layers.attention(q, k, v, heads)
    neuron = {"type": "neuron", "thresholds": np.array([8]), "shift": 1, "reset": "zero", "strict": False}
    neuron["membrane"] = {"bits": 16, "discards": np.array([0])}
    counted = type("Counted", (), {"out": counts})
    value = run_node({"inputs": ["x"], "operation": neuron}, {"x": counted}, timesteps)
    largest = np.array([size * size * width])
    widths = {"count_bits": int(largest[0]).bit_length(), "potential_bits": signed_bits(2 * largest)}
    widths |= write_state(folder, neuron, v.shape[2], value)
    for name, spikes in (("in_q", q), ("in_k", k), ("in_v", v)):
        write_steps(folder, name, spikes, 1)
    write_steps(folder, "x", counts, widths["count_bits"])
    place = {"timesteps": timesteps, "images": images, "heads": heads, "channels": q.shape[2], "height": size}
    place |= {"width": size, "value_channels": v.shape[2]}
    write_header(folder, **place, **neuron_constants(neuron), **widths)


def random_layers(rng):
    """(spikes, weighted, neuron, timesteps) of a random network, as far as RTL has units for them."""
    net = RandomNetwork(rng).grow(12)
    for node in net.nodes:
        if node["operation"]["type"] != "neuron" or "membrane" not in node["operation"]:
            continue
        weighted = net.node(node["inputs"][0])
        reads = weighted["operation"]["type"] == "weighted" and weighted["inputs"][0]
        plain = not {"accumulator", "padding"} & weighted["operation"].keys()
        if reads and plain and net.about[reads]["kind"] == "spikes":
            yield net.values[reads], weighted["operation"], node["operation"], net.timesteps


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, required=True, help="layers of each of the two kinds")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    written = 0
    while written < args.count:
        for spikes, weighted, neuron, timesteps in random_layers(rng):
            spikes.out = np.broadcast_to(spikes.out, (timesteps, *spikes.out.shape[1:]))
            write_weighted(args.out / f"weighted.{written}", spikes, weighted, neuron, timesteps)
            written += 1
    for i in range(args.count):
        write_attention(args.out / f"attention.{i}", rng)


if __name__ == "__main__":
    main()

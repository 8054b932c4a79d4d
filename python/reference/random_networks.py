"""Random small networks: every operation, real weights quantized by every scheme, narrow words.

A network is grown node by node and computed as it grows, so that thresholds lie where the potentials are and
no bound is exceeded. What a node yields, its "kind", decides what may read it.
"""

from fractions import Fraction

import numpy as np

import layers
import quantizer
from network import Value, run_node

SPIKES = ("spikes",)
SUMMED = ("spikes", "count")
READ_BY_WEIGHTS = ("image", "spikes", "count", "levels", "activation", "mean")
READ_BY_NEURONS = ("pre", "residual", "count", "product", "mean")
READ_BY_POOLS = ("spikes", "count", "levels", "pre", "residual", "activation", "mean")
READ_BY_SUMS = ("residual", "spikes", "count", "levels")

#: Networks whose values could exceed it are refused.
BOUND = 2**46


class RandomNetwork:
    """Nodes, their values, and "about" them: kind, largest possible magnitude, worth of a step, shape."""

    def __init__(self, rng):
        self.rng = rng
        self.timesteps = int(rng.choice([1, 2, 3, 4, 8]))
        self.residual = {"bits": int(rng.choice([4, 6, 8, 12, 16, 24])), "fraction_bits": int(rng.integers(0, 25))}
        self.nodes, self.values, self.about = [], {}, {}
        self.add_input()

    def chance(self, probability):
        return self.rng.random() < probability

    def up_to(self, most):
        """1 to `most`."""
        return int(self.rng.integers(1, most + 1))

    def divisor(self, n):
        return int(self.rng.choice([d for d in range(1, n + 1) if n % d == 0]))

    def node(self, name):
        return next(node for node in self.nodes if node["name"] == name)

    # Growing

    def add(self, operation, inputs, kind, bound, steps):
        """Appends and computes a node; returns its name, or `None` if its values could become too large."""
        if 2 * bound * max(self.timesteps, 2) >= BOUND:
            return None
        name = f"{operation['type']}.{len(self.nodes)}"
        node = {"name": name, "inputs": list(inputs), "constant": False, "operation": operation}
        value = run_node(node, self.values, self.timesteps)
        stateful = operation["type"] in ("neuron", "loihi", "mask")
        before = all(self.node(name)["constant"] for name in inputs)
        node["constant"] = operation["type"] in ("sum_timesteps", "readout") or before and not stateful
        self.nodes.append(node)
        self.values[name] = value
        self.about[name] = {"kind": kind, "bound": int(bound), "steps": steps, "shape": value.out.shape[2:]}
        return name

    def add_input(self):
        shape = tuple(self.up_to(most) for most in (4, 8, 8))
        constant = self.chance(0.5)
        low, high = (-128, 128) if constant else (0, int(self.rng.choice([2, 4, 256, 2**16])))
        frames = (1 if constant else self.timesteps, self.up_to(2))
        self.nodes.append({"name": "input", "inputs": [], "constant": constant, "operation": {"type": "input"}})
        self.values["input"] = Value(self.rng.integers(low, high, (*frames, *shape)))
        step = Fraction(1, 256) if constant else Fraction(1)
        self.about["input"] = {"kind": "image", "bound": max(-low, high - 1), "steps": step, "shape": shape}

    def pick(self, kinds, where=lambda about: True):
        """A node of one of the kinds, late and not silent if possible; `None` if there is none."""
        names = [name for name, about in self.about.items() if about["kind"] in kinds and where(about)]
        names = [name for name in names if self.values[name].out.any()] or names
        return names[-1 - min(int(self.rng.exponential(1.5)), len(names) - 1)] if names else None

    def grow(self, size):
        """Adds at least `size` nodes, or what some tries yield."""
        common = [self.weight_layer] * 4 + [self.fire] * 3 + [self.requantize, self.add_membrane] * 2
        ways = common + [self.add_spikes, self.gate, self.pool, self.class_token, self.first_token, self.attention, self.token_mask, self.channel_mask, self.sum]
        for _ in range(10 * size):
            if len(self.nodes) >= size:
                break
            ways[self.rng.integers(len(ways))]()
        return self

    # Weight layers

    def weight_layer(self, source=None, out=None):
        """Any convolution; one of 1 x 1 with `out` channels, if that is given."""
        source = source or self.pick(READ_BY_WEIGHTS)
        about = self.about[source]
        channels, *size = about["shape"]
        kernel = 1 if out else self.up_to(3)
        pad = int(self.rng.integers(0, kernel))
        kernel, pad = (kernel, pad) if min(size) + 2 * pad >= kernel else (1, 0)
        dilation = self.up_to(3) if self.chance(0.2) else 1
        dilation = dilation if min(size) + 2 * pad > (kernel - 1) * dilation else 1
        groups = self.divisor(channels) if not out and self.chance(0.4) else 1
        codes, lsb = self.random_codes((out or groups * self.up_to(max(1, 8 // groups)), channels // groups, kernel, kernel))
        steps = [Fraction(s) * about["steps"] for s in lsb]
        f = int(self.rng.choice([0, 1, 2, 5, quantizer.default_fraction_bits(steps)]))
        operation = {"type": "weighted", "weights": codes, "bias": self.random_bias(codes, steps, f)}
        operation |= {"stride": 1 if out else self.up_to(3), "pad": pad, "groups": groups, "fraction_bits": f}
        operation |= {"dilation": dilation} if dilation > 1 else {}
        operation |= self.padding_of(source) | self.narrow_accumulator()
        sums = np.abs(codes).reshape(len(codes), -1).sum(axis=1) * about["bound"]
        bound = int(((sums << f) + np.abs(operation["bias"])).max())
        if "accumulator" in operation:
            bound = max(bound, 2 ** (operation["accumulator"]["bits"] - 1 + f) + int(np.abs(operation["bias"]).max()))
        return self.add(operation, [source], "pre", bound, [s / 2**f for s in steps])

    def random_codes(self, shape):
        kind = str(self.rng.choice(["Uniform", "Uniform", "UnitFloor", "PowerOfTwo", "Levels"]))
        name = str(self.rng.choice(list(quantizer.LEVELS)))
        of_set = int(self.rng.choice(list(quantizer.LEVELS[name])))
        scheme = {
            "kind": kind,
            "set": name,
            "bits": of_set if kind == "Levels" else int(self.rng.integers(2, 6 if kind == "PowerOfTwo" else 17)),
            "scale": str(self.rng.choice(["Free", "Pow2"])),
            "granularity": str(self.rng.choice(["Layer", "Channel"])),
            "clip": str(self.rng.choice(["Max", "Mse"])),
        }
        real = self.rng.normal(0, 2.0 ** self.rng.integers(-6, 1), shape)
        if self.chance(0.1):
            real[self.rng.integers(shape[0])] = 0.0
        return quantizer.quantize(real, scheme)

    def random_bias(self, codes, steps, fraction_bits):
        steps = np.array([float(s) for s in steps])
        largest = np.abs(codes).reshape(len(codes), -1).max(axis=1)
        real = self.rng.normal(0, 2, len(codes)) * self.rng.integers(0, 2) * steps * largest
        return quantizer.bias_codes(real, fraction_bits, steps)

    def padding_of(self, source):
        """RepConv pads with what the layer before yields for zeros: its bias on the grid."""
        grid = self.node(source)
        before = grid["inputs"] and self.node(grid["inputs"][0])["operation"]
        if grid["operation"]["type"] != "requantize" or before["type"] != "weighted" or self.chance(0.3):
            return {}
        bias = before["bias"].reshape(1, 1, -1, 1, 1)
        operation = grid["operation"]
        on_grid = layers.requantize(bias, operation["multipliers"], operation["shifts"])
        return {"padding": layers.hold(on_grid, operation["format"]["bits"], "saturate")[0].ravel()}

    def narrow_accumulator(self):
        if not self.chance(0.15):
            return {}
        overflow = str(self.rng.choice(["wrap", "saturate_at_writeback"]))
        return {"accumulator": {"bits": int(self.rng.integers(4, 17)), "overflow": overflow}}

    # Neurons

    def fire(self, source=None, levels=True):
        """A neuron of any leak, reset and rule, or integer spikes."""
        source = source or self.pick(READ_BY_NEURONS)
        if source is None:
            return None
        about = self.about[source]
        if levels and self.chance(0.15):
            return self.integer_spikes(source)
        if self.chance(0.15):
            return self.loihi(source)
        multiplier, shift = self.factor()
        several = self.chance(0.2)
        if several:
            # Factors of 8 bits that share a shift; 0 forgets.
            multiplier, shift = self.rng.integers(0, 2**8, about["shape"][0]), 8
        kept = float(np.max(multiplier)) / 2**shift
        gain = 1 / (1 - kept) if kept < 1 and self.chance(0.7) else 1
        strict = self.chance(0.3)
        steps = per_channel(about)
        peak = max(float(self.values[source].out.max()), 1.0) * float(max(steps))
        theta = Fraction(peak * self.rng.uniform(0.05, 1.2) / gain)
        reach = about["bound"] * layers.reach(shift, multiplier, self.timesteps)
        thresholds = np.minimum(quantizer.threshold_codes(theta, gain, 0, steps, strict), reach + 1)
        if self.chance(0.5):
            thresholds = np.maximum(self.met(source, 1)[:, 0] + self.rng.integers(0, 2), 1)
        operation = {"type": "neuron", "thresholds": thresholds, "shift": shift, "strict": strict}
        if several:
            operation["multipliers"] = multiplier
        elif multiplier != 1:
            operation["multiplier"] = multiplier
        operation["reset"] = str(self.rng.choice(["zero", "subtract", "subtract_delayed"]))
        if operation["reset"] != "zero":
            thresholds = operation["thresholds"] = np.maximum(thresholds, int(strict))
        if operation["reset"] == "subtract" and self.chance(0.3):
            operation["amounts"] = self.amounts(thresholds)
        if self.chance(0.9):
            bits = int(self.rng.integers(2, 20)) if self.chance(0.6) else 32
            lowest = layers.lowest_left(
                thresholds, shift, operation["reset"], multiplier, strict, operation.get("amounts")
            )
            discards = layers.discard_bits(thresholds, shift, bits, multiplier, lowest)
            operation["membrane"] = {"bits": bits, "discards": discards}
        return self.add(operation, [source], "spikes", 1, Fraction(1))

    def amounts(self, thresholds):
        """What spikes subtract in the place of the threshold: nothing, or up to twice as much, and at least 1."""
        if self.chance(0.3):
            return np.zeros(1, np.int64)
        return np.maximum(1, thresholds * self.rng.integers(1, 9, len(thresholds)) // 4)

    def readout(self, source):
        """Potentials of membranes without spikes; `logits` are read by nothing, so that their steps do not matter."""
        multiplier, shift = self.factor()
        operation = {"type": "readout", "shift": shift, "over": str(self.rng.choice(["last", "sum", "max"]))}
        if self.chance(0.3):
            shift = operation["shift"] = 8
            multiplier = operation["multipliers"] = self.rng.integers(0, 2**8, self.about[source]["shape"][0])
        elif multiplier != 1:
            operation["multiplier"] = multiplier
        bound = self.about[source]["bound"] * layers.reach(shift, multiplier, self.timesteps) * self.timesteps
        return self.add(operation, [source], "logits", bound, Fraction(1))

    def factor(self):
        """What a membrane keeps: mostly a power of two, else an odd multiplier of 16 bits."""
        if self.chance(0.6):
            return 1, int(self.rng.choice([1, 1, 1, 0, 2, 3]))
        tau = self.rng.choice([1.25, 1.5, 3.0, 4.0, 10.0])
        multiplier = round(2**16 * (1 - 1 / tau))
        zeros = (multiplier & -multiplier).bit_length() - 1
        return multiplier >> zeros, 16 - zeros

    def integer_spikes(self, source):
        about = self.about[source]
        most, norm = self.up_to(8), self.up_to(8)
        peak = max(float(self.values[source].out.max()), 1.0)
        # The worth of a step such that values reach some of the levels.
        scale = Fraction(self.rng.uniform(0.3, 2) * most / peak) / max(per_channel(about))
        steps = [s * scale for s in per_channel(about)]
        thresholds = np.minimum(quantizer.level_thresholds(most, 0, steps), about["bound"] + 1)
        if self.chance(0.5):
            thresholds = np.sort(self.met(source, most), axis=1)
        return self.add({"type": "levels", "thresholds": thresholds}, [source], "levels", most, Fraction(1, norm))

    def loihi(self, source):
        thresholds = (np.maximum(self.met(source, 1)[:, 0] + self.rng.integers(-1, 2), 0) << 6) + 1
        operation = {"type": "loihi", "thresholds": thresholds, "current_decay": int(self.rng.integers(0, 4096))}
        operation["current_decay"] = 4095 if self.chance(0.3) else operation["current_decay"]
        operation["voltage_decay"] = int(self.rng.choice([0, 1, 2048, 4096, self.rng.integers(0, 4097)]))
        return self.add(operation, [source], "spikes", 1, Fraction(1))

    def met(self, source, many):
        """`many` values per channel that occur there: a comparison off by one shows where they are equal."""
        values = self.values[source].out.swapaxes(0, 2).reshape(self.about[source]["shape"][0], -1)
        return self.rng.choice(values, many, axis=1)

    # Grids

    def requantize(self):
        source = self.pick(("pre",) if self.chance(0.8) else ("spikes", "count", "levels"))
        if source is None:
            return None
        sums = self.about[source]["kind"] == "pre"
        grid = str(self.rng.choice(["residual", "residual", "activation"])) if sums else "residual"
        bits = int(self.rng.choice([4, 8, 12, 16]))
        word = self.residual if grid == "residual" else {"bits": bits, "fraction_bits": int(self.rng.integers(0, 25))}
        scales = self.requantizers(source, word, room=self.values[source].out)
        if scales is None:
            return None
        operation = {"type": "requantize", "grid": grid, "format": word} | scales
        return self.add(operation, [source], grid, 2 ** (word["bits"] - 1), Fraction(1, 2 ** word["fraction_bits"]))

    def requantizers(self, source, word, room):
        """Multipliers and shifts; the word is filled from an eighth to twice its range."""
        steps = per_channel(self.about[source])
        peak = max(int(np.abs(room).max()), 1) * max(steps)
        fill = Fraction(2 ** (word["bits"] - 1)) / peak
        exponent = int(np.floor(np.log2(float(fill)))) - int(self.rng.integers(-1, 4))
        pairs = [quantizer.requantizer(s * Fraction(2) ** exponent) for s in steps if s * Fraction(2) ** exponent < 2**15]
        if len(pairs) < len(steps):
            return None
        return {"multipliers": np.array([m for m, _ in pairs]), "shifts": np.array([s for _, s in pairs])}

    def add_membrane(self):
        stream = self.pick(("residual",))
        if stream is None:
            return None
        about = self.about[stream]
        branch = self.pick(("pre", "residual"), lambda other: other["shape"] == about["shape"])
        if self.about[branch]["kind"] != "residual" or branch == stream:
            branch = self.weight_layer_like(about["shape"]) or branch
        operation = {"type": "add_membrane", "format": self.residual}
        if self.about[branch]["kind"] == "pre":
            scales = self.requantizers(branch, self.residual, room=self.values[branch].out)
            if scales is None:
                return None
            operation |= scales
        return self.add(operation, [stream, branch], "residual", about["bound"], about["steps"])

    def weight_layer_like(self, shape):
        """A 1 x 1 layer whose output has `shape`."""
        source = self.pick(READ_BY_WEIGHTS, lambda about: about["shape"][1:] == shape[1:])
        name = source and self.weight_layer(source, shape[0])
        return name if name and self.about[name]["shape"] == shape else None

    # Spikes

    def add_spikes(self):
        left = self.pick(SUMMED)
        if left is None:
            return None
        about = self.about[left]
        right = self.pick(SUMMED, lambda other: other["shape"] == about["shape"])
        bound = about["bound"] + self.about[right]["bound"]
        return self.add({"type": "add_spikes"}, [left, right], "count", bound, Fraction(1))

    def gate(self):
        stream = self.pick(SPIKES)
        if stream is None:
            return None
        shape = self.about[stream]["shape"]
        branch = self.pick(SPIKES, lambda other: other["shape"] == shape)
        operation = {"type": str(self.rng.choice(["or", "and_not"]))}
        return self.add(operation, [stream, branch], "spikes", 1, Fraction(1))

    def pool(self):
        source = self.pick(READ_BY_POOLS)
        if source is None:
            return None
        about = self.about[source]
        window = [self.window(extent) for extent in about["shape"][1:]]
        if window[0] == window[1] or self.chance(0.7):
            window = [self.window(min(about["shape"][1:]))] * 2
        size, stride, pad = (list(sides) if sides[0] != sides[1] else sides[0] for sides in zip(*window))
        operation = {"type": "max_pool", "size": size, "stride": stride, "pad": pad}
        if self.chance(0.7):
            return self.add(operation, [source], about["kind"], about["bound"], about["steps"])
        operation["type"], count = "sum_pool", window[0][0] * window[1][0]
        kinds = {"spikes": "count", "levels": "mean", "residual": "mean", "activation": "mean"}
        steps = about["steps"]
        steps = [s / count for s in steps] if isinstance(steps, list) else steps / count
        kind = kinds.get(about["kind"], about["kind"])
        return self.add(operation, [source], kind, about["bound"] * count, steps)

    def window(self, extent):
        """Size, stride and padding along an axis."""
        size = self.up_to(3)
        pad = int(self.rng.integers(0, size))
        size, pad = (size, pad) if extent + 2 * pad >= size else (1, 0)
        return size, self.up_to(3), pad

    def branch(self, source, out, levels):
        """Spikes of a 1 x 1 layer on `source`."""
        name = self.weight_layer(source, out)
        return name and self.fire(name, levels)

    def attention(self):
        source = self.pick(READ_BY_WEIGHTS)
        heads, width = self.up_to(3), self.up_to(3)
        wide = (heads * width, heads * width, heads * self.up_to(3))
        qkv = [self.branch(source, out, True) for out in wide]
        if not all(qkv):
            return None
        tokens = int(np.prod(self.about[qkv[0]]["shape"][1:]))
        bound, step = tokens * width, Fraction(1, 8)
        for name in qkv:
            bound, step = bound * self.about[name]["bound"], step * self.about[name]["steps"]
        product = self.add({"type": "attention", "heads": heads}, qkv, "product", bound, step)
        return product and self.fire(product)

    def token_mask(self):
        """QKFormer: tokens of a head in which enough channels fire."""
        q = self.pick(SPIKES)
        if q is None:
            return None
        channels = self.about[q]["shape"][0]
        heads = self.divisor(channels)
        count = self.add({"type": "channel_count", "heads": heads}, [q], "count", channels // heads, Fraction(1))
        return self.add({"type": "mask"}, [q, self.fire(count, levels=False)], "spikes", 1, Fraction(1))

    def channel_mask(self):
        """SDSA-1: q where k and v meet in some token of the channel, with or without the pooling of events."""
        source, out = self.pick(READ_BY_WEIGHTS), self.up_to(6)
        qkv = [self.branch(source, out, False) for _ in range(3)]
        if not all(qkv):
            return None
        tokens = int(np.prod(self.about[qkv[0]]["shape"][1:]))
        pooled = self.chance(0.4)
        counted = [self.add({"type": "mask"}, qkv[1:], "spikes", 1, Fraction(1))] if pooled else qkv[1:]
        counted = [self.plane_pool(counted[0])] if pooled else counted
        count = self.add({"type": "key_value_count"}, counted, "count", tokens, Fraction(1))
        masked = self.add({"type": "mask"}, [qkv[0], self.fire(count, levels=False)], "spikes", 1, Fraction(1))
        return self.plane_pool(masked) if pooled else masked

    def plane_pool(self, source):
        heads = self.divisor(self.about[source]["shape"][0])
        return self.add({"type": "plane_pool", "heads": heads}, [source], "spikes", 1, Fraction(1))

    # Tokens

    def class_token(self):
        stream = self.pick(("residual",))
        if stream is None:
            return None
        about = self.about[stream]
        channels, rows, columns = about["shape"]
        largest = about["bound"]
        learned = lambda *shape: self.rng.integers(-largest, largest, shape)
        operation = {"type": "class_token", "token": learned(channels), "format": self.residual}
        if self.chance(0.6):
            operation["positions"] = learned(rows * columns, channels)
        return self.add(operation, [stream], "residual", largest, about["steps"])

    def first_token(self):
        source = self.pick(READ_BY_POOLS)
        if source is None:
            return None
        about = self.about[source]
        return self.add({"type": "first_token"}, [source], about["kind"], about["bound"], about["steps"])

    # Sums

    def sum(self):
        """The mean over positions, or of X over timesteps."""
        if self.chance(0.3):
            source = self.pick(("pre",))
            if source is None:
                return None
            about = self.about[source]
            if self.chance(0.5):
                return self.readout(source)
            steps = [s / self.timesteps for s in per_channel(about)]
            return self.add({"type": "sum_timesteps"}, [source], "logits", about["bound"] * self.timesteps, steps)
        source = self.pick(READ_BY_SUMS)
        if source is None:
            return None
        about = self.about[source]
        tokens = int(np.prod(about["shape"][1:]))
        operation = {"type": "sum_positions"}
        return self.add(operation, [source], "mean", about["bound"] * tokens, about["steps"] / tokens)


def per_channel(about):
    """The worth of a step in every channel."""
    steps = about["steps"]
    return steps if isinstance(steps, list) else [steps] * about["shape"][0]

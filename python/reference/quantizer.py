"""Real weights, biases, thresholds and ratios as integers: docs/semantics.md, sections 1 to 5, in float64.

Weights are arrays [out, in / groups, rows, columns]. What must not depend on the rounding of a float is
computed with `Fraction`.
"""

import itertools
from fractions import Fraction
from math import ceil, floor

import numpy as np

INT = np.int64


def round_half_even(x):
    """Nearest integers, ties to even."""
    return np.rint(x).astype(INT)


def next_power_of_two(x):
    """The smallest power of two that is not smaller than x > 0."""
    mantissa, exponent = np.frexp(x)
    return float(np.ldexp(1.0, int(exponent) - int(mantissa == 0.5)))


# 1 Input


def zero_point(mean, bits=8):
    """The pixel that stands for the mean."""
    return round_half_even((2**bits - 1) * np.asarray(mean, float))


def fold_normalization(weights, bias, mean, std, bits=8):
    """First-layer weights and bias that see pixels minus their zero point, in steps of 2^-bits."""
    full = 2**bits - 1
    mean, std = np.asarray(mean, float), np.asarray(std, float)
    left = (zero_point(mean, bits) - full * mean) / (full * std)
    bias = bias + np.einsum("oikl,i->o", weights, left)
    return weights * (2**bits / (full * std)).reshape(1, -1, 1, 1), bias


# 2 Weights


def fold_norm(weights, bias, gamma, beta, mean, var, eps=1e-5):
    """Weights and bias with the batch normalization behind them."""
    deviation = np.sqrt(var + eps)
    return weights * (gamma / deviation).reshape(-1, 1, 1, 1), (bias - mean) * gamma / deviation + beta


def without_dead_channels(weights, bias, threshold=2.0):
    """Weights 0 where the largest of a channel is at most 2^-34 of its bias or of `threshold`."""
    largest = np.abs(weights).reshape(len(weights), -1).max(axis=1)
    dead = largest <= 2.0**-34 * np.maximum(np.abs(bias), threshold)
    return np.where(dead.reshape(-1, 1, 1, 1), 0.0, weights)


def uniform_codes(w, lsb, bits):
    """clamp(round_half_even(w / lsb))."""
    limit = 2 ** (bits - 1) - 1
    return np.clip(round_half_even(w / lsb), -limit, limit)


def nearest_codes(w, lsb, levels):
    """The nearest of the levels, of either sign, on a tie the one of smaller magnitude."""
    levels = np.array(levels, INT)
    distance = np.abs(np.abs(w / lsb)[..., None] - levels)
    # argmin takes the first, and so the smallest, of equals.
    return np.where(w < 0, -1, 1) * levels[distance.argmin(axis=-1)]


def power_of_two_codes(w, lsb, bits):
    """The nearest of 0 and +-2^k."""
    return nearest_codes(w, lsb, [0] + [2**k for k in range(2 ** (bits - 1) - 1)])


def sums(*terms):
    """All sums of one of each, ascending."""
    return sorted({sum(chosen) for chosen in itertools.product(*terms)})


#: Magnitudes of the levels of sets, by set and width.
LEVELS = {
    "Ternary": {2: [0, 1]},
    "Trits": {2: [0, 1]},
    "Binary": {1: [1]},
    "Apot": {
        3: sums([0, 4, 2, 1]),
        4: sums([0, 8, 4, 1], [0, 2]),
        5: sums([0, 32, 8, 2], [0, 16, 4, 1]),
    },
    "Dbq": {4: sorted({abs(4 * a + b) for a in (-1, 0, 1) for b in (-1, 0, 1)})},
    "Post": {bits: [0] + [(8, 11)[k % 2] << k // 2 for k in range(2 ** (bits - 1) - 1)] for bits in (3, 4, 5)},
    "AdaLog": {3: 3, 4: 7},  # powers of the base
    "E2m1": {4: [0, 1] + [(2 + m) << e for e in range(3) for m in (0, 1)]},
    "Mx": {4: list(range(8))},
}
#: Bases 2^(q/37) of sets whose layers choose one, by q, and the largest magnitude.
BASES, TOP = {"AdaLog": range(16, 45, 4)}, 127
#: Inputs of a block, and exponents that it may have.
BLOCKS = {"Mx": (32, 4)}


def magnitudes(scheme):
    """Magnitudes of the levels of a scheme, at its base where its set has several."""
    levels = LEVELS[scheme["set"]][scheme["bits"]]
    if scheme["set"] not in BASES:
        return levels
    powers = [TOP * 2.0 ** (-k * scheme["base"] / 37) for k in range(levels)]
    return [0, *sorted(int(round_half_even(power)) for power in powers)]


def at_best_base(w, scheme):
    """The scheme at the first base of the smallest squared error of a layer."""
    if scheme["kind"] != "Levels" or scheme["set"] not in BASES or "base" in scheme:
        return scheme
    at_bases = [scheme | {"base": base} for base in BASES[scheme["set"]]]

    def error(scheme):
        codes, lsb = quantize(w, scheme)
        return float(((codes * lsb.reshape(-1, 1, 1, 1) - w) ** 2).sum())

    return min(at_bases, key=error)


def exponents(w, lsb, scheme):
    """The smallest exponents with which no block of an output is clipped, as [out, ...]."""
    if scheme["set"] not in BLOCKS:
        return np.zeros(w.shape, INT)
    inputs, count = BLOCKS[scheme["set"]]
    top = magnitudes(scheme)[-1] + 0.5
    rows = np.abs(w).reshape(len(w), -1) / np.reshape(lsb, (-1, 1))
    found = np.empty(rows.shape, INT)
    for start in range(0, rows.shape[1], inputs):
        largest = rows[:, start : start + inputs].max(axis=1, keepdims=True)
        fits = [largest <= top * 2**e for e in range(count - 1)]
        found[:, start : start + inputs] = count - 1 - sum(f.astype(INT) for f in fits)
    return found.reshape(w.shape)


def nearest_levels(w, lsb, scheme):
    """The nearest levels of outputs [out, ...], shifted by the exponents of their blocks."""
    e = exponents(w, lsb, scheme)
    return nearest_codes(w, lsb * 2.0**e, magnitudes(scheme)) << e


def ternary_rule(w):
    """Codes above 0.7 of the mean magnitude, at the mean magnitude of those."""
    magnitude = np.abs(w)
    large = magnitude > 0.7 * (in_order(magnitude) / w.size)
    return np.where(large, np.where(w < 0, -1, 1), 0), in_order(magnitude[large]) / large.sum()


def binary_rule(w):
    """The side of the mean, at the mean magnitude; what is the mean keeps its sign."""
    mean = in_order(w) / w.size
    side = np.where(w == mean, w, w - mean)
    return np.where(side < 0, -1, 1), in_order(np.abs(w)) / w.size


RULES = {"Ternary": ternary_rule, "Trits": ternary_rule, "Binary": binary_rule}


def in_order(values):
    """The sum of values one after the other."""
    return float(np.add.accumulate(values.ravel())[-1])


def best(w, candidates, codes):
    """The first of the lsbs whose codes have the smallest sum of squared errors."""
    errors = [float(((codes(w, lsb) * lsb - w) ** 2).sum()) for lsb in candidates]
    return candidates[int(np.argmin(errors))]


def uniform_lsb(w, bits, scale, clip):
    largest = np.abs(w).max()
    if largest == 0:
        return 1.0
    full = largest / (2 ** (bits - 1) - 1)
    full = next_power_of_two(full) if scale == "Pow2" else full
    if clip == "Max":
        return full
    steps = {"Free": [full * (percent / 100) for percent in range(100, 20, -1)], "Pow2": [full / 2**i for i in range(5)]}
    return best(w, steps[scale], lambda w, lsb: uniform_codes(w, lsb, bits))


def searched_lsb(w, full, scale, codes):
    """The best scale within octaves of `full`, or of powers of two."""
    if scale == "Free":
        return best(w, [full * 2 ** (i / 16) for i in range(8, -49, -1)], codes)
    return best(w, [next_power_of_two(full) / 2**i for i in range(5)], codes)


def power_of_two_lsb(w, bits, scale):
    largest = np.abs(w).max()
    if largest == 0:
        return 1.0
    full = largest / 2 ** (2 ** (bits - 1) - 2)
    return searched_lsb(w, full, scale, lambda w, lsb: power_of_two_codes(w, lsb, bits))


def levels_codes(w, scheme):
    """Codes and lsb of weights that share a scale, of a set of levels."""
    if np.abs(w).max() == 0:
        return np.zeros(w.shape, INT), 1.0
    top = magnitudes(scheme)[-1] << BLOCKS.get(scheme["set"], (0, 1))[1] - 1
    rule = RULES.get(scheme["set"])
    codes, full = rule(w) if rule else (None, np.abs(w).max() / top)
    if scheme["clip"] == "Mse":
        lsb = searched_lsb(w, full, scheme["scale"], lambda w, lsb: nearest_levels(w, lsb, scheme))
        return nearest_levels(w, lsb, scheme), lsb
    lsb = full if scheme["scale"] == "Free" else next_power_of_two(full)
    return (nearest_levels(w, lsb, scheme) if codes is None else codes), lsb


def by_channel(w, granularity, lsb):
    """The lsb of each output channel, as [out]."""
    if granularity == "Layer":
        return np.full(len(w), lsb(w))
    return np.array([lsb(channel) for channel in w])


def quantize(w, scheme):
    """Codes and lsb per output channel; `scheme` is a dict of a setting's fields and its name as "kind"."""
    bits = scheme["bits"]
    if scheme["kind"] == "UnitFloor":
        return np.floor(w * 2 ** (bits - 1)).astype(INT), np.full(len(w), 2.0 ** (1 - bits))
    if scheme["kind"] == "Uniform":
        lsb = by_channel(w, scheme["granularity"], lambda w: uniform_lsb(w, bits, scheme["scale"], scheme["clip"]))
        return codes_at(w, lsb, scheme), lsb
    if scheme["kind"] == "Levels":
        scheme = at_best_base(w, scheme)
        parts = [w] if scheme["granularity"] == "Layer" else [w[i : i + 1] for i in range(len(w))]
        codes, lsb = zip(*(levels_codes(part, scheme) for part in parts), strict=True)
        return np.concatenate(codes).astype(INT), np.resize(lsb, len(w))
    lsb = by_channel(w, scheme["granularity"], lambda w: power_of_two_lsb(w, bits, scheme["scale"]))
    return codes_at(w, lsb, scheme), lsb


def codes_at(w, lsb, scheme):
    """Codes of a scaled scheme at lsb per output channel."""
    lsb = lsb.reshape(-1, 1, 1, 1)
    if scheme["kind"] == "Levels":
        return nearest_levels(w, lsb, scheme)
    of = uniform_codes if scheme["kind"] == "Uniform" else power_of_two_codes
    return of(w, lsb, scheme["bits"])


# 3 Weight layers


def bias_codes(bias, fraction_bits, step):
    """round_half_even(b' 2^f / s)."""
    return round_half_even(bias * 2.0**fraction_bits / step)


def default_fraction_bits(steps, threshold=2.0):
    """The smallest f for which `threshold` 2^f / s is at least 2^8 in every channel."""
    enough = (f for f in range(17) if all(Fraction(threshold) * 2**f >= 256 * Fraction(s) for s in steps))
    return next(enough, 16)


def widen_steps(w, bias, codes, lsb, scheme, gain):
    """Codes and lsb of channels whose bias has 2^46 steps or more, doubled until it has at most 2^45."""
    if scheme["kind"] == "UnitFloor" or scheme["granularity"] == "Layer":
        return codes, lsb
    steps = np.abs(bias) / lsb * gain
    wide = steps >= 2.0**46
    doublings = np.ceil(np.log2(np.where(wide, steps, 2.0**45) / 2.0**45))
    lsb = lsb * 2.0**doublings
    return np.where(wide.reshape(-1, 1, 1, 1), codes_at(w, lsb, scheme), codes), lsb


# 4 Neurons


def threshold_codes(theta, gain, fraction_bits, steps, strict=False):
    """ceil(gain theta 2^f / s) per channel, or for a neuron that fires above it floor(...) + 1."""
    exact = [Fraction(gain) * Fraction(theta) * 2**fraction_bits / Fraction(s) for s in steps]
    return np.array([floor(x) + 1 if strict else ceil(x) for x in exact], INT)


def level_thresholds(levels, fraction_bits, steps):
    """TH_k of integer spikes, [C, max]: halves go to the even level."""
    rows = []
    for k in range(1, levels + 1):
        half = Fraction(2 * k - 1, 2)
        exact = [half * 2**fraction_bits / Fraction(s) for s in steps]
        rows.append([ceil(x) if k % 2 == 0 else floor(x) + 1 for x in exact])
    return np.array(rows, INT).T


# 5 Residual stream


def requantizer(ratio):
    """(M, S) of a ratio: a power of two where the ratio is one, else M of exactly 16 significant bits."""
    ratio = Fraction(ratio)
    if ratio <= Fraction(1, 2**46):
        return 1, 62
    for shift in range(63):
        scaled = ratio * 2**shift
        if scaled.denominator == 1 and scaled.numerator & (scaled.numerator - 1) == 0:
            return int(scaled), shift
        m = round(scaled)  # a Fraction rounds half to even
        if 2**15 <= m < 2**16:
            return m, shift
    raise ValueError(f"{ratio} has no requantizer")


def residual_fraction_bits(bits, magnitude):
    """As many fraction bits, up to 24, as leave room for twice `magnitude`."""
    fits = (f for f in range(24, -1, -1) if 2 * Fraction(magnitude) * 2**f <= 2 ** (bits - 1))
    return next(fits, 0)

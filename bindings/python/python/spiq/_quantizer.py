"""What follows from the steps of a layer: docs/semantics.md, sections 2 to 5, on NumPy arrays of doubles."""

import numpy as np

# No bound of a network is beyond it, so a threshold there never fires.
_FAR = 2.0**45


def _whole(steps):
    """``steps``, or the integers that they miss by no more than a few roundings."""
    nearest = np.rint(steps)
    return np.where(np.abs(steps - nearest) <= nearest * 2.0**-50, nearest, steps)


def next_power_of_two(x):
    """The smallest powers of two that are not smaller than ``x`` > 0."""
    mantissa, exponent = np.frexp(x)
    return np.ldexp(1.0, exponent - (mantissa == 0.5))


def thresholds(gain, heights, steps, strict):
    """The smallest integer potentials that fire: ``gain`` times ``heights``, in ``steps``."""
    exact = _whole(gain * np.asarray(heights) / steps)
    return np.minimum(np.floor(exact) + 1 if strict else np.ceil(exact), _FAR).astype(np.int64)


def level_thresholds(levels, steps):
    """``[levels][channels]``: where integer spikes reach each level, halves going to the even one."""
    exact = [_whole((k - 0.5) / steps) for k in range(1, levels + 1)]
    rows = [np.floor(x) + 1 if k % 2 else np.ceil(x) for k, x in enumerate(exact, 1)]
    return [np.minimum(row, _FAR).astype(np.int64) for row in rows]


def keep(factor):
    """Multiplier and shift of what a membrane keeps of itself per timestep."""
    multiplier, shift = round(factor * 2**16), 16
    while shift and multiplier % 2 == 0:
        multiplier, shift = multiplier // 2, shift - 1
    return multiplier, shift


def discards(thresholds, multiplier, shift, bits, taken=None):
    """Low bits that a membrane word of ``bits`` does not store: the highest potential below the threshold fits.

    So does the lowest that a spike leaves, which takes ``taken`` behind the leak, where it does.
    """
    highest = kept(thresholds - 1, multiplier, shift)
    # Of what doubles hold, the exponent is the number of bits.
    needed = np.frexp(highest.astype(np.float64))[1]
    if taken is not None:
        lowest = np.minimum(kept(thresholds, multiplier, shift) - taken, 0)
        needed = np.maximum(needed, np.frexp((-lowest - 1).clip(0).astype(np.float64))[1])
    return np.maximum(needed + 1 - bits, 0).astype(np.int64)


def kept(potential, multiplier, shift):
    """What the leak leaves; half a step makes a reciprocal divide exactly."""
    return ((2 * potential + 1) * multiplier) >> (shift + 1)


def requantizers(ratios):
    """Multipliers and shifts of ``ratios`` above 0 and below 2^15: powers of two, or 16 significant bits."""
    mantissa, exponent = np.frexp(ratios)
    shift = 16 - exponent
    multiplier = np.rint(np.ldexp(ratios, shift))
    carried = multiplier >= 2**16
    multiplier, shift = np.where(carried, 2**15, multiplier), shift - carried
    power = mantissa == 0.5
    multiplier = np.where(power, np.ldexp(1.0, np.maximum(exponent - 1, 0)), multiplier)
    shift = np.where(power, np.maximum(1 - exponent, 0), shift)
    vanishes = ratios <= 2.0**-46
    return np.where(vanishes, 1, multiplier).astype(np.int64), np.where(vanishes, 62, shift).astype(np.int64)

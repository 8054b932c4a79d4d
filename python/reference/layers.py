"""docs/semantics.md on numpy arrays of int64: slow, short, and without a floating-point number.

Arrays are [T, B, C, H, W] (timesteps, images, channels, rows, columns); a linear layer has H = W = 1.
A parameter "per channel" is an array [C].
"""

import numpy as np

INT = np.int64


def per_channel(values, channels):
    """A number, or one per channel, such that it broadcasts against [..., C, H, W]."""
    return np.broadcast_to(np.asarray(values, INT), (channels,)).reshape(channels, 1, 1)


def sides(one_or_two):
    """Rows and columns of what a bundle says as one number or as two."""
    return (one_or_two,) * 2 if np.isscalar(one_or_two) else tuple(one_or_two)


def surround(a, pad, value):
    """`a` with `pad` rows and columns of `value` per channel on every side."""
    (t, b, c, h, w), (above, left) = a.shape, sides(pad)
    frame = np.empty((t, b, c, h + 2 * above, w + 2 * left), INT)
    frame[:] = per_channel(value, c)
    frame[..., above : above + h, left : left + w] = a
    return frame


def taps(a, kernel, stride, dilation=1):
    """For each tap (row, column) of the kernel, what the output positions read there."""
    (down, right), (apart, beside) = sides(stride), sides(dilation)
    rows = (a.shape[-2] - (kernel[0] - 1) * apart - 1) // down + 1
    columns = (a.shape[-1] - (kernel[1] - 1) * beside - 1) // right + 1
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            y, x = i * apart, j * beside
            yield (i, j), a[..., y : y + down * rows : down, x : x + right * columns : right]


def hold(x, bits, overflow):
    """`x` in a signed word that clamps, or wraps if `overflow` says so, and how many values that changed."""
    half = 1 << (bits - 1)
    held = ((x + half) & (2 * half - 1)) - half if overflow == "wrap" else np.clip(x, -half, half - 1)
    return held, int((held != x).sum())


# 3 Weight layers


def accumulate(a, weights, stride=1, pad=0, groups=1, padding=0, dilation=1):
    """Exact sums of weights [out, in / groups, kernel rows, kernel columns] times what they meet."""
    out, per_group, *kernel = weights.shape
    a = surround(a, pad, padding)
    acc = 0
    for (i, j), seen in taps(a, kernel, stride, dilation):
        parts = []
        for g in range(groups):
            rows = weights[g * out // groups : (g + 1) * out // groups, :, i, j]
            channels = seen[:, :, g * per_group : (g + 1) * per_group]
            parts.append(np.einsum("oc,tbchw->tbohw", rows, channels))
        acc = acc + np.concatenate(parts, axis=2)
    return acc


def preactivation(acc, bias, fraction_bits):
    """X = (acc << f) + bias."""
    return (acc << fraction_bits) + per_channel(bias, acc.shape[2])


# 4 Neurons


def kept(g, shift, multiplier=1):
    """floor((g + 1/2) multiplier / 2^shift): g >> shift where the multiplier is 1; a number, or one per channel."""
    return ((2 * g + 1) * multiplier) >> (shift + 1)


def reach(shift, multiplier, timesteps):
    """No potential exceeds this many times the largest X: a whole R with multiplier / 2^shift R <= R - 1, or T."""
    lost = (1 << shift) - int(np.max(multiplier))
    return max(2, timesteps if lost == 0 else min(timesteps, -(-(1 << shift) // lost)))


def subtracted(threshold, strict=False, amounts=None):
    """What a spike of a soft reset subtracts: the threshold, unless there are amounts."""
    return np.asarray(threshold) - int(strict) if amounts is None else np.asarray(amounts)


def neuron(x, threshold, shift, reset, *, multiplier=1, strict=False, amounts=None, bits=None, discard=0):
    """Spikes, membranes after each timestep, and how many membranes were clamped.

    `threshold` is TH per channel, the membrane keeps `multiplier` / 2^`shift` (a number, or one per channel), and
    `reset` is "zero", "subtract"
    (before the leak) or "subtract_delayed" (behind it). `strict` says that TH is the threshold plus one, of a neuron
    that fires above it; `amounts` are subtracted in the place of the threshold. `bits` is the membrane word, whose
    step is 2^`discard` per channel; without a word nothing is kept, and what is not 0 counts as clamped.
    """
    channels = x.shape[2]
    multiplier = per_channel(multiplier, channels)
    amount = per_channel(subtracted(threshold, strict, amounts), channels)
    th, d = per_channel(threshold, channels), per_channel(discard, channels)
    spikes, membranes, clamped = np.empty_like(x), np.empty_like(x), 0
    v = np.zeros_like(x[0])
    for t, current in enumerate(x):
        g = v + current
        fire = g >= th
        left = {"zero": 0 * g, "subtract": g - amount, "subtract_delayed": g}[reset]
        v = kept(np.where(fire, left, g), shift, multiplier)
        v = v - fire * amount if reset == "subtract_delayed" else v
        held, changed = hold(v >> d, bits, "saturate") if bits else (np.zeros_like(v), int((v != 0).sum()))
        v = held << d
        spikes[t], membranes[t], clamped = fire, v, clamped + changed
    return spikes, membranes, clamped


def toward_zero(x, factor):
    """x factor / 4096, rounded toward zero."""
    return np.sign(x) * (np.abs(x) * factor // 4096)


def loihi(x, threshold, current_decay, voltage_decay):
    """Spikes, voltages after each timestep, and how many currents were wrapped and voltages clamped.

    `threshold` is the smallest potential that fires, (TH << 6) + 1.
    """
    th, half = per_channel(threshold, x.shape[2]), 1 << 23
    spikes, voltages, changed = np.empty_like(x), np.empty_like(x), 0
    current, voltage = np.zeros_like(x[0]), np.zeros_like(x[0])
    for t, given in enumerate(x):
        whole = toward_zero(current, 4095 - current_decay) + (given << 6)
        current = (whole + half - 1) % (2 * half) - half + 1
        potential = toward_zero(voltage, 4096 - voltage_decay) + current
        g = np.clip(potential, 1 - half, half - 1)
        changed += int((current != whole).sum()) + int((g != potential).sum())
        fire = g >= th
        voltage = np.where(fire, 0, g)
        spikes[t], voltages[t] = fire, voltage
    return spikes, voltages, changed


def lowest_left(threshold, shift, reset, multiplier=1, strict=False, amounts=None):
    """Per channel, the lowest membrane that a spike leaves, or 0."""
    amount = subtracted(threshold, strict, amounts)
    th, amount, multiplier = np.broadcast_arrays(np.asarray(threshold, INT), amount, multiplier)
    if reset == "zero":
        return np.zeros_like(th)
    delayed = reset == "subtract_delayed"
    left = kept(th, shift, multiplier) - amount if delayed else kept(th - amount, shift, multiplier)
    return np.minimum(left, 0)


def undershoot(threshold, shift, reset, highest, multiplier=1, strict=False, amounts=None):
    """How far below 0 a spike can take a potential or a membrane of neurons that reach `highest`."""
    amount = subtracted(threshold, strict, amounts)
    th, amount, multiplier = np.broadcast_arrays(np.asarray(threshold, INT), amount, multiplier)
    if reset == "subtract_delayed":
        below = -lowest_left(threshold, shift, reset, multiplier, strict, amounts)
    else:
        below = np.maximum(amount - th, 0) if reset == "subtract" else np.zeros_like(th)
    return int(np.where(th > highest, 0, below).max())


def discard_bits(threshold, shift, bits, multiplier=1, lowest=0):
    """The smallest d for which what is kept of TH - 1, and `lowest`, stored as that >> d, fit in a word of `bits`."""
    th, lowest, multiplier = np.broadcast_arrays(np.atleast_1d(threshold), lowest, multiplier)
    limit = 1 << (bits - 1)
    ends = [(kept(int(t) - 1, shift, int(m)), int(low)) for t, low, m in zip(th, lowest, multiplier)]
    fits = lambda high, low, d: high >> d < limit and low >> d >= -limit  # noqa: E731
    return np.array([next(d for d in range(64) if fits(high, low, d)) for high, low in ends], INT)


def integer_spikes(x, thresholds):
    """Levels: of the thresholds [C or 1, max], how many X reaches."""
    level = np.zeros_like(x)
    for th in thresholds.T:
        level += x >= per_channel(th, x.shape[2])
    return level


# 5 Residual stream, 8 Real-valued inner layers


def requantize(x, multiplier, shift):
    """(x M + 2^(S-1)) >> S with M and S per channel; no rounding term for S = 0."""
    channels = x.shape[2]
    m, s = per_channel(multiplier, channels), per_channel(shift, channels)
    return (x * m + np.where(s > 0, INT(1) << np.maximum(s - 1, 0), 0)) >> s


def and_not(stream, branch):
    """Spikes of the stream where the branch has none."""
    return stream & (1 - branch)


# 6 Attention


def tokens(a):
    """[T, B, C, H, W] as [T, B, tokens, C]."""
    return a.reshape(*a.shape[:3], -1).swapaxes(2, 3)


def plane_pool(spikes, heads):
    """SDSA-1 on events: the largest of 3 x 3 in the plane of tokens and the channels of a head."""
    t, b, c, h, w = spikes.shape
    planes = tokens(spikes).reshape(t, b, h * w, heads, c // heads).swapaxes(2, 3)
    pooled = max_pool(planes, 3, 1, 1).swapaxes(2, 3).reshape(t, b, h * w, c)
    return pooled.swapaxes(2, 3).reshape(spikes.shape)


def key_value_count(*spikes):
    """SDSA-1: per channel, the tokens where all fire."""
    return np.bitwise_and.reduce(spikes).sum(axis=(3, 4), keepdims=True)


def channel_count(q, heads):
    """Token attention: per token and head, the channels that fire."""
    t, b, c, h, w = q.shape
    return q.reshape(t, b, heads, c // heads, h, w).sum(axis=3)


def attention(q, k, v, heads):
    """SSA and SDSA-3: (q k^T) v of each head, a run of consecutive channels."""
    heads_of = [np.split(tokens(a), heads, axis=3) for a in (q, k, v)]
    parts = [(qh @ kh.swapaxes(2, 3)) @ vh for qh, kh, vh in zip(*heads_of)]
    out = np.concatenate(parts, axis=3).swapaxes(2, 3)
    return out.reshape(v.shape)


def mask(spikes, by):
    """Spikes AND a mask: one position for all, or one channel per head."""
    return spikes & np.repeat(by, spikes.shape[2] // by.shape[2], axis=2)


# 7 Pooling and head


def max_pool(a, size, stride, pad):
    """The largest integer of each window; padding never wins."""
    a = surround(a, pad, np.iinfo(INT).min)
    return np.maximum.reduce([seen for _, seen in taps(a, sides(size), stride)])


def sum_pool(a, size, stride, pad):
    """The sum of each window, which stands for its mean times the values of a window."""
    return sum(seen for _, seen in taps(surround(a, pad, 0), sides(size), stride))


def sum_positions(a):
    """The sum over positions, which stands for N times the mean."""
    return a.sum(axis=(3, 4), keepdims=True)


def readout(x, shift, multiplier, over):
    """The last, the sum or the largest of the potentials of membranes without spikes, one frame."""
    multiplier = per_channel(multiplier, x.shape[2])
    potentials, v = np.empty_like(x), np.zeros_like(x[0])
    for t, current in enumerate(x):
        potentials[t] = v + current
        v = kept(potentials[t], shift, multiplier)
    return {"last": potentials[-1:], "sum": potentials.sum(0, keepdims=True), "max": potentials.max(0, keepdims=True)}[over]


def sum_timesteps(a, timesteps):
    """The sum over timesteps, which stands for T times the mean; one frame stands for all T."""
    return a.sum(axis=0, keepdims=True) * (timesteps if len(a) == 1 else 1)

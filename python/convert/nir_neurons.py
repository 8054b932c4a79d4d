"""Neurons of NIR, which are differential equations, in discrete time: one step of Euler's method per timestep.

With t = tau / dt and g = r / t, LIF is v' = (1 - 1/t) v + g x, where v > v_threshold fires and leaves v_reset.
In units of r that is v' = v + (x - v)/t, in units of g it is v' = v - v/t + x; the threshold carries the unit.
"""

from fractions import Fraction

import numpy as np

from layers import Word, text

# What single precision leaves of 1 - 1/t where an exporter went from that to tau and back.
RESOLUTION = 2.0**-23


def rational(t):
    """The simplest number that t may be the rounding of."""
    for largest in (1, 10, 100):
        near = Fraction(t).limit_denominator(largest)
        if near > 0 and abs(1 / float(near) - 1 / t) <= RESOLUTION:
            return float(near)
    return t


def unit(factor):
    """1 where `factor` is the rounding of it."""
    return np.where(np.abs(factor - 1) <= 2.0**-20, 1.0, factor)


def uniform(fields, field):
    """The one value of all neurons."""
    values = np.unique(fields.numbers(field))
    if len(values) > 1:
        fields.refuse(field, f"{values[0]} to {values[-1]}: neurons of a layer share one value")
    return float(values[0])


def per_channel(fields, field, shape):
    """A value for every channel of a map of `shape`; neurons of a channel share it."""
    values = fields.numbers(field)
    if values.size == 1:
        return np.full(shape[0], values.reshape(-1)[0])
    if values.size != np.prod(shape):
        fields.refuse(field, f"{values.size} values for {'x'.join(map(str, shape))} neurons")
    values = values.reshape(shape[0], -1)
    if (values != values[:, :1]).any():
        fields.refuse(field, "differs between neurons of one channel")
    return values[:, 0]


def positive(fields, field, shape):
    """A value above 0 for every channel."""
    values = per_channel(fields, field, shape)
    if (values <= 0).any():
        fields.refuse(field, f"{values.min()} is not above 0")
    return values


def check_rest(fields):
    """Refuses neurons that rest or reset elsewhere than at 0."""
    for field in ("v_leak", "v_reset"):
        if field in fields and (fields.numbers(field) != 0).any():
            fields.refuse(field, f"{fields.numbers(field).reshape(-1)[0]}: neurons rest at 0 and reset to 0")


def rest(fields):
    """The value that neurons leak toward and reset to."""
    leak, reset = (uniform(fields, field) if field in fields else None for field in ("v_leak", "v_reset"))
    if None not in (leak, reset) and leak != reset:
        fields.refuse("v_reset", f"{reset}: neurons reset to what they leak toward, v_leak, {leak}")
    return (leak or 0.0) if reset is None else reset


def ratio(fields, field, dt):
    """A time constant in timesteps."""
    tau = uniform(fields, field)
    if tau <= 0:
        fields.refuse(field, f"{tau} is not above 0")
    return rational(tau / dt)


def decay(fields, field, dt):
    """What Loihi takes off per step, in parts of 4096, of a state with a time constant."""
    parts = 4096 / ratio(fields, field, dt)
    if not (1 <= parts <= 4096) or abs(parts - round(parts)) > 1e-3:
        fields.refuse(field, f"dt / {field} is {parts / 4096:.6g}: no 1 to 4096 parts of 4096, as Loihi decays")
    return round(parts)


def time_constants(fields, shape, dt):
    """tau in timesteps and r, for every channel."""
    r, taus = positive(fields, "r", shape), positive(fields, "tau", shape)
    t = np.array([rational(tau / dt) for tau in taus])
    if (t < 1).any():
        fields.refuse("tau", f"is {t.min():.6g} dt: a step of more than tau diverges; dt is {dt:g}")
    if (t == 1).any() and (t != 1).any():
        fields.refuse("tau", f"is dt of one channel, which keeps nothing, and {t.max():.6g} dt of another")
    return t, r


def li(fields, shape, dt):
    """Leak of an integrator whose inputs are multiplied by the gain and not decayed, and its time constants as of LIF."""
    t, r = time_constants(fields, shape, dt)
    if len(np.unique(t)) > 1:
        return channel_leak(False), unit(r / t), t
    return (Word("Beta(0.0)") if t[0] == 1 else tau_leak(float(t[0]), False)), unit(r / t), None


def lif(fields, shape, dt):
    """Leak, gain and time constants of LIF: one for each channel, or None where the leak says it. A leak of None has
    no memory.
    """
    t, r = time_constants(fields, shape, dt)
    gain = unit(r / t)
    decayed = bool((gain != 1).any())
    if len(np.unique(t)) > 1:
        return channel_leak(decayed), unit(r) if decayed else gain, t
    t = float(t[0])
    if t == 1:
        return None, gain, None
    if decayed:
        return (Word("HalfWithInput") if t == 2 else tau_leak(t, True)), unit(r), None
    # v - v/t is v 2^-k for t = 2, 4/3, 8/7, ...
    near = Fraction(t).limit_denominator(1000)
    if near.numerator - near.denominator == 1 and near.numerator.bit_count() == 1:
        return Word(f"Shift({near.numerator.bit_length() - 1})"), gain, None
    return tau_leak(t, False), gain, None


def channel_leak(decayed):
    return Word(f"Parametric(of: Tau, per_channel: true, decay_input: {text(decayed)})")


def tau_leak(t, decayed):
    return Word(f"Tau(tau: {text(t)}, decay_input: {text(decayed)})")


def cuba(fields, shape, dt):
    """Leak and gain of CubaLIF, whose current of this step reaches the membrane in this step."""
    current, voltage = decay(fields, "tau_syn", dt), decay(fields, "tau_mem", dt)
    leak = Word(f"Loihi(voltage_decay: {voltage}, current_decay: {current - 1})")
    gain = positive(fields, "r", shape) * voltage / 4096 * positive(fields, "w_in", shape) * current / 4096
    return leak, unit(gain)


def integrator_gain(fields, shape, dt):
    """r dt; 1 where r is 1, which Norse, snnTorch and Sinabs write for v' = v + x."""
    r = positive(fields, "r", shape)
    return np.where(r == 1, 1.0, unit(r * dt))

"""Layers that compute the integers of a setting going forward, and pass gradients straight through going back."""

import math
from contextlib import ExitStack, contextmanager

import numpy as np
import torch

from . import _quantizer as quantizer
from ._error import Error
from ._torch_layers import Levels, Neuron, Requantize, along, channel_axis
from ._torch_neurons import hands_on

# What PyTorch adds to a variance, and the library with it.
_EPSILON = 1e-5
# A scale of a power of two is the next one of the largest weight: roundings must not push that across.
_BELOW = 1.0 - 2.0**-22
# Powers of two between the step that the largest weight needs and one that says no more than its sign.
_COLLAPSED = 16.0


class _Through(torch.autograd.Function):
    """``value``, with the gradient of ``x`` where ``inside``."""

    @staticmethod
    def forward(ctx, x, value, inside):
        ctx.inside = inside
        return value.to(x.dtype).expand_as(x).clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient if ctx.inside is None else gradient * ctx.inside, None, None


def through(x, value, inside=None):
    """``value`` going forward, ``x`` going back; no gradient where not ``inside``."""
    return _Through.apply(x, value, inside)


@contextmanager
def lent(part, values):
    """Parameters and buffers of ``part`` are ``values`` meanwhile."""
    kept = []
    try:
        for name, value in values.items():
            owner = part._parameters if name in part._parameters else part._buffers
            kept.append((owner, name, owner[name]))
            owner[name] = value
        yield
    finally:
        for owner, name, own in kept:
            owner[name] = own


class Clock:
    """Counts forward passes in training mode, and says in which one something went wrong."""

    def __init__(self):
        self.steps = 0

    def __call__(self, module, _inputs):
        self.steps += int(module.training)

    def refuse(self, layer, message):
        """The exception that ``message`` of ``layer`` is."""
        return Error(f"training step {self.steps}: {layer}: {message}", file="training", field=layer, layer=layer)


class Weights:
    """Weights and bias of a layer on their grids, at a learned step (LSQ, Esser et al., ICLR 2020).

    What is learned is the logarithm (TQT, Jain et al., MLSys 2020): a step of Adam is then a part of the step of the
    grid, however small that is. Normalizations are folded in by their running statistics. What is computed with is
    what the library makes of the weights that :meth:`written` yields, integer by integer: the largest weight is
    always a code at the end of the grid, so that it says the step.
    """

    def __init__(self, name, part, norms, integers, input_step, image, clock, parameter="weight_log2_step"):
        self.name, self.part, self.norms, self.clock = name, part, norms, clock
        self.bits, self.pow2, self.per_layer = integers["bits"], integers["pow2"], integers["per_layer"]
        self.uniform = integers["scheme"] == "Uniform"
        self.top = 2 ** (self.bits - 1) - 1 if self.uniform else 2 ** (2 ** (self.bits - 1) - 2)
        # The fewest steps that the largest weight may have, so that its code is the last of the grid.
        lower = 0.5 if self.top == 1 else 0.75
        self.reach = self.top if self.uniform else lower * self.top * (1 + 2.0**-16)
        self.input_step, self.fraction_bits = input_step, integers["fraction_bits"]
        self.behind = (-1,) + (1,) * (part.weight.dim() - 1)
        # Of the layer that reads the image, per weight: its normalization, and what a rounded zero point leaves.
        self.image, self.leaves = image
        steps = torch.tensor(integers["steps"][:1] if self.per_layer else integers["steps"], dtype=part.weight.dtype)
        self.parameter = parameter
        part.register_parameter(parameter, torch.nn.Parameter(steps.log2().to(part.weight.device)))
        self.x_steps = None

    def gains(self, dtype):
        """What each normalization multiplies a channel by, ``[out]``."""
        rounded = [(norm.weight.float().to(dtype), norm.running_var.float().to(dtype)) for norm in self.norms]
        return [weight / (variance + _EPSILON).sqrt() for weight, variance in rounded]

    def folded(self, weight, dtype):
        """``weight`` as the library folds it, ``[out, ...]``."""
        weight = self.normalized(weight, dtype)
        return weight if self.image is None else weight * self.image.to(weight)

    def normalized(self, weight, dtype):
        """``weight`` with what the normalizations multiply it by, ``[out, ...]``."""
        weight = weight.to(dtype)
        for gain in self.gains(dtype):
            weight = weight * gain.view(self.behind)
        return weight

    def unfolded(self, values):
        """The weights that are ``values`` when they are folded, in double precision."""
        whole = self.folded(torch.ones_like(self.part.weight, dtype=torch.float64), torch.float64)
        return values / torch.where(whole == 0, torch.ones_like(whole), whole)

    def folded_bias(self, dtype):
        """The bias with the normalizations behind it, ``[out]``."""
        bias = torch.zeros(len(self.part.weight), dtype=dtype, device=self.part.weight.device)
        bias = bias if self.part.bias is None else self.part.bias.float().to(dtype)
        for norm, gain in zip(self.norms, self.gains(dtype)):
            bias = (bias - norm.running_mean.float().to(dtype)) * gain + norm.bias.float().to(dtype)
        return bias

    def now(self):
        """Weights and bias of a forward pass; ``x_steps`` are then the steps of what the layer yields, ``[out]``."""
        dtype = self.part.weight.dtype
        real = self.folded(self.part.weight, dtype)
        codes, step = self.codes(real)
        with torch.no_grad():
            written = self.written(codes, step)
            exact, steps = self.quantized(self.folded(written, torch.float64))
            self.x_steps = steps * self.input_step / 2.0**self.fraction_bits
            bias = self.exact_bias(written)
        weight = through(codes * step, exact)
        if weight.requires_grad:
            weight.register_hook(self.finite)
        return weight, through(self.folded_bias(dtype), bias)

    def codes(self, real):
        """Codes of ``real`` weights at the learned step, and the step; gradients are those of LSQ."""
        learned = getattr(self.part, self.parameter)
        largest = real.detach().abs()
        largest = largest.max() if self.per_layer else largest.flatten(1).max(1).values
        if not bool(torch.isfinite(learned).all() & torch.isfinite(largest).all()):
            raise self.clock.refuse(self.name, "its weights or their steps are not finite")
        with torch.no_grad():
            end = (largest / self.reach).log2()
            learned.copy_(torch.where(largest > 0, torch.minimum(learned, end), learned))
            if bool(((learned < end - _COLLAPSED) & (largest > 0)).any()):
                message = f"a step of its weights collapsed to {2.0 ** float(learned.min()):.3g}"
                raise self.clock.refuse(self.name, message)
        calm = (real.numel() / len(learned) * self.top) ** -0.5
        step = (learned * calm + (learned - learned * calm).detach()).exp2()
        step = through(step, self.power_of_two(step.detach())) if self.pow2 else step
        step = step.view(self.behind)
        scaled = (real / step).clamp(-self.top, self.top)
        return through(scaled, self.nearest(scaled.detach())), step

    def nearest(self, scaled):
        """The nearest level of the scheme."""
        if self.uniform:
            return scaled.round().clamp(-self.top, self.top)
        size = scaled.abs()
        exponent = (size / 1.5).clamp_min(0.5).log2().ceil().clamp(0, 2 ** (self.bits - 1) - 2)
        return torch.where(size > 0.5, exponent.exp2(), torch.zeros_like(size)) * scaled.sign()

    @staticmethod
    def power_of_two(x):
        return torch.from_numpy(quantizer.next_power_of_two(x.double().cpu().numpy())).to(x)

    def written(self, codes, step):
        """The weights in single precision that a checkpoint holds for ``codes``."""
        values = self.unfolded(codes.double() * step.double())
        return (values * _BELOW if self.pow2 else values).float()

    def quantized(self, weight):
        """Of folded weights, what their codes are worth, and their steps ``[out]``, as the library finds both."""
        largest = weight.abs().flatten(1).max(1).values
        largest = largest.max().expand_as(largest) if self.per_layer else largest
        full = largest.cpu().numpy() / self.top
        full = np.where(full == 0, 1.0, full)
        steps = quantizer.next_power_of_two(full) if self.pow2 else full
        step = torch.from_numpy(np.ascontiguousarray(steps)).to(weight).view(self.behind)
        return self.nearest(weight / step) * step, steps

    def exact_bias(self, written):
        """What the integers of the bias are worth, ``[out]``."""
        bias = self.folded_bias(torch.float64).cpu().numpy()
        # In the order of the library, which decides how a sum is rounded.
        terms = np.concatenate([bias[:, None], self.of_zero_points(written)], axis=1)
        bias = terms.cumsum(axis=1)[:, -1]
        return torch.from_numpy(np.rint(bias / self.x_steps) * self.x_steps).to(self.part.weight.device)

    def of_zero_points(self, written):
        """What each of the ``written`` weights adds to the bias, as zero points of the image are rounded, ``[out, *]``."""
        if self.leaves is None:
            return np.zeros((len(written), 0))
        return (self.normalized(written, torch.float64).cpu() * self.leaves).flatten(1).numpy()

    def finite(self, gradient):
        """Refuses gradients of a loss that is not finite."""
        if not bool(torch.isfinite(gradient).all()):
            raise self.clock.refuse(self.name, "the gradient of its weights is not finite, nor then is the loss")

    def codes_now(self):
        """The written weights, and what their codes are worth, both as the parameters are now."""
        with torch.no_grad():
            codes, step = self.codes(self.folded(self.part.weight, self.part.weight.dtype))
            written = self.written(codes, step)
            return written, self.quantized(self.folded(written, torch.float64))[0]


class Network:
    """The forward pass of a module whose weight layers compute with :class:`Weights`, its normalizations with biases.

    They hold these while the module runs, so that code which reads parameters by name sees them, too.
    """

    def __init__(self, module, weights):
        self.module, self.weights, self.own = module, weights, module.__dict__.get("forward")
        # By the normalization that is put on a grid, what puts it there.
        self.grids = {}

    def forward(self, *inputs, **named):
        with ExitStack() as stack:
            for weights in self.weights.values():
                weight, bias = weights.now()
                lone = len(weights.norms) == 1 and weights.norms[0] not in self.grids
                if lone or not weights.norms:
                    stack.enter_context(lent(weights.part, {"weight": weight, "bias": bias}))
                    for norm in weights.norms:
                        stack.enter_context(idle(norm))
                    continue
                values = {"weight": weight}
                if weights.part.bias is not None:
                    values["bias"] = torch.zeros_like(bias)
                stack.enter_context(lent(weights.part, values))
                for norm in weights.norms:
                    added = bias if norm is weights.norms[-1] else torch.zeros_like(bias)
                    stack.enter_context(self.adding(norm, added))
            own = self.own or type(self.module).forward.__get__(self.module)
            return own(*inputs, **named)

    @contextmanager
    def adding(self, norm, bias):
        """``norm`` adds ``bias`` meanwhile, and does nothing else."""
        grid = self.grids.get(norm)
        bias = bias if grid is None else grid.trained_border(bias)
        training, norm.training = norm.training, False
        try:
            with lent(norm, nothing_but(norm, bias)):
                yield
        finally:
            norm.training = training


def nothing_but(norm, bias):
    """Parameters and buffers of a normalization that adds ``bias`` in use."""
    values = {"weight": torch.ones_like(bias), "bias": bias, "running_mean": torch.zeros_like(bias)}
    return values | {"running_var": torch.full_like(norm.running_var, 1.0 - norm.eps)}


@contextmanager
def idle(norm):
    """``norm`` yields what it is given meanwhile."""
    own = norm.__dict__.get("forward")
    norm.__dict__["forward"] = lambda x: x
    try:
        with lent(norm, nothing_but(norm, torch.zeros_like(norm.running_mean))):
            yield
    finally:
        norm.__dict__.pop("forward") if own is None else norm.__dict__.update(forward=own)


class TrainedRequantize(Requantize):
    """:class:`Requantize` at steps that ``source`` yields anew for every call."""

    def __init__(self, integers, source, step, rounding, joined, run):
        super().__init__(integers, source(), step, rounding, joined)
        self.source, self.run = source, run

    def refresh(self):
        steps = self.source()
        self.steps = torch.from_numpy(steps)
        found = quantizer.requantizers(steps / self.step)
        self.multipliers, self.shifts = (torch.from_numpy(integers) for integers in found)

    def trained_border(self, bias):
        """:meth:`Requantize.border`, with a gradient."""
        self.refresh()
        border = torch.from_numpy(self.border(bias.detach().double().cpu().numpy()))
        return through(bias, border.to(bias))

    def __call__(self, module, _inputs, output):
        self.refresh()
        axis = channel_axis(module, output)
        along_axis = [1] * output.dim()
        along_axis[axis] = -1
        values = dict(steps=self.steps, multipliers=self.multipliers, unit=2.0 ** self.shifts.double())
        values |= {} if self.missing is None else {"missing": self.missing}
        constants = {name: value.to(output.device, torch.float64).view(along_axis) for name, value in values.items()}
        constants["steps"] = constants["steps"].to(output.dtype)
        constants["step"] = torch.tensor(self.step, dtype=torch.float64)
        # The ends of the grid hold for the sum behind a join.
        limits = None if self.joins and self.joined is None else tuple(self.limits)
        value, distance = self.run(on_grid, output, self.stream(output, axis), constants, limits)
        self.rounding.seen(distance)
        return value

    def stream(self, output, axis):
        """The integers that ``output`` is added to, as they lie in it; None where they are not known."""
        if self.joined is None:
            return None
        moved = output.movedim(axis, -1).shape
        return self.joined.popleft().transpose(1, 2).reshape(moved).movedim(-1, axis)


def on_grid(x, stream, constants, limits):
    """``x`` as requantized and added to ``stream`` by integers, where it leaves no limits with a gradient.

    Yields what :func:`whole_of` says, too.
    """
    read = x.detach()
    if "missing" in constants:
        read = (read + constants["missing"]).to(x.dtype)
    whole, distance = whole_of(read, constants["steps"])
    unit = constants["unit"]
    grid = ((whole.double() * constants["multipliers"] + (unit / 2).floor()) / unit).floor()
    stream = torch.zeros_like(grid) if stream is None else stream.double()
    total = stream + grid
    clamped = total if limits is None else total.clamp(*limits)
    return through(x, (clamped - stream) * constants["step"], clamped == total), distance


class Trained:
    """What stands in for a layer of neurons in training: ``steps_of`` yields the steps of its input anew.

    Whole numbers are floats here, which hold those of single precision up to 2^24. ``run`` calls a function of
    tensors, which may be compiled.
    """

    def tell(self, whole, distance):
        """Notes ``distance``, and tells listeners the ``whole`` numbers that are read."""
        self.rounding.seen(distance)
        for listener in self.listeners:
            listener(whole)

    def steps_now(self, x):
        return along(self.steps_of(), self.shape, torch.float64).to(x)


def whole_of(x, steps):
    """``x`` in ``steps``, rounded, and how far from whole numbers it was, or its type leaves it, at most."""
    scaled = x / steps
    whole = scaled.round()
    doubt = torch.finfo(x.dtype).eps / 2
    return whole, torch.maximum((scaled - whole).abs(), scaled.abs() * doubt).amax()


class TrainedNeuron(Trained, Neuron):
    """A neuron whose spikes are those of the integers, and whose gradient is the surrogate at their potential."""

    def __init__(self, integers, shape, part, surrogate, steps_of, run, **arguments):
        super().__init__(integers, shape, steps=None, **arguments)
        if self.reset_by == "amount" and any(integers["amounts"]):
            raise Error("neurons whose spikes subtract an amount of their own are not trained", file="training")
        self.shape, self.steps_of, self.part, self.run = shape, steps_of, part, run
        self.heights, self.fixed_gain = integers["heights"], integers["gain"]
        self.learned = torch.is_tensor(getattr(part, "w", None)) and getattr(part, "tau", None) is None
        # snnTorch always detaches it.
        detached = bool(getattr(part, "detach_reset", hands_on(part)))
        self.fires = Fires(surrogate, self.reset_by, detached, self.bits, self.level)
        self.real = None

    def forward(self, x):
        constants, frames = self.constants(x), x if self.many else x[None]
        spikes, self.real, self.v, *seen = self.run(self.fires, frames, self.real, self.v, constants)
        self.tell(*seen)
        return spikes if self.many else spikes[0]

    def constants(self, x):
        """What the timesteps share, in what the neuron computes with now."""
        tau = self.dynamics(x)
        heights, steps = np.asarray(self.heights), np.asarray(self.steps_of())
        thresholds = quantizer.thresholds(tau, heights, steps, self.strict)
        taken = thresholds - int(self.strict)
        word = np.zeros(1, int)
        if self.bits is not None:
            behind = taken if self.reset_by == "delayed" else None
            word = quantizer.discards(thresholds, self.multiplier, self.shift, self.bits, behind)
        values = dict(thresholds=thresholds, taken=taken, unit=2.0**word, height=heights)
        values = {name: along(value, self.shape, torch.float64) for name, value in values.items()}
        values |= dict(gain=self.gain, kept=self.kept, ratio=self.multiplier / 2 ** (self.shift + 1))
        values = {name: torch.as_tensor(value, dtype=torch.float64) for name, value in values.items()}
        # A power of two leaves no more digits than there were.
        exact = x.dtype if self.multiplier == 1 or self.bits is None else torch.float64
        types = dict.fromkeys(("thresholds", "taken", "unit", "ratio"), exact)
        values = {name: value.to(x.device, types.get(name, x.dtype)) for name, value in values.items()}
        return values | {"steps": self.steps_now(x)}

    def dynamics(self, x):
        """Sets ``gain``, by what a potential of integers exceeds that of the neuron, and what a membrane keeps.

        Yields the gain in double precision.
        """
        self.gain, self.kept = self.fixed_gain, self.multiplier / 2**self.shift
        if not self.learned:
            return self.fixed_gain
        # tau = 1 / sigmoid(w), of w in single precision.
        tau = 1.0 + math.exp(-float(self.part.w.detach().float()))
        self.multiplier, self.shift = quantizer.keep(1.0 - 1.0 / tau)
        leak = self.part.w.to(x.dtype).sigmoid()
        self.kept = through(1.0 - leak, torch.as_tensor(self.multiplier / 2**self.shift))
        if not getattr(self.part, "decay_input", True):
            return self.fixed_gain
        self.gain = through(1.0 / leak, torch.as_tensor(tau))
        return tau

    def membrane(self, x):
        return torch.zeros_like(x) if self.real is None else self.real

    def reset(self):
        super().reset()
        self.real = None

    def __getstate__(self):
        """A copy has seen nothing yet."""
        return self.__dict__ | {"real": None, "v": None}


class Fires:
    """Frames of a neuron: ``v`` is its membrane in steps, ``real`` what that is worth, with a gradient."""

    def __init__(self, surrogate, reset_by, detached, bits, level):
        self.surrogate, self.reset_by, self.detached = surrogate, reset_by, detached
        self.bits, self.level = bits, level

    def __call__(self, x, real, v, constants):
        """Spikes of ``x [T, ...]``, what is left behind the last of them, and what :func:`whole_of` yields."""
        whole, distance = whole_of(x.detach(), constants["steps"])
        spikes, exact = [], whole.to(constants["thresholds"].dtype)
        for now, steps in zip(x.unbind(0), exact.unbind(0)):
            out, real, v = self.frame(now, steps, real, v, constants)
            spikes.append(out * self.level)
        return torch.stack(spikes), real, v, whole, distance

    def frame(self, x, whole, real, v, c):
        g = whole if v is None else v + whole
        fires = (g >= c["thresholds"]).to(x.dtype)
        potential = through(x if real is None else x + real, g * c["steps"]) / c["gain"]
        spikes = through(self.surrogate(potential - c["height"]).to(x.dtype), fires)
        if self.bits is None:
            return spikes, None, None
        left, stored, limit = self.left(g, fires, c), None, 2.0 ** (self.bits - 1)
        stored = (left / c["unit"]).floor()
        v = stored.clamp(-limit, limit - 1) * c["unit"]
        out = spikes.detach() if self.detached else spikes
        taken = out * (c["height"] if self.reset_by in ("threshold", "delayed") else potential)
        taken = torch.zeros_like(taken) if self.reset_by == "amount" else taken
        kept = c["kept"]
        real = potential * kept - taken if self.reset_by == "delayed" else (potential - taken) * kept
        inside = (stored >= -limit) & (stored < limit)
        return spikes, through(real * c["gain"], v * c["steps"], inside), v

    def left(self, g, fires, c):
        """What the leak leaves of the potential, less what a spike takes; half a step makes a reciprocal exact."""
        amount = {"threshold": c["taken"], "delayed": c["taken"], "amount": 0.0}.get(self.reset_by, g)
        taken = torch.where(fires > 0, amount, torch.zeros_like(g))
        if self.reset_by == "delayed":
            return ((2 * g + 1) * c["ratio"]).floor() - taken
        return ((2 * (g - taken) + 1) * c["ratio"]).floor()


class TrainedLevels(Trained, Levels):
    """Integer spikes; the gradient is that of their input within their range."""

    def __init__(self, levels, shape, steps_of, run, **arguments):
        super().__init__([[0] * levels], shape, steps=None, **arguments)
        self.shape, self.steps_of, self.run = shape, steps_of, run

    def forward(self, x):
        rows = quantizer.level_thresholds(len(self.thresholds), np.asarray(self.steps_of()))
        rows = [along(row, self.shape, torch.float64).to(x) for row in rows]
        out, *seen = self.run(fired_levels, x, self.steps_now(x), rows, self.level)
        self.tell(*seen)
        return out


def fired_levels(x, steps, rows, level):
    """How many thresholds ``x`` reaches, with its gradient within their range, and what :func:`whole_of` yields."""
    whole, distance = whole_of(x.detach(), steps)
    count = sum((whole >= row).to(x.dtype) for row in rows)
    inside = (x >= 0) & (x <= len(rows))
    return through(x * level, count * level, inside), whole, distance

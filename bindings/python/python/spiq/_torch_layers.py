"""What a module computes in the place of its own neurons, and between its layers, so that it computes integers."""

import torch

from ._error import Error


class Rounding:
    """Finds the integers that floats stand for, and keeps the largest distance to one, in steps."""

    def __init__(self):
        self.distance = 0.0

    def __call__(self, x, steps):
        scaled = x.double() / steps.to(x.device)
        whole = scaled.round()
        if whole.numel():
            self.seen((scaled - whole).abs().max())
        return whole.to(torch.int64)

    def seen(self, distance):
        """Notes a distance that was seen elsewhere."""
        self.distance = max(self.distance, float(distance))


def along(values, shape, dtype=torch.int64):
    """A value for all, or one per channel in an array whose channels lie in ``shape``."""
    tensor = torch.tensor(values, dtype=dtype)
    return tensor if tensor.numel() == 1 else tensor.view(shape)


def channel_axis(module, x):
    """Which index of ``x``, from behind, counts the channels that a weight layer or a normalization yields."""
    if isinstance(module, torch.nn.Linear) or x.dim() < 3:
        return -1
    behind = {torch.nn.Conv2d: -3, torch.nn.BatchNorm2d: -3, torch.nn.Conv3d: -4, torch.nn.BatchNorm3d: -4}
    return next((axis for kind, axis in behind.items() if isinstance(module, kind)), -2)


class Spiking:
    """What a layer of neurons computes; ``many`` where it is given all timesteps at once, as its first index.

    Inputs and outputs are those of the layer that it stands in for. There is no gradient.
    """

    def __init__(self, steps, level, many, rounding):
        self.steps, self.level, self.many, self.rounding = steps, level, many, rounding
        # Who else is told of the integers that it reads.
        self.listeners = []

    def forward(self, x):
        whole = self.rounding(x.detach(), self.steps)
        for listener in self.listeners:
            listener(whole)
        if self.many:
            levels = torch.stack([self.levels_of(frame) for frame in whole])
        else:
            levels = self.levels_of(whole)
        return levels.to(x.dtype) * self.level

    def reset(self):
        """Forgets what was seen; SpikingJelly's ``functional.reset_net`` calls it."""
        for listener in self.listeners:
            listener.forget()


class Neuron(Spiking):
    """g = V + X; fires iff g >= threshold; V is multiplier / 2^shift of what is left, stored >> discard and clamped.

    A spike leaves nothing of g, or g less an amount; where that is ``delayed``, it is taken off behind the leak.
    """

    def __init__(self, integers, shape, **arguments):
        super().__init__(**arguments)
        self.thresholds = along(integers["thresholds"], shape)
        self.multiplier, self.shift = integers["multiplier"], integers["shift"]
        self.reset_by, self.strict = integers["reset"], integers["strict"]
        self.amounts = along(integers["amounts"], shape) if integers["amounts"] else None
        word = integers["membrane"]
        self.bits = None if word is None else word["bits"]
        self.discards = None if word is None else along(word["discards"], shape)
        self.v = None

    def levels_of(self, x):
        """What fires; the membrane is then ``v``."""
        g = x if self.v is None else self.v + x
        fires = g >= self.thresholds.to(x.device)
        if self.bits is not None:
            taken = g if self.amounts is None else self.amounts.to(x.device).expand_as(g)
            taken = torch.where(fires, taken, torch.zeros_like(g))
            delayed = self.reset_by == "delayed"
            discards, limit = self.discards.to(x.device), 1 << (self.bits - 1)
            # Half a step makes a reciprocal divide exactly; of a multiplier of 1 it leaves a shift.
            kept = ((2 * (g if delayed else g - taken) + 1) * self.multiplier) >> (self.shift + 1)
            stored = (kept - taken if delayed else kept) >> discards
            self.v = stored.clamp(-limit, limit - 1) << discards
        return fires

    def membrane(self, x):
        """What it keeps, in the unit and the type of its input ``x``."""
        return torch.zeros_like(x) if self.v is None else (self.v * self.steps.to(x.device)).to(x.dtype)

    def reset(self):
        super().reset()
        self.v = None


class Levels(Spiking):
    """Integer spikes: how many of its thresholds the input reaches."""

    def __init__(self, thresholds, shape, **arguments):
        super().__init__(**arguments)
        self.thresholds = [along(list(level), shape) for level in zip(*thresholds)]

    def levels_of(self, x):
        return sum((x >= level.to(x.device)).to(torch.int64) for level in self.thresholds)


class Requantize:
    """A forward hook: what a layer yields, on the grid of the stream that it starts or is added to.

    ``joined`` has, call by call, what it is added to, as integers ``[frames, C, N]``. The module adds by itself,
    so what it is given is what leads to the sum that the ends of the grid leave.
    """

    def __init__(self, integers, steps, step, rounding, joined=None):
        self.steps, self.step, self.rounding = torch.tensor(steps, dtype=torch.float64), step, rounding
        self.multipliers, self.shifts = (torch.tensor(integers[name]) for name in ("multipliers", "shifts"))
        self.limits, self.joins, self.joined = integers["limits"], integers["joins"], joined
        self.missing = None

    def border(self, bias):
        """What a normalization may add in the place of ``bias``; what it then lacks is added here.

        RepConv pads behind its first normalization with what that one adds: that has to be on the grid.
        """
        bias = torch.tensor(bias, dtype=torch.float64)
        border = self._on_grid(bias).clamp(*self.limits) * self.step
        self.missing = bias - border
        return border.numpy()

    def __call__(self, module, _inputs, output):
        axis = channel_axis(module, output)
        x = output.detach().double().movedim(axis, -1)
        x = x if self.missing is None else x + self.missing.to(x.device)
        x = self._on_grid(x)
        stream = torch.zeros_like(x) if self.joined is None else self.joined.popleft().transpose(1, 2).reshape(x.shape)
        total = stream + x
        # The ends of the grid hold for the sum behind a join.
        clamped = total if self.joins and self.joined is None else total.clamp(*self.limits)
        return ((clamped - stream) * self.step).movedim(-1, axis).to(output.dtype)

    def _on_grid(self, x):
        """Integers of ``x``, whose last index counts channels, not yet clamped."""
        shifts = self.shifts.to(x.device)
        x = self.rounding(x, self.steps)
        return (x * self.multipliers.to(x.device) + ((1 << shifts) >> 1)) >> shifts


class Pixels:
    """A forward hook before a layer: of images that were normalized, the integers that the first layer reads."""

    def __init__(self, codes, step, mean, std, largest, flat):
        self.codes, self.step, self.largest, self.flat = torch.tensor(codes), step, largest, flat
        self.scaling = None
        if mean is not None:
            self.scaling = [torch.tensor(values, dtype=torch.float64).view(-1, 1, 1) for values in (mean, std)]

    def __call__(self, _module, inputs):
        x = inputs[0].detach().double()
        channels = len(self.codes)
        x = x.unflatten(-1, (channels, -1, 1)) if self.flat else x
        pixels = x
        if self.scaling is not None:
            mean, std = (values.to(x.device) for values in self.scaling)
            pixels = (x * std + mean) * self.largest
        whole = pixels.round().to(torch.int64)
        wrong = (whole < 0) | (whole > self.largest) | ((pixels - whole).abs() > 0.01)
        if wrong.any():
            value = float(x[wrong].flatten()[0])
            message = "is no pixel or count that was normalized as the description of the model says"
            raise Error(f"images: {value:.6g} {message}", file="images")
        channel = torch.arange(channels, device=x.device).view(-1, 1, 1)
        read = self.codes.to(x.device)[channel, whole] * self.step
        return (read.view(inputs[0].shape).to(inputs[0].dtype), *inputs[1:])

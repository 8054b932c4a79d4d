"""Reads a module of PyTorch: its layers by name, what its neurons fire, and how their values lie in memory."""

import math
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from . import _torch_neurons as neurons
from ._error import Error

_WRAPPERS = ("module.", "model.", "_orig_mod.")


def check(module):
    """Refuses what does not compute what it computes in use."""
    if not isinstance(module, torch.nn.Module):
        raise Error(f"module: {type(module).__name__} is no torch.nn.Module", file="module")
    for path, part in module.named_modules():
        if part.training:
            message = "is in training mode: call module.eval() first"
            raise Error(f"module: {path or type(part).__name__} {message}", file="module", field=path)


def prefix_of(module, node):
    """What a wrapper puts before all names, such that the layer ``node`` is there."""
    paths = dict(module.named_modules())
    prefixes = [""]
    for prefix in prefixes:
        if prefix + node in paths:
            return prefix
        if len(prefix) < 32:
            prefixes.extend(prefix + wrapper for wrapper in _WRAPPERS if (prefix + wrapper)[:-1] in paths)
    raise Error(f"module: it has no layer {node}", file="module", layer=node)


def layers_of(module, names):
    """Submodules by the names of layers, one each."""
    prefix = prefix_of(module, names[0])
    paths = dict(module.named_modules(remove_duplicate=False))
    found, owners = {}, {}
    for name in names:
        part = paths.get(prefix + name)
        if part is None:
            raise Error(f"module: it has no layer {name}", file="module", layer=name)
        if id(part) in owners:
            message = f"{owners[id(part)]} and {name} are one submodule, and the network has two layers"
            raise Error(f"module: {message}", file="module", layer=name)
        owners[id(part)] = name
        found[name] = part
    return found


@dataclass
class Layout:
    """Where channels lie in what a layer of neurons yields: the last extents, behind those of time and batch."""

    extents: tuple
    order: str
    """``CN``: channels, then positions; ``NC``: the reverse; ``HND``: heads, positions, channels of a head."""
    channel_shape: tuple
    """Extents of one value per channel."""

    def frames(self, values, timesteps):
        """``[T, C, N]`` of an array or a tensor of all timesteps of one image; of -1, as many as there are."""
        values = values.reshape((timesteps, *self.extents))
        channels = math.prod(self.channel_shape)
        if self.order == "CN":
            return values.reshape((len(values), channels, -1))
        if self.order == "NC":
            return values.reshape((len(values), -1, channels)).swapaxes(1, 2)
        return values.swapaxes(2, 3).reshape((len(values), channels, -1))


def layouts(extents, channels, positions):
    """Every way that ``channels`` and ``positions`` may lie in the last of ``extents``."""
    first = len(extents)
    while first > 0 and math.prod(extents[first:]) < channels * positions:
        first -= 1
    extents = tuple(extents[first:])
    found = []
    for i in range(len(extents) + 1):
        head, tail = extents[:i], extents[i:]
        if (math.prod(head), math.prod(tail)) == (channels, positions):
            found.append(Layout(extents, "CN", head + (1,) * len(tail)))
        if (math.prod(tail), math.prod(head)) == (channels, positions):
            found.append(Layout(extents, "NC", tail))
    if len(extents) == 3 and extents[1] == positions and extents[0] * extents[2] == channels:
        found.append(Layout(extents, "HND", (extents[0], 1, extents[2])))
    return found


class Watch:
    """Runs a module on one image after another, and sees what its layers of neurons yield."""

    def __init__(self, module, layers, timesteps, forward):
        self.module, self.layers, self.timesteps = module, layers, timesteps
        self.forward = forward or (lambda module, images: module(images))
        self.calls = {}

    def run(self, image):
        """Logits ``[classes]``; ``calls`` then has the outputs of every layer, call by call."""
        self.calls = {name: [] for name in self.layers}
        for part in self.module.modules():
            neurons.reset(part)
        hooks = [part.register_forward_hook(self._see(name)) for name, part in self.layers.items()]
        try:
            with torch.no_grad():
                logits = self.forward(self.module, image)
        finally:
            for hook in hooks:
                hook.remove()
        logits = logits[0] if isinstance(logits, (tuple, list)) else logits
        logits = logits.detach().cpu().double()
        # Of one value per timestep, the mean counts.
        return (logits if logits.dim() < 3 else logits.mean(0)).flatten().numpy()

    def _see(self, name):
        def see(_module, inputs, output):
            spikes = output[0] if isinstance(output, tuple) else output
            self.calls[name].append(spikes.detach().cpu())
            if spikes.dtype == inputs[0].dtype:
                return None
            # Spikes of snnTorch are of single precision, whatever the module computes in.
            spikes = spikes.to(inputs[0].dtype)
            return (spikes, *output[1:]) if isinstance(output, tuple) else spikes

        return see

    def fired(self, name, values):
        """What a layer of ``values`` per frame yielded at all timesteps: the extents of a frame, and all values."""
        calls, frames = self.calls[name], self.timesteps
        if len(calls) == 1 and calls[0].numel() == frames * values:
            extents = calls[0].shape[1:] if calls[0].shape[0] == frames else calls[0].shape
            return tuple(extents), calls[0].double().numpy(), True
        if len(calls) == frames and all(call.numel() == values for call in calls):
            return tuple(calls[0].shape), torch.stack(calls).double().numpy(), False
        shapes = ", ".join(str(list(call.shape)) for call in calls[:2]) or "nothing"
        message = f"{name} yields {shapes} in {len(calls)} calls, not {frames} frames of {values} values"
        raise Error(f"module: {message}", file="module", layer=name)


@contextmanager
def in_type(module, dtype):
    """Floats of the module in ``dtype``, neurons on what any machine has; all is as it was in the end."""
    parameters = {id(value): value for value in module.parameters() if value.is_floating_point()}
    kept = [(value, value.data) for value in parameters.values()]
    buffers = [
        (part, name, value)
        for part in module.modules()
        for name, value in part._buffers.items()
        if value is not None and value.is_floating_point()
    ]
    backends = [part for part in module.modules() if isinstance(getattr(part, "backend", None), str)]
    backends = [(part, part.backend) for part in backends if part.backend != "torch"]
    try:
        for value, data in kept:
            value.data = data.to(dtype)
        for part, name, value in buffers:
            part._buffers[name] = value.to(dtype)
        for part, _ in backends:
            part.backend = "torch"
        yield
    finally:
        for value, data in kept:
            value.data = data
        for part, name, value in buffers:
            part._buffers[name] = value
        for part, backend in backends:
            part.backend = backend


def device_of(module):
    """Where its first parameter is."""
    return next((value.device for value in module.parameters()), torch.device("cpu"))


def image_of(sample, about, dtype, device):
    """``[1, C, H, W]`` of an image, ``[1, T, C, H, W]`` of events, as the original network reads them."""
    x = torch.from_numpy(sample).to(torch.float64)
    if about["mean"] is not None:
        mean, std = (torch.tensor(about[name], dtype=torch.float64).view(-1, 1, 1) for name in ("mean", "std"))
        x = (x / about["max"] - mean) / std
    return (x if about["constant"] else x[None]).to(dtype).to(device)

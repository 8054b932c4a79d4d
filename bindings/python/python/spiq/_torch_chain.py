"""A module whose layers follow each other, of no family: its layers by type, in the order in which one forward pass calls
them."""

import torch
from torch import nn

from ._error import Error
from ._torch_neurons import hands_on, reset

_SKIPPED = (nn.Dropout, nn.Dropout2d, nn.Dropout3d, nn.Flatten, nn.Identity)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def layers(module, image, forward, timesteps):
    """``module`` as the list of layers of a description, ``family="Layers"``.

    Args:
        image: An image as the module reads it; noise shows more than zeros.
        forward: ``forward(module, image)`` runs it.

    Raises:
        Error: If a layer is of a kind that is not known here, or reads what the one before it did not yield;
            ``layer`` is its path in the module.
    """
    calls = _calls(module, image, forward)
    found = []
    for i, call in enumerate(calls):
        if i and not any(call.reads(before, timesteps) for before in reversed(calls[:i])):
            message = "its input is not what a layer before it yields: shortcuts and products are described by hand"
            raise _refused(call.name, f'{message}, as family="Layers", layers=[...]')
        if i and not call.reads(calls[i - 1], timesteps):
            raise _refused(call.name, f"it does not read what {calls[i - 1].name} yields, which is the layer before it")
        if isinstance(call.part, _NORMS):
            if not found or "norms" not in _fields(found[-1]):
                raise _refused(call.name, "a normalization that is not behind a weight layer")
            _fields(found[-1])["norms"].append(call.name)
        elif not isinstance(call.part, _SKIPPED):
            found.append(_layer(call))
    return [*found, {"MeanTimesteps": {"name": "logits"}}]


class _Call:
    """The first call of a layer: its path, and what it read and yielded."""

    def __init__(self, name, part, read, yielded):
        self.name, self.part, self.read, self.yielded = name, part, read, yielded

    def reads(self, before, timesteps):
        """Whether it reads what ``before`` yielded, at one timestep or as often as there are timesteps."""
        read, yielded = self.read.flatten(), before.yielded.flatten()
        if read.numel() == timesteps * yielded.numel():
            read = read.view(timesteps, -1)
            return bool((read == yielded).all())
        return read.numel() == yielded.numel() and bool((read == yielded).all())


def _calls(module, image, forward):
    calls, hooks, seen = [], [], set()

    def hook(name):
        def called(part, inputs, output):
            if name not in seen:
                seen.add(name)
                output = output[0] if isinstance(output, tuple) else output
                calls.append(_Call(name, part, inputs[0].detach().clone(), output.detach().clone()))

        return called

    for name, part in module.named_modules():
        if _is_layer(part) and not any(name.startswith(f"{other}.") for other in _neurons(module)):
            hooks.append(part.register_forward_hook(hook(name)))
    observe(module, image, forward, hooks)
    if not calls:
        raise Error("module: it calls no layer", file="module")
    return calls


def observe(module, image, forward, hooks):
    """Runs ``module`` on ``image`` and takes ``hooks`` away; its neurons have seen nothing before, nor behind."""

    def forget():
        for part in module.modules():
            reset(part)

    try:
        with torch.no_grad():
            forget()
            forward(module, image)
    finally:
        for handle in hooks:
            handle.remove()
        forget()


def _is_neuron(part):
    return hands_on(part) or hasattr(part, "v_threshold")


def _neurons(module):
    return [name for name, part in module.named_modules() if _is_neuron(part)]


def _is_layer(part):
    return _is_neuron(part) or not any(True for _ in part.children())


def _fields(layer):
    return next(iter(layer.values()))


def _refused(name, message):
    return Error(f"module: {name}: {message}", file="module", layer=name)


def _pair(value):
    first, second = value if isinstance(value, tuple) else (value, value)
    return first if first == second else (first, second)


def _layer(call):
    name, part = call.name, call.part
    if _is_neuron(part):
        return {"Neuron": {"name": name}}
    if isinstance(part, nn.Conv2d):
        if part.padding_mode != "zeros" or isinstance(part.padding, str):
            raise _refused(name, f"padding={part.padding!r}, padding_mode={part.padding_mode!r}: zeros by number are read")
        shape = {"kernel": part.kernel_size, "stride": part.stride, "pad": part.padding, "dilation": part.dilation}
        fields = {"name": name, "out_channels": part.out_channels, "groups": part.groups}
        fields |= {"bias": part.bias is not None, "norms": []} | {key: _pair(value) for key, value in shape.items()}
        return {"Conv": fields}
    if isinstance(part, nn.Linear):
        if part.bias is None:
            raise _refused(name, "a linear layer without a bias: give it one of zeros")
        return {"Linear": {"name": name, "out_features": part.out_features, "flatten": True, "norms": []}}
    if isinstance(part, (nn.MaxPool2d, nn.AvgPool2d)):
        if part.ceil_mode or _pair(getattr(part, "dilation", 1)) != 1:
            raise _refused(name, "ceil_mode or dilation of a pooling")
        stride = part.kernel_size if part.stride is None else part.stride
        kind = "MaxPool" if isinstance(part, nn.MaxPool2d) else "AvgPool"
        fields = {"name": name, "size": _pair(part.kernel_size), "stride": _pair(stride), "pad": _pair(part.padding)}
        return {kind: fields}
    if isinstance(part, nn.AdaptiveAvgPool2d) and _pair(part.output_size) == 1:
        return {"MeanTokens": {"name": name}}
    raise _refused(name, f"a layer of the kind {type(part).__name__} is not known")

"""Neurons of a module of PyTorch: what they compute, as descriptions of models say it, and what they hand on."""

import numpy as np
import torch

from ._error import Error

# Neurons of SpikingJelly whose equations are those of `docs/semantics.md`, in both of its generations.
_SPIKINGJELLY = {"IFNode", "LIFNode", "ParametricLIFNode"}


def library_class(neuron, library):
    """The class of ``library`` that ``neuron`` is of, if it is of one."""
    return next((kind for kind in type(neuron).__mro__ if kind.__module__.split(".")[0] == library), None)


def hands_on(neuron):
    """True for a neuron of snnTorch, which may be given its membrane and yield the next one."""
    return library_class(neuron, "snntorch") is not None


def reset(part):
    """Forgets what was seen, if ``part`` is a layer of neurons."""
    if hands_on(part):
        part.reset_mem()
    elif "reset" in part.__dict__ or hasattr(part, "v") or hasattr(part, "v_threshold"):
        # What stands in for a neuron has a state, whether the neuron itself has one or not.
        own = getattr(part, "reset", None)
        if callable(own):
            own()


def tensors_of(module):
    """Names of tensors of neurons that say what they compute and are no weights; of parametric leaks, apart.

    The second is a dict of the neurons by the name of their leak.
    """
    own, leaks = set(), {}
    for path, part in module.named_modules():
        if hands_on(part):
            own |= {f"{path}.{name}" for name in part.state_dict()}
        elif hasattr(part, "v_threshold"):
            leaks[f"{path}.w"] = part
    return own, leaks


def dynamics(name, neuron):
    """Threshold, leak, reset and comparison of a layer of neurons, as a description of a model writes them."""

    def refuse(message):
        return Error(f"module: {name}: {message}", file="module", layer=name)

    def one(value, what):
        values = np.asarray(torch.as_tensor(value).detach().cpu(), dtype=np.float64)
        if values.size != 1:
            raise refuse(f"a {what} of {values.size} values, and one is read")
        return values.item()

    if hands_on(neuron):
        return {"layers": name, **_leaky(neuron, one, refuse)}
    kind = library_class(neuron, "spikingjelly")
    if kind is not None and kind.__name__.removeprefix("MultiStep") not in _SPIKINGJELLY:
        raise refuse(f"neurons of the kind {kind.__name__} are not built")
    threshold, to = getattr(neuron, "v_threshold", None), getattr(neuron, "v_reset", 0.0)
    if threshold is None:
        raise refuse(f"{type(neuron).__name__} has no v_threshold; neurons=[...] says what it computes")
    return {
        "layers": name,
        "threshold": one(threshold, "threshold"),
        "leak": _leak(neuron),
        "reset": "Subtract" if to is None else {"To": float(to)} if to else "Zero",
        "fire": "AtThreshold",
    }


def _leak(neuron):
    """The leak, as a description of a model writes it."""
    tau, decays = getattr(neuron, "tau", None), bool(getattr(neuron, "decay_input", True))
    if tau is None:
        return {"Parametric": {"decay_input": decays}} if hasattr(neuron, "w") else "None"
    if float(tau) == 2 and decays:
        return "HalfWithInput"
    return {"Tau": {"tau": float(tau), "decay_input": decays}}


def _leaky(neuron, one, refuse):
    """Of snnTorch's Leaky: beta V + X, which fires above its threshold."""
    kind = library_class(neuron, "snntorch").__name__
    if kind != "Leaky":
        raise refuse(f"neurons of the kind {kind} are not built")
    if neuron.inhibition or neuron.state_quant or one(neuron.graded_spikes_factor, "factor of spikes") != 1:
        raise refuse("inhibition, state_quant and graded spikes are not built")
    reset = {"zero": "Zero", "subtract": "Subtract", "none": "None"}[neuron.reset_mechanism]
    if reset == "Subtract" and neuron.reset_delay:
        reset = "SubtractDelayed"
    beta = min(max(one(neuron.beta, "beta"), 0.0), 1.0)
    return {
        "threshold": one(neuron.threshold, "threshold"),
        "leak": "None" if beta == 1 else {"Beta": beta},
        "reset": reset,
        "fire": "AboveThreshold",
    }


class HandsOn:
    """What stands in for a neuron of snnTorch: ``neuron`` computes, and its membrane is handed on in floats.

    A membrane of zeros, given or left by ``reset_mem``, begins anew.
    """

    def __init__(self, name, part, neuron):
        self.name, self.part, self.neuron, self.yielded = name, part, neuron, None

    def forward(self, x, mem=None):
        mem = self.part.mem if mem is None else mem
        if self.yielded is None or mem.shape != self.yielded.shape or not torch.equal(mem, self.yielded):
            if mem.numel() and bool(mem.any()):
                message = "is given a membrane that is neither zero nor the one that it yielded last"
                raise Error(f"module: {self.name} {message}", file="module", layer=self.name)
            self.neuron.reset()
        spikes = self.neuron.forward(x)
        self.part.mem = self.neuron.membrane(x)
        self.yielded = self.part.mem.detach()
        silent = self.part.init_hidden and not self.part.output
        return spikes if silent else (spikes, self.part.mem)

    def reset(self):
        self.neuron.reset()
        self.yielded = None

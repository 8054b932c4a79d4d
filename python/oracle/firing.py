"""Keeps what the neurons of a network fire."""

import torch

from neurons import Lif, MultiSpike


def keep(model, spikes):
    """Appends, from now on, what every neuron layer yields to `spikes`; returns handles that end it."""

    def hook(name):
        def append(module, _inputs, output):
            levels = output * module.norm if isinstance(module, MultiSpike) else output
            spikes.setdefault(name, []).append(levels.to(torch.uint8).numpy())

        return append

    neurons = (pair for pair in model.named_modules() if isinstance(pair[1], (Lif, MultiSpike)))
    return [module.register_forward_hook(hook(name)) for name, module in neurons]

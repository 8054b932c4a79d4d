"""Training that starts from the integers of a setting, in the place of float weights rounded to nearest."""

import numpy as np
import torch

from ._error import Error
from ._quantizer import thresholds


def start_from(trainer, parameters):
    """Every layer of ``trainer`` computes what ``parameters`` of the library say, by name: what integers are worth.

    Thresholds that were matched to firing rates become scales of the channels in front of them: an integer weight
    and its threshold say alike what fires, whatever a step is worth.
    """
    scales = channel_scales(trainer)
    for name, weights in trainer.weights.items():
        scale = torch.from_numpy(scales.get(name, np.ones(len(weights.part.weight))))
        with torch.no_grad():
            # A bias is written where its layer has a place for one, beside zeros.
            places = [name, *trainer.nodes[name]["norms"]]
            bias = sum(parameters.get(f"{place}.bias", 0.0) for place in places)
            put(weights, scale, parameters[f"{name}.weight"], bias)


def channel_scales(trainer):
    """By the name of a weight layer, what its neurons ask of the scales of its channels."""
    found = {}
    for name, read in trainer.integers.items():
        if read["neuron"] is None:
            continue
        source, count = source_of(trainer, name)
        if source is None:
            continue
        neuron = read["neuron"]
        steps = np.array(trainer.integers[source]["steps"]) / count
        exact = neuron["gain"] * np.array(neuron["heights"]) / steps
        fires_at = np.array(neuron["thresholds"])
        nearest = thresholds(neuron["gain"], neuron["heights"], steps, neuron["strict"])
        # Half a step below the integer, single precision does not move it.
        found[source] = np.where(nearest == fires_at, 1.0, exact / (fires_at - 0.5)) + np.zeros_like(steps)
    return found


def source_of(trainer, name):
    """The weight layer, with steps per channel, whose sums neuron ``name`` reads and nothing else does.

    Beside it, how many steps of what the neuron reads one of those sums has.
    """
    steps = trainer.steps_of(trainer.nodes[name]["inputs"][0])
    weights = getattr(steps, "weights", None)
    if weights is None or weights.per_layer or weights.pow2:
        return None, 1
    readers = [node for node in trainer.nodes.values() if weights.name in node["inputs"]]
    return (weights.name, steps.count) if len(readers) == 1 else (None, 1)


def put(weights, scale, values, bias):
    """Parameters of ``weights`` for folded weights of ``values`` and a folded ``bias``, times ``scale [out]``."""
    part = weights.part
    values = torch.from_numpy(values).view(part.weight.shape) * scale.view(weights.behind)
    part.weight.copy_(weights.unfolded(values.to(part.weight.device)))
    learned = getattr(part, weights.parameter)
    learned += (scale[: len(learned)].log2()).to(learned)
    given = weights.folded_bias(torch.float64).cpu() + torch.from_numpy(weights.of_zero_points(part.weight).sum(1))
    missing = torch.as_tensor(bias) * scale - given
    owner = weights.norms[-1].bias if weights.norms else part.bias
    if owner is not None:
        owner += missing.to(owner)
    elif bool((missing.abs() > weights.input_step).any()):
        message = "its integers have a bias, and its module has none"
        raise Error(f"module: {weights.name}: {message}", file="module", layer=weights.name)

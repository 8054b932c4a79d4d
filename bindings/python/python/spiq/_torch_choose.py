"""Layers that choose between schemes and bits of weights while they train (SpikeHQ, arXiv 2412.05505)."""

import csv
import math
import os

import torch

from . import _torch_train_layers as trained
from ._arrays import tensor
from ._error import Error
from ._torch_train import Trainer


class ChoosingTrainer(Trainer):
    """A trainer each of whose weight layers has the weights of several settings, and learns which it takes.

    ``others`` has the integers of each further setting; all else is of the first.
    """

    def __init__(self, training, model, integers, lie, surrogate, compiled, others):
        super().__init__(training, model, integers, lie, surrogate, compiled)
        self.settings = [self.integers, *others]

    def check(self):
        first = self.integers
        for self.integers in self.settings:
            super().check()
        self.integers = first

    def train_weights(self, node):
        candidates = []
        for read in self.settings:
            parameter = f"weight_log2_step_{len(candidates)}"
            candidates.append(self.learned_weights(node, read, parameter))
        part = self.part(node["name"])
        self.weights[node["name"]] = Choice(part, candidates, self.applied)
        self.applied._undo.append(lambda: delattr(part, "weight_choice"))


class Choice:
    """The weights of one of ``candidates``: drawn by a Gumbel-softmax in training mode, the likeliest otherwise.

    What is computed is one candidate's integers, whole; the gradient of the choice is that of the mixture (Jang et
    al., ICLR 2017, straight through).
    """

    def __init__(self, part, candidates, training):
        self.part, self.candidates, self.training = part, candidates, training
        self.name, self.norms = candidates[0].name, candidates[0].norms
        logits = torch.zeros(len(candidates), dtype=part.weight.dtype, device=part.weight.device)
        part.register_parameter("weight_choice", torch.nn.Parameter(logits))
        self.x_steps = None

    def drawn(self):
        """1 for the candidate that is taken, 0 for the others."""
        logits = self.part.weight_choice
        if not bool(torch.isfinite(logits).all()):
            raise self.candidates[0].clock.refuse(self.name, "its choice between schemes is not finite")
        if not self.part.training:
            return torch.nn.functional.one_hot(logits.argmax(), len(logits)).to(logits)
        soft = torch.nn.functional.gumbel_softmax(logits, self.training.temperature)
        hard = torch.nn.functional.one_hot(soft.argmax(), len(logits)).to(logits)
        return trained.through(soft, hard)

    def now(self):
        """Weights and bias of a forward pass, as :meth:`Weights.now`."""
        drawn = self.drawn()
        found = [candidate.now() for candidate in self.candidates]
        taken = self.candidates[int(drawn.detach().argmax())]
        self.x_steps = taken.x_steps
        weight, bias = (sum(share * value for share, value in zip(drawn, values)) for values in zip(*found))
        return weight, bias


def read_costs(costs, layers, choices):
    """``[choices]`` of each layer and column, of rows with ``layer``, ``choice`` and figures, or their CSV file."""
    if isinstance(costs, (str, os.PathLike)):
        with open(costs, newline="", encoding="utf-8") as file:
            costs = list(csv.DictReader(file))
    by_name = {(row["layer"], row["choice"]): row for row in costs}
    found = {}
    for layer in layers:
        rows = []
        for choice in choices:
            if (layer, choice) not in by_name:
                raise Error(f"costs: {layer}: no row of {choice}", file="costs", field=choice, layer=layer)
            rows.append(by_name[layer, choice])
        columns = [name for name in rows[0] if name not in ("layer", "choice")]
        found[layer] = {name: [_figure(row, name) for row in rows] for name in columns}
    return found


def _figure(row, column):
    try:
        value = float(row[column])
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value < math.inf:
        message = f"{row['choice']}: {column}: {row[column]!r} is no cost"
        raise Error(f"costs: {row['layer']}: {message}", file="costs", field=column, layer=row["layer"])
    return value


def expected(choosing, column):
    """The sum over layers of what they cost, choices weighted by how likely they are."""
    total = 0.0
    for name, choice in choosing._trainer.weights.items():
        if column not in choosing._costs[name]:
            raise Error(f"costs: {name}: no column {column}", file="costs", field=column, layer=name)
        logits = choice.part.weight_choice
        total = total + logits.softmax(0) @ logits.new_tensor(choosing._costs[name][column])
    return total


def chosen(choosing):
    """By weight layer, the number of the likeliest choice."""
    return {name: int(choice.part.weight_choice.argmax()) for name, choice in choosing._trainer.weights.items()}


def setting_of(choosing):
    """The setting, as a dict, that takes the likeliest choice in every layer."""
    trainer = choosing._trainer
    picked = [[name, {"weights": scheme(trainer.settings[k][name]["weights"])}] for name, k in chosen(choosing).items()]
    words = {name: read["neuron"]["membrane"]["bits"] for name, read in trainer.integers.items() if _has_membrane(read)}
    bits = max(words.values(), default=16)
    picked += [[name, {"membrane_bits": own}] for name, own in words.items() if own != bits]
    joins = [read["requantize"] for read in trainer.integers.values() if read["requantize"]]
    residual = max((int(join["limits"][1]).bit_length() + 1 for join in joins), default=16)
    weights = picked[0][1]["weights"]
    return dict(name="chosen", weights=weights, membrane_bits=bits, residual_bits=residual, layers=picked)


def _has_membrane(read):
    return read["neuron"] is not None and read["neuron"]["membrane"] is not None


def scheme(read):
    """How weights become codes, as a setting writes it."""
    shared = dict(scale="Pow2" if read["pow2"] else "Free", granularity="Layer" if read["per_layer"] else "Channel")
    if read["scheme"] == "Uniform":
        return {"Uniform": dict(bits=read["bits"], clip="Max", **shared)}
    return {read["scheme"]: dict(bits=read["bits"], **shared)}


def network_now(choosing):
    """The library's network with the float weights of now; the module may have any of its own beside them."""
    trainer = choosing._trainer
    state, prefix, model = choosing.module.state_dict(), trainer.prefix, choosing.model
    tensors = {name: state[prefix + name] for name in model.parameters if prefix + name in state}
    return model._inner.with_weights([tensor(name, value) for name, value in tensors.items()], True)

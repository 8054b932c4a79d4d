"""Makes a module compute integers while it trains, and writes what it has learned as weights."""

import numpy as np
import torch
import torch._dynamo.config as limits
import torch._functorch.config as partitioning

from . import _spiq
from . import _torch_train_layers as trained
from ._arrays import tensor
from ._error import Error
from ._torch_apply import Applier
from ._torch_train_start import start_from


class Trainer(Applier):
    """What :func:`spiq.torch.prepare_qat` does, with a way back for each step."""

    def __init__(self, training, model, integers, lie, surrogate, compiled, parameters=None):
        super().__init__(training, model, integers, lie)
        # Where training starts from integers: what they are worth, by name.
        self.parameters = parameters
        self.surrogate, self.clock = surrogate, training._clock
        self.runner = Compiled() if compiled else _as_it_is
        # By the name of a weight layer; by that of a node that puts values on a grid.
        self.weights, self.requantizers = {}, {}
        self.network = trained.Network(self.module, self.weights)

    def run(self):
        self.check()
        self.hook(self.module.register_forward_pre_hook(self.clock))
        for node in self.nodes.values():
            if node["kind"] == "weighted":
                self.train_weights(node)
        if self.parameters is not None:
            start_from(self, self.parameters)
        self.replace(self.module, "forward", self.network.forward)
        super().run(())

    def check(self):
        """Refuses what is not learned, before anything changes."""
        for name, read in self.integers.items():
            weights = read["weights"]
            if weights is None:
                continue
            if weights["scheme"] not in ("Uniform", "PowerOfTwo"):
                message = f"weights of the scheme {weights['scheme']} have no step to learn"
            elif weights["narrow"]:
                message = "an accumulator of a declared width does not train"
            elif self.part(name).weight.dtype not in (torch.float32, torch.float64):
                message = f"its weights are {self.part(name).weight.dtype}, and single precision is trained"
            else:
                continue
            raise Error(f"setting: {name}: {message}", file="setting", field=name, layer=name)
        for name in self.lie:
            if self.integers[name]["levels"] is None and self.surrogate_of(name) is None:
                message = "its neurons have no surrogate_function and no spike_grad: surrogate= says their gradient"
                raise Error(f"module: {name}: {message}", file="module", layer=name)

    def surrogate_of(self, name):
        part = self.part(name)
        own = getattr(part, "surrogate_function", None) or getattr(part, "spike_grad", None)
        return self.surrogate or own

    def train_weights(self, node):
        self.weights[node["name"]] = self.learned_weights(node, self.integers, "weight_log2_step")

    def learned_weights(self, node, integers, parameter):
        """The weights of ``node`` as ``integers`` say, with their steps as ``parameter`` of its module."""
        name, part = node["name"], self.part(node["name"])
        norms = [self.part(norm) for norm in node["norms"]]
        read, step = integers[name]["weights"], integers[node["inputs"][0]]["steps"][0]
        weights = trained.Weights(name, part, norms, read, step, self.image(node, part), self.clock, parameter)
        self.applied._undo.append(lambda: delattr(part, parameter))
        return weights

    def image(self, node, part):
        """Of the layer that reads the image, what normalizes it per weight, and what its zero points leave."""
        read = self.integers[node["inputs"][0]]
        if read["zero_points"] is None or self.about["mean"] is None:
            return None, None
        white, zeros = self.about["max"], np.array(read["zero_points"])
        mean, std = np.array(self.about["mean"]), np.array(self.about["std"])
        leaves, scale = (zeros - white * mean) / (white * std), 1 / read["steps"][0] / (white * std)
        outs, inputs = part.weight.shape[:2]
        groups = getattr(part, "groups", 1)
        if part.weight.dim() == 2:
            channel = np.arange(inputs) // (inputs // len(mean)) + np.zeros((outs, 1), int)
        else:
            channel = np.arange(outs)[:, None] // (outs // groups) * inputs + np.arange(inputs)
        shape = (outs, inputs) + (1,) * (part.weight.dim() - 2)
        return tuple(torch.from_numpy(values[channel].reshape(shape)) for values in (scale, leaves))

    def steps_of(self, name):
        """What yields the steps of node ``name``: of a weight layer and of a mean of it, they are learned."""
        node, static = self.nodes[name], np.array(self.integers[name]["steps"])
        if node["kind"] == "weighted":
            return _Learned(self.weights[name], 1)
        before = node["inputs"][0] if len(node["inputs"]) == 1 else None
        fixed = before is None or node["kind"] in ("neuron", "levels") or self.integers[name]["requantize"]
        source = None if fixed else self.steps_of(before)
        if not isinstance(source, _Learned):
            return _Fixed(static)
        count = round(float(self.integers[before]["steps"][0] / static[0]))
        return _Learned(source.weights, source.count * count)

    def requantizer(self, name, source, joined):
        read = self.integers[name]
        steps = self.steps_of(source["name"])
        step = read["steps"][0]
        grid = trained.TrainedRequantize(read["requantize"], steps, step, self.rounding, joined, self.runner)
        self.requantizers[name] = grid
        return grid

    def border(self, last, requantize):
        self.network.grids[self.part(last)] = requantize

    def neuron(self, name, layout, arguments):
        read, part = self.integers[name], self.part(name)
        arguments = arguments | dict(shape=layout.channel_shape, run=self.runner)
        arguments["steps_of"] = self.steps_of(self.nodes[name]["inputs"][0])
        if read["levels"] is None:
            return trained.TrainedNeuron(read["neuron"], part=part, surrogate=self.surrogate_of(name), **arguments)
        return trained.TrainedLevels(len(read["levels"][0]), **arguments)


def _as_it_is(function, *arguments):
    return function(*arguments)


class Compiled:
    """Calls functions of tensors that it compiles, one program for each shape."""

    def __init__(self):
        self.programs = {}

    def __call__(self, function, *arguments):
        if not torch.is_grad_enabled():
            return function(*arguments)
        shapes = function, *(tuple(x.shape) if torch.is_tensor(x) else None for x in arguments)
        # What is kept for the way back takes longer to write than to compute again.
        with partitioning.patch(activation_memory_budget=0.0), limits.patch(recompile_limit=256):
            if shapes not in self.programs:
                self.programs[shapes] = torch.compile(function, dynamic=False)
            return self.programs[shapes](*arguments)

    def __getstate__(self):
        return {"programs": {}}


class _Fixed:
    """Steps that training does not change."""

    def __init__(self, steps):
        self.steps = steps

    def __call__(self):
        return self.steps


class _Learned:
    """Steps of what a weight layer yields, ``count`` times smaller."""

    def __init__(self, weights, count):
        self.weights, self.count = weights, count

    def __call__(self):
        if self.weights.x_steps is None:
            self.weights.now()
        return self.weights.x_steps / self.count


def prepared_now(training):
    """The network with the weights of now, as the library reads and as it prepares it; what each layer writes."""
    trainer = training._trainer
    found = {name: weights.codes_now() for name, weights in trainer.weights.items()}
    state, prefix = training.module.state_dict(), trainer.prefix
    tensors = {name: state[prefix + name] for name in training.model.parameters if prefix + name in state}
    tensors |= {f"{name}.weight": written for name, (written, _) in found.items()}
    inner = training.model._inner.with_weights([tensor(name, value) for name, value in tensors.items()], True)
    data = training._data._for(training.model)
    return inner, _spiq.Prepared(inner, training.setting._inner, data, 1), found


def calibrate(training):
    """Grids between two weight layers have the ranges of the weights of now."""
    trainer = training._trainer
    for read in prepared_now(training)[1].integers():
        if read["requantize"] is None:
            continue
        trainer.integers[read["name"]] = read
        grid = trainer.requantizers[read["name"]]
        grid.step, grid.limits = read["steps"][0], read["requantize"]["limits"]
        for name, weights in trainer.weights.items():
            if trainer.nodes[name]["inputs"] == [read["name"]]:
                weights.input_step = grid.step


def learned(training):
    """The network with the weights of now, and these; refuses one whose integers are not those of training."""
    inner, prepared, found = prepared_now(training)
    parameters = {name: values for name, _, values in prepared.parameters()}
    for name, (_, exact) in found.items():
        if not np.allclose(parameters[f"{name}.weight"], exact.cpu().numpy().ravel(), rtol=1e-9, atol=0):
            message = "the library finds other codes for its weights: is a channel of its weights nearly zero?"
            raise Error(f"training: {name}: {message}", file="training", layer=name)
    for read in prepared.integers():
        if read["requantize"] and read["steps"] != training._trainer.integers[read["name"]]["steps"]:
            message = "its range has changed with the weights: calibrate(), and train on"
            raise Error(f"training: {read['name']}: {message}", file="training", layer=read["name"])
    return inner, {name: written for name, (written, _) in found.items()}

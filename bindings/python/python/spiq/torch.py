"""From a module of PyTorch and back: it is read, it computes the integers of a setting, and its spikes are compared.

    import spiq

    model = spiq.Model.from_torch(net, family="Spikformer", ...)
    with spiq.torch.apply_to(net, "w4", data):
        net(images)                            # the integers of the setting, in your own module
    print(spiq.torch.verify(net, "w4", data))  # every spike of every layer: equal, or the first that differs

PyTorch is imported when something here is called, and is no dependency of the package.
"""

import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from weakref import WeakKeyDictionary

from . import _spiq
from ._error import Error
from ._subject import Data, Model, Setting

__all__ = ["Applied", "Choosing", "Training", "apply_to", "prepare_choice", "prepare_qat", "verify"]

# How far a value may be from an integer, in steps, so that there is no doubt which.
_AMBIGUOUS = 0.2
# By module, the model that it was read as last.
_READ = WeakKeyDictionary()


def _parts():
    """PyTorch, and what needs it, by the last word of its name."""
    try:
        import torch
    except ImportError as error:
        raise ImportError("spiq.torch needs PyTorch, which is not installed: pip install torch") from error
    names = ("apply", "choose", "family", "module", "neurons", "train", "train_layers", "verify")
    return torch, SimpleNamespace(**{name: import_module(f"spiq._torch_{name}") for name in names})


class Applied:
    """A module that computes the integers of a setting, until :meth:`undo`; a context that ends with that.

    Attributes:
        module: The module.
        setting: The setting.
    """

    def __init__(self, module, model, setting):
        self.module, self.setting = module, setting
        self._key = setting.to_ron(), model.sha256
        self._undo = []
        self._rounding = None

    @property
    def distance(self):
        """How far a value was from an integer of the setting, at most: in steps, where 0.5 would be ambiguous."""
        return self._rounding.distance

    def undo(self):
        """Parameters, neurons and hooks are as they were before; a copy of the module has no way back."""
        if self._undo is None:
            raise Error("module: it is a copy of one that computed integers, which cannot be undone", file="module")
        while self._undo:
            self._undo.pop()()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.undo()

    def __reduce__(self):
        return _copied, (self.module, *self._key, self._rounding)

    def __repr__(self):
        return f"<spiq.torch.Applied {self.setting.name}>"


class Training(Applied):
    """A module that trains with the integers of a setting, until :meth:`finish`.

    Attributes:
        module: The module.
        setting: The setting, with all that calibration would choose; it stands for the network that is trained.
        model: The model that training starts from.
    """

    def __init__(self, module, model, setting, data, clock):
        super().__init__(module, model, setting)
        self.model, self._data, self._clock, self._trainer = model, data, clock, None

    @property
    def steps(self):
        """Forward passes in training mode so far; who continues a training run says at which it was."""
        return self._clock.steps

    @steps.setter
    def steps(self, steps):
        self._clock.steps = steps

    def calibrate(self):
        """Ranges of values between two weight layers without a neuron are found anew, of the weights of now."""
        _, parts = _parts()
        parts.train.calibrate(self)

    def finish(self):
        """Ends training: the module has its own neurons again, and weights on the grids that it was trained at.

        Returns:
            The :class:`spiq.Model` of it: what ``Model.from_torch`` would read. At ``setting`` its integers are those
            that training saw.

        Raises:
            Error: If they are not; the module then goes on training.
        """
        _, parts = _parts()
        inner, written = parts.train.learned(self)
        if self.distance > _AMBIGUOUS:
            message = f"a value was {self.distance:.2g} steps from an integer: module.double() trains without"
            warnings.warn(f"training: {message}", stacklevel=2)
        layers = {name: self._trainer.part(name) for name in written}
        self.undo()
        for name, value in written.items():
            layers[name].weight.data.copy_(value)
        model = Model._held(inner)
        _READ[self.module] = model
        self.setting._searched = model, self._data
        return model

    def __repr__(self):
        return f"<spiq.torch.Training {self.setting.name}, {self.steps} steps>"


class Choosing(Applied):
    """A module whose layers learn which scheme and bits their weights take, until :meth:`finish`.

    Attributes:
        module: The module.
        setting: The first setting, which says all but weights.
        model: The model that training starts from.
        choices: Names of the settings that layers choose among.
        temperature: Of the Gumbel-softmax; the lower, the nearer the gradient of a choice is to that of what is drawn.
    """

    def __init__(self, module, model, settings, data, clock, costs):
        super().__init__(module, model, settings[0])
        self.model, self._data, self._clock, self._costs, self._trainer = model, data, clock, costs, None
        self.choices, self.temperature = [setting.name for setting in settings], 1.0

    @property
    def steps(self):
        """Forward passes in training mode so far."""
        return self._clock.steps

    @property
    def chosen(self):
        """By weight layer, the likeliest of ``choices``."""
        _, parts = _parts()
        return {layer: self.choices[k] for layer, k in parts.choose.chosen(self).items()}

    def expected(self, column="energy_j"):
        """The sum of ``column`` of the table of costs over all layers, as likely as each choice is: a tensor with a
        gradient, to be added to the loss."""
        _, parts = _parts()
        return parts.choose.expected(self, column)

    def finish(self):
        """Ends the choice: the module has its own neurons again, and its float weights as they were learned.

        Returns:
            The :class:`Setting` that takes the likeliest choice in every layer, for :func:`prepare_qat`.
        """
        _, parts = _parts()
        setting = Setting(parts.choose.setting_of(self))
        model = Model._held(parts.choose.network_now(self))
        self.undo()
        _READ[self.module] = model
        setting._searched = model, self._data
        return setting

    def __repr__(self):
        return f"<spiq.torch.Choosing {', '.join(self.choices)}, {self.steps} steps>"


def _copied(module, setting, sha256, rounding):
    """What a copy of a module says of itself."""
    applied = Applied.__new__(Applied)
    applied.module, applied.setting, applied._key = module, Setting(setting), (setting, sha256)
    applied._undo, applied._rounding = None, rounding
    return applied


@dataclass
class _Asked:
    """What a function of a module is about; ``held`` says ranges, and ``data`` is its compiled part."""

    module: object
    model: Model
    setting: Setting
    held: Data

    @property
    def data(self):
        return self.held._for(self.model)


def _asked(module, setting, data, model):
    """With what is not said: the model that was read of the module, and what a search looked at."""
    _, parts = _parts()
    parts.module.check(module)
    setting = Setting._of(setting)
    searched_model, searched_data = setting._searched or (None, None)
    if model is None:
        model = _READ.get(module, searched_model)
    if model is None:
        raise Error("model: Model.from_torch has not read this module: model= says what it is", file="model")
    model, data = Model._of(model), searched_data if data is None else data
    if data is None:
        raise Error("data: missing: ranges depend on the data that the setting is for", file="data")
    return _Asked(module, model, setting, Data._of(data))


def apply_to(module, setting, data=None, *, model=None, forward=None):
    """Makes ``module`` compute the integers of a setting.

    Weights and biases become what the integers are worth, batch normalizations add biases alone, and every layer of
    neurons finds the integers of its input, keeps its membrane in the word of the setting, and fires what the
    library fires. Images are still given as before; the first layer reads the integers of their
    pixels, and what starts or joins a residual stream is put on its grid. Everything between, such as attention,
    pooling, shortcuts and reshaping, stays the module's own. There is no gradient.

    Args:
        module: A ``torch.nn.Module`` in evaluation mode with the layers of ``model`` by its names.
        setting: A :class:`spiq.Setting`, or what makes one; ``fp32`` has no integers.
        data: The :class:`spiq.Data` that the setting was searched or simulated on: ranges and calibrated roundings
            depend on its validation images. The first test image shows how values lie in the module. Without, what
            the search looked at that found the setting.
        model: The :class:`spiq.Model` of the module; without, what ``Model.from_torch`` read of it last.
        forward: ``forward(module, image)`` yields logits of an image ``[1, C, H, W]``, or of events ``[1, T, C, H,
            W]``; without, ``module(image)``.

    Returns:
        An :class:`Applied`, whose ``undo`` restores the module.

    Raises:
        Error: If the module is not that of the model; it is then as it was.
    """
    return _applied(_asked(module, setting, data, model), forward)


def _applied(asked, forward):
    _, parts = _parts()
    module, model, setting = asked.module, asked.model, asked.setting
    if getattr(module, "_spiq_applied", None) is not None:
        raise Error("module: it computes the integers of a setting already: undo() first", file="module")
    prepared = _spiq.Prepared(model._inner, setting._inner, asked.data, 1)
    integers = {node["name"]: node for node in prepared.integers()}
    lie = parts.verify.layouts_of(module, model, asked.data, forward)
    applied = Applied(module, model, setting)
    try:
        parts.apply.Applier(applied, model, integers, lie).run(prepared.parameters())
    except BaseException:
        applied.undo()
        raise
    return applied


def verify(module, setting, images=None, *, data=None, model=None, limit=8, forward=None, dtype=None):
    """Runs ``module`` and the library on the same images, and compares every spike of every layer of neurons.

    A module that :func:`apply_to` changed is run as it is; another is changed for the run, and restored. At ``fp32``
    it is run with its own neurons, in floats: spikes whose potential is within rounding of a threshold may differ.

    Args:
        module, setting, model, forward: As of :func:`apply_to`.
        images: What is run, one by one: an array of images, integers ``[N, C, H, W]`` (event frames ``[N, T, C, H,
            W]``), or a :class:`spiq.Data`, or what makes one, for its test images; without, those of ``data``.
        data: As of :func:`apply_to`; without, what the search looked at that found the setting, or ``images`` where
            they are a :class:`spiq.Data`.
        limit: The most images that are run.
        dtype: The type that the module computes in meanwhile; ``torch.float64`` without.

    Returns:
        A ``Verification``: ``layers`` (one dict each, with ``values`` and ``differing``), ``first`` (where the first
        spike differs, or None), ``differing``, ``equal``; ``str`` of it is a table.
    """
    torch, parts = _parts()
    setting = Setting._of(setting)
    if images is not None and not isinstance(images, Data):
        named = isinstance(images, str) or hasattr(images, "__fspath__")
        if data is None and setting._searched is None and not named:
            raise Error("data: missing: images alone do not say the ranges of a setting", file="data")
        images = Data(images) if named else Data(images, [0] * len(images), name="images")
    if data is None and setting._searched is None:
        data = images
    asked = _asked(module, setting, data, model)
    shown = asked.data if images is None else images._for(asked.model)
    done = getattr(module, "_spiq_applied", None)
    if setting.to_ron() is None and done is not None:
        raise Error("module: it computes integers, and fp32 has none: undo() first", file="module")
    if done is not None and done._key != (setting.to_ron(), asked.model.sha256):
        message = f"it computes the integers of {done.setting.name}, of another model or setting"
        raise Error(f"module: {message}", file="module", field="setting")
    dtype = dtype or torch.float64
    arguments = module, asked.model, setting, asked.data, shown, limit, forward, dtype
    if setting.to_ron() is None:
        return parts.verify.compare(*arguments)[0]
    with ExitStack() as stack:
        # In which weights are rounded, where they are written for this run.
        stack.enter_context(parts.module.in_type(module, dtype))
        applied = done or stack.enter_context(_applied(asked, forward))
        applied._rounding.distance = 0.0
        verification, _ = parts.verify.compare(*arguments)
        verification.distance = applied.distance
    return verification


def prepare_qat(
    module, setting, data=None, *, model=None, surrogate=None, forward=None, compiled=False, calibrated=False
):
    """Makes ``module`` compute the integers of a setting while it trains; gradients pass straight through.

    Every forward pass, in training and in evaluation, yields the integers of the weights as they are. Weights and
    biases are learned, and beside each weight its ``weight_log2_step``: the step of its grid, per channel or per layer
    as the setting says (LSQ, Esser et al., ICLR 2020), from that of the setting on. Batch normalizations are folded in
    by their running statistics, which stay; their factors and biases are learned. Neurons fire what the integers
    fire, with narrow membranes, clamps and resets, and have the surrogate gradient of the module's own neurons at
    the potential of the integers; clamped values have none.

        training = spiq.torch.prepare_qat(net, "w3u4", data)
        optimizer = torch.optim.Adam(net.parameters())        # after prepare_qat: steps are parameters
        ...                                                   # net.train(), and the loop that trained it
        net.eval()
        model = training.finish()
        spiq.torch.verify(net, training.setting, data)        # 0 differ

    Args:
        module, setting, data, model, forward: As of :func:`apply_to`. Of what a setting asks of calibration images
            beside ranges (second-order rounding, bias correction, matched rates) training starts with the steps of
            weights; all of it is learned from there on.
        surrogate: A function of how far potentials are above their threshold, in units of the float network, that
            yields spikes with a gradient; without, the ``surrogate_function`` (SpikingJelly) or ``spike_grad``
            (snnTorch) of each layer of neurons.
        compiled: Compiles what takes the place of neurons and of grids (``torch.compile``, which needs a compiler of
            C++): the integers are those of an eager run, several times as fast.
        calibrated: Start from the integers of the setting with all that it asks of calibration images, those that it
            keeps among them, and not from float weights rounded to nearest. Weights, biases and normalizations of the
            module become what the integers are worth (:meth:`Training.undo` leaves them so); thresholds that were
            matched become scales of the channels in front of them, where one layer with steps per channel is.

    Returns:
        A :class:`Training`; ``finish`` writes the weights, ``undo`` leaves them off their grids.

    Raises:
        Error: If the module is not that of the model; it is then as it was. And in training, with layer and training
            step, if a gradient is not finite or the step of a grid collapses to zero.

    Single precision holds whole numbers up to 2^24. Where sums of a setting have more steps, as with power-of-two
    weights of 4 and 5 bits, ``finish`` warns; a module in double precision trains at any setting.
    """
    _, parts = _parts()
    asked = _asked(module, setting, data, model)
    if getattr(module, "_spiq_applied", None) is not None:
        raise Error("module: it computes the integers of a setting already: undo() first", file="module")
    prepared = _spiq.Prepared(asked.model._inner, asked.setting._inner, asked.data, 1)
    integers = {node["name"]: node for node in prepared.integers()}
    fractions = [(name, node["weights"]["fraction_bits"]) for name, node in integers.items() if node["weights"]]
    trained = asked.setting._inner.trained(fractions, prepared.residual_fraction_bits())
    lie = parts.verify.layouts_of(module, asked.model, asked.data, forward)
    training = Training(module, asked.model, Setting._held(trained), asked.held, parts.train_layers.Clock())
    worth = {name: values for name, _, values in prepared.parameters()} if calibrated else None
    training._trainer = parts.train.Trainer(training, asked.model, integers, lie, surrogate, compiled, worth)
    try:
        training._trainer.run()
    except BaseException:
        training.undo()
        raise
    return training


def prepare_choice(
    module, settings, costs, data=None, *, model=None, surrogate=None, forward=None, compiled=False
):
    """Makes every weight layer of ``module`` learn which setting its weights are of (SpikeHQ, arXiv 2412.05505).

    Going forward, a layer computes the integers of one of the settings, drawn by a Gumbel-softmax; going back, the
    choice has the gradient of the mixture, and what is expected of a table of costs is a part of the loss:

        choosing = spiq.torch.prepare_choice(net, ["w4", "w3", "w2", "pot3"], "costs.csv", data)
        first = choosing.expected("energy_j").detach()
        ...
        loss = cross_entropy(net(images), labels) + 0.5 * choosing.expected("energy_j") / first
        ...
        setting = choosing.finish()                           # then prepare_qat(net, setting, data)

    Learned are, beside what :func:`prepare_qat` learns, ``weight_choice`` of each layer and a step for each of its
    choices; float weights are shared among them. Draws are of PyTorch's generator, and so follow its seed. The
    methods of the paper (a choice per layer between uniform and power of two, a relaxation that is annealed by
    ``temperature``, costs in the loss) are as it says; schedules and weights of losses are the caller's.

    Args:
        module, data, model, surrogate, forward, compiled: As of :func:`prepare_qat`.
        settings: Two or more, by names that differ; the first says membranes and all else that is not weights.
        costs: What a layer costs at each: the path of a CSV file of ``spiq cost-table``, or its rows as dicts with
            ``layer``, ``choice`` (the name of a setting) and figures.

    Returns:
        A :class:`Choosing`.

    Raises:
        Error: If the module is not that of the model, a scheme has no step to learn, or a cost is missing or not
            finite; the module is then as it was. In training as :func:`prepare_qat`.
    """
    _, parts = _parts()
    settings = [Setting._of(setting) for setting in settings]
    if len({setting.name for setting in settings}) < max(len(settings), 2):
        raise Error("settings: a choice is one of two or more, by names that differ", file="settings")
    asked = _asked(module, settings[0], data, model)
    if getattr(module, "_spiq_applied", None) is not None:
        raise Error("module: it computes the integers of a setting already: undo() first", file="module")
    prepared = [_spiq.Prepared(asked.model._inner, setting._inner, asked.data, 1) for setting in settings]
    first, *others = ({node["name"]: node for node in one.integers()} for one in prepared)
    layers = [name for name, node in first.items() if node["weights"]]
    costs = parts.choose.read_costs(costs, layers, [setting.name for setting in settings])
    lie = parts.verify.layouts_of(module, asked.model, asked.data, forward)
    choosing = Choosing(module, asked.model, settings, asked.held, parts.train_layers.Clock(), costs)
    arguments = choosing, asked.model, first, lie, surrogate, compiled, others
    choosing._trainer = parts.choose.ChoosingTrainer(*arguments)
    try:
        choosing._trainer.run()
    except BaseException:
        choosing.undo()
        raise
    return choosing


def read_as(module, model, samples, limit, forward):
    """Notes that ``module`` is ``model``, which it is held to on a few images, if ``samples`` says which."""
    _, parts = _parts()
    if samples is not None:
        parts.verify.check_float(module, model, samples, limit, forward)
    _READ[module] = model

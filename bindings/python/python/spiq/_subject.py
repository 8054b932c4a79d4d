"""What is simulated and searched: models, data, settings and hardware."""

import os

from . import _spiq
from ._arrays import held, tensor
from ._described import spec_of, text_of
from ._error import Error

_LAYOUTS = {3: "NHW", 4: "NCHW", 5: "NTCHW"}


def _selected(state_dict):
    if not hasattr(state_dict, "items"):
        raise Error(f"state_dict: {type(state_dict).__name__} is no dict of tensors", file="state_dict")
    # A parameter of torch has a shape, a counter or the state of an optimizer may have none.
    return [tensor(str(name), value) for name, value in state_dict.items() if hasattr(value, "shape")]


class _Subject:
    """What functions take as itself, or as what it is made of."""

    @classmethod
    def _of(cls, value):
        return value if isinstance(value, cls) else cls(value)

    @classmethod
    def _held(cls, inner):
        """Of its compiled part."""
        subject = cls.__new__(cls)
        subject._inner = inner
        return subject


class Model(_Subject):
    """A network with its weights.

    Args:
        spec: A built-in model (``spiq list models``), or the path of a model description.
        weights: A checkpoint, safetensors or of ``torch.save``, in the place of the weights that the description
            names; or a dict of arrays ``[out, in / groups, kh, kw]``, ``[out, in]`` and ``[out]`` by the names of
            the checkpoint.
        key: Which dictionary of a nested checkpoint is read, keys joined by dots.
        ignore_extra: Leave out tensors that no layer reads; ``notes`` list them.
        timesteps: Run so many instead of those that the file of the description says.
    """

    #: What a converter said of it.
    _notes = ()

    def __init__(self, spec="sdtv1_2-64_fashion", *, weights=None, key=None, ignore_extra=False, timesteps=None):
        text = text_of(spec, "model")
        if text is not None:
            if timesteps is not None:
                raise Error("model: timesteps are a field of a description that is no file", field="timesteps")
            if weights is None or isinstance(weights, (str, os.PathLike)):
                raise Error("model: a description that is no file takes a dict of weights", file="model")
            self._inner = _spiq.Model.described(text, "model", _selected(weights), ignore_extra)
        elif weights is None or isinstance(weights, (str, os.PathLike)):
            path = None if weights is None else os.fspath(weights)
            self._inner = _spiq.Model.load(spec_of(spec, "model"), path, key, ignore_extra, timesteps)
        else:
            raise Error("model: weights of a named model are a file; Model.family takes a state_dict", file="model")

    @classmethod
    def family(
        cls,
        family,
        *,
        input,
        timesteps,
        classes,
        state_dict=None,
        seed=1,
        name=None,
        neurons=(),
        ignore_extra=False,
        **hyperparameters,
    ):
        """A network of a published family at sizes of your own.

        Args:
            family: ``"SpikeDrivenV1"``, ``"SpikeDrivenV2"``, ``"SpikeDrivenV3"``, ``"Spikformer"``,
                ``"Spikingformer"`` or ``"QkFormer"``; or ``"Layers"`` with ``layers=[...]``, any other network.
            input: What the network looks at, as ``{"Image": {"shape": (C, H, W), "mean": [...], "std": [...],
                "bits": 8}}`` with mean and standard deviation per channel of values in 0..1; ``{"Events": {"shape":
                (C, H, W), "max": 255}}``; or ``{"Integers": ...}`` with the same fields.
            timesteps: Timesteps.
            classes: Classes.
            state_dict: Arrays or tensors by the names of the original code's checkpoint; without, random weights of
                ``seed``.
            name: What reports call it.
            neurons: What differs from the neurons of the family, as ``[{"layers": "*attn_lif", "threshold": 0.25}]``.
            ignore_extra: Leave out tensors that no layer reads; ``notes`` list them.
            hyperparameters: Those of the family, as ``dim=96, depth=2, heads=8, mlp_ratio=4`` (docs/models.md).
        """
        described = {
            "name": name or family,
            "family": {family: hyperparameters.get("layers") if family == "Layers" else hyperparameters},
            "neurons": list(neurons),
            "input": input,
            "timesteps": timesteps,
            "classes": classes,
            "weights": {"Seeded": seed} if state_dict is None else {"File": "state_dict"},
        }
        tensors = None if state_dict is None else _selected(state_dict)
        return cls._held(_spiq.Model.described(text_of(described, "family"), "family", tensors, ignore_extra))

    @classmethod
    def from_torch(
        cls,
        module,
        *,
        timesteps,
        input_shape=None,
        mean=None,
        std=None,
        family=None,
        input=None,
        classes=None,
        neurons=None,
        samples="noise",
        limit=2,
        forward=None,
        name=None,
        ignore_extra=False,
        **hyperparameters,
    ):
        """A live module of PyTorch: its state dict, what its neurons compute, and what of a family it is.

        A module with the names of a published family needs no description: sizes are read from its parameters, what
        pools from one forward pass, heads and scales from its attentions, where they say them, or by trying. Nor does one
        whose layers follow each other: convolutions, matrices, normalizations, neurons, poolings. Threshold,
        leak and reset are read from each layer of neurons (SpikingJelly's LIF, IF and parametric LIF of
        ``clock_driven`` and ``activation_based``, one timestep or all at a time; snnTorch's ``Leaky``; or any module
        with ``v_threshold``, ``v_reset`` and, if it leaks, ``tau`` and ``decay_input``). The module then
        runs on a few images, one by one: each of its layers of neurons has to fire what the described network fires,
        so that heads, pooling and shortcuts are those of the description.

        Args:
            module: A ``torch.nn.Module`` in evaluation mode, on any device; it stays as it is, and its neurons are
                reset.
            timesteps: Timesteps.
            input_shape: ``(C, H, W)`` of images of 8 bits, which the module reads as ``(pixel / 255 - mean) / std``.
            mean, std: Per channel; 0 and 1 without.
            input: In the place of ``input_shape``, as of :meth:`family`.
            family, hyperparameters: As of :meth:`family`; without ``family``, hyperparameters are what is known of it.
            classes: Classes; without, those of the layer ``head``, or of the last matrix.
            name, ignore_extra: As of :meth:`family`.
            neurons: What the neurons compute, in the place of what is read.
            samples: A :class:`Data`, or what makes one, whose first ``limit`` test images are run; None runs nothing.
            forward: ``forward(module, image)`` yields the logits of an image ``[1, C, H, W]``, or of events
                ``[1, T, C, H, W]``; without, ``module(image)``.

        Raises:
            Error: Where the module is not what is described; ``layer`` says which layer shows it first.
        """
        from . import torch as bridge

        parts = bridge._parts()[1]
        parts.module.check(module)
        described = dict(input=_input_of(input, input_shape, mean, std), timesteps=timesteps)
        described |= dict(classes=parts.family.classes_of(module) if classes is None else classes)
        described |= dict(name=name, ignore_extra=ignore_extra, neurons=neurons)
        if family is not None:
            found = [(family, {})]
        else:
            image = parts.family.noise(module, described["input"], timesteps)
            found = parts.family.candidates(module, image, forward, timesteps, hyperparameters)
        first = None
        for family, sizes in found:
            try:
                model = cls._read(module, parts, family, **described, **sizes | hyperparameters)
                bridge.read_as(module, model, samples, limit, forward)
                return model
            except Error as error:
                first = first or error
        raise first

    @classmethod
    def _read(cls, module, parts, family, neurons, **described):
        """``module`` as a network of ``family``, with what its neurons compute, unless ``neurons`` says it."""
        reading, kinds = parts.module, parts.neurons
        state = dict(module.state_dict())
        own, leaks = kinds.tensors_of(module)
        state = {key: value for key, value in state.items() if key not in own}
        if neurons is None:
            # Of a parametric neuron, w is its leak.
            plain = {key: value for key, value in state.items() if key not in leaks}
            plain = cls.family(family, state_dict=plain, **described)
            fixed = {key for key, part in leaks.items() if getattr(part, "tau", None) is not None}
            state = {key: value for key, value in state.items() if key not in fixed}
            names = [node["name"] for node in plain._inner.nodes if node["kind"] == "neuron"]
            found = reading.layers_of(module, names) if names else {}
            neurons = [kinds.dynamics(name, part) for name, part in found.items()]
        return cls.family(family, state_dict=state, neurons=neurons, **described)

    @classmethod
    def from_nir(
        cls,
        source,
        *,
        timesteps=None,
        dt=1e-4,
        input=None,
        input_shape=None,
        max=1,
        fire="above",
        reset="zero",
        readout=None,
        name=None,
    ):
        """A network of snnTorch, SpikingJelly, Norse and others, by their exports (needs ``pip install 'spiq[nir]'``).

        What NIR does not say is said here; what becomes of each node is in docs/formats.md.

        Args:
            source: The path of a NIR file, or a ``nir.NIRGraph``.
            timesteps: Timesteps of a sample; without, those that an export of spiq has left in the file.
            dt: Seconds of a timestep; Norse has 1e-3.
            input: ``"events"`` (a frame of counts per timestep) or ``"integers"`` (one); without, what an export of
                spiq has left in the file, or events.
            input_shape: Channels, height and width of an input that NIR holds in one row.
            max: The largest value of the input.
            fire: ``"above"`` or ``"at"`` the threshold; SpikingJelly fires at it.
            reset: What a spike leaves: ``"zero"``, ``"subtract"``, ``"subtract-delayed"`` (snnTorch's default) or
                ``"none"``.
            readout: Which potential of a leaky readout is read: ``"last"``, ``"mean"`` or ``"max"``.
            name: What reports call it; without, the name of the file.

        Raises:
            Error: If a node has no layer; ``layer`` is its name, ``field`` its field. ``notes`` say what a reader of
                results must know of those that have.
        """
        from ._nir import model_of

        options = dict(timesteps=timesteps, dt=dt, input=input, max=max, fire=fire, reset=reset, readout=readout)
        if input_shape is not None:
            options["input_shape"] = ",".join(str(extent) for extent in input_shape)
        inner, notes = model_of(source, name, options)
        model = cls._held(inner)
        model._notes = notes
        return model

    @property
    def name(self):
        """What reports call it."""
        return self._inner.name

    @property
    def family_name(self):
        """Its family, as descriptions spell it."""
        return self._inner.family

    @property
    def timesteps(self):
        """Timesteps."""
        return self._inner.timesteps

    @property
    def classes(self):
        """Classes."""
        return self._inner.classes

    @property
    def input_shape(self):
        """Channels, height and width of a frame."""
        return self._inner.input_shape

    @property
    def parameters(self):
        """Extents of every tensor that the network reads, by its name in a checkpoint."""
        return {name: tuple(shape) for name, shape in self._inner.parameters}

    @property
    def layers(self):
        """Channels, height and width of what each layer yields, by its name, in order of execution."""
        return dict(self._inner.layers)

    @property
    def notes(self):
        """What a reader of results must know of the weights."""
        return [*self._inner.notes, *self._notes]

    @property
    def sha256(self):
        """SHA-256 of the weights file; of arrays, of the safetensors file that holds them."""
        return self._inner.sha256

    def __repr__(self):
        channels, height, width = self.input_shape
        shape = f"{channels} x {height} x {width}"
        return f"<spiq.Model {self.name}: {self.family_name}, {shape}, {self.timesteps} timesteps>"


class Data(_Subject):
    """Labelled samples: a test part that is only measured, and a validation part that everything is chosen on.

    Args:
        images: A built-in data set or the path of a data description; or an array (NumPy's, or a tensor): images
            ``[N, H, W]`` or ``[N, C, H, W]``, event frames ``[N, T, C, H, W]``. Integers of 0 to 65535 are taken as
            they are; floats have to be such, or bytes that were divided by 255, or are scaled.
        labels: Classes from 0 on, integers ``[N]``.
        validation: A pair of images and labels beside the test images.
        name: What reports call the data.
        layout: ``"NHW"``, ``"NCHW"``, ``"NHWC"`` or ``"NTCHW"``; without, by the number of indices.
        scale: What floats are multiplied by before they are rounded.
        classes: Classes; without, as many as the labels show.
        limit: Only the first test images.
    """

    def __init__(
        self,
        images,
        labels=None,
        *,
        validation=None,
        name="arrays",
        layout=None,
        scale=None,
        classes=None,
        limit=None,
    ):
        self._limit = limit
        self._spec = None
        self._inner = None
        if isinstance(images, (str, os.PathLike)):
            if labels is not None or validation is not None:
                raise Error("labels: data that is named has its own", file="labels")
            self._spec = os.fspath(images)
            return
        if labels is None:
            raise Error("labels: missing", file="labels")
        test = held(images, "images"), held(labels, "labels")
        if layout is None:
            layout = _LAYOUTS.get(len(test[0][1]))
            if layout is None:
                message = f"{test[0][1]} is none of [N, H, W], [N, C, H, W] and [N, T, C, H, W]"
                raise Error(f"images: shape: {message}", file="images", field="shape")
        if validation is not None:
            try:
                seen, classes_seen = validation
            except (TypeError, ValueError):
                raise Error("validation: not a pair of images and labels", file="validation") from None
            validation = held(seen, "validation images"), held(classes_seen, "validation labels")
        self._inner = _spiq.Data.of_arrays(name, test, validation, layout, scale, classes)
        if limit is not None:
            self._inner = self._inner.limited(limit)

    def _for(self, model):
        """What is loaded; noise is what the model looks at."""
        if self._inner is not None:
            return self._inner
        loaded = _spiq.Data.load(self._spec, model._inner)
        loaded = loaded if self._limit is None else loaded.limited(self._limit)
        if self._spec != "noise":
            self._inner = loaded
        return loaded

    def _known(self):
        return self._for(Model()) if self._spec != "noise" else None

    @property
    def name(self):
        """What reports call it."""
        return self._known().name if self._spec != "noise" else "noise"

    @property
    def sha256(self):
        """SHA-256 of the test part's files; of arrays, of the ``.npy`` files that NumPy writes of them."""
        known = self._known()
        return None if known is None else known.sha256()

    @property
    def notes(self):
        """What a reader of results must know of the test images."""
        known = self._known()
        return [] if known is None else known.notes

    @property
    def classes(self):
        """Classes."""
        known = self._known()
        return None if known is None else known.classes

    def __len__(self):
        known = self._known()
        return 0 if known is None else known.counts[0]

    def __repr__(self):
        if self._spec is not None:
            return f"<spiq.Data {self._spec}>"
        test, validation = self._inner.counts
        frames, channels, height, width = self._inner.shape
        return (
            f"<spiq.Data {self.name}: {test} test and {validation} validation samples of {frames} x {channels} x "
            f"{height} x {width}>"
        )


class Setting(_Subject):
    """How a network is quantized.

    Args:
        spec: A shorthand (``"fp32"``, ``"w8"``, ``"w4u8"``, ``"pot3"``), a built-in setting, the path of a setting
            file, its text, or a dict of it.
    """

    #: Of a setting that a search found, the model and the data that it looked at.
    _searched = None

    def __init__(self, spec):
        text = text_of(spec, "setting")
        if text is None:
            self._inner = _spiq.Setting.load(spec_of(spec, "setting"))
        else:
            self._inner = _spiq.Setting.parse(text, "setting")

    @property
    def name(self):
        """What reports call it."""
        return self._inner.name

    def to_ron(self):
        """The text of a setting file that says the same; None for the float network, which has none."""
        return self._inner.to_ron()

    def apply_to(self, module, data=None, *, model=None, forward=None):
        """Makes a module of PyTorch compute the integers of this setting: :func:`spiq.torch.apply_to`."""
        from . import torch as bridge

        return bridge.apply_to(module, self, data, model=model, forward=forward)

    def save(self, path):
        """Writes that file."""
        text = self.to_ron()
        if text is None:
            raise Error("setting: fp32 has no file", file="setting")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def __repr__(self):
        return f"<spiq.Setting {self.name}>"


class Hardware(_Subject):
    """A described accelerator.

    Args:
        spec: A built-in one (``spiq list hw``), the path of a description, its text, or a dict of it.
    """

    def __init__(self, spec="edge-28"):
        text = text_of(spec, "hardware")
        if text is None:
            self._inner = _spiq.Hardware.load(spec_of(spec, "hardware"))
        else:
            self._inner = _spiq.Hardware.parse(text, "hardware")

    @property
    def name(self):
        """What reports call it."""
        return self._inner.name

    def to_ron(self):
        """The text of its description, to be changed and given to :class:`Hardware`; of a dict, as JSON."""
        return self._inner.to_ron()

    @property
    def description(self):
        """What it is, in a sentence or two."""
        return self._inner.description

    @property
    def sha256(self):
        """SHA-256 of its description."""
        return self._inner.sha256

    def __repr__(self):
        return f"<spiq.Hardware {self.name}>"


def _input_of(input, shape, mean, std):
    """What a network looks at: ``input``, or images of 8 bits of ``shape``."""
    if (input is None) == (shape is None):
        raise Error("from_torch: it takes input_shape=(C, H, W), or input=, and not both", field="input_shape")
    if input is not None:
        return input
    shape = [int(extent) for extent in shape]
    if len(shape) != 3:
        raise Error(f"input_shape: {shape} is not (C, H, W)", field="input_shape")
    channels = shape[0]
    mean = [0.0] * channels if mean is None else [float(value) for value in mean]
    std = [1.0] * channels if std is None else [float(value) for value in std]
    return {"Image": {"shape": shape, "mean": mean, "std": std, "bits": 8}}

"""Which family a module is, and its sizes: by names and shapes of its parameters, what its attentions say of
themselves, and the maps that its convolutions see."""

import itertools

import torch

from . import _torch_chain as chain
from . import _torch_module as reading
from ._error import Error

_SCALES = ("scale",)
_HEADS = ("num_heads", "heads")
_LEVELS = ("levels", "max_value", "T")


class Read:
    """What is seen of a module.

    Attributes:
        shapes: Extents of its parameters and buffers by name, without what wrappers put before.
        maps: Rows that each convolution sees, by name; those that nobody calls are not there.
    """

    def __init__(self, module, image, forward):
        parts = dict(module.named_modules())
        prefix = _prefix(module)
        inside = {name[len(prefix) :]: part for name, part in parts.items() if name.startswith(prefix)}
        self.parts = inside
        state = module.state_dict()
        self.shapes = {name[len(prefix) :]: tuple(value.shape) for name, value in state.items()}
        self.maps = {}
        hooks = [
            part.register_forward_pre_hook(self._seen(name))
            for name, part in inside.items()
            if isinstance(part, torch.nn.Conv2d)
        ]
        chain.observe(module, image, forward, hooks)

    def _seen(self, name):
        def hook(_, inputs):
            self.maps[name] = inputs[0].shape[-2]

        return hook

    def has(self, *names):
        return all(name in self.shapes for name in names)

    def outputs(self, name):
        return self.shapes[name][0]

    def count(self, prefix):
        """Blocks ``prefix.0``, ``prefix.1`` and so on."""
        return len({name[len(prefix) + 1 :].split(".")[0] for name in self.shapes if name.startswith(prefix + ".")})

    def said(self, names, default):
        """What attentions and neurons say of themselves in one of the attributes ``names``; ``default`` where they
        say nothing."""
        values = {getattr(part, name) for part in self.parts.values() for name in names if _is_number(part, name)}
        return sorted(values) or list(default)

    def halved(self, names):
        """For each of ``names`` but the first, whether it sees fewer rows than the one before."""
        rows = [self.maps[name] for name in names]
        return tuple(after < before for before, after in itertools.pairwise(rows))

    def heads(self, channels):
        return self.said(_HEADS, [n for n in (8, 16, 12, 6, 4, 3, 2, 1) if channels % n == 0])


def _is_number(part, name):
    value = getattr(part, name, None)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _prefix(module):
    for first in ("patch_embed", "patch_embed1", "downsample1_1"):
        try:
            return reading.prefix_of(module, first)
        except Error:
            pass
    return ""


def _ratio(hidden, channels):
    return hidden // channels if hidden % channels == 0 else hidden / channels


def _stem(read):
    names = [f"patch_embed.proj_conv{i or ''}" for i in range(4)]
    return read.halved([*names, "patch_embed.rpe_conv"])


def _spike_driven_v1(read):
    if not read.has("block.0.attn.q_conv.weight", "patch_embed.rpe_conv.weight"):
        return
    if len(read.shapes["block.0.attn.q_conv.weight"]) != 4:
        return
    dim = read.outputs("patch_embed.proj_conv3.weight")
    hidden = read.outputs("block.0.mlp.fc1_conv.weight")
    talking = read.shapes.get("block.0.attn.talking_heads.weight")
    sizes = dict(dim=dim, depth=read.count("block"), mlp_ratio=_ratio(hidden, dim), pooling=_stem(read))
    for heads in [talking[0]] if talking else read.heads(dim):
        for pool_keys in (False, True):
            yield sizes | dict(heads=heads, pool_keys=pool_keys)


def _spikformer(read):
    kinds = {"Linear": "linear", "Conv": "conv"}
    for layers, word in kinds.items():
        query = read.shapes.get(f"block.0.attn.q_{word}.weight")
        if query is None or not read.has("patch_embed.rpe_conv.weight") or len(query) == 4:
            continue
        dim = read.outputs("patch_embed.proj_conv3.weight")
        hidden = read.outputs(f"block.0.mlp.fc1_{word}.weight")
        tokens = read.shapes.get("pos_embed", (1, 0, dim))[1]
        sizes = dict(dim=dim, depth=read.count("block"), mlp_ratio=_ratio(hidden, dim), pooling=_stem(read))
        sizes |= dict(layers=layers, unused_tokens=tokens)
        sizes |= dict(order="QueryKeyFirst" if layers == "Linear" or tokens else "KeyValueFirst")
        for heads, scale in itertools.product(read.heads(dim), read.said(_SCALES, [0.125, 0.25])):
            yield sizes | dict(heads=heads, scale=float(scale))


def _spikingformer(read):
    stems = {
        "Proj": ["proj_conv", *(f"proj{i}_conv" for i in range(1, 5))],
        "Block": [f"block{i}_conv" for i in range(5)],
    }
    for stem, names in stems.items():
        names = [f"patch_embed.{name}" for name in names]
        if not read.has(*(f"{name}.weight" for name in names), "block.0.mlp.mlp1_conv.weight"):
            continue
        dim = read.outputs(f"{names[-1]}.weight")
        hidden = read.outputs("block.0.mlp.mlp1_conv.weight")
        sizes = dict(dim=dim, depth=read.count("block"), mlp_ratio=_ratio(hidden, dim), pooling=read.halved(names))
        sizes |= dict(stem=stem, order="QueryKeyFirst" if stem == "Block" else "KeyValueFirst")
        yield from (sizes | dict(heads=heads) for heads in read.heads(dim))


def _stages(read):
    dims = [read.outputs(f"downsample{name}.encode_conv.weight") for name in ("1_2", "2", "3", "4")]
    hidden = read.outputs("block3.0.mlp.fc1_conv.weight")
    depths = (read.count("block3"), read.count("block4"))
    return dict(dims=tuple(dims), depths=depths, mlp_ratio=_ratio(hidden, dims[2]))


def _spike_driven_v2(read):
    if not read.has("ConvBlock1_1.0.Conv.pwconv1.weight", "block3.0.mlp.fc1_conv.weight"):
        return
    rep_conv = "Fused" if read.has("block3.0.attn.q_conv.weight") else "Unfused"
    sizes = _stages(read) | dict(rep_conv=rep_conv)
    yield from (sizes | dict(heads=heads) for heads in read.heads(sizes["dims"][2]))


def _spike_driven_v3(read):
    if not read.has("ConvBlock1_1.0.Conv.pwconv1.0.weight", "block3.0.attn.v_conv.0.weight"):
        return
    sizes = _stages(read)
    values = read.outputs("block3.0.attn.v_conv.0.weight")
    sizes |= dict(value_ratio=values // sizes["dims"][2])
    levels = [int(n) for n in read.said(_LEVELS, [4, 8, 2]) if n >= 1]
    for heads, most in itertools.product(read.heads(sizes["dims"][2]), levels):
        yield sizes | dict(heads=heads, levels=most)


def _qk_former(read):
    if not read.has("patch_embed1.proj_conv.weight", "patch_embed2.proj4_conv.weight"):
        return
    last = 3 if read.has("patch_embed3.proj4_conv.weight") else 2
    names = ("fc1", "mlp1")
    first = next(name for name in names if read.has(f"stage1.0.mlp.{name}_conv.weight"))
    style = "Events" if last == 2 else "ImageNet" if first == "fc1" else "Cifar"
    dim = read.outputs(f"patch_embed{last}.proj4_conv.weight")
    narrow = dim >> (last - 1)
    counts = [read.count(f"stage{i}") for i in range(1, last + 1)]
    depths = (counts[0], counts[1] if last == 3 else 0, counts[-1])
    sizes = dict(dim=dim, depths=depths, style=style)
    sizes |= dict(mlp_ratio=_ratio(read.outputs(f"stage1.0.mlp.{first}_conv.weight"), narrow))
    yield from (sizes | dict(heads=heads) for heads in read.heads(narrow))


_FAMILIES = {
    "SpikeDrivenV1": _spike_driven_v1,
    "SpikeDrivenV2": _spike_driven_v2,
    "SpikeDrivenV3": _spike_driven_v3,
    "Spikformer": _spikformer,
    "Spikingformer": _spikingformer,
    "QkFormer": _qk_former,
}


def candidates(module, image, forward, timesteps, known):
    """What ``module`` may be, the likeliest first, as (family, hyperparameters): all have the shapes of its parameters;
    what these do not say (heads, a factor of an attention) the next one has otherwise.

    Args:
        image: An image as the module reads it.
        forward: ``forward(module, image)`` runs it; None calls it.
        timesteps: Timesteps.
        known: Hyperparameters that are said.

    Raises:
        Error: If its parameters have the names of no family, and its layers do not follow each other.
    """
    run = forward or (lambda module, image: module(image))
    read = Read(module, image, run)
    found = []
    for family, sizes_of in _FAMILIES.items():
        try:
            ways = [(family, sizes | known) for sizes in sizes_of(read)]
        except KeyError as missing:
            message = f"module: it looks like a {family}, and has no layer {missing.args[0]}, or does not call it"
            raise Error(message, file="module", field=missing.args[0]) from None
        found += [way for i, way in enumerate(ways) if way not in ways[:i]]
    return found or [("Layers", {"layers": chain.layers(module, image, run, timesteps)})]


def noise(module, input, timesteps):
    """An image ``[1, C, H, W]``, or events ``[1, T, C, H, W]``, as ``module`` reads them."""
    (kind, about), = input.items()
    shape = tuple(about["shape"])
    frames = (1, *shape) if kind == "Image" else (1, timesteps, *shape)
    types = [value.dtype for value in module.parameters() if value.is_floating_point()]
    values = torch.rand(frames, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return values.to(reading.device_of(module), types[0] if types else torch.float32)


def classes_of(module):
    """Rows of the layer ``head``, or of the last matrix."""
    state, prefix = module.state_dict(), _prefix(module)
    matrices = [value for value in state.values() if value.dim() == 2]
    head = state.get(f"{prefix}head.weight", matrices[-1] if matrices else None)
    if head is None:
        raise Error("module: it has no matrix behind all: say classes=", file="module", field="classes")
    return head.shape[0]

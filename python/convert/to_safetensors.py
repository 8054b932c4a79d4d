"""Converts a PyTorch checkpoint of any age to safetensors. Needs requirements.txt.

    python to_safetensors.py model.pth model.safetensors
    python to_safetensors.py --key model_ema model.pth model.safetensors

The state dict is the first of model, state_dict, model_state_dict, module and net that holds tensors,
else the top level, as in spiq itself; `--key` names another, keys joined by dots. Types stay as they are. Nothing
of the file is executed: names other than those of tensors stand for nothing.
"""

import argparse
import collections
import importlib
import io
import pickle
import types

import torch
from safetensors.torch import save_file

NESTED = ("model", "state_dict", "model_state_dict", "module", "net")
WRAPPERS = ("module.", "model.", "_orig_mod.")

# What tensors are made of. Everything else that training loops save beside them is not looked at.
TENSORS = {
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("torch", "Size"),
    ("torch", "Tensor"),
    ("torch", "device"),
    ("torch.nn.parameter", "Parameter"),
    ("torch.nn.parameter", "Buffer"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch._utils", "_rebuild_parameter_with_state"),
    ("torch._utils", "_rebuild_tensor"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_tensor_v3"),
    ("torch._tensor", "_rebuild_from_type_v2"),
    ("torch.storage", "TypedStorage"),
    ("torch.storage", "UntypedStorage"),
}


class Opaque(dict):
    """What is made by a name that makes no tensor: takes any arguments, items and attributes, and keeps none."""

    def __new__(cls, *_arguments, **_keywords):
        return super().__new__(cls)

    def __init__(self, *_arguments, **_keywords):
        super().__init__()

    def __setitem__(self, _key, _value):
        pass

    def __setstate__(self, _state):
        pass

    def __call__(self, *_arguments, **_keywords):
        return self

    def append(self, _item):
        pass

    def extend(self, _items):
        pass

    add = append
    __hash__ = object.__hash__


class Unpickler(pickle.Unpickler):
    """Makes tensors and nothing else."""

    def find_class(self, module, name):
        storage = module == "torch" and (name.endswith("Storage") or isinstance(getattr(torch, name, None), torch.dtype))
        if not storage and (module, name) not in TENSORS:
            return Opaque
        if (module, name) == ("collections", "defaultdict"):
            # What missing keys would be made of is not needed, and may be no class here.
            return lambda *_factory: collections.defaultdict(dict)
        return getattr(importlib.import_module(module), name)


def load(file, **keywords):
    return Unpickler(file, **keywords).load()


# `torch.load` takes a module in the place of `pickle`.
RESTRICTED = types.ModuleType("restricted")
RESTRICTED.Unpickler, RESTRICTED.load = Unpickler, load


# PyTorch before 1.13 has no other way to read.
WHOLE = {"weights_only": False} if "weights_only" in torch.load.__code__.co_varnames else {}


def read(file):
    """What `file` holds, without executing anything of it."""
    return torch.load(file, map_location="cpu", pickle_module=RESTRICTED, **WHOLE)


class Canary:
    """A file with one of these says `executed()`."""

    def __reduce__(self):
        return executed, ()


def executed():
    raise SystemExit(f"PyTorch {torch.__version__} executes what a file names; install requirements.txt")


def check_reading():
    """PyTorch 1.13.0 ignores the module that it is given."""
    canary = io.BytesIO()
    torch.save(Canary(), canary)
    canary.seek(0)
    read(canary)


def holds_tensors(entries):
    return isinstance(entries, dict) and any(isinstance(value, torch.Tensor) for value in entries.values())


def at(entries, key):
    """The dictionary at a dotted path, or None; keys may have dots themselves."""
    if key == "":
        return entries
    for name, inner in entries.items():
        if isinstance(name, str) and isinstance(inner, dict) and f"{key}.".startswith(f"{name}."):
            found = at(inner, key[len(name) + 1 :])
            if found is not None:
                return found
    return None


def entries(checkpoint, key=None):
    """The dictionary that holds tensors."""
    top = checkpoint if isinstance(checkpoint, dict) else {}
    candidates = [at(top, key)] if key else [*map(top.get, NESTED), top]
    found = next(filter(holds_tensors, candidates), None)
    if found is None:
        raise SystemExit(f"no tensors under {key or 'the top level, ' + ', '.join(NESTED)}")
    return found


def state_dict(checkpoint, key=None):
    """Tensors by name, in the order of the file."""
    found = entries(checkpoint, key)
    # Tensors that share memory are copied, since the format has no views.
    tensors = {name: value.detach().clone().contiguous() for name, value in found.items() if isinstance(value, torch.Tensor)}
    return without_wrappers(tensors)


def without_wrappers(tensors):
    """Names without what data parallel training, training loops and compilers put before all of them."""
    own = [name for name in tensors if name != "n_averaged"]
    wrapper = next((wrapper for wrapper in WRAPPERS if own and all(name.startswith(wrapper) for name in own)), None)
    if wrapper is None:
        return tensors
    return without_wrappers({name.removeprefix(wrapper): value for name, value in tensors.items()})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--key")
    parser.add_argument("checkpoint")
    parser.add_argument("safetensors")
    arguments = parser.parse_args()
    check_reading()
    save_file(state_dict(read(arguments.checkpoint), arguments.key), arguments.safetensors)


if __name__ == "__main__":
    main()

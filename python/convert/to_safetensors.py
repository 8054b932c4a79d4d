"""Converts a PyTorch checkpoint of any age to safetensors. Needs requirements.txt.

    python to_safetensors.py model.pth model.safetensors

The state dict is the first of model, state_dict, model_state_dict, module and net that holds tensors,
else the top level, as in spiq itself. Types stay as they are; nothing of the file is executed.
"""

import argparse

import torch
from safetensors.torch import save_file

NESTED = ("model", "state_dict", "model_state_dict", "module", "net")


def holds_tensors(entries):
    return isinstance(entries, dict) and any(isinstance(value, torch.Tensor) for value in entries.values())


def state_dict(checkpoint):
    top = checkpoint if isinstance(checkpoint, dict) else {}
    found = next(filter(holds_tensors, [*map(top.get, NESTED), top]), None)
    if found is None:
        raise SystemExit(f"no tensors at the top level or under {', '.join(NESTED)}")
    prefix = "module." if all(name.startswith("module.") for name in found) else ""
    # Tensors that share memory are copied, since the format has no views.
    return {name.removeprefix(prefix): value.clone().contiguous() for name, value in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("safetensors")
    arguments = parser.parse_args()
    # Flags of the training lie beside the weights in most published files.
    with torch.serialization.safe_globals([argparse.Namespace]):
        checkpoint = torch.load(arguments.checkpoint, map_location="cpu", weights_only=True)
    save_file(state_dict(checkpoint), arguments.safetensors)


if __name__ == "__main__":
    main()

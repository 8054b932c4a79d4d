"""Runs a module on a batch, one sample at a time."""

from pathlib import Path

import numpy as np
import torch
from spikingjelly.clock_driven.functional import reset_net

from build import load as load_model
from firing import keep
from weights import load as load_weights

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def add_arguments(parser):
    """Arguments that all scripts share."""
    parser.add_argument("model", type=Path, help="model description, models/*.ron")
    parser.add_argument("weights", type=Path, help="safetensors file")
    parser.add_argument("input", type=Path, help="images [B, C, H, W] or frames [T, B, C, H, W], .npy")


def execute(args, dtype, keep_spikes=False):
    """`run` on the files that the arguments name."""
    return run(args.model, args.weights, torch.from_numpy(np.load(args.input)), dtype, keep_spikes)


def run(model, weights, x, dtype, keep_spikes=False):
    """Logits [B, classes] and, by neuron layer in order, levels [T, B, C, H, W] as uint8."""
    torch.set_num_threads(1)
    model = load_weights(load_model(model), weights, DTYPES[dtype])
    x = x.to(DTYPES[dtype])
    if x.dim() not in (4, 5) or (x.dim() == 5 and x.shape[0] != model.timesteps):
        expected = f"[B, C, H, W] nor [{model.timesteps}, B, C, H, W]"
        raise ValueError(f"an input of shape {list(x.shape)} is neither {expected}")
    logits, spikes = [], {}
    if keep_spikes:
        keep(model, spikes)
    with torch.no_grad():
        for sample in x.split(1, dim=x.dim() - 4):
            reset_net(model)
            logits.append(model(sample))
    return torch.cat(logits).numpy(), {name: np.concatenate(parts, 1) for name, parts in spikes.items()}

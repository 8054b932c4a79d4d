"""Runs all bundled models on random weights and data, with SpikingJelly's neurons and with a loop
written by hand, and compares every spike and logit.

    OMP_NUM_THREADS=1 python check_neurons.py [--timesteps 2] [NAME ...]

Exit status 1 if a value differs, or if a neuron layer never fires.
"""

import argparse
import sys

import torch
from spikingjelly.clock_driven.functional import reset_net

from blocks import Lif
from build import build
from firing import keep
from testing import descriptions, random_input, randomize


def lif_by_hand(neuron, x):
    """H = V + (X - V)/tau; fires iff H >= threshold; V' = 0 if it fired, else H."""
    membrane = torch.zeros_like(x[0])
    spikes = []
    for current in x:
        potential = membrane + (current - membrane) / neuron.tau
        fired = potential >= neuron.v_threshold
        spikes.append(fired)
        membrane = potential.masked_fill(fired, 0)
    return torch.stack(spikes).to(x.dtype)


def run(model, x, by_hand):
    """Logits and spikes per layer."""
    library = Lif.forward
    if by_hand:
        Lif.forward = lif_by_hand
    try:
        spikes = {}
        handles = keep(model, spikes)
        with torch.no_grad():
            reset_net(model)
            logits = model(x)
    finally:
        Lif.forward = library
        for handle in handles:
            handle.remove()
    return logits, {name: parts[0] for name, parts in spikes.items()}


def check(description):
    """A line about one model, and whether it is as it should be."""
    model = randomize(build(description), 0)
    x = random_input(description, description["timesteps"])
    logits, spikes = run(model, x, by_hand=False)
    other_logits, other_spikes = run(model, x, by_hand=True)
    values = sum(spike.size for spike in spikes.values())
    different = sum(int((spike != other_spikes[name]).sum()) for name, spike in spikes.items())
    different += int((logits != other_logits).sum())
    lively = sum(bool(spike.any()) for spike in spikes.values())
    line = f"{values} spikes compared, {different} differ, {lively} of {len(spikes)} layers fire"
    return line, different == 0 and lively == len(spikes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--timesteps", type=int, default=2, help="at most this many are run")
    args = parser.parse_args()
    torch.set_num_threads(1)
    wrong = 0
    known = descriptions()
    for name in args.names or known:
        timesteps = min(args.timesteps, known[name]["timesteps"])
        line, fine = check({**known[name], "timesteps": timesteps})
        print(f"{name}: {line}", flush=True)
        wrong += not fine
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

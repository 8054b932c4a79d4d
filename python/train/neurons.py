"""Neurons of training: those of the families in `../oracle`, with surrogate gradients.

The networks take their neurons from the module of this name that Python finds first, which is this one
for the scripts of this folder.
"""

import math

import torch
from torch import nn


class Fire(torch.autograd.Function):
    """1 where the potential reaches the threshold, else 0.

    The derivative is that of the scaled arc tangent, 1 / (1 + (pi (potential - threshold))^2).
    """

    @staticmethod
    def forward(context, potential, threshold):
        context.save_for_backward(potential)
        context.threshold = threshold
        return (potential >= threshold).to(potential.dtype)

    @staticmethod
    def backward(context, gradient):
        (potential,) = context.saved_tensors
        distance = math.pi * (potential - context.threshold)
        return gradient / (1 + distance * distance), None


class Lif(nn.Module):
    """LIF over [T, ...]: H = V + (X - V)/tau, fires on H >= threshold, resets to 0.

    The reset carries no gradient.
    """

    detach_reset = True

    @staticmethod
    def surrogate_function(x):
        """Spikes of what a potential exceeds its threshold by."""
        return Fire.apply(x, 0.0)

    def __init__(self, threshold=1.0, tau=2.0):
        super().__init__()
        self.threshold, self.tau = threshold, tau

    def forward(self, x):
        membrane = torch.zeros_like(x[0])
        spikes = []
        for current in x.unbind(0):
            # For tau = 2 one rounding, that of the sum.
            potential = membrane * (1 - 1 / self.tau) + current / self.tau
            spikes.append(Fire.apply(potential, self.threshold))
            membrane = torch.where(potential < self.threshold, potential, 0.0)
        return torch.stack(spikes)


class MultiSpike(nn.Module):
    """Integer spikes 0..`levels`, rounded half to even, divided by `norm`; without a state.

    The gradient of rounding is 1, that of values outside of the levels 0.
    """

    def __init__(self, levels, norm):
        super().__init__()
        self.levels, self.norm = levels, norm

    def forward(self, x):
        clamped = x.clamp(0, self.levels)
        return (clamped + (clamped.round() - clamped).detach()) / self.norm

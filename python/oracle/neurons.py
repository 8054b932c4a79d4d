"""Neurons of the oracle: SpikingJelly's LIF, and the integer spikes of v3."""

from spikingjelly.clock_driven.neuron import MultiStepLIFNode
from torch import nn


class Lif(MultiStepLIFNode):
    """SpikingJelly's LIF: H = V + (X - V)/tau, fires on H >= threshold, resets to 0."""

    def __init__(self, threshold=1.0, tau=2.0):
        super().__init__(tau=tau, v_threshold=threshold, detach_reset=True, backend="torch")

    def set_threshold(self, threshold):
        """One threshold per channel, [C] or [1]."""
        self.v_threshold = threshold.view(-1, 1, 1)
        self.set_reset_value("v_threshold", self.v_threshold)


class MultiSpike(nn.Module):
    """Integer spikes 0..`levels`, rounded half to even, divided by `norm`; without a state."""

    def __init__(self, levels, norm):
        super().__init__()
        self.levels, self.norm, self.thresholds = levels, norm, None

    def set_threshold(self, thresholds):
        """What reaches each level from 1 on, per channel: [C, levels] or [1, levels]."""
        self.thresholds = thresholds.view(-1, 1, 1, self.levels)

    def forward(self, x):
        if self.thresholds is None:
            return x.clamp(0, self.levels).round() / self.norm
        return (x.unsqueeze(-1) >= self.thresholds).sum(-1).to(x.dtype) / self.norm

"""A NIR graph of one chain, run in double precision by one step of Euler's method per timestep: for tests."""

import nir
import numpy as np


def windows(x, kernel, stride, pad, apart=(1, 1)):
    """`[channels, rows, columns, kernel rows, kernel columns]` of a map."""
    padded = np.pad(x, [(0, 0), (pad[0],) * 2, (pad[1],) * 2])
    covered = tuple((size - 1) * step + 1 for size, step in zip(kernel, apart, strict=True))
    view = np.lib.stride_tricks.sliding_window_view(padded, covered, (1, 2))
    return view[:, :: stride[0], :: stride[1], :: apart[0], :: apart[1]]


def convolve(node, x):
    outs = len(node.weight) // node.groups
    pieces = np.split(windows(x, node.weight.shape[2:], node.stride, node.padding, node.dilation), node.groups)
    weights = np.split(node.weight.astype(np.float64), node.groups)
    sums = [np.einsum("cyxij,ocij->oyx", piece, w) for piece, w in zip(pieces, weights, strict=True)]
    assert all(len(one) == outs for one in sums)
    return np.concatenate(sums) + node.bias.reshape(-1, 1, 1)


class State:
    """A node with what it keeps between timesteps; `at` fires at the threshold, `soft` subtracts it."""

    def __init__(self, node, dt, at=False, soft=False):
        self.node, self.dt, self.at, self.soft, self.i = node, dt, at, soft, 0.0
        # Where NIR does not say it: membranes start at what they reset to.
        self.v = getattr(node, "v_reset", 0.0)

    def step(self, x):
        node, dt = self.node, self.dt
        if isinstance(node, nir.Conv2d):
            return convolve(node, x)
        if isinstance(node, nir.AvgPool2d):
            return windows(x, node.kernel_size, node.stride, node.padding).mean((3, 4))
        if isinstance(node, nir.SumPool2d):
            return windows(x, node.kernel_size, node.stride, node.padding).sum((3, 4))
        if isinstance(node, nir.Affine):
            return node.weight @ x.reshape(-1) + node.bias
        if isinstance(node, nir.Linear):
            return node.weight @ x.reshape(-1)
        if isinstance(node, nir.Flatten):
            return x.reshape(-1)
        if isinstance(node, nir.Scale):
            return x * node.scale
        if isinstance(node, nir.Threshold):
            return (x > node.threshold).astype(float)
        if isinstance(node, nir.LIF):
            self.v = self.v + dt / node.tau * (node.v_leak - self.v + node.r * x)
            return self.fire(node)
        if isinstance(node, nir.LI):
            self.v = self.v + dt / node.tau * (node.v_leak - self.v + node.r * x)
            return self.v
        if isinstance(node, nir.CubaLIF):
            self.i = self.i + dt / node.tau_syn * (node.w_in * x - self.i)
            self.v = self.v + dt / node.tau_mem * (node.v_leak - self.v + node.r * self.i)
            return self.fire(node)
        if isinstance(node, nir.IF):
            self.v = self.v + (x if (node.r == 1).all() else dt * node.r * x)
            return self.fire(node)
        if isinstance(node, nir.I):
            self.v = self.v + (x if (node.r == 1).all() else dt * node.r * x)
            return self.v
        assert isinstance(node, nir.Input | nir.Output), node
        return x

    def fire(self, node):
        spikes = self.v >= node.v_threshold if self.at else self.v > node.v_threshold
        self.v = np.where(spikes, self.v - node.v_threshold if self.soft else node.v_reset, self.v)
        return spikes.astype(float)


def run(graph, frames, dt=1e-4, **neurons):
    """What every node yields, `[T, ...]`, for frames `[T, C, H, W]`."""
    states = {name: State(node, dt, **neurons) for name, node in graph.nodes.items()}
    source = {target: name for name, target in graph.edges}
    order = [next(name for name in graph.nodes if name not in source)]
    follows = {name: target for name, target in graph.edges}
    while order[-1] in follows:
        order.append(follows[order[-1]])
    yields = {name: [] for name in order}
    for frame in frames:
        x = frame
        for name in order:
            x = states[name].step(x)
            yields[name].append(x)
    return {name: np.stack(values) for name, values in yields.items()}

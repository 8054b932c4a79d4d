"""Linear maps of spikes: convolutions, and the poolings and scales beside them folded into their weights."""

import dataclasses

import numpy as np

# Weights of two maps as one: a gigabyte of doubles.
MAX_WEIGHTS = 1 << 27


@dataclasses.dataclass
class LinearMap:
    """A convolution of a map of `shape` (channels, rows, columns); weights are `[out, in / groups, rows, columns]`."""

    name: str
    shape: tuple
    weight: np.ndarray
    bias: np.ndarray | None = None
    stride: tuple = (1, 1)
    pad: tuple = (0, 0)
    groups: int = 1
    dilation: tuple = (1, 1)
    # True for what only sums and scales channels, which a weight layer may absorb.
    depthwise: bool = False

    def extents(self):
        """Rows and columns of the output."""
        sizes = zip(self.shape[1:], self.pad, self.weight.shape[2:], self.dilation, self.stride, strict=True)
        return tuple(
            (size + 2 * pad - (kernel - 1) * apart - 1) // stride + 1 for size, pad, kernel, apart, stride in sizes
        )

    def output(self):
        """Shape of the output."""
        return (self.weight.shape[0], *self.extents())

    def reads_all(self):
        """True where one output position reads the whole map: a linear layer."""
        near = self.pad == (0, 0) and self.dilation == (1, 1)
        return near and self.weight.shape[2:] == self.shape[1:] and self.groups == 1

    def scaled(self, factors):
        """With every output channel times its factor."""
        weight = self.weight * factors.reshape(-1, 1, 1, 1)
        return dataclasses.replace(self, weight=weight, bias=None if self.bias is None else self.bias * factors)


def channelwise(name, shape, kernel, factors, stride=(1, 1), pad=(0, 0)):
    """Each channel by itself: sums over windows, times the factor of the channel."""
    weight = np.ones((shape[0], 1, *kernel)) * factors.reshape(-1, 1, 1, 1)
    return LinearMap(name, shape, weight, None, stride, pad, shape[0], depthwise=True)


def linear(name, shape, weight, bias=None):
    """A linear layer on the whole map, channel by channel."""
    return LinearMap(name, shape, weight.reshape(weight.shape[0], *shape), bias)


def undilated(layer):
    """`layer` with zeros between weights that are apart."""
    outs, ins, *kernel = layer.weight.shape
    extents = ((extent - 1) * apart + 1 for extent, apart in zip(kernel, layer.dilation, strict=True))
    weight = np.zeros((outs, ins, *extents))
    weight[:, :, :: layer.dilation[0], :: layer.dilation[1]] = layer.weight
    return dataclasses.replace(layer, weight=weight, dilation=(1, 1))


def pads_alike(pool):
    """True if zeros around what `pool` yields are sums of zeros around its input, on both sides.

    The first window behind the last begins behind the input; then the last before the first, which begins
    stride + pad before it, ends before it, too: extents * stride <= size + 2 pad - kernel + stride.
    """
    axes = zip(pool.extents(), pool.stride, pool.pad, pool.shape[1:], strict=True)
    return all(extent * stride - pad >= size for extent, stride, pad, size in axes)


def behind(pool, layer):
    """`layer` of what `pool` yields, as one map; None where padding or size keep them apart."""
    if layer.pad != (0, 0) and not pads_alike(pool):
        return None
    layer = undilated(layer)
    outs, ins, rows, columns = layer.weight.shape
    (high, wide), (down, right) = pool.weight.shape[2:], pool.stride
    shape = (outs, ins, (rows - 1) * down + high, (columns - 1) * right + wide)
    if np.prod(shape) > MAX_WEIGHTS:
        return None
    weight = np.zeros(shape)
    # The factors of the channels that each output reads, `[out, in]`.
    first = np.arange(outs) // (outs // layer.groups) * ins
    factors = pool.weight[:, 0][first[:, None] + np.arange(ins)]
    for y in range(rows):
        for x in range(columns):
            window = weight[:, :, y * down : y * down + high, x * right : x * right + wide]
            window += layer.weight[:, :, y, x, None, None] * factors
    stride = tuple(a * b for a, b in zip(pool.stride, layer.stride, strict=True))
    pad = tuple(p + q * s for p, q, s in zip(pool.pad, layer.pad, pool.stride, strict=True))
    joined = LinearMap(
        layer.name, pool.shape, weight, layer.bias, stride, pad, layer.groups, depthwise=layer.depthwise
    )
    return whole(joined) if layer.reads_all() and layer.output()[1:] == (1, 1) else joined


def before(layer, pool):
    """What `pool` makes of the output of `layer`, as one map; None where it pads that, or size keeps them apart."""
    if pool.pad != (0, 0):
        return None
    (high, wide), (down, right) = pool.weight.shape[2:], layer.stride
    layer = undilated(layer)
    outs, ins, rows, columns = layer.weight.shape
    shape = (outs, ins, rows + (high - 1) * down, columns + (wide - 1) * right)
    if np.prod(shape) > MAX_WEIGHTS:
        return None
    weight = np.zeros(shape)
    for y in range(high):
        for x in range(wide):
            window = weight[:, :, y * down : y * down + rows, x * right : x * right + columns]
            window += layer.weight * pool.weight[:, 0, y, x].reshape(-1, 1, 1, 1)
    bias = None if layer.bias is None else layer.bias * pool.weight[:, 0].sum((1, 2))
    stride = tuple(a * b for a, b in zip(layer.stride, pool.stride, strict=True))
    return LinearMap(
        layer.name, layer.shape, weight, bias, stride, layer.pad, layer.groups, depthwise=layer.depthwise
    )


def whole(layer):
    """A map with one output position, with weights for exactly the values of its input."""
    (top, left), (_, rows, columns) = layer.pad, layer.shape
    weight = layer.weight[:, :, top : top + rows, left : left + columns]
    missing = [(0, 0), (0, 0), (0, rows - weight.shape[2]), (0, columns - weight.shape[3])]
    return dataclasses.replace(layer, weight=np.pad(weight, missing), pad=(0, 0), stride=(1, 1))

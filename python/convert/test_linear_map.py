"""Poolings folded into convolutions, against one after the other.

python -m pytest test_linear_map.py
"""

import numpy as np
import pytest

import linear_map


def apply(layer, x):
    """The map in plain sums."""
    pads = [(0, 0), *((pad, pad) for pad in layer.pad)]
    view = np.lib.stride_tricks.sliding_window_view(np.pad(x, pads), layer.weight.shape[2:], (1, 2))
    view = view[:, :: layer.stride[0], :: layer.stride[1]]
    groups = zip(np.split(view, layer.groups), np.split(layer.weight, layer.groups), strict=True)
    sums = np.concatenate([np.einsum("cyxij,ocij->oyx", part, weight) for part, weight in groups])
    return sums if layer.bias is None else sums + layer.bias.reshape(-1, 1, 1)


class Dice:
    def __init__(self, seed):
        self.generator = np.random.default_rng(seed)

    def pair(self, low, high):
        return tuple(int(x) for x in self.generator.integers(low, high, 2))

    def integers(self, *shape):
        return self.generator.integers(-9, 10, shape).astype(float)

    def pool(self, shape, pad):
        return linear_map.channelwise(
            "pool", shape, self.pair(1, 4), self.integers(shape[0]), self.pair(1, 4), self.pair(0, 1 + pad)
        )

    def conv(self, shape, pad):
        groups = int(self.generator.integers(1, 3)) if shape[0] % 2 == 0 else 1
        kernel = tuple(int(self.generator.integers(1, 1 + min(3, extent))) for extent in shape[1:])
        weight, bias = self.integers(4, shape[0] // groups, *kernel), self.integers(4)
        return linear_map.LinearMap("conv", shape, weight, bias, self.pair(1, 3), self.pair(0, 1 + pad), groups)


@pytest.mark.parametrize("seed", range(400))
def test_two_maps_are_one(seed):
    dice = Dice(seed)
    shape = (2, *dice.pair(6, 12))
    x = dice.integers(*shape)
    pool = dice.pool(shape, pad=1)
    conv = dice.conv(pool.output(), pad=2)
    joined = linear_map.behind(pool, conv)
    expected = apply(conv, apply(pool, x))
    if joined is None:
        assert conv.pad != (0, 0)
    else:
        assert (apply(joined, x) == expected).all() and joined.output() == expected.shape
    conv = dice.conv(shape, pad=2)
    pool = dice.pool(conv.output(), pad=1) if min(conv.extents()) >= 3 else None
    joined = linear_map.before(conv, pool) if pool else None
    if joined is not None:
        assert (apply(joined, x) == apply(pool, apply(conv, x))).all()


def test_a_linear_layer_behind_a_pooling_reads_the_whole_map():
    """Of 5 x 7 inputs, windows of 2 x 2 leave the last row and column out, which then have weights of 0."""
    dice = Dice(1)
    pool = linear_map.channelwise("pool", (2, 5, 7), (2, 2), np.array([0.25, 0.5]), (2, 2))
    dense = linear_map.linear("fc", (2, 2, 3), dice.integers(4, 12))
    joined = linear_map.behind(pool, dense)
    assert joined.reads_all() and not joined.weight[:, :, 4].any() and not joined.weight[:, :, :, 6].any()
    x = dice.integers(2, 5, 7)
    assert (apply(joined, x) == apply(dense, apply(pool, x))).all()


def test_what_padding_keeps_apart():
    """Zeros around sums of overlapping windows are no sums of zeros around the input."""
    conv = linear_map.LinearMap("conv", (1, 5, 5), np.ones((1, 1, 3, 3)), None, (1, 1), (1, 1))
    apart = linear_map.channelwise("pool", (1, 6, 6), (2, 2), np.ones(1), (1, 1))
    together = linear_map.channelwise("pool", (1, 10, 10), (2, 2), np.ones(1), (2, 2))
    assert linear_map.behind(apart, conv) is None and linear_map.behind(together, conv) is not None
    # A row that no window reads would be read by what stands for the padding.
    left = linear_map.channelwise("pool", (1, 11, 11), (2, 2), np.ones(1), (2, 2))
    assert linear_map.behind(left, conv) is None

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import spiq
from spiq import _quantizer


@pytest.mark.parametrize("setting", ["w8u6", "w3u4", "pot4u9", "w2u16"])
def test_thresholds_words_and_requantizers_are_those_of_the_library(setting):
    """Of the built-in network, channel by channel; one out of reach is just out of reach there."""
    model = spiq.Model()
    inner = spiq._spiq.Prepared(model._inner, spiq.Setting(setting)._inner, spiq.Data("noise")._for(model), 1)
    found, nodes = {node["name"]: node for node in inner.integers()}, {n["name"]: n for n in model._inner.nodes}
    compared = 0
    for name, read in found.items():
        steps = np.array(found[nodes[name]["inputs"][-1]]["steps"]) if nodes[name]["inputs"] else None
        if neuron := read["neuron"]:
            exact = np.array(neuron["thresholds"])
            own = _quantizer.thresholds(neuron["gain"], neuron["heights"], steps, neuron["strict"])
            within = own == exact
            assert (exact[~within] < own[~within]).all() and within.mean() > 0.9, name
            if neuron["membrane"]:
                word = neuron["membrane"]
                own = _quantizer.discards(exact, neuron["multiplier"], neuron["shift"], word["bits"])
                assert own.tolist() == word["discards"], name
            compared += within.sum()
        if requantize := read["requantize"]:
            own = _quantizer.requantizers(steps / read["steps"][0])
            assert [x.tolist() for x in own] == [requantize["multipliers"], requantize["shifts"]], name
            compared += len(own[0])
    assert compared > 1000


def test_requantizers_by_hand():
    multipliers, shifts = _quantizer.requantizers(np.array([0.125, 8.0, 0.75, 2.0**-50, 0.9999999]))
    # 0.75 is 49152 / 2^16; what rounds up to 2^16 / 2^16 is 2^15 / 2^15.
    assert multipliers.tolist() == [1, 8, 49152, 1, 32768]
    assert shifts.tolist() == [3, 0, 16, 62, 15]


def test_levels_by_hand():
    """1/2 goes down to 0, 3/2 up to 2, 5/2 down to 2: in steps of 1/2, and of 2/5 of which no sum is a half."""
    rows = _quantizer.level_thresholds(3, np.array([0.5, 0.4]))
    assert [row.tolist() for row in rows] == [[2, 2], [3, 4], [6, 7]]


def test_what_a_membrane_keeps_by_hand():
    assert [_quantizer.keep(x) for x in (0.5, 0.75, 1.0, 0.0, 1 / 3)] == [(1, 1), (3, 2), (1, 0), (0, 0), (21845, 16)]
    # Below a threshold of 17, 16 >> 1 = 8 needs 5 bits, and 15 >> 1 = 7 needs 4.
    assert _quantizer.discards(np.array([17, 16, 1]), 1, 1, 3).tolist() == [2, 1, 0]


@given(st.floats(2.0**-40, 2.0**40))
def test_powers_of_two_that_are_not_smaller(x):
    power = float(_quantizer.next_power_of_two(np.float64(x)))
    assert power >= x > power / 2 and np.frexp(power)[0] == 0.5

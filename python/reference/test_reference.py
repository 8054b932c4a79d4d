"""Hand-worked numbers of docs/semantics.md, and its claims that can be tried exhaustively.

    OMP_NUM_THREADS=1 python -m unittest test_reference
"""

import itertools
import unittest
from fractions import Fraction

import numpy as np

import layers
import quantizer


def column(*values):
    """Values over time of one neuron, [T, 1, 1, 1, 1]."""
    return np.array(values, np.int64).reshape(-1, 1, 1, 1, 1)


def image(rows):
    return np.array(rows, np.int64).reshape(1, 1, 1, len(rows), -1)


def snntorch(currents, beta, threshold, mechanism):
    """snnTorch's `Leaky`, as its page writes it: potentials and spikes. A spike resets one timestep later."""
    mem, found = 0 * beta, []
    for x in currents:
        reset = mem > threshold
        if mechanism == "zero":
            mem = beta * (0 if reset else mem) + x
        else:
            mem = beta * mem + x - (threshold if reset and mechanism == "subtract" else 0)
        found.append((mem, mem > threshold))
    return found


def as_snntorch(currents, shift, multiplier, threshold, mechanism):
    """Potentials, before any reset, and spikes of the integer neuron that is snnTorch's."""
    reset, amounts = {"subtract": ("subtract_delayed", None), "zero": ("zero", None), "none": ("subtract", [0])}[mechanism]
    rule = {"multiplier": multiplier, "strict": True, "amounts": amounts, "bits": 48}
    spikes, membranes, _ = layers.neuron(column(*currents), threshold + 1, shift, reset, **rule)
    before = [0, *membranes.ravel().tolist()[:-1]]
    return [(v + x, bool(s)) for v, x, s in zip(before, currents, spikes.ravel().tolist())]


class SnnTorch(unittest.TestCase):
    MECHANISMS = ("subtract", "zero", "none")

    def test_every_potential_and_spike_where_nothing_is_dropped(self):
        rng, spikes = np.random.default_rng(1), 0
        for mechanism, _ in itertools.product(self.MECHANISMS, range(200)):
            shift, steps = int(rng.integers(0, 3)), 9
            unit = 2 ** (shift * steps)
            currents = [int(x) * unit for x in rng.integers(-40, 80, steps)]
            threshold = int(rng.integers(1, 90)) * unit
            expected = snntorch(currents, Fraction(1, 2**shift), threshold, mechanism)
            self.assertEqual(as_snntorch(currents, shift, 1, threshold, mechanism), expected)
            spikes += sum(fires for _, fires in expected)
        self.assertGreater(spikes, 1000)

    def test_every_spike_of_floats_that_stays_off_the_threshold(self):
        rng, step, whole, spikes = np.random.default_rng(2), 2.0**-12, 0, 0
        for mechanism, _ in itertools.product(self.MECHANISMS, range(200)):
            beta = float(rng.uniform(0.05, 0.95))
            multiplier, zeros = round(beta * 2**16), 16
            while multiplier % 2 == 0:
                multiplier, zeros = multiplier // 2, zeros - 1
            codes = [int(x) for x in rng.integers(-3000, 6000, 20)]
            expected = snntorch([x * step for x in codes], beta, 1.0, mechanism)
            found = as_snntorch(codes, zeros, multiplier, 4096, mechanism)
            for t, ((mem, fires), (g, fires_too)) in enumerate(zip(expected, found)):
                # A timestep drops less than a step, and M / 2^k is off by at most 2^-17.
                off = (1 + abs(mem) * 2**-17 / step) / (1 - beta) * step + 2 * step
                self.assertLess(abs(mem - g * step), off)
                if abs(mem - 1.0) < off:
                    break
                self.assertEqual(fires, fires_too)
                spikes += fires
            else:
                whole += 1
        self.assertGreater(whole, 500)
        self.assertGreater(spikes, 1000)

    def test_subtracting_later_is_no_soft_reset_of_the_threshold(self):
        currents = [1280, 1280, 1280]
        later = as_snntorch(currents, 1, 1, 1000, "subtract")
        sooner = layers.neuron(column(*currents), 1001, 1, "subtract", strict=True, bits=32)[0]
        self.assertEqual([fires for _, fires in later], [True, False, True])
        self.assertEqual(sooner.ravel().tolist(), [1, 1, 1])


class Layers(unittest.TestCase):
    def test_convolution_by_hand(self):
        a = image([[1, 2], [3, 4]])
        w = np.arange(9).reshape(1, 1, 3, 3)
        acc = layers.accumulate(a, w, pad=1)
        # At the top left corner the taps (1,1) (1,2) (2,1) (2,2) meet the image: 4 + 2*5 + 3*7 + 4*8.
        self.assertEqual(acc[0, 0, 0].tolist(), [[67, 57], [37, 27]])
        self.assertEqual(layers.preactivation(acc, -3, 2)[0, 0, 0, 0, 0], 67 * 4 - 3)
        # Padded with ones, the other five taps 0, 1, 2, 3, 6 add their weights.
        self.assertEqual(layers.accumulate(a, w, pad=1, padding=1)[0, 0, 0, 0, 0], 67 + 12)
        self.assertEqual(layers.accumulate(a, w[:, :, :1, :2], stride=2).tolist(), [[[[[2]]]]])

    def test_taps_two_apart_by_hand(self):
        # 1 + 2 x 3 + 3 x 5 of five columns; windows of one row and two columns.
        a = image([[1, 2, 3, 4, 5]])
        self.assertEqual(layers.accumulate(a, np.array([[[[1, 2, 3]]]]), dilation=[1, 2]).tolist(), [[[[[22]]]]])
        self.assertEqual(layers.sum_pool(a, [1, 2], [1, 2], 0).ravel().tolist(), [3, 7])
        self.assertEqual(layers.max_pool(a, [1, 2], 1, 0).ravel().tolist(), [2, 3, 4, 5])

    def test_groups_do_not_mix(self):
        a = np.arange(4).reshape(1, 1, 4, 1, 1)
        w = np.array([[1, 10], [100, 1000]]).reshape(2, 2, 1, 1)
        self.assertEqual(layers.accumulate(a, w, groups=2).ravel().tolist(), [10, 3200])

    def test_half_leak_by_hand(self):
        # g = 5, 2+5 = 7, 3+5 = 8 fires, then 5 again; -3 >> 1 = -2.
        spikes, membranes, _ = layers.neuron(column(5, 5, 5, 5, -5), 8, 1, "zero", bits=8)
        self.assertEqual((spikes.ravel().tolist(), membranes.ravel().tolist()), ([0, 0, 1, 0, 0], [2, 3, 0, 2, -2]))

    def test_soft_reset_subtracts_the_threshold_before_the_leak(self):
        # Fires at 11 >= 8 and keeps 3; strictly above 7 has TH = 8 and keeps 11 - 7 = 4.
        self.assertEqual(layers.neuron(column(11), 8, 0, "subtract", bits=8)[1].item(), 3)
        self.assertEqual(layers.neuron(column(11), 8, 0, "subtract", strict=True, bits=8)[1].item(), 4)
        self.assertEqual(layers.neuron(column(14), 8, 1, "subtract", bits=8)[1].item(), 3)

    def test_amounts_and_delayed_resets_by_hand(self):
        # 14 - 12 = 2, 1; behind the leak 7 - 8 = -1; nothing off 14 is 7.
        self.assertEqual(layers.neuron(column(14), 8, 1, "subtract", amounts=[12], bits=8)[1].item(), 1)
        self.assertEqual(layers.neuron(column(14), 8, 1, "subtract_delayed", bits=8)[1].item(), -1)
        self.assertEqual(layers.neuron(column(14), 8, 1, "subtract", amounts=[0], bits=8)[1].item(), 7)
        # 2 x 25 + 1 = 51, times 3 / 8 is 19; 13 keeps 10, so that a spike leaves -3, and needs one bit less than 9.
        self.assertEqual(layers.neuron(column(25), 13, 2, "subtract_delayed", multiplier=3, bits=8)[1].item(), 6)
        self.assertEqual(layers.lowest_left(13, 2, "subtract_delayed", 3).item(), -3)
        # 4 - 20 = -16 does not fit 4 bits, which 3 does: one bit is dropped.
        self.assertEqual(layers.discard_bits([8], 1, 4).tolist(), [0])
        self.assertEqual(layers.discard_bits([8], 1, 4, lowest=-16).tolist(), [1])

    def test_membrane_word_by_hand(self):
        # TH = 100: the largest kept is 99 >> 1 = 49, of which a word of 5 bits (15) holds 49 >> 2 = 12.
        d = layers.discard_bits([100], 1, 5)
        self.assertEqual(d.tolist(), [2])
        _, membranes, clamped = layers.neuron(column(94, 0, -200), 100, 1, "zero", bits=5, discard=d)
        # 47 is stored as 11 and comes back as 44; 22 as 5 and 20; (20 - 200) >> 1 = -90 as -23, clamped to -16: -64.
        self.assertEqual((membranes.ravel().tolist(), clamped), ([44, 20, -64], 1))

    def test_narrow_accumulators_by_hand(self):
        x = np.array([7, 8, -8, -9, 24])
        self.assertEqual(layers.hold(x, 4, "wrap")[0].tolist(), [7, -8, -8, 7, -8])
        held, changed = layers.hold(x, 4, "saturate_at_writeback")
        self.assertEqual((held.tolist(), changed), ([7, 7, -8, -8, 7], 3))

    def test_loihi_as_lava_computes_it(self):
        x = column(128, *[0] * 7)
        _, voltages, _ = layers.loihi(x, 10**8, 0, 2048)
        self.assertEqual(voltages.ravel().tolist(), [8192, 12286, 14331, 15351, 15859, 16111, 16235, 16295])
        # 4095 parts of the current are lost: every input is met anew, and 100 << 6 does not exceed a threshold of 100.
        spikes, voltages, _ = layers.loihi(column(100, 101, -3), (100 << 6) + 1, 4095, 4096)
        self.assertEqual((spikes.ravel().tolist(), voltages.ravel().tolist()), ([0, 1, 0], [6400, 0, -192]))

    def test_loihi_words(self):
        # 2^17 << 6 is 2^23, the largest current; one more wraps to -2^23 + 64, and a voltage is clamped.
        _, voltages, changed = layers.loihi(column(1 << 17, (1 << 17) + 1), 1 << 26, 4095, 4096)
        self.assertEqual((voltages.ravel().tolist(), changed), ([(1 << 23) - 1, 64 - (1 << 23)], 2))

    def test_levels_round_half_to_even(self):
        th = quantizer.level_thresholds(3, 2, [1.0])
        self.assertEqual(th.ravel().tolist(), [3, 6, 11])
        for x in range(-20, 40):
            exact = round(min(max(Fraction(x, 4), 0), 3))
            self.assertEqual(layers.integer_spikes(column(x), th).item(), exact, x)

    def test_requantizer_rounds_half_up(self):
        x = column(12, -12, 11, -13)
        self.assertEqual(layers.requantize(x, 1, 3).ravel().tolist(), [2, -1, 1, -2])
        self.assertEqual(layers.requantize(x, 5, 0).ravel().tolist(), [60, -60, 55, -65])

    def test_both_orders_of_an_attention_agree(self):
        rng = np.random.default_rng(1)
        q, k = rng.integers(0, 2, (2, 2, 3, 6, 2, 2))
        v = rng.integers(0, 3, (2, 3, 4, 2, 2))
        out = layers.attention(q, k, v, 2)
        for t, n, c, y, x in np.ndindex(out.shape):
            inside = slice(3 * (c // 2), 3 * (c // 2) + 3)
            expected = sum(
                int(q[t, n, inside, y, x] @ k[t, n, inside, i, j]) * int(v[t, n, c, i, j])
                for i, j in np.ndindex(2, 2)
            )
            self.assertEqual(out[t, n, c, y, x], expected)

    def test_a_branch_keeps_spikes_of_the_stream_back(self):
        self.assertEqual(layers.and_not(column(0, 0, 1, 1), column(0, 1, 0, 1)).ravel().tolist(), [0, 0, 1, 0])

    def test_padding_never_wins(self):
        pooled = layers.max_pool(image([[-5, -7], [-9, -3]]), 3, 2, 1)
        self.assertEqual(pooled.ravel().tolist(), [-3])
        self.assertEqual(layers.max_pool(image([[-5, -7], [-9, -3]]), 2, 2, 1).ravel().tolist(), [-5, -7, -9, -3])

    def test_planes_of_tokens_and_channels_are_pooled(self):
        # Three tokens of four channels in two heads; only channel 1 of token 0 fires, at the edge of its head.
        spikes = np.zeros((1, 1, 4, 1, 3), np.int64)
        spikes[0, 0, 1, 0, 0] = 1
        pooled = layers.plane_pool(spikes, 2)[0, 0, :, 0]
        self.assertEqual(pooled.tolist(), [[1, 1, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0]])


class Claims(unittest.TestCase):
    def test_a_four_bit_count_suffices_at_one_eighth_and_one_half(self):
        counts = np.array(list(itertools.product(range(20), repeat=4)), np.int64).T
        counts = counts.reshape(4, -1, 1, 1, 1)
        wide, membranes, _ = layers.neuron(counts, 8, 1, "zero", bits=8)
        for limit in (8, 15):
            narrow, _, _ = layers.neuron(np.minimum(counts, limit), 8, 1, "zero", bits=8)
            self.assertTrue((wide == narrow).all())
        self.assertEqual((membranes.min(), membranes.max()), (0, 3))
        # Not so at 7: the count of 8 no longer fires.
        self.assertFalse((wide == layers.neuron(np.minimum(counts, 7), 8, 1, "zero", bits=8)[0]).all())

    def test_what_is_kept_by_hand(self):
        """21 x 3 / 8 = 7.875, -19 x 3 / 8 = -7.125; a third divides."""
        self.assertEqual([layers.kept(g, 2, 3) for g in (10, -10, 0)], [7, -8, 0])
        self.assertTrue(all(layers.kept(g, 16, 21845) == g // 3 for g in range(-32767, 32768)))
        self.assertEqual([layers.reach(2, 3, t) for t in (1, 3, 100)], [2, 3, 4])

    def test_the_shifted_neuron_is_that_of_infinite_precision(self):
        for sequence in itertools.product(range(-3, 8), repeat=4):
            spikes = layers.neuron(column(*sequence), 7, 1, "zero", bits=8)[0].ravel()
            v = Fraction(0)
            for x, spike in zip(sequence, spikes):
                h = v + (x - v) / 2
                self.assertEqual(spike, h >= Fraction(7, 2), sequence)
                v = Fraction(0) if spike else h


class Quantizer(unittest.TestCase):
    def test_codes_by_hand(self):
        w = np.array([0.5, 1.5, 2.5, -2.5, 9.0])
        self.assertEqual(quantizer.uniform_codes(w, 1.0, 4).tolist(), [0, 2, 2, -2, 7])
        self.assertEqual(quantizer.power_of_two_codes(w, 1.0, 3).tolist(), [0, 1, 2, -2, 4])
        self.assertEqual(quantizer.power_of_two_codes(np.array([3.0, -6.0]), 1.0, 4).tolist(), [2, -4])
        floor = quantizer.quantize(np.array([[[[0.3]]], [[[-0.3]]]]), {"kind": "UnitFloor", "bits": 4})[0]
        self.assertEqual(floor.ravel().tolist(), [2, -3])

    def test_levels_by_hand(self):
        self.assertEqual(quantizer.LEVELS["E2m1"][4], [0, 1, 2, 3, 4, 6, 8, 12])
        self.assertEqual(quantizer.LEVELS["Apot"][4], [0, 1, 2, 3, 4, 6, 8, 10])
        self.assertEqual(quantizer.LEVELS["Post"][4], [0, 8, 11, 16, 22, 32, 44, 64])
        self.assertEqual(quantizer.LEVELS["Dbq"][4], [0, 1, 3, 4, 5])
        scheme = {"kind": "Levels", "set": "AdaLog", "bits": 4, "scale": "Free", "granularity": "Channel", "clip": "Max"}
        self.assertEqual(quantizer.magnitudes(scheme | {"base": 20}), [0, 13, 20, 28, 41, 60, 87, 127])
        w = np.array([127.0, 70.0, -38.0, 12.7, 0.3, -2.1]).reshape(2, 3, 1, 1)
        self.assertEqual(quantizer.at_best_base(w, scheme)["base"], 32)
        # Halfway between 8 and 12, and beyond all.
        codes = quantizer.nearest_codes(np.array([10.0, -10.1, 0.5, 99.0]), 1.0, quantizer.LEVELS["E2m1"][4])
        self.assertEqual(codes.tolist(), [8, -12, 0, 12])
        codes, lsb = quantizer.ternary_rule(np.array([1.5, -0.8, 0.3, 0.2, -2.2]))
        self.assertEqual((codes.tolist(), lsb), ([1, -1, 0, 0, -1], 1.5))
        codes, lsb = quantizer.binary_rule(np.array([0.2, 0.4, 1.3, 0.1]))
        self.assertEqual((codes.tolist(), lsb), ([-1, -1, 1, -1], 0.5))

    def test_scales_by_hand(self):
        w = np.array([3.0, -14.0]).reshape(2, 1, 1, 1)
        uniform = {"kind": "Uniform", "bits": 4, "clip": "Max"}
        free = quantizer.quantize(w, uniform | {"scale": "Free", "granularity": "Layer"})
        self.assertEqual((free[0].ravel().tolist(), free[1].tolist()), ([2, -7], [2.0, 2.0]))
        power = quantizer.quantize(w, uniform | {"scale": "Pow2", "granularity": "Channel"})
        self.assertEqual((power[0].ravel().tolist(), power[1].tolist()), ([6, -7], [0.5, 2.0]))

    def test_requantizers_by_hand(self):
        self.assertEqual(quantizer.requantizer(0.125), (1, 3))
        self.assertEqual(quantizer.requantizer(8.0), (8, 0))
        self.assertEqual(quantizer.requantizer(Fraction(1, 3)), (43691, 17))
        self.assertEqual(quantizer.requantizer(2.0**-50), (1, 62))

    def test_thresholds_of_free_scales_are_exact(self):
        # 49 tokens in steps of 2^-10: 2 theta 2^f / s is an integer, which a rounded 1/49 could miss.
        step = Fraction(1, 49 * 1024)
        self.assertEqual(quantizer.threshold_codes(1, 2, 0, [step]).tolist(), [2 * 49 * 1024])
        self.assertEqual(quantizer.threshold_codes(1, 2, 0, [step], strict=True).tolist(), [2 * 49 * 1024 + 1])


if __name__ == "__main__":
    unittest.main()

//! Products of integers that are wider than a unit takes, or whose sums are, in parts of the bits of their inputs.

use super::{Input, Product};
use crate::hw::Takes;

/// How the bits of inputs meet weights: so many of them at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// Parts.
    pub count: u32,
    /// Bits of all of them but the last.
    pub bits: u32,
}

impl Parts {
    /// Bits of the last one, of inputs of `bits`.
    pub(crate) fn last_bits(&self, bits: u32) -> u32 {
        bits - (self.count - 1) * self.bits
    }
}

impl Product {
    /// Parts of inputs that, and whose sums, fit what a unit `takes`; `None` if it takes none.
    ///
    /// A part has no sign, but for the highest, so it has a bit less than an input that a unit takes.
    /// A sum of w bits over inputs of b bits has weights of at most w - b + 1 bits together, sign and all, so parts of p
    /// unsigned bits sum up to w - b + 2 + p.
    pub(crate) fn parts(&self, takes: &Takes) -> Option<Parts> {
        let bits = self.input.bits();
        let excess = takes.sum_bits.map_or(0, |widest| self.accumulator_bits.saturating_sub(widest));
        // 32 bits stand for the float network.
        if (excess == 0 && bits <= takes.input_bits) || self.weight.code_bits == 32 {
            return Some(Parts { count: 1, bits });
        }
        let splits = takes.in_parts && self.input != Input::Spikes;
        let of_sums = if excess > 0 { bits.checked_sub(excess + 2)? } else { bits };
        let narrow = Some(of_sums.min(takes.input_bits - 1)).filter(|&narrow| splits && narrow > 0)?;
        // Parts as equal as can be; what is left is the last one.
        let count = bits.div_ceil(narrow);
        Some(Parts { count, bits: bits.div_ceil(count) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::InputFrames;
    use crate::model::NodeId;
    use crate::num::signed_bits;
    use crate::quant::WeightForm;

    fn product(bits: u32, accumulator_bits: u32) -> Product {
        Product {
            node: NodeId(0),
            positions: 1,
            columns: 1,
            fan_in: 4,
            taps: 1,
            halo_rows: 0,
            outputs: 1,
            groups: 1,
            frames: InputFrames::PerTimestep,
            input: Input::Integers { bits },
            input_values: 4,
            sums_of_spikes: false,
            from_outside: false,
            weight: WeightForm::integer(8),
            accumulator_bits,
        }
    }

    fn takes(sum_bits: u32, in_parts: bool) -> Takes {
        Takes { weight_bits: 8, input_bits: 32, inputs: "multi_bit", sum_bits: Some(sum_bits), in_parts }
    }

    #[test]
    fn by_hand() {
        let narrow = Takes { input_bits: 17, ..takes(64, true) };
        assert_eq!(product(26, 39).parts(&narrow), Some(Parts { count: 2, bits: 13 }));
        assert_eq!(product(26, 39).parts(&Takes { input_bits: 1, ..narrow }), None);
        let parts =
            |bits, sum, widest| product(bits, sum).parts(&takes(widest, true)).map(|p| (p.count, p.bits));
        assert_eq!(parts(16, 28, 32), Some((1, 16)));
        // 25 bits into sums of 39: 16 at a time fill 32 at most, and two parts have 13 and 12.
        assert_eq!(parts(25, 39, 32), Some((2, 13)));
        assert_eq!(parts(8, 20, 14), None);
        assert_eq!(product(25, 39).parts(&takes(32, false)), None);
        let spikes = Product { input: Input::Spikes, ..product(1, 39) };
        assert_eq!(spikes.parts(&takes(32, true)), None);
    }

    /// Weights that sum up to so much, and the smallest input of so many bits: parts sum up to less.
    #[test]
    fn sums_of_parts_fit() {
        for bits in 4..24_u32 {
            for weights in [1_i64, 3, 127, 500, 1 << 14] {
                let input = 1_i64 << (bits - 2);
                let accumulator_bits = signed_bits(-weights * input, weights * input);
                for widest in 8..accumulator_bits {
                    let parts = product(bits, accumulator_bits).parts(&takes(widest, true));
                    let Some(Parts { count, bits: narrow }) = parts else { continue };
                    assert!(count > 1 && (1..=narrow).contains(&(bits - (count - 1) * narrow)));
                    let largest = weights * ((1 << narrow) - 1);
                    assert!(signed_bits(-largest, largest) <= widest, "{bits} {weights} {widest}");
                }
            }
        }
    }
}

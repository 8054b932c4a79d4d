use std::ops::RangeInclusive;

use super::definition::Levels;

/// Sums of two powers of two (Li et al., "Additive Powers-of-Two Quantization", ICLR 2020): one term of each of two sets
/// that lie between each other. Of 3 bits one set is 0 alone.
pub struct Apot;

impl Levels for Apot {
    fn name(&self) -> &'static str {
        "apot"
    }

    fn widths(&self) -> RangeInclusive<u32> {
        3..=5
    }

    fn magnitudes(&self, bits: u32) -> &'static [i32] {
        match bits {
            3 => &[0, 1, 2, 4],
            4 => &[0, 1, 2, 3, 4, 6, 8, 10],
            _ => &[0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magnitudes_are_sums_of_one_term_of_each_set() {
        let sets: [(u32, [i32; 4], &[i32]); 3] =
            [(3, [0, 4, 2, 1], &[0]), (4, [0, 8, 4, 1], &[0, 2]), (5, [0, 32, 8, 2], &[0, 16, 4, 1])];
        for (bits, first, second) in sets {
            let mut sums: Vec<i32> = first.iter().flat_map(|a| second.iter().map(move |b| a + b)).collect();
            sums.sort_unstable();
            assert_eq!(Apot.magnitudes(bits), sums, "{bits}");
        }
    }
}

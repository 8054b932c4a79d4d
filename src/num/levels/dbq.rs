use std::ops::RangeInclusive;

use super::definition::Levels;

/// Sums 4 a + b of two ternary branches a and b, whose scales have a ratio of four. (At a ratio of two they are the
/// uniform weights of 3 bits.)
pub struct Dbq;

impl Levels for Dbq {
    fn name(&self) -> &'static str {
        "dbq"
    }

    fn widths(&self) -> RangeInclusive<u32> {
        4..=4
    }

    fn magnitudes(&self, _bits: u32) -> &'static [i32] {
        &[0, 1, 3, 4, 5]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magnitudes_are_sums_of_both_branches() {
        let mut sums: Vec<i32> =
            (-1..=1).flat_map(|a: i32| (-1..=1).map(move |b| (4 * a + b).abs())).collect();
        sums.sort_unstable();
        sums.dedup();
        assert_eq!(Dbq.magnitudes(4), sums);
    }
}

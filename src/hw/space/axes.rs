//! The machines of a space by their numbers.

/// What varies from machine to machine: an axis with a number of levels each, the last one fastest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axes(Vec<usize>);

impl Axes {
    /// With so many `levels` each, none of which is zero.
    pub fn new(levels: Vec<usize>) -> Self {
        Self(levels)
    }

    /// How many levels each axis has.
    pub fn counts(&self) -> &[usize] {
        &self.0
    }

    /// Machines in all.
    pub fn count(&self) -> u128 {
        self.0.iter().fold(1, |product: u128, &levels| product.saturating_mul(levels as u128))
    }

    /// The level of each axis that machine `number` has.
    pub fn levels(&self, mut number: u64) -> Vec<usize> {
        let mut levels: Vec<usize> = Vec::with_capacity(self.0.len());
        for &count in self.0.iter().rev() {
            levels.push((number % count as u64) as usize);
            number /= count as u64;
        }
        levels.reverse();
        levels
    }

    /// The machine that has these levels.
    pub fn number(&self, levels: impl Iterator<Item = usize>) -> u64 {
        self.0.iter().zip(levels).fold(0, |number, (&count, level)| number * count as u64 + level as u64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_axis_is_the_fastest() {
        let axes = Axes::new(vec![2, 1, 3]);
        assert_eq!(axes.count(), 6);
        assert_eq!([0, 1, 3, 5].map(|i| axes.levels(i)), [[0, 0, 0], [0, 0, 1], [1, 0, 0], [1, 0, 2]]);
    }

    proptest! {
        #[test]
        fn numbers_and_levels_are_one(counts in prop::collection::vec(1usize..6, 0..5), seed in any::<u64>()) {
            let axes = Axes::new(counts);
            let number = seed % axes.count() as u64;
            prop_assert_eq!(axes.number(axes.levels(number).into_iter()), number);
        }
    }
}

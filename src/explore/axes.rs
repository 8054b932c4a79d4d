//! The machines of a space by their numbers, and samples of them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

/// What varies from machine to machine: an axis with a number of levels each, the last one fastest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axes(Vec<usize>);

/// Machines that stand for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// How many are drawn.
    pub machines: u64,
    /// Seed of the draw.
    pub seed: u64,
}

impl Axes {
    /// With so many `levels` each, none of which is zero.
    pub fn new(levels: Vec<usize>) -> Self {
        Self(levels)
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
    fn number(&self, levels: impl Iterator<Item = usize>) -> u64 {
        self.0.iter().zip(levels).fold(0, |number, (&count, level)| number * count as u64 + level as u64)
    }

    /// A Latin hypercube: along each axis, every level stands for its share of the machines, up to one. Machines that are
    /// drawn twice count once; in the order of their numbers.
    pub fn sample(&self, sample: Sample) -> Vec<u64> {
        let Sample { machines, seed } = sample;
        if self.count() <= u128::from(machines) {
            return (0..self.count() as u64).collect();
        }
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let strata: Vec<Vec<u64>> = self.0.iter().map(|_| shuffled(machines, &mut dice)).collect();
        // The middle of a stratum says which level it lies in.
        let level = |stratum: u64, levels: usize| {
            (u128::from(2 * stratum + 1) * levels as u128 / u128::from(2 * machines)) as usize
        };
        let number = |i: usize| {
            self.number(strata.iter().zip(&self.0).map(|(strata, &levels)| level(strata[i], levels)))
        };
        let mut numbers: Vec<u64> = (0..machines as usize).map(number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

/// 0..count in a random order (Fisher-Yates).
fn shuffled(count: u64, dice: &mut ChaCha8Rng) -> Vec<u64> {
    let mut order: Vec<u64> = (0..count).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, (dice.next_u64() % (last as u64 + 1)) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_axis_is_the_fastest() {
        let axes = Axes::new(vec![2, 1, 3]);
        assert_eq!(axes.count(), 6);
        assert_eq!([0, 1, 3, 5].map(|i| axes.levels(i)), [[0, 0, 0], [0, 0, 1], [1, 0, 0], [1, 0, 2]]);
    }

    #[test]
    fn a_sample_of_all_is_all() {
        let all = Axes::new(vec![3, 2]).sample(Sample { machines: 6, seed: 1 });
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);
    }

    proptest! {
        #[test]
        fn numbers_and_levels_are_one(counts in prop::collection::vec(1usize..6, 0..5), seed in any::<u64>()) {
            let axes = Axes::new(counts);
            let number = seed % axes.count() as u64;
            prop_assert_eq!(axes.number(axes.levels(number).into_iter()), number);
        }

        /// Along each axis, a level has its share of what is drawn, up to one.
        #[test]
        fn strata_are_even(machines in 1u64..40, seed in any::<u64>()) {
            let axes = Axes::new(vec![7, 5, 1000]);
            let numbers = axes.sample(Sample { machines, seed });
            prop_assert_eq!(&numbers, &axes.sample(Sample { machines, seed }));
            prop_assert!(numbers.is_sorted());
            // 1000 levels of one axis: hardly two are the same machine, which would count once.
            prop_assume!(numbers.len() as u64 == machines);
            for (axis, &levels) in axes.0.iter().enumerate() {
                let mut counts = vec![0u64; levels];
                numbers.iter().for_each(|&number| counts[axes.levels(number)[axis]] += 1);
                let share = machines as f64 / levels as f64;
                prop_assert!(counts.iter().all(|&count| (count as f64 - share).abs() < 1.0 + 1e-9));
            }
            let distinct: HashSet<usize> = numbers.iter().map(|&n| axes.levels(n)[2]).collect();
            prop_assert_eq!(distinct.len() as u64, machines);
        }
    }
}

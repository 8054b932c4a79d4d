//! Samples of the machines of a space.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::hw::Axes;

/// Machines that stand for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// How many are drawn.
    pub machines: u64,
    /// Seed of the draw.
    pub seed: u64,
}

impl Sample {
    /// A Latin hypercube of the machines of `axes`: along each axis, every level stands for its share of the machines, up to
    /// one. Machines that are drawn twice count once; in the order of their numbers.
    pub fn of(self, axes: &Axes) -> Vec<u64> {
        let Self { machines, seed } = self;
        if axes.count() <= u128::from(machines) {
            return (0..axes.count() as u64).collect();
        }
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let counts = axes.counts();
        let strata: Vec<Vec<u64>> = counts.iter().map(|_| shuffled(machines, &mut dice)).collect();
        // The middle of a stratum says which level it lies in.
        let level = |stratum: u64, levels: usize| {
            (u128::from(2 * stratum + 1) * levels as u128 / u128::from(2 * machines)) as usize
        };
        let number = |i: usize| {
            axes.number(strata.iter().zip(counts).map(|(strata, &levels)| level(strata[i], levels)))
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
    fn a_sample_of_all_is_all() {
        let all = Sample { machines: 6, seed: 1 }.of(&Axes::new(vec![3, 2]));
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);
    }

    proptest! {
        /// Along each axis, a level has its share of what is drawn, up to one.
        #[test]
        fn strata_are_even(machines in 1u64..40, seed in any::<u64>()) {
            let axes = Axes::new(vec![7, 5, 1000]);
            let numbers = Sample { machines, seed }.of(&axes);
            prop_assert_eq!(&numbers, &Sample { machines, seed }.of(&axes));
            prop_assert!(numbers.is_sorted());
            // 1000 levels of one axis: hardly two are the same machine, which would count once.
            prop_assume!(numbers.len() as u64 == machines);
            for (axis, &levels) in axes.counts().iter().enumerate() {
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

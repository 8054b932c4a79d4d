//! An integer neuron fires exactly as the one of rational numbers does, and keeps the floor of what that
//! keeps.

use num_rational::Ratio;
use spiq::exec::{LeakyNeurons, NeuronLayer};
use spiq::quant::MembraneWord;

use super::support::*;

type Rational = Ratio<i128>;

/// Spikes and membranes of a neuron of rationals: g = V + X, fires iff g >= threshold, V = g' / divisor.
fn rational(currents: &[i64], threshold: i64, divisor: i128, subtract: bool) -> Vec<(bool, Rational)> {
    let threshold = Rational::from_integer(threshold.into());
    let mut v = Rational::from_integer(0);
    let step = |&x: &i64| {
        let g = v + Rational::from_integer(x.into());
        let fires = g >= threshold;
        let left = match (fires, subtract) {
            (false, _) => g,
            (true, false) => Rational::from_integer(0),
            (true, true) => g - threshold,
        };
        v = left / Rational::from_integer(divisor);
        (fires, v)
    };
    currents.iter().map(step).collect()
}

/// The same of the scalar specification.
fn integers(currents: &[i64], threshold: i64, divisor: i128, subtract: bool) -> Vec<(bool, i64)> {
    let membrane = Some(MembraneWord { bits: 32, discards: vec![0] });
    let keep = Keep::nearest(1.0 / divisor as f64);
    let op = QuantizedNeuron { thresholds: vec![threshold], keep, subtract, strict: false, membrane };
    let mut layer = LeakyNeurons::<i64>::new(&op, 1, 1);
    let step = |&x: &i64| {
        let mut spike = [0];
        layer.step(&[x], &mut spike);
        (spike[0] == 1, layer.membranes()[0])
    };
    currents.iter().map(step).collect()
}

/// Currents around the threshold, so that neurons fire now and then; a tau of d / (d - 1) divides by d.
fn any_case() -> impl Strategy<Value = (Vec<i64>, i64, i128, bool)> {
    let currents = proptest::collection::vec(-300i64..600, 1..=24);
    (currents, 1i64..700, 1i128..=16, any::<bool>())
}

#[test]
fn the_spikes_are_those_of_rational_numbers() {
    let fired = std::cell::Cell::new((0, 0));
    repeat(4000, any_case(), |(currents, threshold, divisor, subtract)| {
        let exact = rational(&currents, threshold, divisor, subtract);
        let found = integers(&currents, threshold, divisor, subtract);
        for ((exact_fires, exact_v), (fires, v)) in exact.iter().zip(&found) {
            prop_assert_eq!(exact_fires, fires);
            prop_assert_eq!(exact_v.floor().to_integer(), i128::from(*v));
        }
        let (all, ones) = fired.get();
        fired.set((all + found.len(), ones + found.iter().filter(|(fires, _)| *fires).count()));
        Ok(())
    });
    let (all, ones) = fired.get();
    println!("{all} timesteps, {ones} spikes");
    assert!(ones > all / 10 && ones < all - all / 10);
}

/// What the theorem needs: neither `>` nor another threshold nor another divisor fires like this.
#[test]
fn no_neighbour_is_exact() {
    let mut dice = Dice::new(12);
    let cases: Vec<(Vec<i64>, i64)> =
        (0..500).map(|_| ((0..16).map(|_| dice.int(-30, 60)).collect(), dice.int(1, 60))).collect();
    let differ = |threshold: i64, divisor: i128| {
        let different = cases.iter().filter(|(currents, th)| {
            let exact = rational(currents, *th, 2, false);
            let found = integers(currents, th + threshold, 2 + divisor, false);
            exact.iter().zip(&found).any(|((exact, _), (found, _))| exact != found)
        });
        different.count()
    };
    assert_eq!(differ(0, 0), 0);
    assert!(differ(1, 0) > 0 && differ(-1, 0) > 0 && differ(0, 1) > 0);
}

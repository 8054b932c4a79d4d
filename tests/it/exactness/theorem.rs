//! An integer neuron fires exactly as the one of rational numbers does, and keeps the floor of what that
//! keeps.

use num_rational::Ratio;
use spiq::exec::{LeakyNeurons, NeuronLayer};
use spiq::quant::MembraneWord;

use super::support::*;

type Rational = Ratio<i128>;

/// What a spike leaves.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Leaves {
    Nothing,
    Rest,
    /// Everything, from which the threshold is missing behind the leak.
    RestLater,
}

/// Spikes and membranes of a neuron of rationals: g = V + X, fires iff g >= threshold, V = g' / divisor.
fn rational(currents: &[i64], threshold: i64, divisor: i128, leaves: Leaves) -> Vec<(bool, Rational)> {
    let threshold = Rational::from_integer(threshold.into());
    let mut v = Rational::from_integer(0);
    let step = |&x: &i64| {
        let g = v + Rational::from_integer(x.into());
        let fires = g >= threshold;
        let divisor = Rational::from_integer(divisor);
        v = match leaves {
            _ if !fires => g / divisor,
            Leaves::Nothing => Rational::from_integer(0),
            Leaves::Rest => (g - threshold) / divisor,
            Leaves::RestLater => g / divisor - threshold,
        };
        (fires, v)
    };
    currents.iter().map(step).collect()
}

/// Spikes and membranes of that neuron in the scalar specification.
fn integers(currents: &[i64], threshold: i64, divisor: i128, leaves: Leaves) -> Vec<(bool, i64)> {
    let membrane = Some(MembraneWord { bits: 32, discards: vec![0] });
    let keeps = vec![Keep::nearest(1.0 / divisor as f64)];
    let reset = match leaves {
        Leaves::Nothing => QuantizedReset::Zero,
        Leaves::Rest => QuantizedReset::Subtract,
        Leaves::RestLater => QuantizedReset::SubtractDelayed,
    };
    let op = QuantizedNeuron {
        thresholds: vec![threshold],
        keeps,
        gains: vec![1.0],
        reset,
        strict: false,
        membrane,
    };
    let mut layer = LeakyNeurons::<i64>::new(&op, 1, 1);
    let step = |&x: &i64| {
        let mut spike = [0];
        layer.step(&[x], &mut spike);
        (spike[0] == 1, layer.membranes()[0])
    };
    currents.iter().map(step).collect()
}

/// Currents around the threshold, so that neurons fire now and then; a tau of d / (d - 1) divides by d.
fn any_case() -> impl Strategy<Value = (Vec<i64>, i64, i128, Leaves)> {
    let currents = proptest::collection::vec(-300i64..600, 1..=24);
    let leaves = prop_oneof![Just(Leaves::Nothing), Just(Leaves::Rest), Just(Leaves::RestLater)];
    (currents, 1i64..700, 1i128..=16, leaves)
}

#[test]
fn the_spikes_are_those_of_rational_numbers() {
    let fired = std::cell::Cell::new((0, 0));
    repeat(4000, any_case(), |(currents, threshold, divisor, leaves)| {
        let exact = rational(&currents, threshold, divisor, leaves);
        let found = integers(&currents, threshold, divisor, leaves);
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
            let exact = rational(currents, *th, 2, Leaves::Nothing);
            let found = integers(currents, th + threshold, 2 + divisor, Leaves::Nothing);
            exact.iter().zip(&found).any(|((exact, _), (found, _))| exact != found)
        });
        different.count()
    };
    assert_eq!(differ(0, 0), 0);
    assert!(differ(1, 0) > 0 && differ(-1, 0) > 0 && differ(0, 1) > 0);
}

/// A threshold that is subtracted behind the leak is one of d thresholds before it.
#[test]
fn subtracting_later_is_subtracting_more() {
    let mut dice = Dice::new(13);
    let mut fired = 0;
    for _ in 0..500 {
        let currents: Vec<i64> = (0..24).map(|_| dice.int(-300, 900)).collect();
        let (threshold, divisor) = (dice.int(1, 500), dice.pick(&[1, 2, 3, 4, 5, 8]));
        let later = integers(&currents, threshold, divisor, Leaves::RestLater);
        let op = QuantizedNeuron {
            thresholds: vec![threshold],
            keeps: vec![Keep::nearest(1.0 / divisor as f64)],
            gains: vec![1.0],
            reset: QuantizedReset::SubtractAmount { amounts: vec![threshold * divisor as i64] },
            strict: false,
            membrane: Some(MembraneWord { bits: 32, discards: vec![0] }),
        };
        let mut layer = LeakyNeurons::<i64>::new(&op, 1, 1);
        for (x, (fires, v)) in currents.into_iter().zip(later) {
            let mut spike = [0];
            layer.step(&[x], &mut spike);
            assert_eq!((spike[0] == 1, layer.membranes()[0]), (fires, v), "{threshold} {divisor}");
            fired += spike[0];
        }
    }
    assert!(fired > 1000, "{fired}");
}

/// A neuron of any leak, reset and word, with a threshold within reach of inputs up to `largest`.
fn any_integers(dice: &mut Dice, largest: i64) -> QuantizedNeuron {
    let threshold = dice.int(1, 3 * largest);
    let reset = match dice.int(0, 3) {
        0 => QuantizedReset::Zero,
        1 => QuantizedReset::Subtract,
        2 => QuantizedReset::SubtractDelayed,
        _ => QuantizedReset::SubtractAmount { amounts: vec![dice.int(0, 4 * largest)] },
    };
    let keeps = vec![Keep::nearest(dice.pick(&[0.0, 0.1, 0.25, 1.0 / 3.0, 0.5, 0.75, 0.9, 0.99, 1.0]))];
    let membrane = Some(MembraneWord { bits: dice.int(2, 20) as u32, discards: Vec::new() });
    let strict = dice.int(0, 1) == 1;
    let op = QuantizedNeuron { thresholds: Vec::new(), keeps, gains: vec![1.0], reset, strict, membrane };
    op.with_thresholds(vec![threshold])
}

/// Inputs of the largest magnitude, of either sign, first to fire and then to fall as low as spikes and leaks allow.
#[test]
fn no_potential_exceeds_its_bound() {
    let mut dice = Dice::new(14);
    let mut beyond_inputs = 0;
    for _ in 0..20_000 {
        let (largest, timesteps) = (dice.int(1, 400), dice.int(1, 12) as usize);
        let op = any_integers(&mut dice, largest);
        let bound = op.potential_bound(largest, timesteps);
        let mut layer = LeakyNeurons::<i64>::new(&op, 1, 1);
        let turn = dice.int(0, timesteps as i64) as usize;
        for t in 0..timesteps {
            let x = if t < turn { largest } else { -largest };
            let g = layer.membranes()[0] + x;
            layer.step(&[x], &mut [0]);
            let v = layer.membranes()[0];
            assert!(g.abs() <= bound && v.abs() <= bound, "{op:?} {largest} {t}: {g} and {v} exceed {bound}");
            beyond_inputs += usize::from(g < -largest * op.keeps[0].reach(timesteps));
        }
    }
    println!("{beyond_inputs} potentials below what inputs alone reach");
    assert!(beyond_inputs > 500, "{beyond_inputs}");
}

//! The neuron is the one of infinite precision.

use super::support::*;

/// How an inexact membrane would halve.
#[derive(Debug, Clone, Copy)]
enum Halving {
    Floor,
    TowardZero,
    HalfUp,
    HalfEven,
}

impl Halving {
    fn of(self, g: i64) -> i64 {
        let floor = g.div_euclid(2);
        match self {
            Self::Floor => floor,
            Self::TowardZero => g / 2,
            Self::HalfUp => (g + 1).div_euclid(2),
            Self::HalfEven => floor + i64::from(g.rem_euclid(2) == 1 && floor.rem_euclid(2) == 1),
        }
    }
}

/// Fires where (V + X)/2 >= threshold/2, everything scaled so that no halving is ever rounded.
fn exact_train(currents: &[i64], threshold: i64) -> Vec<i64> {
    let scale = 1i128 << currents.len();
    let mut v = 0i128;
    let mut step = |&x: &i64| {
        let potential = v + i128::from(x) * scale;
        let fires = potential >= i128::from(threshold) * scale;
        assert!(potential % 2 == 0, "the scale leaves room for every halving");
        v = if fires { 0 } else { potential / 2 };
        i64::from(fires)
    };
    currents.iter().map(&mut step).collect()
}

/// Spikes of the neuron of [`exact_train`] with an integer membrane.
fn rounded_train(currents: &[i64], threshold: i64, halving: Halving) -> Vec<i64> {
    let mut v = 0;
    let mut step = |&x: &i64| {
        let fires = v + x >= threshold;
        v = if fires { 0 } else { halving.of(v + x) };
        i64::from(fires)
    };
    currents.iter().map(&mut step).collect()
}

/// Random spikes drive random integer weights into a neuron; X has steps of 1.
fn lif_network(timesteps: usize, threshold: f64) -> Network {
    let (mut net, image) = NetworkBuilder::new(Shape::new(6, 5, 5), true, timesteps);
    let gate = net.conv("gate", image, Conv::new(6, 1).groups(6).bias()).unwrap();
    let gates = net.neuron("gate_lif", gate, Neuron::lif(24.0)).unwrap();
    let x = net.conv("x", gates, Conv::new(8, 1).bias()).unwrap();
    let spikes = net.neuron("lif", x, Neuron::lif(threshold)).unwrap();
    let end = net.conv("end", spikes, Conv::new(1, 1)).unwrap();
    finish(net, end)
}

/// Currents and spike trains of all neurons of such a network. Its threshold on V + X is
/// `quarters`/4 steps, and an integer V + X reaches that where it reaches the next integer.
fn lif_trains(seed: u64, timesteps: usize, quarters: i64) -> Vec<(Vec<i64>, Vec<i64>)> {
    let network = lif_network(timesteps, quarters as f64 / 8.0);
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
    let values = tensors(&network, |p| match p.name.as_str() {
        "gate.bias" => (0..p.len()).map(|_| dice.int(-10, 40) as f32).collect(),
        "x.bias" => (0..p.len()).map(|_| dice.int(-60, 90) as f32).collect(),
        _ => integer_weights(&mut dice, p.len()),
    });
    let model = model(network, &[0.0; 6], &values);
    let setting = setting(INTEGERS, 32, 16, "(\"x\", Layer(fraction_bits: 0))");
    let quantized = quantize(&model, &setting, &Calibration::new(model.network.nodes.len())).unwrap();
    assert_eq!(neuron_of(&quantized, "lif").thresholds, [rounded_up(quarters); 8]);
    let run = run::<i32>(&quantized, &dice.image(&model.network));
    let (x, s) = (&run.values[find(&model.network, "x")], &run.values[find(&model.network, "lif")]);
    let over_time = |f: &Frames<i64>, i: usize| (0..timesteps).map(|t| f.at(t)[i]).collect();
    (0..x.shape.values()).map(|i| (over_time(x, i), over_time(s, i))).collect()
}

fn rounded_up(quarters: i64) -> i64 {
    (quarters + 3).div_euclid(4)
}

#[test]
fn the_neuron_is_that_of_infinite_precision() {
    let count = std::cell::Cell::new((0, 0, 0));
    repeat(500, (any::<u64>(), 1usize..=12, 1i64..=1600), |(seed, timesteps, quarters)| {
        for (currents, spikes) in lif_trains(seed, timesteps, quarters) {
            let exact = exact_train(&currents, rounded_up(quarters));
            prop_assert_eq!(&spikes, &exact, "{:?} at {}/4", currents, quarters);
            prop_assert_eq!(spikes[0] == 1, 4 * currents[0] >= quarters);
            let (trains, all, fired) = count.get();
            count.set((trains + 1, all + spikes.len(), fired + spikes.iter().sum::<i64>()));
        }
        Ok(())
    });
    let (trains, spikes, fired) = count.get();
    println!("{trains} trains of {spikes} spikes, {fired} of them fired");
    assert!(spikes > 500_000 && fired > spikes as i64 / 20);
}

/// The comparison above has teeth: on inputs like those that it sees, every other rounding of
/// the membrane yields other trains.
#[test]
fn no_other_rounding_is_exact() {
    let mut dice = Dice::new(3);
    let mut trains = Vec::new();
    for _ in 0..100 {
        let (timesteps, quarters) = (dice.int(1, 12) as usize, dice.int(1, 1600));
        let some = lif_trains(dice.0.next_u64(), timesteps, quarters);
        trains.extend(some.into_iter().map(|(currents, _)| (currents, rounded_up(quarters))));
    }
    for halving in [Halving::TowardZero, Halving::HalfUp, Halving::HalfEven, Halving::Floor] {
        let differs = |(x, threshold): &&(Vec<i64>, i64)| {
            exact_train(x, *threshold) != rounded_train(x, *threshold, halving)
        };
        let different: Vec<_> = trains.iter().filter(differs).collect();
        println!(
            "{halving:?}: {} of {} differ, such as {:?}",
            different.len(),
            trains.len(),
            different.first()
        );
        assert_eq!(different.is_empty(), matches!(halving, Halving::Floor));
    }
    // By hand: V = floor(-1/2) = -1, toward zero 0; the exact -1/4 + 4 is short of 4.
    assert_eq!(exact_train(&[-1, 0, 4], 4), [0, 0, 0]);
    assert_eq!(rounded_train(&[-1, 0, 4], 4, Halving::Floor), [0, 0, 0]);
    assert_eq!(rounded_train(&[-1, 0, 4], 4, Halving::TowardZero), [0, 0, 1]);
}

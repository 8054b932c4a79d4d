//! Recorded values are counted as the executors count them.

use spiq::exec::{Activity, Backend, IntegerExecutor, Pattern, PatternCount, SpikeRecording};
use spiq::load;
use spiq::model::DataSet;

use spiq::npy::{self, preamble};

use super::support::*;
use super::zoo::{any_scheme, any_setting, zoo_model};
use crate::bad_input::support::{npy as array, npz};
use crate::recorded::{by_neurons, by_readers, recording};

const PATTERNS: [Pattern; 3] = [
    Pattern::Windows { positions: 3, timesteps: 2 },
    Pattern::Products { rows: 16, columns: 7 },
    Pattern::Windows { positions: 1, timesteps: 1 },
];

fn load_bytes(bytes: &[u8], network: &Network) -> SpikeRecording {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spikes.npz");
    std::fs::write(&path, bytes).unwrap();
    SpikeRecording::load(path.to_str().unwrap(), network, &PATTERNS).unwrap()
}

/// What `executed` counts, without what spikes do not say: values that were clamped, and the outputs of poolings of
/// pre-activations and of the residual stream.
fn of_spikes(network: &Network, mut executed: Activity) -> Activity {
    for (node, counted) in network.nodes.iter().zip(&mut executed.nodes) {
        for step in &mut counted.steps {
            step.saturations = 0;
            if node.kind.largest_count().is_none() {
                step.output_events = 0;
            }
        }
    }
    executed
}

/// Runs `images`, and compares what is counted of them with what is counted of both kinds of recordings of them.
fn assert_recorded(quantized: &QuantizedModel, images: &[Sample]) {
    let network = quantized.network();
    let runs: Vec<Run> = images.iter().map(|image| run::<i64>(quantized, image)).collect();
    let executor = IntegerExecutor::new(quantized, Backend::default());
    let counted = |image| of_spikes(network, executor.run_with(image, &PATTERNS).activity);
    let executed: Vec<Activity> = images.iter().map(counted).collect();
    let values: Vec<_> = runs.into_iter().map(|run| run.values).collect();
    for names in [by_readers(network), by_neurons(network)] {
        let recording = load_bytes(&recording(&names, &values), network);
        let found = recording.activity(&PATTERNS).unwrap();
        assert_eq!(found.len(), executed.len());
        for (found, executed) in found.iter().zip(&executed) {
            for ((node, found), executed) in network.nodes.iter().zip(&found.nodes).zip(&executed.nodes) {
                assert_eq!(found, executed, "{}: {names:?}", node.name);
            }
            assert_eq!(found, executed);
        }
    }
}

#[test]
fn random_networks_of_every_operation() {
    let mut dice = Dice::new(83);
    for images in [1, 2, 1, 3, 1, 1, 2, 1, 1, 1, 1, 1] {
        let timesteps = dice.int(1, 5) as usize;
        let (model, _, calibrated) = zoo_model(&mut dice, timesteps, false);
        let scheme = any_scheme(&mut dice);
        let setting = any_setting(&mut dice, &model.network, &scheme, 12, 12);
        let quantized = quantize(&model, &setting, &calibrate(&model, &calibrated)).unwrap();
        let images: Vec<Sample> = (0..images).map(|_| dice.image(&model.network)).collect();
        assert_recorded(&quantized, &images);
    }
}

#[test]
fn networks_of_every_family() {
    for name in ["v1_events", "v2", "v3", "qk_former"] {
        let path = format!("{}/tests/data/families/{name}.ron", env!("CARGO_MANIFEST_DIR"));
        let model = load::model(&path).unwrap();
        let image = DataSet::load_for("noise", &model.description).unwrap().test.sample(0).unwrap();
        let scheme = "Uniform(bits: 4, scale: Free, granularity: Channel, clip: Max)";
        let calibration = calibrate(&model, std::slice::from_ref(&image));
        let quantized = quantize(&model, &setting(scheme, 16, 16, ""), &calibration).unwrap();
        assert_recorded(&quantized, &[image]);
    }
}

/// Two channels at three positions in a row, two timesteps, from a layer of weights to one of neurons and on.
fn small() -> Network {
    let (mut net, events) = NetworkBuilder::new(Shape::new(2, 1, 3), false, 2);
    let conv = |channels| Conv::new(channels, 3).pad(1);
    let x = net.conv("a", events, conv(2)).unwrap();
    let x = net.neuron("a_lif", x, Neuron::lif(1.0)).unwrap();
    let x = net.conv("b", x, conv(4)).unwrap();
    let x = net.neuron("b_lif", x, Neuron::lif(1.0)).unwrap();
    let x = net.mean_tokens("mean", x).unwrap();
    let x = net.mean_timesteps("mean_time", x).unwrap();
    net.conv("head", x, Conv::linear(10)).unwrap();
    net.finish(Vec::new()).unwrap()
}

/// An array of bytes, in the order of the file.
fn bytes(shape: &[usize], values: &[u8]) -> Vec<u8> {
    [&preamble(npy::Kind::Unsigned(1), shape), values].concat()
}

fn floats(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let data = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    [preamble(npy::Kind::Float, shape), data].concat()
}

#[test]
fn a_small_network_by_hand() {
    let network = small();
    let events = [3, 0, 0, 0, 1, 0, /* t = 1 */ 0, 0, 0, 0, 0, 0];
    // At t = 0 the positions hold 2, 0 and 1 spikes, at t = 1 they hold 1, 0 and 1.
    let spikes = [1, 0, 0, 1, 0, 1, /* t = 1 */ 1, 0, 1, 0, 0, 0];
    let mut last = [0; 24];
    // The third channel fires at t = 0 at two positions, and nothing else does.
    last[6..8].fill(1);
    let [a, b] = [events, spikes].map(|values| bytes(&[2, 2, 1, 3], &values));
    let last = bytes(&[2, 4, 1, 3], &last);
    let recording = load_bytes(&npz(&[("a.npy", &a), ("b.npy", &b), ("b_lif.npy", &last)]), &network);
    let [activity] = recording.activity(&PATTERNS[..1]).unwrap() else { panic!("one image") };
    let steps = |name: &str| &activity.nodes[find(&network, name)].steps;
    // Counts of events are multiplied: one at the edge, which two positions see, and one in the middle, which all do.
    let [first, second] = steps("a")[..] else { panic!("two timesteps") };
    assert_eq!((first.input_events, first.gathered_events, first.multiplications), (2, 5, 10));
    assert_eq!((first.accumulations, second), (0, StepActivity::default()));
    // The neurons between fire as what is behind them reads.
    let fired: Vec<_> = steps("a_lif").iter().map(|step| (step.output_events, step.neuron_updates)).collect();
    assert_eq!(fired, [(3, 6), (2, 6)]);
    // At t = 0 the positions see 2, 3 and 1 spikes, at t = 1 they see 1, 2 and 1; each meets 4 weights.
    let [first, second] = steps("b")[..] else { panic!("two timesteps") };
    assert_eq!((first.input_events, first.gathered_events, first.accumulations), (3, 6, 24));
    assert_eq!((second.input_events, second.gathered_events, second.accumulations), (2, 4, 16));
    assert_eq!((&first.wave_peaks[..3], &second.wave_peaks[..3]), (&[6, 4, 3][..], &[4, 3, 2][..]));
    // All positions and both timesteps at once see, of the middle and the left tap, both channels; of the right one
    // the second at t = 0 and the first at t = 1.
    let windows = activity.pattern(PATTERNS[0], NodeId(find(&network, "b") as u32)).unwrap();
    assert_eq!(windows, PatternCount { steps: 6, ..PatternCount::default() });
    // One channel of the mean is not zero, and is read once.
    let [head] = steps("head")[..] else { panic!("one frame") };
    assert_eq!((head.input_events, head.multiplications), (1, 10));
}

/// Where all timesteps are alike they may be there once, and numbers may have any type; what is counted is alike.
#[test]
fn forms_of_one_recording() {
    let (mut net, image) = NetworkBuilder::new(Shape::new(1, 1, 2), true, 3);
    let x = net.conv("a", image, Conv::new(2, 1)).unwrap();
    let x = net.neuron("lif", x, Neuron::lif(1.0)).unwrap();
    let x = net.mean_tokens("mean", x).unwrap();
    let x = net.mean_timesteps("mean_time", x).unwrap();
    net.conv("head", x, Conv::linear(10)).unwrap();
    let network = net.finish(Vec::new()).unwrap();
    let (image, spikes) = ([-0.7, 0.0], [1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]);
    let (once, booleans) = (floats(&[1, 1, 1, 2], &image), array("|b1", "(3, 2, 1, 2)", &spikes));
    let repeated = floats(&[3, 1, 1, 1, 2], &image.repeat(3));
    let real = floats(&[3, 1, 2, 1, 2], &spikes.map(f32::from));
    let mean = floats(&[1, 2, 1, 1], &[1.0 / 3.0, 1.0 / 6.0]);
    let once = npz(&[("a.npy", &once), ("lif.npy", &booleans)]);
    let repeated = npz(&[("input.npy", &repeated), ("lif.npy", &real), ("head.npy", &mean)]);
    let [once, repeated] = [once, repeated].map(|bytes| load_bytes(&bytes, &network));
    assert_eq!(once.activity(&PATTERNS).unwrap(), repeated.activity(&PATTERNS).unwrap());
    let events = once.activity(&[]).unwrap()[0].nodes.iter().map(|node| node.total().input_events);
    assert_eq!(events.filter(|&events| events > 0).collect::<Vec<_>>(), [1, 2]);
    // A machine may ask for no pattern that was not counted.
    let other = Pattern::Windows { positions: 5, timesteps: 1 };
    assert!(once.activity(&[other]).unwrap_err().to_string().contains("positions: 5"));
}

/// Images in a row are cut where the network starts anew, and each counts what it counts alone.
#[test]
fn images_in_a_row_are_images() {
    let network = small();
    let mut dice = Dice::new(5);
    let mut spikes = |images: usize, channels: usize| -> Vec<u8> {
        (0..images * 2 * channels * 3).map(|_| dice.int(0, 1) as u8).collect()
    };
    let layers = [("a.npy", 2, spikes(3, 2)), ("b.npy", 2, spikes(3, 2)), ("b_lif.npy", 4, spikes(3, 4))];
    let load = |arrays: &[Vec<u8>]| {
        let files: Vec<(&str, &[u8])> =
            layers.iter().map(|(name, ..)| *name).zip(arrays.iter().map(|a| &a[..])).collect();
        load_bytes(&npz(&files), &network).activity(&PATTERNS).unwrap().to_vec()
    };
    let alone = |image: usize| {
        load(&layers.each_ref().map(|(_, channels, row)| {
            let values = 2 * channels * 3;
            bytes(&[2, *channels, 1, 3], &row[image * values..][..values])
        }))
    };
    // .reshape(3, 2, C, 1, 3).swapaxes(0, 1)
    let together = load(&layers.each_ref().map(|(_, channels, row)| {
        let frame = channels * 3;
        let swapped =
            (0..2).flat_map(|t| (0..3).flat_map(move |image| &row[(image * 2 + t) * frame..][..frame]));
        bytes(&[2, 3, *channels, 1, 3], &swapped.copied().collect::<Vec<_>>())
    }));
    let apart: Vec<Activity> = (0..3).flat_map(alone).collect();
    assert_eq!(together, apart);
    assert!(apart[0] != apart[1]);
}

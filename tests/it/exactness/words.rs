//! Words of 32 and 64 bits, at their ends.

use super::by_hand::*;
use super::support::*;

/// One pixel of 0 drives two channels by their biases alone. Channel 1 has the weight `fine`, and
/// with it a step that is as much finer than that of channel 0.
fn two_channels(
    neuron: Neuron,
    timesteps: usize,
    membrane_bits: u32,
    fine: f32,
    bias: [f32; 2],
) -> QuantizedModel {
    let (mut net, image) = NetworkBuilder::new(Shape::new(1, 1, 1), true, timesteps);
    let x = net.conv("x", image, Conv::new(2, 1).bias()).unwrap();
    let spikes = net.neuron("lif", x, neuron).unwrap();
    let end = net.conv("end", spikes, Conv::new(1, 1)).unwrap();
    let network = finish(net, end);
    let scheme = "Uniform(bits: 8, scale: Free, granularity: Channel, clip: Max)";
    let setting = setting(scheme, membrane_bits, 16, "(\"x\", Layer(fraction_bits: 0))");
    with_parameters(network, 0.0, &setting, &[], |p| match p.name.as_str() {
        "x.weight" => vec![1.0, fine],
        "x.bias" => bias.to_vec(),
        _ => vec![1.0; p.len()],
    })
}

/// Spikes of both channels over time, in words of 64 bits, and of 32 where they suffice.
fn trains_of(quantized: &QuantizedModel) -> [Vec<i64>; 2] {
    let wide = run::<i64>(quantized, &image_of(quantized, &[0]));
    if quantized.fits_32_bits() {
        assert!(wide == run::<i32>(quantized, &image_of(quantized, &[0])), "32 bits do not suffice");
    }
    let spikes = &wide.values[find(quantized.network(), "lif")];
    [0, 1].map(|c| (0..quantized.network().timesteps).map(|t| spikes.at(t)[c]).collect())
}

#[test]
fn a_threshold_beyond_two_to_the_thirty_is_not_lowered() {
    // 0.9 under a threshold of 1 never fires, however fine its steps.
    for fine in [1e-3, 1e-4, 3e-5, 2.5e-5, 1e-5, 1e-6, 1e-8] {
        let quantized = two_channels(Neuron::lif(1.0), 4, 32, fine, [0.9, 0.9]);
        let [coarse, fine_train] = trains_of(&quantized);
        let (threshold, fits) = (neuron_of(&quantized, "lif").thresholds[1], quantized.fits_32_bits());
        println!("fine {fine}: threshold {threshold}, fits 32 bits: {fits}");
        assert_eq!((coarse, fine_train), (vec![0; 4], vec![0; 4]), "fine {fine}, threshold {threshold}");
    }
}

#[test]
fn a_nearly_dead_channel_leaves_the_others_alone() {
    // 1.4 fires at every second step: H = 0.7, then 1.05. Its channel has 65,000 steps to the
    // threshold, which 20 bits keep whole; the other channel has many more, and is silent.
    for (fine, bias) in
        [(1.0, 0.9), (1e-2, 0.9), (1e-4, 0.9), (1e-6, 0.9), (1e-8, -0.9), (1e-9, 0.0), (1e-15, 0.0)]
    {
        let quantized = two_channels(Neuron::lif(1.0), 4, 20, fine, [1.4, bias]);
        println!(
            "fine {fine}: {:?}, fits 32 bits: {}",
            neuron_of(&quantized, "lif"),
            quantized.fits_32_bits()
        );
        assert_eq!(trains_of(&quantized), [vec![0, 1, 0, 1], vec![0; 4]], "fine {fine}");
    }
}

#[test]
fn integrators_use_the_same_membrane_in_both_words() {
    // Without a leak, -0.9 adds up: below -2^30 steps, where a word of 32 bits ends for V + X.
    for (fine, bits) in [(1e-3, 32), (5e-4, 32), (5e-4, 20), (5e-4, 4), (2.5e-5, 32), (2e-5, 30), (2e-5, 16)]
    {
        for (leak, reset) in [(Leak::None, Reset::Zero), (Leak::Shift(0), Reset::Subtract)] {
            let neuron = Neuron { leak, reset, ..Neuron::lif(1.0) };
            for bias in [[-0.45, -0.45], [0.45, 0.45], [-0.9, 0.9]] {
                let quantized = two_channels(neuron, 8, bits, fine, bias);
                println!("fine {fine}, {bits} bits: fits 32 bits: {}", quantized.fits_32_bits());
                trains_of(&quantized);
            }
        }
    }
}

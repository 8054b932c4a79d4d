//! The bundled network's workload and costs, by hand.

use spiq::cost::{KnownPlans, Machine, MappedWorkload, footprint_bytes};
use spiq::exec::{FloatExecutor, ScalarExecutor};
use spiq::hw::{Hardware, Operand};
use spiq::load;
use spiq::map::{Input, Product, Workload};
use spiq::model::DataSet;
use spiq::quant::{Calibration, Precision, Setting, quantize};

use super::close;

/// Layers of the bundled network with weights: name, M, K, N.
const BUNDLED: [(&str, usize, usize, usize); 8] = [
    ("patch_embed.proj_conv", 784, 9, 8),
    ("patch_embed.proj_conv1", 784, 72, 16),
    ("patch_embed.proj_conv3", 196, 288, 64),
    ("patch_embed.rpe_conv", 49, 576, 64),
    ("block.0.attn.q_conv", 49, 64, 64),
    ("block.1.mlp.fc1_conv", 49, 64, 256),
    ("block.1.mlp.fc2_conv", 49, 256, 64),
    ("head", 1, 64, 10),
];

fn bundled(setting: &str) -> Workload {
    let model = load::model("sdtv1_2-64_fashion").unwrap();
    let Precision::Fixed(setting) = Setting::load(setting).unwrap().precision else { unreachable!() };
    let calibration = Calibration {
        magnitude: vec![4.0; model.network.nodes.len()],
        ..Calibration::new(model.network.nodes.len())
    };
    Workload::quantized(&quantize(&model, &setting, &calibration).unwrap())
}

#[test]
fn the_bundled_network_by_hand() {
    let (w8, w4) = (bundled("w8"), bundled("w4"));
    // 72 + 1152 + 4608 + 18432 in the stem, 36864 of the positions, two blocks of 49152, 640.
    let weights = 61_128.0 + 2.0 * 49_152.0 + 640.0;
    assert_eq!((w8.weights(), w8.weight_bits(), w4.weight_bits()), (weights, 8.0 * weights, 4.0 * weights));
    for (name, m, k, n) in BUNDLED {
        let product = w4.layers.iter().find(|l| l.name == name).and_then(|l| l.product.as_ref()).unwrap();
        assert_eq!(
            (product.positions, product.fan_in, product.outputs, product.groups),
            (m, k, n, 1),
            "{name}"
        );
        let first = name == "patch_embed.proj_conv";
        assert_eq!(
            (product.is_constant(), product.from_outside, product.weight.code_bits),
            (first, first, 4),
            "{name}"
        );
        assert_eq!(product.input, if first { Input::Integers { bits: 9 } } else { Input::Spikes });
    }
    let dense: f64 = w8.layers.iter().filter_map(|l| l.product.as_ref()).map(Product::dense_operations).sum();
    let positions =
        784.0 * (72.0 + 1152.0 + 4608.0) + 196.0 * 18_432.0 + 49.0 * (36_864.0 + 98_304.0) + 640.0;
    assert_eq!(dense, positions);

    let bytes = footprint_bytes(&w8);
    assert_eq!((bytes.weights, footprint_bytes(&w4).weights), (weights, weights / 2.0));
    // Neurons: 784 x (8 + 16 + 32) and 49 x 64 in the stem; per block five of 49 x 64 and one of
    // 49 x 256, the one of the attention keeps nothing; 64 in the head. 16 bits each.
    let neurons = 784.0 * 56.0 + 3136.0 + 2.0 * (5.0 * 3136.0 + 12_544.0) + 64.0;
    assert_eq!((bytes.membrane, footprint_bytes(&bundled("w4u8")).membrane), (neurons * 2.0, neurons));
    // One stream of 49 x 64 values of 16 bits, which joins overwrite.
    assert_eq!(bytes.residual, 3136.0 * 2.0);
    // Bias and threshold, 32 bits each, and 22 bits of requantizer where a layer joins the stream:
    // 64 bits for 8 + 16 + 32 channels, 86 for 2 x 64; per block 64 for 3 x 64 and 256 channels, 86
    // for 2 x 64; 32 for the head's 10. Spikes: the stem's second stage reads 8 x 784 and writes
    // 16 x 784; its third reads 16 x 784 and writes 32 x 196, pooled on the fly.
    let parameters = 64.0 * 56.0 + 86.0 * 128.0 + 2.0 * (64.0 * 448.0 + 86.0 * 128.0) + 320.0;
    assert_eq!((bytes.parameters, bytes.activations), (parameters / 8.0, 24.0 * 784.0 / 8.0));
    assert_eq!(bytes.model(), weights + parameters / 8.0);
}

/// Neurons, joins and the attention of the bundled network on `edge-28`: what is not fused away is
/// paid once.
#[test]
fn the_last_stream_is_not_stored() {
    let (workload, spec) = (bundled("w4"), Hardware::load("edge-28").unwrap().0);
    let machine = Machine::new(spec).unwrap();
    let data = DataSet::load("fashion-mnist").unwrap();
    let model = load::model("sdtv1_2-64_fashion").unwrap();
    let float = FloatExecutor::new(&model);
    let activity = float.run(&data.validation.sample(0).unwrap()).activity;
    let mapped = MappedWorkload::best(workload, &machine, std::slice::from_ref(&activity)).unwrap();
    let costs = mapped.costs(&machine, &activity);
    let of = |name: &str| {
        let i = mapped.workload.layers.iter().position(|l| l.name == name).unwrap();
        costs[i].clone()
    };
    // 49 x 64 values of 16 bits at 4 timesteps.
    let stream = 3136.0 * 16.0 * 4.0;
    let (inner, last) = (of("block.0.mlp.fc2_conv").traffic_bits, of("block.1.mlp.fc2_conv").traffic_bits);
    assert_eq!((inner.residual_read, inner.residual_written), (stream, stream));
    assert_eq!((last.residual_read, last.residual_written), (stream, 0.0));
    // The attention reads k, v and q and writes mask and masked q, at 256 bits a cycle, while its
    // vector unit works.
    let attention = of("block.0.attn.sdsa");
    let bits = (3.0 * 3136.0 + 64.0 + 3136.0) * 4.0;
    let t = &attention.traffic_bits;
    assert_eq!(t.activations_read + t.activations_written, bits);
    assert!(close(attention.cycles.total(), bits / 256.0));
    // Keys and values are ANDed as they are read, q is masked, 256 bits a cycle; one update of 64 neurons.
    assert!(close(attention.cycles.epilogue, 4.0 * ((2.0 * 3136.0 + 3136.0) / 256.0 + 1.0)));
    // The OR of its neuron keeps no state: nothing is charged for any.
    assert_eq!((t.membranes_read, t.membranes_written), (0.0, 0.0));
    // The head has one position: one of four lanes works, one cycle per spike, on 10 of 64 channels. A row of ten
    // 4-bit weights is one word of 64 bits; ten biases.
    let node =
        mapped.workload.layers.iter().find(|l| l.name == "head").unwrap().product.as_ref().unwrap().node;
    let spikes = activity.nodes[node.index()].total().input_events;
    let head = of("head");
    let cycles = &head.cycles;
    assert!(spikes > 0 && close(cycles.ideal, f64::from(spikes) * 10.0 / 256.0));
    assert!(close(cycles.ideal + cycles.under_utilisation + cycles.imbalance, f64::from(spikes)));
    assert_eq!(head.traffic_bits.weights_read, f64::from(spikes) * 64.0 + 320.0);
    // 64 spikes of one position are a word, four times.
    assert_eq!(head.traffic_bits.activations_read, 4.0 * 64.0);
}

/// Bits of weights and parameters that the bundled network loads for every image.
fn loaded_bits(workload: &Workload, weight_bytes: u64) -> f64 {
    let edge = include_str!("../../../hw_configs/edge-28.ron");
    let text =
        edge.replace("capacity_bytes: (value: 98304", &format!("capacity_bytes: (value: {weight_bytes}"));
    assert!(weight_bytes == 98_304 || text != edge);
    let machine = Machine::new(Hardware::parse(&text, "edge-28.ron").unwrap()).unwrap();
    let mapped = MappedWorkload::best(workload.clone(), &machine, &[]).unwrap();
    let layers = mapped.workload.layers.iter().zip(&mapped.plans);
    let streamed = layers.filter(|(_, plan)| plan.is_off_chip(Operand::Weights));
    streamed.map(|(layer, _)| layer.weight_bits() + layer.parameter_bits()).sum()
}

#[test]
fn more_memory_or_fewer_bits_never_load_more_weights() {
    let settings = ["w8", "w7", "w6", "w5", "w4", "w3", "w2"].map(bundled);
    let capacities: Vec<u64> = (0..24).map(|i| 4096 + 8192 * i).collect();
    let loaded: Vec<Vec<f64>> =
        settings.iter().map(|w| capacities.iter().map(|&bytes| loaded_bits(w, bytes)).collect()).collect();
    for row in &loaded {
        assert!(row.windows(2).all(|pair| pair[1] <= pair[0]), "{row:?}");
    }
    for (more, fewer) in loaded.iter().zip(&loaded[1..]) {
        assert!(more.iter().zip(fewer).all(|(more, fewer)| fewer <= more), "{more:?} {fewer:?}");
    }
    // The smallest memory keeps nothing, the largest everything.
    let all = settings[0].weight_bits() + settings[0].parameter_bits();
    assert_eq!((loaded[0][0], *loaded[0].last().unwrap()), (all, 0.0));
}

/// A network with 172 KB of weights at w8 has all but a few channels in 160 KiB, and all in 168 KiB: what is missing
/// costs its own bits, not those of a whole layer.
#[test]
fn a_few_missing_bytes_cost_little() {
    let model = load::model("sdtv1_2-64_fashion").unwrap();
    let data = DataSet::load("fashion-mnist").unwrap();
    let activity = FloatExecutor::new(&model).run(&data.validation.sample(0).unwrap()).activity;
    let energy_j = |kibibytes: u64| {
        let mut hardware = Hardware::load("edge-28").unwrap().0;
        hardware.memories[0].capacity_bytes.value = kibibytes << 10;
        let machine = Machine::new(hardware).unwrap();
        let mapped = MappedWorkload::best(bundled("w8"), &machine, std::slice::from_ref(&activity)).unwrap();
        let energies = mapped.costs(&machine, &activity).into_iter().map(|cost| cost.energy_j.total());
        (energies.sum::<f64>(), mapped)
    };
    let (few, all) = (energy_j(160), energy_j(168));
    let streamed = |mapped: &MappedWorkload| -> f64 {
        let layers = mapped.workload.layers.iter().zip(&mapped.plans);
        layers.map(|(layer, plan)| layer.weight_bits() * plan.streamed_share(layer) / 8.0).sum()
    };
    assert_eq!(streamed(&all.1), 0.0);
    println!("{:.0} bytes stream, {:.2} % more energy", streamed(&few.1), 100.0 * (few.0 / all.0 - 1.0));
    // 171,856 bytes with parameters are 8,016 more than 160 KiB, beside a buffer for two tiles.
    assert!((8_000.0..20_000.0).contains(&streamed(&few.1)), "{}", streamed(&few.1));
    assert!(few.0 < 1.1 * all.0, "{} {}", few.0, all.0);
}

#[test]
fn executed_bits_by_hand() {
    let model = load::model("sdtv1_2-64_fashion").unwrap();
    let data = DataSet::load("fashion-mnist").unwrap();
    let Precision::Fixed(setting) = Setting::load("w4u8").unwrap().precision else { unreachable!() };
    let image = &data.validation.sample(0).unwrap();
    let quantized = quantize(&model, &setting, &FloatExecutor::new(&model).calibrate(image)).unwrap();
    let activity = ScalarExecutor::<i32>::new(&quantized).run(image).activity;
    let workload = Workload::quantized(&quantized);
    let layer = |name: &str| workload.layers.iter().find(|l| l.name == name).unwrap();

    // The image is read once, its eight channels of 28 x 28 neurons are updated at every timestep.
    let first = [0, 3].map(|t| layer("patch_embed.proj_conv").bits_at(&activity, t));
    assert_eq!(first.map(|b| b.activations_read), [784.0 * 9.0, 0.0]);
    assert_eq!(
        first.map(|b| (b.membranes_read, b.membranes_written)),
        [(8.0 * 784.0 * 8.0, 8.0 * 784.0 * 8.0); 2]
    );
    assert_eq!(first.map(|b| b.activations_written), [8.0 * 784.0; 2]);
    assert!(first[0].weights_read > 0.0 && first[1].weights_read == 0.0);

    // 49 x 64 spikes in and out, and four bits for every spike that meets one of 64 columns.
    let q = layer("block.0.attn.q_conv");
    let node = q.product.as_ref().unwrap().node;
    for t in 0..4 {
        let bits = q.bits_at(&activity, t);
        let events = f64::from(activity.nodes[node.index()].steps[t].input_events);
        assert_eq!(bits.weights_read, events * 64.0 * 4.0, "timestep {t}");
        assert_eq!((bits.activations_read, bits.activations_written), (49.0 * 64.0, 49.0 * 64.0));
        assert_eq!((bits.residual_read, bits.residual_written), (0.0, 0.0));
    }
    // A join reads and writes the 16-bit stream; the attention keeps no membrane.
    let join = layer("block.0.attn.proj_conv").bits_at(&activity, 1);
    assert_eq!((join.residual_read, join.residual_written), (49.0 * 64.0 * 16.0, 49.0 * 64.0 * 16.0));
    assert_eq!(layer("block.0.attn.sdsa").bits_at(&activity, 1).membranes_read, 0.0);
}

/// Plans that are known from other settings, from machines' own order of layers and widths, are those that would
/// be chosen anyway.
#[test]
fn known_plans_are_the_chosen_ones() {
    let data = DataSet::load("fashion-mnist").unwrap();
    let model = load::model("sdtv1_2-64_fashion").unwrap();
    let float = FloatExecutor::new(&model);
    let samples: Vec<_> = (0..2).map(|i| float.run(&data.validation.sample(i).unwrap()).activity).collect();
    // The last one has no room for some maps.
    for (name, room) in [("edge-28", None), ("systolic-28", None), ("edge-28", Some(24 * 1024))] {
        let mut hardware = Hardware::load(name).unwrap().0;
        if let Some(room) = room {
            let memories = hardware.memories.iter_mut();
            let maps = memories.filter(|memory| memory.holds.contains(&Operand::Activations));
            maps.for_each(|memory| memory.capacity_bytes.value = room);
        }
        let machine = Machine::new(hardware).unwrap();
        let known = KnownPlans::default();
        // From all weights off chip to all on chip, and back: the same layers with other choices.
        for setting in ["w8", "w4", "w4u8", "mixed", "w3", "w8", "w4"] {
            let workload = bundled(setting);
            let chosen = MappedWorkload::best(workload.clone(), &machine, &samples).unwrap();
            let knowing = MappedWorkload::best_knowing(workload, &machine, &samples, None, &known).unwrap();
            assert_eq!(knowing, chosen, "{name} {room:?} {setting}");
        }
    }
}

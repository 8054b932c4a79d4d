//! Settings whose integers depend on what calibration images do.

use assert_cmd::cargo::cargo_bin_cmd;
use std::sync::Arc;

use spiq::evaluate::{RateMatching, add_statistics, calibrate, quantize_on};
use spiq::exec::{FloatExecutor, ScalarExecutor};
use spiq::load;
use spiq::model::{ConvGeometry, DataSet, Kind, Model, Op, fold};
use spiq::quant::{
    Calibration, FixedPoint, InputStatistics, LayerOverride, Precision, QuantizedModel, QuantizedOp, Setting,
    quantize,
};
use spiq::tensor::Frames;

fn fixed(spec: &str) -> FixedPoint {
    match Setting::load(spec).unwrap().precision {
        Precision::Fixed(fixed) => fixed,
        Precision::Float32 => panic!("{spec} is float"),
    }
}

/// A small network of the family `name`, a few synthetic images, and what they say.
fn subject(name: &str, spec: &str) -> (Model, DataSet, Calibration) {
    let path = format!("{}/tests/data/families/{name}.ron", env!("CARGO_MANIFEST_DIR"));
    let model = load::model(&path).unwrap();
    let mut data = DataSet::load_for("noise", &model.description).unwrap();
    data.validation.truncate(2);
    let mut calibration = calibrate(&model, &data, &data.test, &|| ()).unwrap();
    add_statistics(&model, &data.validation, &fixed(spec), &mut calibration).unwrap();
    (model, data, calibration)
}

fn quantized(name: &str, spec: &str) -> (Model, DataSet, Calibration, QuantizedModel) {
    let (model, data, calibration) = subject(name, spec);
    let quantized = quantize_on(&model, &data.validation, &fixed(spec), &calibration).unwrap();
    (model, data, calibration, quantized)
}

/// Sums over all patches of one frame, tap by tap and pair by pair.
fn naive(g: &ConvGeometry, input: &Frames<f32>, padding: f64, seen: &mut InputStatistics) {
    let output = g.output(input.shape).unwrap();
    let (per_group, taps) = (g.in_channels / g.groups, g.taps());
    for (t, y, x) in (0..input.frames)
        .flat_map(|t| (0..output.height).flat_map(move |y| (0..output.width).map(move |x| (t, y, x))))
    {
        seen.patches += 1;
        let value = |group: usize, i: usize| {
            let (channel, tap) = (group * per_group + i / taps, i % taps);
            let row = (y * g.stride[0] + tap / g.kernel[1]).checked_sub(g.pad[0]);
            let column = (x * g.stride[1] + tap % g.kernel[1]).checked_sub(g.pad[1]);
            match (row, column) {
                (Some(r), Some(c)) if r < input.shape.height && c < input.shape.width => {
                    f64::from(input.at(t)[(r * input.shape.width + c) * g.in_channels + channel])
                }
                _ => padding,
            }
        };
        for group in 0..g.groups {
            let row: Vec<f64> = (0..g.fan_in()).map(|i| value(group, i)).collect();
            for (i, x) in row.iter().enumerate() {
                seen.sums[group][i] += x;
                seen.squares[group][i] += x * x;
                let column = seen.products[group].column_mut(i);
                column.into_iter().zip(&row).for_each(|(sum, y)| *sum += x * y);
            }
        }
    }
}

#[test]
fn statistics_are_those_of_every_patch() {
    let (model, data, calibration) = subject("v1", "w3+gptq");
    let mut compared = 0;
    for (id, node, weighted) in model.network.weighted().skip(1) {
        let (g, seen) = (&weighted.geometry, calibration.inputs[id.index()].as_ref().unwrap());
        let mut expected = InputStatistics::new(g.groups, g.fan_in(), true);
        for i in 0..2 {
            let sample = data.validation.sample(i).unwrap();
            FloatExecutor::new(&model).run_observed(&sample, |from, value| {
                if from == node.inputs[0] {
                    naive(g, value, 0.0, &mut expected);
                }
            });
        }
        // Spikes: counts are whole, and equal to the unit.
        assert_eq!(model.network.input_of(node, 0).kind, Kind::Spikes);
        assert_eq!(**seen, expected, "{}", node.name);
        compared += 1;
    }
    assert!(compared > 8);
}

/// The mean of every output, over the inputs that were seen, is that of the float weights: to half a step of
/// the bias.
#[test]
fn corrected_biases_keep_the_mean_of_every_output() {
    for (name, spec) in [("v1", "floor3+bias"), ("v2", "w2+mse+gptq+bias")] {
        let (model, _, calibration, quantized) = quantized(name, spec);
        let (mut corrected, mut outputs) = (0, 0);
        for ((id, op), (_, node, weighted)) in quantized.weighted().zip(model.network.weighted()).skip(1) {
            let seen = calibration.inputs[id.index()].as_ref().unwrap();
            let layer = fold(weighted, &model.weights.layer(node, weighted));
            let fan_in = op.geometry.fan_in();
            let input_lsb = quantized.lsbs()[node.inputs[0].index()][0];
            for (out, lsb) in op.lsb.iter().enumerate() {
                let means = seen.means(out * op.geometry.groups / op.geometry.out_channels);
                let row = out * fan_in..(out + 1) * fan_in;
                let float: f64 = layer.weight[row.clone()].iter().zip(&means).map(|(w, m)| w * m).sum();
                let weight_lsb = lsb * f64::from(1u32 << op.fraction_bits) / input_lsb;
                let integer: f64 =
                    op.codes[row].iter().zip(&means).map(|(&c, m)| f64::from(c) * weight_lsb * m).sum();
                let off = integer + op.bias[out] as f64 * lsb - float - layer.bias[out];
                assert!(off.abs() <= 0.5 * lsb + 1e-9, "{name} {}: {off} of {lsb}", node.name);
                corrected += u32::from((integer - float).abs() > lsb * 0.5);
                outputs += 1;
            }
        }
        assert!(corrected > outputs / 2, "{name}: {corrected} of {outputs}");
    }
}

/// Spikes of every channel of the neuron layers that are matched, in all validation images.
fn rates(model: &Model, data: &DataSet, quantized: &QuantizedModel) -> (u64, u64) {
    let (scalar, float) = (ScalarExecutor::<i64>::new(quantized), FloatExecutor::new(model));
    let (mut distance, mut spikes) = (0, 0);
    let first = model.network.iter().find(|(_, node)| matches!(node.op, Op::Neuron(_))).unwrap().0;
    let mut counts: Vec<i64> = Vec::new();
    let mut add = |values: &mut dyn Iterator<Item = i64>, channels: usize| {
        counts.resize(channels, 0);
        values.enumerate().for_each(|(i, x)| counts[i % channels] += x);
    };
    for i in 0..data.validation.len() {
        let sample = data.validation.sample(i).unwrap();
        scalar.run_observed(&sample, |id, value| {
            if id == first {
                add(&mut value.data.iter().copied(), value.shape.channels);
            }
        });
        float.run_observed(&sample, |id, value| {
            if id == first {
                spikes += value.data.iter().filter(|x| **x > 0.0).count() as u64;
                add(&mut value.data.iter().map(|&x| -(x as i64)), value.shape.channels);
            }
        });
    }
    distance += counts.iter().map(|x| x.unsigned_abs()).sum::<u64>();
    (distance, spikes)
}

#[test]
fn matched_thresholds_bring_the_rates_of_the_float_network() {
    let (model, data, _, plain) = quantized("v1", "w2");
    let (_, _, _, matched) = quantized("v1", "w2+rate");
    let ((before, spikes), (after, _)) = (rates(&model, &data, &plain), rates(&model, &data, &matched));
    assert!(before * 20 > spikes, "nothing to match: {before} of {spikes}");
    assert!(after * 5 < before, "{after} against {before} of {spikes}");
    // Weights and biases stand still.
    for ((_, a), (_, b)) in plain.weighted().zip(matched.weighted()) {
        assert_eq!(a, b);
    }
    let thresholds = |model: &QuantizedModel| {
        model.ops().iter().filter(|op| matches!(op, QuantizedOp::Neuron(_))).cloned().collect::<Vec<_>>()
    };
    assert_ne!(thresholds(&plain), thresholds(&matched));
}

/// What a setting shares with the one before is neither rounded nor matched again, and that changes no integer:
/// wherever they differ, and in whichever order they come.
#[test]
fn settings_in_a_row_are_quantized_as_each_alone() {
    let (model, data, calibration) = subject("v1", "w3+gptq+rate");
    let [base, together] = ["w3+rate", "w3+gptq+rate"].map(fixed);
    let weights: Vec<&str> = model.network.weighted().map(|(_, node, _)| node.name.as_str()).collect();
    let neurons = model.network.nodes.iter().filter(|node| matches!(node.op, Op::Neuron(_)));
    let neurons: Vec<&str> = neurons.map(|node| node.name.as_str()).collect();
    let wide = LayerOverride { weights: Some(fixed("w5").weights), ..LayerOverride::default() };
    let narrow = LayerOverride { membrane_bits: Some(4), ..LayerOverride::default() };
    let settings = [
        base.clone(),
        base.with_layer(weights[weights.len() - 2], wide),
        base.with_layer(neurons[neurons.len() / 2], narrow),
        base.with_layer(neurons[0], narrow),
        base,
        together.with_layer(weights[weights.len() / 2], wide),
        together,
    ];
    let matching = RateMatching::default();
    let keeping = Calibration { keeps_nearest: true, ..calibration.clone() };
    for (i, setting) in settings.iter().enumerate() {
        let found = matching.quantize(&model, &data.validation, setting, &keeping).unwrap();
        let fresh = Calibration { rounded: Arc::default(), ..calibration.clone() };
        let alone = quantize_on(&model, &data.validation, setting, &fresh).unwrap();
        for (id, node) in model.network.iter() {
            assert_eq!(found.op(id), alone.op(id), "setting {i}: {}", node.name);
        }
    }
}

/// Any number of threads gives equal integers, and a bundle of them validates.
#[test]
fn exports_and_runs_with_all_options() {
    let dir = tempfile::tempdir().unwrap();
    let spiq = |arguments: &[&str]| {
        let output = cargo_bin_cmd!("spiq").args(arguments).current_dir(dir.path()).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {message}");
        output.stdout
    };
    let subject = ["--quant", "w3+mse+gptq+bias+rate", "--data", "noise", "--limit", "1"];
    let simulate = |threads: &str| {
        spiq(&[&["simulate", "--quiet", "--json", "--threads", threads], &subject[..]].concat())
    };
    assert_eq!(simulate("1"), simulate("3"));
    spiq(&[&["export", "golden", "--out", "golden"], &subject[..]].concat());
    spiq(&["validate", "golden"]);
}

/// Whoever quantizes without having run images is told what would need them.
#[test]
fn what_needs_images_is_refused_without() {
    let model = load::model("sdtv1_2-64_fashion").unwrap();
    let mut calibration = Calibration::new(model.network.nodes.len());
    calibration.magnitude.fill(8.0);
    let refusal = |spec: &str| quantize(&model, &fixed(spec), &calibration).unwrap_err().to_string();
    let statistics =
        "layer patch_embed.proj_conv: its integers depend on calibration images, and none were run";
    assert_eq!(refusal("w3+gptq"), statistics);
    assert_eq!(refusal("floor8+bias"), statistics);
    let rates = "thresholds are matched on calibration images, and none were run";
    assert_eq!(refusal("w3+rate"), rates);
}

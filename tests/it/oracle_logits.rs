//! The float executor against PyTorch: logits and spike counts of the trained default model,
//! exported by `python/oracle/export_logits.py`.

use std::collections::BTreeMap;

use serde::Deserialize;
use spiq::exec::FloatExecutor;
use spiq::load;
use spiq::model::{DataSet, Op};

/// Largest difference of logits. Both sides compute in single precision, and sum in different orders: the logits
/// differ by 1e-6. A spike of the last layer that changed sides would show as a weight over 4 timesteps, 1e-2.
const LOGIT_TOLERANCE: f32 = 1e-4;
/// Where a membrane is within rounding of its threshold, the order of a sum decides. None of the
/// 462,770 spikes is that close; another order of summation may find one, and what follows from it.
const SPIKE_TOLERANCE: u64 = 4;

#[derive(Deserialize)]
struct Golden {
    model: String,
    torch: String,
    /// Per neuron layer, over all images and timesteps.
    spikes: BTreeMap<String, u64>,
    /// Per image.
    logits: Vec<Vec<f32>>,
}

fn golden() -> Golden {
    let text = include_str!("../golden/sdtv1_2-64_fashion.json");
    serde_json::from_str(text).unwrap()
}

#[test]
fn float_logits_and_spike_counts_are_those_of_pytorch() {
    let golden = golden();
    let model = load::model(&golden.model).unwrap();
    let images = DataSet::load("fashion-mnist").unwrap().test;
    let executor = FloatExecutor::new(&model);
    let (mut spikes, mut furthest) = (BTreeMap::<String, u64>::new(), 0.0f32);
    for (i, expected) in golden.logits.iter().enumerate() {
        let execution = executor.run_observed(&images.sample(i).unwrap(), |id, value| {
            let node = model.network.node(id);
            if matches!(node.op, Op::Neuron(_)) {
                let fired = value.data.iter().filter(|&&spike| spike == 1.0).count();
                *spikes.entry(node.name.clone()).or_default() += fired as u64;
            }
        });
        assert_eq!(execution.logits.len(), expected.len());
        for (class, (logit, expected)) in execution.logits.iter().zip(expected).enumerate() {
            furthest = furthest.max((logit - expected).abs());
            assert!(
                (logit - expected).abs() <= LOGIT_TOLERANCE,
                "image {i}, class {class}: {logit}, {expected}"
            );
        }
    }
    assert!(spikes.keys().eq(golden.spikes.keys()), "{:?}", spikes.keys());
    let different: u64 = spikes.iter().map(|(name, &count)| count.abs_diff(golden.spikes[name])).sum();
    println!(
        "torch {}: logits within {furthest:e}, {different} of {} spikes differ",
        golden.torch,
        spikes.values().sum::<u64>()
    );
    assert!(different <= SPIKE_TOLERANCE, "{spikes:?}");
}

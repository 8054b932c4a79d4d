//! Runs that start at the first layer that differs, against whole runs.

use spiq::exec::{Backend, IntegerExecutor, PrefixCache};

use super::fast::isas;
use super::support::*;
use super::zoo::{any_scheme, any_setting, zoo_model};

/// The network of `model` with the weights of node `id` negated, which no bound notices.
fn with_negated(model: &QuantizedModel, id: usize) -> QuantizedModel {
    let mut ops = model.ops().to_vec();
    let QuantizedOp::Weighted(layer) = &mut ops[id] else { panic!("node {id} is a weight layer") };
    layer.codes.iter_mut().for_each(|code| *code = -*code);
    QuantizedModel::from_integers(model.network().clone(), ops).unwrap()
}

fn whole(model: &QuantizedModel, engine: Backend, samples: &[Sample]) -> Vec<Execution<i64>> {
    let executor = IntegerExecutor::new(model, engine);
    samples.iter().map(|sample| executor.run(sample)).collect()
}

#[test]
fn a_run_from_the_first_difference_is_a_whole_run() {
    let mut dice = Dice::new(83);
    let (mut spared, mut compared) = (0, 0);
    for _ in 0..12 {
        let timesteps = dice.int(1, 4) as usize;
        let (model, _, images) = zoo_model(&mut dice, timesteps, false);
        let scheme = any_scheme(&mut dice);
        let setting = any_setting(&mut dice, &model.network, &scheme, 12, 12);
        let base = quantize(&model, &setting, &calibrate(&model, &images)).unwrap();
        let samples: Vec<_> = (0..3).map(|_| dice.image(&model.network)).collect();
        let layers: Vec<usize> =
            (0..base.ops().len()).filter(|&id| matches!(base.ops()[id], QuantizedOp::Weighted(_))).collect();
        for engine in isas().into_iter().map(Backend::Fast).chain([Backend::Scalar]) {
            let executor = IntegerExecutor::new(&base, engine);
            let limit_bytes = dice.int(0, 400_000) as usize;
            let (cache, executions) = PrefixCache::record(&executor, &samples, limit_bytes);
            assert_eq!(executions, whole(&base, engine, &samples));
            assert!(cache.bytes() <= limit_bytes, "{} of {limit_bytes} bytes", cache.bytes());
            let id = layers[dice.int(0, layers.len() as i64 - 1) as usize];
            let other = with_negated(&base, id);
            let executor = IntegerExecutor::new(&other, engine);
            let shared = cache.shared_with(&executor);
            assert!(shared.first_node().index() <= id);
            spared += shared.first_node().index();
            for (i, expected) in whole(&other, engine, &samples).into_iter().enumerate() {
                assert_eq!(shared.run(i, &samples[i]), expected, "{engine:?}, image {i}, layer {id}");
                compared += 1;
            }
        }
    }
    println!("{compared} runs, {spared} nodes spared");
    assert!(spared > 100);
}

//! Images per second of the float reference, of the scalar specification and of the fast executor, on one
//! thread and over all of them, and evaluations per second of the cost model from counted activity.
//!
//!     cargo bench --bench throughput

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use rayon::prelude::*;
use spiq::cost::{Machine, MappedWorkload};
use spiq::exec::{Backend, FastExecutor, FloatExecutor, IntegerExecutor, Isa, ScalarExecutor, Workspace};
use spiq::hw::Hardware;
use spiq::load;
use spiq::map::Workload;
use spiq::model::{DataSet, Model, Sample};
use spiq::quant::{Calibration, Precision, QuantizedModel, Setting, quantize};

fn quantized(model: &Model, data: &DataSet, setting: &str) -> QuantizedModel {
    let float = FloatExecutor::new(model);
    let calibration = (0..32)
        .map(|i| float.calibrate(&data.validation.sample(i).unwrap()))
        .fold(Calibration::new(model.network.nodes.len()), |a, b| a.merge(&b));
    let Precision::Fixed(fixed) = Setting::load(setting).unwrap().precision else { unreachable!() };
    quantize(model, &fixed, &calibration).unwrap()
}

/// Runs from a layer on, as a search does for settings that are the same before it.
fn prefixes(group: &mut BenchmarkGroup<WallTime>, network: &QuantizedModel, image: &Sample) {
    let (fast, mut workspace) = (FastExecutor::new(network, Isa::best()), Workspace::default());
    let cuts: Vec<usize> = fast.cuts().into_iter().map(|(cut, _)| cut).collect();
    let (execution, kept) = fast.run_keeping(image, &mut workspace, &cuts);
    for quarter in 1..4 {
        let layer = cuts.len() * quarter / 4;
        group.bench_function(format!("w4 from layer {layer} of {}", cuts.len()), |b| {
            let start = (&kept[layer], &execution.activity.nodes[..]);
            b.iter(|| black_box(fast.run_from(black_box(image), &mut workspace, start)))
        });
    }
}

fn throughput(c: &mut Criterion) {
    let model = load::model("sdtv1_2-64_fashion").unwrap();
    let data = DataSet::load("fashion-mnist").unwrap();
    let image = &data.test.sample(0).unwrap();
    let mut images = c.benchmark_group("images");
    images.throughput(Throughput::Elements(1));
    let float = FloatExecutor::new(&model);
    images.bench_function("float", |b| b.iter(|| black_box(float.run(black_box(image)))));
    for setting in ["w8", "w4", "pot3"] {
        let network = quantized(&model, &data, setting);
        let scalar = ScalarExecutor::<i32>::new(&network);
        images.bench_function(format!("scalar {setting}"), |b| {
            b.iter(|| black_box(scalar.run(black_box(image))))
        });
        for isa in Isa::all().filter(|isa| isa.is_available()) {
            let (fast, mut workspace) = (FastExecutor::new(&network, isa), Workspace::default());
            images.bench_function(format!("{} {setting}", isa.name()), |b| {
                b.iter(|| black_box(fast.run(black_box(image), &mut workspace)))
            });
        }
    }
    prefixes(&mut images, &quantized(&model, &data, "w4"), image);
    images.finish();

    let mut set = c.benchmark_group("10000 images, all threads");
    set.throughput(Throughput::Elements(10_000)).sample_size(10);
    for setting in ["w8", "w4", "pot3"] {
        let network = quantized(&model, &data, setting);
        let executor = IntegerExecutor::new(&network, Backend::default());
        let run = |i: usize| {
            executor.run(&data.test.sample(i).unwrap()).prediction() == data.test.labels[i] as usize
        };
        set.bench_function(setting, |b| b.iter(|| (0..10_000).into_par_iter().filter(|&i| run(i)).count()));
    }
    set.finish();

    let mut cost = c.benchmark_group("cost");
    cost.throughput(Throughput::Elements(1));
    let network = quantized(&model, &data, "w4");
    let activity = ScalarExecutor::<i32>::new(&network).run(image).activity;
    for name in ["edge-28", "systolic-28", "cortex-m4"] {
        let machine = Machine::new(Hardware::load(name).unwrap().0).unwrap();
        let mapped =
            MappedWorkload::best(Workload::quantized(&network), &machine, std::slice::from_ref(&activity))
                .unwrap();
        cost.bench_function(name, |b| b.iter(|| black_box(mapped.costs(&machine, black_box(&activity)))));
    }
    cost.finish();
}

criterion_group!(benches, throughput);
criterion_main!(benches);

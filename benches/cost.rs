//! Time to map a network onto a machine and to charge it for counted activity, per setting:
//!
//!     cargo bench --bench cost -- sdtv2_15M w4 edge-28 systolic-28
//!
//! Prints, per machine, the milliseconds of the mapping and of one full evaluation of the cost, each the
//! fastest of several; the activity is that of one synthetic image.

use std::hint::black_box;
use std::time::Instant;

use spiq::cost::{Machine, MappedWorkload};
use spiq::exec::{Backend, FloatExecutor, IntegerExecutor};
use spiq::hw::Hardware;
use spiq::load;
use spiq::map::Workload;
use spiq::model::DataSet;
use spiq::quant::{Precision, Setting, quantize};

/// Milliseconds of the fastest of `times`.
fn fastest_ms(times: usize, mut run: impl FnMut()) -> f64 {
    let ms = (0..times).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64() * 1e3
    });
    ms.fold(f64::INFINITY, f64::min)
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let [name, setting, machines @ ..] = &words[..] else {
        return println!("cargo bench --bench cost -- NETWORK SETTING HARDWARE...");
    };
    let model = load::model(name).unwrap_or_else(|error| panic!("{error}"));
    let data = DataSet::load_for("noise", &model.description).unwrap();
    let sample = data.test.sample(0).unwrap();
    let calibration = FloatExecutor::new(&model).calibrate(&sample);
    let Precision::Fixed(fixed) = Setting::load(setting).unwrap().precision else {
        return println!("{setting} has no integers");
    };
    let network = quantize(&model, &fixed, &calibration).unwrap();
    let activity = IntegerExecutor::new(&network, Backend::default()).run(&sample).activity;
    let samples = std::slice::from_ref(&activity);
    for hw in machines {
        let machine = Machine::new(Hardware::load(hw).unwrap().0).unwrap();
        let workload = Workload::quantized(&network);
        let best = || MappedWorkload::best(workload.clone(), &machine, samples).unwrap();
        let mapping = fastest_ms(5, || drop(black_box(best())));
        let mapped = best();
        let cost = fastest_ms(50, || drop(black_box(mapped.costs(&machine, black_box(&activity)))));
        let layers = mapped.plans.len();
        println!(
            "{name} {setting} on {hw}, {layers} layers: mapping {mapping:.2} ms, evaluation {cost:.3} ms"
        );
    }
}

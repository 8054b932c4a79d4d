//! Time of one image on one network: float reference, then integers at several settings, on all threads;
//! and the largest resident memory of the process. One network per call, so that memory is its own:
//!
//!     cargo bench --bench networks -- sdtv2_15M w8 w4 [avx2]
//!
//! Prints a row: network, seconds of the float reference (the fastest of three), seconds at each setting (the fastest
//! of eight, by the best instruction set or the one that is named), MiB.

use std::time::Instant;

use spiq::exec::{FastExecutor, FloatExecutor, Isa, Workspace};
use spiq::load;
use spiq::model::DataSet;
use spiq::quant::{Precision, Setting, quantize};

/// Seconds of the fastest of `times`.
fn fastest(times: usize, mut run: impl FnMut()) -> f64 {
    let seconds = (0..times).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    });
    seconds.fold(f64::INFINITY, f64::min)
}

/// Largest resident memory of this process so far, MiB; 0 where the system does not say.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let Some((name, settings)) = words.split_first() else {
        return println!("cargo bench --bench networks -- NETWORK SETTING... [ISA]");
    };
    let named = settings.last().and_then(|word| Isa::named(word));
    let (isa, settings) =
        (named.unwrap_or_else(Isa::best), &settings[..settings.len() - usize::from(named.is_some())]);
    let model = load::model(name).unwrap_or_else(|error| panic!("{error}"));
    let data = DataSet::load_for("noise", &model.description).unwrap();
    let sample = data.test.sample(0).unwrap();
    let float = FloatExecutor::new(&model);
    let mut calibration = None;
    let seconds = fastest(3, || calibration = Some(float.calibrate(&sample)));
    let mut row = format!("{name:28} float {seconds:.4} s");
    for spec in settings {
        let Precision::Fixed(setting) = Setting::load(spec).unwrap().precision else { continue };
        let network = quantize(&model, &setting, calibration.as_ref().unwrap()).unwrap();
        let (executor, mut workspace) = (FastExecutor::new(&network, isa), Workspace::default());
        let seconds = fastest(8, || drop(executor.run(&sample, &mut workspace)));
        row += &format!(", {spec} {seconds:.4} s");
    }
    println!("{row}, {} MiB", peak_mib());
}

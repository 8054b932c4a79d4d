//! A model, its rates and a machine from files on disk, as a library without the feature `bundled` reads them:
//!
//!     cargo run --no-default-features --example own_files

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use spiq::cost::Machine;
use spiq::evaluate::Evaluator;
use spiq::exec::Rates;
use spiq::hw::Hardware;
use spiq::load;
use spiq::quant::Setting;

const MODEL: &str = "models/sdtv1_2-64_fashion.ron";
const RATES: &str = "models/rates/sdtv1_2-64_fashion.csv";
const MACHINE: &str = "hw_configs/edge-28.ron";

/// Latency and energy of an image at 4 bits.
fn evaluate(root: &Path) -> spiq::Result<(f64, f64)> {
    let path = |file: &str| root.join(file).display().to_string();
    let model = Arc::new(load::model(&path(MODEL))?);
    let rates = Arc::new(Rates::load(&path(RATES), &model.network)?);
    let machine = Machine::new(Hardware::load(&path(MACHINE))?.0)?;
    let found = Evaluator::expecting(model, rates).evaluate(&Setting::load("w4")?, &[machine], &|| ())?;
    Ok((found[0].latency_s * 1e6, found[0].total_energy_j() * 1e6))
}

fn main() -> ExitCode {
    let named = Hardware::load("edge-28");
    match evaluate(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        Ok((latency_us, energy_uj)) => println!("{latency_us:.3} us and {energy_uj:.3} uJ per image"),
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(error.exit_code());
        }
    }
    if named.is_ok() != cfg!(feature = "bundled") {
        eprintln!("error: a machine by its name goes with the feature bundled, and with nothing else");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

//! Prosperity and its baselines, by the rules of the evaluation that they are from.

use spiq::evaluate::PublishedWork;
use spiq::exec::Rates;
use spiq::hw::published::Published;
use spiq::hw::{Figure, Quantity};
use spiq::model::ModelDescription;

use super::cases::Failure;

/// Latencies and energies of every machine and network of the evaluation.
pub fn figures() -> Result<Vec<Figure>, Failure> {
    let published = Published::load()?;
    let mut figures = Vec::new();
    for name in published.networks.keys() {
        let (_, network, _) = ModelDescription::load(name)?;
        let work = PublishedWork::new(&network, &Rates::load(name, &network)?);
        for machine in published.machines.keys() {
            let found = work.on(&published, machine, name)?;
            let parts = [
                (Quantity::LatencyMs, Some(found.latency_s), found.printed_latency_s),
                (Quantity::EnergyMj, found.energy_j, found.printed_energy_j),
            ];
            for (quantity, predicted, printed) in parts {
                let milli = |value: Option<f64>| value.map(|value| value * 1e3).ok_or("nothing is printed");
                figures.push(Figure {
                    machine: machine.clone(),
                    case: format!("{name}: by the rules of the evaluation"),
                    quantity,
                    predicted: milli(predicted)?,
                    least: None,
                    most: None,
                    published: milli(printed)?,
                    kind: "simulator of Prosperity's authors".to_owned(),
                    constant: String::new(),
                    fits: false,
                    remark: "one density, spikes drawn at random: real ones have more in common".to_owned(),
                    varied: String::new(),
                });
            }
        }
    }
    Ok(figures)
}

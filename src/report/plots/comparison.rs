//! The figures of machines side by side.

use super::super::units::Scale;
use super::bars::{Bars, Series};
use super::figures::{energy_stack, stack};
use super::scene::Scene;
use crate::cost::Cycles;
use crate::evaluate::{Comparison, MachineEvaluation};

/// Stem and scene of every figure.
pub(super) fn scenes(comparison: &Comparison) -> Vec<(&'static str, Scene)> {
    let machines = &comparison.machines[..];
    let energy = energy_stack(machines, |m| m.evaluation.energy_j.parts(), |m| m.evaluation.leakage_j);
    let latency = stack(machines, Cycles::LABELS, seconds);
    vec![
        ("machines_energy", scene(comparison, "Energy per inference", |j| Scale::si(j, "J"), energy)),
        ("machines_latency", scene(comparison, "Latency per inference", |s| Scale::si(s, "s"), latency)),
    ]
}

/// Cycles by cause as time, since clocks differ.
fn seconds(machine: &MachineEvaluation) -> Vec<f64> {
    let evaluation = &machine.evaluation;
    let cycles = evaluation.cycles.total();
    let period_s = if cycles > 0.0 { evaluation.latency_s / cycles } else { 0.0 };
    evaluation.cycles.parts().into_iter().map(|part| part * period_s).collect()
}

fn scene(
    comparison: &Comparison,
    quantity: &'static str,
    scale: fn(f64) -> Scale,
    series: Vec<Series>,
) -> Scene {
    Bars {
        title: format!("{quantity} by machine"),
        subtitle: format!(
            "{} at {}, {}",
            comparison.model.name,
            comparison.setting,
            comparison.source.describe()
        ),
        category: "Machine",
        quantity,
        scale,
        names: comparison.machines.iter().map(|machine| machine.hardware.name.clone()).collect(),
        series,
    }
    .scene()
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::super::draw;
    use super::*;

    #[test]
    fn every_machine_is_drawn_with_its_units() {
        let pictures = draw(scenes(&fixture::comparison())).unwrap();
        let stems: Vec<_> = pictures.iter().map(|picture| picture.stem.as_str()).collect();
        assert_eq!(stems, ["machines_energy", "machines_latency"]);
        for (picture, unit) in pictures.iter().zip(["Energy per inference (", "Latency per inference ("]) {
            for word in ["edge-a", "edge-b", "Machine", unit] {
                assert!(picture.svg.contains(word), "{}: {word}", picture.stem);
            }
        }
    }
}

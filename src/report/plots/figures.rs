//! The list of figures.

use super::super::units::Scale;
use super::bars::{Bars, Series};
use super::palette;
use super::scatter::{Point, Scatter};
use super::scene::Scene;
use crate::cost::{Cycles, EnergyJ, FootprintBytes};
use crate::evaluate::{Evaluation, LayerEvaluation, Simulation};

/// A figure and the function that draws it.
pub(super) struct Figure {
    /// File name without its ending.
    pub stem: &'static str,
    /// Draws it.
    pub draw: fn(&Simulation) -> Scene,
    /// True if there is something to draw.
    pub has_data: fn(&Simulation) -> bool,
}

/// Every figure of a report.
pub(super) const FIGURES: &[Figure] = &[
    Figure { stem: "energy_per_layer", draw: energy_per_layer, has_data: always },
    Figure { stem: "cycles_per_layer", draw: cycles_per_layer, has_data: always },
    Figure { stem: "footprint", draw: footprint, has_data: always },
    Figure { stem: "energy", draw: energy, has_data: always },
    Figure { stem: "accuracy_footprint", draw: accuracy_footprint, has_data: has_accuracy },
    Figure { stem: "accuracy_energy", draw: accuracy_energy, has_data: has_accuracy },
    Figure { stem: "power", draw: power, has_data: always },
];

fn always(_: &Simulation) -> bool {
    true
}

/// Images were executed, at one setting at least.
fn has_accuracy(simulation: &Simulation) -> bool {
    simulation.settings.iter().any(|setting| setting.accuracy.is_some())
}

/// Layers from which on a picture shows the longest bars alone, and how many.
const MANY_LAYERS: usize = 40;
const LONGEST_LAYERS: usize = 30;

const ENERGY: &str = "Energy per inference";
const CYCLES: &str = "Cycles per inference";
const FOOTPRINT: &str = "Footprint";
const POWER: &str = "Average power";

fn joules(largest: f64) -> Scale {
    Scale::si(largest, "J")
}

fn watts(largest: f64) -> Scale {
    Scale::si(largest, "W")
}

fn cycles(largest: f64) -> Scale {
    Scale::count(largest, "cycles")
}

fn subtitle(simulation: &Simulation) -> String {
    let of = simulation.source.describe();
    format!("{} on {}, {of}", simulation.model.name, simulation.hardware.name)
}

type Labels = &'static [(&'static str, &'static str)];

/// One series per part, and its values for every row. A part keeps its colour from figure to
/// figure because the colour follows from its place in the list.
pub(super) fn stack<T>(rows: &[T], labels: Labels, parts: fn(&T) -> Vec<f64>) -> Vec<Series> {
    let rows: Vec<Vec<f64>> = rows.iter().map(parts).collect();
    let series = |(index, &(_, label)): (usize, &(&str, &'static str))| Series {
        label,
        colour: palette::part(index),
        values: rows.iter().map(|row| row[index]).collect(),
    };
    labels.iter().enumerate().map(series).collect()
}

/// [`stack`] of the dynamic energies with the leakage at the end.
pub(super) fn energy_stack<T>(rows: &[T], parts: fn(&T) -> Vec<f64>, leakage: fn(&T) -> f64) -> Vec<Series> {
    let mut series = stack(rows, EnergyJ::LABELS, parts);
    let values = rows.iter().map(leakage).collect();
    series.push(Series { label: "leakage", colour: palette::part(EnergyJ::LABELS.len()), values });
    series
}

fn layers(
    simulation: &Simulation,
    quantity: &'static str,
    scale: fn(f64) -> Scale,
    series: fn(&[LayerEvaluation]) -> Vec<Series>,
) -> Scene {
    let setting = simulation.featured();
    let rows: &[LayerEvaluation] = setting.map_or(&[], |setting| &setting.layers);
    let title = match setting {
        Some(setting) => format!("{quantity} by layer, setting {}", setting.name),
        None => format!("{quantity} by layer"),
    };
    let bars = Bars {
        title,
        subtitle: subtitle(simulation),
        category: "Layer",
        quantity,
        scale,
        names: rows.iter().map(|layer| layer.name.clone()).collect(),
        series: series(rows),
    };
    let all = rows.len() <= MANY_LAYERS || simulation.presentation.all_layers;
    if all { bars.scene() } else { bars.of_longest(LONGEST_LAYERS, "other layers").scene() }
}

fn settings(
    simulation: &Simulation,
    quantity: &'static str,
    scale: fn(f64) -> Scale,
    series: Vec<Series>,
) -> Scene {
    Bars {
        title: format!("{quantity} by setting"),
        subtitle: subtitle(simulation),
        category: "Setting",
        quantity,
        scale,
        names: simulation.settings.iter().map(|setting| setting.name.clone()).collect(),
        series,
    }
    .scene()
}

fn energy_per_layer(simulation: &Simulation) -> Scene {
    let series = |rows: &[LayerEvaluation]| energy_stack(rows, |l| l.energy_j.parts(), |l| l.leakage_j);
    layers(simulation, ENERGY, joules, series)
}

fn cycles_per_layer(simulation: &Simulation) -> Scene {
    let series = |rows: &[LayerEvaluation]| stack(rows, Cycles::LABELS, |l| l.cycles.parts());
    layers(simulation, CYCLES, cycles, series)
}

fn footprint(simulation: &Simulation) -> Scene {
    let series = stack(&simulation.settings, FootprintBytes::LABELS, |s| s.footprint_bytes.parts());
    settings(simulation, FOOTPRINT, Scale::bytes, series)
}

fn energy(simulation: &Simulation) -> Scene {
    let series = energy_stack(&simulation.settings, |s| s.energy_j.parts(), |s| s.leakage_j);
    settings(simulation, ENERGY, joules, series)
}

fn power(simulation: &Simulation) -> Scene {
    let values = simulation.settings.iter().map(|setting| setting.power_w).collect();
    let series = vec![Series { label: "power", colour: palette::SINGLE, values }];
    settings(simulation, POWER, watts, series)
}

fn accuracy(
    simulation: &Simulation,
    x_quantity: &'static str,
    x_scale: fn(f64) -> Scale,
    x: fn(&Evaluation) -> f64,
) -> Scene {
    Scatter {
        title: format!("Accuracy against {}", x_quantity.to_lowercase()),
        subtitle: subtitle(simulation),
        x_quantity,
        x_scale,
        y_quantity: "Accuracy",
        points: simulation
            .settings
            .iter()
            .filter_map(|s| Some(Point { name: &s.name, x: x(s), y: 100.0 * s.accuracy? }))
            .collect(),
    }
    .scene()
}

fn accuracy_footprint(simulation: &Simulation) -> Scene {
    accuracy(simulation, FOOTPRINT, Scale::bytes, |setting| setting.footprint_bytes.total())
}

fn accuracy_energy(simulation: &Simulation) -> Scene {
    accuracy(simulation, ENERGY, joules, Evaluation::total_energy_j)
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;

    fn primary_of(names: &[&str]) -> Option<String> {
        let mut simulation = fixture::simulation(names.len(), 1);
        for (setting, name) in simulation.settings.iter_mut().zip(names) {
            setting.name = (*name).to_owned();
        }
        simulation.featured().map(|setting| setting.name.clone())
    }

    #[test]
    fn figures_of_layers_prefer_four_bits() {
        assert_eq!(primary_of(&["fp32", "w8", "w4"]).unwrap(), "w4");
        assert_eq!(primary_of(&["fp32", "w8", "w3"]).unwrap(), "w8");
        assert_eq!(primary_of(&["fp32"]).unwrap(), "fp32");
        assert_eq!(primary_of(&[]), None);
    }
}

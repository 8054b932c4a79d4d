//! What a unit makes of the layers that a mapper gives it; one file per kind of unit implements it.

use super::run::Run;
use super::tiled::OnChip;
use super::{LayerCost, Machine};
use crate::exec::{Activity, Pattern};
use crate::hw::{Stationary, Unit, Unrolling};
use crate::map::{Layer, Plan, Workload};
use crate::model::Network;

impl Run<'_> {
    /// What it costs for one of the images.
    pub fn cost(self, machine: &Machine) -> LayerCost {
        machine.cost_model(self.plan.unit).layer_cost(machine, self)
    }
}

/// Time and energy of a unit.
pub trait CostModel {
    /// Cost of one layer for one of the images.
    fn layer_cost(&self, machine: &Machine, run: Run<'_>) -> LayerCost;

    /// What one layer asks for on chip, which plans share that [compute alike](Plan::computes_like); `None` of a unit that
    /// is charged in another way. `known` may spare some of it: what the layer asks for by another plan, with the same
    /// activity.
    fn on_chip(&self, _machine: &Machine, _run: Run<'_>, _known: Option<&OnChip>) -> Option<OnChip> {
        None
    }

    /// What lanes that keep sums and stand for `lanes`, or a unit without lanes, have to know of spikes beyond their
    /// counts.
    fn patterns(&self, _machine: &Machine, _lanes: &Unrolling) -> Vec<Pattern> {
        Vec::new()
    }
}

impl Machine {
    /// The cost model of unit number `unit`.
    ///
    /// # Panics
    /// If it takes no products.
    pub(crate) fn cost_model(&self, unit: usize) -> &dyn CostModel {
        cost_model(&self.hardware.units[unit]).expect("a unit of products")
    }

    /// What lanes that keep sums, in any layout, and units without lanes have to know of spikes beyond their counts.
    fn patterns(&self) -> impl Iterator<Item = Pattern> {
        self.hardware.product_units().flat_map(move |(number, unit)| {
            let layouts = unit.layouts();
            let lanes: Vec<Unrolling> = if layouts.is_empty() {
                vec![Unrolling::default()]
            } else {
                let keep_sums = layouts.into_iter().filter(|layout| layout.keeps == Stationary::Outputs);
                keep_sums.map(|layout| layout.lanes).collect()
            };
            lanes.into_iter().flat_map(move |lanes| self.cost_model(number).patterns(self, &lanes))
        })
    }
}

/// What `machines` have to know of the spikes of `network` beyond their counts, each once.
pub fn patterns(machines: &[Machine], network: &Network) -> Vec<Pattern> {
    let mut patterns: Vec<Pattern> = Vec::new();
    for pattern in machines.iter().flat_map(Machine::patterns) {
        if !patterns.contains(&pattern) && pattern.is_counted_in(network) {
            patterns.push(pattern);
        }
    }
    patterns
}

/// The cost model of `unit`; `None` if it takes no products.
fn cost_model(unit: &Unit) -> Option<&dyn CostModel> {
    match unit {
        Unit::SpikeLanes(unit) => Some(unit),
        Unit::Systolic(unit) => Some(unit),
        Unit::Processor(unit) => Some(unit),
        Unit::EventCores(unit) => Some(unit.as_ref()),
        Unit::ManyCore(unit) => Some(unit),
        Unit::Vector(_) => None,
    }
}

/// `layer` of `workload` under `plan`, for a batch of images that do `activity`.
pub fn run<'a>(workload: &Workload, layer: &'a Layer, plan: &'a Plan, activity: &'a Activity) -> Run<'a> {
    let (timesteps, batch) = (workload.timesteps as f64, workload.batch as f64);
    Run { layer, plan, activity, timesteps, batch, names_stalls: true }
}

/// Cost of `layer` under `plan` for one image that goes through it alone.
pub fn layer_cost(
    layer: &Layer,
    plan: &Plan,
    machine: &Machine,
    activity: &Activity,
    timesteps: usize,
) -> LayerCost {
    let timesteps = timesteps as f64;
    Run { layer, plan, activity, timesteps, batch: 1.0, names_stalls: true }.cost(machine)
}

//! The least that a layer can cost by what units compute for it, wherever its operands live: a choice among many plans
//! looks first at those that can be good.

use super::Machine;
use super::cost_model::run;
use super::prefetch::Outline;
use crate::exec::Activity;
use crate::map::{Layer, Plan, Workload};

/// What `layer` of `workload` costs at least by any plan that computes it as one of `ways` does, for each of them, all
/// `samples` together; nothing where a unit is charged in another way.
pub fn least_costs(
    workload: &Workload,
    layer: &Layer,
    ways: &[Plan],
    machine: &Machine,
    samples: &[Activity],
) -> Vec<Outline> {
    let mut sums = vec![Outline::default(); ways.len()];
    for activity in samples {
        let mut known = None;
        for (sum, way) in sums.iter_mut().zip(ways) {
            let run = run(workload, layer, way, activity);
            known = machine.cost_model(way.unit).on_chip(machine, run, known.as_ref());
            if let Some(on_chip) = &known {
                sum.add(&on_chip.least(machine, run));
            }
        }
    }
    sums
}

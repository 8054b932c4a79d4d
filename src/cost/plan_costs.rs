//! Costs of many plans of one layer.

use super::cost_model::run;
use super::run::Run;
use super::{LayerCost, Machine};
use crate::exec::Activity;
use crate::map::{Layer, Plan, Workload};

/// What `keep` keeps of what `layer` of `workload` costs by each of `plans`, for one image that does `activity`: whom units
/// wait for is left out. Neighbours that compute alike are computed once.
pub fn plan_costs<T>(
    workload: &Workload,
    layer: &Layer,
    plans: &[Plan],
    machine: &Machine,
    activity: &Activity,
    keep: impl Fn(&LayerCost) -> T,
) -> Vec<T> {
    let mut costs = Vec::with_capacity(plans.len());
    let mut known = None;
    for alike in plans.chunk_by(|a, b| a.computes_like(b, &machine.hardware)) {
        let run = |plan| Run { names_stalls: false, ..run(workload, layer, plan, activity) };
        let on_chip = machine.cost_model(alike[0].unit).on_chip(machine, run(&alike[0]), known.as_ref());
        costs.extend(alike.iter().map(|plan| match &on_chip {
            Some(on_chip) => keep(&on_chip.cost(machine, run(plan))),
            None => keep(&run(plan).cost(machine)),
        }));
        known = on_chip.or(known);
    }
    costs
}

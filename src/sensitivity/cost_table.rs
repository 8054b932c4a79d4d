//! What a layer costs at each choice of its weights, beside layers that stay as they are.

use super::subject::candidates;
use super::{Candidate, Choice};
use crate::cost::Machine;
use crate::error::{Error, Result};
use crate::evaluate::{Evaluation, Evaluator};
use crate::quant::{FixedPoint, Setting};

/// What every layer costs at every choice, on one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct CostTable {
    /// Name of the model.
    pub model: String,
    /// Name of the machine.
    pub hardware: String,
    /// Name of the setting of all layers but one.
    pub base: String,
    /// Images whose activity is charged.
    pub images: usize,
    /// One per layer and choice, layer by layer.
    pub rows: Vec<ChoiceCost>,
}

/// One layer at one choice.
#[derive(Debug, Clone, PartialEq)]
pub struct ChoiceCost {
    /// The weight layer, with the neurons and joins behind it.
    pub layer: String,
    /// Name of its choice.
    pub choice: String,
    /// Bits of a weight code.
    pub weight_bits: u32,
    /// Dynamic energy and leakage of the layer, an inference.
    pub energy_j: f64,
    /// Cycles of the layer, an inference.
    pub cycles: f64,
    /// Weight codes of the layer.
    pub weight_bytes: f64,
    /// Energy of the whole network, an inference: what stays on chip of other layers changes with this one.
    pub network_energy_j: f64,
    /// Cycles of the whole network, an inference.
    pub network_cycles: f64,
}

/// Charges `machine` for every weight layer at every one of `choices`, the others at the setting `base`, called `name`, so that
/// what a layer reads does not depend on its choice. `progress` is told of every choice.
///
/// # Errors
/// If a choice is one of membranes, if the setting does not fit the model, or if the machine cannot run a layer at a
/// choice; the message names both.
pub fn cost_table(
    evaluator: &Evaluator,
    (name, base): (&str, &FixedPoint),
    choices: &[Choice],
    machine: &Machine,
    images: usize,
    progress: &(dyn Fn() + Sync),
) -> Result<CostTable> {
    if let Some(choice) = choices.iter().find(|choice| choice.is_of_membranes()) {
        return Err(Error::mismatch(format!("--bits: {} says nothing of weights", choice.name)));
    }
    let rows = candidates(evaluator.model(), base, choices).into_iter().map(|candidate| {
        let choice = &choices[candidate.choice];
        let evaluation = evaluation(evaluator, &candidate, choice, machine)?;
        progress();
        row(&candidate.layer, choice, &evaluation)
    });
    Ok(CostTable {
        model: evaluator.model().description.name.clone(),
        hardware: machine.hardware.name.clone(),
        base: name.to_owned(),
        images,
        rows: rows.collect::<Result<_>>()?,
    })
}

fn evaluation(
    evaluator: &Evaluator,
    candidate: &Candidate,
    choice: &Choice,
    machine: &Machine,
) -> Result<Evaluation> {
    let mut setting = Setting::of(candidate.setting.clone())?;
    setting.name = format!("{} at {}", candidate.layer, choice.name);
    let machines = std::slice::from_ref(machine);
    let evaluated =
        evaluator.evaluate(&setting, machines, &|| ()).map_err(|e| e.at_setting(&setting.name))?;
    Ok(evaluated.into_iter().next().expect("one evaluation per machine"))
}

fn row(layer: &str, choice: &Choice, evaluation: &Evaluation) -> Result<ChoiceCost> {
    let Some(found) = evaluation.layers.iter().find(|evaluated| evaluated.name == layer) else {
        return Err(Error::field(format!("layer {layer}"), "cost", "is no layer of the workload"));
    };
    Ok(ChoiceCost {
        layer: layer.to_owned(),
        choice: choice.name.clone(),
        weight_bits: found.weight_bits,
        energy_j: found.energy_j.total() + found.leakage_j,
        cycles: found.cycles.total(),
        weight_bytes: found.weight_bytes,
        network_energy_j: evaluation.total_energy_j(),
        network_cycles: evaluation.cycles.total(),
    })
}

//! Energy by whole events, for chips that are characterized so and for the operation counts of papers.

use super::parts::EnergyJ;
use crate::exec::Activity;
use crate::hw::{Counting, EventTable};
use crate::map::{Epilogue, EpilogueKind, Input, InputFrames, Layer, Product};

/// Energy of `layer` for one image; nothing is charged beside the events.
pub fn energy_j(table: &EventTable, layer: &Layer, activity: &Activity, timesteps: f64) -> EnergyJ {
    let mut energy = EnergyJ::default();
    if let Some(product) = &layer.product {
        energy.synapse =
            operations(table, product, activity, timesteps) * operation_pj(table, product) * 1e-12;
    }
    for epilogue in &layer.epilogue {
        add_epilogue(&mut energy, table, epilogue, activity, timesteps);
    }
    energy
}

/// Weights that meet an input that is not zero.
fn operations(table: &EventTable, product: &Product, activity: &Activity, timesteps: f64) -> f64 {
    let counted = &activity.nodes[product.node.index()];
    let total = counted.total();
    match table.counting {
        Counting::Executed => total.synaptic_operations() as f64,
        Counting::Rates => {
            let inputs = (product.input_values * counted.steps.len().max(1)) as f64;
            let frames = if product.frames == InputFrames::BehindMean { 1.0 } else { timesteps };
            f64::from(total.input_events) / inputs * product.dense_operations() * frames
        }
    }
}

/// Energy of a weight that meets an input. Weights of a single position are no convolution's.
fn operation_pj(table: &EventTable, product: &Product) -> f64 {
    let accumulation = match product.positions {
        1 => &table.linear_accumulation_pj,
        _ => &table.accumulation_pj,
    };
    match (product.input, product.sums_of_spikes) {
        (Input::Spikes, _) => accumulation.value,
        (Input::Integers { bits }, true) => table.sums_of_spikes.pj(bits, accumulation.value),
        (Input::Integers { bits }, false) => table.multi_bit.pj(bits, accumulation.value),
    }
}

fn add_epilogue(
    energy: &mut EnergyJ,
    table: &EventTable,
    epilogue: &Epilogue,
    activity: &Activity,
    timesteps: f64,
) {
    let total = activity.nodes[epilogue.node.index()].total();
    let frames = epilogue.frames(timesteps);
    let values = epilogue.values as f64 * frames;
    match epilogue.kind {
        EpilogueKind::Neuron { .. } | EpilogueKind::IntegerNeuron { .. } => {
            let updates = f64::from(total.neuron_updates) * table.neuron_update_pj.value;
            energy.neuron += (updates + f64::from(total.output_events) * table.spike_pj.value) * 1e-12;
        }
        EpilogueKind::SpikeProducts { operations, sums, .. } => {
            energy.attention += (operations + sums) as f64 * frames * table.spike_product_pj.value * 1e-12;
        }
        _ => energy.elementwise += values * table.elementwise_pj.value * 1e-12,
    }
}

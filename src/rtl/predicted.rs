//! What the cost model says of a layer as the design runs it.

use serde::{Deserialize, Serialize};

use super::layer::DesignLayer;
use crate::cost::{Cycles, Machine, layer_cost};
use crate::exec::Activity;
use crate::map::{Epilogue, EpilogueKind, Layer, Order, Plan, Product};

/// Cycles by what they are spent on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CauseCycles {
    /// Steps that add something, of an average lane.
    pub work: f64,
    /// Waiting for the slowest lane of a wave.
    pub slowest: f64,
    /// Waiting for memories.
    pub ports: f64,
    /// Program, parameters, pipelines.
    pub fill_drain: f64,
    /// Neurons that do not hide behind the lanes.
    pub neurons: f64,
}

impl CauseCycles {
    /// The cycles of both, cause by cause.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            work: self.work + other.work,
            slowest: self.slowest + other.slowest,
            ports: self.ports + other.ports,
            fill_drain: self.fill_drain + other.fill_drain,
            neurons: self.neurons + other.neurons,
        }
    }

    /// Cycles of all causes.
    pub fn total(&self) -> f64 {
        self.work + self.slowest + self.ports + self.fill_drain + self.neurons
    }
}

/// Cycles of `layer`: its product, with its neurons or the rows of sums that leave behind it, everything on chip.
pub fn predicted(
    layer: &DesignLayer,
    machine: &Machine,
    activity: &Activity,
    timesteps: usize,
) -> CauseCycles {
    let product = Product { from_outside: false, ..layer.product.clone() };
    let all = Layer { product: Some(product), epilogue: vec![behind(layer)], ..layer.layer.clone() };
    causes(layer_cost(&all, &alone(layer.plan), machine, activity, timesteps).cycles)
}

/// Cycles of one operation of `layer`, everything on chip.
pub fn predicted_operation(
    (layer, plan): (&Layer, &Plan),
    epilogue: &Epilogue,
    machine: &Machine,
    activity: &Activity,
    timesteps: usize,
) -> CauseCycles {
    let operation = Layer { product: None, epilogue: vec![epilogue.clone()], ..layer.clone() };
    causes(layer_cost(&operation, &alone(plan), machine, activity, timesteps).cycles)
}

/// `plan` with everything on chip.
fn alone(plan: &Plan) -> Plan {
    let Plan { unit, dataflow, lanes, placement, recompute, channels, .. } = *plan;
    Plan {
        unit,
        dataflow,
        lanes,
        placement,
        recompute,
        channels,
        order: Order::ChannelsOutermost,
        resident_channels: 0,
        home: Default::default(),
        activations: None,
        residual: None,
        group: None,
    }
}

fn causes(cycles: Cycles) -> CauseCycles {
    let Cycles { ideal, under_utilisation, fill_drain, imbalance, epilogue, port_stall, .. } = cycles;
    CauseCycles {
        work: ideal + under_utilisation,
        slowest: imbalance,
        ports: port_stall,
        fill_drain,
        neurons: epilogue,
    }
}

/// The neurons, or a pass of the sums through the vector unit.
fn behind(layer: &DesignLayer) -> Epilogue {
    let product = layer.product;
    let neurons = layer.neuron.and_then(|(id, _)| layer.layer.epilogue.iter().find(|e| e.node == id));
    neurons.cloned().unwrap_or(Epilogue {
        node: product.node,
        kind: EpilogueKind::Requantize {
            from_bits: product.accumulator_bits,
            read_bits: 0,
            shift: true,
            residual: false,
        },
        values: product.positions * product.outputs,
        constant: product.is_constant(),
        stored_bits: 0,
    })
}

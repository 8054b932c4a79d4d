use serde::{Deserialize, Serialize};

use super::datapath::{Charged, Datapath, Takes};
use crate::error::{Fault, Result};
use crate::hw::sourced::{Sourced, integer, number, positive};
use crate::hw::{Energies, EventTable};

/// Cores that each hold neurons, their weights and their state. A layer takes as many cores as its neurons or
/// its weights need, works on them evenly, and ends a timestep before the next one starts. What cores have no
/// unit for is done as synaptic operations: integers bit by bit, products of spikes and joins one by one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManyCore {
    /// What messages call it.
    #[serde(deserialize_with = "crate::name::title")]
    pub name: String,
    /// Name of a table of energies of whole events.
    pub events: String,
    /// Neurons of a core.
    pub neurons_per_core: Sourced<u32>,
    /// Bits of weights of a core.
    pub weight_bits_per_core: Sourced<u64>,
    /// Widest weight code.
    pub max_weight_bits: Sourced<u32>,
    /// Time of a synaptic operation.
    pub synapse_s: Sourced<f64>,
    /// Time of a membrane update.
    pub neuron_s: Sourced<f64>,
    /// Time of a spike that leaves its neuron.
    pub spike_s: Sourced<f64>,
    /// Time in which all cores agree that a timestep is over.
    pub barrier_s: Sourced<f64>,
}

impl Datapath for ManyCore {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), Fault> {
        match Energies::load(&self.events) {
            Ok(Energies::Events(_)) => {}
            Ok(Energies::Units(_)) => {
                let message = format!("{} holds no energies of whole events", self.events);
                return Err(Fault::new("events", message));
            }
            Err(e) => return Err(Fault::new("events", e.to_string())),
        }
        positive("neurons_per_core", &self.neurons_per_core, 1 << 24)?;
        let bits = &self.weight_bits_per_core;
        integer("weight_bits_per_core", bits.value, &bits.source, 1, 1 << 40)?;
        positive("max_weight_bits", &self.max_weight_bits, 32)?;
        for (field, value) in [
            ("synapse_s", &self.synapse_s),
            ("neuron_s", &self.neuron_s),
            ("spike_s", &self.spike_s),
            ("barrier_s", &self.barrier_s),
        ] {
            number(field, value, 0.0, 1.0)?;
        }
        Ok(())
    }

    fn takes(&self) -> Option<Takes> {
        let weight_bits = self.max_weight_bits.value;
        Some(Takes { weight_bits, input_bits: 32, inputs: "input_bits", sum_bits: None, in_parts: false })
    }

    fn charged(&self) -> Charged {
        Charged::Events
    }

    fn events(&self) -> Result<Option<EventTable>> {
        Ok(match Energies::load(&self.events)? {
            Energies::Events(table) => Some(*table),
            Energies::Units(_) => None,
        })
    }
}

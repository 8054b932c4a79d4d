//! One file per published family; each turns hyperparameters into a [`Network`](super::Network).

mod qk_former;
mod spike_driven_v1;
mod spike_driven_v2;
mod spikformer;
mod spikingformer;

pub use qk_former::QkFormer;
pub use spike_driven_v1::SpikeDrivenV1;
pub use spike_driven_v2::SpikeDrivenV2;
pub use spikformer::Spikformer;
pub use spikingformer::Spikingformer;

use super::Window;
use crate::error::{Error, Result};

/// The pooling of all stems.
const POOL: Window = Window { size: 3, stride: 2, pad: 1 };

/// Refuses blocks that no checkpoint has.
fn check_transformer(family: &str, dim: usize, depth: usize, heads: usize, mlp_ratio: usize) -> Result<()> {
    let refuse = |field: &str, message: String| Err(Error::mismatch(format!("{family}: {field}: {message}")));
    if dim == 0 || dim > 4096 || !dim.is_multiple_of(8) {
        return refuse("dim", format!("{dim} is not a multiple of 8 in 8..=4096"));
    }
    if heads == 0 || !dim.is_multiple_of(heads) {
        return refuse("heads", format!("{heads} does not divide dim {dim}"));
    }
    if depth == 0 || depth > 64 {
        return refuse("depth", format!("{depth} is not in 1..=64"));
    }
    if mlp_ratio == 0 || mlp_ratio > 16 {
        return refuse("mlp_ratio", format!("{mlp_ratio} is not in 1..=16"));
    }
    Ok(())
}

fn check_range(family: &str, field: &str, value: f64, min: f64, max: f64) -> Result<()> {
    match (min..=max).contains(&value) {
        true => Ok(()),
        false => Err(Error::mismatch(format!("{family}: {field}: {value} is not in {min}..={max}"))),
    }
}

#[cfg(test)]
mod counts {
    use crate::model::Network;

    /// Totals of an original implementation.
    #[derive(Debug, PartialEq)]
    pub struct Counts {
        parameters: u64,
        unused: u64,
        neurons: u64,
        binary: u64,
        integer: u64,
        real: u64,
        attention: u64,
    }

    impl From<[u64; 7]> for Counts {
        fn from([parameters, unused, neurons, binary, integer, real, attention]: [u64; 7]) -> Self {
            Self { parameters, unused, neurons, binary, integer, real, attention }
        }
    }

    /// Compares all totals at once, so that a failure shows them side by side.
    pub fn assert_counts(network: &Network, expected: Counts) {
        let operations = network.operations();
        let counts = Counts {
            parameters: network.parameter_count(),
            unused: network.unused.iter().map(|p| p.len() as u64).sum(),
            neurons: network.neuron_count(),
            binary: operations.binary,
            integer: operations.integer,
            real: operations.real,
            attention: operations.attention,
        };
        assert_eq!(counts, expected);
    }
}

//! One file per published family; each turns hyperparameters into a [`Network`](super::Network).

mod blocks;
mod qk_former;
mod spike_driven_v1;
mod spike_driven_v2;
mod spike_driven_v3;
mod spikformer;
mod spikingformer;

pub use qk_former::QkFormer;
pub use spike_driven_v1::SpikeDrivenV1;
pub use spike_driven_v2::SpikeDrivenV2;
pub use spike_driven_v3::SpikeDrivenV3;
pub use spikformer::Spikformer;
pub use spikingformer::Spikingformer;

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

//! One file per published family; each turns hyperparameters into a [`Network`](super::Network).

mod spike_driven_v1;

pub use spike_driven_v1::SpikeDrivenV1;

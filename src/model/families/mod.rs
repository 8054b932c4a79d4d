//! One file per published family, and one for networks written out layer by layer; each turns its
//! hyperparameters into a [`Network`](super::Network).

mod as_layers;
mod blocks;
mod four_stages;
mod layers;
mod qk_former;
mod spike_driven_v1;
mod spike_driven_v2;
mod spike_driven_v3;
mod spikformer;
mod spikingformer;

pub use layers::Layers;
pub use qk_former::QkFormer;
pub use spike_driven_v1::SpikeDrivenV1;
pub use spike_driven_v2::{RepConv, SpikeDrivenV2};
pub use spike_driven_v3::SpikeDrivenV3;
pub use spikformer::Spikformer;
pub use spikingformer::Spikingformer;

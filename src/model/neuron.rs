//! Spiking neurons: what a membrane keeps (`leak.rs`), when it fires, and what a spike leaves (`reset.rs`).

use serde::{Deserialize, Serialize};

use super::{Leak, Parameter, Reset};
use crate::error::{Error, Result};

/// A spiking neuron: potential = leak(membrane) + input, fire, reset.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neuron {
    /// Firing threshold, in units of the float network.
    pub threshold: f64,
    /// True if the checkpoint has `{name}.threshold`, one per channel, which multiplies `threshold`.
    #[serde(default)]
    pub per_channel: bool,
    /// Membrane dynamics.
    pub leak: Leak,
    /// What a spike leaves behind.
    pub reset: Reset,
    /// Comparison with the threshold.
    pub fire: Fire,
}

impl Neuron {
    /// SpikingJelly's default LIF: H = V + (X - V)/2, fire on H >= threshold, reset to 0.
    pub fn lif(threshold: f64) -> Self {
        let (leak, reset, fire) = (Leak::HalfWithInput, Reset::Zero, Fire::AtThreshold);
        Self { threshold, per_channel: false, leak, reset, fire }
    }

    /// How far above the value that it resets to a neuron fires whose threshold its checkpoint multiplies by `scale`.
    /// A membrane starts at that value and leaks toward it, so that what lies above it behaves as one that resets to 0.
    pub fn height(&self, scale: f32) -> f64 {
        self.threshold * f64::from(scale) - self.reset.value()
    }

    /// The tensors that neurons of the layer `name` read, named as in a checkpoint.
    pub fn parameters(&self, name: &str, channels: usize) -> Vec<Parameter> {
        let name_of = || threshold_name(name);
        let threshold =
            self.per_channel.then(|| Parameter { name: name_of(), shape: vec![channels], trained: true });
        threshold.into_iter().chain(self.leak.parameter(name, channels)).collect()
    }

    /// Refuses what cannot be executed, of the layer `name`.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let refuse = |message: String| Err(Error::mismatch(format!("layer {name}: {message}")));
        if !(1e-9..=1e9).contains(&self.threshold) {
            return refuse(format!("a threshold of {:?} is not in 1e-9..=1e9", self.threshold));
        }
        self.reset.check(self.threshold, self.per_channel).or_else(refuse)?;
        if let Leak::Loihi { .. } = self.leak {
            if self.reset != Reset::Zero {
                return refuse("a neuron of Loihi resets to 0".to_owned());
            }
            if self.fire != Fire::AboveThreshold {
                return refuse("a neuron of Loihi fires above its threshold".to_owned());
            }
        }
        self.leak.check().or_else(refuse)
    }
}

/// The tensor of thresholds of the layer `name`, one per channel.
pub fn threshold_name(name: &str) -> String {
    format!("{name}.threshold")
}

/// A neuron without memory that fires integer spikes: round(clamp(input, 0, max)) / norm, halves to even
/// (Yao et al., Scaling Spike-driven Transformer, 2024). One timestep of it stands for `max` binary ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntegerNeuron {
    /// Largest level.
    pub max: u32,
    /// Divisor of the level.
    pub norm: u32,
}

/// When a neuron fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Fire {
    /// potential >= threshold.
    AtThreshold,
    /// potential > threshold.
    AboveThreshold,
}

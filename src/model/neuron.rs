//! Spiking neurons: what a membrane keeps, when it fires, and what a spike leaves.

use serde::{Deserialize, Serialize};

use super::Parameter;
use crate::error::{Error, Result};
use crate::num::Keep;

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
        let trained = |name, shape| Parameter { name, shape, trained: true };
        let threshold = self.per_channel.then(|| trained(threshold_name(name), vec![channels]));
        let learned = matches!(self.leak, Leak::Parametric { .. });
        threshold.into_iter().chain(learned.then(|| trained(leak_name(name), vec![]))).collect()
    }

    /// Refuses what cannot be executed, of the layer `name`.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let refuse = |message: String| Err(Error::mismatch(format!("layer {name}: {message}")));
        if !(1e-9..=1e9).contains(&self.threshold) {
            return refuse(format!("a threshold of {:?} is not in 1e-9..=1e9", self.threshold));
        }
        match (self.reset, self.leak) {
            (Reset::To(value), _) if !value.is_finite() || value >= self.threshold => {
                return refuse(format!(
                    "a reset to {value:?} is not below the threshold, {:?}",
                    self.threshold
                ));
            }
            (Reset::To(value), _) if self.per_channel && value > 0.0 => {
                return refuse(format!("a reset to {value:?} where each channel has a threshold of its own"));
            }
            (Reset::To(_) | Reset::Subtract, Leak::Loihi { .. }) => {
                return refuse("a neuron of Loihi resets to 0".to_owned());
            }
            (_, Leak::Loihi { .. }) if self.fire != Fire::AboveThreshold => {
                return refuse("a neuron of Loihi fires above its threshold".to_owned());
            }
            _ => {}
        }
        self.leak.check().or_else(refuse)
    }
}

/// The tensor of thresholds of the layer `name`, one per channel.
pub fn threshold_name(name: &str) -> String {
    format!("{name}.threshold")
}

/// The tensor from which the layer `name` learned its time constant.
pub fn leak_name(name: &str) -> String {
    format!("{name}.w")
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

/// The time constant that SpikingJelly gives a parametric neuron before it learns.
const INITIAL_TAU: f64 = 2.0;

/// Membrane dynamics: what is left of V beside the input X, toward the value that a spike resets to.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
pub enum Leak {
    /// tau = 2 with input decay: H = (V + X)/2.
    HalfWithInput,
    /// H = V 2^-k + X: the input is not decayed.
    Shift(u32),
    /// Any time constant.
    Tau {
        /// tau, above 1 and at most 65,536.
        tau: f64,
        /// True for H = V + (X - V)/tau, false for H = V - V/tau + X.
        decay_input: bool,
    },
    /// H = beta V + X, beta at least 0 and below 1: snnTorch's `Leaky`.
    Beta(f64),
    /// tau = 1/sigmoid(w) of the scalar `{name}.w` of the checkpoint (Fang et al., ICCV 2021).
    Parametric {
        /// As of `Tau`.
        decay_input: bool,
        /// What w was found to say; 2 until weights are read.
        #[serde(skip, default = "initial_tau")]
        tau: f64,
    },
    /// Integrate and fire: H = V + X.
    None,
    /// Loihi (Davies et al., IEEE Micro 2018): I = I (4095 - c)/4096 + X, H = V (4096 - d)/4096 + I.
    Loihi {
        /// d, 0..=4096.
        voltage_decay: u32,
        /// c, 0..=4095; 4095 keeps no current.
        current_decay: u32,
    },
}

fn initial_tau() -> f64 {
    INITIAL_TAU
}

impl Leak {
    /// The parametric leak that learned `w`.
    pub(super) fn learned(self, w: f32) -> Self {
        match self {
            // 1 / sigmoid(w).
            Self::Parametric { decay_input, .. } => {
                Self::Parametric { decay_input, tau: 1.0 + (-f64::from(w)).exp() }
            }
            other => other,
        }
    }

    /// By what the integer potential g exceeds H: tau where the input is decayed, which integers leave undone.
    pub fn gain(self) -> f64 {
        match self {
            Self::HalfWithInput => 2.0,
            Self::Tau { tau, decay_input: true } | Self::Parametric { tau, decay_input: true } => tau,
            _ => 1.0,
        }
    }

    /// What a membrane keeps of a potential per timestep; everything where decays are those of Loihi.
    pub fn keep(self) -> Keep {
        match self {
            Self::HalfWithInput => Keep::half_to_the(1),
            Self::Shift(k) => Keep::half_to_the(k),
            Self::Tau { tau, .. } | Self::Parametric { tau, .. } => Keep::nearest(1.0 - 1.0 / tau),
            Self::Beta(beta) => Keep::nearest(beta),
            Self::None | Self::Loihi { .. } => Keep::ALL,
        }
    }

    pub(super) fn check(self) -> Result<(), String> {
        match self {
            Self::Shift(k @ 31..) => Err(format!("a leak of 2^-{k} exceeds 2^-30")),
            Self::Tau { tau, .. } | Self::Parametric { tau, .. } if !(tau > 1.0 && tau <= 65536.0) => {
                Err(format!("a time constant tau of {tau:?} is not above 1 and at most 65536"))
            }
            Self::Beta(beta) if !(0.0..1.0).contains(&beta) || self.keep() == Keep::ALL => {
                Err(format!("a leak that keeps {beta:?} is not from 0 to 65535/65536"))
            }
            Self::Loihi { voltage_decay: 4097.., .. } | Self::Loihi { current_decay: 4096.., .. } => {
                Err("a neuron of Loihi decays by 0..=4096 and 0..=4095 parts of 4096".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// A leak in single precision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FloatLeak {
    /// H = V + (X - V)/tau.
    DecayedInput {
        /// tau.
        tau: f32,
    },
    /// H = V kept + X.
    Kept(f32),
}

impl From<Leak> for FloatLeak {
    /// Of Loihi the decay of the voltage.
    fn from(leak: Leak) -> Self {
        match leak {
            Leak::HalfWithInput => Self::DecayedInput { tau: 2.0 },
            Leak::Tau { tau, decay_input: true } | Leak::Parametric { tau, decay_input: true } => {
                Self::DecayedInput { tau: tau as f32 }
            }
            Leak::Tau { tau, decay_input: false } | Leak::Parametric { tau, decay_input: false } => {
                Self::Kept((1.0 - 1.0 / tau) as f32)
            }
            Leak::Shift(k) => Self::Kept((-(k as f32)).exp2()),
            Leak::Beta(beta) => Self::Kept(beta as f32),
            Leak::None => Self::Kept(1.0),
            Leak::Loihi { voltage_decay, .. } => Self::Kept((4096 - voltage_decay) as f32 / 4096.0),
        }
    }
}

impl FloatLeak {
    /// H of a membrane `v` and the input `x`.
    #[inline(always)]
    pub fn potential(self, v: f32, x: f32) -> f32 {
        match self {
            Self::DecayedInput { tau } => v + (x - v) / tau,
            Self::Kept(kept) => v * kept + x,
        }
    }
}

/// What a spike leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
pub enum Reset {
    /// Hard reset to 0.
    Zero,
    /// Hard reset to a value in units of the float network, from which membranes start and toward which they leak.
    To(f64),
    /// Soft reset: the threshold is subtracted.
    Subtract,
}

impl Reset {
    /// What a membrane starts from and leaks toward.
    pub fn value(self) -> f64 {
        match self {
            Self::To(value) => value,
            Self::Zero | Self::Subtract => 0.0,
        }
    }
}

/// When a neuron fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Fire {
    /// potential >= threshold.
    AtThreshold,
    /// potential > threshold.
    AboveThreshold,
}

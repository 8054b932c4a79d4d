//! What a membrane keeps of itself from one timestep to the next.

use serde::{Deserialize, Serialize};

use crate::num::Keep;

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

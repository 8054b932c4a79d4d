//! The leak of a membrane: how much of itself it keeps from one timestep to the next.

use serde::{Deserialize, Serialize};

use super::Parameter;
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
    /// A leak that a tensor of the layer in the checkpoint holds.
    Parametric {
        /// True if the input decays too, as in `Tau`.
        decay_input: bool,
        /// What the tensor holds.
        #[serde(default, skip_serializing_if = "Learned::is_w")]
        of: Learned,
        /// True for one value per channel, false for a scalar.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        per_channel: bool,
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

/// What a checkpoint holds of a leak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Learned {
    /// `{name}.w`: tau = 1/sigmoid(w) (Fang et al., ICCV 2021).
    #[default]
    W,
    /// `{name}.tau`.
    Tau,
    /// `{name}.beta` = 1 - 1/tau, what is below 0 or above 1 taken for 0 or 1, as snnTorch does.
    Beta,
}

impl Learned {
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_w(&self) -> bool {
        *self == Self::W
    }

    fn tensor(self, name: &str) -> String {
        let tensor = match self {
            Self::W => "w",
            Self::Tau => "tau",
            Self::Beta => "beta",
        };
        format!("{name}.{tensor}")
    }

    /// The value of a time constant of 2, as SpikingJelly's parametric neurons have before they learn.
    pub(crate) fn initial(self) -> f32 {
        match self {
            Self::W => 0.0,
            Self::Tau => 2.0,
            Self::Beta => 0.5,
        }
    }
}

impl Leak {
    /// The tensor that the layer `name` of `channels` reads of a checkpoint, if any.
    pub fn parameter(self, name: &str, channels: usize) -> Option<Parameter> {
        let Self::Parametric { of, per_channel, .. } = self else { return None };
        let shape = if per_channel { vec![channels] } else { vec![] };
        Some(Parameter { name: of.tensor(name), shape, trained: true })
    }

    /// The leak of a channel whose checkpoint holds `value`; a leak that is stated depends on none.
    ///
    /// # Errors
    /// Says what no leak can be.
    pub(crate) fn decay(self, value: f32) -> Result<Decay, String> {
        let value = f64::from(value);
        let leak = match self {
            Self::Parametric { decay_input, of: Learned::W, .. } => {
                Self::Tau { tau: 1.0 + (-value).exp(), decay_input }
            }
            Self::Parametric { decay_input, of: Learned::Tau, .. } => Self::Tau { tau: value, decay_input },
            Self::Parametric { decay_input: true, of: Learned::Beta, .. } => {
                let kept = value.clamp(0.0, 1.0);
                let (keep, tau) = (Keep::nearest(kept), 1.0 / (1.0 - kept));
                if keep == Keep::ALL {
                    return Err(format!("a leak that keeps {value:?} decays its input to nothing"));
                }
                return Ok(Decay { gain: tau, keep, float: FloatLeak::DecayedInput { tau: tau as f32 } });
            }
            Self::Parametric { decay_input: false, of: Learned::Beta, .. } => match value.clamp(0.0, 1.0) {
                kept if Keep::nearest(kept) == Keep::ALL => Self::None,
                kept => Self::Beta(kept),
            },
            stated => stated,
        };
        leak.check().map(|()| leak.stated())
    }

    /// The leak in numbers, of one that is stated.
    ///
    /// # Panics
    /// Of a leak that a checkpoint says.
    pub fn stated(self) -> Decay {
        let (gain, keep, float) = match self {
            Self::HalfWithInput => (2.0, Keep::half_to_the(1), FloatLeak::DecayedInput { tau: 2.0 }),
            Self::Shift(k) => (1.0, Keep::half_to_the(k), FloatLeak::Kept((-(k as f32)).exp2())),
            Self::Tau { tau, decay_input: true } => {
                (tau, Keep::nearest(1.0 - 1.0 / tau), FloatLeak::DecayedInput { tau: tau as f32 })
            }
            Self::Tau { tau, decay_input: false } => {
                (1.0, Keep::nearest(1.0 - 1.0 / tau), FloatLeak::Kept((1.0 - 1.0 / tau) as f32))
            }
            Self::Beta(beta) => (1.0, Keep::nearest(beta), FloatLeak::Kept(beta as f32)),
            Self::None => (1.0, Keep::ALL, FloatLeak::Kept(1.0)),
            Self::Loihi { voltage_decay, .. } => {
                (1.0, Keep::ALL, FloatLeak::Kept((4096 - voltage_decay) as f32 / 4096.0))
            }
            Self::Parametric { .. } => panic!("a leak that a checkpoint says"),
        };
        Decay { gain, keep, float }
    }

    /// The leak in numbers: of one that a checkpoint says, before it learns.
    pub(crate) fn initial(self) -> Decay {
        match self {
            Self::Parametric { decay_input, .. } => Self::Tau { tau: INITIAL_TAU, decay_input }.stated(),
            stated => stated.stated(),
        }
    }

    /// Says what is wrong with a leak that is stated, if anything.
    pub(super) fn check(self) -> Result<(), String> {
        match self {
            Self::Shift(k @ 31..) => Err(format!("a leak of 2^-{k} exceeds 2^-30")),
            Self::Tau { tau, .. } if !(tau > 1.0 && tau <= 65536.0) => {
                Err(format!("a time constant tau of {tau:?} is not above 1 and at most 65536"))
            }
            Self::Beta(beta) if !(0.0..1.0).contains(&beta) || Keep::nearest(beta) == Keep::ALL => {
                Err(format!("a leak that keeps {beta:?} is not from 0 to 65535/65536"))
            }
            Self::Loihi { voltage_decay: 4097.., .. } | Self::Loihi { current_decay: 4096.., .. } => {
                Err("a neuron of Loihi decays by 0..=4096 and 0..=4095 parts of 4096".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// A leak in numbers: of a channel, or of all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decay {
    /// By what the integer potential g exceeds H: tau where the input is decayed, which integers leave undone.
    pub gain: f64,
    /// What a membrane keeps of a potential per timestep; everything where decays are those of Loihi.
    pub keep: Keep,
    /// The leak in single precision; of Loihi the decay of the voltage.
    pub float: FloatLeak,
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

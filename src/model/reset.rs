//! The reset: what a spike leaves of the potential that it fired at.

use serde::{Deserialize, Serialize};

/// What a spike leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
pub enum Reset {
    /// Hard reset to 0.
    Zero,
    /// Hard reset to a value in units of the float network, from which membranes start and toward which they leak.
    To(f64),
    /// Soft reset: the threshold is subtracted, before the leak.
    Subtract,
    /// Soft reset by an amount in units of the float network, before the leak.
    SubtractAmount(f64),
    /// Soft reset one timestep later: the threshold is subtracted behind the leak. snnTorch's `Leaky`.
    SubtractDelayed,
    /// A spike leaves everything.
    None,
}

/// Amounts in units of the float network, as thresholds.
const AMOUNTS: std::ops::RangeInclusive<f64> = 1e-9..=1e9;

impl Reset {
    /// What a membrane starts from and leaks toward.
    pub fn value(self) -> f64 {
        match self {
            Self::To(value) => value,
            _ => 0.0,
        }
    }

    /// What a spike subtracts, in units of the float network, of a neuron that fires at `height` above the value that
    /// it resets to; `None` for a hard reset.
    pub fn amount(self, height: f64) -> Option<f64> {
        match self {
            Self::Zero | Self::To(_) => None,
            Self::Subtract | Self::SubtractDelayed => Some(height),
            Self::SubtractAmount(amount) => Some(amount),
            Self::None => Some(0.0),
        }
    }

    /// Says what is wrong with it for neurons of `threshold`, if anything; `per_channel` where a checkpoint multiplies
    /// that by a factor for each channel.
    pub(super) fn check(self, threshold: f64, per_channel: bool) -> Result<(), String> {
        match self {
            Self::To(value) if !value.is_finite() || value >= threshold => {
                Err(format!("a reset to {value:?} is not below the threshold, {threshold:?}"))
            }
            Self::To(value) if per_channel && value > 0.0 => {
                Err(format!("a reset to {value:?} where each channel has a threshold of its own"))
            }
            Self::SubtractAmount(amount) if !AMOUNTS.contains(&amount) => {
                Err(format!("a reset that subtracts {amount:?} is not in 1e-9..=1e9"))
            }
            _ => Ok(()),
        }
    }
}

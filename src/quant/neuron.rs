//! Neurons of integers.

use crate::model::Reset;
use crate::num::{Keep, signed_bits};

/// g = V + X; fires iff g >= threshold; V' is what is kept of g, or of what a spike left of it.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedNeuron {
    /// Per channel, or one for all.
    pub thresholds: Vec<i64>,
    /// What the leak leaves: per channel, or one for all.
    pub keeps: Vec<Keep>,
    /// By what a potential exceeds that of the float network, beside its step: per channel, or one for all.
    pub gains: Vec<f64>,
    /// What a spike leaves.
    pub reset: QuantizedReset,
    /// True where the threshold itself does not fire: `thresholds` are then one more than that.
    pub strict: bool,
    /// How the membrane is stored; `None` for a neuron that never keeps anything.
    pub membrane: Option<MembraneWord>,
}

/// What a spike leaves of the potential g.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuantizedReset {
    /// V' = 0.
    Zero,
    /// V' = keep(g - threshold).
    Subtract,
    /// V' = keep(g - amount).
    SubtractAmount {
        /// Per channel, or one for all; 0 leaves everything.
        amounts: Vec<i64>,
    },
    /// V' = keep(g) - threshold.
    SubtractDelayed,
}

impl QuantizedReset {
    /// True for the integers of `reset`.
    pub(crate) fn is_of(&self, reset: Reset) -> bool {
        match self {
            Self::Zero => matches!(reset, Reset::Zero | Reset::To(_)),
            Self::Subtract => reset == Reset::Subtract,
            Self::SubtractAmount { amounts } => match reset {
                Reset::SubtractAmount(_) => true,
                _ => reset == Reset::None && amounts.iter().all(|&amount| amount == 0),
            },
            Self::SubtractDelayed => reset == Reset::SubtractDelayed,
        }
    }
}

impl QuantizedNeuron {
    /// This neuron at other thresholds, per channel or one for all. Of its membrane word, as many low bits are not
    /// stored as the highest potential below each threshold needs, and what a spike takes below 0.
    pub fn with_thresholds(&self, thresholds: Vec<i64>) -> Self {
        let neuron = Self { thresholds, ..self.clone() };
        let membrane = self.membrane.as_ref().map(|word| MembraneWord {
            bits: word.bits,
            discards: (0..neuron.channels())
                .map(|c| neuron.membrane_bits(c).saturating_sub(word.bits))
                .collect(),
        });
        Self { membrane, ..neuron }
    }

    /// The integers of `channel` alone.
    pub(crate) fn of_channel(&self, channel: usize) -> Self {
        let one = |list: &[i64]| vec![per_channel(list, channel)];
        let reset = match &self.reset {
            QuantizedReset::SubtractAmount { amounts } => {
                QuantizedReset::SubtractAmount { amounts: one(amounts) }
            }
            other => other.clone(),
        };
        let membrane = self.membrane.as_ref().map(|word| MembraneWord {
            bits: word.bits,
            discards: vec![per_channel(&word.discards, channel)],
        });
        Self {
            thresholds: one(&self.thresholds),
            keeps: vec![self.keep(channel)],
            gains: vec![per_channel(&self.gains, channel)],
            reset,
            membrane,
            strict: self.strict,
        }
    }

    /// Channels whose integers may differ: 1 where all are alike.
    fn channels(&self) -> usize {
        let amounts =
            if let QuantizedReset::SubtractAmount { amounts } = &self.reset { amounts.len() } else { 1 };
        self.thresholds.len().max(amounts).max(self.keeps.len())
    }

    /// What the leak leaves of a potential of `channel`.
    pub fn keep(&self, channel: usize) -> Keep {
        per_channel(&self.keeps, channel)
    }

    /// What a spike of `channel` subtracts; `None` for a hard reset.
    pub fn amount(&self, channel: usize) -> Option<i64> {
        match &self.reset {
            QuantizedReset::Zero => None,
            QuantizedReset::Subtract | QuantizedReset::SubtractDelayed => {
                Some(per_channel(&self.thresholds, channel) - i64::from(self.strict))
            }
            QuantizedReset::SubtractAmount { amounts } => Some(per_channel(amounts, channel)),
        }
    }

    /// The lowest membrane that a spike of `channel` leaves, or 0.
    fn lowest_left(&self, channel: usize) -> i64 {
        let fires_at = per_channel(&self.thresholds, channel);
        let Some(amount) = self.amount(channel) else { return 0 };
        let left = match self.reset {
            QuantizedReset::SubtractDelayed => self.keep(channel).of(fires_at).saturating_sub(amount),
            _ => self.keep(channel).of(fires_at.saturating_sub(amount)),
        };
        left.min(0)
    }

    /// Bits of a word that holds what `channel` keeps below its threshold, and the lowest that a spike leaves.
    fn membrane_bits(&self, channel: usize) -> u32 {
        let fires_at = per_channel(&self.thresholds, channel);
        signed_bits(self.lowest_left(channel), self.keep(channel).of(fires_at - 1))
    }

    /// No potential V + X exceeds this within `timesteps`, nor does a membrane, where X is at most `input`.
    pub fn potential_bound(&self, input: i64, timesteps: usize) -> i64 {
        // Every step may lose less than 2^d, as if the input were less by that.
        let discards = self.membrane.iter().flat_map(|word| &word.discards);
        let lost = discards.max().map_or(0, |&d| (2i64 << d) - 2);
        let reach = self.keeps.iter().map(|keep| keep.reach(timesteps)).max().unwrap_or(0);
        let highest = (input + lost).saturating_mul(reach);
        highest.saturating_add(self.undershoot(highest))
    }

    /// How far below 0 a spike can take a potential, or a membrane, of neurons that reach `highest`.
    fn undershoot(&self, highest: i64) -> i64 {
        let below = |channel: usize| {
            let fires_at = per_channel(&self.thresholds, channel);
            match (&self.reset, self.amount(channel)) {
                _ if fires_at > highest => 0,
                (QuantizedReset::SubtractDelayed, _) => -self.lowest_left(channel),
                (_, amount) => amount.unwrap_or(0).saturating_sub(fires_at).max(0),
            }
        };
        (0..self.channels()).map(below).max().unwrap_or(0)
    }
}

/// Membranes without spikes: g = V + X, V' = keep(g).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuantizedReadout {
    /// What the leak leaves: per channel, or one for all.
    pub keeps: Vec<Keep>,
}

/// The neuron of Loihi: a decaying current feeds a decaying voltage, both of 24 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuantizedLoihi {
    /// The smallest voltages that fire: per channel, or one for all.
    pub thresholds: Vec<i64>,
    /// The voltage keeps (4096 - decay)/4096 of itself per step, 0..=4096.
    pub voltage_decay: u32,
    /// The current keeps (4095 - decay)/4096 of itself per step, 0..=4095.
    pub current_decay: u32,
}

/// The stored membrane: V >> discard, clamped to `bits`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembraneWord {
    /// Word width, sign included.
    pub bits: u32,
    /// Low bits that are not stored: per channel, as the thresholds, or one for all.
    pub discards: Vec<u32>,
}

/// Width of the current and of the voltage of Loihi.
pub const LOIHI_BITS: u32 = 24;
/// Loihi shifts inputs and thresholds left by this.
pub const LOIHI_INPUT_SHIFT: u32 = 6;

/// The entry of a channel in a list that holds one per channel, or one for all.
pub fn per_channel<T: Copy>(list: &[T], channel: usize) -> T {
    if list.len() == 1 { list[0] } else { list[channel] }
}

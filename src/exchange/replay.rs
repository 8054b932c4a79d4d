//! Recorded input currents through one configured neuron, compared step by step.

use serde::{Deserialize, Serialize};

use super::npy::NpyReader;
use crate::check::{CURRENT_DECAY, MEMBRANE_BITS, VOLTAGE_DECAY, in_range};
use crate::error::{Error, Fault, Result};
use crate::exec::{LeakyNeurons, LoihiNeurons, NeuronLayer};
use crate::files::Folder;
use crate::model::{Fire, Reset};
use crate::num::Keep;
use crate::quant::{LOIHI_INPUT_SHIFT, MembraneWord, QuantizedLoihi, QuantizedNeuron, QuantizedReset};
use crate::ron_file::parse_ron;

/// A neuron of integers, as `models/neurons/*.ron` spell it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum NeuronConfig {
    /// A leak that keeps multiplier / 2^shift: g = V + X, V' = (2 g + 1) multiplier >> (shift + 1).
    Shift {
        /// In steps of X.
        threshold: i64,
        /// Odd, of 16 bits; 1 for a leak of 2^-shift.
        #[serde(default = "default_multiplier")]
        multiplier: u32,
        /// 0..=30; at most 16 beside a multiplier.
        #[serde(default = "default_shift")]
        shift: u32,
        /// What a spike leaves.
        #[serde(default = "default_reset")]
        reset: Reset,
        /// Comparison with the threshold.
        #[serde(default = "default_fire")]
        fire: Fire,
        /// Width of the stored membrane, 2..=32.
        #[serde(default = "default_membrane_bits")]
        membrane_bits: u32,
    },
    /// Loihi: a decaying current feeds a decaying voltage.
    Loihi {
        /// In steps of X; the voltage has 64 times finer ones.
        threshold: i64,
        /// 4096ths of the voltage that are lost per step.
        voltage_decay: u32,
        /// 4096ths of the current that are lost per step, less one; 4095 keeps no current.
        current_decay: u32,
    },
}

fn default_multiplier() -> u32 {
    1
}

fn default_shift() -> u32 {
    1
}

fn default_reset() -> Reset {
    Reset::Zero
}

fn default_fire() -> Fire {
    Fire::AtThreshold
}

fn default_membrane_bits() -> u32 {
    32
}

impl NeuronConfig {
    /// Loads `spec`: the name of a default, or a path to a `.ron` file.
    ///
    /// # Errors
    /// Names the file, and the position or field that is wrong.
    pub fn load(spec: &str) -> Result<Self> {
        let (folder, name) = Folder::locate("models/neurons", spec)?;
        let path = folder.path(&name);
        let config: Self = parse_ron(&folder.read_text(&name)?, &path)?;
        config.check().map_err(|fault| fault.at(path))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Fault> {
        match *self {
            Self::Shift { threshold, multiplier, shift, membrane_bits, reset, .. } => {
                in_range("threshold", threshold, &(1..=1 << 40))?;
                in_range("shift", shift, &(0..=30))?;
                if !(Keep { multiplier, shift }).is_valid() {
                    return Err(Fault::new(
                        "multiplier",
                        format!("{multiplier} / 2^{shift} is no factor of 16 bits in lowest terms"),
                    ));
                }
                integer_reset(reset)?;
                in_range("membrane_bits", membrane_bits, &MEMBRANE_BITS)
            }
            Self::Loihi { threshold, voltage_decay, current_decay } => {
                in_range("threshold", threshold, &(0..=(1 << 17) - 1))?;
                in_range("voltage_decay", voltage_decay, &VOLTAGE_DECAY)?;
                in_range("current_decay", current_decay, &CURRENT_DECAY)
            }
        }
    }

    /// `neurons` of it, all alike.
    fn layer(&self, neurons: usize) -> Box<dyn NeuronLayer<i64>> {
        match *self {
            Self::Shift { threshold, multiplier, shift, reset, fire, membrane_bits } => {
                let strict = fire == Fire::AboveThreshold;
                let smallest = threshold + i64::from(strict);
                let op = QuantizedNeuron {
                    thresholds: Vec::new(),
                    keeps: vec![Keep { multiplier, shift }],
                    gains: vec![1.0],
                    reset: integer_reset(reset).expect("checked when it was read"),
                    strict,
                    membrane: Some(MembraneWord { bits: membrane_bits, discards: Vec::new() }),
                };
                let op = op.with_thresholds(vec![smallest]);
                Box::new(LeakyNeurons::new(&op, 1, neurons))
            }
            Self::Loihi { threshold, voltage_decay, current_decay } => {
                let thresholds = vec![(threshold << LOIHI_INPUT_SHIFT) + 1];
                let op = QuantizedLoihi { thresholds, voltage_decay, current_decay };
                Box::new(LoihiNeurons::new(&op, 1, neurons))
            }
        }
    }
}

/// What a spike leaves in integers, whose amounts are whole steps.
fn integer_reset(reset: Reset) -> Result<QuantizedReset, Fault> {
    const AMOUNTS: std::ops::RangeInclusive<f64> = 1.0..=(1u64 << 40) as f64;
    match reset {
        Reset::Zero => Ok(QuantizedReset::Zero),
        Reset::Subtract => Ok(QuantizedReset::Subtract),
        Reset::SubtractDelayed => Ok(QuantizedReset::SubtractDelayed),
        Reset::None => Ok(QuantizedReset::SubtractAmount { amounts: vec![0] }),
        Reset::SubtractAmount(amount) if AMOUNTS.contains(&amount) && amount.fract() == 0.0 => {
            Ok(QuantizedReset::SubtractAmount { amounts: vec![amount as i64] })
        }
        Reset::SubtractAmount(amount) => {
            Err(Fault::new("reset", format!("an amount of {amount:?} is no whole number from 1 to 2^40")))
        }
        Reset::To(_) => Err(Fault::new("reset", "a membrane of integers resets to 0")),
    }
}

/// What was recorded of neurons, all `[T, neurons]`.
#[derive(Debug)]
pub struct Recording {
    /// X, 32-bit integers.
    pub current: NpyReader,
    /// 0 or 1.
    pub spikes: NpyReader,
    /// What was kept after each step.
    pub membrane: Option<NpyReader>,
}

/// What a replay found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ReplayReport {
    /// Timesteps.
    pub timesteps: usize,
    /// Neurons.
    pub neurons: usize,
    /// Integers compared.
    pub compared: u64,
    /// Integers that differ.
    pub mismatches: u64,
    /// The first integer that differs.
    pub first: Option<ReplayMismatch>,
}

/// A recorded value that is not what was computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplayMismatch {
    /// `spikes` or `membrane`.
    pub of: &'static str,
    /// Timestep.
    pub t: usize,
    /// Neuron.
    pub neuron: usize,
    /// What was recorded.
    pub expected: i64,
    /// What was computed.
    pub got: i64,
}

/// Feeds the recorded current to neurons; their state returns to 0 before the timesteps `reset_at`.
///
/// # Errors
/// Arrays of different shapes, none at all, or a current beyond 32 bits.
pub fn replay(config: &NeuronConfig, recording: &mut Recording, reset_at: &[usize]) -> Result<ReplayReport> {
    let shape = recording.current.shape().to_vec();
    let &[timesteps @ 1..=usize::MAX, neurons @ 1..=usize::MAX] = shape.as_slice() else {
        return Err(recording.current.wrong("shape", format!("{shape:?}, expected [T, neurons]")));
    };
    for other in std::iter::once(&recording.spikes).chain(&recording.membrane) {
        if other.shape() != shape {
            return Err(
                other.wrong("shape", format!("{:?}, expected {shape:?} as of the current", other.shape()))
            );
        }
    }
    if let Some(t) = reset_at.iter().find(|&&t| t >= timesteps) {
        return Err(Error::mismatch(format!("--reset-at: {t}, and the recording has {timesteps} timesteps")));
    }
    let mut layer = config.layer(neurons);
    let mut report = ReplayReport { timesteps, neurons, ..ReplayReport::default() };
    let mut spikes = vec![0; neurons];
    for t in 0..timesteps {
        let row = |array: &mut NpyReader| array.read_at(t * neurons, neurons);
        let current = row(&mut recording.current)?;
        if let Some(x) = current.iter().find(|&&x| i32::try_from(x).is_err()) {
            return Err(recording.current.wrong("values", format!("{x} at timestep {t} exceeds 32 bits")));
        }
        if reset_at.contains(&t) {
            layer.reset();
        }
        layer.step(&current, &mut spikes);
        report.compare("spikes", t, &row(&mut recording.spikes)?, &spikes);
        if let Some(membrane) = &mut recording.membrane {
            report.compare("membrane", t, &row(membrane)?, layer.membranes());
        }
    }
    Ok(report)
}

impl ReplayReport {
    fn compare(&mut self, of: &'static str, t: usize, expected: &[i64], got: &[i64]) {
        self.compared += expected.len() as u64;
        let differ = expected.iter().zip(got).enumerate().filter(|(_, (expected, got))| expected != got);
        for (neuron, (&expected, &got)) in differ {
            self.mismatches += 1;
            self.first.get_or_insert(ReplayMismatch { of, t, neuron, expected, got });
        }
    }
}

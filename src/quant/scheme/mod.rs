//! Weight schemes, one file each: real weights to integer codes with a scale.

mod codes;
mod power_of_two;
mod stored;
mod uniform;
mod unit_floor;

use serde::{Deserialize, Serialize};

pub use codes::{Clip, Codes, Scale, WeightForm};
pub(crate) use stored::with_step;

/// How the weights of a layer become integers. One more scheme is one file and one line in
/// each place here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum WeightScheme {
    /// Equal steps, symmetric, narrow range: -(2^(b-1)-1) ..= 2^(b-1)-1.
    Uniform {
        /// Code width, 2..=16.
        bits: u32,
        /// Which scales are allowed.
        scale: Scale,
        /// What shares a scale.
        granularity: Sharing,
        /// How the scale is found.
        clip: Clip,
    },
    /// floor(w 2^(b-1)), no scale and no clamp: the quantizer of the QSViT line of work.
    UnitFloor {
        /// Code width, 2..=16.
        bits: u32,
    },
    /// Codes that the checkpoint holds: executed as they are. Integers without a scale are worth 1 each: such a layer
    /// needs an input of integers and a bias of integers, and no normalization.
    Stored {
        /// Code width, 2..=16.
        bits: u32,
    },
    /// 0 and +-2^k for 0 <= k <= 2^(b-1)-2, nearest in the linear domain.
    PowerOfTwo {
        /// Code width, 2..=5: sign and exponent index.
        bits: u32,
        /// Which scales are allowed.
        scale: Scale,
        /// What shares a scale.
        granularity: Sharing,
    },
}

/// What shares a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Sharing {
    /// The whole layer.
    Layer,
    /// Each output channel by itself.
    Channel,
}

impl WeightScheme {
    /// Code width.
    pub fn bits(&self) -> u32 {
        match *self {
            Self::Uniform { bits, .. } | Self::PowerOfTwo { bits, .. } => bits,
            Self::UnitFloor { bits } | Self::Stored { bits } => bits,
        }
    }

    /// What shares a scale.
    pub fn granularity(&self) -> Sharing {
        match *self {
            Self::Uniform { granularity, .. } | Self::PowerOfTwo { granularity, .. } => granularity,
            Self::UnitFloor { .. } | Self::Stored { .. } => Sharing::Layer,
        }
    }

    /// What the datapath does with a code.
    pub(crate) fn form(&self) -> WeightForm {
        match *self {
            Self::Uniform { bits, .. } | Self::UnitFloor { bits } | Self::Stored { bits } => {
                WeightForm::Integer { bits }
            }
            Self::PowerOfTwo { bits, .. } => {
                WeightForm::PowerOfTwo { max_exponent: power_of_two::max_exponent(bits) }
            }
        }
    }

    /// This scheme with one scale for the whole layer.
    pub fn per_layer(self) -> Self {
        let granularity = Sharing::Layer;
        match self {
            Self::Uniform { bits, scale, clip, .. } => Self::Uniform { bits, scale, granularity, clip },
            Self::PowerOfTwo { bits, scale, .. } => Self::PowerOfTwo { bits, scale, granularity },
            Self::UnitFloor { .. } | Self::Stored { .. } => self,
        }
    }

    /// Codes of `weights`, which share one scale.
    ///
    /// # Errors
    /// If the scheme takes integers, and a weight is none.
    pub fn quantize(&self, weights: &[f64]) -> Result<Codes, String> {
        if let Self::Stored { bits } = *self {
            return stored::quantize(weights, bits);
        }
        let lsb = self.lsb(weights, None);
        Ok(Codes { lsb, codes: weights.iter().map(|&w| self.code(w, lsb)).collect() })
    }

    /// The scale of `weights`; where it is searched, squared errors count as `importance` says, one factor
    /// per weight, all the same without.
    pub fn lsb(&self, weights: &[f64], importance: Option<&[f64]>) -> f64 {
        match *self {
            Self::Uniform { bits, scale, clip, .. } => uniform::lsb(weights, importance, bits, scale, clip),
            Self::PowerOfTwo { bits, scale, .. } => power_of_two::lsb(weights, importance, bits, scale),
            Self::UnitFloor { bits } => unit_floor::lsb(bits),
            Self::Stored { .. } => 1.0,
        }
    }

    /// The code of one weight at the scale `lsb`.
    pub fn code(&self, weight: f64, lsb: f64) -> i32 {
        match *self {
            Self::Uniform { bits, .. } => uniform::code(weight, lsb, bits),
            Self::PowerOfTwo { bits, .. } => power_of_two::code(weight, lsb, bits),
            Self::UnitFloor { .. } => unit_floor::code(weight, lsb),
            Self::Stored { .. } => weight as i32,
        }
    }

    /// True if `code` is one of its levels.
    pub(crate) fn has_level(&self, code: i32) -> bool {
        match *self {
            Self::Uniform { bits, .. } => uniform::has_level(code, bits),
            Self::PowerOfTwo { bits, .. } => power_of_two::has_level(code, bits),
            Self::Stored { bits } => stored::has_level(code, bits),
            Self::UnitFloor { .. } => true,
        }
    }

    /// True if codes are the nearest of their levels, so that another choice among them can be better.
    pub(crate) fn rounds_to_nearest(&self) -> bool {
        matches!(self, Self::Uniform { .. } | Self::PowerOfTwo { .. })
    }

    /// True if codes are the weights themselves.
    pub(crate) fn is_exact(&self) -> bool {
        matches!(self, Self::Stored { .. })
    }

    /// True if any positive scale will do, and the one with the smallest error is searched.
    pub(crate) fn searches_free_scale(&self) -> bool {
        matches!(
            self,
            Self::Uniform { scale: Scale::Free, clip: Clip::Mse, .. }
                | Self::PowerOfTwo { scale: Scale::Free, .. }
        )
    }

    /// Says what is wrong with the numbers, if anything.
    pub fn check(&self) -> Result<(), String> {
        let max = if matches!(self, Self::PowerOfTwo { .. }) { 5 } else { 16 };
        match self.bits() {
            bits if (2..=max).contains(&bits) => Ok(()),
            bits => Err(format!("{bits} bits are not in 2..={max}")),
        }
    }
}

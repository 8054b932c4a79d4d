//! Weight schemes, one file each: real weights to integer codes with a scale.

mod bases;
mod codes;
mod form;
mod levels;
mod power_of_two;
mod stored;
mod uniform;
mod unit_floor;

use serde::{Deserialize, Serialize};

pub use codes::{Clip, Codes, Scale};
pub use form::{Family, WeightForm};
use levels::ScaleChoice;
pub(crate) use stored::with_step;

use crate::name::plain_number;
use crate::num::{LevelSet, LevelTable};

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
    /// Levels of a set, nearest in the linear domain or by a rule of the set.
    Levels {
        /// Which levels.
        set: LevelSet,
        /// Code width: sign and index.
        bits: u32,
        /// Which scales are allowed.
        scale: Scale,
        /// What shares a scale.
        granularity: Sharing,
        /// How the scale is found.
        clip: Clip,
        /// Of a set whose layers have bases of their own, which; the best one for the weights of a layer where it is
        /// left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base: Option<u8>,
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
    /// The scheme with a free scale per channel that `word` is short for: `w4`, `pot3`, `floor8`, `int8`, `apot4`. With
    /// `mse`, large weights are clipped where that helps. `None` of any other word, and of a scheme without that choice.
    pub fn from_shorthand(word: &str, mse: bool) -> Option<Self> {
        let (scale, granularity) = (Scale::Free, Sharing::Channel);
        let clip = if mse { Clip::Mse } else { Clip::Max };
        if let Some((set, bits)) = LevelSet::from_shorthand(word) {
            return Some(Self::Levels { set, bits, scale, granularity, clip, base: None });
        }
        let digits = word.find(|c: char| c.is_ascii_digit())?;
        let (name, bits) = (&word[..digits], plain_number(&word[digits..])?);
        match name {
            "w" => Some(Self::Uniform { bits, scale, granularity, clip }),
            _ if mse => None,
            "pot" => Some(Self::PowerOfTwo { bits, scale, granularity }),
            "floor" => Some(Self::UnitFloor { bits }),
            "int" => Some(Self::Stored { bits }),
            _ => None,
        }
    }

    /// What it is called where its width alone is of interest.
    pub fn shorthand(&self) -> String {
        let name = match self {
            Self::Uniform { .. } => "w",
            Self::UnitFloor { .. } => "floor",
            Self::Stored { .. } => "int",
            Self::PowerOfTwo { .. } => "pot",
            Self::Levels { set, bits, .. } => return set.shorthand(*bits),
        };
        format!("{name}{}", self.bits())
    }

    /// What settings call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Uniform { .. } => "Uniform",
            Self::UnitFloor { .. } => "UnitFloor",
            Self::Stored { .. } => "Stored",
            Self::PowerOfTwo { .. } => "PowerOfTwo",
            Self::Levels { set, .. } => set.kind(),
        }
    }

    /// The schemes that it is one width of.
    pub fn family(&self) -> Family {
        match self {
            Self::Uniform { .. } | Self::UnitFloor { .. } | Self::Stored { .. } => Family::Uniform,
            Self::PowerOfTwo { .. } => Family::PowerOfTwo,
            Self::Levels { set, .. } => Family::Levels(*set),
        }
    }

    /// Which scales are allowed; `None` where there is no choice.
    pub fn scale(&self) -> Option<Scale> {
        match *self {
            Self::Uniform { scale, .. } | Self::PowerOfTwo { scale, .. } | Self::Levels { scale, .. } => {
                Some(scale)
            }
            Self::UnitFloor { .. } | Self::Stored { .. } => None,
        }
    }

    /// Code width.
    pub fn bits(&self) -> u32 {
        match *self {
            Self::Uniform { bits, .. } | Self::PowerOfTwo { bits, .. } | Self::Levels { bits, .. } => bits,
            Self::UnitFloor { bits } | Self::Stored { bits } => bits,
        }
    }

    /// What shares a scale.
    pub fn granularity(&self) -> Sharing {
        match *self {
            Self::Uniform { granularity, .. }
            | Self::PowerOfTwo { granularity, .. }
            | Self::Levels { granularity, .. } => granularity,
            Self::UnitFloor { .. } | Self::Stored { .. } => Sharing::Layer,
        }
    }

    /// What the datapath does with a code.
    pub fn form(&self) -> WeightForm {
        match *self {
            Self::Uniform { bits, .. } | Self::UnitFloor { bits } | Self::Stored { bits } => {
                WeightForm::integer(bits)
            }
            Self::PowerOfTwo { bits, .. } => WeightForm::power_of_two(bits, power_of_two::max_exponent(bits)),
            Self::Levels { set, bits, .. } => WeightForm::levels(set, bits),
        }
    }

    /// This scheme with one scale for the whole layer.
    pub fn per_layer(mut self) -> Self {
        if let Self::Uniform { granularity, .. }
        | Self::PowerOfTwo { granularity, .. }
        | Self::Levels { granularity, .. } = &mut self
        {
            *granularity = Sharing::Layer;
        }
        self
    }

    /// This scheme at scales that are powers of two, where it has a choice.
    pub fn with_pow2_scale(mut self) -> Self {
        if let Self::Uniform { scale, .. } | Self::PowerOfTwo { scale, .. } | Self::Levels { scale, .. } =
            &mut self
        {
            *scale = Scale::Pow2;
        }
        self
    }

    /// This scheme at the scale of the largest weight or of the rule, where it has a choice.
    pub fn unclipped(mut self) -> Self {
        if let Self::Uniform { clip, .. } | Self::Levels { clip, .. } = &mut self {
            *clip = Clip::Max;
        }
        self
    }

    /// A code as a memory of [`Self::bits`] holds it: two's complement, or as the decoder reads it.
    pub(crate) fn stored(&self, code: i32) -> i64 {
        match *self {
            Self::PowerOfTwo { bits, .. } => power_of_two::stored(code, bits),
            Self::Levels { set, bits, base, .. } => set.table(bits, base).stored(code),
            _ => code.into(),
        }
    }

    /// True if [`Self::bits`] hold `code`.
    pub(crate) fn holds(&self, code: i32) -> bool {
        match *self {
            Self::PowerOfTwo { bits, .. } => power_of_two::has_level(code, bits),
            Self::Levels { set, bits, base, .. } => set.table(bits, base).holds(code),
            Self::Uniform { bits, .. } | Self::UnitFloor { bits } | Self::Stored { bits } => {
                let limit = 1i64 << (bits - 1);
                (-limit..limit).contains(&i64::from(code))
            }
        }
    }

    /// Magnitudes that its decoder looks up, where it has a table.
    pub(crate) fn table(&self) -> Option<LevelTable> {
        match *self {
            Self::Levels { set, bits, base, .. } if set.is_decoded() => Some(set.table(bits, base)),
            _ => None,
        }
    }

    /// Codes of `weights`, rows of `fan_in` each that share one scale.
    ///
    /// # Errors
    /// If the scheme takes integers, and a weight is none.
    pub fn quantize(&self, weights: &[f64], fan_in: usize) -> Result<Codes, String> {
        match *self {
            Self::Stored { bits } => stored::quantize(weights, bits),
            Self::Levels { set, bits, base, scale, clip, .. } => {
                Ok(levels::quantize(set.table(bits, base), ScaleChoice { scale, clip }, weights, fan_in))
            }
            _ => {
                let lsb = self.lsb(weights, fan_in, None);
                Ok(Codes { lsb, codes: weights.iter().map(|&w| self.code(w, lsb)).collect() })
            }
        }
    }

    /// The scale of `weights`, rows of `fan_in` each; where it is searched, squared errors count as `importance` says, one factor
    /// per weight, all the same without.
    pub fn lsb(&self, weights: &[f64], fan_in: usize, importance: Option<&[f64]>) -> f64 {
        match *self {
            Self::Uniform { bits, scale, clip, .. } => uniform::lsb(weights, importance, bits, scale, clip),
            Self::PowerOfTwo { bits, scale, .. } => power_of_two::lsb(weights, importance, bits, scale),
            Self::Levels { set, bits, base, scale, clip, .. } => {
                levels::lsb(set.table(bits, base), ScaleChoice { scale, clip }, weights, fan_in, importance)
            }
            Self::UnitFloor { bits } => unit_floor::lsb(bits),
            Self::Stored { .. } => 1.0,
        }
    }

    /// The code of one weight at the scale `lsb`.
    pub fn code(&self, weight: f64, lsb: f64) -> i32 {
        match *self {
            Self::Uniform { bits, .. } => uniform::code(weight, lsb, bits),
            Self::PowerOfTwo { bits, .. } => power_of_two::code(weight, lsb, bits),
            Self::Levels { set, bits, base, .. } => set.table(bits, base).code(weight, lsb),
            Self::UnitFloor { .. } => unit_floor::code(weight, lsb),
            Self::Stored { .. } => weight as i32,
        }
    }

    /// The exponents by which the codes of `weights` are shifted at the scale `lsb`; none where the scheme has no blocks.
    pub(crate) fn exponents(&self, weights: &[f64], fan_in: usize, lsb: f64) -> Vec<u8> {
        match *self {
            Self::Levels { set, bits, base, .. } => {
                levels::exponents(set.table(bits, base), weights, fan_in, lsb)
            }
            _ => Vec::new(),
        }
    }

    /// The code of one weight at the scale `lsb` in a block of this exponent.
    pub(crate) fn code_at(&self, weight: f64, lsb: f64, exponent: u8) -> i32 {
        match *self {
            Self::Levels { set, bits, base, .. } => {
                levels::code_at(set.table(bits, base), weight, lsb, exponent)
            }
            _ => self.code(weight, lsb),
        }
    }

    /// True if a scale depends on the order of weights: by their blocks, or by the last bit of a mean.
    pub(crate) fn reads_rows_in_order(&self) -> bool {
        matches!(self, Self::Levels { .. })
    }

    /// True if its weights are in blocks with an exponent each.
    pub(crate) fn has_blocks(&self) -> bool {
        matches!(self, Self::Levels { set, .. } if set.block().is_some())
    }

    /// True if `code` is one of its levels.
    pub fn has_level(&self, code: i32) -> bool {
        match *self {
            Self::Uniform { bits, .. } => uniform::has_level(code, bits),
            Self::PowerOfTwo { bits, .. } => power_of_two::has_level(code, bits),
            Self::Levels { set, bits, base, .. } => set.table(bits, base).has_level(code),
            Self::Stored { bits } => stored::has_level(code, bits),
            Self::UnitFloor { .. } => true,
        }
    }

    /// True if codes are the nearest of their levels, so that another choice among them can be better.
    pub(crate) fn rounds_to_nearest(&self) -> bool {
        matches!(self, Self::Uniform { .. } | Self::PowerOfTwo { .. } | Self::Levels { .. })
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
                | Self::Levels { scale: Scale::Free, clip: Clip::Mse, .. }
        )
    }

    /// Says what is wrong with the numbers, if anything.
    pub fn check(&self) -> Result<(), String> {
        let widths = match self {
            Self::PowerOfTwo { .. } => 2..=5,
            Self::Levels { set, .. } => set.widths(),
            Self::Uniform { .. } | Self::UnitFloor { .. } | Self::Stored { .. } => 2..=16,
        };
        let (bits, [least, most]) = (self.bits(), [widths.start(), widths.end()]);
        if !widths.contains(&bits) {
            return Err(format!("{bits} bits are not in {least}..={most}"));
        }
        self.check_base()
    }
}

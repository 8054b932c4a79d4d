//! What the rest of the program knows of a scheme: what a datapath makes of its codes, and which schemes are one family
//! of several widths.

use crate::num::{Block, Decoder, LevelSet, Pack};

/// Schemes whose levels follow one rule at several widths, in the order in which they are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Equal steps.
    Uniform,
    /// Signed powers of two.
    PowerOfTwo,
    /// Levels of a set.
    Levels(LevelSet),
}

impl Family {
    /// What tables and figures call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::PowerOfTwo => "power of two",
            Self::Levels(set) => set.kind(),
        }
    }

    /// True if one bit more halves every step, so that squared errors fall by four; else large weights stay as far
    /// apart as they were.
    pub fn refines(self) -> bool {
        self == Self::Uniform
    }
}

/// What a datapath does with a weight code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightForm {
    /// Width of a stored code.
    pub code_bits: u32,
    /// What decodes it; `None` where the code is the operand, in two's complement.
    pub decoder: Option<Decoder>,
    /// Width, sign included, of the operand that reaches the adder for a spike.
    pub operand_bits: u32,
    /// Shifted copies of a multi-bit input that are added up in the place of a multiplication; `None` where the operand
    /// is multiplied.
    pub shifts: Option<u32>,
    /// Blocks of weights, which store an exponent each.
    pub block: Option<Block>,
    /// Words that codes of outputs side by side are packed in.
    pub pack: Option<Pack>,
    /// Bits of the table that a layer brings.
    pub table_bits: u32,
}

impl WeightForm {
    /// An integer: added for a spike, multiplied by a multi-bit input.
    pub fn integer(bits: u32) -> Self {
        Self {
            code_bits: bits,
            decoder: None,
            operand_bits: bits,
            shifts: None,
            block: None,
            pack: None,
            table_bits: 0,
        }
    }

    /// A signed power of two up to 2^`max_exponent`: a spike adds a shifted one, a multi-bit input is shifted.
    pub fn power_of_two(bits: u32, max_exponent: u32) -> Self {
        let (decoder, operand_bits) = (Some(Decoder::PowerOfTwo), max_exponent + 2);
        Self { decoder, operand_bits, shifts: Some(1), ..Self::integer(bits) }
    }

    /// A level of `set`, looked up.
    pub(super) fn levels(set: LevelSet, bits: u32) -> Self {
        let decoder = set.is_decoded().then_some(Decoder::Levels(set));
        Self {
            code_bits: bits,
            decoder,
            operand_bits: set.operand_bits(bits),
            shifts: set.shifts(bits),
            block: set.block(),
            pack: set.pack(),
            table_bits: set.table_bits(bits),
        }
    }

    /// The form of codes of `bits` bits in the place of these; `None` where a set of levels has none.
    pub(crate) fn with_code_bits(self, bits: u32) -> Option<Self> {
        match self.decoder {
            None => Some(Self::integer(bits)),
            Some(Decoder::PowerOfTwo) => Some(Self { code_bits: bits, ..self }),
            Some(Decoder::Levels(set)) => set.widths().contains(&bits).then(|| Self::levels(set, bits)),
        }
    }

    /// Bits that a memory holds of a code of `outputs` side by side: its own, or its part of the words that they are
    /// packed in.
    pub(crate) fn held_bits(self, outputs: usize) -> f64 {
        match self.pack {
            None => f64::from(self.code_bits),
            Some(pack) => {
                let words = outputs.div_ceil(pack.codes);
                words as f64 * f64::from(pack.bits) / outputs as f64
            }
        }
    }

    /// Bits of the exponents of an output of `fan_in` inputs.
    pub(crate) fn exponent_bits(self, fan_in: usize) -> f64 {
        self.block
            .map_or(0.0, |block| fan_in.div_ceil(block.inputs) as f64 * f64::from(block.exponent_bits()))
    }

    /// Gates that decode a code, as far as they are charged: shifters of powers of two are not.
    pub fn decoder_gates(self) -> u32 {
        match self.decoder {
            Some(Decoder::Levels(set)) => set.decoder_gates(self.code_bits),
            Some(Decoder::PowerOfTwo) | None => 0,
        }
    }

    /// True if a code is an index into a table.
    pub(crate) fn is_looked_up(self) -> bool {
        matches!(self.decoder, Some(Decoder::Levels(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 64 outputs are 13 bytes of five, 10 are two; 40 inputs are two blocks with an exponent of 2 bits each.
    #[test]
    fn stored_bits_by_hand() {
        let packed = WeightForm::levels(LevelSet::Trits, 2);
        assert_eq!([64, 10, 1].map(|outputs| packed.held_bits(outputs)), [1.625, 1.6, 8.0]);
        let blocks = WeightForm::levels(LevelSet::Mx, 4);
        assert_eq!(
            (blocks.held_bits(64), blocks.exponent_bits(40), packed.exponent_bits(40)),
            (4.0, 4.0, 0.0)
        );
        let written = WeightForm::levels(LevelSet::AdaLog, 4);
        assert_eq!((written.table_bits, blocks.table_bits), (7 * 7, 0));
    }
}

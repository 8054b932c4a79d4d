use super::definition::{Block, Levels};

/// The levels of a layer: a set at a width, and at a base where layers choose one.
#[derive(Clone, Copy)]
pub struct LevelTable {
    set: &'static dyn Levels,
    bits: u32,
    magnitudes: &'static [i32],
}

impl LevelTable {
    /// The levels of `bits`-bit codes of `set` at `base`, or where none is chosen yet, at the first one.
    pub(super) fn new(set: &'static dyn Levels, bits: u32, base: Option<u8>) -> Self {
        let magnitudes = match base {
            Some(base) => set.magnitudes_at(bits, base),
            None => set.magnitudes(bits),
        };
        Self { set, bits, magnitudes }
    }

    /// Magnitudes of the levels, ascending.
    pub fn magnitudes(self) -> &'static [i32] {
        self.magnitudes
    }

    /// Blocks with an exponent each, by which levels are shifted.
    pub fn block(self) -> Option<Block> {
        self.set.block()
    }

    /// Codes and scale by a rule of its own, if it has one; not all `weights` are 0.
    pub fn by_rule(self, weights: &[f64]) -> Option<(Vec<i32>, f64)> {
        self.set.by_rule(weights)
    }

    /// The largest of them.
    pub fn top(self) -> i32 {
        *self.magnitudes.last().expect("sets have levels")
    }

    /// How many are above 0.
    pub(super) fn above_zero(self) -> u32 {
        self.magnitudes.iter().filter(|&&magnitude| magnitude > 0).count() as u32
    }

    /// The signed level nearest to weight / lsb.
    pub fn code(self, weight: f64, lsb: f64) -> i32 {
        nearest(self.magnitudes, weight.abs() / lsb) * if weight < 0.0 { -1 } else { 1 }
    }

    /// True of its levels, and of 0, which channels have that are nothing but a bias.
    pub fn has_level(self, code: i32) -> bool {
        code == 0 || self.holds(code)
    }

    /// True of what a code stands for, with any exponent.
    pub fn holds(self, code: i32) -> bool {
        let exponents = self.set.block().map_or(1, |block| block.exponents);
        (0..exponents).any(|exponent| self.holds_at(code, exponent))
    }

    /// True of what a code stands for with this exponent.
    pub fn holds_at(self, code: i32, exponent: u32) -> bool {
        self.magnitudes.iter().any(|&magnitude| i64::from(magnitude) << exponent == i64::from(code).abs())
    }

    /// A sign above the index of a magnitude, or two's complement where there is no table.
    pub fn stored(self, code: i32) -> i64 {
        if self.set.is_plain() || self.set.pack().is_some() {
            return code.into();
        }
        let magnitudes = self.magnitudes.iter();
        let index = magnitudes.take_while(|&&magnitude| magnitude < code.abs()).count() as i64;
        i64::from(code < 0) << (self.bits - 1) | index
    }
}

/// The magnitude nearest to `steps`, the smaller one on a tie.
fn nearest(magnitudes: &[i32], steps: f64) -> i32 {
    let above = |pair: &&[i32]| steps > 0.5 * f64::from(pair[0] + pair[1]);
    magnitudes[magnitudes.windows(2).take_while(above).count()]
}

#[cfg(test)]
mod tests {
    use crate::num::LevelSet;

    #[test]
    fn stored_codes_by_hand() {
        // 0, 1, 2, 3, 4, 6, 8, 12.
        let stored = [0, 1, 12, -1, -12].map(|code| LevelSet::E2m1.table(4, None).stored(code));
        assert_eq!(stored, [0b0000, 0b0001, 0b0111, 0b1001, 0b1111]);
        assert_eq!([1, -1].map(|code| LevelSet::Binary.table(1, None).stored(code)), [0, 1]);
        assert_eq!([0, 1, -1].map(|code| LevelSet::Ternary.table(2, None).stored(code)), [0, 1, -1]);
    }

    /// 60 is a power of 2^(20/37) alone, the second one below 127.
    #[test]
    fn levels_are_those_of_the_base() {
        let table = |base| LevelSet::AdaLog.table(4, base);
        assert_eq!((table(Some(20)).code(-61.0, 1.0), table(Some(20)).stored(-60)), (-60, 0b1101));
        assert!(!table(Some(16)).has_level(60) && !table(None).has_level(60));
        assert_eq!((table(Some(44)).code(56.4, 1.0), table(None).code(56.4, 1.0)), (56, 52));
    }
}

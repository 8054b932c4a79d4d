use std::ops::RangeInclusive;

use super::definition::Levels;

/// Largest magnitude: seven bits, as few integers lie close to powers of a base in fewer.
const TOP: i32 = 127;

/// 0 and powers of a base that each layer chooses (Wu et al., "AdaLog", ECCV 2024): of base 2^(q/37), the integers
/// nearest to 127 x 2^(-k q/37), looked up in a table that is written for the layer. The paper has the exponents q and
/// 37 and a search for q, for activations without a sign; here codes are of weights.
pub struct AdaLog;

/// For each q, the magnitudes of 4 bits.
const BY_BASE: [(u8, [i32; 8]); 8] = [
    (16, [0, 21, 28, 38, 52, 70, 94, TOP]),
    (20, [0, 13, 20, 28, 41, 60, 87, TOP]),
    (24, [0, 9, 13, 21, 33, 52, 81, TOP]),
    (28, [0, 5, 9, 16, 26, 44, 75, TOP]),
    (32, [0, 3, 6, 12, 21, 38, 70, TOP]),
    (36, [0, 2, 4, 9, 17, 33, 65, TOP]),
    (40, [0, 1, 3, 6, 13, 28, 60, TOP]),
    (44, [0, 1, 2, 5, 11, 24, 56, TOP]),
];

const BASES: [u8; 8] = {
    let (mut bases, mut i) = ([0; 8], 0);
    while i < 8 {
        bases[i] = BY_BASE[i].0;
        i += 1;
    }
    bases
};

/// The largest three of each, of 3 bits.
const NARROW: [[i32; 4]; 8] = {
    let (mut narrow, mut i) = ([[0; 4]; 8], 0);
    while i < 8 {
        let [.., third, second, first] = BY_BASE[i].1;
        narrow[i] = [0, third, second, first];
        i += 1;
    }
    narrow
};

impl Levels for AdaLog {
    fn name(&self) -> &'static str {
        "adalog"
    }

    fn widths(&self) -> RangeInclusive<u32> {
        3..=4
    }

    fn magnitudes(&self, bits: u32) -> &'static [i32] {
        self.magnitudes_at(bits, BASES[0])
    }

    fn bases(&self) -> &'static [u8] {
        &BASES
    }

    fn magnitudes_at(&self, bits: u32, base: u8) -> &'static [i32] {
        let at = BASES.iter().position(|&other| other == base).unwrap_or(0);
        if bits == 3 { &NARROW[at] } else { &BY_BASE[at].1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magnitudes_are_powers_of_their_base() {
        for base in BASES {
            for bits in AdaLog.widths() {
                let found = AdaLog.magnitudes_at(bits, base);
                let power = |k: usize| f64::from(TOP) * (-(k as f64) * f64::from(base) / 37.0).exp2();
                let mut exact: Vec<i32> = (0..found.len() - 1).map(|k| power(k).round() as i32).collect();
                exact.push(0);
                exact.reverse();
                assert_eq!(found, exact, "{base} {bits}");
            }
        }
    }
}

use crate::num::Rounding;

/// floor(w / lsb); a weight outside -1..1 yields a code wider than the scheme's bits.
pub fn code(weight: f64, lsb: f64) -> i32 {
    Rounding::Floor.round(weight / lsb).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

/// 2^-(b-1).
pub fn lsb(bits: u32) -> f64 {
    (-f64::from(bits - 1)).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_and_does_not_clamp() {
        let codes = [0.3, -0.3, -0.25, 1.6].map(|w| code(w, lsb(3)));
        assert_eq!((lsb(3), codes), (0.25, [1, -2, -1, 6]));
    }
}

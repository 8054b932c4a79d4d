use super::codes::{Clip, Codes, Scale, best_of, largest, octaves, powers, sum_of};
use crate::num::{LevelTable, ceil_log2, power_of_two};

/// The exponent of each weight, where the set has blocks: the smallest with which its block is not clipped at `lsb`.
pub fn exponents(table: LevelTable, weights: &[f64], fan_in: usize, lsb: f64) -> Vec<u8> {
    let Some(block) = table.block() else { return Vec::new() };
    let top = f64::from(table.top()) + 0.5;
    let exponent = |weights: &[f64]| {
        let fits = |exponent: &u32| largest(weights) / lsb <= top * f64::from(*exponent).exp2();
        (0..block.exponents - 1).find(fits).unwrap_or(block.exponents - 1) as u8
    };
    let blocks = weights.chunks(fan_in).flat_map(|row| row.chunks(block.inputs));
    blocks.flat_map(|weights| std::iter::repeat_n(exponent(weights), weights.len())).collect()
}

/// The level nearest to `weight`, shifted by `exponent`.
pub fn code_at(table: LevelTable, weight: f64, lsb: f64, exponent: u8) -> i32 {
    table.code(weight, lsb * f64::from(exponent).exp2()) << exponent
}

/// The nearest levels of all `weights`.
fn nearest(table: LevelTable, weights: &[f64], fan_in: usize, lsb: f64) -> Vec<i32> {
    let exponents = exponents(table, weights, fan_in, lsb);
    let exponents = exponents.into_iter().chain(std::iter::repeat(0));
    weights.iter().zip(exponents).map(|(&w, e)| code_at(table, w, lsb, e)).collect()
}

/// The squared error of all `weights` at their nearest levels, each counting as `importance` says.
pub fn error(table: LevelTable, weights: &[f64], fan_in: usize, lsb: f64, importance: Option<&[f64]>) -> f64 {
    let codes = nearest(table, weights, fan_in, lsb).into_iter();
    sum_of(codes.zip(weights).map(|(code, w)| (f64::from(code) * lsb - w).powi(2)), importance)
}

/// How a scale is chosen.
#[derive(Debug, Clone, Copy)]
pub struct ScaleChoice {
    /// Which scales are allowed.
    pub scale: Scale,
    /// How it is found.
    pub clip: Clip,
}

/// The scale of `weights`, rows of `fan_in` each, whose squared errors count as `importance` says where it is searched.
pub fn lsb(
    table: LevelTable,
    choice: ScaleChoice,
    weights: &[f64],
    fan_in: usize,
    importance: Option<&[f64]>,
) -> f64 {
    if largest(weights) == 0.0 {
        return 1.0;
    }
    let shifted = table.block().map_or(1, |block| 1 << (block.exponents - 1));
    let rule = table.by_rule(weights).map(|(_, lsb)| lsb);
    let full = rule.unwrap_or(largest(weights) / f64::from(table.top() * shifted));
    let error = |lsb: f64| error(table, weights, fan_in, lsb, importance);
    match (choice.scale, choice.clip) {
        (Scale::Free, Clip::Max) => full,
        (Scale::Pow2, Clip::Max) => power_of_two(ceil_log2(full)),
        (Scale::Free, Clip::Mse) => best_of(octaves(full), error),
        (Scale::Pow2, Clip::Mse) => best_of(powers(full), error),
    }
}

/// Codes of `weights`, rows of `fan_in` each that share one scale.
pub fn quantize(table: LevelTable, choice: ScaleChoice, weights: &[f64], fan_in: usize) -> Codes {
    let lsb = lsb(table, choice, weights, fan_in, None);
    if largest(weights) == 0.0 {
        return Codes { lsb, codes: vec![0; weights.len()] };
    }
    let rule = table.by_rule(weights).filter(|_| choice.clip == Clip::Max);
    let nearest = || nearest(table, weights, fan_in, lsb);
    Codes { lsb, codes: rule.map_or_else(nearest, |(codes, _)| codes) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::num::LevelSet;

    /// Two outputs of a block and a half at a step of 1/8: the largest, 7, needs 7 x 2^3 of it; blocks of up to 7.5 eighths
    /// are not shifted, those of up to 15 by one.
    #[test]
    fn blocks_by_hand() {
        let mut weights = vec![0.0; 2 * 40];
        (weights[0], weights[1], weights[31], weights[32]) = (7.0, -0.9, 0.4, -0.25);
        (weights[40], weights[41], weights[79]) = (1.5, 0.2, 0.9375);
        let choice = ScaleChoice { scale: Scale::Free, clip: Clip::Max };
        let exponents = exponents(LevelSet::Mx.table(4, None), &weights, 40, 0.125);
        assert_eq!([0, 31, 32, 39, 40, 71, 72, 79].map(|i| exponents[i]), [3, 3, 0, 0, 1, 1, 0, 0]);
        let codes = quantize(LevelSet::Mx.table(4, None), choice, &weights, 40);
        assert_eq!(codes.lsb, 0.125);
        // -0.9 is 7.2 eighths, 0.9 of 2^3; 0.4 is 0.4 of it.
        assert_eq!([0, 1, 31, 32].map(|i| codes.codes[i]), [56, -8, 0, -2]);
        assert_eq!([40, 41, 79].map(|i| codes.codes[i]), [12, 2, 7]);
    }

    proptest! {
        #[test]
        fn codes_are_nearest_levels_and_a_searched_scale_loses_no_more(
            weights in prop::collection::vec(-2.0f64..2.0, 1..40), pow2: bool,
        ) {
            let scale = if pow2 { Scale::Pow2 } else { Scale::Free };
            let tables = |set: LevelSet, bits| {
                let bases = set.bases().iter().map(|&base| Some(base)).chain([None]);
                bases.map(move |base| set.table(bits, base))
            };
            let all = LevelSet::ALL.iter().flat_map(|&set| set.widths().flat_map(move |bits| tables(set, bits)));
            for table in all {
                let magnitudes = table.magnitudes();
                let searched = quantize(table, ScaleChoice { scale, clip: Clip::Mse }, &weights, 40);
                let distance = |w: f64, level: f64| (level * searched.lsb - w).abs();
                for (&w, &code) in weights.iter().zip(&searched.codes) {
                    prop_assert!(table.has_level(code));
                    if table.block().is_some() {
                        continue;
                    }
                    let levels = magnitudes.iter().flat_map(|&m| [f64::from(m), -f64::from(m)]);
                    let least = levels.map(|level| distance(w, level)).fold(f64::INFINITY, f64::min);
                    prop_assert!(distance(w, f64::from(code)) <= least + 1e-12, "{:?}", magnitudes);
                }
                let plain = quantize(table, ScaleChoice { scale, clip: Clip::Max }, &weights, 40);
                let error = |codes: &Codes| -> f64 {
                    let values = codes.codes.iter().map(|&code| f64::from(code) * codes.lsb);
                    weights.iter().zip(values).map(|(w, value)| (value - w).powi(2)).sum()
                };
                prop_assert!(error(&searched) <= error(&plain) + 1e-12, "{:?}", magnitudes);
                prop_assert!(!pow2 || searched.lsb.log2().fract() == 0.0);
            }
        }
    }
}

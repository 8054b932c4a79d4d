use super::codes::{Clip, Codes, Scale, best_lsb, largest, octaves, powers};
use crate::num::LevelSet;

/// The scale of `weights`, whose squared errors count as `importance` says where it is searched.
pub fn lsb(
    set: LevelSet,
    weights: &[f64],
    importance: Option<&[f64]>,
    bits: u32,
    scale: Scale,
    clip: Clip,
) -> f64 {
    if largest(weights) == 0.0 {
        return 1.0;
    }
    let top = set.magnitudes(bits).last().copied().map_or(1.0, f64::from);
    let rule = set.by_rule(weights).map(|(_, lsb)| lsb);
    let full = rule.unwrap_or(largest(weights) / top);
    let value = |w: f64, lsb: f64| f64::from(set.code(w, lsb, bits)) * lsb;
    match (scale, clip) {
        (Scale::Free, Clip::Max) => full,
        (Scale::Pow2, Clip::Max) => full.log2().ceil().exp2(),
        (Scale::Free, Clip::Mse) => best_lsb(weights, importance, octaves(full), value),
        (Scale::Pow2, Clip::Mse) => best_lsb(weights, importance, powers(full), value),
    }
}

/// Codes of `weights`, which share one scale.
pub fn quantize(set: LevelSet, weights: &[f64], bits: u32, scale: Scale, clip: Clip) -> Codes {
    let lsb = lsb(set, weights, None, bits, scale, clip);
    if largest(weights) == 0.0 {
        return Codes { lsb, codes: vec![0; weights.len()] };
    }
    let rule = set.by_rule(weights).filter(|_| clip == Clip::Max);
    let nearest = || weights.iter().map(|&w| set.code(w, lsb, bits)).collect();
    Codes { lsb, codes: rule.map_or_else(nearest, |(codes, _)| codes) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn codes_are_nearest_levels_and_a_searched_scale_loses_no_more(
            weights in prop::collection::vec(-2.0f64..2.0, 1..40), pow2: bool,
        ) {
            let scale = if pow2 { Scale::Pow2 } else { Scale::Free };
            let all = LevelSet::ALL.iter().flat_map(|&set| set.widths().map(move |bits| (set, bits)));
            for (set, bits) in all {
                let magnitudes = set.magnitudes(bits);
                let searched = quantize(set, &weights, bits, scale, Clip::Mse);
                let distance = |w: f64, level: f64| (level * searched.lsb - w).abs();
                for (&w, &code) in weights.iter().zip(&searched.codes) {
                    prop_assert!(set.has_level(code, bits));
                    let levels = magnitudes.iter().flat_map(|&m| [f64::from(m), -f64::from(m)]);
                    let least = levels.map(|level| distance(w, level)).fold(f64::INFINITY, f64::min);
                    prop_assert!(distance(w, f64::from(code)) <= least + 1e-12, "{:?}", set);
                }
                let plain = quantize(set, &weights, bits, scale, Clip::Max);
                let error = |codes: &Codes| -> f64 {
                    let values = codes.codes.iter().map(|&code| f64::from(code) * codes.lsb);
                    weights.iter().zip(values).map(|(w, value)| (value - w).powi(2)).sum()
                };
                prop_assert!(error(&searched) <= error(&plain) + 1e-12, "{:?}", set);
                prop_assert!(!pow2 || searched.lsb.log2().fract() == 0.0);
            }
        }
    }
}

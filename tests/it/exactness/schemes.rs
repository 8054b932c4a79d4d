//! Every scheme of weights, whichever there are: integers that are levels of it, equal on every instruction set.

use spiq::num::LevelSet;
use spiq::quant::scheme::Sharing;
use spiq::quant::{QuantizedWeighted, WeightScheme};

use super::fast::assert_fast;
use super::support::*;
use super::zoo::{any_setting, zoo_model};

/// Shorthands of every width of every scheme, uniform weights up to 8 bits.
fn shorthands() -> Vec<String> {
    let of = |name: &'static str, widths: std::ops::RangeInclusive<u32>| {
        widths.map(move |bits| format!("{name}{bits}"))
    };
    let sets = LevelSet::ALL.iter().flat_map(|set| set.widths().map(|bits| set.shorthand(bits)));
    of("w", 2..=8).chain(of("pot", 2..=5)).chain(of("floor", 2..=8)).chain(sets).collect()
}

/// What settings call `scheme`.
fn written(scheme: &WeightScheme) -> String {
    ron::to_string(scheme).unwrap()
}

#[test]
fn all_schemes_on_random_networks() {
    let mut dice = Dice::new(131);
    let mut workspace = Workspace::default();
    for shorthand in shorthands() {
        let (mut compared, mut layers) = (0, 0);
        for (mse, per_layer) in [(false, false), (true, false), (false, true)] {
            let Some(scheme) = WeightScheme::from_shorthand(&shorthand, mse) else { continue };
            let scheme = if per_layer { scheme.per_layer() } else { scheme };
            let timesteps = dice.int(1, 4) as usize;
            let (model, _, images) = zoo_model(&mut dice, timesteps, false);
            let setting = any_setting(&mut dice, &model.network, &written(&scheme), 12, 14);
            let quantized = quantize(&model, &setting, &calibrate(&model, &images)).unwrap();
            compared += assert_fast(&quantized, &dice.image(&model.network), &mut workspace);
            let of_scheme = |op: &QuantizedWeighted| op.scheme.with_base(None) == scheme;
            for (_, op) in quantized.weighted().filter(|(_, op)| of_scheme(op)) {
                layers += 1;
                assert_eq!(op.scheme.base().is_some(), shorthand.starts_with("adalog"));
                let other = op.codes.iter().find(|&&code| !op.scheme.has_level(code));
                assert_eq!(other, None, "{shorthand}");
                let shared = scheme.granularity() == Sharing::Layer;
                assert!(!shared || op.lsb.iter().all(|lsb| *lsb == op.lsb[0]), "{shorthand}");
            }
        }
        println!("{shorthand}: {compared} values, {layers} layers");
        assert!(compared > 100 && layers > 0, "{shorthand}");
    }
}

//! The base of a layer's levels, of sets whose layers choose one.

use rayon::prelude::*;

use super::{ScaleChoice, Sharing, WeightScheme, levels};

impl WeightScheme {
    /// Base of its levels; `None` where it has none, or none is chosen yet.
    pub fn base(&self) -> Option<u8> {
        match *self {
            Self::Levels { base, .. } => base,
            _ => None,
        }
    }

    /// This scheme at `base`.
    #[must_use]
    pub fn with_base(mut self, chosen: Option<u8>) -> Self {
        if let Self::Levels { base, .. } = &mut self {
            *base = chosen;
        }
        self
    }

    /// Refuses a base that its set does not have.
    pub(super) fn check_base(&self) -> Result<(), String> {
        let Self::Levels { set, base: Some(base), .. } = self else { return Ok(()) };
        match set.bases() {
            [] => Err(format!("base {base}: {} has none", set.kind())),
            bases if bases.contains(base) => Ok(()),
            bases => Err(format!("base {base} is none of {bases:?}")),
        }
    }

    /// Bases that a layer may choose from: none where it has one, or its set has none.
    pub(crate) fn open_bases(&self) -> &'static [u8] {
        match self {
            Self::Levels { set, base: None, .. } => set.bases(),
            _ => &[],
        }
    }

    /// This scheme at the base of the smallest squared error of `weights`, rows of `fan_in` each, at their nearest levels;
    /// the first of equals. Errors count as `importance` says, a factor per input of each group of rows.
    pub(crate) fn fitted(self, weights: &[f64], fan_in: usize, importance: Option<&[Vec<f64>]>) -> Self {
        let mut best = (f64::INFINITY, self);
        for &base in self.open_bases() {
            let scheme = self.with_base(Some(base));
            let error = scheme.error(weights, fan_in, importance);
            if error < best.0 {
                best = (error, scheme);
            }
        }
        best.1
    }

    /// The squared error of all rows, each at its scale.
    fn error(&self, weights: &[f64], fan_in: usize, importance: Option<&[Vec<f64>]>) -> f64 {
        let Self::Levels { set, bits, base, scale, clip, .. } = *self else { return 0.0 };
        let (table, choice) = (set.table(bits, base), ScaleChoice { scale, clip });
        let of = |weights: &[f64], importance: Option<&[f64]>| {
            let lsb = levels::lsb(table, choice, weights, fan_in, importance);
            levels::error(table, weights, fan_in, lsb, importance)
        };
        let rows = weights.len() / fan_in;
        let of_row = |row: usize| importance.map(|groups| &groups[row * groups.len() / rows][..]);
        match self.granularity() {
            Sharing::Layer => {
                let all = importance.map(|_| (0..rows).filter_map(of_row).collect::<Vec<_>>().concat());
                of(weights, all.as_deref())
            }
            Sharing::Channel => {
                let all = weights.par_chunks_exact(fan_in).enumerate();
                let errors: Vec<f64> = all.map(|(row, weights)| of(weights, of_row(row))).collect();
                errors.iter().sum()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Levels of 3 bits at the largest weight of 127: 70 and 38 are levels of base 2^(32/37) alone.
    #[test]
    fn the_base_is_that_of_the_levels_that_are_met() {
        let scheme = WeightScheme::from_shorthand("adalog3", false).unwrap();
        let weights = [127.0, 70.0, -38.0, 1.27, -0.7, 0.38];
        assert_eq!(scheme.fitted(&weights, 3, None).base(), Some(32));
        assert_eq!(scheme.per_layer().fitted(&weights[..3], 3, None).base(), Some(32));
        // 52 and 87 are levels of two other bases: what counts more decides.
        let of = |importance: [f64; 3]| {
            let importance = vec![importance.to_vec()];
            scheme.fitted(&[127.0, 60.0, 87.0], 3, Some(&importance)).base()
        };
        assert_eq!((of([1.0, 1.0, 1e3]), of([1.0, 1e3, 1.0])), (Some(20), Some(20)));
        assert_eq!(scheme.with_base(Some(16)).fitted(&weights, 3, None).base(), Some(16));
        let all_zero = scheme.fitted(&[0.0; 3], 3, None);
        assert_eq!(all_zero.base(), Some(16));
        let other = WeightScheme::from_shorthand("apot4", false).unwrap();
        assert_eq!(other.fitted(&weights, 3, None), other);
        assert_eq!(scheme.with_base(Some(16)).check(), Ok(()));
        let told = "base 17 is none of [16, 20, 24, 28, 32, 36, 40, 44]";
        assert_eq!(scheme.with_base(Some(17)).check(), Err(told.to_owned()));
        assert_eq!(other.with_base(Some(16)).check(), Err("base 16: Apot has none".to_owned()));
    }
}

//! Effects of parameters: how much of an objective each of them decides.

use serde::{Deserialize, Serialize};

/// What one axis has to do with a figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Name of the axis.
    pub parameter: String,
    /// Share of the figure's variance that lies between its levels: 1 where it decides all. Shares of a grid add up to 1 at
    /// most; what is missing depends on several of them together.
    pub variance_share: f64,
    /// In the order of the space.
    pub levels: Vec<LevelEffect>,
}

/// Points that share a level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LevelEffect {
    /// The value.
    pub value: String,
    /// How many were evaluated.
    pub points: usize,
    /// Mean of the figure over them: a geometric one where ratios are compared. Absent where there are none.
    pub mean: Option<f64>,
}

/// The effect of an axis called `name` whose levels are `labels`; `levels` and `values` are those of the points. Ratios are
/// compared, and so logarithms averaged, where `ratios` says so and no value forbids it.
pub fn effect(name: &str, labels: &[String], levels: &[usize], values: &[f64], ratios: bool) -> Effect {
    let ratios = ratios && values.iter().all(|&value| value > 0.0);
    let scaled = |value: f64| if ratios { value.ln() } else { value };
    let unscaled = |value: f64| if ratios { value.exp() } else { value };
    let mut sums = vec![(0usize, 0.0); labels.len()];
    for (&level, &value) in levels.iter().zip(values) {
        sums[level].0 += 1;
        sums[level].1 += scaled(value);
    }
    let mean = |(count, sum): &(usize, f64)| sum / *count as f64;
    let all = mean(&sums.iter().fold((0, 0.0), |(n, s), (count, sum)| (n + count, s + sum)));
    let between: f64 =
        sums.iter().filter(|sum| sum.0 > 0).map(|sum| sum.0 as f64 * (mean(sum) - all).powi(2)).sum();
    let total: f64 = values.iter().map(|&value| (scaled(value) - all).powi(2)).sum();
    // Rounding alone makes no variance.
    let is_constant = total <= values.len() as f64 * (all.abs() * 1e-12).powi(2);
    let level = |(value, sum): (&String, &(usize, f64))| LevelEffect {
        value: value.clone(),
        points: sum.0,
        mean: (sum.0 > 0).then(|| unscaled(mean(sum))),
    };
    Effect {
        parameter: name.to_owned(),
        variance_share: if is_constant { 0.0 } else { between / total },
        levels: labels.iter().zip(&sums).map(level).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two axes of two levels; the value is a + 10 b: 1, 11, 2, 12.
    #[test]
    fn shares_by_hand() {
        let labels = ["x".to_owned(), "y".to_owned()];
        let values = [1.0, 11.0, 2.0, 12.0];
        let a = effect("a", &labels, &[0, 0, 1, 1], &values, false);
        let b = effect("b", &labels, &[0, 1, 0, 1], &values, false);
        // Around the mean of 6.5: 30.25 + 20.25 + 20.25 + 30.25 = 101, of which a has 4 / 4 and b 100.
        assert!((a.variance_share - 1.0 / 101.0).abs() < 1e-12, "{a:?}");
        assert!((b.variance_share - 100.0 / 101.0).abs() < 1e-12, "{b:?}");
        assert_eq!(a.levels[1], LevelEffect { value: "y".into(), points: 2, mean: Some(7.0) });
    }

    #[test]
    fn ratios_have_geometric_means() {
        let labels = ["x", "y", "z"].map(str::to_owned);
        let found = effect("a", &labels, &[0, 0, 1], &[2.0, 8.0, 1.0], true);
        let means: Vec<Option<f64>> = found.levels.iter().map(|level| level.mean).collect();
        assert!((means[0].unwrap() - 4.0).abs() < 1e-12 && means[1] == Some(1.0) && means[2].is_none());
        let constant = effect("a", &labels, &[0, 1, 2], &[0.1; 3], true);
        assert_eq!(constant.variance_share, 0.0);
    }
}

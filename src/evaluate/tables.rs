//! How energies, and the order of settings, depend on the table of energies.

use serde::Serialize;

use super::Evaluation;

/// What every setting takes under one table of energies.
#[derive(Debug, Clone, Serialize)]
pub struct TableEvaluation {
    /// Name of the table.
    pub table: String,
    /// One per setting, in the order asked for.
    pub settings: Vec<TableCost>,
}

/// One setting under one table.
#[derive(Debug, Clone, Serialize)]
pub struct TableCost {
    /// Name of the setting.
    pub setting: String,
    /// Dynamic energy and leakage per inference.
    pub energy_j: f64,
    /// Latency per inference: the table has its say in the choice of mappings.
    pub latency_s: f64,
    /// Place among the settings by energy; 1 takes the least, and equals share a place.
    pub rank: usize,
}

impl TableEvaluation {
    /// The `evaluations` of all settings under `table`.
    pub fn new(table: &str, evaluations: &[&Evaluation]) -> Self {
        let energies: Vec<f64> = evaluations.iter().map(|e| e.total_energy_j()).collect();
        let rank = |energy: f64| 1 + energies.iter().filter(|&&other| other < energy).count();
        let cost = |e: &&Evaluation| TableCost {
            setting: e.name.clone(),
            energy_j: e.total_energy_j(),
            latency_s: e.latency_s,
            rank: rank(e.total_energy_j()),
        };
        Self { table: table.to_owned(), settings: evaluations.iter().map(cost).collect() }
    }

    /// Pairs of settings that stand the other way round under `other`.
    pub(crate) fn swaps<'a>(&'a self, other: &'a Self) -> Vec<(&'a str, &'a str)> {
        let mut swaps = Vec::new();
        for (i, (a, b)) in self.settings.iter().zip(&other.settings).enumerate() {
            for (c, d) in self.settings[i + 1..].iter().zip(&other.settings[i + 1..]) {
                if (a.rank < c.rank && b.rank > d.rank) || (a.rank > c.rank && b.rank < d.rank) {
                    swaps.push((a.setting.as_str(), c.setting.as_str()));
                }
            }
        }
        swaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(energies: [f64; 3]) -> TableEvaluation {
        let cost = |(setting, energy_j): (&str, f64)| TableCost {
            setting: setting.to_owned(),
            energy_j,
            latency_s: 1.0,
            rank: 1 + energies.iter().filter(|&&other| other < energy_j).count(),
        };
        TableEvaluation {
            table: "t".into(),
            settings: ["w8", "w4", "w3"].into_iter().zip(energies).map(cost).collect(),
        }
    }

    #[test]
    fn pairs_that_change_places_are_found_and_equals_are_none() {
        let first = table([3.0, 2.0, 1.0]);
        assert!(first.swaps(&table([9.0, 8.0, 7.0])).is_empty());
        assert_eq!(first.swaps(&table([3.0, 1.0, 2.0])), [("w4", "w3")]);
        assert_eq!(first.swaps(&table([1.0, 2.0, 3.0])), [("w8", "w4"), ("w8", "w3"), ("w4", "w3")]);
        assert!(first.swaps(&table([3.0, 3.0, 3.0])).is_empty());
    }
}

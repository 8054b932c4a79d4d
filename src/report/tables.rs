//! Energies by table, for the terminal: how much of a result is the table's.

use super::terminal::{Column, lines, wrap};
use super::units::{Scale, decimals, fixed};
use crate::evaluate::{Simulation, TableEvaluation};

/// A line per setting with a column per table, each with its order of settings; nothing where there is one
/// table.
pub(super) fn section(simulation: &Simulation) -> String {
    let [first, others @ ..] = &simulation.tables[..] else { return String::new() };
    if others.is_empty() {
        return String::new();
    }
    let mut columns =
        vec![Column::new("setting", "", first.settings.iter().map(|cost| cost.setting.clone()))];
    for table in &simulation.tables {
        let largest = table.settings.iter().map(|cost| cost.energy_j).fold(0.0, f64::max);
        let scale = Scale::si(largest, "J");
        let digits = decimals(scale.apply(largest), 4);
        let energies = table.settings.iter().map(|cost| fixed(scale.apply(cost.energy_j), digits));
        columns.push(Column::new(&table.table, &scale.unit, energies));
        columns.push(Column::new("", "rank", table.settings.iter().map(|cost| cost.rank.to_string())));
    }
    let mut text = format!("\nenergy per inference by table of energies\n\n{}\n", lines(&columns));
    if first.settings.len() > 1 {
        others.iter().for_each(|other| text.push_str(&wrap(&order(first, other))));
    }
    text
}

/// Whether the settings stand in the same order.
fn order(first: &TableEvaluation, other: &TableEvaluation) -> String {
    let swaps = first.swaps(other);
    let pairs: Vec<String> = swaps.iter().map(|(a, b)| format!("{a} and {b}")).collect();
    let equals = other.settings.iter().all(|cost| cost.rank == 1);
    if !pairs.is_empty() {
        format!("{}: against {}, these change places: {}", other.table, first.table, pairs.join(", "))
    } else if equals {
        format!("{}: all settings take the same", other.table)
    } else {
        format!("{}: the settings stand in the order of {}", other.table, first.table)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::evaluate::TableCost;

    fn table(name: &str, energies: [f64; 2]) -> TableEvaluation {
        let cost = |(setting, energy_j): (&str, f64)| TableCost {
            setting: setting.to_owned(),
            energy_j,
            latency_s: 1e-3,
            rank: 1 + energies.iter().filter(|&&other| other < energy_j).count(),
        };
        TableEvaluation {
            table: name.into(),
            settings: ["w8", "w4"].into_iter().zip(energies).map(cost).collect(),
        }
    }

    #[test]
    fn one_table_is_no_comparison() {
        let mut simulation = fixture::simulation(2, 1);
        assert_eq!(section(&simulation), "");
        simulation.tables = vec![table("sata-28", [2e-6, 1e-6])];
        assert_eq!(section(&simulation), "");
    }

    #[test]
    fn an_order_is_the_same_or_not_or_none() {
        let first = table("sata-28", [2.0, 1.0]);
        assert_eq!(order(&first, &table("b", [9.0, 8.0])), "b: the settings stand in the order of sata-28");
        assert_eq!(order(&first, &table("c", [1.0, 1.0])), "c: all settings take the same");
    }

    #[test]
    fn tables_stand_side_by_side_with_their_units() {
        let mut simulation = fixture::simulation(2, 1);
        simulation.tables = vec![table("sata-28", [2e-6, 1e-6]), table("sop-45", [3e-3, 3.5e-3])];
        let wanted = "\n\
energy per inference by table of energies

setting  sata-28        sop-45      
              µJ  rank      mJ  rank
-------  -------  ----  ------  ----
w8         2.000     2   3.000     1
w4         1.000     1   3.500     2

sop-45: against sata-28, these change places: w8 and w4
";
        let trimmed: Vec<&str> = wanted.lines().map(str::trim_end).collect();
        assert_eq!(section(&simulation).lines().collect::<Vec<_>>(), trimmed);
    }
}

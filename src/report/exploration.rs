//! What `spiq explore` shows and leaves behind: points, fronts, effects, pictures.

use std::path::Path;

use super::column::Cell;
use super::exploration_json::exploration_json;
use super::terminal::{Column, heading, lines};
use super::units::{Scale, decimals, fixed};
use super::{csv, page, plots};
use crate::error::Result;
use crate::explore::{Effect, Exploration, Figure, Nearest, Outcome};
use crate::output::{OutputFolder, Owner};

/// Writes `report.html`, `points.csv`, `fronts.csv`, `effects.csv`, `exploration.json` and `plots/` into `dir`.
///
/// # Errors
/// If a file cannot be written; an earlier result is then as it was.
pub fn write_exploration(found: &Exploration, dir: &Path) -> Result<()> {
    let mut files =
        vec![("fronts.csv".to_owned(), fronts_csv(found)?), ("effects.csv".to_owned(), effects_csv(found)?)];
    files.extend(plots::of_exploration(found)?);
    let json = exploration_json(found)?;
    files.push(page(&json, "exploration.json")?);
    files.push(("exploration.json".to_owned(), json.into_bytes()));
    let folder = OutputFolder::new(dir, Owner::Exploration)?;
    let points = folder.create("points.csv")?;
    let rows = (0..found.outcomes.len()).map(|point| row(found, point));
    csv::write_to(&points.path, std::io::BufWriter::new(points.file), header(found), rows)?;
    files.into_iter().try_for_each(|(name, bytes)| folder.write(&name, bytes))?;
    folder.finish()
}

/// Columns of a point.
fn header(found: &Exploration) -> Vec<String> {
    let axes = found.axes.iter().map(|axis| axis.name.as_str());
    let names = ["point", "network"].into_iter().chain(axes).chain(["setting"]);
    names
        .chain(Figure::ALL.map(Figure::name))
        .chain(["meets", "exceeded", "refused"])
        .map(str::to_owned)
        .collect()
}

fn row(found: &Exploration, point: usize) -> Vec<Cell> {
    let place = found.place(point);
    let text = |text: &str| Cell::Text(text.to_owned());
    let mut row = vec![Cell::Number(point as f64), text(&found.networks[place.network])];
    row.extend(found.axes.iter().zip(&place.levels).map(|(axis, &level)| text(&axis.levels[level])));
    row.push(text(&found.settings[place.setting]));
    match &found.outcomes[point] {
        Outcome::Evaluated(figures) => {
            row.extend(figures.iter().map(|&value| number(value)));
            row.push(text(if found.meets(figures) { "yes" } else { "no" }));
            row.extend([text(&found.exceeded(figures).join("; ")), text("")]);
        }
        Outcome::Refused(why) => {
            row.extend(Figure::ALL.map(|_| Cell::Absent));
            row.extend([text("no"), text(""), text(why)]);
        }
    }
    row
}

fn number(value: f64) -> Cell {
    if value.is_finite() { Cell::Number(value) } else { Cell::Absent }
}

/// Objectives of a front, in a cell.
fn named(figures: &[Figure]) -> String {
    let names: Vec<&str> = figures.iter().map(|figure| figure.name()).collect();
    names.join(" ")
}

fn fronts_csv(found: &Exploration) -> Result<Vec<u8>> {
    let header = ["objectives".to_owned(), "hw".to_owned()].into_iter().chain(header(found)).collect();
    let rows = found.fronts.iter().flat_map(|front| {
        front.points.iter().map(|&point| {
            let machine = found.hardware(&found.place(point));
            let of_front = [Cell::Text(named(&front.figures)), Cell::Text(machine)];
            of_front.into_iter().chain(row(found, point)).collect()
        })
    });
    csv::write("fronts.csv", header, rows)
}

fn effects_csv(found: &Exploration) -> Result<Vec<u8>> {
    let header = ["network", "objective", "parameter", "variance_share", "value", "points", "mean"];
    let mut rows = Vec::new();
    for (network, name) in found.networks.iter().enumerate() {
        for &objective in &found.space.objectives {
            for effect in found.effects(network, objective) {
                rows.extend(effect.levels.iter().map(|level| {
                    vec![
                        Cell::Text(name.clone()),
                        Cell::Text(objective.name().to_owned()),
                        Cell::Text(effect.parameter.clone()),
                        Cell::Number(effect.variance_share),
                        Cell::Text(level.value.clone()),
                        Cell::Number(level.points as f64),
                        level.mean.map_or(Cell::Absent, number),
                    ]
                }));
            }
        }
    }
    csv::write("effects.csv", header.map(str::to_owned).to_vec(), rows.into_iter())
}

/// The table for the terminal: of each network, the best point in each objective, and what decides it.
pub fn exploration_table(found: &Exploration) -> String {
    let Exploration { space, machines, all_machines, outcomes, .. } = found;
    let kept = outcomes.iter().filter(|o| matches!(o, Outcome::Evaluated(f) if found.meets(f))).count();
    let mut text = heading(&[
        ("space", space.name.clone()),
        ("machines", format!("{} of {all_machines}", machines.len())),
        ("points", format!("{}, {} refused, {kept} keep all constraints", outcomes.len(), found.refused())),
    ]);
    for network in 0..found.networks.len() {
        text += &format!("\n{}\n\n{}", found.networks[network], lines(&best(found, network)));
        text += &format!("\n{}", lines(&decides(found, network)));
    }
    text
}

/// The best point in each objective, and the point of the largest front that comes closest to the best in all of them.
fn best(found: &Exploration, network: usize) -> Vec<Column> {
    let objectives = &found.space.objectives;
    let rows: Vec<(Figure, Option<usize>)> =
        objectives.iter().map(|&figure| (figure, found.best(network, figure))).collect();
    let mut columns = vec![Column::new("best", "", rows.iter().map(|(figure, _)| figure.name().to_owned()))];
    for &figure in objectives {
        let value = |point: &usize| found.figures(*point).map(|figures| figure.of(figures));
        let values: Vec<Option<f64>> = rows.iter().map(|(_, point)| point.as_ref().and_then(value)).collect();
        let scale = scale(figure, values.iter().flatten().copied().fold(0.0, f64::max));
        let cell =
            |value: &Option<f64>| value.map_or_else(|| "-".to_owned(), |value| shown(scale.apply(value)));
        columns.push(Column::new(figure.title(), &scale.unit, values.iter().map(cell)));
    }
    let place = |point: &Option<usize>| point.map(|point| found.place(point));
    for (i, axis) in found.axes.iter().enumerate().filter(|(_, axis)| axis.levels.len() > 1) {
        let cell = |(_, point): &(Figure, Option<usize>)| {
            place(point).map_or_else(|| "-".to_owned(), |place| axis.levels[place.levels[i]].clone())
        };
        columns.push(Column::new(&axis.name, "", rows.iter().map(cell)));
    }
    let setting = |(_, point): &(Figure, Option<usize>)| {
        place(point).map_or_else(|| "-".to_owned(), |place| found.settings[place.setting].clone())
    };
    columns.push(Column::new("setting", "", rows.iter().map(setting)));
    columns
}

/// Shares of variance, an objective a row.
fn decides(found: &Exploration, network: usize) -> Vec<Column> {
    let objectives = &found.space.objectives;
    let effects: Vec<Vec<Effect>> = objectives.iter().map(|&figure| found.effects(network, figure)).collect();
    let names = objectives.iter().map(|figure| figure.name().to_owned());
    let mut columns = vec![Column::new("variance decided by", "", names)];
    let widest = effects.iter().max_by_key(|effects| effects.len());
    for (i, effect) in widest.into_iter().flatten().enumerate() {
        let cell = |effects: &Vec<Effect>| {
            effects.get(i).map_or_else(|| "-".to_owned(), |effect| fixed(100.0 * effect.variance_share, 1))
        };
        columns.push(Column::new(&effect.parameter, "%", effects.iter().map(cell)));
    }
    columns
}

fn scale(figure: Figure, largest: f64) -> Scale {
    match figure.unit() {
        "" => Scale { divisor: 0.01, unit: "%".to_owned() },
        "B" => Scale::bytes(largest),
        "mm2" => Scale { divisor: 1.0, unit: "mm2".to_owned() },
        unit @ ("bit" | "images/s") => Scale::count(largest, unit),
        unit => Scale::si(largest, unit),
    }
}

fn shown(value: f64) -> String {
    fixed(value, decimals(value.abs(), 4).min(3))
}

/// Why a network has nothing to show, the first that has none; `None` where all have.
pub fn unmet_constraints(found: &Exploration) -> Option<String> {
    let network = (0..found.networks.len()).find(|&network| !found.is_met(network))?;
    let name = &found.networks[network];
    Some(match found.nearest(network) {
        None => {
            let why = found.first_refusal().unwrap_or("there are none");
            format!("{name}: every point was refused, the first one because: {why}")
        }
        Some(Nearest { point, exceeded }) => {
            let place = found.place(point);
            let (machine, setting) = (found.hardware(&place), &found.settings[place.setting]);
            let what = if exceeded.is_empty() {
                "an objective is not known".to_owned()
            } else {
                exceeded.join("; ")
            };
            format!("{name}: no point keeps all constraints; the nearest, {setting} on {machine}: {what}")
        }
    })
}

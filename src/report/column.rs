//! Columns: what a row holds under which name, and where JSON, CSV and the table for the terminal have it.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::evaluate::StallEvaluation;

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    /// A name or a remark.
    Text(String),
    /// A number in the unit that the column's name ends with.
    Number(f64),
    /// A number that the simulation does not know.
    Absent,
}

/// Names of the parts of a total, and what people call them.
pub(super) type Labels = &'static [(&'static str, &'static str)];

/// What the table for the terminal shows, and under which heading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shown {
    pub heading: &'static str,
    pub quantity: Quantity,
}

/// How the table shows a value. Neighbours of one scaled quantity share a unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Quantity {
    /// Text, unchanged.
    Name,
    /// A fraction, in hundredths of what is named.
    Percent(&'static str),
    /// With two decimals, of what is named.
    Plain(&'static str),
    /// With a binary prefix.
    Bytes,
    /// Things that are counted, with a decimal prefix.
    Count(&'static str),
    /// A unit with a decimal prefix.
    Si(&'static str),
}

/// A value of a row, or a group of values.
pub(super) struct Column<T: 'static> {
    /// What JSON calls it, but for the unit of a group.
    name: &'static str,
    value: Value<T>,
    csv: InCsv,
    shown: Option<Shown>,
}

/// Where CSV has a column.
#[derive(Clone, Copy)]
enum InCsv {
    Here,
    /// Under a name that says whose it is.
    As(&'static str),
    /// Behind all others, because it is long.
    Last,
    Nowhere,
}

/// How a row yields what a column holds.
pub(super) enum Value<T: 'static> {
    Text(fn(&T) -> &str),
    /// A list in JSON, and one remark in CSV.
    Lines(fn(&T) -> &[String]),
    /// A list of numbers, for JSON alone.
    Numbers(fn(&T) -> &[f64]),
    /// A list of objects in JSON, and one remark in CSV.
    Stalls(fn(&T) -> &[StallEvaluation]),
    Whole(fn(&T) -> u32),
    Number(fn(&T) -> f64),
    Optional(fn(&T) -> Option<f64>),
    /// The unit of all members, which may be empty, and the members.
    Group(&'static str, &'static [Member<T>]),
}

/// A member of a group.
pub(super) enum Member<T> {
    /// One number by its name.
    One(&'static str, fn(&T) -> f64, Option<Shown>),
    /// All parts of a total. JSON has them in an object `inside` of the group, where there is one.
    Parts {
        inside: Option<&'static str>,
        labels: Labels,
        values: fn(&T) -> Vec<f64>,
        shown: &'static [(&'static str, Quantity)],
    },
}

impl<T> Column<T> {
    /// A column that CSV has in its place, and the terminal does not show.
    pub(super) const fn new(name: &'static str, value: Value<T>) -> Self {
        Self { name, value, csv: InCsv::Here, shown: None }
    }

    /// What adds up, in `unit`: an object in JSON, columns `name_member_unit` in CSV.
    pub(super) const fn group(name: &'static str, unit: &'static str, members: &'static [Member<T>]) -> Self {
        Self::new(name, Value::Group(unit, members))
    }

    /// The column with a name of its own in CSV.
    pub(super) const fn csv_name(self, name: &'static str) -> Self {
        Self { csv: InCsv::As(name), ..self }
    }

    /// The column behind all others in CSV.
    pub(super) const fn csv_last(self) -> Self {
        Self { csv: InCsv::Last, ..self }
    }

    /// The column, which CSV has not.
    pub(super) const fn not_in_csv(self) -> Self {
        Self { csv: InCsv::Nowhere, ..self }
    }

    /// The column, which the terminal shows under `heading`.
    pub(super) const fn shown(self, heading: &'static str, quantity: Quantity) -> Self {
        Self { shown: Some(Shown { heading, quantity }), ..self }
    }

    fn names(&self) -> Vec<String> {
        let Value::Group(unit, members) = &self.value else {
            let name = if let InCsv::As(name) = self.csv { name } else { self.name };
            return vec![name.to_owned()];
        };
        let full = |member: &str| with_unit(&format!("{}_{member}", self.name), unit);
        members.iter().flat_map(|member| member.names().into_iter().map(full)).collect()
    }

    fn cells(&self, row: &T) -> Vec<Cell> {
        let cell = match &self.value {
            Value::Text(text) => Cell::Text(text(row).to_owned()),
            Value::Lines(lines) => Cell::Text(lines(row).join("; ")),
            Value::Numbers(_) => Cell::Absent,
            Value::Stalls(stalls) => {
                let stalls: Vec<String> = stalls(row).iter().map(StallEvaluation::to_string).collect();
                Cell::Text(stalls.join("; "))
            }
            Value::Whole(number) => Cell::Number(number(row).into()),
            Value::Number(number) => Cell::Number(number(row)),
            Value::Optional(number) => number(row).map_or(Cell::Absent, Cell::Number),
            Value::Group(_, members) => {
                return members.iter().flat_map(|member| member.numbers(row)).map(Cell::Number).collect();
            }
        };
        vec![cell]
    }

    /// Per cell, whether the terminal shows it.
    fn places(&self) -> Vec<Option<Shown>> {
        match &self.value {
            Value::Group(_, members) => members.iter().flat_map(Member::places).collect(),
            _ => vec![self.shown],
        }
    }
}

impl<T> Member<T> {
    fn names(&self) -> Vec<&'static str> {
        match self {
            Self::One(name, ..) => vec![name],
            Self::Parts { labels, .. } => labels.iter().map(|(name, _)| *name).collect(),
        }
    }

    fn numbers(&self, row: &T) -> Vec<f64> {
        match self {
            Self::One(_, number, _) => vec![number(row)],
            Self::Parts { values, .. } => values(row),
        }
    }

    /// Parts are shown under the words for people.
    fn places(&self) -> Vec<Option<Shown>> {
        match self {
            Self::One(_, _, shown) => vec![*shown],
            Self::Parts { labels, shown, .. } => {
                let place = |&(name, heading): &(&str, &'static str)| {
                    let (_, quantity) = shown.iter().find(|(shown, _)| *shown == name)?;
                    Some(Shown { heading, quantity: *quantity })
                };
                labels.iter().map(place).collect()
            }
        }
    }
}

fn with_unit(name: &str, unit: &str) -> String {
    if unit.is_empty() { name.to_owned() } else { format!("{name}_{unit}") }
}

/// The columns that CSV has, in its order.
fn in_csv<T>(columns: &[Column<T>]) -> impl Iterator<Item = &Column<T>> {
    let here = columns.iter().filter(|column| matches!(column.csv, InCsv::Here | InCsv::As(_)));
    here.chain(columns.iter().filter(|column| matches!(column.csv, InCsv::Last)))
}

/// Names of `columns` in CSV, in order.
pub(super) fn names<T>(columns: &[Column<T>]) -> Vec<String> {
    in_csv(columns).flat_map(Column::names).collect()
}

/// Values of `row`, in the order of [`names`].
pub(super) fn cells<T>(columns: &[Column<T>], row: &T) -> Vec<Cell> {
    in_csv(columns).flat_map(|column| column.cells(row)).collect()
}

/// What the terminal shows of `columns`, with its values in all `rows`.
pub(super) fn shown<T>(columns: &[Column<T>], rows: &[T]) -> Vec<(Shown, Vec<Cell>)> {
    let places = columns.iter().flat_map(Column::places).enumerate();
    let all: Vec<Vec<Cell>> =
        rows.iter().map(|row| columns.iter().flat_map(|column| column.cells(row)).collect()).collect();
    places
        .filter_map(|(at, place)| Some((place?, all.iter().map(|cells| cells[at].clone()).collect())))
        .collect()
}

/// A row as an object of JSON.
pub(super) struct Row<'a, T: 'static>(pub &'static [Column<T>], pub &'a T);

impl<T> Row<'_, T> {
    /// Adds its fields to those of `map`.
    pub(super) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Self(columns, row) = *self;
        for Column { name, value, .. } in columns {
            match value {
                Value::Text(text) => map.serialize_entry(name, text(row))?,
                Value::Lines(lines) => map.serialize_entry(name, lines(row))?,
                Value::Numbers(numbers) => map.serialize_entry(name, numbers(row))?,
                Value::Stalls(stalls) => map.serialize_entry(name, stalls(row))?,
                Value::Whole(number) => map.serialize_entry(name, &number(row))?,
                Value::Number(number) => map.serialize_entry(name, &number(row))?,
                Value::Optional(number) => map.serialize_entry(name, &number(row))?,
                Value::Group(unit, members) => {
                    map.serialize_entry(&with_unit(name, unit), &Members(members, row))?;
                }
            }
        }
        Ok(())
    }
}

impl<T> Serialize for Row<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write(&mut map)?;
        map.end()
    }
}

struct Members<'a, T: 'static>(&'static [Member<T>], &'a T);

impl<T> Serialize for Members<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for member in self.0 {
            let parts = Parts(member.names(), member.numbers(self.1));
            match member {
                Member::Parts { inside: Some(inside), .. } => map.serialize_entry(inside, &parts)?,
                _ => parts.write(&mut map)?,
            }
        }
        map.end()
    }
}

/// Numbers by their names.
struct Parts(Vec<&'static str>, Vec<f64>);

impl Parts {
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.0.iter().zip(&self.1).try_for_each(|(name, number)| map.serialize_entry(name, number))
    }
}

impl Serialize for Parts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write(&mut map)?;
        map.end()
    }
}

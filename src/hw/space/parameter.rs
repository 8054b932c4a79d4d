use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Fault;
use crate::hw::changes::{Change, parse_bytes};

/// Most values of a parameter.
const MAX_VALUES: usize = 10_000;

/// A field of the machine, or several that change together, with the values that are tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// What columns call it.
    #[serde(deserialize_with = "crate::name::plain")]
    pub name: String,
    /// The field, by its path as for `--set`.
    pub path: String,
    /// Other fields that follow it, each with what the value is multiplied by.
    #[serde(default)]
    pub also: BTreeMap<String, f64>,
    /// What is tried.
    pub values: Values,
}

/// Values that are tried, in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Values {
    /// Values in a list.
    List(Vec<Value>),
    /// From `from` up to `to`, each `times` the one before, or `plus` more.
    Steps {
        /// The first.
        from: Value,
        /// None is above.
        to: Value,
        /// Above 1.
        #[serde(default)]
        times: Option<f64>,
        /// Above 0, a size with its unit where that is one.
        #[serde(default)]
        plus: Option<Value>,
    },
}

/// A value of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A size with its unit (`64KiB`), the name of a part, or whatever else the description would say.
    Text(String),
}

impl Value {
    /// The value as a description spells it.
    fn spelled(&self) -> String {
        match self {
            Self::Number(number) => spelled(*number),
            Self::Text(text) => text.clone(),
        }
    }

    /// The value as a number; `None` where it is none.
    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => {
                parse_bytes(text).map(|bytes| bytes as f64).or_else(|| text.trim().parse().ok())
            }
        }
    }
}

/// Whole numbers as integers, which fields of integers ask for.
fn spelled(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 { format!("{number:.0}") } else { format!("{number:?}") }
}

impl Values {
    /// All of them, as a description spells them.
    ///
    /// # Errors
    /// Says what is wrong with a range, or that there are none or too many.
    pub fn all(&self) -> Result<Vec<String>, String> {
        let all = match self {
            Self::List(values) => values.iter().map(Value::spelled).collect(),
            Self::Steps { from, to, times, plus } => steps(from, to, *times, plus.as_ref())?,
        };
        match all.len() {
            0 => Err("there are none".to_owned()),
            1..=MAX_VALUES => Ok(all),
            count => Err(format!("{count} are more than {MAX_VALUES}")),
        }
    }
}

fn steps(from: &Value, to: &Value, times: Option<f64>, plus: Option<&Value>) -> Result<Vec<String>, String> {
    let number = |value: &Value| {
        value.number().filter(|n| n.is_finite()).ok_or_else(|| format!("{:?} is no number", value.spelled()))
    };
    let (from, to, plus) = (number(from)?, number(to)?, plus.map(number).transpose()?);
    if from > to {
        return Err(format!("from {from} is above to {to}"));
    }
    let next: Box<dyn Fn(usize) -> f64> = match (times, plus) {
        (Some(times), None) if times > 1.0 && from > 0.0 => Box::new(move |i| from * times.powi(i as i32)),
        (None, Some(plus)) if plus > 0.0 => Box::new(move |i| from + i as f64 * plus),
        (Some(_), None) => return Err("times has to be above 1, and from above 0".to_owned()),
        (None, Some(_)) => return Err("plus has to be above 0".to_owned()),
        _ => return Err("steps have either times or plus".to_owned()),
    };
    // The last one may miss its end by rounding alone.
    let end = to + (to - from).abs() * 1e-12;
    let steps = (0..=MAX_VALUES).map(next).take_while(|&value| value <= end);
    Ok(steps.map(spelled).collect())
}

impl Parameter {
    /// The changes that make a machine of `value`, one of [`Values::all`].
    ///
    /// # Errors
    /// If a field that follows has nothing to follow.
    pub fn changes(&self, value: &str) -> Result<Vec<Change>, Fault> {
        let mut changes = vec![Change { path: self.path.clone(), value: value.to_owned() }];
        for (path, factor) in &self.also {
            let value = match Value::Text(value.to_owned()).number() {
                Some(number) => spelled(number * factor),
                None if *factor == 1.0 => value.to_owned(),
                None => {
                    let message = format!("{value:?} is no number to multiply by {factor}");
                    return Err(Fault::new(format!("parameters: {}: also", self.name), message));
                }
            };
            changes.push(Change { path: path.clone(), value });
        }
        Ok(changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ron_file::parse_ron;

    fn values(text: &str) -> Result<Vec<String>, String> {
        parse_ron::<Values>(text, "v.ron").map_err(|e| e.to_string())?.all()
    }

    #[test]
    fn ranges_by_hand() {
        let sizes = values("Steps(from: \"32KiB\", to: \"128KiB\", times: 2)").unwrap();
        assert_eq!(sizes, ["32768", "65536", "131072"]);
        let sizes = values("Steps(from: \"32KiB\", to: \"64KiB\", plus: \"16KiB\")").unwrap();
        assert_eq!(sizes, ["32768", "49152", "65536"]);
        assert_eq!(
            values("Steps(from: 0.1, to: 0.3, plus: 0.1)").unwrap(),
            ["0.1", "0.2", "0.30000000000000004"]
        );
        assert_eq!(
            values("List([8, 2.5, \"LPDDR4-3200\", \"64KiB\"])").unwrap(),
            ["8", "2.5", "LPDDR4-3200", "64KiB"]
        );
    }

    #[test]
    fn ranges_that_are_none_are_refused() {
        for text in [
            "List([])",
            "Steps(from: 4, to: 2, plus: 1)",
            "Steps(from: 1, to: 2, times: 1)",
            "Steps(from: 0, to: 2, times: 2)",
            "Steps(from: 1, to: 2, plus: -1)",
            "Steps(from: 1, to: 2)",
            "Steps(from: 1, to: 2, plus: 1, times: 2)",
            "Steps(from: \"a\", to: 2, plus: 1)",
            "Steps(from: 1, to: 2, plus: \"a\")",
            "Steps(from: 1, to: 1e9, plus: 1)",
            "Steps(from: 1, to: 2, by: 1)",
        ] {
            assert!(values(text).is_err(), "{text}");
        }
    }

    #[test]
    fn fields_follow_the_first() {
        let text = "(name: \"lanes\", path: \"a.b\", also: {\"c\": 16}, values: List([4]))";
        let parameter: Parameter = parse_ron(text, "p.ron").unwrap();
        let changes = |value| {
            parameter.changes(value).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(changes("4").unwrap(), ["a.b=4", "c=64"]);
        assert_eq!(changes("2KiB").unwrap(), ["a.b=2KiB", "c=32768"]);
        assert!(changes("Dense").is_err());
    }
}

//! The budgets of a search, limits with units, and its objective, which is to be small within them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::Figures;
use super::keyword::keywords;
use crate::error::{Error, Result};
use crate::files::Folder;
use crate::hw::Hardware;
use crate::name::Printable;
use crate::ron_file::parse_ron;

keywords! {
    /// What is minimised.
    pub enum Objective {
        Model = "model": "What a file of the network holds: weights, biases, thresholds, requantizers.",
        Footprint = "footprint": "The model, and all membranes, the largest stream and spike maps.",
        Energy = "energy": "Energy of an inference.",
        Latency = "latency": "Time of an inference.",
        Power = "power": "Energy divided by time.",
        Edp = "edp": "Energy times time.",
        Edap = "edap": "Energy times time times area of the machine.",
    }
}

impl Objective {
    /// Value of the objective, in base units.
    pub fn of(self, figures: &Figures) -> f64 {
        match self {
            Self::Model => figures.model_bytes,
            Self::Footprint => figures.footprint_bytes,
            Self::Energy => figures.energy_j,
            Self::Latency => figures.latency_s,
            Self::Power => figures.power_w,
            Self::Edp => figures.energy_j * figures.latency_s,
            Self::Edap => figures.energy_j * figures.latency_s * figures.area_mm2.unwrap_or(f64::INFINITY),
        }
    }

    /// The unit of [`Self::of`].
    pub fn unit(self) -> &'static str {
        match self {
            Self::Model | Self::Footprint => "B",
            Self::Energy => "J",
            Self::Latency => "s",
            Self::Power => "W",
            Self::Edp => "Js",
            Self::Edap => "Js mm2",
        }
    }

    /// What reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Footprint => "footprint",
            Self::Energy => "energy",
            Self::Latency => "latency",
            Self::Power => "power",
            Self::Edp => "energy-delay product",
            Self::Edap => "energy-delay-area product",
        }
    }
}

/// Limits, in base units; `None` for no limit.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budgets {
    /// Accuracy of the float network minus that of the setting, as a fraction.
    pub accuracy_drop: f64,
    /// Weights, biases, thresholds and requantizers, bytes.
    pub model_bytes: Option<f64>,
    /// The model and all state, bytes.
    pub footprint_bytes: Option<f64>,
    /// By the name of an on-chip memory of the machine, the most that it may hold, bytes.
    pub peak_bytes: BTreeMap<String, f64>,
    /// Energy of an inference, J.
    pub energy_j: Option<f64>,
    /// Energy divided by time, W.
    pub power_w: Option<f64>,
    /// Time of an inference, s.
    pub latency_s: Option<f64>,
    /// Area of the machine, mm^2.
    pub area_mm2: Option<f64>,
}

/// A limit that is exceeded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Violation {
    /// Which: `footprint`, `accuracy drop`, `peak of weight SRAM`.
    pub budget: String,
    /// What is needed, in base units.
    pub value: f64,
    /// The limit.
    pub limit: f64,
    /// The base unit.
    pub unit: &'static str,
}

impl Violation {
    /// True if accuracy is what it is about.
    pub(crate) fn is_of_accuracy(&self) -> bool {
        self.unit.is_empty()
    }

    /// How far beyond the limit, as a fraction of it; of an accuracy, the difference itself.
    pub fn excess(&self) -> f64 {
        match self.unit {
            "" => self.value - self.limit,
            _ => self.value / self.limit - 1.0,
        }
    }
}

impl Budgets {
    /// The limits that `figures` exceed, the machine's area included.
    pub fn violations(&self, figures: &Figures) -> Vec<Violation> {
        let limits = [
            ("model", Some(figures.model_bytes), self.model_bytes, "B"),
            ("footprint", Some(figures.footprint_bytes), self.footprint_bytes, "B"),
            ("energy", Some(figures.energy_j), self.energy_j, "J"),
            ("power", Some(figures.power_w), self.power_w, "W"),
            ("latency", Some(figures.latency_s), self.latency_s, "s"),
            ("area", figures.area_mm2, self.area_mm2, "mm2"),
        ];
        let limits = limits.map(|(budget, value, limit, unit)| (budget.to_owned(), value, limit, unit));
        let peaks = self.peak_bytes.iter().map(|(memory, &limit)| {
            let value = figures.peak_bytes.get(memory).copied();
            (format!("peak of {memory}"), value, Some(limit), "B")
        });
        let exceeded = |(budget, value, limit, unit): (String, Option<f64>, Option<f64>, _)| {
            let (value, limit) = (value?, limit?);
            (value > limit).then_some(Violation { budget, value, limit, unit })
        };
        limits.into_iter().chain(peaks).filter_map(exceeded).collect()
    }

    /// Refuses a peak of a memory that `hardware` has not.
    ///
    /// # Errors
    /// Names the memories that there are.
    pub(crate) fn check_memories(&self, hardware: &Hardware) -> Result<(), String> {
        let names: Vec<&str> = hardware.memories.iter().map(|memory| memory.name.as_str()).collect();
        let unknown = self.peak_bytes.keys().find(|name| !names.contains(&name.as_str()));
        unknown.map_or(Ok(()), |name| {
            let (machine, list) = (&hardware.name, names.join(", "));
            Err(format!("{name:?} is no memory of {machine}, which has {list}"))
        })
    }

    /// How far `drop` is beyond the allowed one.
    pub(crate) fn accuracy_violation(&self, drop: f64) -> Option<Violation> {
        let limit = self.accuracy_drop;
        (drop > limit).then_some(Violation {
            budget: "accuracy drop".to_owned(),
            value: drop,
            limit,
            unit: "",
        })
    }
}

/// A file of budgets: quantities with units as on the command line.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename = "Budget", default)]
struct File {
    max_accuracy_drop: Option<f64>,
    max_model: Option<String>,
    max_footprint: Option<String>,
    max_peak: BTreeMap<String, String>,
    max_energy: Option<String>,
    max_power: Option<String>,
    max_latency: Option<String>,
    max_area: Option<String>,
}

/// What a file says that knows one figure of memory; all else that it says is not looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(rename = "Budget", default)]
struct FormerFile {
    max_memory: Option<IgnoredAny>,
}

/// The three figures of memory, for a budget that still names one.
pub const MEMORY_FIGURES: &str = "memory is three figures: model (weights, biases, thresholds, requantizers), footprint \
    (the model and all state, which memory was) and peak (what each on-chip memory holds)";

/// Largest accuracy drop where none is given.
pub const DEFAULT_ACCURACY_DROP: f64 = 0.015;

impl Budgets {
    /// Reads a file of budgets.
    ///
    /// # Errors
    /// Names the file and the field.
    pub fn load(path: &str) -> Result<Self> {
        Self::parse(&Folder::Disk(PathBuf::new()).read_text(path)?, path)
    }

    /// Parses the text of such a file; `path` is for messages.
    ///
    /// # Errors
    /// Those of [`Budgets::load`].
    pub fn parse(text: &str, path: &str) -> Result<Self> {
        let file: File = parse_ron(text, path).map_err(|error| match parse_ron(text, path) {
            Ok(FormerFile { max_memory: Some(_) }) => {
                let message = format!("{MEMORY_FIGURES}; max_model, max_footprint and max_peak limit them");
                Error::field(path, "max_memory", message)
            }
            _ => error,
        })?;
        let parse = |field: &str, text: &str, units: Units| {
            quantity(text, units).map_err(|message| Error::field(path, field, message))
        };
        let quantity = |field: &str, text: &Option<String>, units: Units| {
            text.as_ref().map(|text| parse(field, text, units)).transpose()
        };
        let peak = |(memory, text): (&String, &String)| {
            let size = parse(&format!("max_peak: {}", Printable(memory)), text, BYTES)?;
            Ok((memory.clone(), size))
        };
        let drop = file.max_accuracy_drop.unwrap_or(DEFAULT_ACCURACY_DROP);
        check_accuracy_drop(drop).map_err(|message| Error::field(path, "max_accuracy_drop", message))?;
        Ok(Self {
            accuracy_drop: drop,
            model_bytes: quantity("max_model", &file.max_model, BYTES)?,
            footprint_bytes: quantity("max_footprint", &file.max_footprint, BYTES)?,
            peak_bytes: file.max_peak.iter().map(peak).collect::<Result<_>>()?,
            energy_j: quantity("max_energy", &file.max_energy, JOULES)?,
            power_w: quantity("max_power", &file.max_power, WATTS)?,
            latency_s: quantity("max_latency", &file.max_latency, SECONDS)?,
            area_mm2: quantity("max_area", &file.max_area, SQUARE_MILLIMETRES)?,
        })
    }
}

/// Says what is wrong with an allowed accuracy drop, if anything.
pub fn check_accuracy_drop(drop: f64) -> Result<(), String> {
    if (0.0..=1.0).contains(&drop) {
        Ok(())
    } else {
        Err(format!("{drop} is not in 0..=1 (0.015 stands for 1.5 points)"))
    }
}

/// Units of one quantity, and what each is worth in the base unit.
pub type Units = &'static [(&'static str, f64)];

/// Units of sizes.
pub const BYTES: Units = &[
    ("B", 1.0),
    ("kB", 1e3),
    ("KiB", 1024.0),
    ("MB", 1e6),
    ("MiB", 1024.0 * 1024.0),
    ("GB", 1e9),
    ("GiB", 1024.0 * 1024.0 * 1024.0),
];
/// Units of energy.
pub const JOULES: Units =
    &[("pJ", 1e-12), ("nJ", 1e-9), ("uJ", 1e-6), ("µJ", 1e-6), ("mJ", 1e-3), ("J", 1.0)];
/// Units of power.
pub const WATTS: Units = &[("nW", 1e-9), ("uW", 1e-6), ("µW", 1e-6), ("mW", 1e-3), ("W", 1.0)];
/// Units of time.
pub const SECONDS: Units = &[("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0)];
/// Units of area.
pub const SQUARE_MILLIMETRES: Units = &[("um2", 1e-6), ("µm2", 1e-6), ("mm2", 1.0), ("cm2", 100.0)];

/// `48KiB` in base units: a positive number and one of `units`.
///
/// # Errors
/// Says what is wrong with it.
pub fn quantity(text: &str, units: Units) -> Result<f64, String> {
    let end = text.rfind(|c: char| c.is_ascii_digit() || c == '.').map_or(0, |i| i + 1);
    // The digit of `mm2` belongs to the unit.
    let end = match text.strip_suffix("m2") {
        Some(rest) => rest.rfind(|c: char| c.is_ascii_digit() || c == '.').map_or(0, |i| i + 1),
        None => end,
    };
    let (number, unit) = (text[..end].trim(), text[end..].trim());
    let known =
        || units.iter().map(|(name, _)| *name).filter(|n| n.is_ascii()).collect::<Vec<_>>().join(", ");
    let Ok(number) = number.parse::<f64>() else {
        return Err(format!("{text:?} is no number with a unit ({})", known()));
    };
    if unit.is_empty() {
        return Err(format!("{text:?} has none of the units {}", known()));
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("{unit:?} is none of the units {}", known()));
    };
    if number > 0.0 && number.is_finite() {
        Ok(number * factor)
    } else {
        Err(format!("{text} is not above 0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_units() {
        assert_eq!(quantity("48KiB", BYTES), Ok(49152.0));
        assert_eq!(quantity("0.5 mm2", SQUARE_MILLIMETRES), Ok(0.5));
        assert_eq!(quantity("30uJ", JOULES), Ok(30.0 * 1e-6));
        assert_eq!(quantity("1.5e3ns", SECONDS), Ok(1.5e3 * 1e-9));
        assert_eq!(
            quantity("48kib", BYTES).unwrap_err(),
            "\"kib\" is none of the units B, kB, KiB, MB, MiB, GB, GiB"
        );
        assert_eq!(quantity("-2ms", SECONDS).unwrap_err(), "-2ms is not above 0");
        assert_eq!(quantity("mW", WATTS).unwrap_err(), "\"mW\" is no number with a unit (nW, uW, mW, W)");
    }

    #[test]
    fn a_file_has_the_quantities_of_the_flags() {
        let budgets =
            Budgets::parse("Budget(max_footprint: \"48KiB\", max_accuracy_drop: 0.01)", "b.ron").unwrap();
        assert_eq!((budgets.footprint_bytes, budgets.accuracy_drop), (Some(49152.0), 0.01));
        let text = "Budget(max_model: \"1KiB\", max_peak: {\"a = b\": \"2KiB\", \"c\": \"3B\"})";
        let budgets = Budgets::parse(text, "b.ron").unwrap();
        assert_eq!((budgets.model_bytes, budgets.footprint_bytes), (Some(1024.0), None));
        assert_eq!(budgets.peak_bytes, [("a = b".to_owned(), 2048.0), ("c".to_owned(), 3.0)].into());
        let message = Budgets::parse("Budget(max_energy: \"3 cal\")", "b.ron").unwrap_err().to_string();
        assert_eq!(message, "b.ron: max_energy: \"cal\" is none of the units pJ, nJ, uJ, mJ, J");
    }

    #[test]
    fn violations_name_their_budget() {
        let peak = |bytes: f64| [("L1".to_owned(), bytes)].into();
        let budgets = Budgets {
            footprint_bytes: Some(100.0),
            area_mm2: Some(1.0),
            peak_bytes: peak(20.0),
            ..Budgets::default()
        };
        let figures = Figures { footprint_bytes: 125.0, peak_bytes: peak(20.0), ..Figures::default() };
        let [violation] = &budgets.violations(&figures)[..] else { panic!() };
        assert_eq!((violation.budget.as_str(), violation.excess()), ("footprint", 0.25));
        let figures = Figures { peak_bytes: peak(30.0), model_bytes: 1e9, ..Figures::default() };
        let [violation] = &budgets.violations(&figures)[..] else { panic!() };
        assert_eq!((violation.budget.as_str(), violation.excess()), ("peak of L1", 0.5));
        let objectives = [Objective::Model, Objective::Footprint].map(|objective| objective.of(&figures));
        assert_eq!(objectives, [1e9, 0.0]);
        assert_eq!(budgets.accuracy_violation(0.0), None);
        assert_eq!(budgets.accuracy_violation(0.02).unwrap().excess(), 0.02);
    }
}

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::budget::check_accuracy_drop;
use super::identity::Identity;
use super::problem::{Problem, Widths};
use super::strategy_name::{StrategyForm, StrategyName};
use crate::check::{MEMBRANE_BITS, in_range, refuse_if};
use crate::error::Fault;
use crate::hw::MachineSpace;
use crate::model::Selection;
use crate::quant::WeightScheme;

/// A search as its log's first line holds it: what is searched, by which strategies, on what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Model, as the user named it.
    pub model: String,
    /// Checkpoint in the place of its weights.
    pub weights: Option<String>,
    /// Which tensors of it are read.
    #[serde(default)]
    pub selection: Selection,
    /// Timesteps, where they are not those of its description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timesteps: Option<usize>,
    /// Machine, as the user named it.
    pub hardware: String,
    /// Machines that are chosen among, where there are several; `hardware` is the first of them then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machines: Option<MachineSpace>,
    /// Data, as the user named it.
    pub data: String,
    /// Images of either part.
    pub limit: Option<usize>,
    /// Validation images that are looked at.
    #[serde(default)]
    pub validation_images: Option<usize>,
    /// Chance with which the allowed drop of accuracy is kept on unseen images: none at 0, and where nothing is said,
    /// the default if there are images enough. Logs that do not say were written before there were promises.
    #[serde(default = "nothing_promised")]
    pub confidence: Option<f64>,
    /// Searches of which this is one and whose best is taken: what is promised holds for whichever it is.
    #[serde(default = "alone", skip_serializing_if = "is_alone")]
    pub alternatives: u32,
    /// What is wanted.
    pub problem: Problem,
    /// What is tried.
    pub widths: Widths,
    /// Who looks.
    pub strategies: Vec<StrategyName>,
    /// The papers' strategies with the quantizers and tests of the others.
    pub accelerated: bool,
    /// Seeds of random choices.
    pub seeds: Vec<u64>,
    /// What the answers depend on.
    pub identity: Identity,
}

/// Promise of logs that say nothing of it.
fn nothing_promised() -> Option<f64> {
    Some(0.0)
}

fn alone() -> u32 {
    1
}

fn is_alone(alternatives: &u32) -> bool {
    *alternatives == 1
}

/// What more images could not be found for.
const MOST_CONFIDENCE: f64 = 0.9999;

/// How far a search looks: all that may still change when it is resumed, and only grow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Who looks.
    pub strategies: Vec<StrategyName>,
    /// Seeds of random choices.
    pub seeds: Vec<u64>,
    /// Images that a strategy may execute, in validation sets.
    pub max_evaluations: f64,
}

impl Request {
    /// How far it looks.
    pub fn terms(&self) -> Terms {
        let (strategies, seeds) = (self.strategies.clone(), self.seeds.clone());
        Terms { strategies, seeds, max_evaluations: self.problem.max_evaluations }
    }

    /// Looks as far as `terms` say, which is at least as far as now: every strategy and seed stays.
    ///
    /// # Errors
    /// Names what is left out.
    pub fn extend(&mut self, terms: Terms) -> Result<(), Fault> {
        terms.check()?;
        let forms = |names: &[StrategyName]| -> Vec<StrategyForm> {
            names.iter().flat_map(|name| name.forms(self.accelerated)).collect()
        };
        missing("strategies", &forms(&self.strategies), &forms(&terms.strategies))?;
        missing("seeds", &self.seeds, &terms.seeds)?;
        let (now, then) = (terms.max_evaluations, self.problem.max_evaluations);
        refuse_if(now < then, "problem.max_evaluations", || {
            format!("{now} is less than the {then} that the search was begun with: it can only be extended")
        })?;
        (self.strategies, self.seeds) = (terms.strategies, terms.seeds);
        self.problem.max_evaluations = now;
        self.check_strategies()
    }

    /// Refuses what makes no sense whatever is searched, wherever it was read.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<(), Fault> {
        check_source("model", &self.model)?;
        check_source("weights", self.weights.as_deref().unwrap_or("-"))?;
        check_source("selection.key", self.selection.key.as_deref().unwrap_or("-"))?;
        check_source("hardware", &self.hardware)?;
        self.machines.iter().try_for_each(check_machines)?;
        check_source("data", &self.data)?;
        let confidence = self.confidence.unwrap_or_default();
        refuse_if(!(0.0..=MOST_CONFIDENCE).contains(&confidence), "confidence", || {
            format!("{confidence} is not in 0..={MOST_CONFIDENCE} (0.95 stands for 95 %)")
        })?;
        refuse_if(self.alternatives == 0, "alternatives", || "0 is not above 0".to_owned())?;
        self.terms().check()?;
        self.check_strategies()?;
        self.problem.check()?;
        self.widths.check()
    }

    /// Two runs of one strategy from one seed would be one run, twice.
    fn check_strategies(&self) -> Result<(), Fault> {
        let mut seen = HashSet::new();
        let mut forms = self.strategies.iter().flat_map(|name| name.forms(self.accelerated));
        let twice = forms.find(|&form| !seen.insert(form));
        twice.map_or(Ok(()), |form| Err(Fault::new("strategies", format!("{form} twice"))))?;
        let mut forms = self.strategies.iter().flat_map(|name| name.forms(self.accelerated));
        match forms.find(|form| self.machines.is_some() && !form.chooses_machine()) {
            None => Ok(()),
            Some(form) => {
                let others = "ilp, ratio-greedy, nsga2, uniform and random do";
                let message = format!("{form} chooses bits for one machine, and no machine: {others}");
                Err(Fault::new("strategies", message))
            }
        }
    }
}

impl Terms {
    /// Refuses terms that make no sense.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<(), Fault> {
        refuse_if(self.strategies.is_empty(), "strategies", || "there is none".to_owned())?;
        refuse_if(self.seeds.is_empty(), "seeds", || "there is none".to_owned())?;
        let mut seen = HashSet::new();
        if let Some(seed) = self.seeds.iter().find(|seed| !seen.insert(**seed)) {
            return Err(Fault::new("seeds", format!("{seed} twice")));
        }
        let evaluations = self.max_evaluations;
        refuse_if(evaluations.is_nan() || evaluations <= 0.0, "problem.max_evaluations", || {
            format!("{evaluations} is not above 0")
        })?;
        let is_whole = evaluations.fract() == 0.0 && evaluations <= f64::from(u32::MAX);
        refuse_if(!is_whole, "problem.max_evaluations", || {
            format!("{evaluations} is not a whole number up to {}", u32::MAX)
        })
    }
}

impl Problem {
    fn check(&self) -> Result<(), Fault> {
        let slack = self.slack;
        refuse_if(!(1.0..=1000.0).contains(&slack), "problem.slack", || {
            format!("{slack} is not in 1..=1000")
        })?;
        let seconds = self.max_seconds.unwrap_or(1.0);
        refuse_if(!(seconds > 0.0 && seconds.is_finite()), "problem.max_seconds", || {
            format!("{seconds} is not above 0")
        })?;
        let budgets = &self.budgets;
        check_accuracy_drop(budgets.accuracy_drop)
            .map_err(|message| Fault::new("problem.budgets.accuracy_drop", message))?;
        let limits = [
            ("problem.budgets.model_bytes", budgets.model_bytes),
            ("problem.budgets.footprint_bytes", budgets.footprint_bytes),
            ("problem.budgets.energy_j", budgets.energy_j),
            ("problem.budgets.power_w", budgets.power_w),
            ("problem.budgets.latency_s", budgets.latency_s),
            ("problem.budgets.area_mm2", budgets.area_mm2),
        ];
        let peaks = budgets.peak_bytes.values().map(|&limit| ("problem.budgets.peak_bytes", Some(limit)));
        for (field, limit) in limits.into_iter().chain(peaks) {
            let is_limit = limit.is_none_or(|limit| limit > 0.0 && limit.is_finite());
            refuse_if(!is_limit, field, || format!("{} is not above 0", limit.unwrap_or_default()))?;
        }
        Ok(())
    }
}

impl Widths {
    fn check(&self) -> Result<(), Fault> {
        for (field, widths, range) in [
            ("widths.uniform", &self.uniform, 2..=16),
            ("widths.power_of_two", &self.power_of_two, 2..=5),
            ("widths.membranes", &self.membranes, MEMBRANE_BITS),
        ] {
            widths.iter().try_for_each(|&bits| in_range(field, bits, &range))?;
        }
        for word in &self.schemes {
            let scheme = WeightScheme::from_shorthand(word, false).filter(WeightScheme::rounds_to_nearest);
            let known = scheme.ok_or_else(|| format!("{word:?} is no scheme of weights, as apot4 is one"));
            let checked =
                known.and_then(|scheme| scheme.check().map_err(|message| format!("{word}: {message}")));
            checked.map_err(|message| Fault::new("widths.schemes", message))?;
        }
        refuse_if(self.uniform.is_empty(), "widths.uniform", || "there is none".to_owned())?;
        refuse_if(self.membranes.is_empty(), "widths.membranes", || "there is none".to_owned())
    }
}

/// What users call the `field` of a request that a fault names.
pub fn short_name(field: &str) -> &str {
    match field {
        "hardware" => "hw",
        field if field.starts_with("machines") => "space",
        "strategies" => "strategy",
        "seeds" => "seed",
        "widths.uniform" => "weight_bits",
        "widths.power_of_two" => "power_of_two_bits",
        "widths.schemes" => "schemes",
        "widths.membranes" => "membrane_bits",
        "problem.objective" => "minimize",
        "problem.max_evaluations" => "max_evaluations",
        "problem.max_seconds" => "max_seconds",
        "problem.slack" => "slack",
        "problem.budgets.accuracy_drop" => "max_accuracy_drop",
        "problem.budgets.model_bytes" => "max_model",
        "problem.budgets.footprint_bytes" => "max_footprint",
        "problem.budgets.peak_bytes" => "max_peak",
        "problem.budgets.energy_j" => "max_energy",
        "problem.budgets.power_w" => "max_power",
        "problem.budgets.latency_s" => "max_latency",
        "problem.budgets.area_mm2" => "max_area",
        "validation_images" => "validation_images",
        "selection.key" => "checkpoint_key",
        field => field,
    }
}

/// Machines that a log may name.
fn check_machines(space: &MachineSpace) -> Result<(), Fault> {
    let at = |fault: Fault| Fault::new(format!("machines: {}", fault.field), fault.message);
    space.check(std::iter::empty()).map_err(at)?;
    space.hardware.iter().try_for_each(|spec| check_source("machines: hardware", spec))?;
    refuse_if(!space.tables.is_empty(), "machines: tables", || {
        "a search charges machines by their own; energy_table may be a parameter".to_owned()
    })
}

/// Messages repeat what a file is called.
fn check_source(field: &'static str, name: &str) -> Result<(), Fault> {
    /// Bytes of the longest path that a system opens.
    const LONGEST: usize = 4096;
    refuse_if(name.len() > LONGEST, field, || format!("longer than {LONGEST} bytes"))?;
    let is_wrong = name.trim().is_empty() || name.contains(char::is_control);
    refuse_if(is_wrong, field, || format!("{name:?} is empty or has control characters"))
}

/// Refuses a list that leaves out any of those `before`.
fn missing<T: PartialEq + ToString>(field: &'static str, before: &[T], now: &[T]) -> Result<(), Fault> {
    let left_out: Vec<String> = before.iter().filter(|x| !now.contains(x)).map(T::to_string).collect();
    refuse_if(!left_out.is_empty(), field, || {
        let list = left_out.join(", ");
        format!("{list} of the search that is resumed is left out: it can only be extended")
    })
}

//! What a page reads of `exploration.json`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::numbers::Unit;
use crate::error::Fault;
use crate::explore::{Effect, Figure, Input, Sample, Space};

/// An exploration.
#[derive(Debug, Deserialize)]
pub(super) struct ExplorationDocument {
    pub spiq_version: String,
    /// Absent, like whatever has a default, from explorations of earlier versions.
    #[serde(default)]
    pub command: String,
    pub space: Space,
    pub space_sha256: String,
    #[serde(default)]
    pub inputs: Vec<Input>,
    pub networks: Vec<String>,
    pub settings: Vec<String>,
    pub axes: Vec<Levels>,
    pub sample: Option<Sample>,
    pub all_machines: u64,
    pub machines: u64,
    pub points: u64,
    pub refused: u64,
    #[serde(default)]
    pub refusals: Vec<Refusal>,
    #[serde(default)]
    pub kept: Vec<Kept>,
    #[serde(default)]
    pub best: Vec<Best>,
    pub fronts: Vec<Front>,
    pub effects: Vec<Effects>,
    pub nearest: Vec<Nearest>,
    #[serde(default)]
    pub shown: Vec<Point>,
}

/// What varies from machine to machine.
#[derive(Debug, Deserialize)]
pub(super) struct Levels {
    pub name: String,
    pub levels: Vec<String>,
    #[serde(default)]
    pub suffixes: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    pub why: String,
    pub points: u64,
    pub first: u64,
    pub network: String,
    pub hardware: String,
    pub setting: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Kept {
    pub network: String,
    pub evaluated: u64,
    pub constraints: Vec<u64>,
    pub all: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Best {
    pub network: String,
    pub objective: Figure,
    pub point: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Front {
    pub network: String,
    pub objectives: Vec<Figure>,
    pub points: Vec<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Effects {
    pub network: String,
    pub objective: Figure,
    pub parameters: Vec<Effect>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Nearest {
    pub network: String,
    pub point: u64,
    pub exceeded: Vec<String>,
}

/// A point whose figures are in the file.
#[derive(Debug, Deserialize)]
pub(super) struct Point {
    pub point: u64,
    pub levels: Vec<usize>,
    pub network: usize,
    pub setting: usize,
    pub exceeded: Vec<usize>,
    pub figures: BTreeMap<String, f64>,
}

impl Point {
    /// A figure, where it is known.
    pub fn figure(&self, figure: Figure) -> Option<f64> {
        self.figures.get(figure.name()).copied()
    }
}

impl ExplorationDocument {
    /// Refuses numbers of what is not there.
    pub fn check(&self) -> Result<(), Fault> {
        let counts: Vec<usize> = self.axes.iter().map(|axis| axis.levels.len()).collect();
        let constraints = self.space.constraints.len();
        for point in &self.shown {
            let inside = point.levels.len() == counts.len()
                && point.levels.iter().zip(&counts).all(|(level, count)| level < count)
                && point.network < self.networks.len()
                && point.setting < self.settings.len().min(self.space.settings.len())
                && point.exceeded.iter().all(|&number| number < constraints);
            if !inside {
                let message =
                    format!("point {} has a level, a network or a setting that is not there", point.point);
                return Err(Fault::new("shown", message));
            }
        }
        match self.kept.iter().find(|kept| kept.constraints.len() != constraints) {
            Some(kept) => Err(Fault::new("kept", format!("{}: not one for each constraint", kept.network))),
            None => Ok(()),
        }
    }

    /// Points of `network` whose figures are known.
    pub fn points_of(&self, network: usize) -> impl Iterator<Item = &Point> {
        self.shown.iter().filter(move |point| point.network == network)
    }

    /// Fronts of `network`.
    pub fn fronts_of<'a>(&'a self, network: &'a str) -> impl Iterator<Item = &'a Front> {
        self.fronts.iter().filter(move |front| front.network == network)
    }

    /// Axes with more than one level, each with its number.
    pub fn varied(&self) -> impl Iterator<Item = (usize, &Levels)> {
        self.axes.iter().enumerate().filter(|(_, axis)| axis.levels.len() > 1)
    }
}

/// The unit of `figure`, for tables and as the script calls it.
pub(super) fn unit(figure: Figure) -> (Unit, &'static str) {
    match figure {
        Figure::Accuracy => (Unit::Percent, "%"),
        Figure::AccuracyDrop => (Unit::Points, "points"),
        Figure::AverageWeightBits => (Unit::Plain(""), ""),
        Figure::ModelBytes | Figure::FootprintBytes => (Unit::Bytes, "B"),
        Figure::LatencyS => (Unit::Si("s"), "s"),
        Figure::ImagesPerS => (Unit::Count("/s"), "/s"),
        Figure::EnergyJ => (Unit::Si("J"), "J"),
        Figure::EnergyDelayJs => (Unit::Si("J s"), "J s"),
        Figure::PowerW => (Unit::Si("W"), "W"),
        Figure::AreaMm2 => (Unit::Plain("mm²"), "mm²"),
        Figure::DramBits => (Unit::Count("bit"), "bit"),
    }
}

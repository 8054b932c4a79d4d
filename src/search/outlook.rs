//! What each layer of a setting that was found loses, and what one step wider or narrower would bring: exact costs, and
//! losses as forecast from all that a run executed, whichever strategy it was.

use super::engine::Engine;
use super::outcome::{LayerOutlook, PartOutlook, StepOutlook};
use super::strategies::forecast::Forecast;
use super::{Batch, Candidate, Granularity, Knob, Part, Space};
use crate::error::Result;

/// Per weight layer, what `found` loses there and what other widths would bring.
///
/// # Errors
/// If the input is wrong.
pub fn outlook(engine: &mut Engine, found: &Candidate) -> Result<Vec<LayerOutlook>> {
    let knobs = engine.space.knobs(Granularity::Tensor);
    let mut forecast = Forecast::new(engine, knobs.clone(), found.clone())?;
    let seen: Vec<(Candidate, Batch)> = engine.looked_at().collect();
    for (candidate, sum) in seen.iter().filter(|(_, sum)| sum.images > 0) {
        forecast.learn(engine, candidate, sum);
    }
    forecast.fit();
    let space = engine.space;
    let steps: Vec<Steps> =
        knobs.iter().enumerate().map(|(number, knob)| Steps::new(space, number, knob, found)).collect();
    let changed = steps.iter().flat_map(|step| [step.narrower, step.wider].map(|to| (step, to)));
    let changed: Vec<Candidate> = changed.filter_map(|(step, to)| Some(found.with(step.knob, to?))).collect();
    let mut objectives = engine.objectives(&changed)?.into_iter();
    let before = engine.objectives(std::slice::from_ref(found))?[0];
    let loss = forecast.loss(found);
    let mut parts: Vec<(usize, Part, PartOutlook)> = Vec::new();
    for step in &steps {
        let mut outlook_of = |to: Option<usize>| {
            let to = to?;
            let objective = objectives.next().expect("one per step")? - before?;
            let added = forecast.added(step.number, to) - forecast.added(step.number, step.at);
            let accuracy_drop = forecast.drop_per_loss() * added;
            Some(StepOutlook { level: label(space, step.knob.part, to), objective, accuracy_drop })
        };
        let (narrower, wider) = (outlook_of(step.narrower), outlook_of(step.wider));
        let loss_share = forecast.added(step.number, step.at) / loss;
        let level = label(space, step.knob.part, step.at);
        parts.push((step.knob.units[0], step.knob.part, PartOutlook { level, loss_share, narrower, wider }));
    }
    let of = |unit: usize, part: Part| {
        parts.iter().find(|(u, p, _)| (*u, *p) == (unit, part)).map(|(.., outlook)| outlook.clone())
    };
    let layer = |(i, unit): (usize, &super::Unit)| LayerOutlook {
        layer: unit.layer.clone(),
        weights: of(i, Part::Weights),
        membranes: of(i, Part::Membranes),
    };
    Ok(space.units.iter().enumerate().map(layer).collect())
}

/// Where a knob stands, and its neighbours.
struct Steps<'a> {
    number: usize,
    knob: &'a Knob,
    at: usize,
    narrower: Option<usize>,
    wider: Option<usize>,
}

impl<'a> Steps<'a> {
    fn new(space: &Space, number: usize, knob: &'a Knob, found: &Candidate) -> Self {
        let at = found.narrowest(knob);
        let narrower = space.below(knob.part, at).first().copied();
        Self { number, knob, at, narrower, wider: space.above(knob.part, at) }
    }
}

/// What a level is called in the name of a setting.
fn label(space: &Space, part: Part, level: usize) -> String {
    match part {
        Part::Membranes => format!("u{}", space.membranes[level]),
        Part::Weights => space.weights[level].shorthand(),
    }
}

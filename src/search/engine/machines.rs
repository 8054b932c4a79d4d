//! The machine of a candidate. What it costs on any of them is known without executing an image, so bits alone are tested,
//! and each candidate is taken on the machine on which it costs least.

use std::collections::HashSet;

use super::{Engine, Stop};
use crate::search::Candidate;

/// Machines in view.
const IN_VIEW: usize = 6;
/// Machines that a candidate is charged on at its own activity once it keeps the accuracy.
const CHARGED: usize = 4;

impl Engine<'_, '_> {
    /// True where there are several machines.
    pub fn chooses_machine(&self) -> bool {
        self.space.machines.len() > 1
    }

    /// Machines in view: those that the next candidates are tried on.
    pub fn in_view(&self) -> &[usize] {
        &self.shortlist
    }

    /// Takes into view the machine on which `candidate` costs least, and those that cost least with another level on some
    /// axis: what a setting near `candidate` may be better on.
    ///
    /// # Errors
    /// If the candidate is no setting.
    pub fn look_around(&mut self, candidate: &Candidate) -> Result<(), Stop> {
        if !self.chooses_machine() {
            return Ok(());
        }
        let ranked = self.ranked(candidate)?;
        let mut seen = HashSet::new();
        let differs = |&&machine: &&usize| {
            let levels = self.space.machines[machine].iter().copied().enumerate();
            levels.fold(false, |new, level| seen.insert(level) | new)
        };
        let mut view: Vec<usize> = ranked.iter().filter(differs).copied().take(IN_VIEW).collect();
        let others: Vec<usize> = ranked.into_iter().filter(|machine| !view.contains(machine)).collect();
        view.extend(others.into_iter().take(IN_VIEW - view.len()));
        if !view.is_empty() {
            self.shortlist = view;
        }
        Ok(())
    }

    /// Each candidate on the machine in view on which it costs least.
    ///
    /// # Errors
    /// If a candidate is no setting.
    pub fn placed(&mut self, candidates: Vec<Candidate>) -> Result<Vec<Candidate>, Stop> {
        if !self.chooses_machine() {
            return Ok(candidates);
        }
        let machines = self.shortlist.clone();
        let all: Vec<Candidate> =
            candidates.iter().flat_map(|candidate| machines.iter().map(|&m| candidate.on(m))).collect();
        let costs = self.costs(&all)?;
        let best = |costs: &[f64]| (0..costs.len()).min_by(|&a, &b| costs[a].total_cmp(&costs[b]));
        let placed = candidates.iter().zip(costs.chunks(machines.len()));
        Ok(placed.map(|(candidate, costs)| candidate.on(machines[best(costs).unwrap_or(0)])).collect())
    }

    /// A candidate whose images ran, on the machine on which it costs least at its own activity.
    pub(super) fn on_best_machine(&mut self, candidate: &Candidate) -> Result<Candidate, Stop> {
        if !self.chooses_machine() {
            return Ok(candidate.clone());
        }
        let mut machines: Vec<usize> = self.ranked(candidate)?.into_iter().take(CHARGED).collect();
        machines.push(candidate.machine);
        let mut best: Option<(f64, Candidate)> = None;
        for machine in machines {
            let placed = candidate.on(machine);
            let cost = self.own(&placed).map(|figures| self.cost_of(&figures))?;
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, placed));
            }
        }
        Ok(best.expect("the machine of the candidate is one").1)
    }

    /// Machines that run `candidate`, the one on which it costs least first.
    fn ranked(&mut self, candidate: &Candidate) -> Result<Vec<usize>, Stop> {
        let all: Vec<Candidate> = (0..self.space.machines.len()).map(|m| candidate.on(m)).collect();
        let costs = self.costs(&all)?;
        let mut ranked: Vec<usize> = (0..all.len()).filter(|&machine| costs[machine].is_finite()).collect();
        ranked.sort_by(|&a, &b| costs[a].total_cmp(&costs[b]).then(a.cmp(&b)));
        Ok(ranked)
    }
}

//! The end of a run: what it found is measured on all validation images.

use std::collections::{BTreeMap, HashSet};

use super::{Engine, Ruling};
use crate::error::Result;
use crate::search::outcome::{Closest, Conclusion, Fidelity};
use crate::search::store::{Design, HeldOut};
use crate::search::{Batch, Candidate};

/// Candidates that may be verified whatever was used before.
const FINALISTS: usize = 4;
/// Most candidates that held-out images are asked about.
const PROMISED: usize = 12;

impl Engine<'_, '_> {
    /// Verifies what was found, on images that no strategy looked at where there are any.
    ///
    /// # Errors
    /// If the input is wrong.
    pub(crate) fn conclude(&mut self) -> Result<Conclusion> {
        match self.store.held_out {
            Some(held_out) => self.verify_promised(held_out),
            None => self.verify(),
        }
    }

    /// Verifies what was found: the cheapest accepted candidate that meets everything on the whole
    /// validation set, or else the one that comes closest.
    fn verify(&mut self) -> Result<Conclusion> {
        let by_value = |list: &BTreeMap<Candidate, f64>| {
            let mut list: Vec<(f64, Candidate)> = list.iter().map(|(c, &v)| (v, c.clone())).collect();
            list.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
            list
        };
        let mut closest: Option<Closest> = None;
        let mut tried = HashSet::new();
        let accepted = by_value(&self.accepted);
        if accepted.is_empty() && self.missed.is_empty() {
            // The evaluations ended before the first test.
            self.missed.insert(self.space.widest(), 0.0);
        }
        let missed = by_value(&self.missed).into_iter().take(1);
        for (i, (_, candidate)) in accepted.into_iter().enumerate() {
            if i >= FINALISTS && self.evaluations() >= self.problem.max_evaluations {
                break;
            }
            let verified = self.full(&candidate)?;
            if verified.violations.is_empty() {
                return Ok(Conclusion { best: Some(verified), ..Conclusion::default() });
            }
            tried.insert(candidate);
            closest = Closest::nearer(closest, verified);
        }
        for (_, candidate) in missed.filter(|(_, c)| !tried.contains(c)) {
            let verified = self.full(&candidate)?;
            if verified.violations.is_empty() {
                return Ok(Conclusion { best: Some(verified), ..Conclusion::default() });
            }
            closest = Closest::nearer(closest, verified);
        }
        Ok(Conclusion { closest, ..Conclusion::default() })
    }

    /// Verifies what was found on images that no strategy looked at, from the safest to the cheapest: the last one before
    /// the first that fails is found, and what is promised of it.
    fn verify_promised(&mut self, held_out: HeldOut) -> Result<Conclusion> {
        let promise = held_out.promise;
        let (mut kept, mut looks) = (Vec::new(), 0);
        for candidate in self.safe_to_cheap(promise.allowed) {
            let seen = self.on_held_out(&candidate, held_out)?;
            looks += 1;
            if !promise.is_kept(&seen) {
                break;
            }
            kept.push((candidate, seen));
        }
        let mut closest = None;
        while let Some((candidate, seen)) = kept.pop() {
            let mut verified = self.full(&candidate)?;
            // Held-out images have decided about the accuracy.
            verified.violations.retain(|violation| !violation.is_of_accuracy());
            if verified.violations.is_empty() {
                let promised = Some(promise.made(&seen, looks));
                return Ok(Conclusion { best: Some(verified), promised, closest: None });
            }
            closest = Closest::nearer(closest, verified);
        }
        if closest.is_none() {
            let Conclusion { best, closest: nearest, .. } = self.verify()?;
            closest = best.map(Closest).or(nearest);
        }
        Ok(Conclusion { closest, ..Conclusion::default() })
    }

    /// What held-out images say of a candidate.
    fn on_held_out(&mut self, candidate: &Candidate, held_out: HeldOut) -> Result<Batch> {
        let HeldOut { oracle, promise } = held_out;
        let Design { setting_id: id, setting, .. } = self.design(candidate)?;
        let (seen, seconds) = self.store.on_held_out(oracle, &id, &setting)?;
        self.images += u64::from(seen.images);
        self.seconds += seconds;
        let ruling = if promise.is_kept(&seen) {
            Ruling::Accepted
        } else {
            Ruling::Refused(format!("a drop of {:.4} on held-out images promises nothing", seen.drop()))
        };
        let figures = self.estimate(candidate)?;
        self.note(candidate, Fidelity::HeldOut, seen.images, Some(&seen), figures, Some(ruling));
        Ok(seen)
    }

    /// Candidates that lose no more than is allowed on the images of the search, of which none is cheaper and loses less
    /// than another, from the one that loses least to the one that costs least; of many only some. The last ones lose more
    /// than the search aimed at, and may be promised if held-out images are kinder.
    fn safe_to_cheap(&self, allowed: f64) -> Vec<Candidate> {
        let mut all = Vec::new();
        for (candidate, &cost) in self.accepted.iter().chain(&self.near) {
            let mut sum = Batch::default();
            let known = self.store.known(&self.id(candidate)).expect("what is accepted was run");
            known.batches.iter().for_each(|batch| sum.add(batch));
            all.push((sum.drop(), cost, candidate));
        }
        all.retain(|&(drop, ..)| drop < allowed);
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut least = f64::INFINITY;
        all.retain(|&(_, cost, _)| {
            let is_cheaper = cost < least;
            least = least.min(cost);
            is_cheaper
        });
        let last = all.len().saturating_sub(1);
        let steps = last.clamp(1, PROMISED - 1);
        let mut numbers: Vec<usize> = (0..=steps).map(|i| last * i / steps).collect();
        numbers.dedup();
        numbers.into_iter().filter_map(|i| all.get(i)).map(|(.., candidate)| (*candidate).clone()).collect()
    }
}

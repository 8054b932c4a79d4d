//! The loop that all strategies share: it answers them through the fidelities, counts what they use, holds
//! them to the budget of evaluations, and verifies what they found on the whole validation set.

mod machines;
mod verify;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::outcome::{Conclusion, Fidelity, GateSummary, LayerOutlook, Run, Step, TraceStep, Verified};
use super::paired::{Decision, decide};
use super::store::{Design, Store};
use super::{Batch, Candidate, Choice, Figures, Knob, Problem, Space, Violation};
use crate::error::{Error, Result};

/// Cost of exceeding a limit by its own size, in objectives of the widest setting.
const PENALTY: f64 = 10.0;
/// Validation sets that are kept for verification, as long as they are no more than [`MOST_KEPT`] of all: the cheapest
/// that a test accepted is nearly always what is found.
const KEPT: f64 = 2.0;
const MOST_KEPT: f64 = 0.25;

/// Why a strategy ends before its own end.
#[derive(Debug)]
pub enum Stop {
    /// The evaluations are used up.
    Exhausted,
    /// Something is wrong with the input.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What an accuracy test says of a candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The candidate, on the machine on which it costs least if it keeps the accuracy.
    pub candidate: Candidate,
    /// The drop of accuracy is allowed.
    pub within: bool,
    /// All budgets are met.
    pub meets: bool,
    /// What was seen.
    pub sum: Batch,
    /// Cost, at the candidate's own activity if it keeps the accuracy.
    pub cost: f64,
}

/// What became of a candidate that was judged.
enum Ruling {
    Accepted,
    /// With what speaks against it.
    Refused(String),
}

/// What a strategy has used of one setting.
#[derive(Default)]
struct Used {
    batches: usize,
    own: bool,
    drift: bool,
}

/// One run of one strategy.
pub struct Engine<'a, 's> {
    /// What can be chosen.
    pub space: &'a Space,
    /// What is wanted.
    pub problem: &'a Problem,
    /// True where a test stops as soon as it is decided; else it runs the whole set.
    sequential: bool,
    store: &'a mut Store<'s>,
    dice: ChaCha8Rng,
    /// Objective of the widest setting.
    scale: f64,
    used: HashMap<String, Used>,
    /// Designs that were measured on the whole validation set.
    measured: HashSet<String>,
    /// Settings that images were run of.
    looked_at: BTreeSet<Vec<Choice>>,
    ids: RefCell<HashMap<Vec<Choice>, String>>,
    /// Machines in view.
    shortlist: Vec<usize>,
    images: u64,
    seconds: f64,
    seed: u64,
    started: Instant,
    /// Seconds that the oracle had taken before.
    asked_before: f64,
    /// Tested and met all budgets, with their costs.
    accepted: BTreeMap<Candidate, f64>,
    /// Tested and did not, with how far they are beyond the budgets.
    missed: BTreeMap<Candidate, f64>,
    /// Missed candidates that exceed nothing but the accuracy drop, with their costs.
    near: BTreeMap<Candidate, f64>,
    steps: Vec<Step>,
    trace: Vec<TraceStep>,
    /// What the gate of the strategy did, if it has one.
    pub gate: Option<GateSummary>,
}

impl<'a, 's> Engine<'a, 's> {
    /// For one strategy; `seed` is of its random choices.
    ///
    /// # Errors
    /// If the machine cannot run the widest setting.
    pub fn new(
        space: &'a Space,
        problem: &'a Problem,
        sequential: bool,
        seed: u64,
        store: &'a mut Store<'s>,
    ) -> Result<Self> {
        let (started, asked_before) = (Instant::now(), store.asked_seconds);
        let widest = store.oracle.charge(&space.setting(&space.widest(), "widest")?, space.base_machine)?;
        let scale = problem.objective.of(&widest);
        Ok(Self {
            space,
            problem,
            sequential,
            store,
            dice: ChaCha8Rng::seed_from_u64(seed),
            scale,
            used: HashMap::new(),
            measured: HashSet::new(),
            looked_at: BTreeSet::new(),
            ids: RefCell::default(),
            shortlist: vec![space.base_machine],
            images: 0,
            seconds: 0.0,
            seed,
            started,
            asked_before,
            accepted: BTreeMap::new(),
            missed: BTreeMap::new(),
            near: BTreeMap::new(),
            steps: Vec::new(),
            trace: Vec::new(),
            gate: None,
        })
    }

    /// A random number in 0..count.
    pub fn below(&mut self, count: usize) -> usize {
        (self.dice.next_u64() % count as u64) as usize
    }

    /// A random number in (0, 1).
    pub fn unit(&mut self) -> f64 {
        ((self.dice.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Images of the validation set.
    pub fn images(&self) -> usize {
        self.store.oracle.images()
    }

    /// Images executed so far for this strategy, in validation sets.
    pub fn evaluations(&self) -> f64 {
        self.images as f64 / self.store.oracle.images() as f64
    }

    /// Part of the evaluations or of the time that is left, whichever is less, 0..=1; some evaluations are kept for
    /// verification.
    pub fn left(&self) -> f64 {
        let used = self.evaluations() / self.searched();
        let waited = self.problem.max_seconds.map_or(0.0, |most| self.spent_seconds() / most);
        (1.0 - used.max(waited)).max(0.0)
    }

    /// Time so far; answers that another run had asked for count as long as they took then.
    fn spent_seconds(&self) -> f64 {
        let own = self.started.elapsed().as_secs_f64() - (self.store.asked_seconds - self.asked_before);
        self.seconds + own.max(0.0)
    }

    /// Images that may still be executed before verification.
    pub fn images_left(&self) -> f64 {
        self.left() * self.searched() * self.images() as f64
    }

    /// Validation sets that may be executed before verification.
    fn searched(&self) -> f64 {
        let all = self.problem.max_evaluations;
        all - KEPT.min(MOST_KEPT * all)
    }

    /// Images of a batch.
    pub fn batch_images(&self) -> usize {
        self.store.oracle.batch_images(0)
    }

    /// Images that a candidate runs for its own cost.
    pub fn charged_images(&self) -> usize {
        self.store.oracle.charged_images()
    }

    /// Knobs at the granularity of the problem.
    pub fn knobs(&self) -> Vec<Knob> {
        self.space.knobs(self.problem.granularity)
    }

    /// Per level of weights and unit, the squared error of rounding beside the squares of the weights.
    ///
    /// # Errors
    /// If a layer's weights do not take a scheme.
    pub fn rounding_noise(&mut self) -> Result<Vec<&[f64]>> {
        self.store.rounding_noise(&self.space.weights)
    }

    /// The objective, as a fraction of that of the widest setting, with penalties for exceeded budgets:
    /// what strategies minimise.
    pub fn cost_of(&self, figures: &Figures) -> f64 {
        let excess: f64 = self.problem.budgets.violations(figures).iter().map(Violation::excess).sum();
        self.problem.objective.of(figures) / self.scale + PENALTY * excess
    }

    /// Cost at the activity of the float network; infinite where the machine cannot run the candidate.
    pub fn cost(&mut self, candidate: &Candidate) -> Result<f64, Stop> {
        Ok(self.costs(std::slice::from_ref(candidate))?[0])
    }

    /// [`Self::cost`] of many, in parallel.
    pub fn costs(&mut self, candidates: &[Candidate]) -> Result<Vec<f64>, Stop> {
        let estimates = self.estimates(candidates)?;
        let cost = |figures: &Option<Figures>| figures.as_ref().map_or(f64::INFINITY, |f| self.cost_of(f));
        Ok(estimates.iter().map(cost).collect())
    }

    /// The objective of each candidate at the activity of the float network; nothing where the machine cannot run it.
    ///
    /// # Errors
    /// If a candidate is no setting.
    pub fn objectives(&mut self, candidates: &[Candidate]) -> Result<Vec<Option<f64>>> {
        let objective = |figures: &Option<Figures>| figures.as_ref().map(|f| self.problem.objective.of(f));
        Ok(self.estimates(candidates)?.iter().map(objective).collect())
    }

    /// Per candidate, true where it meets all budgets beside the accuracy at the activity of the float network.
    ///
    /// # Errors
    /// If a candidate is no setting.
    pub fn fit_budgets(&mut self, candidates: &[Candidate]) -> Result<Vec<bool>, Stop> {
        let estimates = self.estimates(candidates)?;
        let fits = |figures: &Figures| self.problem.budgets.violations(figures).is_empty();
        Ok(estimates.iter().map(|figures| figures.as_ref().is_some_and(fits)).collect())
    }

    /// Cost at the candidate's own activity on a few images.
    ///
    /// # Errors
    /// [`Stop::Exhausted`] where the evaluations are used up.
    pub fn own_cost(&mut self, candidate: &Candidate) -> Result<f64, Stop> {
        self.check()?;
        let id = self.id(candidate);
        let is_new = self.used.get(&id).is_none_or(|used| !used.own && used.batches == 0);
        let figures = self.own(candidate)?;
        if is_new {
            self.images += self.charged_images() as u64;
        }
        Ok(self.cost_of(&figures))
    }

    fn estimates(&mut self, candidates: &[Candidate]) -> Result<Vec<Option<Figures>>> {
        let designs = candidates.iter().map(|c| self.design(c)).collect::<Result<Vec<_>>>()?;
        self.store.estimates(&designs)
    }

    /// Costs at the activity of the float network; zeros where the machine cannot run the candidate.
    fn estimate(&mut self, candidate: &Candidate) -> Result<Figures> {
        Ok(self.estimates(std::slice::from_ref(candidate))?.remove(0).unwrap_or_default())
    }

    /// The first `batches` batches of a candidate, summed.
    ///
    /// # Errors
    /// [`Stop::Exhausted`] where the evaluations are used up.
    pub fn sample(&mut self, candidate: &Candidate, batches: usize) -> Result<Batch, Stop> {
        let mut wanted = batches;
        let sum = self.batches(candidate, &mut |_| {
            wanted -= 1;
            wanted > 0
        })?;
        let figures = self.estimate(candidate)?;
        self.note(candidate, Fidelity::Sample, sum.images, Some(&sum), figures, None);
        Ok(sum)
    }

    /// Whether a candidate keeps the accuracy and the budgets.
    ///
    /// # Errors
    /// [`Stop::Exhausted`] where the evaluations are used up.
    pub fn test(&mut self, candidate: &Candidate) -> Result<Verdict, Stop> {
        let (all, allowed) = (self.store.oracle.images(), self.problem.budgets.accuracy_drop);
        let sequential = self.sequential;
        let mut decision = Decision::Open;
        let sum = self.batches(candidate, &mut |sum| {
            decision = decide(sum, all, allowed);
            !sequential || decision == Decision::Open
        })?;
        let within = decision == Decision::Within;
        let candidate = &if within { self.on_best_machine(candidate)? } else { candidate.clone() };
        let figures = if within { self.own(candidate)? } else { self.estimate(candidate)? };
        let violations = self.problem.budgets.violations(&figures);
        let meets = within && violations.is_empty();
        let cost = self.cost_of(&figures);
        let ruling = self.ruling(within, sum.drop(), &violations);
        self.note(candidate, Fidelity::Test, sum.images, Some(&sum), figures.clone(), Some(ruling));
        if meets {
            self.accept(candidate, cost, &figures);
        } else {
            let accuracy = if within { 0.0 } else { sum.drop() - allowed };
            let beyond = accuracy.max(0.0) + violations.iter().map(Violation::excess).sum::<f64>();
            self.missed.insert(candidate.clone(), beyond);
            if violations.is_empty() {
                self.near.insert(candidate.clone(), cost);
            }
        }
        Ok(Verdict { candidate: candidate.clone(), within, meets, sum, cost })
    }

    /// Mean divergence of a candidate on the first `images` images, as far as this run executed them: whole
    /// batches, and at least one of them.
    pub fn divergence_of_first(&self, candidate: &Candidate, images: u32) -> f64 {
        let id = self.id(candidate);
        // What others ran of it is known or not, depending on who came before.
        let ran = self.used.get(&id).map_or(0, |used| used.batches);
        let known = self.store.known(&id).map_or(&[][..], |known| &known.batches);
        let mut sum = Batch::default();
        for batch in known.iter().take(ran) {
            if sum.images > 0 && sum.images + batch.images > images {
                break;
            }
            sum.add(batch);
        }
        sum.mean_divergence()
    }

    /// Marks a candidate that others will resemble: they start where they first differ from it.
    ///
    /// # Errors
    /// If the candidate is no setting.
    pub fn anchor(&mut self, candidate: &Candidate) -> Result<(), Stop> {
        let design = self.design(candidate)?;
        Ok(self.store.oracle.anchor(&design.setting)?)
    }

    /// Mean over layers of the drift of a candidate's membranes.
    ///
    /// # Errors
    /// [`Stop::Exhausted`] where the evaluations are used up.
    pub fn drift(&mut self, candidate: &Candidate) -> Result<f64, Stop> {
        self.check()?;
        let Design { setting_id: id, setting, .. } = self.design(candidate)?;
        self.store.drift(&id, &setting)?;
        let drift = self.store.known(&id).and_then(|known| known.drift.as_ref());
        let (layers, images, seconds) = drift.expect("drift was measured");
        let (value, images, seconds) = (self.problem.metric.of(layers), *images, *seconds);
        if !std::mem::replace(&mut self.used.entry(id).or_default().drift, true) {
            self.images += images as u64;
            self.seconds += seconds;
        }
        Ok(value)
    }

    /// Whether a candidate that a gate rejected keeps accuracy and budgets; what is found out this way is
    /// neither charged nor used.
    pub fn audit(&mut self, candidate: &Candidate) -> Result<bool, Stop> {
        let (all, allowed) = (self.store.oracle.images(), self.problem.budgets.accuracy_drop);
        let Design { setting_id: id, setting, .. } = self.design(candidate)?;
        let mut decision = Decision::Open;
        self.store.batches(&id, &setting, &mut |sum| {
            decision = decide(sum, all, allowed);
            decision == Decision::Open
        })?;
        Ok(decision == Decision::Within)
    }

    /// Notes that a gate rejected a candidate for its `drift`.
    ///
    /// # Errors
    /// If the candidate is no setting.
    pub fn reject(&mut self, candidate: &Candidate, drift: f64, threshold: f64) -> Result<(), Stop> {
        let figures = self.estimate(candidate)?;
        let ruling = Ruling::Refused(format!("drift {drift:.4} is beyond {threshold:.4}"));
        self.note(candidate, Fidelity::Drift, 0, None, figures, Some(ruling));
        Ok(())
    }

    fn check(&self) -> Result<(), Stop> {
        if self.left() > 0.0 { Ok(()) } else { Err(Stop::Exhausted) }
    }

    /// What names the setting of a candidate in the log. It is the hash of a text, and asked for again and again.
    fn id(&self, candidate: &Candidate) -> String {
        if let Some(id) = self.ids.borrow().get(&candidate.choices) {
            return id.clone();
        }
        let id = self.space.id(candidate);
        self.ids.borrow_mut().insert(candidate.choices.clone(), id.clone());
        id
    }

    fn design(&self, candidate: &Candidate) -> Result<Design> {
        let (setting_id, machine) = (self.id(candidate), candidate.machine);
        let setting = self.space.setting(candidate, &setting_id)?;
        Ok(Design { id: self.space.design_id(&setting_id, machine), setting_id, setting, machine })
    }

    fn batches(
        &mut self,
        candidate: &Candidate,
        more: &mut dyn FnMut(&Batch) -> bool,
    ) -> Result<Batch, Stop> {
        self.check()?;
        let Design { setting_id: id, setting, .. } = self.design(candidate)?;
        let count = self.store.batches(&id, &setting, more)?;
        let known = self.store.known(&id).expect("batches were run");
        let mut sum = Batch::default();
        known.batches[..count].iter().for_each(|batch| sum.add(batch));
        self.looked_at.insert(candidate.choices.clone());
        let used = self.used.entry(id).or_default();
        let ran = known.batches.iter().zip(&known.batch_seconds).take(count);
        for (batch, seconds) in ran.skip(used.batches) {
            self.images += u64::from(batch.images);
            self.seconds += seconds;
        }
        used.batches = used.batches.max(count);
        Ok(sum)
    }

    /// Costs at the candidate's own activity on a few images.
    fn own(&mut self, candidate: &Candidate) -> Result<Figures> {
        let design = self.design(candidate)?;
        let (figures, seconds) = self.store.own(&design)?;
        if !std::mem::replace(&mut self.used.entry(design.setting_id).or_default().own, true) {
            self.seconds += seconds;
        }
        Ok(figures)
    }

    /// The whole validation set with its activity; not limited by the evaluations.
    fn full(&mut self, candidate: &Candidate) -> Result<Verified> {
        let design = self.design(candidate)?;
        let measured = self.store.full(&design)?;
        let Design { id, setting_id, .. } = design;
        let seconds = self.store.known(&id).and_then(|known| known.full.as_ref()).map_or(0.0, |(_, s)| *s);
        self.used.entry(setting_id.clone()).or_default();
        let is_new = self.measured.insert(id.clone());
        if is_new {
            self.images += self.store.oracle.images() as u64;
            self.seconds += seconds;
        }
        // Whole images: the same drop has the same digits, however it was found.
        let images = self.store.oracle.images() as f64;
        let lost = (self.store.reference_accuracy()? - measured.accuracy) * images;
        let drop = lost.round() / images;
        let mut violations = self.problem.budgets.violations(&measured.figures);
        let within = drop <= self.problem.budgets.accuracy_drop;
        let ruling = self.ruling(within, drop, &violations);
        violations.extend(self.problem.budgets.accuracy_violation(drop));
        if is_new {
            let images = self.store.oracle.images() as u32;
            self.note(candidate, Fidelity::Full, images, None, measured.figures.clone(), Some(ruling));
            if let Some(step) = self.steps.last_mut() {
                step.accuracy_drop = Some(drop);
            }
        }
        Ok(Verified {
            candidate: candidate.clone(),
            id: setting_id,
            design_id: id,
            drop,
            measured,
            violations,
        })
    }

    /// Why a candidate is not accepted; `None` where it is.
    fn ruling(&self, within: bool, drop: f64, violations: &[Violation]) -> Ruling {
        let mut reasons = Vec::new();
        if !within {
            let allowed = self.problem.budgets.accuracy_drop;
            reasons.push(format!("accuracy drop {drop:.4} is beyond {allowed}"));
        }
        let exceeded =
            |v: &Violation| format!("{} is {:.1} % beyond its limit", v.budget, 100.0 * v.excess());
        reasons.extend(violations.iter().map(exceeded));
        if reasons.is_empty() { Ruling::Accepted } else { Ruling::Refused(reasons.join("; ")) }
    }

    fn note(
        &mut self,
        candidate: &Candidate,
        fidelity: Fidelity,
        images: u32,
        sum: Option<&Batch>,
        figures: Figures,
        ruling: Option<Ruling>,
    ) {
        let accepted = ruling.as_ref().map(|ruling| matches!(ruling, Ruling::Accepted));
        let reason = match ruling {
            Some(Ruling::Refused(reason)) => Some(reason),
            Some(Ruling::Accepted) | None => None,
        };
        self.steps.push(Step {
            setting: self.id(candidate),
            candidate: candidate.clone(),
            fidelity,
            images,
            accuracy_drop: sum.map(Batch::drop),
            divergence: sum.map(Batch::mean_divergence),
            figures,
            evaluations: self.evaluations(),
            seconds: self.seconds,
            accepted,
            reason,
        });
    }

    fn accept(&mut self, candidate: &Candidate, cost: f64, figures: &Figures) {
        let best = self.accepted.values().copied().fold(f64::INFINITY, f64::min);
        self.accepted.insert(candidate.clone(), cost);
        if cost < best {
            let objective = self.problem.objective.of(figures);
            self.trace.push(TraceStep { evaluations: self.evaluations(), objective });
        }
    }

    /// The accepted candidate of the lowest cost so far.
    pub fn best(&self) -> Option<(&Candidate, f64)> {
        let mut best: Option<(&Candidate, f64)> = None;
        for (candidate, &cost) in &self.accepted {
            if best.is_none_or(|(_, least)| cost < least) {
                best = Some((candidate, cost));
            }
        }
        best
    }

    /// Every setting that images were run of for this run, and what they say of it.
    pub fn looked_at(&self) -> impl Iterator<Item = (Candidate, Batch)> {
        self.looked_at.iter().map(|choices| {
            let candidate = Candidate { choices: choices.clone(), machine: self.space.base_machine };
            let id = self.id(&candidate);
            let ran = self.used.get(&id).map_or(0, |used| used.batches);
            let known = self.store.known(&id).map_or(&[][..], |known| &known.batches);
            let mut sum = Batch::default();
            known.iter().take(ran).for_each(|batch| sum.add(batch));
            (candidate, sum)
        })
    }

    /// The run of `strategy` with what it `found`; `exhausted` where its evaluations or its time are used up.
    pub(crate) fn finish(
        mut self,
        strategy: &str,
        exhausted: bool,
        found: Conclusion,
        outlook: Vec<LayerOutlook>,
    ) -> Run {
        let Conclusion { best, promised, closest } = found;
        if let Some(best) = &best {
            let objective = self.problem.objective.of(&best.measured.figures);
            self.trace.push(TraceStep { evaluations: self.evaluations(), objective });
        }
        let label = Run::label(strategy, self.seed);
        let text = |verified: &Verified| self.space.ron(&verified.candidate, &label);
        Run {
            strategy: strategy.to_owned(),
            seed: self.seed,
            evaluations: self.evaluations(),
            candidates: self.used.len(),
            seconds: self.spent_seconds(),
            space: self.space.clone(),
            setting: best.as_ref().map(text),
            machine: None,
            layers: best.as_ref().map(|b| self.space.layers(&b.candidate)).unwrap_or_default(),
            outlook,
            best,
            promised,
            closest,
            exhausted,
            gate: self.gate,
            trace: self.trace,
            steps: self.steps,
        }
    }
}

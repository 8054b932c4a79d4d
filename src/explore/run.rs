//! A folder that workers share.
//!
//! `space.ron` is the text of the space, `plan.jsonl` has an id for each evaluation, and `results/ab/abcd...json` is what
//! came of the one with that id.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::counter::Counter;
use super::exploration::{Exploration, Names, Outcome};
use super::plan::Plan;
use super::record::{sealed, unsealed};
use super::space::Space;
use super::study::{CHUNK, Study};
use crate::error::{Error, Result};
use crate::files::{self, sha256};
use crate::output::{OutputFolder, Owner, is_unfinished, remove_abandoned, write_durably};
use crate::watch::Watcher;

const SPACE: &str = "space.ron";
const PLAN: &str = "plan.jsonl";
const RESULTS: &str = "results";
/// Bytes of a result; of what is longer nothing is read.
const MAX_RESULT: u64 = 1 << 16;

/// A planned run.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    space: Space,
    plan: Plan,
}

/// Which evaluations a worker takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Evaluations of machines whose number leaves this rest when divided by the number of shards.
    Shard {
        /// From 0.
        number: usize,
        /// How many there are.
        of: usize,
    },
    /// The one with this id.
    Id(String),
}

/// What a worker did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkerSummary {
    /// Evaluations that it made.
    pub done: usize,
    /// Evaluations, of those, that were refused.
    pub refused: usize,
    /// Evaluations of its part that were made before.
    pub skipped: usize,
}

/// Evaluations that a run still lacks, by their ids in the order of points.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MissingEvaluations {
    /// Evaluations that nobody made.
    pub none: Vec<String>,
    /// Evaluations whose results are not what a worker wrote.
    pub damaged: Vec<String>,
}

impl Run {
    /// Plans all of `study`, whose space is that of `text`, in `folder`.
    ///
    /// # Errors
    /// If nothing can be written there.
    pub fn plan(study: &Study, text: &str, folder: &Path) -> Result<Self> {
        let of = |i: usize| {
            let made = study.machine(i);
            (0..study.of_machine()).map(|point| study.id(&made, point)).collect::<Vec<_>>()
        };
        let machines = 0..study.points() / study.of_machine();
        let ids: Vec<Vec<String>> = machines.into_par_iter().map(of).collect();
        let Exploration { space, provenance, networks, settings, sample, .. } = study.exploration(Vec::new());
        let names = Names { networks, settings };
        let plan = Plan { provenance, sample, names, ids: ids.concat() };
        let files = OutputFolder::new(folder, Owner::Plan)?;
        files.write(SPACE, text)?;
        files.write(PLAN, plan.text())?;
        files.finish()?;
        Ok(Self { folder: folder.to_owned(), space, plan })
    }

    /// Reads the plan in `folder`.
    ///
    /// # Errors
    /// If there is none, or it is not what was planned.
    pub fn open(folder: &Path) -> Result<Self> {
        let [plan_path, space_path] = [PLAN, SPACE].map(|name| folder.join(name).display().to_string());
        let bytes = files::read(&plan_path, files::MAX_PLAIN)?;
        let text = String::from_utf8(bytes).map_err(|_| Error::field(&plan_path, "text", "not UTF-8"))?;
        let plan = Plan::parse(&text, &plan_path)?;
        let text = files::read_text(&space_path)?;
        if sha256([text.as_bytes()]) != plan.provenance.space_sha256 {
            return Err(Error::field(space_path, "text", "not the space that was planned"));
        }
        let space = Space::parse(&text, &space_path)?;
        plan.check(&space, &plan_path)?;
        Ok(Self { folder: folder.to_owned(), space, plan })
    }

    /// Evaluations in all.
    pub fn points(&self) -> usize {
        self.plan.ids.len()
    }

    /// Bytes that the plan has on disk, and about so many that all results will have.
    pub fn bytes(&self) -> [u64; 2] {
        /// A block of a file system, which a result does not fill.
        const BLOCK: u64 = 4096;
        [self.plan.text().len() as u64, BLOCK * self.points() as u64]
    }

    /// Makes the evaluations of `part` that were not made; `watcher` hears of every image that is executed, and `counter` of
    /// each evaluation.
    ///
    /// # Errors
    /// If there is no such part, something does not load or is not what was planned, or a result cannot be written.
    pub fn work(&self, part: &Part, watcher: &dyn Watcher, counter: &dyn Watcher) -> Result<WorkerSummary> {
        let of_machine = self.plan.of_machine();
        let mine = self.points_of(part)?;
        let is_open = |point: &usize| self.result(&self.plan.ids[*point]).is_err();
        let open: Vec<usize> = mine.par_iter().copied().filter(is_open).collect();
        let worked = WorkerSummary { done: open.len(), refused: 0, skipped: mine.len() - open.len() };
        if open.is_empty() {
            return Ok(worked);
        }
        self.remove_abandoned();
        let Plan { provenance, sample, .. } = self.plan.clone();
        let mut study = Study::new(self.space.clone(), provenance.space_sha256, sample, watcher)?;
        let mut by_machine: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        open.iter().for_each(|point| by_machine.entry(point / of_machine).or_default().push(*point));
        let by_machine = Vec::from_iter(by_machine);
        let counter = Counter::begin(counter, open.len());
        for chunk in by_machine.chunks(CHUNK) {
            let made: Vec<_> = chunk.par_iter().map(|(machine, _)| study.machine(*machine)).collect();
            made.iter().flatten().for_each(|machine| study.observe(machine, watcher));
            chunk.par_iter().zip(&made).try_for_each(|((_, points), made)| {
                points.iter().try_for_each(|point| {
                    let (id, i) = (&self.plan.ids[*point], point % of_machine);
                    if study.id(made, i) != *id {
                        return Err(self.changed());
                    }
                    let text = sealed(id, &study.charge(made, i, &counter));
                    write_durably(&self.path(id), text.as_bytes())
                })
            })?;
        }
        Ok(WorkerSummary { refused: counter.end(), ..worked })
    }

    /// Points of `part`.
    fn points_of(&self, part: &Part) -> Result<Vec<usize>> {
        let of_machine = self.plan.of_machine();
        Ok(match part {
            Part::Shard { number, of } => {
                (0..self.points()).filter(|point| point / of_machine % of == *number).collect()
            }
            Part::Id(id) => {
                let point = self.plan.ids.iter().position(|other| other == id);
                let unknown = || Error::mismatch(format!("--id: {id} is no evaluation of this plan"));
                vec![point.ok_or_else(unknown)?]
            }
        })
    }

    /// What all results together are, or what is missing.
    ///
    /// # Errors
    /// If there are results of something else, or some cannot be read.
    pub fn merge(&self) -> Result<Result<Exploration, MissingEvaluations>> {
        self.check_strangers()?;
        let found: Vec<Result<Outcome, Absence>> =
            self.plan.ids.par_iter().map(|id| self.result(id)).collect();
        let mut outcomes = Vec::with_capacity(found.len());
        let mut missing = MissingEvaluations::default();
        for (outcome, id) in found.into_iter().zip(&self.plan.ids) {
            match outcome {
                Ok(outcome) => outcomes.push(outcome),
                Err(Absence::None) => missing.none.push(id.clone()),
                Err(Absence::Damaged) => missing.damaged.push(id.clone()),
            }
        }
        if missing != MissingEvaluations::default() {
            return Ok(Err(missing));
        }
        self.remove_abandoned();
        let Plan { provenance, sample, names, .. } = self.plan.clone();
        Exploration::new(self.space.clone(), provenance, names, sample, outcomes).map(Ok)
    }

    /// Refuses results that are none of this plan.
    fn check_strangers(&self) -> Result<()> {
        let known: BTreeSet<&str> = self.plan.ids.iter().map(String::as_str).collect();
        for folder in entries(&self.folder.join(RESULTS))? {
            for file in entries(&folder)? {
                let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
                // What a killed worker was writing has no name yet.
                if !is_unfinished(name) && !known.contains(name) {
                    let message = "no result of this plan: other inputs had another plan";
                    return Err(Error::field(file.display().to_string(), "id", message));
                }
            }
        }
        Ok(())
    }

    /// Removes what workers were writing that were killed. Nobody needs it gone, so what cannot be removed stays.
    fn remove_abandoned(&self) {
        let folders = entries(&self.folder.join(RESULTS)).unwrap_or_default();
        folders.iter().for_each(|folder| remove_abandoned(folder));
    }

    fn changed(&self) -> Error {
        let path = self.folder.join(PLAN).display().to_string();
        Error::field(path, "id", "what is evaluated is not what was planned: a file has changed since")
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(RESULTS).join(&id[..2]).join(format!("{id}.json"))
    }

    /// What came of the evaluation `id`.
    fn result(&self, id: &str) -> Result<Outcome, Absence> {
        let path = self.path(id);
        if !path.exists() {
            return Err(Absence::None);
        }
        let bytes = files::read(&path, MAX_RESULT).map_err(|_| Absence::Damaged)?;
        unsealed(id, &bytes).ok_or(Absence::Damaged)
    }
}

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absence {
    /// Nobody left one.
    None,
    /// The file is not what a worker wrote.
    Damaged,
}

/// What is in `folder`, by name; nothing where there is none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let failed = |source| Error::io(folder, source);
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut paths =
        entries.map(|entry| Ok(entry.map_err(failed)?.path())).collect::<Result<Vec<PathBuf>>>()?;
    paths.sort();
    Ok(paths)
}

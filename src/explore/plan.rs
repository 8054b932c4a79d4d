//! A run folder: what is to be evaluated, by any number of workers at any time, and what came of it.
//!
//! `space.ron` is the text of the space, `plan.jsonl` a line for the whole and a line for each evaluation, and
//! `results/ab/abcd...json` what came of the evaluation with that id.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::axes::Sample;
use super::exploration::{Exploration, Names, Outcome};
use super::figure::Figures;
use super::space::Space;
use super::study::{CHUNK, Study};
use crate::error::{Error, Result};
use crate::files::{self, sha256};
use crate::output::{OutputFolder, Owner, write_durably};
use crate::watch::Watcher;

const SPACE: &str = "space.ron";
const PLAN: &str = "plan.jsonl";
const RESULTS: &str = "results";
/// Rises when a line changes its meaning.
const SCHEMA_VERSION: u32 = 1;
/// Bytes of a result; of what is longer nothing is read.
const MAX_RESULT: u64 = 1 << 16;

/// First line of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    schema_version: u32,
    spiq_version: String,
    space_sha256: String,
    sample: Option<Sample>,
    networks: Vec<String>,
    settings: Vec<String>,
    points: usize,
    /// Of all ids, line by line.
    ids_sha256: String,
}

/// Line of an evaluation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// SHA-256 of all that it depends on.
    id: String,
    /// Its number, as in `points.csv`.
    point: usize,
}

/// What came of an evaluation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    id: String,
    /// In the order of columns; nothing where a figure is not known.
    figures: Option<Vec<Option<f64>>>,
    /// Why there are none.
    refused: Option<String>,
}

/// A planned run.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    head: Head,
    space: Space,
    /// Of every point.
    ids: Vec<String>,
}

/// Which evaluations a worker takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Machines whose number leaves this rest when divided by the number of shards.
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
pub struct Worked {
    /// Evaluations that it made.
    pub done: usize,
    /// Those of its part that were made before.
    pub skipped: usize,
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
        let ids: Vec<Vec<String>> =
            (0..study.points() / study.of_machine()).into_par_iter().map(of).collect();
        let ids = ids.concat();
        let nothing = study.exploration(Vec::new());
        let head = Head {
            schema_version: SCHEMA_VERSION,
            spiq_version: env!("CARGO_PKG_VERSION").to_owned(),
            space_sha256: nothing.space_sha256,
            sample: nothing.sample,
            networks: nothing.networks,
            settings: nothing.settings,
            points: ids.len(),
            ids_sha256: digest(&ids),
        };
        let mut lines = line(&head);
        ids.iter().enumerate().for_each(|(point, id)| lines += &line(&Entry { id: id.clone(), point }));
        let files = OutputFolder::new(folder, Owner::Plan)?;
        files.write(SPACE, text)?;
        files.write(PLAN, lines)?;
        files.finish()?;
        Ok(Self { folder: folder.to_owned(), head, space: nothing.space, ids })
    }

    /// Reads the plan in `folder`.
    ///
    /// # Errors
    /// If there is none, or it is not what was planned.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(PLAN);
        let shown = path.display().to_string();
        let bytes = files::read(&path, files::MAX_PLAIN)?;
        let text = String::from_utf8(bytes).map_err(|_| Error::field(&shown, "text", "not UTF-8"))?;
        let mut lines = text.lines();
        let wrong = |number: usize, error: &serde_json::Error| Error::Syntax {
            path: shown.clone(),
            line: number + 1,
            column: error.column(),
            message: error.to_string(),
        };
        let head: Head = serde_json::from_str(lines.next().unwrap_or_default()).map_err(|e| wrong(0, &e))?;
        let of_version = (head.schema_version, head.spiq_version.as_str());
        if of_version != (SCHEMA_VERSION, env!("CARGO_PKG_VERSION")) {
            let message = format!("planned by spiq {}, and this is another version", head.spiq_version);
            return Err(Error::field(shown, "spiq_version", message));
        }
        let entry = |(i, text): (usize, &str)| match serde_json::from_str::<Entry>(text) {
            Ok(entry) if entry.point == i && is_id(&entry.id) => Ok(entry.id),
            Ok(_) => Err(Error::field(&shown, format!("line {}", i + 2), "not the id of the next point")),
            Err(error) => Err(wrong(i + 1, &error)),
        };
        let ids = lines.enumerate().map(entry).collect::<Result<Vec<_>>>()?;
        if ids.len() != head.points || digest(&ids) != head.ids_sha256 {
            return Err(Error::field(shown, "ids_sha256", "the lines are not those that were planned"));
        }
        let path = folder.join(SPACE);
        let text = files::read_text(&path)?;
        if sha256([text.as_bytes()]) != head.space_sha256 {
            let message = "not the space that was planned";
            return Err(Error::field(path.display().to_string(), "text", message));
        }
        let space = Space::parse(&text, &path.display().to_string())?;
        Ok(Self { folder: folder.to_owned(), head, space, ids })
    }

    /// Evaluations in all.
    pub fn points(&self) -> usize {
        self.ids.len()
    }

    /// Bytes that the plan has on disk, and about so many that all results will have.
    pub fn bytes(&self) -> Result<[u64; 2]> {
        let path = self.folder.join(PLAN);
        let plan = fs::metadata(&path).map_err(|source| Error::io(path, source))?.len();
        /// A block of a file system.
        const BLOCK: u64 = 4096;
        Ok([plan, BLOCK * self.ids.len() as u64])
    }

    /// Makes the evaluations of `part` that were not made; `watcher` hears of every image that is executed, and `counter` of
    /// each evaluation.
    ///
    /// # Errors
    /// If there is no such part, something does not load or is not what was planned, or a result cannot be written.
    pub fn work(&self, part: &Part, watcher: &dyn Watcher, counter: &dyn Watcher) -> Result<Worked> {
        let of_machine = self.head.networks.len() * self.head.settings.len();
        let mine = self.points_of(part, of_machine)?;
        let open: Vec<usize> =
            mine.par_iter().copied().filter(|&point| self.record(point).is_err()).collect();
        let worked = Worked { done: open.len(), skipped: mine.len() - open.len() };
        if open.is_empty() {
            return Ok(worked);
        }
        let mut study =
            Study::new(self.space.clone(), self.head.space_sha256.clone(), self.head.sample, watcher)?;
        if study.points() != self.ids.len() || study.of_machine() != of_machine {
            return Err(self.changed());
        }
        let mut by_machine: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        open.iter()
            .for_each(|point| by_machine.entry(point / of_machine).or_default().push(point % of_machine));
        let by_machine = Vec::from_iter(by_machine);
        counter.begin(open.len());
        for chunk in by_machine.chunks(CHUNK) {
            let made: Vec<_> = chunk.par_iter().map(|(machine, _)| study.machine(*machine)).collect();
            made.iter().flatten().for_each(|machine| study.observe(machine, watcher));
            chunk.par_iter().zip(&made).try_for_each(|((machine, points), made)| {
                points.iter().try_for_each(|&i| {
                    let id = &self.ids[machine * of_machine + i];
                    if study.id(made, i) != *id {
                        return Err(self.changed());
                    }
                    self.put(id, &study.charge(made, i, counter))
                })
            })?;
        }
        counter.end();
        Ok(worked)
    }

    /// Points of `part`.
    fn points_of(&self, part: &Part, of_machine: usize) -> Result<Vec<usize>> {
        let all = 0..self.ids.len();
        Ok(match part {
            Part::Shard { number, of } => all.filter(|point| point / of_machine % of == *number).collect(),
            Part::Id(id) => {
                let point = self.ids.iter().position(|other| other == id);
                let unknown = || Error::mismatch(format!("--id: {id} is no evaluation of this plan"));
                vec![point.ok_or_else(unknown)?]
            }
        })
    }

    /// What all results together are; `Err` lists the points of `Missing`.
    ///
    /// # Errors
    /// If there are results of something else, or some cannot be read.
    pub fn merge(&self) -> Result<Result<Exploration, Missing>> {
        self.check_strangers()?;
        let found: Vec<Result<Outcome, Absence>> =
            (0..self.ids.len()).into_par_iter().map(|point| self.record(point)).collect();
        let mut outcomes = Vec::with_capacity(found.len());
        let mut missing = Missing::default();
        for (outcome, id) in found.into_iter().zip(&self.ids) {
            match outcome {
                Ok(outcome) => outcomes.push(outcome),
                Err(Absence::None) => missing.none.push(id.clone()),
                Err(Absence::Damaged) => missing.damaged.push(id.clone()),
            }
        }
        if !missing.none.is_empty() || !missing.damaged.is_empty() {
            return Ok(Err(missing));
        }
        let Head { networks, settings, sample, space_sha256, .. } = self.head.clone();
        let names = Names { networks, settings };
        Exploration::new(self.space.clone(), space_sha256, names, sample, outcomes).map(Ok)
    }

    /// Refuses results that are none of this plan.
    fn check_strangers(&self) -> Result<()> {
        let known: BTreeSet<&str> = self.ids.iter().map(String::as_str).collect();
        let results = self.folder.join(RESULTS);
        for folder in entries(&results)? {
            for file in entries(&folder)? {
                let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
                // What a killed worker was writing has no name yet.
                let is_new = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".new-"));
                if !is_new && !known.contains(name) {
                    let message = "no result of this plan: other inputs had another plan";
                    return Err(Error::field(file.display().to_string(), "id", message));
                }
            }
        }
        Ok(())
    }

    fn changed(&self) -> Error {
        let path = self.folder.join(PLAN).display().to_string();
        Error::field(path, "id", "what is evaluated is not what was planned: a file has changed since")
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(RESULTS).join(&id[..2]).join(format!("{id}.json"))
    }

    fn put(&self, id: &str, outcome: &Outcome) -> Result<()> {
        let (figures, refused) = match outcome {
            Outcome::Evaluated(figures) => {
                (Some(figures.iter().map(|&value| value.is_finite().then_some(value)).collect()), None)
            }
            Outcome::Refused(why) => (None, Some(why.to_string())),
        };
        let text = line(&Record { id: id.to_owned(), figures, refused });
        let sealed = format!("{text}{}\n", sha256([text.as_bytes()]));
        write_durably(&self.path(id), sealed.as_bytes())
    }

    /// What came of a point.
    fn record(&self, point: usize) -> Result<Outcome, Absence> {
        let id = &self.ids[point];
        let path = self.path(id);
        if !path.exists() {
            return Err(Absence::None);
        }
        let bytes = files::read(&path, MAX_RESULT).map_err(|_| Absence::Damaged)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Absence::Damaged)?;
        let (record, seal) = text.split_once('\n').ok_or(Absence::Damaged)?;
        if seal.trim_end() != sha256([record, "\n"]) {
            return Err(Absence::Damaged);
        }
        let record: Record = serde_json::from_str(record).map_err(|_| Absence::Damaged)?;
        match record {
            Record { id: own, figures: Some(figures), refused: None } if own == *id => {
                let figures: Vec<f64> = figures.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect();
                let figures = Figures::try_from(figures).map_err(|_| Absence::Damaged)?;
                Ok(Outcome::Evaluated(Box::new(figures)))
            }
            Record { id: own, figures: None, refused: Some(why) } if own == *id => {
                Ok(Outcome::Refused(why.into_boxed_str()))
            }
            _ => Err(Absence::Damaged),
        }
    }
}

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absence {
    /// Nobody left one.
    None,
    /// It is not what a worker wrote.
    Damaged,
}

/// Evaluations that a run still lacks, by their ids in the order of points.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// Those that nobody made.
    pub none: Vec<String>,
    /// Those whose results are not what a worker wrote.
    pub damaged: Vec<String>,
}

fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("names and numbers") + "\n"
}

fn digest(ids: &[String]) -> String {
    sha256(ids.iter().map(|id| format!("{id}\n")))
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
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

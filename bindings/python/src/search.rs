use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyo3::prelude::*;
use serde::Deserialize;
use spiq::cost::Machine;
use spiq::error::Fault;
use spiq::model::Selection;
use spiq::ron_file::parse_ron;
use spiq::search::log::Log;
use spiq::search::{
    Budgets, DriftMetric, Granularity, Identity, Loaded, Machines, Objective, Problem, Request, SearchWatcher, Session,
    StrategyName, Widths, short_name,
};
use spiq::{Error, Result, report};

use crate::data::Data;
use crate::error::{plain, raised};
use crate::hardware::Hardware;
use crate::model::Model;
use crate::work::{self, Manner, Progress};

/// What a search found out.
#[pyclass(frozen, module = "spiq._spiq")]
pub struct Search {
    search: spiq::search::Search,
    request: Request,
}

#[pymethods]
impl Search {
    /// `search.json`.
    fn json(&self, py: Python) -> PyResult<String> {
        report::search_json(&self.search, &self.request).map_err(|e| plain(py, &e))
    }

    /// The table of the terminal.
    fn table(&self) -> String {
        report::search_table(&self.search)
    }

    /// The text of the setting that meets all budgets, if one was found.
    fn setting(&self) -> Option<String> {
        self.search.runs.get(self.search.best?)?.setting.clone()
    }

    /// What the closest setting lacks, where none meets all budgets.
    fn closest(&self) -> Option<String> {
        self.search.best.is_none().then(|| report::closest(&self.search))
    }
}

/// What is asked for, as the package writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    limit: Option<usize>,
    validation_images: Option<usize>,
    confidence: Option<f64>,
    minimize: Objective,
    strategies: Vec<StrategyName>,
    accelerated: bool,
    seeds: Vec<u64>,
    max_evaluations: f64,
    max_seconds: Option<f64>,
    granularity: Granularity,
    drift: DriftMetric,
    slack: f64,
    audit: bool,
    widths: Widths,
}

impl Wanted {
    fn request(self, budgets: Budgets, names: Names) -> Request {
        Request {
            model: names.model,
            weights: None,
            selection: Selection::default(),
            timesteps: None,
            alternatives: 1,
            hardware: names.hardware,
            machines: None,
            data: names.data,
            limit: self.limit,
            validation_images: self.validation_images,
            confidence: self.confidence,
            problem: Problem {
                budgets,
                objective: self.minimize,
                max_evaluations: self.max_evaluations,
                max_seconds: self.max_seconds,
                granularity: self.granularity,
                metric: self.drift,
                slack: self.slack,
                audit: self.audit,
            },
            widths: self.widths,
            strategies: self.strategies,
            accelerated: self.accelerated,
            seeds: self.seeds,
            identity: Identity::default(),
        }
    }
}

/// What a log calls what is searched.
struct Names {
    model: String,
    hardware: String,
    data: String,
}

impl SearchWatcher for Progress {
    fn keeps(&self, _: &Log) {}
    fn looks(&self, _: &str, _: u64) {}
}

/// Searches the setting of `model` that meets `budgets` on `hardware`, with the log and the results in `dir`.
#[pyfunction]
#[pyo3(signature = (model, data, hardware, budgets, wanted, dir, resume, threads, listener))]
#[expect(clippy::too_many_arguments, reason = "keywords of a Python function")]
pub fn search(
    py: Python,
    model: &Model,
    data: &Data,
    hardware: &Hardware,
    budgets: &str,
    wanted: &str,
    dir: PathBuf,
    resume: bool,
    threads: Option<usize>,
    listener: Option<Py<PyAny>>,
) -> PyResult<Search> {
    let network = &model.0.network;
    let checked = || {
        let names = Names {
            model: model.0.description.name.clone(),
            hardware: hardware.hardware.name.clone(),
            data: data.0.name.clone(),
        };
        let budgets = Budgets::parse(budgets, "search")?;
        let machine = Machine::new(hardware.hardware.clone())?;
        check_area(&machine, &budgets)?;
        Ok((parse_ron::<Wanted>(wanted, "search")?.request(budgets, names), machine))
    };
    let (request, machine) = checked().map_err(|e| raised(py, &e, Some(network)))?;
    let (model, data) = (Arc::clone(&model.0), data.0.clone());
    work::run(py, &Manner { threads, listener, network }, move |progress, interrupt| {
        let data = data.until(interrupt);
        let mut session =
            if resume { resumed(&dir, request)? } else { Session::begin(request, &dir, refuse)? };
        let loaded = Loaded::of(&session.request, Machines::one(machine), model, data, &|fault| session.refuse(fault))?;
        session.identify(loaded.identity()?)?;
        let search = loaded.search(&mut session, progress)?;
        session.log.check_place()?;
        report::write_search(&search, &session.request, &dir)?;
        Ok(Search { search, request: session.request.clone() })
    })
}

/// What is searched for unless it is said, as JSON: that of the command line.
#[pyfunction]
pub fn search_defaults() -> String {
    serde_json::to_string(&spiq::cli::default_search()).expect("finite numbers and names")
}

/// Goes on with the search in `dir`, which is that of `request` or goes less far.
fn resumed(dir: &Path, request: Request) -> Result<Session> {
    let terms = |begun: &Request| {
        let mut extended = begun.clone();
        let terms = request.terms();
        extended.extend(terms.clone()).map_err(refuse)?;
        if (Request { identity: Identity::default(), ..extended }) == request {
            Ok(terms)
        } else {
            let message = "the search that was begun there asks for something else; strategies, seeds and \
                           max_evaluations alone may grow";
            Err(Error::field(dir.display().to_string(), "resume", message))
        }
    };
    Session::resume(dir, terms, refuse)
}

/// Names the argument of a field of a request.
fn refuse(fault: Fault) -> Error {
    let argument = match short_name(&fault.field) {
        "strategy" => "strategies",
        "seed" => "seeds",
        name => name,
    };
    Error::field("search", argument, fault.message)
}

/// The area is a property of the machine: no setting changes it.
fn check_area(machine: &Machine, budgets: &Budgets) -> Result<()> {
    let (name, Some(limit)) = (&machine.hardware.name, budgets.area_mm2) else { return Ok(()) };
    let refused = |message| Err(Error::field("search", "max_area", message));
    match machine.area_mm2.map(|area| area.total()) {
        None => refused(format!("the description of {name} does not give its area")),
        Some(area) if area > limit => refused(format!("{name} has {area:.3} mm2, whatever the setting")),
        Some(_) => Ok(()),
    }
}

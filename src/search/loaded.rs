use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;

use super::log::{DataPart, Log};
use super::session::Session;
use super::store::HeldOut;
use rayon::prelude::*;

use super::{
    Batch, DEFAULT_CONFIDENCE, Final, FinalMemory, Identity, Machines, Measured, NetworkOracle, Objective,
    Oracle, Problem, Promise, Request, Run, Search, Space, Store, Strategy, legal_space, measure,
    run_strategy, runs,
};
use crate::check::{in_range, refuse_if};
use crate::cost::Machine;
use crate::error::{Error, Fault, Result};
use crate::evaluate::{CALIBRATION_IMAGES, Evaluator};
use crate::exec::{Backend, FloatExecutor, class_of};
use crate::hw::{Hardware, MemorySpec};
use crate::load;
use crate::model::{DataSet, Images, Model, ModelDescription};
use crate::quant::Setting;
use crate::watch::Watcher;

/// Hears of a search what no count of images says.
pub trait SearchWatcher: Watcher {
    /// From now on `log` says what is searched, and keeps every answer.
    fn keeps(&self, log: &Log);

    /// `strategy` looks, with the random choices of `seed`.
    fn looks(&self, strategy: &str, seed: u64);
}

/// Everything that a request names.
#[derive(Debug)]
pub struct Loaded {
    /// The machine, or those that are chosen among.
    pub machines: Machines,
    model: Arc<Model>,
    /// What it is compared with: the model with the timesteps of its description.
    described: Arc<Model>,
    data: DataSet,
    /// Validation images that are looked at.
    validation: Images,
    /// Validation images that only tell whether what was found keeps the promise.
    held_out: Images,
    promise: Option<Promise>,
    /// Why there is none.
    unpromised: Option<String>,
    /// Test images of the final report.
    test: Images,
}

impl Loaded {
    /// Loads what `request` names; `refuse` says where a number of it was read.
    ///
    /// # Errors
    /// Names the file that does not load, and those of [`Loaded::of`].
    pub fn new(request: &Request, refuse: &dyn Fn(Fault) -> Error) -> Result<Self> {
        let machines = match &request.machines {
            Some(space) => Machines::of(space)?,
            None => Machines::one(Machine::new(Hardware::load(&request.hardware)?.0)?),
        };
        // Before anything that takes long to load.
        check_machines(request, &machines).map_err(refuse)?;
        let weights = request.weights.as_ref().map(Path::new);
        let load = |timesteps| load::model_with(&request.model, weights, &request.selection, timesteps);
        let described = Arc::new(load(None)?);
        let model = match request.timesteps {
            Some(timesteps) if timesteps != described.description.timesteps => {
                Arc::new(load(Some(timesteps))?)
            }
            _ => Arc::clone(&described),
        };
        let data = DataSet::load_for(&request.data, &model.description)?;
        Ok(Self { described, ..Self::of(request, machines, model, data, refuse)? })
    }

    /// Everything that `request` names, where model, machines and data are loaded already; `refuse` says where a
    /// number of it was read.
    ///
    /// # Errors
    /// If there are fewer images than are asked for or no validation images, or a budget is of a memory or an area that a
    /// machine lacks.
    pub fn of(
        request: &Request,
        machines: Machines,
        model: Arc<Model>,
        data: DataSet,
        refuse: &dyn Fn(Fault) -> Error,
    ) -> Result<Self> {
        check_machines(request, &machines).map_err(refuse)?;
        let mut validation = data.validation_of("a search looks at")?.clone();
        let mut test = data.test.clone();
        let check = |field: &'static str, count: usize, most: usize| {
            in_range(field, count, &(1..=most)).map_err(refuse)
        };
        if let Some(limit) = request.limit {
            check("limit", limit, validation.len().max(test.len()))?;
            validation.truncate(limit.min(validation.len()));
            test.truncate(limit.min(test.len()));
        }
        if let Some(count) = request.validation_images {
            check("validation_images", count, validation.len())?;
            validation.truncate(count);
        }
        let (promise, unpromised) = promise(request, validation.len()).map_err(refuse)?;
        let mut held_out = validation.clone();
        let looked_at = validation.len() - promise.map_or(0, |promise| promise.images as usize);
        validation.truncate(looked_at);
        held_out.select(looked_at..held_out.len());
        let described = Arc::clone(&model);
        Ok(Self { machines, model, described, data, validation, held_out, promise, unpromised, test })
    }

    /// What all answers depend on. Reads every image.
    ///
    /// # Errors
    /// If an image does not decode.
    pub fn identity(&self) -> Result<Identity> {
        let validation = self.validation.len() + self.held_out.len();
        Identity::of(&self.model, self.machines.all(), &self.data, validation, &self.test)
    }

    /// Goes through with the search of `session`, of which `watcher` hears.
    ///
    /// # Errors
    /// If images or settings do not fit the model, the machine cannot run any setting, or the log cannot be written.
    pub fn search(&self, session: &mut Session, watcher: &dyn SearchWatcher) -> Result<Search> {
        let request = session.request.clone();
        let strategies = runs(&request.strategies, request.accelerated);
        // What cannot be searched is refused before anything long starts, and before the log says so.
        let space = |strategy: &dyn Strategy| {
            let space = strategy.quantizer().space(&self.model.network, &request.widths);
            let space = Space { machines: self.machines.levels().to_vec(), ..space };
            space.check().map(|()| space)
        };
        let spaces =
            strategies.iter().map(|strategy| space(strategy.as_ref())).collect::<Result<Vec<_>>>()?;
        let evaluator = self.evaluator(&self.validation, watcher)?;
        let oracle = self.oracle(&evaluator, &self.validation)?;
        let legal = |space: Space| legal_space(space, &oracle);
        let spaces = spaces.into_iter().map(legal).collect::<Result<Vec<_>>>()?;
        session.write()?;
        watcher.keeps(&session.log);
        let unseen = self.oracle(&evaluator, &self.held_out)?;
        let held_out = self.promise.map(|promise| HeldOut { oracle: &unseen, promise });
        let answers = std::mem::take(&mut session.answers);
        let mut store = Store::logged(&oracle, answers, &mut session.log)?.promising(held_out);
        let problem = self.problem(&request);
        store.float_accuracy(DataPart::Validation, || self.run_float(&oracle, watcher))?;
        let mut runs = Vec::new();
        for (strategy, space) in strategies.iter().zip(&spaces) {
            let seeds = if strategy.is_random() { &request.seeds[..] } else { &request.seeds[..1] };
            for &seed in seeds {
                watcher.looks(strategy.name(), seed);
                runs.push(run_strategy(strategy.as_ref(), space, &problem, seed, &mut store)?);
            }
        }
        self.report(&request, &oracle, &mut store, runs, watcher)
    }

    fn oracle<'a>(&'a self, evaluator: &'a Evaluator, images: &'a Images) -> Result<NetworkOracle<'a>> {
        let oracle = NetworkOracle::new(evaluator, self.machines.all(), Backend::default(), images)?;
        Ok(oracle.compared_with(&self.described))
    }

    /// What the float network loses and gains on the validation images by its timesteps, before anything is quantized.
    ///
    /// # Errors
    /// If an image is no longer there.
    pub fn float_batch(&self) -> Result<Batch> {
        let [float, described] = [&self.model, &self.described].map(|model| FloatExecutor::new(model));
        let run = |i: usize| {
            let sample = self.validation.sample(i)?;
            let is_right = |float: &FloatExecutor| {
                class_of(&float.values(&sample, |_, _| ())) == self.validation.labels[i] as usize
            };
            let [now, before] = [&float, &described].map(is_right);
            let [lost, gained] = [before && !now, now && !before].map(u32::from);
            Ok(Batch { images: 1, lost, gained, divergence: 0.0 })
        };
        let batches = (0..self.validation.len()).into_par_iter().map(run).collect::<Result<Vec<_>>>()?;
        let mut all = Batch::default();
        batches.iter().for_each(|batch| all.add(batch));
        Ok(all)
    }

    /// What reports call the model.
    fn name(&self) -> String {
        let ModelDescription { name, timesteps, .. } = &self.model.description;
        match *timesteps == self.described.description.timesteps {
            true => name.clone(),
            false => format!("{name} with {timesteps} timesteps"),
        }
    }

    /// What strategies are given: less may be lost on the images that they look at than is promised of others.
    fn problem(&self, request: &Request) -> Problem {
        let mut problem = request.problem.clone();
        if let Some(target) = self.promise.and_then(|promise| promise.target()) {
            problem.budgets.accuracy_drop = target;
        }
        problem
    }

    /// Accuracy of the float network on the validation images.
    fn run_float(&self, oracle: &NetworkOracle, watcher: &dyn Watcher) -> Result<f64> {
        watcher.begin(self.validation.len());
        oracle.run_float(&|| watcher.step("float"))?;
        watcher.end();
        oracle.reference_accuracy()
    }

    /// Runs every setting that was found on the test images, once.
    fn report(
        &self,
        request: &Request,
        oracle: &NetworkOracle,
        store: &mut Store,
        mut runs: Vec<Run>,
        watcher: &dyn Watcher,
    ) -> Result<Search> {
        let evaluator = OnceCell::new();
        // Reading and calibrating takes long, and the log of a finished search knows all answers.
        let on_test = || -> Result<&Evaluator> {
            if evaluator.get().is_none() {
                let _ = evaluator.set(self.evaluator(&self.test, watcher)?);
            }
            Ok(evaluator.get().expect("made above"))
        };
        let test_accuracy = store.float_accuracy(DataPart::Test, || {
            Ok(on_test()?.float_accuracy_of(&self.described)?.expect("images are executed"))
        })?;
        let mut finals = Vec::new();
        for run in &mut runs {
            let machine = run.best.as_ref().map_or(run.space.base_machine, |best| best.candidate.machine);
            run.machine = if run.best.is_some() { self.machines.found(machine)? } else { None };
            let machine = &self.machines.all()[machine];
            finals.push(match (&run.setting, &run.best) {
                (Some(text), Some(best)) => {
                    let setting = Setting::parse(text, &run.strategy)?;
                    let measured =
                        store.on_test(&best.design_id, || measure(on_test()?, machine, &setting))?;
                    Some(found(machine, setting.name, measured, test_accuracy))
                }
                _ => None,
            });
        }
        let objective = |run: &Run| Some(request.problem.objective.of(&run.best.as_ref()?.measured.figures));
        let found = (0..runs.len()).filter_map(|i| Some((objective(&runs[i])?, i)));
        let best = found.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, i)| i);
        Ok(Search {
            model: self.name(),
            hardware: self.machines.name(),
            data: self.data.name.clone(),
            images: [self.validation.len(), self.test.len()],
            objective: request.problem.objective,
            accuracy_drop: request.problem.budgets.accuracy_drop,
            promise: self.promise,
            unpromised: self.unpromised.clone(),
            reference_accuracy: [store.reference_accuracy()?, test_accuracy],
            float: oracle.float_figures(runs.first().map_or(0, |run| run.space.base_machine))?,
            runs,
            finals,
            best,
        })
    }

    fn evaluator(&self, images: &Images, watcher: &dyn Watcher) -> Result<Evaluator> {
        watcher.begin(images.len() + self.data.validation.len().min(CALIBRATION_IMAGES));
        let evaluator =
            Evaluator::new(Arc::clone(&self.model), &self.data, images, &|| watcher.step("reading"))?;
        watcher.end();
        Ok(evaluator.keeping_layers())
    }
}

/// What is reported of `setting` on `machine`; `reference` is the accuracy of the float network.
fn found(machine: &Machine, setting: String, measured: Measured, reference: f64) -> Final {
    let Measured { accuracy, figures } = measured;
    let memory = |memory: &MemorySpec| {
        let capacity_bytes = memory.capacity_bytes.value as f64;
        let peak_bytes = figures.peak_bytes.get(&memory.name).copied().unwrap_or_default();
        let (name, share) = (memory.name.clone(), peak_bytes / capacity_bytes);
        FinalMemory { name, capacity_bytes, peak_bytes, share }
    };
    Final {
        setting,
        accuracy,
        accuracy_drop: reference - accuracy,
        model_bytes: figures.model_bytes,
        footprint_bytes: figures.footprint_bytes,
        memories: machine.hardware.memories.iter().map(memory).collect(),
        energy_j: figures.energy_j,
        latency_s: figures.latency_s,
        power_w: figures.power_w,
        average_weight_bits: figures.average_weight_bits,
    }
}

/// What `request` promises where half of the `validation` images are held out, or why it promises nothing although that
/// was not declined.
fn promise(request: &Request, validation: usize) -> Result<(Option<Promise>, Option<String>), Fault> {
    let (allowed, confidence) =
        (request.problem.budgets.accuracy_drop, request.confidence.unwrap_or(DEFAULT_CONFIDENCE));
    if confidence == 0.0 {
        return Ok((None, None));
    }
    let strategies = runs(&request.strategies, request.accelerated);
    let seeds = |strategy: &dyn Strategy| if strategy.is_random() { request.seeds.len() } else { 1 };
    let count: usize = strategies.iter().map(|strategy| seeds(strategy.as_ref())).sum();
    let count = count.saturating_mul(request.alternatives as usize);
    let promise = Promise::of_one(count, allowed, confidence, (validation / 2) as u32);
    if promise.target().is_some() {
        return Ok((Some(promise), None));
    }
    let (percent, points) = (100.0 * confidence, 100.0 * allowed);
    let message = match promise.least_images() {
        Some(least) => format!(
            "a drop of at most {points} points on unseen images, promised with {percent} %, takes {} validation images \
             (half of them held out), and {validation} are looked at",
            2 * least
        ),
        None => format!("a drop of at most {points} points on unseen images cannot be promised"),
    };
    match request.confidence {
        Some(_) => Err(Fault::new("confidence", format!("{message}; 0 promises nothing"))),
        None => Ok((None, Some(message))),
    }
}

/// Refuses budgets of memories that one of `machines` lacks, and an area that no description gives.
fn check_machines(request: &Request, machines: &Machines) -> Result<(), Fault> {
    for machine in machines.all() {
        let known = request.problem.budgets.check_memories(&machine.hardware);
        known.map_err(|message| Fault::new("problem.budgets.peak_bytes", message))?;
        let is_open = machine.area_mm2.is_none() && request.problem.objective == Objective::Edap;
        refuse_if(is_open, "problem.objective", || {
            format!("the description of {} does not give its area", machine.hardware.name)
        })?;
    }
    Ok(())
}

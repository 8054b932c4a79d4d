//! One (model, setting, hardware, data) -> one [`Evaluation`].

mod calibration_images;
mod comparison;
mod evaluation;
mod fit;
mod published;
mod rate_matching;
mod statistics;
mod summary;
mod tables;
mod totals;

pub use calibration_images::{CALIBRATION_IMAGES, CalibrationImages, calibrate};
pub use comparison::{Comparison, MachineEvaluation};
pub use evaluation::{
    ActivitySource, DataSummary, Evaluation, HardwareSummary, LayerEvaluation, LayerRate, ModelSummary,
    RatesSummary, Simulation,
};
pub use published::{AsPublished, PublishedWork};
pub use tables::{TableCost, TableEvaluation};

use std::sync::Mutex;

use rayon::prelude::*;

pub use self::fit::fits;
pub use self::rate_matching::{RateMatching, quantize_on};
pub use self::statistics::{add_statistics, collect_statistics};
use self::summary::summarize_layer;
use self::totals::{Totals, count};
use crate::cost::{Cycles, EnergyJ, KnownPlans, Machine, MappedWorkload, TrafficBits, memory_bytes};
use crate::error::Result;
use crate::exec::{Activity, Backend, Execution, FloatExecutor, IntegerExecutor, Pattern, Rates};
use crate::hw::Operand;
use crate::map::{FixedMapping, Workload};
use crate::model::{DataSet, Images, Kind, Model, Node, Sample};
use crate::quant::{Calibration, FixedPoint, Precision, QuantizedModel, Setting};

/// What an evaluation needs beside a setting: the model with its calibration, the machine, and images or
/// rates.
#[derive(Debug)]
pub struct Evaluator<'a> {
    model: &'a Model,
    machine: &'a Machine,
    source: Source<'a>,
    calibration: Mutex<Calibration>,
    validation: CalibrationImages,
    matching: RateMatching,
    /// What a reader must know of the images or rates.
    notes: Vec<String>,
    engine: Backend,
    mapping: Option<FixedMapping>,
}

/// Where activity comes from.
#[derive(Debug)]
enum Source<'a> {
    /// That of executed images.
    Images(Samples<'a>),
    /// What these rates lead one to expect.
    Rates(&'a Rates),
}

/// Images to execute.
#[derive(Debug)]
struct Samples<'a> {
    /// The ones to measure.
    measured: &'a Images,
    /// Validation images whose spikes the mapper sees.
    mapping: Vec<Sample>,
}

/// Validation images whose spikes the mapper sees.
const MAPPING_IMAGES: usize = 16;
/// Images run in parallel before their costs are added up, in order.
const CHUNK: usize = 256;

/// One image: its class and its counters.
struct Outcome {
    prediction: usize,
    activity: Activity,
}

impl<'a> Evaluator<'a> {
    /// Reads every image that will be used, and calibrates `model` on the validation images of `data`;
    /// `images` are the ones to measure. `progress` is told of every image read:
    /// `images.len() + data.validation.len().min(CALIBRATION_IMAGES)` in all.
    ///
    /// # Errors
    /// If an image does not decode or is not what the model looks at, or labels exceed its classes.
    pub fn new(
        model: &'a Model,
        machine: &'a Machine,
        data: &'a DataSet,
        images: &'a Images,
        progress: &(dyn Fn() + Sync),
    ) -> Result<Self> {
        let validation = CalibrationImages::of(data, model);
        let calibration = calibrate(model, data, images, progress)?;
        let seen = validation.images();
        let mapping = (0..seen.len().min(MAPPING_IMAGES)).map(|i| seen.sample(i)).collect::<Result<_>>()?;
        let notes = validation.notes(images, data, &model.network);
        let source = Source::Images(Samples { measured: images, mapping });
        let (calibration, engine, mapping) = (Mutex::new(calibration), Backend::default(), None);
        let matching = RateMatching::default();
        Ok(Self { model, machine, source, calibration, validation, matching, notes, engine, mapping })
    }

    /// Expects the activity that follows from `rates` and executes nothing; ranges, where `model` has any,
    /// are calibrated on noise.
    ///
    /// # Errors
    /// If values of the float network exceed single precision.
    pub fn expecting(model: &'a Model, machine: &'a Machine, rates: &'a Rates) -> Result<Self> {
        let mut notes = vec![format!("activity expected from {}, not executed", rates.path)];
        if let Some(names) = rates.unknown_neurons(&model.network) {
            notes.push(format!("spikes of {names} are not counted: {} has no rate of them", rates.path));
        }
        let mut calibration = Calibration::new(model.network.nodes.len());
        let mut noise = DataSet::load_for("noise", &model.description)?;
        noise.test.truncate(0);
        let validation = CalibrationImages::of(&noise, model);
        if model.network.nodes.iter().any(|node| matches!(node.kind, Kind::Grid(_))) {
            calibration = calibrate(model, &noise, &noise.test, &|| ())?;
            notes.push("ranges are chosen on synthetic noise".to_owned());
        }
        Ok(Self {
            model,
            machine,
            source: Source::Rates(rates),
            calibration: Mutex::new(calibration),
            validation,
            matching: RateMatching::default(),
            notes,
            engine: Backend::default(),
            mapping: None,
        })
    }

    /// With fixed-point settings executed by `engine`; the integers are the same with any.
    pub fn with_engine(self, engine: Backend) -> Self {
        Self { engine, ..self }
    }

    /// With the mapping as `fixed` says, as far as it says.
    pub fn with_mapping(self, fixed: Option<FixedMapping>) -> Self {
        Self { mapping: fixed, ..self }
    }

    /// For many settings that share layers: a layer is rounded once per scheme.
    pub fn keeping_layers(mut self) -> Self {
        let calibration = self.calibration.get_mut();
        calibration.unwrap_or_else(std::sync::PoisonError::into_inner).keeps_nearest = true;
        self
    }

    fn map(&self, workload: Workload, machine: &Machine, samples: &[Activity]) -> Result<MappedWorkload> {
        MappedWorkload::best_of(workload, machine, samples, self.mapping.as_ref())
    }

    /// The network of integers that `setting` makes. What it needs to know of calibration images is found
    /// out once, and kept.
    ///
    /// # Errors
    /// If the setting does not fit the model, or a calibration image is no longer there.
    pub fn quantize(&self, setting: &FixedPoint) -> Result<QuantizedModel> {
        // What a thread that panicked left is whole: statistics are added when they are complete.
        let mut known = self.calibration.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let validation = self.validation.for_setting(&self.model.network, setting)?;
        add_statistics(self.model, validation, setting, &mut known)?;
        let calibration = known.clone();
        drop(known);
        self.matching.quantize(self.model, validation, setting, &calibration)
    }

    /// Refuses a setting that does not fit the model, or that the machine cannot run, before any
    /// image runs.
    ///
    /// # Errors
    /// Names the setting, and the layer or memory that is too small.
    pub fn check(&self, setting: &Setting) -> Result<()> {
        self.check_on(setting, std::slice::from_ref(self.machine))
    }

    /// [`Evaluator::check`] on other machines.
    ///
    /// # Errors
    /// As there.
    pub fn check_on(&self, setting: &Setting, machines: &[Machine]) -> Result<()> {
        let check = || {
            let workload = self.workload(setting)?;
            machines.iter().try_for_each(|machine| self.map(workload.clone(), machine, &[]).map(|_| ()))
        };
        check().map_err(|e| e.at_setting(&setting.name))
    }

    fn workload(&self, setting: &Setting) -> Result<Workload> {
        match &setting.precision {
            Precision::Float32 => Ok(Workload::float32(&self.model.network)),
            Precision::Fixed(fixed) => self.quantize(fixed).map(|quantized| Workload::quantized(&quantized)),
        }
    }

    /// Runs every image at `setting`, or expects what it does, and charges the machine for it; `progress`
    /// is told of every image. `accuracy_drop` is left open: it needs the float network's accuracy.
    ///
    /// # Errors
    /// If the setting does not fit the model, or the machine cannot run it.
    pub fn evaluate(&self, setting: &Setting, progress: &(dyn Fn() + Sync)) -> Result<Evaluation> {
        let mut evaluations = self.evaluate_on(setting, std::slice::from_ref(self.machine), progress)?;
        Ok(evaluations.remove(0))
    }

    /// [`Evaluator::evaluate`] on other machines, one evaluation for each: every image is executed once.
    ///
    /// # Errors
    /// As there.
    pub fn evaluate_on(
        &self,
        setting: &Setting,
        machines: &[Machine],
        progress: &(dyn Fn() + Sync),
    ) -> Result<Vec<Evaluation>> {
        let mut evaluations = match &self.source {
            Source::Images(samples) => self.execute(setting, machines, samples, progress)?,
            Source::Rates(rates) => {
                machines.iter().map(|machine| self.expect(setting, machine, rates)).collect::<Result<_>>()?
            }
        };
        let note = match (&setting.precision, &self.source) {
            (Precision::Float32, _) => Some("float network, charged as a datapath of 32-bit integers"),
            (Precision::Fixed(fixed), Source::Rates(_)) if fixed.needs_images(&self.model.network) => {
                Some("weights and thresholds are chosen on synthetic noise")
            }
            _ => None,
        };
        evaluations.iter_mut().for_each(|e| e.notes.extend(note.map(str::to_owned)));
        Ok(evaluations)
    }

    /// [`Evaluator::evaluate_on`] for each of `settings`; what cannot run is refused before anything long starts.
    /// `progress` is told of every image at every setting.
    ///
    /// # Errors
    /// As there.
    pub fn evaluate_all(
        &self,
        settings: &[Setting],
        machines: &[Machine],
        progress: &(dyn Fn(&Setting) + Sync),
    ) -> Result<Vec<Vec<Evaluation>>> {
        settings.iter().try_for_each(|setting| self.check_on(setting, machines))?;
        settings.iter().map(|setting| self.evaluate_on(setting, machines, &|| progress(setting))).collect()
    }

    fn execute(
        &self,
        setting: &Setting,
        machines: &[Machine],
        samples: &Samples,
        progress: &(dyn Fn() + Sync),
    ) -> Result<Vec<Evaluation>> {
        let patterns = patterns(machines);
        match &setting.precision {
            Precision::Float32 => {
                let float = FloatExecutor::new(self.model);
                let workload = Workload::float32(&self.model.network);
                let run = |sample: &Sample| outcome(float.run_with(sample, &patterns));
                self.measure(setting, machines, workload, samples, &run, progress)
            }
            Precision::Fixed(fixed) => {
                let quantized = self.quantize(fixed)?;
                let workload = Workload::quantized(&quantized);
                let executor = IntegerExecutor::new(&quantized, self.engine);
                let run = |sample: &Sample| outcome(executor.run_with(sample, &patterns));
                self.measure(setting, machines, workload, samples, &run, progress)
            }
        }
    }

    /// Accuracy of the float network on the images, if there are any.
    ///
    /// # Errors
    /// If an image is no longer there.
    pub fn float_accuracy(&self) -> Result<Option<f64>> {
        let Source::Images(Samples { measured: images, .. }) = &self.source else { return Ok(None) };
        let float = FloatExecutor::new(self.model);
        let right = |i: usize| -> Result<usize> {
            let prediction = float.run(&images.sample(i)?).prediction();
            Ok(usize::from(prediction == images.labels[i] as usize))
        };
        let right = (0..images.len()).into_par_iter().map(right).sum::<Result<usize>>()?;
        Ok(Some(right as f64 / images.len() as f64))
    }

    fn measure(
        &self,
        setting: &Setting,
        machines: &[Machine],
        workload: Workload,
        samples: &Samples,
        run: &(dyn Fn(&Sample) -> Outcome + Sync),
        progress: &(dyn Fn() + Sync),
    ) -> Result<Vec<Evaluation>> {
        let images = samples.measured;
        let seen: Vec<Activity> = samples.mapping.par_iter().map(|sample| run(sample).activity).collect();
        let best = |machine| self.map(workload.clone(), machine, &seen);
        let mapped: Vec<MappedWorkload> = machines.iter().map(best).collect::<Result<_>>()?;
        let mut totals: Vec<Totals> = mapped.iter().map(|mapped| self.totals(mapped)).collect();
        let mut correct = 0;
        for start in (0..images.len()).step_by(CHUNK) {
            let chunk = start..(start + CHUNK).min(images.len());
            let outcomes = chunk
                .into_par_iter()
                .map(|i| {
                    let outcome = run(&images.sample(i)?);
                    let costs: Vec<_> =
                        mapped.iter().zip(machines).map(|(m, on)| m.costs(on, &outcome.activity)).collect();
                    let counters = count(&workload, &outcome.activity);
                    progress();
                    Ok((outcome.prediction == images.labels[i] as usize, costs, counters))
                })
                .collect::<Result<Vec<_>>>()?;
            for (right, costs, counters) in &outcomes {
                correct += usize::from(*right);
                for ((totals, costs), machine) in totals.iter_mut().zip(costs).zip(machines) {
                    totals.add(costs, counters, machine);
                }
            }
        }
        let summarize = |((mapped, totals), machine): ((&MappedWorkload, &Totals), &Machine)| Evaluation {
            accuracy: Some(correct as f64 / images.len() as f64),
            ..self.summarize(setting, machine, mapped, totals)
        };
        Ok(mapped.iter().zip(&totals).zip(machines).map(summarize).collect())
    }

    /// What `workload`, that of `setting`, costs where `activity`, one per image, is what it does: nothing is
    /// executed, and the mapper sees the same activity, which counts [`Self::patterns`].
    ///
    /// # Errors
    /// If the machine cannot run it.
    pub fn charge(&self, setting: &Setting, workload: Workload, activity: &[Activity]) -> Result<Evaluation> {
        self.charge_on(setting, self.machine, workload, activity)
    }

    /// [`Self::charge`] where `known` holds the plans that were chosen on the same activity.
    ///
    /// # Errors
    /// As there.
    pub fn charge_knowing(
        &self,
        setting: &Setting,
        workload: Workload,
        activity: &[Activity],
        known: &KnownPlans,
    ) -> Result<Evaluation> {
        let mapping = self.mapping.as_ref();
        let mapped = MappedWorkload::best_knowing(workload, self.machine, activity, mapping, known)?;
        Ok(self.charge_mapped(setting, self.machine, &mapped, activity))
    }

    /// The patterns of spikes that the machine asks for.
    pub fn patterns(&self) -> Vec<Pattern> {
        patterns(std::slice::from_ref(self.machine))
    }

    fn charge_on(
        &self,
        setting: &Setting,
        machine: &Machine,
        workload: Workload,
        activity: &[Activity],
    ) -> Result<Evaluation> {
        let mapped = self.map(workload, machine, activity)?;
        Ok(self.charge_mapped(setting, machine, &mapped, activity))
    }

    fn charge_mapped(
        &self,
        setting: &Setting,
        machine: &Machine,
        mapped: &MappedWorkload,
        activity: &[Activity],
    ) -> Evaluation {
        let mut totals = self.totals(mapped);
        for image in activity {
            totals.add(&mapped.costs(machine, image), &count(&mapped.workload, image), machine);
        }
        self.summarize(setting, machine, mapped, &totals)
    }

    /// Charges `machine` for the activity that follows from `rates`, which the mapper sees, too.
    fn expect(&self, setting: &Setting, machine: &Machine, rates: &Rates) -> Result<Evaluation> {
        let network = &self.model.network;
        let activity = rates.activity_with(network, &patterns(std::slice::from_ref(machine)));
        let mut evaluation =
            self.charge_on(setting, machine, self.workload(setting)?, std::slice::from_ref(&activity))?;
        let rate = |(node, rate): (&Node, f64)| LayerRate { layer: node.name.clone(), rate };
        evaluation.rates = rates.known(network).map(rate).collect();
        Ok(evaluation)
    }

    /// Where a machine's patterns of spikes come from.
    fn pattern_notes(&self, machine: &Machine, totals: &Totals) -> Vec<String> {
        let of = match &self.source {
            Source::Images(_) => format!("counted in the spikes of {} images", totals.images),
            Source::Rates(_) => "those of one random draw of independent spikes".to_owned(),
        };
        let note = |pattern| match pattern {
            Pattern::Windows { .. } => format!("inputs that spike in a window are {of}"),
            Pattern::Products { .. } => format!("spikes that rows have in common are {of}"),
        };
        machine.pattern().map(note).into_iter().collect()
    }

    fn totals(&self, mapped: &MappedWorkload) -> Totals {
        Totals::new(mapped.workload.layers.len(), self.model.network.nodes.len())
    }

    fn summarize(
        &self,
        setting: &Setting,
        machine: &Machine,
        mapped: &MappedWorkload,
        totals: &Totals,
    ) -> Evaluation {
        let images = totals.images as f64;
        let workload = &mapped.workload;
        let layers: Vec<_> = (workload.layers.iter().zip(&mapped.plans))
            .zip(&totals.layers)
            .map(|((layer, plan), totals)| {
                summarize_layer(machine, (layer, plan), totals, workload.timesteps, images)
            })
            .collect();
        let mut cycles = Cycles::default();
        let mut energy_j = EnergyJ::default();
        let mut traffic_bits = TrafficBits::default();
        for layer in &layers {
            cycles.add_scaled(&layer.cycles, 1.0);
            energy_j.add_scaled(&layer.energy_j, 1.0);
            traffic_bits.add_scaled(&layer.traffic_bits, 1.0);
        }
        let sum = |get: fn(&LayerEvaluation) -> f64| layers.iter().map(get).sum::<f64>();
        let latency_s = machine.seconds(cycles.total());
        let leakage_j = sum(|layer| layer.leakage_j);
        Evaluation {
            name: setting.name.clone(),
            notes: [&self.notes[..], &self.pattern_notes(machine, totals), &notes(machine, mapped)].concat(),
            accuracy: None,
            accuracy_drop: None,
            average_weight_bits: workload.weight_bits() / workload.weights(),
            memory_bytes: memory_bytes(workload),
            cycles,
            latency_s,
            worst_latency_s: totals.worst_latency_s,
            energy_j,
            traffic_bits,
            leakage_j,
            worst_energy_j: totals.worst_energy_j,
            power_w: (energy_j.total() + leakage_j) / latency_s,
            synaptic_operations: sum(|layer| layer.synaptic_operations),
            spikes: sum(|layer| layer.spikes),
            saturations: sum(|layer| layer.saturations),
            area_mm2: machine.area_mm2,
            rates: totals.rates(&self.model.network),
            layers,
        }
    }
}

/// What `machines` have to know of spikes, each once.
fn patterns(machines: &[Machine]) -> Vec<Pattern> {
    let mut patterns: Vec<Pattern> = Vec::new();
    for pattern in machines.iter().filter_map(Machine::pattern) {
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    patterns
}

fn notes(machine: &Machine, mapped: &MappedWorkload) -> Vec<String> {
    let energies = machine.events.iter().map(|table| format!("{}: {}", table.name, table.notes));
    energies.chain(residents(mapped)).collect()
}

/// What is said of weights that stay on chip.
fn residents(mapped: &MappedWorkload) -> Option<String> {
    let layers = mapped.workload.layers.iter().zip(&mapped.plans);
    let resident = layers.filter(|(_, plan)| !plan.is_off_chip(Operand::Weights));
    let share = resident.map(|(layer, _)| layer.weight_bits()).sum::<f64>() / mapped.workload.weight_bits();
    let kept = match share {
        0.0 => return None,
        1.0 => "all weights fit on chip and stay there".to_owned(),
        _ if share < 0.005 => "less than 1 % of the weights stays on chip".to_owned(),
        _ => format!("{:.0} % of the weights stay on chip", 100.0 * share),
    };
    Some(format!("{kept}: loading them once is not charged"))
}

fn outcome<L: PartialOrd>(execution: Execution<L>) -> Outcome {
    Outcome { prediction: execution.prediction(), activity: execution.activity }
}

use std::collections::BTreeMap;
use std::slice::from_ref;
use std::sync::Arc;

use rayon::prelude::*;

use super::charge::Charge;
use super::images::{Outcome, Run, Samples};
use super::prepared::Recent;
use super::{Calibrated, Evaluation, LayerRate, Observed, Prepared, notes};
use crate::cost::{KnownPlans, Machine, MappedWorkload, patterns};
use crate::error::Result;
use crate::exec::{
    Activity, Backend, FloatExecutor, IntegerExecutor, Pattern, Rates, SpikeRecording, class_of,
};
use crate::map::{FixedMapping, Workload};
use crate::model::{DataSet, Images, Model, Network, Sample};
use crate::quant::{FixedPoint, Precision, QuantizedModel, Setting, rounded_scales};

/// What an evaluation needs beside a setting and machines, and owns: the model with its calibration, and images,
/// rates or recorded spikes.
#[derive(Debug)]
pub struct Evaluator {
    calibrated: Calibrated,
    source: Source,
    /// What a reader must know of where activity comes from.
    notes: Vec<String>,
    recent: Recent,
    engine: Backend,
    /// By the name of the machine that they are for.
    mappings: BTreeMap<String, FixedMapping>,
    batch: usize,
    /// Machines, the first ones, whose evaluations say why layers cost what they do.
    explained: usize,
}

/// Where activity comes from.
#[derive(Debug)]
enum Source {
    /// Activity of executed images.
    Images(Samples),
    /// What these rates lead one to expect.
    Rates(Arc<Rates>),
    /// Activity of recorded spikes.
    Recorded(Arc<SpikeRecording>),
}

impl Evaluator {
    /// Reads every image that will be used, and calibrates `model` on the validation images of `data`;
    /// `images` are the ones to measure. `progress` is told of every image read:
    /// `images.len() + data.validation.len().min(CALIBRATION_IMAGES)` in all.
    ///
    /// # Errors
    /// If an image does not decode or is not what the model looks at, or labels exceed its classes.
    pub fn new(
        model: Arc<Model>,
        data: &DataSet,
        images: &Images,
        progress: &(dyn Fn() + Sync),
    ) -> Result<Self> {
        let calibrated = Calibrated::new(model, data, images, progress)?;
        let notes = calibrated.validation().notes(images, data, &calibrated.model().network);
        let source = Source::Images(Samples::new(images, calibrated.validation())?);
        Ok(Self::of(calibrated, source, notes))
    }

    /// Expects the activity that follows from `rates` and executes nothing.
    pub fn expecting(model: Arc<Model>, rates: Arc<Rates>) -> Self {
        let notes = notes::of_rates(&rates, &model.network);
        Self::of(Calibrated::on_noise(model), Source::Rates(rates), notes)
    }

    /// Charges for `recording` and executes nothing. What settings need to know of images is found out on the
    /// validation images of `data`, or on noise where there is none.
    ///
    /// # Errors
    /// Those of [`Evaluator::new`], and if `data` has no validation images.
    pub fn recorded(
        model: Arc<Model>,
        data: Option<&DataSet>,
        recording: Arc<SpikeRecording>,
    ) -> Result<Self> {
        let mut notes = vec![format!("activity recorded in {}, not executed", recording.path)];
        let source = Source::Recorded(recording);
        let Some(data) = data else { return Ok(Self::of(Calibrated::on_noise(model), source, notes)) };
        data.validation_of("ranges are those of")?;
        let calibrated = Calibrated::on_validation(model, data)?;
        let images = calibrated.validation().images().len();
        notes.push(format!("calibrated on {images} validation images of {}", data.name));
        Ok(Self::of(calibrated, source, notes))
    }

    fn of(calibrated: Calibrated, source: Source, notes: Vec<String>) -> Self {
        Self {
            calibrated,
            source,
            notes,
            recent: Recent::default(),
            engine: Backend::default(),
            mappings: BTreeMap::new(),
            batch: 1,
            explained: 0,
        }
    }

    /// With fixed-point settings executed by `engine`; the integers are the same with any.
    pub fn with_engine(self, engine: Backend) -> Self {
        Self { engine, ..self }
    }

    /// With the mapping onto each machine, by its name, as `fixed` says, as far as it says.
    pub fn with_mappings(self, fixed: BTreeMap<String, FixedMapping>) -> Self {
        Self { mappings: fixed, ..self }
    }

    /// With so many images going through each layer together, which are charged as if each did the same.
    pub fn with_batch(self, batch: usize) -> Self {
        Self { batch, ..self }
    }

    /// With the layers that cost most in the evaluations on the first `machines`, why they do, and what would help, and
    /// with the timeline: the network is mapped and charged again for each change of a machine that is tried.
    pub fn explaining(self, machines: usize) -> Self {
        Self { explained: machines, ..self }
    }

    /// For many settings that share layers: a layer is rounded once per scheme.
    pub fn keeping_layers(self) -> Self {
        Self { calibrated: self.calibrated.keeping_layers(), ..self }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        self.calibrated.model()
    }

    /// What is fixed of the mapping onto `machine`.
    fn fixed_on(&self, machine: &Machine) -> Option<&FixedMapping> {
        self.mappings.get(&machine.hardware.name)
    }

    fn network(&self) -> &Network {
        &self.model().network
    }

    /// The network of integers that `setting` makes. What it needs to know of calibration images is found
    /// out once, and kept.
    ///
    /// # Errors
    /// If the setting does not fit the model, or a calibration image is no longer there.
    pub fn quantize(&self, setting: &FixedPoint) -> Result<QuantizedModel> {
        self.calibrated.quantize(setting)
    }

    /// Refuses a setting that does not fit the model, or that one of `machines` cannot run, before any
    /// image runs.
    ///
    /// # Errors
    /// Names the setting, and the layer or memory that is too small.
    pub fn check(&self, setting: &Setting, machines: &[Machine]) -> Result<()> {
        let check = || {
            let prepared = self.prepare(setting)?;
            let map = |machine| self.map(prepared.workload.clone(), machine, &[]).map(|_| ());
            machines.iter().try_for_each(map)
        };
        check().map_err(|e| e.at_setting(&setting.name))
    }

    /// What `setting` makes of the network. Settings that were prepared last are kept, whatever they are called.
    ///
    /// # Errors
    /// Those of [`Self::quantize`].
    pub fn prepare(&self, setting: &Setting) -> Result<Arc<Prepared>> {
        let precision = &setting.precision;
        self.recent.get(precision, || match precision {
            Precision::Float32 => {
                Ok(Prepared { quantized: None, workload: Workload::float32(self.network()) })
            }
            Precision::Fixed(fixed) => {
                let quantized = self.quantize(fixed)?;
                let workload = Workload::quantized(&quantized);
                Ok(Prepared { quantized: Some(quantized), workload })
            }
        })
    }

    /// Runs every image at `setting` once, or expects or was given what it does, and charges each of `machines` for
    /// it; `progress` is told of every image. One evaluation per machine; `accuracy_drop` is left open: it needs the
    /// float network's accuracy.
    ///
    /// # Errors
    /// If the setting does not fit the model, or a machine cannot run it or asks for patterns that a recording did
    /// not count.
    pub fn evaluate(
        &self,
        setting: &Setting,
        machines: &[Machine],
        progress: &(dyn Fn() + Sync),
    ) -> Result<Vec<Evaluation>> {
        let prepared = self.prepare(setting)?;
        let workload = &prepared.workload;
        let mut evaluations = match &self.source {
            Source::Images(samples) => self.execute(setting, &prepared, machines, samples, progress)?,
            Source::Rates(rates) => self.expect(setting, workload, machines, rates)?,
            Source::Recorded(recording) => {
                let activity = recording.activity(&patterns(machines, self.network()))?;
                self.charge_all(setting, machines, workload, activity)?
            }
        };
        let note = match &setting.precision {
            Precision::Float32 => Some("float network, charged as a datapath of 32-bit integers"),
            Precision::Fixed(fixed) => self.calibrated.noise_note(fixed),
        };
        let of_scales =
            prepared.quantized.as_ref().and_then(|integers| rounded_scales(self.model(), integers));
        let kept = match &setting.precision {
            Precision::Float32 => None,
            Precision::Fixed(fixed) => fixed.kept_note(self.model()),
        };
        let notes: Vec<String> = note.map(str::to_owned).into_iter().chain(of_scales).chain(kept).collect();
        evaluations.iter_mut().for_each(|e| e.notes.extend_from_slice(&notes));
        Ok(evaluations)
    }

    /// [`Evaluator::evaluate`] for each of `settings`; what cannot run is refused before anything long starts.
    /// `progress` is told of every image at every setting.
    ///
    /// # Errors
    /// Those of [`Evaluator::evaluate`].
    pub fn evaluate_all(
        &self,
        settings: &[Setting],
        machines: &[Machine],
        progress: &(dyn Fn(&Setting) + Sync),
    ) -> Result<Vec<Vec<Evaluation>>> {
        // What executes nothing tells soon.
        if matches!(self.source, Source::Images(_)) {
            settings.iter().try_for_each(|setting| self.check(setting, machines))?;
        }
        let evaluate = |setting: &Setting| {
            let evaluations = self.evaluate(setting, machines, &|| progress(setting));
            evaluations.map_err(|e| e.at_setting(&setting.name))
        };
        settings.iter().map(evaluate).collect()
    }

    fn execute(
        &self,
        setting: &Setting,
        prepared: &Prepared,
        machines: &[Machine],
        samples: &Samples,
        progress: &(dyn Fn() + Sync),
    ) -> Result<Vec<Evaluation>> {
        let patterns = patterns(machines, self.network());
        self.running(prepared, &patterns, |workload, run| {
            self.measure(setting, machines, workload, samples, run, progress)
        })
    }

    /// What `go` makes of a network that was prepared, and of what runs an image and counts `patterns`.
    fn running<T>(
        &self,
        prepared: &Prepared,
        patterns: &[Pattern],
        go: impl FnOnce(&Workload, Run) -> Result<T>,
    ) -> Result<T> {
        let workload = &prepared.workload;
        if let Some(quantized) = &prepared.quantized {
            let executor = IntegerExecutor::new(quantized, self.engine);
            go(workload, &|sample: &Sample| Outcome::from(executor.run_with(sample, patterns)))
        } else {
            let float = FloatExecutor::new(self.model());
            go(workload, &|sample: &Sample| Outcome::from(float.run_with(sample, patterns)))
        }
    }

    /// Runs every image at `setting` once, or expects or was given what it does, for machines that look for `patterns` in
    /// spikes and are charged for the first `charged` images; `progress` is told of every image.
    ///
    /// # Errors
    /// If the setting does not fit the model, or a recording did not count the patterns.
    pub fn observe(
        &self,
        setting: &Setting,
        patterns: &[Pattern],
        charged: usize,
        progress: &(dyn Fn() + Sync),
    ) -> Result<Observed> {
        let prepared = self.prepare(setting)?;
        let observed = |accuracy, mapping, charged| Observed {
            setting: setting.clone(),
            workload: prepared.workload.clone(),
            accuracy,
            mapping,
            charged,
        };
        let known = match &self.source {
            Source::Images(samples) => {
                return self.running(&prepared, patterns, |_, run| {
                    let mapping = samples.mapping_activity(run);
                    let (activity, accuracy) = samples.observe(charged, run, progress)?;
                    Ok(observed(Some(accuracy), mapping, activity))
                });
            }
            Source::Rates(rates) => vec![rates.activity_with(self.network(), patterns)],
            Source::Recorded(recording) => recording.activity(patterns)?.to_vec(),
        };
        Ok(observed(None, known.clone(), known))
    }

    /// What `observed` costs `machine`, which looks for the patterns that were observed: nothing is executed.
    /// `accuracy_drop` is left open.
    ///
    /// # Errors
    /// If the machine cannot run it.
    pub fn charge_observed(&self, observed: &Observed, machine: &Machine) -> Result<Evaluation> {
        let mapped = self.map(observed.workload.clone(), machine, &observed.mapping)?;
        let charge = self.charge_mapped(machine, mapped, &observed.charged);
        Ok(Evaluation { accuracy: observed.accuracy, ..self.summarize(&observed.setting, &charge) })
    }

    fn measure(
        &self,
        setting: &Setting,
        machines: &[Machine],
        workload: &Workload,
        samples: &Samples,
        run: Run,
        progress: &(dyn Fn() + Sync),
    ) -> Result<Vec<Evaluation>> {
        let seen = samples.mapping_activity(run);
        let charge = |machine| {
            let mapped = self.map(workload.clone(), machine, &seen)?;
            Ok(Charge::new(machine, mapped, self.network()))
        };
        let mut charges: Vec<Charge> = machines.iter().map(charge).collect::<Result<_>>()?;
        let accuracy = Some(samples.charge(workload, &mut charges, run, progress)?);
        let evaluation = |(number, charge): (usize, &Charge)| Evaluation {
            accuracy,
            ..self.explain(setting, number, charge, &seen)
        };
        Ok(charges.iter().enumerate().map(evaluation).collect())
    }

    /// Accuracy of the float network on the images, if there are any.
    ///
    /// # Errors
    /// If an image is no longer there.
    pub fn float_accuracy(&self) -> Result<Option<f64>> {
        self.float_accuracy_of(self.model())
    }

    /// Accuracy on the images, if there are any, of the float network of `model`, which looks at images alike.
    ///
    /// # Errors
    /// If an image is no longer there.
    pub(crate) fn float_accuracy_of(&self, model: &Model) -> Result<Option<f64>> {
        let Source::Images(samples) = &self.source else { return Ok(None) };
        let float = FloatExecutor::new(model);
        samples.accuracy(&|sample| class_of(&float.values(sample, |_, _| ()))).map(Some)
    }

    /// What `workload`, that of `setting`, costs `machine` where `activity`, one per image, is what it does: nothing
    /// is executed, and the mapper sees that activity, which counts the [`patterns`] of the machine.
    ///
    /// # Errors
    /// If the machine cannot run it.
    pub fn charge(
        &self,
        setting: &Setting,
        machine: &Machine,
        workload: Workload,
        activity: &[Activity],
    ) -> Result<Evaluation> {
        let mapped = self.map(workload, machine, activity)?;
        Ok(self.summarize(setting, &self.charge_mapped(machine, mapped, activity)))
    }

    /// [`Self::charge`] of each of `machines`, side by side; of several refusals the first is told.
    fn charge_all(
        &self,
        setting: &Setting,
        machines: &[Machine],
        workload: &Workload,
        activity: &[Activity],
    ) -> Result<Vec<Evaluation>> {
        let charge = |(number, machine): (usize, &Machine)| {
            let mapped = self.map(workload.clone(), machine, activity)?;
            let charge = self.charge_mapped(machine, mapped, activity);
            Ok(self.explain(setting, number, &charge, activity))
        };
        let all: Vec<Result<Evaluation>> = machines.par_iter().enumerate().map(charge).collect();
        all.into_iter().collect()
    }

    /// [`Self::charge`] where `known` holds the plans that were chosen for `machine` on that activity.
    ///
    /// # Errors
    /// Those of [`Self::charge`].
    pub(crate) fn charge_knowing(
        &self,
        setting: &Setting,
        machine: &Machine,
        workload: Workload,
        activity: &[Activity],
        known: &KnownPlans,
    ) -> Result<Evaluation> {
        let mapping = self.fixed_on(machine);
        let workload = workload.in_batches_of(self.batch);
        let mapped = MappedWorkload::best_knowing(workload, machine, activity, mapping, known)?;
        Ok(self.summarize(setting, &self.charge_mapped(machine, mapped, activity)))
    }

    /// Charges each of `machines` for the activity that follows from `rates`, which the mapper sees, too.
    fn expect(
        &self,
        setting: &Setting,
        workload: &Workload,
        machines: &[Machine],
        rates: &Rates,
    ) -> Result<Vec<Evaluation>> {
        let network = self.network();
        let activity = rates.activity_with(network, &patterns(machines, network));
        let known: Vec<LayerRate> =
            rates.known(network).map(|(node, rate)| LayerRate { layer: node.name.clone(), rate }).collect();
        let mut evaluations = self.charge_all(setting, machines, workload, from_ref(&activity))?;
        evaluations.iter_mut().for_each(|evaluation| evaluation.rates.clone_from(&known));
        Ok(evaluations)
    }

    fn map(&self, workload: Workload, machine: &Machine, samples: &[Activity]) -> Result<MappedWorkload> {
        let workload = workload.in_batches_of(self.batch);
        MappedWorkload::best_of(workload, machine, samples, self.fixed_on(machine))
    }

    fn charge_mapped<'a>(
        &self,
        machine: &'a Machine,
        mapped: MappedWorkload,
        activity: &[Activity],
    ) -> Charge<'a> {
        let mut charge = Charge::new(machine, mapped, self.network());
        activity.iter().for_each(|image| charge.add_activity(image));
        charge
    }

    fn summarize(&self, setting: &Setting, charge: &Charge) -> Evaluation {
        let counted = !matches!(self.source, Source::Rates(_));
        charge.evaluation(&setting.name, self.network(), &self.notes, counted)
    }

    /// The evaluation on machine `number`, explained if it is one of the first; `seen` is what the mapper saw.
    fn explain(&self, setting: &Setting, number: usize, charge: &Charge, seen: &[Activity]) -> Evaluation {
        let mut evaluation = self.summarize(setting, charge);
        if number < self.explained {
            charge.explain(&mut evaluation, self.network(), self.fixed_on(charge.machine()), seen);
        }
        evaluation
    }
}

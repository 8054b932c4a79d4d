//! The oracle of a real network, which executes its settings.

use std::collections::VecDeque;
use std::ops::Range;
use std::slice::from_ref;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

use super::drift::{DriftReference, LayerDrift};
use super::{Batch, Figures, Measured, Oracle};
use crate::cost::{KnownPlans, Machine, patterns};
use crate::error::{Error, Result};
use crate::evaluate::{Evaluator, Prepared};
use crate::exec::{Activity, Backend, Execution, FloatExecutor, IntegerExecutor, PrefixCache, class_of};
use crate::map::Workload;
use crate::model::{Images, Model, Sample};
use crate::quant::{
    FixedPoint, Precision, QuantizedModel, Setting, WeightRounding, WeightScheme, rounding_noise,
};

/// Images of a batch: what a sequential test looks at before it decides again.
const BATCH: usize = 250;
/// Images whose activity is charged where a cost is estimated.
const CHARGED_IMAGES: usize = 8;
/// Images that drift is measured on.
const DRIFT_IMAGES: usize = 8;
/// Batches, the first ones, whose prefixes are kept.
const KEPT_BATCHES: usize = 4;
/// Settings whose activity on the charged images is kept for further machines, and those whose workload is.
const KEPT_ACTIVITIES: usize = 64;
const KEPT_WORKLOADS: usize = 1024;
/// Memory that the prefixes of one batch may take.
const PREFIX_BYTES: usize = 96 << 20;
/// Seed of the order in which images are run: the same for all searches, so that they share results.
const ORDER_SEED: u64 = 0;

/// A network with its validation images.
pub struct NetworkOracle<'a> {
    evaluator: &'a Evaluator,
    /// Model whose float classes are those to keep.
    compared_with: &'a Model,
    machines: &'a [Machine],
    engine: Backend,
    images: &'a Images,
    /// A random order of the images.
    order: Vec<usize>,
    /// Per image, in that order; run when first needed.
    reference: OnceLock<Vec<Reference>>,
    /// Activity of the float network on the first images.
    activity: Vec<Activity>,
    /// Plans of layers that were chosen on that activity, by machine.
    plans: Vec<KnownPlans>,
    /// What settings did last, and what they make of the network, where further machines may be charged for it.
    own: Kept<Own>,
    workloads: Kept<Arc<Workload>>,
    /// Run when first needed.
    drift: OnceLock<DriftReference>,
    anchor: Mutex<Option<Anchor>>,
}

/// What a setting does on the charged images.
#[derive(Clone)]
struct Own {
    workload: Workload,
    activity: Arc<Vec<Activity>>,
}

/// What is known of the last few settings.
struct Kept<T> {
    most: usize,
    known: Mutex<VecDeque<(FixedPoint, T)>>,
}

impl<T: Clone> Kept<T> {
    /// Of `most` settings.
    fn new(most: usize) -> Self {
        Self { most, known: Mutex::default() }
    }

    /// What is known of `fixed`, or what `find` says.
    fn get(&self, fixed: &FixedPoint, find: impl FnOnce() -> Result<T>) -> Result<T> {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = lock().iter().find(|(other, _)| other == fixed) {
            return Ok(known.clone());
        }
        // Not under the lock: another thread may ask for another setting meanwhile.
        let found = find()?;
        let mut known = lock();
        known.truncate(self.most.saturating_sub(1));
        if self.most > 0 {
            known.push_front((fixed.clone(), found.clone()));
        }
        Ok(found)
    }
}

/// A network that the next ones resemble, and its runs as far as they are kept.
struct Anchor {
    prepared: Arc<Prepared>,
    batches: [Option<PrefixCache>; KEPT_BATCHES],
}

/// What the float network says of an image.
struct Reference {
    right: bool,
    /// One per class.
    probabilities: Vec<f64>,
}

impl<'a> NetworkOracle<'a> {
    /// An oracle of the validation images `images`, which `evaluator` measures, on `machines`, of which there is one at
    /// least. Runs the float network on the first few.
    ///
    /// # Errors
    /// If an image is no longer there.
    pub fn new(
        evaluator: &'a Evaluator,
        machines: &'a [Machine],
        engine: Backend,
        images: &'a Images,
    ) -> Result<Self> {
        let order = shuffled(images.len());
        let float = FloatExecutor::new(evaluator.model());
        let patterns = patterns(machines, &evaluator.model().network);
        let charged = &order[..CHARGED_IMAGES.min(order.len())];
        let activity = |&i: &usize| Ok(float.run_with(&images.sample(i)?, &patterns).activity);
        let activity = charged.par_iter().map(activity).collect::<Result<_>>()?;
        Ok(Self {
            evaluator,
            compared_with: evaluator.model(),
            machines,
            engine,
            images,
            order,
            reference: OnceLock::new(),
            activity,
            plans: machines.iter().map(|_| KnownPlans::default()).collect(),
            own: Kept::new(if machines.len() > 1 { KEPT_ACTIVITIES } else { 0 }),
            workloads: Kept::new(if machines.len() > 1 { KEPT_WORKLOADS } else { 0 }),
            drift: OnceLock::new(),
            anchor: Mutex::default(),
        })
    }

    /// What is lost is lost against `model`, which may run other timesteps than the network that is searched.
    pub(crate) fn compared_with(self, model: &'a Model) -> Self {
        Self { compared_with: model, ..self }
    }

    /// Runs the float network on all images, once; `progress` is told of each.
    ///
    /// # Errors
    /// If an image is no longer there.
    pub fn run_float(&self, progress: &(dyn Fn() + Sync)) -> Result<()> {
        self.reference_with(progress).map(|_| ())
    }

    fn reference(&self) -> Result<&[Reference]> {
        self.reference_with(&|| ())
    }

    fn reference_with(&self, progress: &(dyn Fn() + Sync)) -> Result<&[Reference]> {
        if let Some(reference) = self.reference.get() {
            return Ok(reference);
        }
        let float = FloatExecutor::new(self.compared_with);
        let run = |&i: &usize| {
            let logits = float.values(&self.images.sample(i)?, |_, _| ());
            progress();
            let right = class_of(&logits) == self.images.labels[i] as usize;
            let logits: Vec<f64> = logits.into_iter().map(f64::from).collect();
            Ok(Reference { right, probabilities: softmax(&logits) })
        };
        let reference = self.order.par_iter().map(run).collect::<Result<Vec<_>>>()?;
        Ok(self.reference.get_or_init(|| reference))
    }

    fn drift_reference(&self) -> Result<&DriftReference> {
        if let Some(drift) = self.drift.get() {
            return Ok(drift);
        }
        let first = self.order.iter().take(DRIFT_IMAGES);
        let samples: Vec<Sample> = first.map(|&i| self.images.sample(i)).collect::<Result<_>>()?;
        Ok(self.drift.get_or_init(|| DriftReference::new(self.evaluator.model(), samples)))
    }

    /// Images of batch `number`, by their place in the order.
    fn ranks(&self, number: usize) -> Range<usize> {
        number * BATCH..((number + 1) * BATCH).min(self.order.len())
    }

    /// Cost of the float network at its own activity, charged as a datapath of 32-bit integers, on machine number
    /// `machine`.
    ///
    /// # Errors
    /// If the machine cannot run it.
    pub(crate) fn float_figures(&self, machine: usize) -> Result<Figures> {
        let setting = Setting::load("fp32")?;
        let workload = Workload::float32(&self.evaluator.model().network);
        Ok(Figures::from(&self.evaluator.charge(
            &setting,
            &self.machines[machine],
            workload,
            &self.activity,
        )?))
    }

    fn prepare(&self, setting: &Setting) -> Result<Arc<Prepared>> {
        fixed(setting).and_then(|_| self.evaluator.prepare(setting))
    }

    /// What a setting does on the charged images.
    fn own(&self, setting: &Setting) -> Result<Own> {
        self.own.get(fixed(setting)?, || {
            let prepared = self.prepare(setting)?;
            let executor = IntegerExecutor::new(integers(&prepared), self.engine);
            let first = self.order[..self.charged_images()].par_iter();
            let patterns = patterns(self.machines, &self.evaluator.model().network);
            let run = |&i: &usize| Ok(executor.run_with(&self.images.sample(i)?, &patterns).activity);
            let activity = Arc::new(first.map(run).collect::<Result<Vec<_>>>()?);
            Ok(Own { workload: prepared.workload.clone(), activity })
        })
    }

    /// What the network is to the cost model, as far as costs are estimated.
    fn workload(&self, setting: &Setting) -> Result<Arc<Workload>> {
        self.workloads.get(fixed(setting)?, || {
            // How weights are rounded and thresholds chosen changes hardly any width, and takes long.
            let mut nearest = fixed(setting)?.clone();
            (nearest.rounding, nearest.rate_matching) = (WeightRounding::Nearest, false);
            Ok(Arc::new(Workload::quantized(&self.evaluator.quantize(&nearest)?)))
        })
    }

    /// Runs the images of batch `number`, from where they differ from the anchor if that is known.
    fn execute(
        &self,
        number: usize,
        ranks: Range<usize>,
        executor: &IntegerExecutor,
    ) -> Result<Vec<Execution<i64>>> {
        let sample = |rank: usize| self.images.sample(self.order[rank]);
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = match anchor.as_mut() {
            Some(Anchor { prepared, batches }) if number < KEPT_BATCHES => {
                if batches[number].is_none() {
                    let samples = ranks.clone().map(sample).collect::<Result<Vec<_>>>()?;
                    let anchored = IntegerExecutor::new(integers(prepared), self.engine);
                    batches[number] = Some(PrefixCache::record(&anchored, &samples, PREFIX_BYTES).0);
                }
                batches[number].as_ref().map(|cache| cache.shared_with(executor))
            }
            _ => None,
        };
        let first = ranks.start;
        let run = |rank: usize| match &kept {
            Some(prefix) => Ok(prefix.run(rank - first, &sample(rank)?)),
            None => Ok(executor.run(&sample(rank)?)),
        };
        ranks.into_par_iter().map(run).collect()
    }

    /// One batch, summed image by image in order.
    fn batch(&self, number: usize, lsbs: &[f64], executor: &IntegerExecutor) -> Result<Batch> {
        let ranks = self.ranks(number);
        let references = self.reference()?;
        let executions = self.execute(number, ranks.clone(), executor)?;
        let mut batch = Batch::default();
        for (rank, execution) in ranks.zip(executions) {
            let reference = &references[rank];
            let right = execution.prediction() == self.images.labels[self.order[rank]] as usize;
            let logit = |(class, &x): (usize, &i64)| x as f64 * lsbs[class.min(lsbs.len() - 1)];
            let logits: Vec<f64> = execution.logits.iter().enumerate().map(logit).collect();
            batch.add(&Batch {
                images: 1,
                lost: u32::from(reference.right && !right),
                gained: u32::from(!reference.right && right),
                divergence: divergence(&reference.probabilities, &softmax(&logits)),
            });
        }
        Ok(batch)
    }
}

impl Oracle for NetworkOracle<'_> {
    fn images(&self) -> usize {
        self.order.len()
    }

    fn reference_accuracy(&self) -> Result<f64> {
        Ok(self.reference()?.iter().filter(|r| r.right).count() as f64 / self.order.len() as f64)
    }

    fn batches(&self) -> usize {
        self.order.len().div_ceil(BATCH)
    }

    fn batch_images(&self, number: usize) -> usize {
        self.ranks(number).len()
    }

    fn charge(&self, setting: &Setting, machine: usize) -> Result<Figures> {
        self.images.interrupt().check()?;
        let workload = Workload::clone(&*self.workload(setting)?);
        let (machine, plans) = (&self.machines[machine], &self.plans[machine]);
        let evaluation = self.evaluator.charge_knowing(setting, machine, workload, &self.activity, plans)?;
        Ok(Figures::from(&evaluation))
    }

    fn rounding_noise(&self, scheme: WeightScheme) -> Result<Vec<f64>> {
        rounding_noise(self.evaluator.model(), scheme)
    }

    fn anchor(&self, setting: &Setting) -> Result<()> {
        let prepared = self.prepare(setting)?;
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        if anchor.as_ref().is_none_or(|anchor| integers(&anchor.prepared).ops() != integers(&prepared).ops())
        {
            *anchor = Some(Anchor { prepared, batches: [const { None }; KEPT_BATCHES] });
        }
        Ok(())
    }

    fn charged_images(&self) -> usize {
        CHARGED_IMAGES.min(self.order.len())
    }

    fn charge_own(&self, setting: &Setting, machine: usize) -> Result<Figures> {
        let Own { workload, activity, .. } = self.own(setting)?;
        let machine = &self.machines[machine];
        Ok(Figures::from(&self.evaluator.charge(setting, machine, workload, &activity)?))
    }

    fn run(&self, setting: &Setting, first: usize, more: &mut dyn FnMut(Batch) -> bool) -> Result<()> {
        let prepared = self.prepare(setting)?;
        let quantized = integers(&prepared);
        let executor = IntegerExecutor::new(quantized, self.engine);
        let lsbs = quantized.lsbs().last().map_or(&[1.0][..], |lsbs| lsbs);
        for number in first..self.batches() {
            if !more(self.batch(number, lsbs, &executor)?) {
                break;
            }
        }
        Ok(())
    }

    fn drift(&self, setting: &Setting) -> Result<(Vec<LayerDrift>, usize)> {
        let prepared = self.prepare(setting)?;
        let reference = self.drift_reference()?;
        Ok((reference.drift(self.evaluator.model(), integers(&prepared)), reference.images()))
    }

    fn measure(&self, setting: &Setting, machine: usize) -> Result<Measured> {
        measure(self.evaluator, &self.machines[machine], setting)
    }
}

/// Runs `setting` on all images of `evaluator`, and charges `machine` for it.
///
/// # Errors
/// If the setting does not fit the model, or the machine cannot run it.
///
/// # Panics
/// If the evaluator executes no images.
pub fn measure(evaluator: &Evaluator, machine: &Machine, setting: &Setting) -> Result<Measured> {
    let evaluation = evaluator.evaluate(setting, from_ref(machine), &|| ())?.remove(0);
    let accuracy = evaluation.accuracy.expect("images were executed");
    Ok(Measured { accuracy, figures: Figures::from(&evaluation) })
}

/// What a fixed-point setting was prepared as.
fn integers(prepared: &Prepared) -> &QuantizedModel {
    prepared.quantized.as_ref().expect("a search looks at fixed-point settings")
}

fn fixed(setting: &Setting) -> Result<&FixedPoint> {
    match &setting.precision {
        Precision::Fixed(fixed) => Ok(fixed),
        Precision::Float32 => {
            Err(Error::mismatch(format!("setting {}: no fixed-point setting", setting.name)))
        }
    }
}

/// 0..count in a random order (Fisher-Yates).
fn shuffled(count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut dice = ChaCha8Rng::seed_from_u64(ORDER_SEED);
    for last in (1..count).rev() {
        order.swap(last, (dice.next_u64() % (last as u64 + 1)) as usize);
    }
    order
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|x| (x - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|x| x / sum).collect()
}

/// Kullback-Leibler divergence of `q` from `p`, in nats; a probability that vanishes counts as the smallest
/// that a double holds.
fn divergence(p: &[f64], q: &[f64]) -> f64 {
    let term = |(&p, &q): (&f64, &f64)| if p > 0.0 { p * (p / q.max(f64::MIN_POSITIVE)).ln() } else { 0.0 };
    p.iter().zip(q).map(term).sum::<f64>().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// KL((1/2, 1/2), (1/4, 3/4)) = ln 2 / 2 + ln(2/3) / 2.
    #[test]
    fn divergence_by_hand() {
        let expected = 0.5 * 2f64.ln() + 0.5 * (2.0f64 / 3.0).ln();
        assert!((divergence(&[0.5, 0.5], &[0.25, 0.75]) - expected).abs() < 1e-15);
        assert_eq!(softmax(&[0.0, 0.0]), [0.5, 0.5]);
        assert_eq!(divergence(&[1.0, 0.0], &[1.0, 0.0]), 0.0);
    }

    #[test]
    fn an_order_holds_every_image_once() {
        let mut order = shuffled(100);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}

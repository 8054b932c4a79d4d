//! Runs images in parallel, and adds up what they cost in their order.

use rayon::prelude::*;

use super::CalibrationImages;
use super::charge::Charge;
use super::fit::chunks;
use super::totals::count;
use crate::error::Result;
use crate::exec::{Activity, Execution};
use crate::map::Workload;
use crate::model::{Images, Sample};

/// Validation images whose spikes the mapper sees.
const MAPPING_IMAGES: usize = 16;

/// Images to execute.
#[derive(Debug)]
pub(super) struct Samples {
    /// The ones to measure.
    pub measured: Images,
    /// Validation images whose spikes the mapper sees.
    mapping: Vec<Sample>,
}

/// One image: its class and its counters.
pub(super) struct Outcome {
    prediction: usize,
    activity: Activity,
}

impl<L: PartialOrd> From<Execution<L>> for Outcome {
    fn from(execution: Execution<L>) -> Self {
        Self { prediction: execution.prediction(), activity: execution.activity }
    }
}

/// What runs one image.
pub(super) type Run<'a> = &'a (dyn Fn(&Sample) -> Outcome + Sync);

impl Samples {
    /// `measured`, and the first of `validation` for the mapper.
    pub fn new(measured: &Images, validation: &CalibrationImages) -> Result<Self> {
        let seen = validation.images();
        let mapping = (0..seen.len().min(MAPPING_IMAGES)).map(|i| seen.sample(i)).collect::<Result<_>>()?;
        Ok(Self { measured: measured.clone(), mapping })
    }

    /// What the mapper sees.
    pub fn mapping_activity(&self, run: Run) -> Vec<Activity> {
        self.mapping.par_iter().map(|sample| run(sample).activity).collect()
    }

    /// Runs every image, and adds what it costs to each of `charges`, which map `workload`; `progress` is told of
    /// every image. Share of images that were classified as their labels say.
    pub fn charge(
        &self,
        workload: &Workload,
        charges: &mut [Charge],
        run: Run,
        progress: &(dyn Fn() + Sync),
    ) -> Result<f64> {
        let images = &self.measured;
        let mut correct = 0;
        for chunk in chunks(images.len()) {
            let outcome = |i: usize| {
                let outcome = run(&images.sample(i)?);
                let costs: Vec<_> = charges.iter().map(|charge| charge.costs(&outcome.activity)).collect();
                let counters = count(workload, &outcome.activity);
                progress();
                Ok((outcome.prediction == images.labels[i] as usize, costs, counters))
            };
            let outcomes = chunk.into_par_iter().map(outcome).collect::<Result<Vec<_>>>()?;
            for (right, costs, counters) in &outcomes {
                correct += usize::from(*right);
                charges.iter_mut().zip(costs).for_each(|(charge, costs)| charge.add(costs, counters));
            }
        }
        Ok(correct as f64 / images.len() as f64)
    }

    /// Runs every image; `progress` is told of each. What the first `kept` did, and the share of all that were classified as
    /// their labels say.
    pub fn observe(
        &self,
        kept: usize,
        run: Run,
        progress: &(dyn Fn() + Sync),
    ) -> Result<(Vec<Activity>, f64)> {
        let images = &self.measured;
        let (mut activity, mut correct) = (Vec::new(), 0);
        for chunk in chunks(images.len()) {
            let outcome = |i: usize| {
                let outcome = run(&images.sample(i)?);
                progress();
                let right = outcome.prediction == images.labels[i] as usize;
                Ok((right, (i < kept).then_some(outcome.activity)))
            };
            for (right, kept) in chunk.into_par_iter().map(outcome).collect::<Result<Vec<_>>>()? {
                correct += usize::from(right);
                activity.extend(kept);
            }
        }
        Ok((activity, correct as f64 / images.len() as f64))
    }

    /// Share of images that `run` classifies as their labels say.
    pub fn accuracy(&self, run: &(dyn Fn(&Sample) -> usize + Sync)) -> Result<f64> {
        let images = &self.measured;
        let right = |i: usize| Ok(usize::from(run(&images.sample(i)?) == images.labels[i] as usize));
        let right = (0..images.len()).into_par_iter().map(right).sum::<Result<usize>>()?;
        Ok(right as f64 / images.len() as f64)
    }
}

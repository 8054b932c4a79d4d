//! A cache of the first nodes of a network: settings that agree on those nodes run them once per image.

use std::mem::size_of;

use rayon::prelude::*;

use super::{Activity, Execution, IntegerExecutor, Snapshot, StepActivity};
use crate::model::{Network, NodeId, Sample};
use crate::quant::QuantizedOp;

/// Images that ran on one network, kept at a few places between its layers. A network that differs from it
/// first behind such a place starts there; what it yields and counts is the same as of a whole run.
#[derive(Debug)]
pub struct PrefixCache {
    /// The network, by its integers.
    ops: Vec<QuantizedOp>,
    /// Places that are kept, ascending.
    cuts: Vec<usize>,
    images: Vec<Kept>,
}

/// One image.
#[derive(Debug)]
struct Kept {
    /// One per place.
    snapshots: Vec<Snapshot>,
    /// Activity of all nodes.
    activity: Activity,
}

impl PrefixCache {
    /// Runs `samples` and keeps, in at most `limit_bytes`, the places that spare the most work if the next
    /// network differs first at any weight layer with the same chance. The scalar executor keeps none.
    pub fn record(
        executor: &IntegerExecutor,
        samples: &[Sample],
        limit_bytes: usize,
    ) -> (Self, Vec<Execution<i64>>) {
        let model = executor.model();
        let nodes = model.network().nodes.len();
        let counters = nodes * model.network().timesteps * size_of::<StepActivity>();
        let per_image = limit_bytes.checked_div(samples.len()).unwrap_or(0).saturating_sub(counters);
        let cuts = worth_keeping(model.network(), &executor.cuts(), per_image);
        let run = |sample| executor.run_keeping(sample, &cuts);
        let (executions, images) = samples
            .par_iter()
            .map(run)
            .map(|(execution, snapshots)| {
                let activity = if cuts.is_empty() { Activity::default() } else { execution.activity.clone() };
                (execution, Kept { snapshots, activity })
            })
            .unzip();
        (Self { ops: model.ops().to_vec(), cuts, images }, executions)
    }

    /// Bytes that the images take.
    pub fn bytes(&self) -> usize {
        let steps = |kept: &Kept| kept.activity.nodes.iter().map(|node| node.steps.len()).sum::<usize>();
        let values = |kept: &Kept| kept.snapshots.iter().map(Snapshot::bytes).sum::<usize>();
        self.images.iter().map(|kept| values(kept) + steps(kept) * size_of::<StepActivity>()).sum()
    }

    /// What the network of `executor` shares with the one that was recorded.
    pub fn shared_with<'c>(&'c self, executor: &'c IntegerExecutor<'c>) -> SharedPrefix<'c> {
        let ops = executor.model().ops();
        let same = self.ops.iter().zip(ops).take_while(|(mine, theirs)| mine == theirs).count();
        let place = self.cuts.iter().rposition(|&cut| cut <= same);
        SharedPrefix { cache: self, executor, place }
    }
}

/// A network that starts where it begins to differ from a recorded one.
#[derive(Debug, Clone, Copy)]
pub struct SharedPrefix<'c> {
    cache: &'c PrefixCache,
    executor: &'c IntegerExecutor<'c>,
    place: Option<usize>,
}

impl SharedPrefix<'_> {
    /// The first node that runs.
    pub fn first_node(&self) -> NodeId {
        NodeId(self.place.map_or(0, |place| self.cache.cuts[place] as u32))
    }

    /// Runs image `image` of the recorded ones, which is `sample`.
    pub fn run(&self, image: usize, sample: &Sample) -> Execution<i64> {
        let kept = &self.cache.images[image];
        let start = self.place.map(|place| (&kept.snapshots[place], &*kept.activity.nodes));
        self.executor.run_from(sample, start)
    }
}

/// The cuts, of `(place, bytes)`, that spare most for `limit_bytes`: always the one that spares most per
/// byte beside those that were taken, as long as one fits.
fn worth_keeping(network: &Network, cuts: &[(usize, usize)], limit_bytes: usize) -> Vec<usize> {
    let work_before: Vec<u64> = network
        .nodes
        .iter()
        .scan(0, |sum, node| {
            let before = *sum;
            *sum += network.operations_of(node).total();
            Some(before)
        })
        .collect();
    // Work that is spared in all, for a change at each of the places.
    let spared = |taken: &[usize]| -> u64 {
        let last = |&(place, _): &(usize, usize)| taken.iter().filter(|&&cut| cut <= place).max().copied();
        cuts.iter().filter_map(last).map(|cut| work_before[cut]).sum()
    };
    let (mut taken, mut left) = (Vec::new(), limit_bytes);
    loop {
        let now = spared(&taken);
        let gain = |&(place, bytes): &(usize, usize)| {
            let with: Vec<usize> = taken.iter().copied().chain([place]).collect();
            (spared(&with) - now) as f64 / bytes.max(1) as f64
        };
        let fitting = cuts.iter().filter(|(place, bytes)| *bytes <= left && !taken.contains(place));
        let best = fitting.map(|cut| (gain(cut), cut)).max_by(|a, b| a.0.total_cmp(&b.0));
        match best {
            Some((gain, &(place, bytes))) if gain > 0.0 => {
                taken.push(place);
                left -= bytes;
            }
            _ => break,
        }
    }
    taken.sort_unstable();
    taken
}

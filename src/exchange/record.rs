//! Runs images and hands on what the nodes yield, frame by frame, in PyTorch's order.

use rayon::prelude::*;

use crate::error::Result;
use crate::exec::{Backend, Execution, FloatExecutor, IntegerExecutor, Observed, ScalarExecutor, class_of};
use crate::model::{Images, IntegerNeuron, Model, NodeId, Op};
use crate::num::Word;
use crate::quant::QuantizedModel;
use crate::tensor::Shape;

/// What of a node is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What it yields.
    Values,
    /// What its neurons keep after each timestep.
    Membranes,
}

/// One timestep of one image of one part.
#[derive(Debug)]
pub struct Frame {
    /// Number of the image.
    pub image: usize,
    /// The node.
    pub node: NodeId,
    /// Which of its values.
    pub part: Part,
    /// Timestep; 0 alone for a value constant in time.
    pub t: usize,
    /// `[C, H, W]`.
    pub values: Vec<i64>,
}

/// What a run leaves of an image.
#[derive(Debug, Clone)]
pub struct Outcome<L> {
    /// One per class.
    pub logits: Vec<L>,
    /// The class with the largest logit.
    pub prediction: usize,
    /// Per node, values clamped or wrapped.
    pub saturations: Vec<u64>,
}

impl Outcome<i64> {
    fn new(execution: Execution<i64>) -> Self {
        let saturations = execution.activity.nodes.iter().map(|node| u64::from(node.total().saturations));
        Self {
            prediction: execution.prediction(),
            saturations: saturations.collect(),
            logits: execution.logits,
        }
    }
}

/// Which frames are wanted.
pub type Wanted<'a> = &'a (dyn Fn(NodeId, Part) -> bool + Sync);
/// Takes frames, from several threads, in no particular order.
pub type Sink<'a> = &'a (dyn Fn(Frame) -> Result<()> + Sync);

/// Runs `images` in integers by the fastest kernels, and records nothing.
pub fn execute(model: &QuantizedModel, images: &Images) -> Result<Vec<Outcome<i64>>> {
    let executor = IntegerExecutor::new(model, Backend::default());
    let run = |image: usize| Ok(Outcome::new(executor.run(&images.sample(image)?)));
    (0..images.len()).into_par_iter().map(run).collect()
}

/// Runs `images` in integers.
pub fn record(
    model: &QuantizedModel,
    images: &Images,
    wanted: Wanted,
    sink: Sink,
) -> Result<Vec<Outcome<i64>>> {
    if model.fits_32_bits() {
        record_in_words::<i32>(model, images, wanted, sink)
    } else {
        record_in_words::<i64>(model, images, wanted, sink)
    }
}

fn record_in_words<W: Word>(
    model: &QuantizedModel,
    images: &Images,
    wanted: Wanted,
    sink: Sink,
) -> Result<Vec<Outcome<i64>>> {
    let executor = ScalarExecutor::<W>::new(model);
    let run = |image: usize| {
        let mut failure = Ok(());
        let input = executor.input(&images.sample(image)?);
        let execution = executor.trace(input, |node, seen| {
            let shape = model.network().node(node).shape;
            let mut hand_on = |part, t, values: &[W]| {
                if failure.is_ok() && wanted(node, part) {
                    let values = channels_first(values, shape, |x| x.into());
                    failure = sink(Frame { image, node, part, t, values });
                }
            };
            match seen {
                Observed::Value(value) => {
                    (0..value.frames).for_each(|t| hand_on(Part::Values, t, value.at(t)));
                }
                Observed::Membranes { t, values } => hand_on(Part::Membranes, t, values),
            }
        });
        failure.map(|()| Outcome::new(execution))
    };
    (0..images.len()).into_par_iter().map(run).collect()
}

/// Runs `images` in the float network; frames are of spikes, and of levels of integer spikes.
pub fn record_float(model: &Model, images: &Images, wanted: Wanted, sink: Sink) -> Result<Vec<Outcome<f32>>> {
    let executor = FloatExecutor::new(model);
    let run = |image: usize| {
        let mut failure = Ok(());
        let logits = executor.values(&images.sample(image)?, |id, value| {
            let node = model.network.node(id);
            let level = match node.op {
                Op::IntegerNeuron(IntegerNeuron { norm, .. }) => norm as f32,
                _ => 1.0,
            };
            for t in 0..value.frames {
                if failure.is_ok() && wanted(id, Part::Values) {
                    let values = channels_first(value.at(t), node.shape, |x| (x * level).round() as i64);
                    failure = sink(Frame { image, node: id, part: Part::Values, t, values });
                }
            }
        });
        failure.map(|()| Outcome { prediction: class_of(&logits), logits, saturations: Vec::new() })
    };
    (0..images.len()).into_par_iter().map(run).collect()
}

/// `[y][x][channel]` as `[channel][y][x]`.
pub fn channels_first<T: Copy>(frame: &[T], shape: Shape, convert: impl Fn(T) -> i64) -> Vec<i64> {
    let channel = |c| frame[c..].iter().step_by(shape.channels).map(|&x| convert(x));
    (0..shape.channels).flat_map(channel).collect()
}

/// `[channel][y][x]` as `[y][x][channel]`.
pub fn channels_last<T: Copy>(frame: &[i64], shape: Shape, convert: impl Fn(i64) -> T) -> Vec<T> {
    let position = |p| frame[p..].iter().step_by(shape.positions()).map(|&x| convert(x));
    (0..shape.positions()).flat_map(position).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_channels_of_three_columns() {
        let shape = Shape::new(2, 1, 3);
        let last = [0, 10, 1, 11, 2, 12];
        let first = channels_first(&last, shape, |x| x);
        assert_eq!(first, [0, 1, 2, 10, 11, 12]);
        assert_eq!(channels_last(&first, shape, |x| x), last);
    }
}

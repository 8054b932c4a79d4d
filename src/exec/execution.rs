use super::activity::Activity;
use super::patterns::{Pattern, Patterns, Value};
use crate::model::{Network, NodeId};
use crate::tensor::Frames;

/// What one image did.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution<L> {
    /// One per class; integers carry no scale, which argmax does not need.
    pub logits: Vec<L>,
    /// What was executed.
    pub activity: Activity,
}

impl<L: PartialOrd> Execution<L> {
    /// The class with the largest logit, the first of equals.
    pub fn prediction(&self) -> usize {
        class_of(&self.logits)
    }
}

/// The class with the largest of `logits`, the first of equals.
pub fn class_of<L: PartialOrd>(logits: &[L]) -> usize {
    let mut best = 0;
    for (class, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = class;
        }
    }
    best
}

/// Runs what shows every node's values, and counts `patterns` of `network` on the way.
pub fn run_counting<T: Value, L>(
    network: &Network,
    patterns: &[Pattern],
    run: impl FnOnce(&mut dyn FnMut(NodeId, &Frames<T>)) -> Execution<L>,
) -> Execution<L> {
    let mut counted: Vec<Patterns> = patterns.iter().map(|&p| Patterns::new(p, network)).collect();
    let mut execution = run(&mut |id, value| {
        counted.iter_mut().for_each(|patterns| patterns.observe(network, id, value));
    });
    execution.activity.patterns = counted;
    execution
}

//! Re-runs a golden bundle with the scalar specification and compares every integer.

use rayon::prelude::*;
use serde::Serialize;

use super::bundle::{Activations, Bundle};
use super::record::{channels_first, channels_last};
use crate::error::Result;
use crate::exec::{Observed, ScalarExecutor};
use crate::num::Word;
use crate::tensor::{Frames, Shape};

/// Where a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Coordinates {
    /// Timestep.
    pub t: usize,
    /// Image.
    pub image: usize,
    /// Channel.
    pub channel: usize,
    /// Row.
    pub y: usize,
    /// Column.
    pub x: usize,
}

/// A recorded value that is not what was computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// `values` or `membranes`.
    pub of: &'static str,
    /// Place of the value.
    pub at: Coordinates,
    /// What the bundle recorded.
    pub expected: i64,
    /// What was computed.
    pub got: i64,
}

/// One node, all images.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct NodeReport {
    /// Name of the node.
    pub name: String,
    /// Integers compared.
    pub compared: u64,
    /// Values that differ.
    pub mismatches: u64,
    /// The first of them, image after image.
    pub first: Option<Mismatch>,
    /// True if, for some image, all that it read agreed and what it yielded or kept did not.
    pub cause: bool,
    /// Recorded and computed saturations, where they differ.
    pub saturations: Option<[u64; 2]>,
}

/// A whole bundle.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ValidationReport {
    /// Per node, in order of execution.
    pub nodes: Vec<NodeReport>,
}

impl ValidationReport {
    /// Integers compared.
    pub fn compared(&self) -> u64 {
        self.nodes.iter().map(|node| node.compared).sum()
    }

    /// Values that differ, of all nodes.
    pub fn mismatches(&self) -> u64 {
        self.nodes.iter().map(|node| node.mismatches).sum()
    }

    /// True if something was compared and nothing differs.
    pub fn is_equal(&self) -> bool {
        let differs = |node: &NodeReport| node.mismatches > 0 || node.saturations.is_some();
        self.compared() > 0 && !self.nodes.iter().any(differs)
    }
}

/// Executes `bundle` from its recorded input.
///
/// # Errors
/// A file that cannot be read.
pub fn validate(bundle: &Bundle) -> Result<ValidationReport> {
    if bundle.model.fits_32_bits() {
        validate_in_words::<i32>(bundle)
    } else {
        validate_in_words::<i64>(bundle)
    }
}

fn validate_in_words<W: Word>(bundle: &Bundle) -> Result<ValidationReport> {
    let executor = ScalarExecutor::<W>::new(&bundle.model);
    let images: Vec<ImageReport> = (0..bundle.images)
        .into_par_iter()
        .map(|image| compare_image(bundle, &executor, image))
        .collect::<Result<_>>()?;
    let mut nodes: Vec<NodeReport> =
        bundle.model.network().nodes.iter().map(|node| empty(&node.name)).collect();
    let mut saturations = vec![0; nodes.len()];
    for report in images {
        for (i, (sum, one)) in nodes.iter_mut().zip(report.nodes).enumerate() {
            sum.compared += one.compared;
            sum.mismatches += one.mismatches;
            sum.first = sum.first.take().or(one.first);
            sum.cause |= one.cause;
            saturations[i] += report.saturations[i];
        }
    }
    for ((node, recorded), got) in nodes.iter_mut().zip(&bundle.recorded).zip(saturations) {
        node.saturations = recorded.saturations.filter(|&n| n != got).map(|n| [n, got]);
    }
    Ok(ValidationReport { nodes })
}

fn empty(name: &str) -> NodeReport {
    NodeReport { name: name.to_owned(), ..NodeReport::default() }
}

struct ImageReport {
    nodes: Vec<NodeReport>,
    saturations: Vec<u64>,
}

fn compare_image<W: Word>(
    bundle: &Bundle,
    executor: &ScalarExecutor<W>,
    image: usize,
) -> Result<ImageReport> {
    let network = bundle.model.network();
    let mut nodes: Vec<NodeReport> = network.nodes.iter().map(|node| empty(&node.name)).collect();
    let mut failure = Ok(());
    let input = recorded_input(&bundle.recorded[0].values, network.nodes[0].shape, image)?;
    let execution = executor.trace(input, |id, seen| {
        let recorded = &bundle.recorded[id.index()];
        let shape = network.node(id).shape;
        let report = &mut nodes[id.index()];
        let mut compare = |of, expected: &Activations, t, got: &[W]| {
            if failure.is_ok() {
                failure = expected.frame(t, image).map(|expected| {
                    let got = channels_first(got, shape, |x| x.into());
                    compare_frame(report, of, &expected, &got, |i| coordinates(shape, t, image, i));
                });
            }
        };
        match seen {
            Observed::Value(value) => {
                for t in 0..recorded.values.frames() {
                    compare("values", &recorded.values, t, value.at(t));
                }
            }
            Observed::Membranes { t, values } => {
                if let Some(membranes) = &recorded.membranes {
                    compare("membranes", membranes, t, values);
                }
            }
        }
    });
    failure?;
    for (id, node) in network.iter() {
        let inputs_agree = node.inputs.iter().all(|input| nodes[input.index()].mismatches == 0);
        let report = &mut nodes[id.index()];
        report.cause = inputs_agree && report.mismatches > 0;
    }
    let saturations = execution.activity.nodes.iter().map(|node| u64::from(node.total().saturations));
    Ok(ImageReport { nodes, saturations: saturations.collect() })
}

fn recorded_input<W: Word>(input: &Activations, shape: Shape, image: usize) -> Result<Frames<W>> {
    let mut data = Vec::with_capacity(input.frames() * shape.values());
    for t in 0..input.frames() {
        data.extend(channels_last(&input.frame(t, image)?, shape, W::narrow));
    }
    Ok(Frames { frames: input.frames(), shape, data })
}

fn compare_frame(
    report: &mut NodeReport,
    of: &'static str,
    expected: &[i64],
    got: &[i64],
    at: impl Fn(usize) -> Coordinates,
) {
    report.compared += expected.len() as u64;
    for (i, (&expected, &got)) in expected.iter().zip(got).enumerate().filter(|(_, (a, b))| a != b) {
        report.mismatches += 1;
        report.first.get_or_insert_with(|| Mismatch { of, at: at(i), expected, got });
    }
}

fn coordinates(shape: Shape, t: usize, image: usize, i: usize) -> Coordinates {
    let (channel, position) = (i / shape.positions(), i % shape.positions());
    Coordinates { t, image, channel, y: position / shape.width, x: position % shape.width }
}

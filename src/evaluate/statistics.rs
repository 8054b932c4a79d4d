//! What the weight layers of a model read on calibration images.

use std::sync::Arc;

use nalgebra::DMatrix;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::exec::FloatExecutor;
use crate::model::{ConvGeometry, Images, Model, Network, NodeId, Sample};
use crate::quant::{
    Calibration, FixedPoint, InputCoding, InputMoments, InputStatistics, MAX_FAN_IN, QuantizedOp,
    input_integers,
};
use crate::tensor::Frames;

/// Patches of a layer that its statistics are made of, at most; evenly spread over images, timesteps and
/// positions.
const PATCHES: usize = 1 << 16;
/// Images whose patches are held at a time.
const BATCH: usize = 32;

/// Adds to `calibration` what `setting` needs to know of the inputs of weight layers and is not there yet:
/// of the float network on `images`, at most `PATCHES` patches of a layer.
///
/// # Errors
/// If an image cannot be read, or a layer has too many inputs for second-order rounding.
pub fn add_statistics(
    model: &Model,
    images: &Images,
    setting: &FixedPoint,
    calibration: &mut Calibration,
) -> Result<()> {
    collect_statistics(model, images, setting.input, &|name| setting.wanted_of(name), calibration)
}

/// [`add_statistics`] of the layers that `wanted` names something for; an image is read as `coding` says.
///
/// # Errors
/// Those of [`add_statistics`].
pub fn collect_statistics(
    model: &Model,
    images: &Images,
    coding: InputCoding,
    wanted: &dyn Fn(&str) -> Option<InputMoments>,
    calibration: &mut Calibration,
) -> Result<()> {
    if calibration.coding != coding {
        calibration.restart(coding);
    }
    let known = |id: NodeId, wanted: InputMoments| match &calibration.inputs[id.index()] {
        Some(seen) => wanted == InputMoments::Means || !seen.products.is_empty(),
        None => false,
    };
    let mut layers = Vec::new();
    for (id, node, weighted) in model.network.weighted() {
        let Some(wanted) = wanted(&node.name).filter(|&wanted| !known(id, wanted)) else { continue };
        let fan_in = weighted.geometry.fan_in();
        if wanted == InputMoments::Products && fan_in > MAX_FAN_IN {
            return Err(Error::mismatch(format!(
                "layer {}: products of inputs are collected of up to {MAX_FAN_IN} inputs of an output, and not {fan_in}",
                node.name
            )));
        }
        layers.push(Collector::new(id, &weighted.geometry, wanted, &model.network, images.len()));
    }
    if !layers.is_empty() {
        collect(model, images, coding, &mut layers)?;
    }
    for layer in layers {
        let id = layer.id;
        calibration.inputs[id.index()] = Some(Arc::new(layer.finish()));
    }
    Ok(())
}

/// Runs the float network batch by batch, and hands every layer its patches in order.
fn collect(model: &Model, images: &Images, coding: InputCoding, layers: &mut [Collector]) -> Result<()> {
    let float = FloatExecutor::new(model);
    let integers = input_integers(&model.description.input, coding);
    for start in (0..images.len()).step_by(BATCH) {
        let run = |i: usize| {
            let sample = images.sample(i)?;
            let input = in_steps(&sample, &integers);
            let mut patches: Vec<Vec<Patch>> = layers.iter().map(|_| Vec::new()).collect();
            float.run_inputs(&sample, |id, value, padding| {
                let Some(at) = layers.iter().position(|layer| layer.id == id) else { return };
                let first = model.network.node(id).inputs[0].index() == 0;
                patches[at] = layers[at].patches(i, if first { &input } else { value }, padding);
            });
            Ok(patches)
        };
        let batch: Vec<Vec<Vec<Patch>>> =
            (start..(start + BATCH).min(images.len())).into_par_iter().map(run).collect::<Result<_>>()?;
        layers.par_iter_mut().enumerate().for_each(|(at, layer)| {
            batch.iter().flat_map(|image| &image[at]).for_each(|patch| layer.add(patch));
        });
    }
    Ok(())
}

/// The integers of a sample in units of what the first weights multiply.
fn in_steps(sample: &Sample, (op, lsb): &(QuantizedOp, Vec<f64>)) -> Frames<f32> {
    sample.map(|x, c| match op {
        QuantizedOp::Input { zero_points, .. } => ((i64::from(x) - zero_points[c]) as f64 * lsb[0]) as f32,
        QuantizedOp::InputCodes { codes } => (codes[c][usize::from(x)] as f64 * lsb[0]) as f32,
        op => unreachable!("{op:?} is no input"),
    })
}

/// Inputs of one output value that are not zero, per group: where they stand in a row of weights, ascending.
type Patch = Vec<Vec<(usize, f64)>>;

/// Statistics of one layer in the making.
struct Collector<'a> {
    id: NodeId,
    geometry: &'a ConvGeometry,
    /// Every how many patches one is taken.
    step: usize,
    seen: InputStatistics,
}

impl<'a> Collector<'a> {
    fn new(
        id: NodeId,
        geometry: &'a ConvGeometry,
        wanted: InputMoments,
        network: &Network,
        images: usize,
    ) -> Self {
        let node = network.node(id);
        let frames = network.input_of(node, 0).frames(network.timesteps);
        let patches = images * frames * node.shape.positions();
        let seen = InputStatistics::new(geometry.groups, geometry.fan_in(), wanted == InputMoments::Products);
        Self { id, geometry, step: patches.div_ceil(PATCHES).max(1), seen }
    }

    /// The patches that image `i` contributes; `padding` lies around the map, zeros where it is empty.
    fn patches(&self, i: usize, input: &Frames<f32>, padding: &[f32]) -> Vec<Patch> {
        let g = self.geometry;
        let Some(output) = g.output(input.shape) else { return Vec::new() };
        let places =
            (0..input.frames * output.positions()).filter(|place| (place + i).is_multiple_of(self.step));
        let patch = |place: usize| {
            let (t, position) = (place / output.positions(), place % output.positions());
            let values = input.at(t);
            let mut patch: Patch = vec![Vec::new(); g.groups];
            for (tap, at) in g.taps_of(input.shape, position / output.width, position % output.width) {
                let pixel = at.map_or(padding, |at| &values[at * g.in_channels..][..g.in_channels]);
                for (channel, &x) in pixel.iter().enumerate().filter(|(_, x)| **x != 0.0) {
                    let index = channel % (g.in_channels / g.groups) * g.taps() + tap;
                    patch[g.group_of(channel)].push((index, f64::from(x)));
                }
            }
            patch.iter_mut().for_each(|inputs| inputs.sort_unstable_by_key(|(index, _)| *index));
            patch
        };
        places.map(patch).collect()
    }

    fn add(&mut self, patch: &Patch) {
        self.seen.patches += 1;
        for (group, inputs) in patch.iter().enumerate() {
            let (sums, squares) = (&mut self.seen.sums[group], &mut self.seen.squares[group]);
            for &(i, x) in inputs {
                sums[i] += x;
                squares[i] += x * x;
            }
            let Some(products) = self.seen.products.get_mut(group) else { continue };
            for (last, &(j, y)) in inputs.iter().enumerate() {
                let mut column = products.column_mut(j);
                inputs[..=last].iter().for_each(|&(i, x)| column[i] += x * y);
            }
        }
    }

    /// The statistics, with both triangles of the products filled in.
    fn finish(mut self) -> InputStatistics {
        self.seen.products.iter_mut().for_each(DMatrix::fill_lower_triangle_with_upper_triangle);
        self.seen
    }
}

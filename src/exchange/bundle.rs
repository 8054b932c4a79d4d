//! A golden bundle as it is read: its integers, checked, as a network that can be executed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::manifest::{self, Manifest, NodeRecord, Operation, Tensor};
use super::npy::NpyReader;
use crate::check::{TIMESTEPS, in_range};
use crate::error::{Error, Result};
use crate::files::{self, sha256_of_reader};
use crate::model::{Attention, ClassToken, Conv, Gate, Grid, NetworkBuilder, NodeId, ProductOrder, Window};
use crate::num::Requantizer;
use crate::quant::scheme::{Clip, Scale, Sharing};
use crate::quant::{
    QuantizedAdd, QuantizedModel, QuantizedOp, QuantizedTokens, QuantizedWeighted, WeightScheme,
};
use crate::tensor::Shape;

/// Values of one node that a run keeps at once, as for models.
const MAX_VALUES: usize = 1 << 27;
/// Extents of windows, kernels and heads.
const MAX_EXTENT: usize = 1 << 12;

/// A bundle, ready to be executed and compared.
#[derive(Debug)]
pub struct Bundle {
    /// The network, its bounds proven anew.
    pub model: QuantizedModel,
    /// Images.
    pub images: usize,
    /// Per node.
    pub recorded: Vec<Recorded>,
}

/// What a bundle recorded of one node.
#[derive(Debug)]
pub struct Recorded {
    /// What it yielded.
    pub values: Activations,
    /// What its neurons kept.
    pub membranes: Option<Activations>,
    /// Values clamped or wrapped.
    pub saturations: Option<u64>,
}

/// Recorded frames `[T, B, C, H, W]`.
#[derive(Debug)]
pub struct Activations {
    frames: usize,
    images: usize,
    shape: Shape,
    source: Source,
}

#[derive(Debug)]
enum Source {
    File(Mutex<NpyReader>),
    Values(Vec<i64>),
}

impl Activations {
    /// Frames per image.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// `[C, H, W]` of `image` at timestep `t`.
    pub fn frame(&self, t: usize, image: usize) -> Result<Vec<i64>> {
        let count = self.shape.values();
        let first = (t * self.images + image) * count;
        match &self.source {
            Source::File(reader) => reader.lock().expect("no reader panics").read_at(first, count),
            Source::Values(values) => Ok(values[first..first + count].to_vec()),
        }
    }
}

impl Bundle {
    /// Reads and checks the bundle in `folder`.
    ///
    /// # Errors
    /// Names the file and the node whose integers are not as `docs/formats.md` says.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join("manifest.json");
        let text = files::read_text(&path)?;
        let path = path.display().to_string();
        let manifest = Manifest::parse(&text, &path)?;
        let loader = Loader { folder: folder.to_owned(), path, manifest };
        loader.load()
    }
}

pub(super) struct Loader {
    folder: PathBuf,
    path: String,
    manifest: Manifest,
}

impl Loader {
    fn load(&self) -> Result<Bundle> {
        let Manifest { timesteps, images, nodes, .. } = &self.manifest;
        self.in_range("timesteps", *timesteps, &TIMESTEPS)?;
        self.in_range("images", *images, &(1..=1 << 24))?;
        let Some((first, rest)) = nodes.split_first() else {
            return Err(Error::field(&self.path, "nodes", "none"));
        };
        if !matches!(first.operation, Operation::Input {}) {
            return Err(self.wrong(first, "the first node is not of type input"));
        }
        let shape = self.shape_of(first)?;
        let (mut builder, input) = NetworkBuilder::named(&first.name, shape, first.constant, *timesteps);
        let mut recorded = vec![self.recorded(first)?];
        let max = largest(&recorded[0].values, *images)?;
        let mut ops = vec![QuantizedOp::Input { zero_points: vec![0; shape.channels], max }];
        let mut ids = HashMap::from([(first.name.as_str(), input)]);
        for node in rest {
            let (id, op) = self.add(node, &mut builder, &ids)?;
            let (built, constant) = builder.output(id);
            if built != self.shape_of(node)? || constant != node.constant {
                let message = format!("yields {built}, constant: {constant}, by its inputs");
                return Err(self.wrong(node, message));
            }
            if ids.insert(&node.name, id).is_some() {
                return Err(self.wrong(node, "name: an earlier node has it"));
            }
            ops.push(op);
            recorded.push(self.recorded(node)?);
        }
        let refuse = |e: Error| Error::field(&self.path, "nodes", e.to_string());
        let network = builder.fragment().map_err(refuse)?;
        let model = QuantizedModel::from_integers(network, ops).map_err(refuse)?;
        Ok(Bundle { model, images: *images, recorded })
    }

    pub(super) fn wrong(&self, node: &NodeRecord, message: impl Into<String>) -> Error {
        Error::field(&self.path, format!("node {}", node.name), message)
    }

    fn in_range(
        &self,
        field: impl Into<Cow<'static, str>>,
        value: usize,
        range: &RangeInclusive<usize>,
    ) -> Result<()> {
        in_range(field, value, range).map_err(|fault| fault.at(&self.path))
    }

    fn shape_of(&self, node: &NodeRecord) -> Result<Shape> {
        let [channels, height, width] = node.shape;
        let frames = if node.constant { 1 } else { self.manifest.timesteps };
        let values = [channels, height, width, frames].into_iter().try_fold(1usize, |n, m| n.checked_mul(m));
        match values {
            Some(1..=MAX_VALUES) => Ok(Shape::new(channels, height, width)),
            _ => Err(self.wrong(node, format!("shape: {:?} is empty or too large", node.shape))),
        }
    }

    fn recorded(&self, node: &NodeRecord) -> Result<Recorded> {
        let frames = if node.constant { 1 } else { self.manifest.timesteps };
        let values = self.activations(node, "values", &node.values, frames)?;
        let neuron = matches!(node.operation, Operation::Neuron { .. } | Operation::Loihi { .. });
        let membranes = match &node.membranes {
            Some(_) if !neuron => return Err(self.wrong(node, "membranes: only neurons have them")),
            Some(tensor) => Some(self.activations(node, "membranes", tensor, frames)?),
            None => None,
        };
        Ok(Recorded { values, membranes, saturations: node.saturations })
    }

    fn activations(
        &self,
        node: &NodeRecord,
        field: &str,
        tensor: &Tensor,
        frames: usize,
    ) -> Result<Activations> {
        let shape = self.shape_of(node)?;
        let images = self.manifest.images;
        let extents = [frames, images, shape.channels, shape.height, shape.width];
        let (source, found) = self.open(node, field, tensor)?;
        if found != extents {
            return Err(self.wrong(node, format!("{field}: shape {found:?}, expected {extents:?}")));
        }
        Ok(Activations { frames, images, shape, source })
    }

    /// A tensor with its shape; the hash of a file is checked.
    fn open(&self, node: &NodeRecord, field: &str, tensor: &Tensor) -> Result<(Source, Vec<usize>)> {
        match tensor {
            Tensor { file: Some(name), sha256: Some(expected), shape: None, values: None } => {
                if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
                    return Err(self.wrong(node, format!("{field}: {name:?} is not the name of a file here")));
                }
                let path = self.folder.join(name);
                let reader = NpyReader::open(&path)?;
                let found =
                    sha256_of_reader(files::open(&path)?).map_err(|source| Error::io(&path, source))?;
                if !found.eq_ignore_ascii_case(expected) {
                    let message = format!("{found}, and the manifest says {expected}");
                    return Err(Error::field(path.display().to_string(), "sha256", message));
                }
                let shape = reader.shape().to_vec();
                Ok((Source::File(Mutex::new(reader)), shape))
            }
            Tensor { file: None, sha256: None, shape: Some(shape), values: Some(values) } => {
                let expected = shape.iter().try_fold(1usize, |n, &extent| n.checked_mul(extent));
                if expected != Some(values.len()) {
                    let message = format!("{field}: {} values of shape {shape:?}", values.len());
                    return Err(self.wrong(node, message));
                }
                Ok((Source::Values(values.clone()), shape.clone()))
            }
            _ => Err(self.wrong(node, format!("{field}: neither file and sha256 nor shape and values"))),
        }
    }

    /// A parameter with its shape.
    pub(super) fn parameter(
        &self,
        node: &NodeRecord,
        field: &str,
        tensor: &Tensor,
    ) -> Result<(Vec<i64>, Vec<usize>)> {
        let (source, shape) = self.open(node, field, tensor)?;
        match source {
            Source::File(reader) => Ok((reader.into_inner().expect("no reader panics").read()?, shape)),
            Source::Values(values) => Ok((values, shape)),
        }
    }

    /// A parameter of one dimension.
    pub(super) fn list(&self, node: &NodeRecord, field: &str, tensor: &Tensor) -> Result<Vec<i64>> {
        match self.parameter(node, field, tensor)? {
            (values, shape) if shape.len() == 1 && !values.is_empty() => Ok(values),
            (_, shape) => Err(self.wrong(node, format!("{field}: shape {shape:?}, expected one dimension"))),
        }
    }

    /// A parameter of one dimension, whose values are 0 to 2^32 - 1.
    pub(super) fn unsigned(&self, node: &NodeRecord, field: &str, tensor: &Tensor) -> Result<Vec<u32>> {
        let small = |x: i64| u32::try_from(x).map_err(|_| self.wrong(node, format!("{field}: {x}")));
        self.list(node, field, tensor)?.into_iter().map(small).collect()
    }

    /// Adds a node to the network, with what it does with integers.
    fn add(
        &self,
        node: &NodeRecord,
        net: &mut NetworkBuilder,
        ids: &HashMap<&str, NodeId>,
    ) -> Result<(NodeId, QuantizedOp)> {
        let inputs = self.inputs(node, ids)?;
        let exact = |id: Result<NodeId>| Ok((self.built(node, id)?, QuantizedOp::Exact));
        let (name, count) = (node.name.as_str(), inputs.len());
        match (&node.operation, inputs.as_slice()) {
            (Operation::Weighted { .. }, &[x]) => self.weighted(node, net, x),
            (Operation::Neuron { .. }, &[x]) => self.neuron(node, net, x),
            (Operation::Loihi { .. } | Operation::Levels { .. }, &[x]) => self.other_neuron(node, net, x),
            (Operation::Requantize { .. }, [_]) | (Operation::AddMembrane { .. }, [_, _]) => {
                self.onto_grid(node, net, &inputs)
            }
            (Operation::AddSpikes {}, &[a, b]) => exact(net.add(name, a, b)),
            (Operation::Or {}, &[a, b]) => exact(net.gate(name, a, b, Gate::Or)),
            (Operation::AndNot {}, &[a, b]) => exact(net.gate(name, a, b, Gate::AndNot)),
            (Operation::MaxPool { size, stride, pad } | Operation::SumPool { size, stride, pad }, &[x]) => {
                let window = Window { size: *size, stride: *stride, pad: *pad };
                for axis in [0, 1] {
                    self.in_range(format!("node {name}: size"), size.0[axis], &(1..=MAX_EXTENT))?;
                    self.in_range(format!("node {name}: stride"), stride.0[axis], &(1..=MAX_EXTENT))?;
                }
                match &node.operation {
                    Operation::MaxPool { .. } => exact(net.max_pool(name, x, window)),
                    _ => exact(net.avg_pool(name, x, window)),
                }
            }
            (Operation::PlanePool { heads }, &[x]) => exact(net.plane_pool(name, x, *heads)),
            (Operation::KeyValueCount {}, [_] | [_, _]) => {
                exact(net.attention(name, &inputs, Attention::KeyValueCount))
            }
            (Operation::ChannelCount { heads }, [_]) => {
                exact(net.attention(name, &inputs, Attention::ChannelCount { heads: *heads }))
            }
            (Operation::Attention { heads }, [_, _, _]) => {
                let order = ProductOrder::KeyValueFirst;
                let attention = Attention::Product { heads: *heads, scale: 1.0, order };
                exact(net.attention(name, &inputs, attention))
            }
            (Operation::Mask {}, &[spikes, mask]) => exact(net.mask(name, spikes, mask)),
            (Operation::ClassToken { .. }, &[x]) => self.class_token(node, net, x),
            (Operation::FirstToken {}, &[x]) => exact(net.first_token(name, x)),
            (Operation::SumPositions {}, &[x]) => exact(net.mean_tokens(name, x)),
            (Operation::SumTimesteps {}, &[x]) => exact(net.mean_timesteps(name, x)),
            (Operation::Readout { .. }, &[x]) => self.readout(node, net, x),
            (Operation::Input {}, _) => Err(self.wrong(node, "a second node of type input")),
            _ => Err(self.wrong(node, format!("inputs: {count} are not what this operation reads"))),
        }
    }

    fn class_token(
        &self,
        node: &NodeRecord,
        net: &mut NetworkBuilder,
        x: NodeId,
    ) -> Result<(NodeId, QuantizedOp)> {
        let Operation::ClassToken { token, positions, format } = &node.operation else {
            unreachable!("called for class tokens")
        };
        let token = self.list(node, "token", token)?;
        let map = net.shape(x);
        let positions = match positions {
            Some(tensor) => match self.parameter(node, "positions", tensor)? {
                (values, shape) if shape == [map.positions(), map.channels] => Some(values),
                (_, shape) => {
                    let expected = [map.positions(), map.channels];
                    let message = format!("positions: shape {shape:?}, expected {expected:?}");
                    return Err(self.wrong(node, message));
                }
            },
            None => None,
        };
        let named = ClassToken { positions: positions.is_some().then(|| format!("{}.positions", node.name)) };
        let id = self.built(node, net.class_token(&node.name, x, named))?;
        Ok((id, QuantizedOp::ClassToken(QuantizedTokens { token, positions, format: *format })))
    }

    fn inputs(&self, node: &NodeRecord, ids: &HashMap<&str, NodeId>) -> Result<Vec<NodeId>> {
        let unknown = |name: &str| self.wrong(node, format!("inputs: {name}: no such node before it"));
        let find = |name: &String| ids.get(name.as_str()).copied().ok_or_else(|| unknown(name));
        node.inputs.iter().map(find).collect()
    }

    pub(super) fn built(&self, node: &NodeRecord, id: Result<NodeId>) -> Result<NodeId> {
        id.map_err(|e| self.wrong(node, e.to_string()))
    }

    fn weighted(
        &self,
        node: &NodeRecord,
        net: &mut NetworkBuilder,
        x: NodeId,
    ) -> Result<(NodeId, QuantizedOp)> {
        let Operation::Weighted {
            weights,
            bias,
            stride,
            pad,
            dilation,
            groups,
            fraction_bits,
            padding,
            accumulator,
        } = &node.operation
        else {
            unreachable!("called for weight layers")
        };
        let (codes, [outs, ins, rows, columns]) = self.codes(node, weights)?;
        let (map, _) = net.output(x);
        let whole = [rows, columns] == [map.height, map.width];
        for axis in [0, 1] {
            self.in_range(format!("node {}: stride", node.name), stride.0[axis], &(1..=MAX_EXTENT))?;
            self.in_range(format!("node {}: pad", node.name), pad.0[axis], &(0..=MAX_EXTENT))?;
            self.in_range(format!("node {}: dilation", node.name), dilation.0[axis], &(1..=MAX_EXTENT))?;
        }
        let conv = Conv::new(outs, [rows, columns]).stride(*stride).pad(*pad).dilation(*dilation);
        let mut conv = conv.groups(*groups).bias();
        if whole {
            conv = conv.flatten();
        }
        let padding = match padding {
            Some(padding) => {
                conv = conv.pad_with_bias();
                Some(self.list(node, "padding", padding)?)
            }
            None => None,
        };
        let id = self.built(node, net.conv(&node.name, x, conv))?;
        let geometry = net.geometry(id).expect("a weight layer");
        if geometry.in_channels / geometry.groups != ins {
            let message =
                format!("weights: {ins} inputs, and it reads {} in {groups} groups", geometry.in_channels);
            return Err(self.wrong(node, message));
        }
        let op = QuantizedWeighted {
            geometry,
            scheme: holding(&codes),
            codes,
            bias: self.list(node, "bias", bias)?,
            fraction_bits: *fraction_bits,
            lsb: vec![1.0; outs],
            padding,
            accumulator_bits: 0,
            accumulator: *accumulator,
        };
        Ok((id, QuantizedOp::Weighted(op)))
    }

    /// Weights, which fit 32 bits, and their shape, which is sensible.
    fn codes(&self, node: &NodeRecord, weights: &Tensor) -> Result<(Vec<i32>, [usize; 4])> {
        let (codes, shape) = self.parameter(node, "weights", weights)?;
        let &[1..=usize::MAX, 1..=usize::MAX, 1..=MAX_EXTENT, 1..=MAX_EXTENT] = shape.as_slice() else {
            return Err(
                self.wrong(node, format!("weights: shape {shape:?}, expected [out, in, rows, columns]"))
            );
        };
        let codes: Result<Vec<i32>, _> = codes.into_iter().map(|w| i32::try_from(w).map_err(|_| w)).collect();
        let codes = codes.map_err(|w| self.wrong(node, format!("weights: {w} exceeds 32 bits")))?;
        Ok((codes, [shape[0], shape[1], shape[2], shape[3]]))
    }

    fn onto_grid(
        &self,
        node: &NodeRecord,
        net: &mut NetworkBuilder,
        inputs: &[NodeId],
    ) -> Result<(NodeId, QuantizedOp)> {
        let name = node.name.as_str();
        match (&node.operation, inputs) {
            (Operation::Requantize { grid, multipliers, shifts, format }, &[x]) => {
                let requantizers = self.requantizers(node, multipliers, shifts)?;
                let grid = match grid {
                    manifest::Grid::Residual => Grid::Residual,
                    manifest::Grid::Activation => Grid::Activation,
                };
                let id = self.built(node, net.requantize(name, x, grid))?;
                Ok((id, QuantizedOp::Requantize { requantizers, format: *format }))
            }
            (Operation::AddMembrane { multipliers, shifts, format }, &[a, b]) => {
                let branch = match (multipliers, shifts) {
                    (Some(multipliers), Some(shifts)) => {
                        Some(self.requantizers(node, multipliers, shifts)?)
                    }
                    (None, None) => None,
                    _ => return Err(self.wrong(node, "multipliers without shifts, or shifts without")),
                };
                let id = self.built(node, net.add(name, a, b))?;
                Ok((id, QuantizedOp::AddMembrane(QuantizedAdd { branch, format: *format })))
            }
            _ => unreachable!("called for requantization and membrane joins"),
        }
    }

    fn requantizers(
        &self,
        node: &NodeRecord,
        multipliers: &Tensor,
        shifts: &Tensor,
    ) -> Result<Vec<Requantizer>> {
        let multipliers = self.unsigned(node, "multipliers", multipliers)?;
        let shifts = self.unsigned(node, "shifts", shifts)?;
        if multipliers.len() != shifts.len() {
            let message = format!("{} multipliers and {} shifts", multipliers.len(), shifts.len());
            return Err(self.wrong(node, message));
        }
        let pairs = multipliers.into_iter().zip(shifts);
        Ok(pairs.map(|(multiplier, shift)| Requantizer { multiplier, shift }).collect())
    }
}

/// The largest magnitude of an input.
fn largest(input: &Activations, images: usize) -> Result<i64> {
    let mut largest = 0;
    for t in 0..input.frames {
        for image in 0..images {
            let magnitudes = input.frame(t, image)?.into_iter().map(i64::saturating_abs);
            largest = magnitudes.fold(largest, i64::max);
        }
    }
    Ok(largest)
}

/// The narrowest uniform scheme of steps of 1 that holds `codes`.
fn holding(codes: &[i32]) -> WeightScheme {
    let largest = codes.iter().map(|c| c.unsigned_abs()).max().unwrap_or(0);
    let bits = (u32::BITS - largest.leading_zeros() + 1).max(2);
    WeightScheme::Uniform { bits, scale: Scale::Pow2, granularity: Sharing::Layer, clip: Clip::Max }
}

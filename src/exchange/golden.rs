//! Writes golden bundles.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use serde_json::json;

use super::manifest::{self, Manifest, Membrane, NodeRecord, Operation, Reset, Tensor};
use super::npy::{INT8, INT32, NpyWriter, UINT8, type_for};
use super::record::{Frame, Part, record};
use crate::error::{Error, Result};
use crate::model::{Attention, Gate, Grid, Images, Kind, Node, NodeId, Op, ReadoutOver};
use crate::npy;
use crate::num::{Keep, Requantizer};
use crate::output::{OutputFolder, Owner};
use crate::quant::{QuantizedModel, QuantizedNeuron, QuantizedOp, QuantizedReset, QuantizedWeighted};

/// Runs `images` and writes a bundle of everything into `dir`; returns the number of integers recorded.
///
/// # Errors
/// A file that cannot be written.
pub fn export_golden(model: &QuantizedModel, names: [&str; 2], images: &Images, dir: &Path) -> Result<u64> {
    let folder = OutputFolder::new(dir, Owner::Manifest)?;
    let writers = writers(model, images.len(), &folder)?;
    let outcomes =
        record(model, images, &|node, part| writers.contains_key(&(node, part)), &|frame: Frame| {
            let mut writer = writers[&(frame.node, frame.part)].lock().expect("no writer panics");
            let first = (frame.t * images.len() + frame.image) * frame.values.len();
            writer.write_at(first, &frame.values)
        })?;
    let mut saturations = vec![0; model.network().nodes.len()];
    for outcome in &outcomes {
        saturations.iter_mut().zip(&outcome.saturations).for_each(|(sum, n)| *sum += n);
    }
    let mut nodes = Vec::new();
    for (id, node) in model.network().iter() {
        let recorded =
            |part| writers.contains_key(&(id, part)).then(|| file_tensor(&folder, &file_name(node, part)));
        nodes.push(NodeRecord {
            name: node.name.clone(),
            inputs: node.inputs.iter().map(|&i| model.network().node(i).name.clone()).collect(),
            shape: [node.shape.channels, node.shape.height, node.shape.width],
            constant: node.constant,
            operation: operation(model, id, node, &folder)?,
            values: recorded(Part::Values).expect("every node is recorded")?,
            membranes: recorded(Part::Membranes).transpose()?,
            saturations: Some(saturations[id.index()]),
        });
    }
    let manifest = Manifest {
        schema: manifest::SCHEMA.to_owned(),
        version: manifest::VERSION,
        producer: Some(concat!("spiq ", env!("CARGO_PKG_VERSION")).to_owned()),
        model: Some(names[0].to_owned()),
        setting: Some(names[1].to_owned()),
        rounding: Some(rounding_rules()),
        timesteps: model.network().timesteps,
        images: images.len(),
        nodes,
    };
    let text = serde_json::to_string_pretty(&manifest).expect("integers and names");
    folder.write("manifest.json", text + "\n")?;
    folder.finish()?;
    let values = |(id, _): &(NodeId, Part)| {
        let node = model.network().node(*id);
        (node.shape.values() * images.len() * node.frames(model.network().timesteps)) as u64
    };
    Ok(writers.keys().map(values).sum())
}

/// The rules of the operations, for readers without the page that describes them.
pub(super) fn rounding_rules() -> serde_json::Value {
    json!({
        "shift_right": "arithmetic: rounds toward minus infinity",
        "neuron": "g = V + X; fires iff g >= threshold; V = ((2 (fires ? reset : g) + 1) multiplier) >> (shift + 1), less what is subtracted behind the leak; stored >> discard and clamped, read << discard",
        "requantize": "clamp((X * multiplier + 2^(shift - 1)) >> shift); nothing is added for shift 0",
        "weighted": "X = (sum of weight times input << fraction_bits) + bias",
        "order": "activations [T, B, C, H, W], weights [out, in / groups, row, column], row-major"
    })
}

fn file_name(node: &Node, part: Part) -> String {
    match part {
        Part::Values => format!("{}.values.npy", node.name),
        Part::Membranes => format!("{}.membranes.npy", node.name),
    }
}

/// One file per node, and one more per layer of neurons with a state.
fn writers(
    model: &QuantizedModel,
    images: usize,
    folder: &OutputFolder,
) -> Result<BTreeMap<(NodeId, Part), Mutex<NpyWriter>>> {
    let mut writers = BTreeMap::new();
    for (id, node) in model.network().iter() {
        let frames = node.frames(model.network().timesteps);
        let shape = [frames, images, node.shape.channels, node.shape.height, node.shape.width];
        let mut create = |part, dtype| {
            let writer = NpyWriter::new(folder.create(&file_name(node, part))?, dtype, &shape)?;
            writers.insert((id, part), Mutex::new(writer));
            Ok::<_, Error>(())
        };
        create(Part::Values, value_type(model, id))?;
        if has_state(model, id) {
            create(Part::Membranes, type_for(model.potential_bound(id)))?;
        }
    }
    Ok(writers)
}

/// True for neurons that keep something.
pub(super) fn has_state(model: &QuantizedModel, id: NodeId) -> bool {
    match model.op(id) {
        QuantizedOp::Neuron(neuron) => neuron.membrane.is_some(),
        QuantizedOp::Loihi(_) => true,
        _ => false,
    }
}

/// Bytes for spikes and what counts no further than 255.
pub(super) fn value_type(model: &QuantizedModel, id: NodeId) -> npy::Kind {
    let node = model.network().node(id);
    let bound = model.bounds()[id.index()];
    match node.kind {
        Kind::Spikes | Kind::Count { .. } | Kind::Levels { .. } if bound <= 255 => UINT8,
        _ => type_for(bound),
    }
}

fn file_tensor(folder: &OutputFolder, name: &str) -> Result<Tensor> {
    Ok(Tensor::file(name.to_owned(), folder.sha256(name)?))
}

fn operation(model: &QuantizedModel, id: NodeId, node: &Node, folder: &OutputFolder) -> Result<Operation> {
    Ok(match (model.op(id), &node.op) {
        (QuantizedOp::Input { .. } | QuantizedOp::InputCodes { .. }, _) => Operation::Input {},
        (QuantizedOp::Weighted(op), _) => weighted(op, node, folder)?,
        (QuantizedOp::Neuron(op), _) => neuron(op),
        (QuantizedOp::Loihi(op), _) => Operation::Loihi {
            thresholds: Tensor::list(op.thresholds.clone()),
            voltage_decay: op.voltage_decay,
            current_decay: op.current_decay,
        },
        (QuantizedOp::Levels { thresholds }, _) => {
            let shape = vec![thresholds.len(), thresholds[0].len()];
            Operation::Levels { thresholds: Tensor::inline(shape, thresholds.concat()) }
        }
        (QuantizedOp::Requantize { requantizers, format }, Op::Requantize(grid)) => Operation::Requantize {
            grid: match grid {
                Grid::Residual => manifest::Grid::Residual,
                Grid::Activation => manifest::Grid::Activation,
            },
            multipliers: multipliers(requantizers),
            shifts: shifts(requantizers),
            format: *format,
        },
        (QuantizedOp::AddMembrane(add), _) => Operation::AddMembrane {
            multipliers: add.branch.as_deref().map(multipliers),
            shifts: add.branch.as_deref().map(shifts),
            format: add.format,
        },
        (QuantizedOp::ClassToken(tokens), _) => {
            let channels = tokens.token.len();
            let rows = |all: Vec<i64>| Tensor::inline(vec![all.len() / channels, channels], all);
            Operation::ClassToken {
                token: Tensor::list(tokens.token.clone()),
                positions: tokens.positions.clone().map(rows),
                format: tokens.format,
            }
        }
        (QuantizedOp::Readout(op), Op::Readout(readout)) => {
            let (multiplier, multipliers, shift) = factors(&op.keeps);
            let over = match readout.over {
                ReadoutOver::Last => manifest::ReadoutOver::Last,
                ReadoutOver::Mean => manifest::ReadoutOver::Sum,
                ReadoutOver::Max => manifest::ReadoutOver::Max,
            };
            Operation::Readout { multiplier, multipliers, shift, over }
        }
        (QuantizedOp::Exact, op) => exact(op),
        (op, _) => unreachable!("{op:?} belongs to another node"),
    })
}

/// Operations whose integers are in the values that they read.
fn exact(op: &Op) -> Operation {
    match op {
        Op::Add(_) => Operation::AddSpikes {},
        Op::MaxPool(window) => {
            Operation::MaxPool { size: window.size, stride: window.stride, pad: window.pad }
        }
        Op::PlanePool { heads } => Operation::PlanePool { heads: *heads },
        Op::Attention(Attention::KeyValueCount) => Operation::KeyValueCount {},
        Op::Attention(Attention::ChannelCount { heads }) => Operation::ChannelCount { heads: *heads },
        Op::Attention(Attention::Product { heads, .. }) => Operation::Attention { heads: *heads },
        Op::Mask => Operation::Mask {},
        Op::Gate(Gate::Or) => Operation::Or {},
        Op::Gate(Gate::AndNot) => Operation::AndNot {},
        Op::AvgPool(window) => {
            Operation::SumPool { size: window.size, stride: window.stride, pad: window.pad }
        }
        Op::FirstToken => Operation::FirstToken {},
        Op::MeanTokens => Operation::SumPositions {},
        Op::MeanTimesteps => Operation::SumTimesteps {},
        op => unreachable!("{op:?} has integers of its own"),
    }
}

/// The factor of all channels, or 1 beside one for each, and their shift.
fn factors(keeps: &[Keep]) -> (u32, Option<Tensor>, u32) {
    let (multipliers, shift) = Keep::common_shift(keeps);
    match multipliers[..] {
        [multiplier] => (multiplier, None, shift),
        _ => (1, Some(Tensor::list(multipliers.into_iter().map(i64::from).collect())), shift),
    }
}

fn neuron(op: &QuantizedNeuron) -> Operation {
    let (multiplier, multipliers, shift) = factors(&op.keeps);
    Operation::Neuron {
        thresholds: Tensor::list(op.thresholds.clone()),
        multiplier,
        multipliers,
        shift,
        reset: match op.reset {
            QuantizedReset::Zero => Reset::Zero,
            QuantizedReset::Subtract | QuantizedReset::SubtractAmount { .. } => Reset::Subtract,
            QuantizedReset::SubtractDelayed => Reset::SubtractDelayed,
        },
        amounts: match &op.reset {
            QuantizedReset::SubtractAmount { amounts } => Some(Tensor::list(amounts.clone())),
            _ => None,
        },
        strict: op.strict,
        membrane: op.membrane.as_ref().map(|word| Membrane {
            bits: word.bits,
            discards: Tensor::list(word.discards.iter().map(|&d| d.into()).collect()),
        }),
    }
}

fn weighted(op: &QuantizedWeighted, node: &Node, folder: &OutputFolder) -> Result<Operation> {
    let g = &op.geometry;
    let codes: Vec<i64> = op.codes.iter().map(|&c| c.into()).collect();
    let dtype = if codes.iter().all(|c| (-128..128).contains(c)) { INT8 } else { INT32 };
    let shape = [g.out_channels, g.in_channels / g.groups, g.kernel[0], g.kernel[1]];
    let name = format!("{}.weights.npy", node.name);
    NpyWriter::new(folder.create(&name)?, dtype, &shape)?.write_at(0, &codes)?;
    Ok(Operation::Weighted {
        weights: file_tensor(folder, &name)?,
        bias: Tensor::list(op.bias.clone()),
        stride: g.stride.into(),
        pad: g.pad.into(),
        dilation: g.dilation.into(),
        groups: g.groups,
        fraction_bits: op.fraction_bits,
        padding: op.padding.clone().map(Tensor::list),
        accumulator: op.accumulator,
    })
}

fn multipliers(requantizers: &[Requantizer]) -> Tensor {
    Tensor::list(requantizers.iter().map(|r| r.multiplier.into()).collect())
}

fn shifts(requantizers: &[Requantizer]) -> Tensor {
    Tensor::list(requantizers.iter().map(|r| r.shift.into()).collect())
}

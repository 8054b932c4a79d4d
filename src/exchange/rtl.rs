//! Stimuli and expected values for a hardware test bench: `.mem` files per layer.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use serde::Serialize;

use super::golden::rounding_rules;
use super::record::{Frame, Part, record};
use crate::error::{Error, Result};
use crate::model::{Attention, ConvGeometry, Images, Kind, Node, NodeId, Op};
use crate::num::{Accumulator, Keep, signed_bits};
use crate::output::{OutputFolder, Owner};
use crate::quant::{
    QuantizedModel, QuantizedNeuron, QuantizedOp, QuantizedReset, QuantizedWeighted, per_channel,
};

#[derive(Serialize)]
struct Manifest<'a> {
    schema: &'static str,
    version: u32,
    model: &'a str,
    setting: &'a str,
    timesteps: usize,
    images: usize,
    rounding: serde_json::Value,
    layers: Vec<Layer<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Layer<'a> {
    Weighted(WeightedLayer<'a>),
    Attention(AttentionLayer<'a>),
}

#[derive(Serialize)]
struct WeightedLayer<'a> {
    name: &'a str,
    input_shape: [usize; 3],
    output_shape: [usize; 3],
    kernel: usize,
    stride: usize,
    pad: usize,
    groups: usize,
    fraction_bits: u32,
    weight_bits: u32,
    accumulator_bits: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    accumulator: Option<Accumulator>,
    x_bits: u32,
    #[serde(flatten)]
    neuron: NeuronLayer<'a>,
}

#[derive(Serialize)]
struct AttentionLayer<'a> {
    name: &'a str,
    heads: usize,
    shape: [usize; 3],
    value_shape: [usize; 3],
    count_bits: u32,
    #[serde(flatten)]
    neuron: NeuronLayer<'a>,
}

#[derive(Serialize)]
struct NeuronLayer<'a> {
    neuron: &'a str,
    multiplier_bits: u32,
    shift: u32,
    reset: &'static str,
    strict: bool,
    membrane_bits: u32,
    threshold_bits: u32,
    amount_bits: u32,
    potential_bits: u32,
    v_bits: u32,
}

/// Bits of the words of multipliers, which have 17 at the most.
const MULTIPLIER_WORD: u32 = 20;

/// A layer that is exported: the sum, and the neurons that are its only reader.
#[derive(Clone, Copy)]
struct Pair<'a> {
    sum: NodeId,
    neuron: NodeId,
    op: &'a QuantizedNeuron,
}

/// Recorded frames by node, part, timestep and image.
type Frames = BTreeMap<(NodeId, Part, usize, usize), Vec<i64>>;

/// Runs `images` and writes every layer that hardware of spike-gated columns and attention neurons
/// computes; returns their number.
///
/// # Errors
/// If the model has no such layer, or a file cannot be written.
pub fn export_rtl(model: &QuantizedModel, names: [&str; 2], images: &Images, dir: &Path) -> Result<usize> {
    let pairs: Vec<Pair> = model.network().iter().filter_map(|(id, node)| pair(model, id, node)).collect();
    if pairs.is_empty() {
        let message = "no layer reads spikes and feeds neurons alone";
        return Err(Error::mismatch(format!("model {}, setting {}: {message}", names[0], names[1])));
    }
    let folder = OutputFolder::new(dir, Owner::Manifest)?;
    let frames = Mutex::new(Frames::new());
    let wanted = |id, part| {
        pairs.iter().any(|pair| {
            let reads = model.network().node(pair.sum).inputs.contains(&id);
            id == pair.neuron || part == Part::Values && (id == pair.sum || reads)
        })
    };
    record(model, images, &wanted, &|frame: Frame| {
        let key = (frame.node, frame.part, frame.t, frame.image);
        frames.lock().expect("no writer panics").insert(key, frame.values);
        Ok(())
    })?;
    let export =
        Export { model, images: images.len(), frames: frames.into_inner().expect("all threads ended") };
    let layers = pairs.iter().map(|pair| export.layer(pair, &folder)).collect::<Result<Vec<_>>>()?;
    for layer in &layers {
        let (name, parameters) = parameters(layer, model.network().timesteps, images.len());
        folder.write(&format!("{name}/layer.vh"), parameters)?;
    }
    let manifest = Manifest {
        schema: "spiq-rtl",
        version: 1,
        model: names[0],
        setting: names[1],
        timesteps: model.network().timesteps,
        images: images.len(),
        rounding: rounding_rules(),
        layers,
    };
    let text = serde_json::to_string_pretty(&manifest).expect("integers and names");
    folder.write("manifest.json", text + "\n")?;
    folder.finish()?;
    Ok(pairs.len())
}

/// `id` with its neurons, if it reads spikes alone and they are its only readers.
fn pair<'a>(model: &'a QuantizedModel, id: NodeId, node: &Node) -> Option<Pair<'a>> {
    let network = model.network();
    let sums = match &node.op {
        Op::Weighted(weighted) => {
            let ConvGeometry { kernel, stride, pad, dilation, .. } = weighted.geometry;
            dilation == [1, 1] && [kernel, stride, pad].iter().all(|[rows, columns]| rows == columns)
        }
        op => matches!(op, Op::Attention(Attention::Product { .. })),
    };
    let binary = node.inputs.iter().all(|input| network.node(*input).kind == Kind::Spikes);
    let mut readers = network.readers(id);
    match (readers.next(), readers.next()) {
        (Some((neuron, _)), None) if sums && binary => match model.op(neuron) {
            QuantizedOp::Neuron(op) if op.membrane.is_some() => Some(Pair { sum: id, neuron, op }),
            _ => None,
        },
        _ => None,
    }
}

/// A layer of the manifest as parameters that a test bench includes.
fn parameters<'a>(layer: &Layer<'a>, timesteps: usize, images: usize) -> (&'a str, String) {
    let shape = |[a, b, c]: [&'static str; 3], [x, y, z]: [usize; 3]| vec![(a, x), (b, y), (c, z)];
    let (name, neuron, own) = match layer {
        Layer::Weighted(l) => {
            let mut own = shape(["IN_CHANNELS", "IN_HEIGHT", "IN_WIDTH"], l.input_shape);
            own.extend(shape(["OUT_CHANNELS", "OUT_HEIGHT", "OUT_WIDTH"], l.output_shape));
            own.extend([("KERNEL", l.kernel), ("STRIDE", l.stride), ("PAD", l.pad), ("GROUPS", l.groups)]);
            own.extend([
                ("FRACTION_BITS", l.fraction_bits as usize),
                ("WEIGHT_BITS", l.weight_bits as usize),
                ("ACCUMULATOR_BITS", l.accumulator_bits as usize),
                ("X_BITS", l.x_bits as usize),
            ]);
            (l.name, &l.neuron, own)
        }
        Layer::Attention(l) => {
            let mut own = shape(["CHANNELS", "HEIGHT", "WIDTH"], l.shape);
            let [value_channels, ..] = l.value_shape;
            own.extend([("HEADS", l.heads), ("VALUE_CHANNELS", value_channels)]);
            own.push(("COUNT_BITS", l.count_bits as usize));
            (l.name, &l.neuron, own)
        }
    };
    let of_neuron = [
        ("MULTIPLIER_BITS", neuron.multiplier_bits),
        ("SHIFT", neuron.shift),
        ("SOFT_RESET", u32::from(neuron.reset == "subtract")),
        ("DELAYED_RESET", u32::from(neuron.reset == "subtract_delayed")),
        ("MEMBRANE_BITS", neuron.membrane_bits),
        ("THRESHOLD_BITS", neuron.threshold_bits),
        ("AMOUNT_BITS", neuron.amount_bits),
        ("POTENTIAL_BITS", neuron.potential_bits),
        ("V_BITS", neuron.v_bits),
    ];
    let of_run = [("TIMESTEPS", timesteps), ("IMAGES", images)];
    let all = of_run.into_iter().chain(own).chain(of_neuron.map(|(name, value)| (name, value as usize)));
    (name, all.map(|(name, value)| format!("localparam int {name} = {value};\n")).collect())
}

struct Export<'a> {
    model: &'a QuantizedModel,
    images: usize,
    frames: Frames,
}

impl<'a> Export<'a> {
    fn layer(&self, pair: &Pair<'a>, folder: &OutputFolder) -> Result<Layer<'a>> {
        let network = self.model.network();
        let (node, neuron) = (network.node(pair.sum), network.node(pair.neuron));
        let write = |file: &str, bits: u32, values: &[i64]| {
            folder.write(&format!("{}/{file}.mem", node.name), mem(values, bits))
        };
        let bound = self.model.bounds()[pair.sum.index()];
        let x_bits = signed_bits(-bound, bound);
        let channels =
            |list: &[i64]| (0..node.shape.channels).map(|c| per_channel(list, c)).collect::<Vec<_>>();
        let about = self.neuron(pair, &neuron.name);
        write("thresh", about.threshold_bits, &channels(&pair.op.thresholds))?;
        write("amount", about.amount_bits, &amounts(pair.op, node.shape.channels))?;
        let (multipliers, _) = Keep::common_shift(&pair.op.keeps);
        let multipliers: Vec<i64> = multipliers.into_iter().map(i64::from).collect();
        write("multiplier", MULTIPLIER_WORD, &channels(&multipliers))?;
        let discards = pair.op.membrane.iter().flat_map(|word| &word.discards);
        write("discard", 8, &channels(&discards.map(|&d| d.into()).collect::<Vec<_>>()))?;
        for t in 0..network.timesteps {
            let frame = |id, part| self.at(id, part, t);
            write(&format!("x_t{t}"), x_bits, &frame(pair.sum, Part::Values))?;
            write(&format!("v_t{t}"), about.v_bits, &frame(pair.neuron, Part::Membranes))?;
            write(&format!("out_t{t}"), 1, &frame(pair.neuron, Part::Values))?;
            let names: &[&str] = if node.inputs.len() == 1 { &["in"] } else { &["in_q", "in_k", "in_v"] };
            for (name, &input) in names.iter().zip(&node.inputs) {
                write(&format!("{name}_t{t}"), 1, &frame(input, Part::Values))?;
            }
        }
        match (&node.op, self.model.op(pair.sum)) {
            (_, QuantizedOp::Weighted(op)) => {
                let weights: Vec<i64> = op.codes.iter().map(|&c| c.into()).collect();
                write("w", width(&weights), &weights)?;
                write("bias", x_bits, &op.bias)?;
                Ok(Layer::Weighted(self.weighted(node, op, x_bits, about)))
            }
            (Op::Attention(Attention::Product { heads, .. }), _) => Ok(Layer::Attention(AttentionLayer {
                name: &node.name,
                heads: *heads,
                shape: extents(network.input_of(node, 0)),
                value_shape: extents(node),
                count_bits: x_bits,
                neuron: about,
            })),
            (op, _) => unreachable!("{op:?} is not exported"),
        }
    }

    fn weighted(
        &self,
        node: &'a Node,
        op: &QuantizedWeighted,
        x_bits: u32,
        neuron: NeuronLayer<'a>,
    ) -> WeightedLayer<'a> {
        let g = &op.geometry;
        WeightedLayer {
            name: &node.name,
            input_shape: extents(self.model.network().input_of(node, 0)),
            output_shape: extents(node),
            kernel: g.kernel[0],
            stride: g.stride[0],
            pad: g.pad[0],
            groups: g.groups,
            fraction_bits: op.fraction_bits,
            weight_bits: width(&op.codes.iter().map(|&c| c.into()).collect::<Vec<_>>()),
            accumulator_bits: op.accumulator_bits,
            accumulator: op.accumulator,
            x_bits,
            neuron,
        }
    }

    fn neuron(&self, pair: &Pair<'a>, name: &'a str) -> NeuronLayer<'a> {
        let (multipliers, shift) = Keep::common_shift(&pair.op.keeps);
        let potential = self.model.potential_bound(pair.neuron);
        let potential_bits = signed_bits(-potential, potential);
        NeuronLayer {
            neuron: name,
            multiplier_bits: multiplier_bits(&multipliers),
            shift,
            reset: match pair.op.reset {
                QuantizedReset::Zero => "zero",
                QuantizedReset::Subtract | QuantizedReset::SubtractAmount { .. } => "subtract",
                QuantizedReset::SubtractDelayed => "subtract_delayed",
            },
            strict: pair.op.strict,
            membrane_bits: pair.op.membrane.as_ref().map_or(0, |word| word.bits),
            threshold_bits: width(&pair.op.thresholds),
            amount_bits: width(&amounts(pair.op, self.model.network().node(pair.sum).shape.channels)),
            potential_bits,
            v_bits: potential_bits,
        }
    }

    /// The frames of all images at timestep `t`.
    fn at(&self, id: NodeId, part: Part, t: usize) -> Vec<i64> {
        let t = if self.model.network().node(id).constant { 0 } else { t };
        (0..self.images).flat_map(|image| &self.frames[&(id, part, t, image)]).copied().collect()
    }
}

/// Bits of `multipliers`, without a sign; 0 where one of 1 leaves a shift.
fn multiplier_bits(multipliers: &[u32]) -> u32 {
    match multipliers {
        [1] => 0,
        several => several.iter().map(|m| u32::BITS - m.leading_zeros()).max().unwrap_or(0).max(1),
    }
}

/// What a spike of each channel subtracts; 0 of a hard reset.
fn amounts(op: &QuantizedNeuron, channels: usize) -> Vec<i64> {
    (0..channels).map(|channel| op.amount(channel).unwrap_or(0)).collect()
}

fn extents(node: &Node) -> [usize; 3] {
    [node.shape.channels, node.shape.height, node.shape.width]
}

/// Bits of the narrowest word that holds all of `values`.
fn width(values: &[i64]) -> u32 {
    let (low, high) = values.iter().fold((0, 0), |(low, high), &x| (x.min(low), x.max(high)));
    signed_bits(low, high)
}

/// One value per line, two's complement in whole hexadecimal digits.
fn mem(values: &[i64], bits: u32) -> String {
    let digits = bits.div_ceil(4) as usize;
    let mask = u64::MAX >> (64 - 4 * digits);
    values.iter().map(|&x| format!("{:0digits$x}\n", x as u64 & mask)).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_of_whole_digits() {
        assert_eq!(super::mem(&[1, -1, -17, 255], 9), "001\nfff\nfef\n0ff\n");
        assert_eq!(super::mem(&[0, 1], 1), "0\n1\n");
        assert_eq!(super::width(&[-9, 3]), 5);
    }
}

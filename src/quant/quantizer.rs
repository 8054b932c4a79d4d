//! Model and setting -> [`QuantizedModel`]. All floating point of a setting happens here, in
//! `f64`, once.

use std::sync::Arc;

use rayon::prelude::*;

use super::bounds::prove;
use super::calibration::{Approach, Rows};
use super::faint::{clear_dead_channels, widen_steps};
use super::neuron::*;
use super::quantized::*;
use super::stored_rows::{of_classifier, stored_rows};
use super::{
    Calibration, FixedPoint, InputMoments, InputStatistics, KeptIntegers, LayerIntegers, WeightRounding,
    WeightScheme, input_integers, real_layer, second_order,
};
use crate::error::{Error, Result};
use crate::model::{
    Attention, ClassToken, ConvGeometry, Fire, FoldedLayer, Grid, InputSpec, IntegerNeuron, Join, Kind, Leak,
    Model, Neuron, Node, NodeId, Op, Padding, Readout, ReadoutOver, Reset, Weighted,
};
use crate::num::{Format, Keep, Requantizer, Rounding, ceil_log2};
use crate::quant::scheme::Sharing;

/// Thresholds have at least 2^8 steps, so that a bias is not rounded coarsely at every timestep.
const THRESHOLD_STEPS: f64 = 256.0;
/// Weights that are worth a thread.
const WEIGHTS_OF_A_THREAD: usize = 1 << 14;
/// No amount that a spike subtracts has more steps.
const MAX_AMOUNT: i64 = 1 << 46;
/// No pre-activation has more fraction bits.
const MAX_FRACTION_BITS: u32 = 16;

/// The network of integers that `setting` makes of `model`.
///
/// # Errors
/// If the setting names layers that the model lacks, asks for what only images can tell, or a bound does not
/// fit 64-bit arithmetic.
pub fn quantize(model: &Model, setting: &FixedPoint, calibration: &Calibration) -> Result<QuantizedModel> {
    if setting.rate_matching && setting.kept_of(model).is_none() {
        Err(Error::mismatch("thresholds are matched on calibration images, and none were run"))
    } else {
        quantize_layerwise(model, setting, calibration, |_, _, _| ())
    }
}

/// [`quantize`], where `adjust` sees the integers of every node in order of execution, and may change the
/// thresholds of neurons. Bounds are proven of what it leaves.
///
/// # Errors
/// Those of [`quantize`].
pub fn quantize_layerwise(
    model: &Model,
    setting: &FixedPoint,
    calibration: &Calibration,
    mut adjust: impl FnMut(NodeId, &Node, &mut QuantizedOp),
) -> Result<QuantizedModel> {
    setting.check_names(&model.network)?;
    let kept = setting.kept_of(model);
    kept.map_or(Ok(()), |kept| kept.check(model))?;
    let ranges = kept.map(|kept| Calibration::of_ranges(kept.ranges()));
    let mut quantizer = Quantizer::new(model, setting, kept, ranges.as_ref().unwrap_or(calibration));
    for (id, node) in model.network.iter() {
        let (mut op, lsb) = quantizer.op(id, node)?;
        // Whoever adjusts it may run it before.
        prove(&model.network, node, &mut op, &quantizer.bounds)?;
        adjust(id, node, &mut op);
        quantizer.push(node, op, lsb)?;
    }
    Ok(QuantizedModel {
        network: model.network.clone(),
        ops: quantizer.ops,
        bounds: quantizer.bounds,
        lsbs: quantizer.lsbs,
        residual: quantizer.residual,
    })
}

/// The state of a pass over the nodes in order of execution.
struct Quantizer<'a> {
    model: &'a Model,
    setting: &'a FixedPoint,
    /// Where they are known, nothing is rounded.
    kept: Option<&'a KeptIntegers>,
    calibration: &'a Calibration,
    residual: Format,
    ops: Vec<QuantizedOp>,
    bounds: Vec<i64>,
    /// Per node, the value of one step: per channel, or one for all.
    lsbs: Vec<Vec<f64>>,
}

impl<'a> Quantizer<'a> {
    fn new(
        model: &'a Model,
        setting: &'a FixedPoint,
        kept: Option<&'a KeptIntegers>,
        calibration: &'a Calibration,
    ) -> Self {
        let stream = |node: &Node| node.kind == Kind::Grid(Grid::Residual);
        let seen = model.network.nodes.iter().zip(&calibration.magnitude).filter(|(node, _)| stream(node));
        let magnitude = seen.fold(0.0, |m: f64, (_, &x)| m.max(x));
        let mut residual = Format::for_magnitude(setting.residual_bits, magnitude);
        residual.fraction_bits = setting.residual_fraction_bits.unwrap_or(residual.fraction_bits);
        Self { model, setting, kept, calibration, residual, ops: vec![], bounds: vec![], lsbs: vec![] }
    }

    /// The integers of `node`, and what one step of them is worth.
    fn op(&self, id: NodeId, node: &Node) -> Result<(QuantizedOp, Vec<f64>)> {
        Ok(match &node.op {
            Op::Input => input_integers(&self.model.description.input, self.setting.input),
            Op::Weighted(weighted) => self.weighted(id, node, weighted)?,
            Op::Neuron(Neuron { leak: Leak::Loihi { voltage_decay, current_decay }, threshold, .. }) => {
                self.loihi(node, *voltage_decay, *current_decay, *threshold)
            }
            Op::Neuron(neuron) => self.neuron(node, neuron)?,
            Op::IntegerNeuron(neuron) => self.integer_neuron(node, *neuron),
            Op::Requantize(grid) => self.requantize(id, node, *grid)?,
            Op::Add(Join::Membrane) => self.add_membrane(node)?,
            Op::ClassToken(token) => self.class_token(node, token),
            Op::Add(Join::Spikes)
            | Op::MaxPool(_)
            | Op::PlanePool { .. }
            | Op::Mask
            | Op::Gate(_)
            | Op::FirstToken => (QuantizedOp::Exact, self.lsb(node, 0).to_vec()),
            Op::Attention(attention) => self.attention(node, *attention),
            Op::AvgPool(window) => self.mean(node, window.values()),
            Op::MeanTokens => self.mean(node, self.model.network.input_of(node, 0).shape.positions()),
            Op::MeanTimesteps => self.mean(node, self.model.network.timesteps),
            Op::Readout(readout) => self.readout(node, *readout),
        })
    }

    fn push(&mut self, node: &Node, mut op: QuantizedOp, lsb: Vec<f64>) -> Result<()> {
        let bound = prove(&self.model.network, node, &mut op, &self.bounds)?;
        self.ops.push(op);
        self.bounds.push(bound);
        self.lsbs.push(lsb);
        Ok(())
    }

    fn bound(&self, node: &Node, input: usize) -> i64 {
        self.bounds[node.inputs[input].index()]
    }

    fn lsb(&self, node: &Node, input: usize) -> &[f64] {
        &self.lsbs[node.inputs[input].index()]
    }

    /// A mean is an exact sum whose step is `count` times smaller.
    fn mean(&self, node: &Node, count: usize) -> (QuantizedOp, Vec<f64>) {
        let lsb = self.lsb(node, 0).iter().map(|lsb| lsb / count as f64).collect();
        (QuantizedOp::Exact, lsb)
    }

    /// Potentials in steps of their input, over what its decay leaves undone; a mean is a sum.
    fn readout(&self, node: &Node, readout: Readout) -> (QuantizedOp, Vec<f64>) {
        let decays = self.model.weights.decays(node);
        let summed = if readout.over == ReadoutOver::Mean { self.model.network.timesteps } else { 1 };
        // Only readouts that share one leak decay their inputs.
        let divisor = decays[0].gain * summed as f64;
        let lsb = self.lsb(node, 0).iter().map(|lsb| lsb / divisor).collect();
        let keeps = decays.into_iter().map(|decay| decay.keep).collect();
        (QuantizedOp::Readout(QuantizedReadout { keeps }), lsb)
    }

    fn attention(&self, node: &Node, attention: Attention) -> (QuantizedOp, Vec<f64>) {
        let lsb = match attention {
            // Spikes are worth 1, integer spikes 1/norm: one step for all channels.
            Attention::Product { scale, .. } => (0..3).fold(scale, |lsb, i| lsb * self.lsb(node, i)[0]),
            Attention::KeyValueCount | Attention::ChannelCount { .. } => 1.0,
        };
        (QuantizedOp::Exact, vec![lsb])
    }

    fn weighted(&self, id: NodeId, node: &Node, weighted: &Weighted) -> Result<(QuantizedOp, Vec<f64>)> {
        let mut layer = real_layer(self.model, self.setting.input, node, weighted);
        let scheme = self.scheme(id, node, weighted, &mut layer).map_err(|m| self.refused(node, &m))?;
        let &[input_lsb] = self.lsb(node, 0) else {
            return Err(self.refused(node, "reads values whose scale differs by channel"));
        };
        let LayerIntegers { codes, bias, fraction_bits, lsb, base } = match self.kept {
            Some(kept) => kept.layer(node, scheme)?.clone(),
            None => self.rounded(id, node, layer, scheme, weighted.geometry, input_lsb)?,
        };
        let op = QuantizedWeighted {
            geometry: weighted.geometry,
            codes,
            bias,
            fraction_bits,
            lsb: lsb.clone(),
            scheme: scheme.with_base(base),
            padding: self.padding(node, weighted),
            // Follows from the codes, see `prove`.
            accumulator_bits: 0,
            accumulator: self.setting.accumulator_of(&node.name),
        };
        Ok((QuantizedOp::Weighted(op), lsb))
    }

    /// The integers of a weight layer that reads steps of `input_lsb`.
    fn rounded(
        &self,
        id: NodeId,
        node: &Node,
        mut layer: FoldedLayer,
        scheme: WeightScheme,
        geometry: ConvGeometry,
        input_lsb: f64,
    ) -> Result<LayerIntegers> {
        let statistics = self.statistics(id, node)?;
        let rows = self.rows(id, &layer, scheme, geometry, statistics).map_err(|m| self.refused(node, &m))?;
        let Rows { mut codes, lsbs: mut weight_lsb, scheme } = Arc::unwrap_or_clone(rows);
        if let (true, Some(seen)) = (self.setting.bias_correction, statistics) {
            correct_bias(&mut layer, &codes, &weight_lsb, seen);
        }
        let steps: Vec<f64> = weight_lsb.iter().map(|lsb| lsb * input_lsb).collect();
        let fraction_bits = match self.setting.fraction_bits_of(&node.name) {
            Some(bits) => bits,
            None if scheme.is_exact() && layer.steps.is_none() => 0,
            None => default_fraction_bits(&steps, self.threshold_of(id)),
        };
        let fine = f64::from(fraction_bits).exp2();
        widen_steps(&layer, &scheme, fine / input_lsb, &mut codes, &mut weight_lsb);
        let lsb: Vec<f64> = weight_lsb.iter().map(|lsb| lsb * input_lsb / fine).collect();
        let bias = layer.bias.iter().zip(&lsb).map(|(b, lsb)| Rounding::HalfEven.round(b / lsb)).collect();
        Ok(LayerIntegers { codes, bias, fraction_bits, lsb, base: scheme.base() })
    }

    fn refused(&self, node: &Node, message: &str) -> Error {
        let advice = match self.setting.weights_of(&node.name) {
            WeightScheme::Stored { bits } => {
                format!("; is w{bits} meant? int{bits} keeps weights that are integers already")
            }
            _ => String::new(),
        };
        Error::mismatch(format!("layer {}: {message}{advice}", node.name))
    }

    /// The scheme of a weight layer, whose weights it leaves as that scheme rounds them.
    fn scheme(
        &self,
        id: NodeId,
        node: &Node,
        weighted: &Weighted,
        layer: &mut FoldedLayer,
    ) -> Result<WeightScheme, String> {
        let (scheme, fan_in) = (self.setting.weights_of(&node.name), weighted.geometry.fan_in());
        if scheme.is_exact() {
            self.check_stored(node, weighted, layer)?;
        }
        if self.model.network.classifier() == Some(id) {
            // Logits are compared with one another, so they share one scale.
            return of_classifier(scheme, layer, fan_in);
        }
        if scheme.rounds_to_nearest() || layer.steps.is_some() {
            clear_dead_channels(layer, fan_in, self.threshold_of(id));
        }
        Ok(scheme)
    }

    /// Codes of all outputs of a layer and the scale of each.
    fn rows(
        &self,
        id: NodeId,
        layer: &FoldedLayer,
        scheme: WeightScheme,
        geometry: ConvGeometry,
        statistics: Option<&InputStatistics>,
    ) -> Result<Arc<Rows>, String> {
        if let (WeightScheme::Stored { bits }, Some(steps)) = (scheme, &layer.steps) {
            return stored_rows(layer, steps, bits, geometry.fan_in()).map(Arc::new);
        }
        let kept = &self.calibration.rounded;
        let rounding = self.setting.rounding_of(&self.model.network.node(id).name);
        match (rounding, statistics) {
            (WeightRounding::SecondOrder, Some(seen)) if scheme.rounds_to_nearest() => {
                let centred = self.setting.bias_correction;
                let moments = |group: usize| seen.moments(group, centred);
                kept.get((id, scheme, Approach::Together { centred }), || {
                    let moments: Vec<_> = (0..geometry.groups).map(moments).collect();
                    let importance: Vec<_> = moments.iter().map(second_order::importance).collect();
                    let scheme = scheme.fitted(&layer.weight, geometry.fan_in(), Some(&importance));
                    let (codes, lsbs) = second_order::quantize_rows(&layer.weight, &scheme, &moments);
                    Ok(Rows { codes, lsbs, scheme })
                })
            }
            _ => {
                let round = || quantize_rows(&layer.weight, scheme, geometry.fan_in());
                if self.calibration.keeps_nearest {
                    kept.get((id, scheme, Approach::Nearest(self.setting.input)), round)
                } else {
                    round().map(Arc::new)
                }
            }
        }
    }

    /// What is known of the inputs of a weight layer, if its integers depend on it.
    fn statistics(&self, id: NodeId, node: &Node) -> Result<Option<&'a InputStatistics>> {
        let Some(wanted) = self.setting.wanted_of(&node.name) else { return Ok(None) };
        match &self.calibration.inputs[id.index()] {
            Some(seen)
                if self.calibration.coding == self.setting.input
                    && (wanted == InputMoments::Means || !seen.products.is_empty()) =>
            {
                Ok(Some(seen))
            }
            _ => Err(Error::mismatch(format!(
                "layer {}: its integers depend on calibration images, and none were run",
                node.name
            ))),
        }
    }

    /// Refuses a layer whose integers would not be executed as they are stored.
    fn check_stored(&self, node: &Node, weighted: &Weighted, layer: &FoldedLayer) -> Result<(), String> {
        if layer.steps.is_some() {
            return Ok(());
        }
        if weighted.stored.is_some() {
            return Err(
                "stored codes meet an image whose channels have deviations of their own, which `input: \
                        Fixed(bits, frac)` of a setting divides by"
                    .to_owned(),
            );
        }
        let from = self.model.network.input_of(node, 0);
        if from.op == Op::Input && matches!(self.model.description.input, InputSpec::Image { .. }) {
            return Err("integer weights read `Integers` or `Events`, not a normalized `Image`".to_owned());
        }
        match layer.bias.iter().position(|b| b.fract() != 0.0) {
            Some(i) => Err(format!("bias {i} is {}, and no integer", layer.bias[i])),
            None => Ok(()),
        }
    }

    /// The smallest integer potential, in real units, that a reader of `id` compares with.
    fn threshold_of(&self, id: NodeId) -> f64 {
        let network = &self.model.network;
        let thresholds = network.readers(id).map(|(reader_id, reader)| match &reader.op {
            Op::Neuron(neuron) => {
                let scales = self.model.weights.thresholds(reader).unwrap_or(&[1.0]);
                let scale = scales.iter().copied().fold(f32::INFINITY, f32::min);
                let gains = self.model.weights.decays(reader).into_iter().map(|decay| decay.gain);
                neuron.height(scale) * gains.fold(f64::INFINITY, f64::min)
            }
            Op::IntegerNeuron(_) => 1.0,
            Op::MaxPool(_) | Op::AvgPool(_) | Op::FirstToken => self.threshold_of(reader_id),
            // The streams and sums of these families feed neurons of threshold 1 and tau 2.
            _ => 2.0,
        });
        thresholds.fold(f64::INFINITY, f64::min).min(2.0)
    }

    fn padding(&self, node: &Node, weighted: &Weighted) -> Option<Vec<i64>> {
        if weighted.padding == Padding::Zero {
            return None;
        }
        // What the layer before yields for an all-zero input: its bias, on the grid read here.
        let grid = node.inputs[0];
        let before = self.model.network.node(grid).inputs[0];
        match (&self.ops[grid.index()], &self.ops[before.index()]) {
            (QuantizedOp::Requantize { requantizers, format }, QuantizedOp::Weighted(producer)) => {
                let value = |(c, &b)| format.saturate(per_channel(requantizers, c).apply(b)).0;
                Some(producer.bias.iter().enumerate().map(value).collect())
            }
            _ => None,
        }
    }

    fn neuron(&self, node: &Node, neuron: &Neuron) -> Result<(QuantizedOp, Vec<f64>)> {
        let decays = self.model.weights.decays(node);
        let keeps: Vec<Keep> = decays.iter().map(|decay| decay.keep).collect();
        let gains: Vec<f64> = decays.iter().map(|decay| decay.gain).collect();
        // A threshold out of reach never fires, and neither does one just out of reach.
        let reach = |c: usize| per_channel(&keeps, c).reach(self.model.network.timesteps);
        let unreachable = |c: usize| self.bound(node, 0) * reach(c) + 1;
        let scales = self.model.weights.thresholds(node).unwrap_or(&[1.0]);
        let lsbs = self.lsb(node, 0);
        let channels = lsbs.len().max(scales.len()).max(decays.len());
        let steps = |c: usize, real: f64| per_channel(&gains, c) * real / per_channel(lsbs, c);
        let threshold = |c: usize| {
            let steps = whole(steps(c, neuron.height(per_channel(scales, c))));
            let smallest = match neuron.fire {
                Fire::AtThreshold => steps.ceil() as i64,
                Fire::AboveThreshold => (steps.floor() as i64).saturating_add(1),
            };
            smallest.min(unreachable(c))
        };
        let thresholds: Vec<i64> = match self.kept {
            Some(kept) => kept.thresholds(node)?.to_vec(),
            None => (0..channels).map(threshold).collect(),
        };
        // An amount is a whole number of steps, at least one.
        let amounts = |real: f64| {
            let whole = |c: usize| Rounding::HalfEven.round(steps(c, real)).clamp(1, MAX_AMOUNT);
            (0..channels).map(whole).collect()
        };
        let reset = match neuron.reset {
            Reset::Zero | Reset::To(_) => QuantizedReset::Zero,
            Reset::Subtract => QuantizedReset::Subtract,
            Reset::SubtractAmount(amount) => QuantizedReset::SubtractAmount { amounts: amounts(amount) },
            Reset::SubtractDelayed => QuantizedReset::SubtractDelayed,
            Reset::None => QuantizedReset::SubtractAmount { amounts: vec![0] },
        };
        let counts = matches!(self.model.network.input_of(node, 0).kind, Kind::Count { .. });
        // A count of 1 or more fires and resets, a count of 0 adds nothing: nothing is ever kept.
        let stateless = counts && reset == QuantizedReset::Zero && thresholds.iter().all(|&th| th == 1);
        let bits = self.setting.membrane_bits_of(&node.name);
        let membrane = (!stateless).then_some(MembraneWord { bits, discards: Vec::new() });
        let strict = neuron.fire == Fire::AboveThreshold;
        let op = QuantizedNeuron { thresholds: Vec::new(), keeps, gains, reset, strict, membrane };
        Ok((QuantizedOp::Neuron(op.with_thresholds(thresholds)), vec![1.0]))
    }

    /// Thresholds are whole steps of X, shifted as the input is.
    fn loihi(
        &self,
        node: &Node,
        voltage_decay: u32,
        current_decay: u32,
        threshold: f64,
    ) -> (QuantizedOp, Vec<f64>) {
        // No voltage reaches beyond its word.
        let reachable = |steps: f64| (steps.floor() as i64).min(1 << (LOIHI_BITS - LOIHI_INPUT_SHIFT));
        let scales = self.model.weights.thresholds(node).unwrap_or(&[1.0]);
        let lsbs = self.lsb(node, 0);
        let fires = |c: usize| {
            let steps = whole(threshold * f64::from(per_channel(scales, c)) / per_channel(lsbs, c));
            (reachable(steps) << LOIHI_INPUT_SHIFT) + 1
        };
        let thresholds = (0..lsbs.len().max(scales.len())).map(fires).collect();
        let op = QuantizedLoihi { thresholds, voltage_decay, current_decay };
        (QuantizedOp::Loihi(op), vec![1.0])
    }

    /// Level k is reached where round(x) >= k, halves to even: at k - 1/2 for an even k, behind it for an
    /// odd one.
    fn integer_neuron(&self, node: &Node, neuron: IntegerNeuron) -> (QuantizedOp, Vec<f64>) {
        let unreachable = self.bound(node, 0) + 1;
        let threshold = |level: u32, lsb: f64| {
            let steps = whole((f64::from(level) - 0.5) / lsb);
            let smallest = match level % 2 {
                0 => steps.ceil() as i64,
                _ => (steps.floor() as i64).saturating_add(1),
            };
            smallest.min(unreachable)
        };
        let thresholds =
            |lsb: &f64| -> Vec<i64> { (1..=neuron.max).map(|level| threshold(level, *lsb)).collect() };
        let thresholds = self.lsb(node, 0).iter().map(thresholds).collect();
        (QuantizedOp::Levels { thresholds }, vec![1.0 / f64::from(neuron.norm)])
    }

    fn requantize(&self, id: NodeId, node: &Node, grid: Grid) -> Result<(QuantizedOp, Vec<f64>)> {
        let format = match grid {
            Grid::Residual => self.residual,
            Grid::Activation => {
                Format::for_magnitude(self.setting.activation_bits, self.calibration.magnitude[id.index()])
            }
        };
        let requantizers = requantizers(node, self.lsb(node, 0), format)?;
        Ok((QuantizedOp::Requantize { requantizers, format }, vec![format.lsb()]))
    }

    /// What is learned, rounded once onto the grid of the stream.
    fn class_token(&self, node: &Node, token: &ClassToken) -> (QuantizedOp, Vec<f64>) {
        let format = self.residual;
        let learned = self.model.weights.class_token(node, token);
        let on_grid = |values: Vec<f64>| -> Vec<i64> {
            let nearest = |x: f64| format.saturate(Rounding::HalfEven.round(x / format.lsb())).0;
            values.into_iter().map(nearest).collect()
        };
        let (token, positions) = (on_grid(learned.token), learned.positions.map(on_grid));
        (QuantizedOp::ClassToken(QuantizedTokens { token, positions, format }), vec![format.lsb()])
    }

    fn add_membrane(&self, node: &Node) -> Result<(QuantizedOp, Vec<f64>)> {
        let format = self.residual;
        let from_accumulator = self.model.network.input_of(node, 1).kind == Kind::PreActivation;
        let branch =
            if from_accumulator { Some(requantizers(node, self.lsb(node, 1), format)?) } else { None };
        Ok((QuantizedOp::AddMembrane(QuantizedAdd { branch, format }), vec![format.lsb()]))
    }
}

/// Codes of all rows and the scale of each, every weight rounded by itself.
pub(super) fn quantize_rows(weight: &[f64], scheme: WeightScheme, fan_in: usize) -> Result<Rows, String> {
    let (scheme, rows) = (scheme.fitted(weight, fan_in, None), weight.len() / fan_in);
    match scheme.granularity() {
        Sharing::Layer => {
            let all = scheme.quantize(weight, fan_in)?;
            Ok(Rows { codes: all.codes, lsbs: vec![all.lsb; rows], scheme })
        }
        Sharing::Channel => {
            let (mut codes, mut lsbs) = (vec![0; weight.len()], vec![0.0; rows]);
            let all = (weight.par_chunks_exact(fan_in), codes.par_chunks_exact_mut(fan_in)).into_par_iter();
            let round = |((weights, codes), lsb): ((&[f64], &mut [i32]), &mut f64)| {
                let row = scheme.quantize(weights, fan_in)?;
                codes.copy_from_slice(&row.codes);
                *lsb = row.lsb;
                Ok(())
            };
            let rows: Vec<Result<(), String>> =
                all.zip(&mut lsbs).with_min_len(WEIGHTS_OF_A_THREAD.div_ceil(fan_in)).map(round).collect();
            // The first row's refusal is told, where there are several.
            rows.into_iter().collect::<Result<(), String>>()?;
            Ok(Rows { codes, lsbs, scheme })
        }
    }
}

/// Puts into the bias what the rounding of the weights takes from the mean of every output.
fn correct_bias(layer: &mut FoldedLayer, codes: &[i32], lsbs: &[f64], seen: &InputStatistics) {
    let groups = seen.sums.len();
    let means: Vec<Vec<f64>> = (0..groups).map(|group| seen.means(group)).collect();
    let (rows, fan_in) = (lsbs.len(), means[0].len());
    for (out, bias) in layer.bias.iter_mut().enumerate() {
        let row = out * fan_in..(out + 1) * fan_in;
        let lost = (layer.weight[row.clone()].iter().zip(&codes[row])).zip(&means[out * groups / rows]);
        *bias += lost.map(|((w, &code), mean)| (w - f64::from(code) * lsbs[out]) * mean).sum::<f64>();
    }
}

/// `steps`, or the integer that it misses by no more than a few roundings of `f64`: the step of a mean over
/// 49 tokens is no float, and a threshold one step too high does not fire at equality.
fn whole(steps: f64) -> f64 {
    let nearest = steps.round();
    if (steps - nearest).abs() <= nearest * (-50f64).exp2() { nearest } else { steps }
}

/// The smallest f that gives `threshold` at least [`THRESHOLD_STEPS`] steps in every channel.
fn default_fraction_bits(steps: &[f64], threshold: f64) -> u32 {
    let coarsest = steps.iter().copied().fold(0.0, f64::max);
    let missing = THRESHOLD_STEPS * coarsest / threshold;
    let bits = if missing > 1.0 { ceil_log2(missing) as u32 } else { 0 };
    bits.min(MAX_FRACTION_BITS)
}

/// From pre-activations with `lsbs` onto `format`; a channel too fine to matter becomes 0.
fn requantizers(node: &Node, lsbs: &[f64], format: Format) -> Result<Vec<Requantizer>> {
    let vanish = Requantizer { multiplier: 1, shift: 62 };
    let requantizer = |lsb: &f64| match lsb / format.lsb() {
        ratio if ratio >= 32768.0 => {
            let message = format!("layer {}: a step of {lsb} is more than 2^15 steps of the grid", node.name);
            Err(Error::mismatch(message))
        }
        ratio => Ok(Requantizer::from_ratio(ratio).unwrap_or(vanish)),
    };
    lsbs.iter().map(requantizer).collect()
}

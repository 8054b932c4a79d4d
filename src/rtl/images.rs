//! What the memories of the design hold before a layer runs, and what it has to yield.

use super::layer::{DesignLayer, THRESHOLD_BITS};
use super::machine::{DesignMachine, SUM_BITS};
use super::program::{PARAMETER_BITS, Placed};
use super::words::{Words, row};
use crate::model::ConvGeometry;
use crate::quant::per_channel;

/// A threshold that nothing reaches.
pub const UNREACHED: i64 = (1 << (THRESHOLD_BITS - 1)) - 1;

/// Rows of weights, bit plane by bit plane, and behind them biases and thresholds of each tile.
pub fn weights(layer: &DesignLayer, placed: &Placed, machine: &DesignMachine) -> Words {
    let mut words = Words::new(machine.channels);
    let ConvGeometry { in_channels, out_channels, .. } = *layer.geometry();
    let (fan_in, taps) = (layer.geometry().fan_in(), layer.geometry().taps());
    for output in 0..out_channels {
        let codes = stored_codes(layer, &layer.weighted.codes[output * fan_in..][..fan_in]);
        let (tile, lane) = (output / layer.channels(), output % layer.channels());
        for (channel, tap) in (0..in_channels).flat_map(|channel| (0..taps).map(move |tap| (channel, tap))) {
            let code = codes[channel * taps + tap];
            let row = tile * placed.tile_words + (tap * in_channels + channel) * placed.row_words;
            for plane in 0..layer.row_bits() as usize {
                let at = row * machine.channels + (plane << placed.log_plane) + lane;
                words.put(at, 1, code >> plane);
            }
        }
    }
    let row_bits = machine.weights.banks * machine.channels;
    for tile in 0..layer.tiles() {
        let first = (placed.parameter_row + tile * placed.parameter_rows) * row_bits;
        for lane in 0..machine.channels {
            let output = tile * layer.channels() + lane;
            let used = lane < layer.channels() && output < out_channels;
            let (bias, threshold) = if used { parameters(layer, output) } else { (0, UNREACHED) };
            words.put(first + lane * PARAMETER_BITS, PARAMETER_BITS, bias);
            words.put(first + (machine.channels + lane) * PARAMETER_BITS, PARAMETER_BITS, threshold);
        }
    }
    words
}

/// The weights of an output as rows hold them: codes, below the exponent of their block. Of exponents that lead to the
/// integers of a block it is the smallest.
fn stored_codes(layer: &DesignLayer, codes: &[i32]) -> Vec<i64> {
    let (scheme, weight) = (layer.weighted.scheme, layer.product.weight);
    let (Some(block), Some(table)) = (weight.block, scheme.table()) else {
        return codes.iter().map(|&code| scheme.stored(code)).collect();
    };
    let in_block = |codes: &[i32]| -> Vec<i64> {
        let fits = |e: &u32| codes.iter().all(|&code| table.holds_at(code, *e));
        let exponent = (0..block.exponents).find(fits).expect("codes are levels of a block");
        let code = |&code: &i32| {
            let below = table.stored(code / (1 << exponent));
            i64::from(exponent) << weight.code_bits | below
        };
        codes.iter().map(code).collect()
    };
    codes.chunks(block.inputs).flat_map(in_block).collect()
}

/// Bias of an output channel, and its threshold with the low bits that its membranes drop above it.
fn parameters(layer: &DesignLayer, output: usize) -> (i64, i64) {
    let bias = layer.weighted.bias[output];
    let Some((_, neuron)) = layer.neuron else { return (bias, UNREACHED) };
    let discards = neuron.membrane.as_ref().map_or(&[][..], |word| &word.discards);
    let discard = discards.get(output).or(discards.first()).map_or(0, |&discard| i64::from(discard));
    let threshold = per_channel(&neuron.thresholds, output).clamp(-UNREACHED, UNREACHED);
    (bias, threshold & ((1 << THRESHOLD_BITS) - 1) | discard << THRESHOLD_BITS)
}

/// The input, of frames in PyTorch's order.
pub fn inputs(layer: &DesignLayer, placed: &Placed, machine: &DesignMachine, frames: &[&[i64]]) -> Words {
    let mut words = Words::new(machine.channels);
    words.grow(placed.input.words);
    let positions = layer.in_shape.positions();
    for (t, frame) in frames.iter().enumerate() {
        for (i, &value) in frame.iter().enumerate().filter(|(_, value)| **value != 0) {
            words.put(placed.input.at(t, i % positions, i / positions), placed.input.room, value);
        }
    }
    words
}

/// The spikes that the neurons write, word by word.
pub fn spikes(layer: &DesignLayer, placed: &Placed, machine: &DesignMachine, frames: &[&[i64]]) -> Words {
    let mut words = Words::new(machine.channels);
    words.grow(placed.output.words);
    let positions = layer.product.positions;
    for (t, frame) in frames.iter().enumerate() {
        for i in (0..frame.len()).filter(|&i| frame[i] != 0) {
            words.put(placed.output.at(t, i % positions, i / positions) - placed.output.base, 1, 1);
        }
    }
    words
}

/// The sums that leave, a line for each tile, wave, timestep and position, as the design hands them out.
pub fn sums(layer: &DesignLayer, machine: &DesignMachine, frames: &[&[i64]]) -> String {
    let positions = layer.product.positions;
    let mut text = String::new();
    for tile in 0..layer.tiles() {
        let first = tile * layer.channels();
        let channels = layer.channels().min(layer.product.outputs - first);
        for wave in (0..positions).step_by(machine.positions) {
            for frame in frames {
                for position in wave..positions.min(wave + machine.positions) {
                    let value =
                        |c: usize| if c < channels { frame[(first + c) * positions + position] } else { 0 };
                    text += &row((0..machine.channels).map(value), SUM_BITS);
                }
            }
        }
    }
    text
}

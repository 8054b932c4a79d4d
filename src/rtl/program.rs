//! The program of a layer: the fields of `rtl/design/program.svh`.

use super::layer::DesignLayer;
use super::machine::{Banks, DesignMachine};
use super::table::DesignTable;
use crate::map::Input;

/// Bits of a field, and of an address in it.
const FIELD_BITS: u32 = 24;
/// Bits of a bias, or of a threshold with its discard.
pub const PARAMETER_BITS: usize = 32;

/// Where values of a map lie: `[timestep][block of channels][row][column][channel]`. A block is as many channels as a word
/// has room for, so that neighbouring positions lie in different banks; few channels share a word with other positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapLayout {
    /// First bit.
    pub base: usize,
    /// Bits that a value takes: a power of two.
    pub room: usize,
    /// From one position to the next.
    pub pixel_bits: usize,
    /// Words of a position.
    pub blocks: usize,
    /// From one word of a position to the next.
    pub block_bits: usize,
    /// From one timestep to the next.
    pub frame_bits: usize,
    /// Words of all timesteps.
    pub words: usize,
    /// Bits of a word.
    word: usize,
}

impl MapLayout {
    /// Layout of `frames` frames of `positions` positions with `channels` values of `bits` bits each, from word
    /// number `first`.
    pub fn new(word: usize, first: usize, [frames, positions, channels]: [usize; 3], bits: u32) -> Self {
        let room = (bits as usize).next_power_of_two();
        let bits = channels * room;
        let (pixel_bits, blocks) = (bits.next_power_of_two().min(word), bits.div_ceil(word));
        let block_words = (positions * pixel_bits).div_ceil(word);
        let frame_words = blocks * block_words;
        Self {
            base: first * word,
            room,
            pixel_bits,
            blocks,
            block_bits: block_words * word,
            frame_bits: frame_words * word,
            words: frames * frame_words,
            word,
        }
    }

    /// Bit of a value.
    pub fn at(&self, t: usize, position: usize, channel: usize) -> usize {
        let (block, bit) = (channel * self.room / self.word, channel * self.room % self.word);
        self.base + t * self.frame_bits + block * self.block_bits + position * self.pixel_bits + bit
    }
}

/// Where everything of a layer lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Frames that are summed: timesteps, or one for all of them.
    pub frames: usize,
    /// Times that neurons take each sum.
    pub repeats: usize,
    /// Words of the weights of one input.
    pub row_words: usize,
    /// log2 of the channels in a bit plane.
    pub log_plane: u32,
    /// Words of the weights of a tile.
    pub tile_words: usize,
    /// Row of all banks where the parameters begin.
    pub parameter_row: usize,
    /// Rows of the parameters of a tile.
    pub parameter_rows: usize,
    /// The input.
    pub input: MapLayout,
    /// The spikes that are written.
    pub output: MapLayout,
}

impl Placed {
    /// The maps and weights of `layer` in the memories of `machine`.
    ///
    /// # Errors
    /// If they have no room.
    pub fn new(layer: &DesignLayer, machine: &DesignMachine, timesteps: usize) -> Result<Self, String> {
        let word = machine.channels;
        let product = layer.product;
        let frames = layer.plan.frames(product, timesteps as f64) as usize;
        let plane = layer.channels().next_power_of_two().max(word / 8).max(1);
        let row_words = (layer.row_bits() as usize * plane).div_ceil(word);
        let tile_words = product.fan_in * row_words;
        let Banks { banks, bank_words } = machine.weights;
        let parameter_row = (layer.tiles() * tile_words).div_ceil(banks);
        let parameter_rows = (2 * PARAMETER_BITS * word).div_ceil(banks * word);
        if parameter_row + layer.tiles() * parameter_rows > bank_words {
            return Err("its weights and parameters have no room in the memory of weights".to_owned());
        }
        let in_frames = if product.is_constant() { 1 } else { timesteps };
        let in_positions = layer.in_shape.positions();
        let input =
            MapLayout::new(word, 0, [in_frames, in_positions, layer.in_shape.channels], product.input.bits());
        let written = if layer.neuron.is_some() { timesteps } else { 0 };
        let output = MapLayout::new(word, input.words, [written, product.positions, product.outputs], 1);
        if input.words + output.words > machine.activations.words() {
            return Err("its input and output have no room in the memory of activations".to_owned());
        }
        let repeats = if layer.neuron.is_some() { timesteps / frames } else { 1 };
        let log_plane = plane.ilog2();
        Ok(Self {
            frames,
            repeats,
            row_words,
            log_plane,
            tile_words,
            parameter_row,
            parameter_rows,
            input,
            output,
        })
    }

    /// Rows of sums that leave where there are no neurons.
    pub fn rows(&self, layer: &DesignLayer) -> usize {
        if layer.neuron.is_some() { 0 } else { layer.tiles() * layer.product.positions * self.frames }
    }
}

/// Positions of the last wave.
pub fn last_positions(layer: &DesignLayer, machine: &DesignMachine) -> usize {
    (layer.product.positions - 1) % machine.positions + 1
}

/// Fields by name, in order, of which those without a name belong to the positions of a wave and to the table.
pub fn fields(
    layer: &DesignLayer,
    placed: &Placed,
    machine: &DesignMachine,
    table: &DesignTable,
) -> Vec<(&'static str, i64)> {
    let waves = layer.product.positions.div_ceil(machine.positions);
    let mut fields = vec![
        ("TILES", layer.tiles()),
        ("WAVES", waves),
        ("LAST_POSITIONS", last_positions(layer, machine)),
        ("FRAMES", placed.frames),
        ("REPEATS", placed.repeats),
    ];
    fields.extend(of_windows(layer, placed, machine));
    let mut fields: Vec<(&'static str, i64)> =
        fields.into_iter().map(|(name, value)| (name, value as i64)).collect();
    fields.extend(of_taps(layer, placed, machine));
    fields.extend(of_weights(layer, placed).map(|(name, value)| (name, value as i64)));
    fields.extend(of_neurons(layer, placed).map(|(name, value)| (name, value as i64)));
    fields.extend(of_positions(layer, placed, machine));
    fields.extend(table.written(layer).into_iter().map(|magnitude| ("", magnitude)));
    fields
}

/// Values of a window.
fn of_windows(layer: &DesignLayer, placed: &Placed, machine: &DesignMachine) -> [(&'static str, usize); 13] {
    let [kernel_rows, kernel_columns] = layer.geometry().kernel;
    let (word, MapLayout { room, pixel_bits, blocks, block_bits, frame_bits, .. }) =
        (machine.channels, placed.input);
    [
        ("KERNEL_ROWS", kernel_rows),
        ("KERNEL_COLUMNS", kernel_columns),
        ("PIXEL_WORDS", blocks),
        ("PIXEL_BITS", pixel_bits),
        ("PIXEL_VALUES", layer.in_shape.channels),
        ("WORD_VALUES", word / room),
        ("LOG_VALUE_ROOM", room.ilog2() as usize),
        ("VALUE_BITS", layer.product.input.bits() as usize),
        ("VALUE_SIGNED", usize::from(layer.signed && layer.product.input != Input::Spikes)),
        ("IN_ROWS", layer.in_shape.height),
        ("IN_COLUMNS", layer.in_shape.width),
        ("IN_FRAME_BITS", frame_bits),
        ("IN_BLOCK_BITS", block_bits),
    ]
}

/// Steps from tap to tap, and from wave to wave.
fn of_taps(layer: &DesignLayer, placed: &Placed, machine: &DesignMachine) -> [(&'static str, i64); 11] {
    let geometry = layer.geometry();
    let signed = |pair: [usize; 2]| pair.map(|x| x as i64);
    let ([stride_rows, stride_columns], [dilation_rows, dilation_columns]) =
        (signed(geometry.stride), signed(geometry.dilation));
    let [_, kernel_columns] = signed(geometry.kernel);
    let [_, pad_columns] = signed(geometry.pad);
    let (in_width, out_width) = (layer.in_shape.width as i64, layer.out_shape.width as i64);
    let (positions, pixel) = (machine.positions as i64, placed.input.pixel_bits as i64);
    let (rows, columns) = (positions / out_width * stride_rows, positions % out_width * stride_columns);
    [
        ("TAP_ROWS", dilation_rows),
        ("TAP_COLUMNS", dilation_columns),
        ("TAP_COLUMN_BITS", dilation_columns * pixel),
        ("TAP_ROW_BITS", (dilation_rows * in_width - (kernel_columns - 1) * dilation_columns) * pixel),
        ("WAVE_ROWS", rows),
        ("WAVE_COLUMNS", columns),
        ("WAVE_BITS", (rows * in_width + columns) * pixel),
        ("WRAP_AT", out_width * stride_columns - pad_columns),
        ("WRAP_ROWS", stride_rows),
        ("WRAP_COLUMNS", out_width * stride_columns),
        ("WRAP_BITS", (stride_rows * in_width - out_width * stride_columns) * pixel),
    ]
}

fn of_weights(layer: &DesignLayer, placed: &Placed) -> [(&'static str, usize); 6] {
    [
        ("ROW_WORDS", placed.row_words),
        ("LOG_PLANE", placed.log_plane as usize),
        ("WEIGHT_BITS", layer.product.weight.code_bits as usize),
        ("DECODER", layer.decoder()),
        ("TILE_WORDS", placed.tile_words),
        ("PARAMETER_ROW", placed.parameter_row),
    ]
}

fn of_neurons(layer: &DesignLayer, placed: &Placed) -> [(&'static str, usize); 7] {
    let MapLayout { base, pixel_bits, blocks, block_bits, frame_bits, .. } = placed.output;
    let channels = layer.channels();
    let tile_bits = if blocks == 1 { channels } else { block_bits };
    [
        ("FRACTION_BITS", layer.weighted.fraction_bits as usize),
        ("SUMS_LEAVE", usize::from(layer.neuron.is_none())),
        ("OUT_BITS", base),
        ("OUT_PIXEL_BITS", pixel_bits),
        ("OUT_FRAME_BITS", frame_bits),
        ("OUT_TILE_BITS", tile_bits),
        ("TILE_CHANNELS", channels),
    ]
}

/// Per position of a wave: row, column and address of its first tap.
fn of_positions(layer: &DesignLayer, placed: &Placed, machine: &DesignMachine) -> Vec<(&'static str, i64)> {
    let geometry = layer.geometry();
    let (in_width, out_width) = (layer.in_shape.width as i64, layer.out_shape.width);
    let first = |position: usize| {
        let [row, column] = [position / out_width, position % out_width];
        let row = (row * geometry.stride[0]) as i64 - geometry.pad[0] as i64;
        let column = (column * geometry.stride[1]) as i64 - geometry.pad[1] as i64;
        let bits = placed.input.base as i64 + (row * in_width + column) * placed.input.pixel_bits as i64;
        [("", row), ("", column), ("", bits)]
    };
    (0..machine.positions).flat_map(first).collect()
}

/// The fields as words of a memory.
pub fn mem(fields: &[(&'static str, i64)]) -> String {
    let mask = (1_i64 << FIELD_BITS) - 1;
    fields.iter().map(|(_, value)| format!("{:06x}\n", value & mask)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_lie_in_words() {
        // 3 positions of 10 spikes in words of 64 bits: 16 bits each, so a frame is one word.
        let map = MapLayout::new(64, 2, [4, 3, 10], 1);
        assert_eq!((map.pixel_bits, map.frame_bits, map.words), (16, 64, 4));
        assert_eq!(map.at(1, 2, 3), 128 + 64 + 32 + 3);
        // 96 channels are two blocks of 5 words; 9 bits have room for 16.
        let map = MapLayout::new(64, 0, [2, 5, 96], 1);
        assert_eq!((map.blocks, map.block_bits, map.words), (2, 320, 20));
        assert_eq!(map.at(1, 4, 70), 640 + 320 + 4 * 64 + 6);
        assert_eq!(MapLayout::new(64, 0, [1, 784, 1], 9).words, 196);
    }
}

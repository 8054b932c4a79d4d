//! The program of an operation without weights, and what its memories hold.

use super::images::UNREACHED;
use super::machine::{DesignMachine, SUM_BITS};
use super::operation::{DesignOperation, Finish, Map};
use super::words::Words;
use crate::model::Sides;
use crate::quant::per_channel;

/// Where the maps of an operation lie, in words: A with the sums or with the activations, then B and the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationPlaces {
    /// True if A lies with the sums.
    pub a_is_sums: bool,
    /// First word of B.
    pub b: usize,
    /// First word of the output.
    pub out: usize,
    /// Words of the output.
    pub out_words: usize,
}

impl OperationPlaces {
    /// The maps of `operation` one behind the other, each at the beginning of a line of all banks.
    pub fn new(operation: &DesignOperation, machine: &DesignMachine) -> Self {
        let (channels, banks) = (machine.channels, machine.activations.banks);
        let a_is_sums = operation.a.room == SUM_BITS as usize;
        let a_words = if a_is_sums { 0 } else { operation.a.words(channels) };
        let b = a_words.next_multiple_of(banks);
        let out = (b + operation.b.map_or(0, |b| b.words(channels))).next_multiple_of(banks);
        Self { a_is_sums, b, out, out_words: operation.out.words(channels) }
    }
}

/// Frames of a node, in PyTorch's order.
pub type NodeFrames<'a> = &'a [&'a [i64]];

/// A map from word number `first` on.
fn put(words: &mut Words, map: &Map, machine: &DesignMachine, first: usize, frames: NodeFrames<'_>) {
    let (channels, positions) = (machine.channels, map.shape.positions());
    words.grow(first + map.words(channels));
    for (t, frame) in frames.iter().enumerate().take(map.frames) {
        for (i, &value) in frame.iter().enumerate().filter(|(_, value)| **value != 0) {
            let at = map.at(channels, t, i % positions, i / positions);
            words.put(first * channels + at, map.room, value);
        }
    }
}

/// Words of activations and of sums before the run, of frames of A and B.
pub fn operands(
    operation: &DesignOperation,
    machine: &DesignMachine,
    places: &OperationPlaces,
    [a, b]: [NodeFrames<'_>; 2],
) -> [Words; 2] {
    let mut memories = [Words::new(machine.channels), Words::new(machine.channels)];
    put(&mut memories[usize::from(places.a_is_sums)], &operation.a, machine, 0, a);
    if let Some(map) = &operation.b {
        put(&mut memories[0], map, machine, places.b, b);
    }
    memories
}

/// What it has to yield.
pub fn yielded(operation: &DesignOperation, machine: &DesignMachine, frames: NodeFrames<'_>) -> Words {
    let mut words = Words::new(machine.channels);
    put(&mut words, &operation.out, machine, 0, frames);
    words
}

/// Words of parameters, for every lane of `levels` rows of each of `blocks` blocks of channels: multiplier or threshold,
/// above it shift or discard.
pub fn parameters(
    operation: &DesignOperation,
    machine: &DesignMachine,
    [blocks, levels]: [usize; 2],
) -> String {
    let clamped = |threshold: i64| {
        let largest = i64::from(i32::MAX);
        threshold.clamp(-largest, largest) & 0xffff_ffff
    };
    let word = |channel: usize, level: usize| -> i64 {
        let used = channel < operation.out.shape.channels;
        match operation.finish {
            Finish::Rescales(requantizers, _) if used => {
                let requantizer = requantizers.get(channel).unwrap_or(&requantizers[0]);
                i64::from(requantizer.shift) << 32 | i64::from(requantizer.multiplier)
            }
            Finish::Fires(neuron) if used => {
                let discards = neuron.membrane.as_ref().map_or(&[][..], |word| &word.discards);
                let discard = discards.get(channel).or(discards.first()).map_or(0, |&d| i64::from(d));
                discard << 32 | clamped(per_channel(&neuron.thresholds, channel))
            }
            Finish::Counts(thresholds) if used => {
                let own = thresholds.get(channel).unwrap_or(&thresholds[0]);
                clamped(own.get(level).copied().unwrap_or(i64::MAX))
            }
            Finish::Fires(_) | Finish::Counts(_) => UNREACHED,
            _ => 0,
        }
    };
    let rows = (0..blocks).flat_map(|block| (0..levels).map(move |level| (block, level)));
    let row = |(block, level): (usize, usize)| {
        let lanes = (0..machine.channels).map(move |lane| (block * machine.channels + lane, level));
        lanes.map(|(channel, level)| format!("{:010x}\n", word(channel, level))).collect::<String>()
    };
    rows.map(row).collect()
}

/// Fields of `rtl/design/elementwise.svh` by name, in order.
pub fn fields(
    operation: &DesignOperation,
    machine: &DesignMachine,
    places: &OperationPlaces,
) -> Vec<(&'static str, i64)> {
    let out = operation.out;
    let is = |yes: bool| usize::from(yes);
    let window = operation.window;
    let (Sides([kernel_rows, kernel_columns]), Sides([stride_rows, stride_columns])) =
        (window.size, window.stride);
    let Sides([pad_rows, pad_columns]) = window.pad;
    let map = if operation.over_timesteps { [kernel_rows, 1] } else { operation.a.sides() };
    let bits = match operation.finish {
        Finish::Rescales(_, format) => format.bits,
        _ => SUM_BITS,
    };
    let mut fields: Vec<(&'static str, i64)> = [
        ("BLOCKS", out.blocks(machine.channels)),
        ("ROWS", out.shape.height),
        ("COLUMNS", out.shape.width),
        ("FRAMES", out.frames),
        ("KERNEL_ROWS", kernel_rows),
        ("KERNEL_COLUMNS", kernel_columns),
        ("STRIDE_ROWS", stride_rows),
        ("STRIDE_COLUMNS", stride_columns),
    ]
    .map(|(name, value)| (name, value as i64))
    .to_vec();
    fields.extend([("FIRST_ROW", -(pad_rows as i64)), ("FIRST_COLUMN", -(pad_columns as i64))]);
    let flags = [
        ("MAP_ROWS", map[0]),
        ("MAP_COLUMNS", map[1]),
        ("CONJUNCTION", is(operation.conjunction)),
        ("MAXIMUM", is(operation.maximum)),
        ("RESCALES", is(matches!(operation.finish, Finish::Rescales(..)))),
        ("FIRES", is(matches!(operation.finish, Finish::Fires(_)))),
        ("A_SUMS", is(places.a_is_sums)),
        ("A_LOG_ROOM", operation.a.room.ilog2() as usize),
        ("A_SIGNED", is(operation.a.signed)),
    ];
    fields.extend(flags.map(|(name, value)| (name, value as i64)));
    let names = ["A_FIRST", "A_BLOCK", "A_ROW", "A_COLUMN", "A_FRAME", "A_TAP_ROW", "A_TAP_COLUMN"];
    fields.extend(names.into_iter().zip(steps(operation, &operation.a, 0, machine)));
    let b = operation.b.unwrap_or(operation.a);
    fields.push(("HAS_B", i64::from(operation.b.is_some())));
    fields.push(("B_LOG_ROOM", i64::from(b.room.ilog2())));
    let names = ["B_FIRST", "B_BLOCK", "B_ROW", "B_COLUMN", "B_FRAME", "B_TAP_ROW", "B_TAP_COLUMN"];
    fields.extend(names.into_iter().zip(steps(operation, &b, places.b, machine)));
    fields.push(("B_SIGNED", i64::from(b.signed)));
    let written = [
        ("OUT_LOG_ROOM", out.room.ilog2() as usize),
        ("OUT_VALUE_BITS", bits as usize),
        ("OUT_FIRST", places.out),
        ("OUT_BLOCK", out.block_words()),
        ("OUT_FRAME", out.frame_words(machine.channels)),
        ("COUNTS", is(matches!(operation.finish, Finish::Counts(_)))),
    ];
    fields.extend(written.map(|(name, value)| (name, value as i64)));
    fields
}

/// The first word of the first window of `map`, and the words to the next block, row, column, timestep, row of taps, tap. A
/// map of one position or one frame is read again for all of them.
fn steps(operation: &DesignOperation, map: &Map, first: usize, machine: &DesignMachine) -> [i64; 7] {
    let frame = if map.frames > 1 { map.frame_words(machine.channels) as i64 } else { 0 };
    if operation.over_timesteps {
        return [first as i64, map.block_words() as i64, 0, 0, 0, frame, 0];
    }
    let [_, width] = map.sides().map(|side| side as i64);
    let room = if map.shape.positions() > 1 { map.room as i64 } else { 0 };
    let window = operation.window;
    let ([pad_rows, pad_columns], [stride_rows, stride_columns]) =
        (window.pad.0.map(|x| x as i64), window.stride.0.map(|x| x as i64));
    [
        first as i64 - (pad_rows * width + pad_columns) * room,
        map.block_words() as i64,
        stride_rows * width * room,
        stride_columns * room,
        frame,
        width * room,
        room,
    ]
}

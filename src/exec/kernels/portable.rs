//! Kernels for every processor. Look-ups do without a shuffle: a table holds the sums of many output channels
//! side by side, so that one byte of spikes adds a row of them, which every processor does several at a time.

use super::products::{Packs, ProductMatrix};
use super::tables::{BLOCK, LANES, TableLayout, TableOrder, Tables, word_of};

/// Entries of a table.
const TABLE: usize = 16;
/// Tables of four inputs.
pub const LAYOUT: TableLayout = TableLayout { inputs: 4, order: TableOrder::SideBySide };
/// Channels whose tables lie side by side, and whose sums stay in registers.
pub const CHANNELS: usize = 32;
/// Channels of a vector, for those that are left.
const FEW: usize = 8;
/// Columns whose sums of products stay in registers.
const COLUMNS: usize = 32;
/// Rows whose tables stay in the first-level cache while columns pass by.
const ROWS: usize = 16;

/// Tables of sums of 16 bits, `[tile][row][entry][channel]`, of `halves`: `[channel][row]` pairs of four entries.
/// A tile has [`CHANNELS`] channels, the last what is left.
pub fn expand(rows: usize, halves: &[u8], tables: &mut [u16]) {
    let of_a_channel = TABLE * rows;
    let tiles = halves.chunks(CHANNELS * of_a_channel).zip(tables.chunks_mut(CHANNELS * of_a_channel));
    for (halves, tables) in tiles {
        let channels = halves.len() / of_a_channel;
        for (row, tables) in tables.chunks_exact_mut(TABLE * channels).enumerate() {
            let half = |i: usize| {
                let of = |channel: usize| word_of(&halves[(channel * rows + row) * TABLE..], i);
                std::array::from_fn(|channel| if channel < channels { of(channel) } else { 0 })
            };
            let halves: [[u16; CHANNELS]; 8] = std::array::from_fn(half);
            for (entry, sums) in tables.chunks_exact_mut(channels).enumerate() {
                let (low, high) = (&halves[entry & 3], &halves[4 + (entry >> 2)]);
                sums.iter_mut().zip(low.iter().zip(high)).for_each(|(sum, (low, high))| *sum = low + high);
            }
        }
    }
}

/// X of the channels of `tables`, rows of `stride` in `out`; see [`super::lookup()`].
pub fn lookup(tables: &Tables, index: &[u8], stride: usize, out: &mut [i32]) {
    let (channels, start) = tables.interleaved;
    let mut channel = 0;
    while channel < tables.count {
        let at = start + channel;
        let first = at / CHANNELS * CHANNELS;
        let tile = Tile {
            tables: &tables.words()[first * TABLE * tables.matrix.rows..],
            channels: CHANNELS.min(channels - first),
            first: at - first,
        };
        let count = match (tables.count - channel).min(first + tile.channels - at) {
            CHANNELS.. => CHANNELS,
            FEW.. => FEW,
            _ => 1,
        };
        for from in (0..stride).step_by(BLOCK) {
            let index = &index[from * tables.matrix.rows..];
            let (columns, out) = (BLOCK.min(stride - from), &mut out[channel * stride + from..]);
            match count {
                CHANNELS => block::<CHANNELS>(tables, channel, tile, index, (columns, stride), out),
                FEW => block::<FEW>(tables, channel, tile, index, (columns, stride), out),
                _ => block::<1>(tables, channel, tile, index, (columns, stride), out),
            }
        }
        channel += count;
    }
}

/// Channels whose tables lie side by side.
#[derive(Clone, Copy)]
struct Tile<'a> {
    /// `[row][entry][channel]`.
    tables: &'a [u16],
    /// Number of the channels.
    channels: usize,
    /// First channel that is looked up.
    first: usize,
}

/// `C` channels of a tile, from `channel` of `tables` on, at the columns of a block.
fn block<const C: usize>(
    tables: &Tables,
    channel: usize,
    tile: Tile,
    index: &[u8],
    (columns, stride): (usize, usize),
    out: &mut [i32],
) {
    let matrix = tables.matrix;
    let mut start = 0;
    for run in &matrix.runs {
        // Sums of a run fit 16 bits.
        let mut sums = [[0u16; C]; BLOCK];
        for first in (start..run.end).step_by(ROWS) {
            let end = run.end.min(first + ROWS);
            let index = &index[first * columns..end * columns];
            add_rows(&tile.tables[first * TABLE * tile.channels..], tile, index, &mut sums[..columns]);
        }
        for c in 0..C {
            let bias = (start == 0).then(|| matrix.bias[tables.first + channel + c]);
            for (x, sums) in out[c * stride..][..columns].iter_mut().zip(&sums) {
                *x = (i32::from(sums[c]) << matrix.shift).wrapping_add(bias.unwrap_or(*x));
            }
        }
        start = run.end;
    }
}

/// Adds what a few rows of `index` look up, column by column.
fn add_rows<const C: usize>(tables: &[u16], tile: Tile, index: &[u8], sums: &mut [[u16; C]]) {
    let columns = sums.len();
    for (column, sums) in sums.iter_mut().enumerate() {
        let mut acc = *sums;
        let bytes = index[column..].iter().step_by(columns);
        for (&byte, table) in bytes.zip(tables.chunks_exact(TABLE * tile.channels)) {
            let at = usize::from(byte) % TABLE * tile.channels + tile.first;
            if let Some(entries) = table[at..].first_chunk::<C>() {
                acc.iter_mut().zip(entries).for_each(|(sum, &entry)| *sum = sum.wrapping_add(entry));
            }
        }
        *sums = acc;
    }
}

/// X of the channels of `matrix` from `first` on; see [`super::products()`].
pub fn products(matrix: &ProductMatrix, first: usize, packs: Packs, stride: usize, out: &mut [i32]) {
    for from in (0..stride).step_by(COLUMNS) {
        let block = packs.columns(from);
        for (i, out) in out.chunks_exact_mut(stride).enumerate() {
            // Sums that stay in registers.
            let mut sums = [0i32; COLUMNS];
            for (&weights, row) in matrix.weights_of(first + i).iter().zip(block.chunks(LANES)) {
                if let Some(row) = row.first_chunk() {
                    add_products(weights, row, &mut sums);
                }
            }
            let bias = matrix.bias[first + i];
            let sums = sums.map(|sum| (sum << matrix.shift).wrapping_add(bias));
            out[from..from + COLUMNS].copy_from_slice(&sums);
        }
    }
}

/// Adds the products of two weights of 16 bits, side by side as the inputs are.
fn add_products(weights: i32, row: &[i32; COLUMNS], sums: &mut [i32; COLUMNS]) {
    let halves = |pack: i32| (i32::from(pack as i16), pack >> 16);
    let (low, high) = halves(weights);
    for (sum, &pack) in sums.iter_mut().zip(row) {
        let (first, second) = halves(pack);
        *sum = sum.wrapping_add(first * low + second * high);
    }
}

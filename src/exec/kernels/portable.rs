//! Kernels for every processor. Look-ups do without a shuffle: a table holds the sums of many output channels
//! side by side, so that one byte of spikes adds a row of them, which every processor does several at a time.

use super::products::{Pairs, ProductMatrix};
use super::tables::{BLOCK, LANES, TableLayout, TableOrder, Tables, sum_of_words};

/// Entries of a table.
const TABLE: usize = 16;
/// Of four inputs.
pub const LAYOUT: TableLayout = TableLayout { inputs: 4, order: TableOrder::SideBySide };
/// Channels whose sums stay in registers.
const CHANNELS: usize = 32;
/// Of channels that are left, a vector.
const FEW: usize = 8;

/// Tables of sums of 16 bits, `[row][entry][channel]`, of `halves`: `[channel][row]` pairs of four entries.
pub fn expand(rows: usize, halves: &[u8], tables: &mut [u16]) {
    let channels = halves.len() / (TABLE * rows);
    for (i, halves) in halves.chunks_exact(TABLE).enumerate() {
        let (channel, row) = (i / rows, i % rows);
        for entry in 0..TABLE {
            let sum = sum_of_words(halves, entry & 3, 4 + (entry >> 2));
            tables[(row * TABLE + entry) * channels + channel] = sum;
        }
    }
}

/// X of the channels of `tables`, rows of `stride` in `out`; see [`super::lookup()`].
pub fn lookup(tables: &Tables, index: &[u8], stride: usize, out: &mut [i32]) {
    let (mut start, mut out) = (0, out);
    while start < tables.count {
        let count = match tables.count - start {
            CHANNELS.. => CHANNELS,
            FEW.. => FEW,
            _ => 1,
        };
        for from in (0..stride).step_by(BLOCK) {
            let index = &index[from * tables.matrix.rows..];
            let (columns, out) = (BLOCK.min(stride - from), &mut out[from..]);
            match count {
                CHANNELS => block::<CHANNELS>(tables, start, index, (columns, stride), out),
                FEW => block::<FEW>(tables, start, index, (columns, stride), out),
                _ => block::<1>(tables, start, index, (columns, stride), out),
            }
        }
        start += count;
        out = &mut out[count * stride..];
    }
}

/// `C` channels from `start` on, at the columns of a block.
fn block<const C: usize>(
    tables: &Tables,
    start: usize,
    index: &[u8],
    (columns, stride): (usize, usize),
    out: &mut [i32],
) {
    let (matrix, (channels, first), words) = (tables.matrix, tables.interleaved, tables.words());
    let mut row = 0;
    for run in &matrix.runs {
        for column in 0..columns {
            // Sums of a run fit 16 bits.
            let mut sums = [0u16; C];
            for row in row..run.end {
                let entry = usize::from(index[row * columns + column]) % TABLE;
                let at = (row * TABLE + entry) * channels + first + start;
                if let Some(entries) = words[at..].first_chunk::<C>() {
                    sums.iter_mut().zip(entries).for_each(|(sum, &entry)| *sum = sum.wrapping_add(entry));
                }
            }
            for (channel, sum) in sums.into_iter().enumerate() {
                let x = &mut out[channel * stride + column];
                let base = if row == 0 { matrix.bias[tables.first + start + channel] } else { *x };
                *x = (i32::from(sum) << matrix.shift).wrapping_add(base);
            }
        }
        row = run.end;
    }
}

/// X of the channels of `matrix` from `first` on; see [`super::products()`].
pub fn products(matrix: &ProductMatrix, first: usize, pairs: Pairs, stride: usize, out: &mut [i32]) {
    for from in (0..stride).step_by(LANES) {
        for (i, out) in out.chunks_exact_mut(stride).enumerate() {
            let out = &mut out[from..from + LANES];
            let mut sums = [0i32; LANES];
            for (&weights, row) in
                matrix.weights_of(first + i).iter().zip(pairs.block(from).chunks(2 * LANES))
            {
                let (low, high) = (i32::from(weights as i16), weights >> 16);
                for (x, pair) in sums.iter_mut().zip(row.chunks_exact(2)) {
                    *x = x.wrapping_add(i32::from(pair[0]) * low).wrapping_add(i32::from(pair[1]) * high);
                }
            }
            let bias = matrix.bias[first + i];
            out.iter_mut().zip(sums).for_each(|(x, sum)| *x = (sum << matrix.shift).wrapping_add(bias));
        }
    }
}

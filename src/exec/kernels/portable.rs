//! Look-ups without a shuffle: a table holds the sums of many output channels side by side, so that one byte
//! of spikes adds a row of them, which every processor does several at a time.

use super::lookup::{BLOCK, Tables, sum_of_words};

/// Entries of a table.
const TABLE: usize = 16;
/// Channels whose sums stay in registers.
const CHANNELS: usize = 32;

/// Tables of sums of 16 bits, `[row][entry][channel]`, of `halves`: `[channel][row]` pairs of four entries.
pub fn expand(rows: usize, halves: &[u8], tables: &mut [u8]) {
    let channels = halves.len() / (TABLE * rows);
    for (i, halves) in halves.chunks_exact(TABLE).enumerate() {
        let (channel, row) = (i / rows, i % rows);
        for entry in 0..TABLE {
            let sum = sum_of_words(halves, entry & 3, 4 + (entry >> 2));
            let at = 2 * ((row * TABLE + entry) * channels + channel);
            tables[at..at + 2].copy_from_slice(&sum.to_le_bytes());
        }
    }
}

/// See [`super::lookup()`].
pub fn lookup(tables: &Tables, index: &[u8], stride: usize, out: &mut [i32]) {
    for start in (0..tables.count).step_by(CHANNELS) {
        let count = CHANNELS.min(tables.count - start);
        for from in (0..stride).step_by(BLOCK) {
            let index = &index[from * tables.matrix.rows..];
            let columns = BLOCK.min(stride - from);
            let out = &mut out[start * stride + from..];
            match count {
                CHANNELS => block(tables, (start, CHANNELS), index, (columns, stride), out),
                count => block(tables, (start, count), index, (columns, stride), out),
            }
        }
    }
}

/// `count` channels from `start` on, at the columns of a block.
#[inline(always)]
fn block(
    tables: &Tables,
    (start, count): (usize, usize),
    index: &[u8],
    (columns, stride): (usize, usize),
    out: &mut [i32],
) {
    let (matrix, (channels, first)) = (tables.matrix, tables.interleaved);
    let bias = &matrix.bias[tables.first + start..][..count];
    for column in 0..columns {
        let mut row = 0;
        for (i, run) in matrix.runs.iter().enumerate() {
            // Sums of a run fit 16 bits.
            let mut sums = [0u16; CHANNELS];
            while row < run.end {
                let entry = usize::from(index[row * columns + column]) % TABLE;
                let at = 2 * ((row * TABLE + entry) * channels + first + start);
                let entries = tables.bytes[at..][..2 * count].chunks_exact(2);
                let add = |(sum, entry): (&mut u16, &[u8])| *sum += u16::from_le_bytes([entry[0], entry[1]]);
                sums[..count].iter_mut().zip(entries).for_each(add);
                row += 1;
            }
            for (channel, (&sum, &bias)) in sums[..count].iter().zip(bias).enumerate() {
                let x = &mut out[channel * stride + column];
                let base = if i == 0 { bias } else { *x };
                *x = (i32::from(sum) << matrix.shift).wrapping_add(base);
            }
        }
    }
}

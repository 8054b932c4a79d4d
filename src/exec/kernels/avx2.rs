//! Kernels for AVX2: 16-entry tables of bytes. Sums of more bits are two digits, which are looked up and added up in
//! bytes apart for as many tables as provably fit.

// One index runs over several arrays of vectors.
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::*;
use std::ops::Range;

use super::float::{self, FloatInputs, FloatNeuron, FloatRows};
use super::float_matrix::FloatMatrix;
use super::instructions::InstructionSet;
use super::loops::{Loops, Rescale, generic, loops_compiled_for, neurons};
use super::pooling::Pooling;
use super::products::{Packs, ProductMatrix, each_block, product_blocks};
use super::tables::{BLOCK, Entry, LANES, LookupMatrix, Run, TableLayout, TableOrder, Tables};
use crate::exec::neuron::Cell;

/// Entries of a table.
const TABLE: usize = 16;
/// Positions whose products are added up at once: sums of four channels, their weights and the inputs fit the
/// registers.
const PRODUCTS: usize = 16;

/// x86-64 with AVX2 and POPCNT.
pub struct Avx2;

impl Loops for Avx2 {
    loops_compiled_for!("avx2,popcnt");
}

impl InstructionSet for Avx2 {
    fn name(&self) -> &'static str {
        "avx2"
    }

    fn processors(&self) -> &'static str {
        "AVX2"
    }

    fn is_available(&self) -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt")
    }

    fn table_layout(&self) -> TableLayout {
        TableLayout { inputs: 4, order: TableOrder::Digits }
    }

    fn channels_of_a_tile(&self) -> usize {
        12
    }

    /// # Safety
    /// As the trait says.
    #[target_feature(enable = "avx2")]
    unsafe fn expand(&self, matrix: &LookupMatrix, halves: &[u8], tables: &mut [u8]) {
        let pairs = halves.chunks_exact(matrix.bytes_of_halves());
        let tables = tables.chunks_exact_mut(matrix.bytes_of_a_table());
        for (halves, table) in pairs.zip(tables) {
            // SAFETY: one pair of halves, and one table.
            unsafe {
                match matrix.entry {
                    Entry::Byte => expand_bytes(halves.as_ptr(), table.as_mut_ptr()),
                    Entry::Word => expand_digits(matrix.digit, halves.as_ptr(), table.as_mut_ptr()),
                }
            }
        }
    }

    /// # Safety
    /// As the trait says.
    #[target_feature(enable = "avx2")]
    unsafe fn lookup(&self, tables: &Tables, index: &[u8], stride: usize, out: &mut [i32]) {
        for from in (0..stride).step_by(BLOCK) {
            let width = (stride - from).min(BLOCK);
            let index = &index[from * tables.matrix.rows..][..width * tables.matrix.rows];
            let mut start = 0;
            for run in &tables.matrix.runs {
                let rows = Rows { run, start, index, width };
                for (channel, out) in out.chunks_exact_mut(stride).take(tables.count).enumerate() {
                    // SAFETY: `width` columns of the row are left.
                    unsafe { channel_of_block(tables, channel, rows, &mut out[from..][..width]) };
                }
                start = run.end;
            }
        }
    }

    fn multiplies_bytes(&self) -> bool {
        true
    }

    /// # Safety
    /// As the trait says.
    #[target_feature(enable = "avx2")]
    unsafe fn products(
        &self,
        matrix: &ProductMatrix,
        first: usize,
        packs: Packs,
        stride: usize,
        out: &mut [i32],
    ) {
        // SAFETY: passed on; blocks are of as many positions.
        unsafe { each_block(PRODUCTS, product_blocks!(matrix), matrix, first, packs, stride, out) };
    }

    /// # Safety
    /// As the trait says.
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn float_products(&self, matrix: &FloatMatrix, inputs: FloatInputs, out: FloatRows) {
        float::products::<16>(matrix, inputs, out, float::dense_block);
    }

    /// # Safety
    /// As the trait says.
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn nonzero_bits(&self, values: &[f32], stride: usize, channels: usize, bits: &mut [u64]) -> bool {
        float::nonzero_bits(values, stride, channels, bits, |values| float_flags(values))
    }

    /// # Safety
    /// As the trait says.
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn neuron(
        &self,
        cell: &Cell,
        x: &[i32],
        positions: usize,
        bit: u8,
        spikes: &mut [u8],
        fired: &mut [u32],
        clamped: &mut [u32],
    ) {
        neurons(cell, x, positions, bit, spikes, (fired, clamped));
    }
}

/// The table of bytes of two halves of four entries.
///
/// # Safety
/// 8 bytes can be read from `halves`, and 16 written to `table`.
#[target_feature(enable = "avx2")]
unsafe fn expand_bytes(halves: *const u8, table: *mut u8) {
    let low = _mm_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
    let high = _mm_setr_epi8(4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7);
    // SAFETY: passed on.
    unsafe {
        let pair = _mm_loadl_epi64(halves.cast());
        let sums = _mm_add_epi8(_mm_shuffle_epi8(pair, low), _mm_shuffle_epi8(pair, high));
        _mm_storeu_si128(table.cast(), sums);
    }
}

/// The tables of the two digits of the sums of two halves of four entries of 16 bits.
///
/// # Safety
/// 16 bytes can be read from `halves`, and 32 written to `table`.
#[target_feature(enable = "avx2")]
unsafe fn expand_digits(digit: u32, halves: *const u8, table: *mut u8) {
    // Bytes of the words 0 to 3, again and again; of the words 4 and 5, and 6 and 7, four times each.
    let low = _mm256_set1_epi64x(0x0706_0504_0302_0100);
    let high = _mm256_setr_epi64x(
        0x0908_0908_0908_0908,
        0x0b0a_0b0a_0b0a_0b0a,
        0x0d0c_0d0c_0d0c_0d0c,
        0x0f0e_0f0e_0f0e_0f0e,
    );
    let (mask, digit) = (_mm256_set1_epi16((1 << digit) - 1), _mm_cvtsi32_si128(digit as i32));
    // SAFETY: passed on.
    unsafe {
        let pair = _mm256_broadcastsi128_si256(_mm_loadu_si128(halves.cast()));
        let sums = _mm256_add_epi16(_mm256_shuffle_epi8(pair, low), _mm256_shuffle_epi8(pair, high));
        let digits = _mm256_packus_epi16(_mm256_and_si256(sums, mask), _mm256_srl_epi16(sums, digit));
        _mm256_storeu_si256(table.cast(), _mm256_permute4x64_epi64::<0b11_01_10_00>(digits));
    }
}

/// A run of rows of a block from `start` on.
#[derive(Clone, Copy)]
struct Rows<'a> {
    run: &'a Run,
    start: usize,
    index: &'a [u8],
    width: usize,
}

/// One channel at the columns of a block.
///
/// # Safety
/// `rows` holds whole rows of a block; `out` is as wide as the block.
#[target_feature(enable = "avx2")]
unsafe fn channel_of_block(tables: &Tables, channel: usize, rows: Rows, out: &mut [i32]) {
    let mut at = 0;
    while at < rows.width {
        let wide = rows.width - at >= 2 * LANES;
        // SAFETY: 64 or 128 columns of the block are left.
        unsafe {
            match (tables.matrix.entry, wide) {
                (Entry::Byte, true) => bytes::<4>(tables, channel, rows, at, &mut out[at..]),
                (Entry::Byte, false) => bytes::<2>(tables, channel, rows, at, &mut out[at..]),
                (Entry::Word, true) => digits::<4>(tables, channel, rows, at, &mut out[at..]),
                (Entry::Word, false) => digits::<2>(tables, channel, rows, at, &mut out[at..]),
            }
        }
        at += if wide { 2 * LANES } else { LANES };
    }
}

/// One channel at `J` vectors of positions, tables of two digits.
///
/// # Safety
/// `J` vectors can be read behind column `at` of each row, and written to `out`.
#[target_feature(enable = "avx2")]
unsafe fn digits<const J: usize>(tables: &Tables, channel: usize, rows: Rows, at: usize, out: &mut [i32]) {
    let from = tables.of(channel);
    let digit = _mm_cvtsi32_si128(tables.matrix.digit as i32);
    let (mut both, mut odd) = ([_mm256_setzero_si256(); J], [_mm256_setzero_si256(); J]);
    let mut row = rows.start;
    for &end in &rows.run.parts {
        let (mut low, mut high) = ([_mm256_setzero_si256(); J], [_mm256_setzero_si256(); J]);
        while row < end {
            // SAFETY: two tables, and `J` vectors of row `row`.
            unsafe {
                let table: *const __m128i = from.as_ptr().add(row * 2 * TABLE).cast();
                let lows = _mm256_broadcastsi128_si256(_mm_loadu_si128(table));
                let highs = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.add(1)));
                for j in 0..J {
                    let bytes = rows.index.as_ptr().add(row * rows.width + at + j * 32);
                    let bytes = _mm256_loadu_si256(bytes.cast());
                    low[j] = _mm256_add_epi8(low[j], _mm256_shuffle_epi8(lows, bytes));
                    high[j] = _mm256_add_epi8(high[j], _mm256_shuffle_epi8(highs, bytes));
                }
            }
            row += 1;
        }
        for j in 0..J {
            let high_odd = _mm256_sll_epi16(_mm256_srli_epi16::<8>(high[j]), digit);
            both[j] = _mm256_add_epi16(both[j], _mm256_add_epi16(low[j], _mm256_sll_epi16(high[j], digit)));
            odd[j] = _mm256_add_epi16(odd[j], _mm256_add_epi16(_mm256_srli_epi16::<8>(low[j]), high_odd));
        }
    }
    let (matrix, first) = (tables.matrix, rows.start == 0);
    // SAFETY: `J` vectors of `out`; only the first run overwrites what is there.
    unsafe { store_all(matrix, tables.first + channel, first, both, odd, out) };
}

/// One channel at `J` vectors of positions, tables of 8-bit sums.
///
/// # Safety
/// `J` vectors can be read behind column `at` of each row, and written to `out`.
#[target_feature(enable = "avx2")]
unsafe fn bytes<const J: usize>(tables: &Tables, channel: usize, rows: Rows, at: usize, out: &mut [i32]) {
    let from = tables.of(channel);
    let (mut both, mut odd) = ([_mm256_setzero_si256(); J], [_mm256_setzero_si256(); J]);
    let mut row = rows.start;
    for &end in &rows.run.parts {
        let mut sums = [_mm256_setzero_si256(); J];
        // SAFETY: tables and rows of the part, two by two and the last of an odd number; `J` vectors of each row.
        unsafe {
            while row + 1 < end {
                add_bytes_of_a_row(from, rows, row, at, &mut sums);
                add_bytes_of_a_row(from, rows, row + 1, at, &mut sums);
                row += 2;
            }
            if row < end {
                add_bytes_of_a_row(from, rows, row, at, &mut sums);
                row += 1;
            }
        }
        for j in 0..J {
            both[j] = _mm256_add_epi16(both[j], sums[j]);
            odd[j] = _mm256_add_epi16(odd[j], _mm256_srli_epi16::<8>(sums[j]));
        }
    }
    let (matrix, first) = (tables.matrix, rows.start == 0);
    // SAFETY: `J` vectors of `out`; only the first run overwrites what is there.
    unsafe { store_all(matrix, tables.first + channel, first, both, odd, out) };
}

/// Adds what `row` looks up in tables of 8-bit sums.
///
/// # Safety
/// As for [`bytes`]; `row` is one of `rows`, and `from` holds the tables of a channel.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn add_bytes_of_a_row<const J: usize>(
    from: &[u8],
    rows: Rows,
    row: usize,
    at: usize,
    sums: &mut [__m256i; J],
) {
    // SAFETY: a table, and `J` vectors of row `row`.
    unsafe {
        let table = _mm_loadu_si128(from.as_ptr().add(row * TABLE).cast());
        let table = _mm256_broadcastsi128_si256(table);
        for (j, sums) in sums.iter_mut().enumerate() {
            let bytes = rows.index.as_ptr().add(row * rows.width + at + j * 32);
            let bytes = _mm256_loadu_si256(bytes.cast());
            *sums = _mm256_add_epi8(*sums, _mm256_shuffle_epi8(table, bytes));
        }
    }
}

/// Writes the sums of `J` vectors of positions: from those of both bytes of each word, of which the low one counts once
/// and the high one 256 times, and of the high ones alone, all in 16 bits, whatever is carried beyond them.
///
/// # Safety
/// `J` vectors can be written to `out`.
#[target_feature(enable = "avx2")]
unsafe fn store_all<const J: usize>(
    matrix: &LookupMatrix,
    channel: usize,
    first: bool,
    both: [__m256i; J],
    odd: [__m256i; J],
    out: &mut [i32],
) {
    let shift = _mm_cvtsi32_si128(matrix.shift as i32);
    let bias = first.then_some(matrix.bias[channel]);
    for j in 0..J {
        let even = _mm256_sub_epi16(both[j], _mm256_slli_epi16::<8>(odd[j]));
        // The first and the last 8 of each 16.
        let lower = _mm256_unpacklo_epi16(even, odd[j]);
        let upper = _mm256_unpackhi_epi16(even, odd[j]);
        let halves = [
            _mm256_permute2x128_si256::<0x20>(lower, upper),
            _mm256_permute2x128_si256::<0x31>(lower, upper),
        ];
        for (k, half) in halves.into_iter().enumerate() {
            // SAFETY: 16 values of vector `j` of `out`.
            unsafe { store(half, shift, bias, out.as_mut_ptr().add(32 * j + 16 * k)) };
        }
    }
}

/// Writes (sum << shift) + bias of 16 positions, or without a bias adds sum << shift to what is there.
///
/// # Safety
/// 16 values can be written to `out`.
#[target_feature(enable = "avx2")]
unsafe fn store(sums: __m256i, shift: __m128i, bias: Option<i32>, out: *mut i32) {
    let halves = [_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums)];
    for (i, half) in halves.into_iter().enumerate() {
        let sum = _mm256_sll_epi32(_mm256_cvtepu16_epi32(half), shift);
        // SAFETY: 8 of the 16 values of `out`.
        unsafe {
            let at = out.add(8 * i).cast();
            let base = match bias {
                Some(bias) => _mm256_set1_epi32(bias),
                None => _mm256_loadu_si256(at),
            };
            _mm256_storeu_si256(at, _mm256_add_epi32(sum, base));
        }
    }
}

/// `C` channels at 16 positions: what is loaded serves all of them.
///
/// # Safety
/// As for [`InstructionSet::products`]; `packs` and `out` start at the 16 positions, and there are `C` channels from
/// `channel` on, whose operands are `BYTES` or words.
#[target_feature(enable = "avx2")]
unsafe fn product_block<const C: usize, const BYTES: bool>(
    matrix: &ProductMatrix,
    channel: usize,
    packs: *const i32,
    stride: usize,
    out: &mut [i32],
) {
    let weights: [&[i32]; C] = std::array::from_fn(|c| matrix.weights_of(channel + c));
    let mut acc = [[_mm256_setzero_si256(); 2]; C];
    let packs_of_a_run = if BYTES { matrix.packs_of_a_run } else { matrix.packs };
    for start in (0..matrix.packs).step_by(packs_of_a_run.max(1)) {
        let run = start..matrix.packs.min(start + packs_of_a_run);
        // SAFETY: the packs of a run.
        unsafe {
            if BYTES {
                add_bytes(run, &weights, packs, &mut acc);
            } else {
                add_words(run, &weights, packs, &mut acc);
            }
        }
    }
    let shift = _mm_cvtsi32_si128(matrix.shift as i32);
    for c in 0..C {
        let bias = _mm256_set1_epi32(matrix.bias[channel + c]);
        for j in 0..2 {
            let x = _mm256_add_epi32(_mm256_sll_epi32(acc[c][j], shift), bias);
            // SAFETY: 8 values of this row.
            unsafe { _mm256_storeu_si256(out[c * stride..].as_mut_ptr().add(8 * j).cast(), x) };
        }
    }
}

/// Adds the products of packs of words to the sums of `C` channels at 16 positions.
///
/// # Safety
/// As for [`product_block`], which has the packs of `run`.
#[target_feature(enable = "avx2")]
unsafe fn add_words<const C: usize>(
    run: Range<usize>,
    weights: &[&[i32]; C],
    packs: *const i32,
    acc: &mut [[__m256i; 2]; C],
) {
    for pack in run {
        // SAFETY: 16 packs of row `pack`, and one of weights of each channel.
        unsafe {
            let row = packs.add(LANES * pack);
            let x: [_; 2] = std::array::from_fn(|j| _mm256_loadu_si256(row.add(8 * j).cast()));
            for c in 0..C {
                let weight = _mm256_set1_epi32(*weights[c].get_unchecked(pack));
                for j in 0..2 {
                    acc[c][j] = _mm256_add_epi32(acc[c][j], _mm256_madd_epi16(x[j], weight));
                }
            }
        }
    }
}

/// Adds the products of packs of bytes, whose sums of two fit 16 bits over the whole run, to the sums of `C` channels
/// at 16 positions.
///
/// # Safety
/// As for [`product_block`], which has the packs of `run`.
#[target_feature(enable = "avx2")]
unsafe fn add_bytes<const C: usize>(
    run: Range<usize>,
    weights: &[&[i32]; C],
    packs: *const i32,
    acc: &mut [[__m256i; 2]; C],
) {
    let mut sums = [[_mm256_setzero_si256(); 2]; C];
    for pack in run {
        // SAFETY: 16 packs of row `pack`, and one of weights of each channel.
        unsafe {
            let row = packs.add(LANES * pack);
            let weights: [_; C] = std::array::from_fn(|c| _mm256_set1_epi32(*weights[c].get_unchecked(pack)));
            for j in 0..2 {
                let x = _mm256_loadu_si256(row.add(8 * j).cast());
                for c in 0..C {
                    sums[c][j] = _mm256_add_epi16(sums[c][j], _mm256_maddubs_epi16(x, weights[c]));
                }
            }
        }
    }
    for c in 0..C {
        for j in 0..2 {
            let pairs = _mm256_madd_epi16(sums[c][j], _mm256_set1_epi16(1));
            acc[c][j] = _mm256_add_epi32(acc[c][j], pairs);
        }
    }
}

/// Bits of up to 64 values that are not zero, and of those that are neither 0 nor 1.
#[target_feature(enable = "avx2")]
fn float_flags(values: &[f32]) -> (u64, u64) {
    let (mut nonzero, mut others) = (0, 0);
    for (i, values) in values.chunks(8).enumerate() {
        let mut eight = [0.0; 8];
        let values = values.first_chunk().unwrap_or_else(|| {
            eight[..values.len()].copy_from_slice(values);
            &eight
        });
        // SAFETY: eight values.
        let x = unsafe { _mm256_loadu_ps(values.as_ptr()) };
        let not_0 = _mm256_cmp_ps::<_CMP_NEQ_UQ>(x, _mm256_setzero_ps());
        let not_1 = _mm256_cmp_ps::<_CMP_NEQ_UQ>(x, _mm256_set1_ps(1.0));
        nonzero |= (_mm256_movemask_ps(not_0) as u64) << (8 * i);
        others |= (_mm256_movemask_ps(_mm256_and_ps(not_0, not_1)) as u64) << (8 * i);
    }
    (nonzero, others)
}

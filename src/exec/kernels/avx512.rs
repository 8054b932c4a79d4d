//! Kernels for AVX-512: 64-entry tables of bytes in one register. Sums of more bits are two digits, which are looked up
//! and added up in bytes apart for as many tables as provably fit.

// One index runs over several arrays of vectors.
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::*;

use super::avx2::Avx2;
use super::float::{self, FloatInputs, FloatNeuron, FloatRows, TALL};
use super::float_matrix::{FloatMatrix, WIDEST};
use super::instructions::InstructionSet;
use super::loops::{Loops, Rescale, generic, loops_compiled_for};
use super::pooling::Pooling;
use super::products::{Packs, ProductMatrix, each_block, product_blocks};
use super::tables::{BLOCK, Entry, LANES, LookupMatrix, Run, TableLayout, TableOrder, Tables};
use crate::exec::neuron::Cell;

/// Entries of a table.
const TABLE: usize = 64;

/// x86-64 with AVX-512 F, BW, DQ, VL, VBMI, VNNI and BITALG: Intel from Ice Lake, AMD from Zen 4.
pub struct Avx512;

impl Loops for Avx512 {
    loops_compiled_for!("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512bitalg,avx2,popcnt");
}

impl InstructionSet for Avx512 {
    fn name(&self) -> &'static str {
        "avx512"
    }

    fn processors(&self) -> &'static str {
        "AVX-512 with VBMI, VNNI and BITALG"
    }

    fn is_available(&self) -> bool {
        Avx2.is_available()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("avx512bitalg")
    }

    fn table_layout(&self) -> TableLayout {
        TableLayout { inputs: 6, order: TableOrder::Digits }
    }

    fn channels_of_a_tile(&self) -> usize {
        12
    }

    /// # Safety
    /// As the trait says.
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn expand(&self, matrix: &LookupMatrix, halves: &[u8], tables: &mut [u8]) {
        let pairs = halves.chunks_exact(matrix.bytes_of_halves());
        let tables = tables.chunks_exact_mut(matrix.bytes_of_a_table());
        // SAFETY: one pair of halves, and one table.
        unsafe {
            match matrix.entry {
                Entry::Byte => pairs.zip(tables).for_each(|(halves, table)| expand_bytes(halves, table)),
                Entry::Word => {
                    let orders = digit_orders();
                    pairs
                        .zip(tables)
                        .for_each(|(halves, table)| expand_digits(matrix.digit, orders, halves, table));
                }
            }
        }
    }

    /// # Safety
    /// As the trait says.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
    unsafe fn lookup(&self, tables: &Tables, index: &[u8], stride: usize, out: &mut [i32]) {
        for from in (0..stride).step_by(BLOCK) {
            let index = &index[from * tables.matrix.rows..];
            // SAFETY: passed on; that many vectors of each row are left.
            unsafe {
                match (stride - from) / LANES {
                    1 => block::<1>(tables, index, stride, &mut out[from..]),
                    2 => block::<2>(tables, index, stride, &mut out[from..]),
                    3 => block::<3>(tables, index, stride, &mut out[from..]),
                    _ => block::<4>(tables, index, stride, &mut out[from..]),
                }
            }
        }
    }

    fn multiplies_bytes(&self) -> bool {
        true
    }

    /// # Safety
    /// As the trait says.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    unsafe fn products(
        &self,
        matrix: &ProductMatrix,
        first: usize,
        packs: Packs,
        stride: usize,
        out: &mut [i32],
    ) {
        // SAFETY: passed on; blocks are of as many positions.
        unsafe { each_block(LANES, product_blocks!(matrix), matrix, first, packs, stride, out) };
    }

    fn float_panel(&self) -> usize {
        WIDEST
    }

    /// # Safety
    /// As the trait says.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
    unsafe fn float_products(&self, matrix: &FloatMatrix, inputs: FloatInputs, out: FloatRows) {
        float::products::<32>(matrix, inputs, out, |packed, rows, sums| dense_block(packed, rows, sums));
    }

    /// # Safety
    /// As the trait says.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
    unsafe fn nonzero_bits(&self, values: &[f32], stride: usize, channels: usize, bits: &mut [u64]) -> bool {
        float::nonzero_bits(values, stride, channels, bits, |values| float_flags(values))
    }

    /// # Safety
    /// As the trait says.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,popcnt")]
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
        let frames = x.len() / positions;
        for start in (0..positions).step_by(LANES) {
            let columns = u64::MAX >> (LANES - (positions - start).min(LANES));
            let mut membrane = [_mm512_setzero_si512(); 4];
            for (t, (fired, clamped)) in fired.iter_mut().zip(clamped.iter_mut()).enumerate() {
                let frame = (t % frames) * positions + start;
                let (mut fires, mut clamps) = ([0; 4], [0; 4]);
                for (j, v) in membrane.iter_mut().enumerate() {
                    let lanes = (columns >> (16 * j)) as u16;
                    let at = x.as_ptr().wrapping_add(frame + 16 * j);
                    // SAFETY: `lanes` leaves out what is behind the frame.
                    let x = unsafe { _mm512_maskz_loadu_epi32(lanes, at) };
                    (fires[j], clamps[j], *v) = update(cell, *v, x);
                }
                let fires = join_masks(fires) & columns;
                *fired += fires.count_ones();
                if cell.clamps {
                    *clamped += (join_masks(clamps) & columns).count_ones();
                }
                // SAFETY: positions of this frame; bytes behind it are left out or written as they were read.
                unsafe { set_bits(&mut spikes[t * positions + start..], fires, columns, bit) };
            }
        }
    }
}

/// The table of bytes of two halves of eight entries.
///
/// # Safety
/// `halves` has 16 bytes, and `table` 64.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn expand_bytes(halves: &[u8], table: &mut [u8]) {
    let low: [i8; 64] = std::array::from_fn(|i| (i & 7) as i8);
    let high: [i8; 64] = std::array::from_fn(|i| 8 + (i >> 3) as i8);
    // SAFETY: 64 bytes each, and what the caller says.
    unsafe {
        let pair = _mm512_broadcast_i32x4(_mm_loadu_si128(halves.as_ptr().cast()));
        let [low, high] =
            [low, high].map(|order| _mm512_shuffle_epi8(pair, _mm512_loadu_si512(order.as_ptr().cast())));
        _mm512_storeu_si512(table.as_mut_ptr().cast(), _mm512_add_epi8(low, high));
    }
}

/// Which of eight and eight words the entries of a table are made of: the first half of all, and the second halves of
/// the first and of the last 8 of each 16, so that packing brings all in their order.
#[target_feature(enable = "avx512f")]
fn digit_orders() -> [__m512i; 3] {
    let of = |word: fn(usize) -> usize| {
        let words: [i16; 32] = std::array::from_fn(|i| word(i) as i16);
        // SAFETY: 64 bytes.
        unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
    };
    [of(|i| i & 7), of(|i| 8 + (i >> 3) * 2), of(|i| 9 + (i >> 3) * 2)]
}

/// The tables of the two digits of the sums of two halves of eight entries of 16 bits.
///
/// # Safety
/// `halves` has 32 bytes, and `table` 128.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn expand_digits(digit: u32, orders: [__m512i; 3], halves: &[u8], table: &mut [u8]) {
    let (mask, shift) = (_mm512_set1_epi16((1 << digit) - 1), _mm_cvtsi32_si128(digit as i32));
    // SAFETY: what the caller says.
    unsafe {
        let pair = _mm512_broadcast_i64x4(_mm256_loadu_si256(halves.as_ptr().cast()));
        let [low, first, last] = orders.map(|order| _mm512_permutexvar_epi16(order, pair));
        let sums = [_mm512_add_epi16(low, first), _mm512_add_epi16(low, last)];
        let [first, last] = sums.map(|sums| _mm512_and_si512(sums, mask));
        let at: *mut __m512i = table.as_mut_ptr().cast();
        _mm512_storeu_si512(at, _mm512_packus_epi16(first, last));
        let [first, last] = sums.map(|sums| _mm512_srl_epi16(sums, shift));
        _mm512_storeu_si512(at.add(1), _mm512_packus_epi16(first, last));
    }
}

/// All channels at `J` vectors of positions, the bytes of which stay in the first-level cache for a run.
///
/// # Safety
/// As for [`InstructionSet::lookup`]; `index` starts with the block, and `out` where its columns are.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
unsafe fn block<const J: usize>(tables: &Tables, index: &[u8], stride: usize, out: &mut [i32]) {
    let mut start = 0;
    for run in &tables.matrix.runs {
        let mut channel = 0;
        while channel < tables.count {
            let rows = Rows { run, start, index };
            let out = &mut out[channel * stride..];
            // SAFETY: passed on; two channels where two are left.
            unsafe {
                match (tables.matrix.entry, tables.count - channel) {
                    (Entry::Byte, 1) => bytes::<1, J>(tables, channel, rows, stride, out),
                    (Entry::Byte, _) => bytes::<2, J>(tables, channel, rows, stride, out),
                    (Entry::Word, 1) => digits::<J>(tables, channel, rows, out),
                    (Entry::Word, _) => {
                        digits::<J>(tables, channel, rows, out);
                        digits::<J>(tables, channel + 1, rows, &mut out[stride..]);
                    }
                }
            }
            channel += 2;
        }
        start = run.end;
    }
}

/// A run of rows from `start` on.
#[derive(Clone, Copy)]
struct Rows<'a> {
    run: &'a Run,
    start: usize,
    index: &'a [u8],
}

/// One channel at `J` vectors of positions, tables of two digits.
///
/// # Safety
/// As for [`block`]; `out` starts with the channel.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
unsafe fn digits<const J: usize>(tables: &Tables, channel: usize, rows: Rows, out: &mut [i32]) {
    let from = tables.of(channel);
    let digit = _mm_cvtsi32_si128(tables.matrix.digit as i32);
    let (mut both, mut odd) = ([_mm512_setzero_si512(); J], [_mm512_setzero_si512(); J]);
    let mut row = rows.start;
    for &end in &rows.run.parts {
        let (mut low, mut high) = ([_mm512_setzero_si512(); J], [_mm512_setzero_si512(); J]);
        while row < end {
            // SAFETY: two tables, and `J` vectors of row `row`.
            unsafe {
                let table: *const __m512i = from.as_ptr().add(row * 2 * TABLE).cast();
                let (lows, highs) = (_mm512_load_si512(table), _mm512_load_si512(table.add(1)));
                for j in 0..J {
                    let bytes = _mm512_loadu_si512(rows.index.as_ptr().add((row * J + j) * LANES).cast());
                    low[j] = _mm512_add_epi8(low[j], _mm512_permutexvar_epi8(bytes, lows));
                    high[j] = _mm512_add_epi8(high[j], _mm512_permutexvar_epi8(bytes, highs));
                }
            }
            row += 1;
        }
        for j in 0..J {
            let high_odd = _mm512_sll_epi16(_mm512_srli_epi16::<8>(high[j]), digit);
            both[j] = _mm512_add_epi16(both[j], _mm512_add_epi16(low[j], _mm512_sll_epi16(high[j], digit)));
            odd[j] = _mm512_add_epi16(odd[j], _mm512_add_epi16(_mm512_srli_epi16::<8>(low[j]), high_odd));
        }
    }
    let (matrix, first) = (tables.matrix, rows.start == 0);
    // SAFETY: `J` vectors of the row of the channel.
    unsafe { store_all(matrix, tables.first + channel, first, both, odd, out) };
}

/// `C` channels at `J` vectors of positions, tables of 8-bit sums.
///
/// # Safety
/// As for [`block`]; there are `C` channels from `channel` on, and `out` starts with the first.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
unsafe fn bytes<const C: usize, const J: usize>(
    tables: &Tables,
    channel: usize,
    rows: Rows,
    stride: usize,
    out: &mut [i32],
) {
    let from: [&[u8]; C] = std::array::from_fn(|c| tables.of(channel + c));
    let (mut both, mut odd) = ([[_mm512_setzero_si512(); J]; C], [[_mm512_setzero_si512(); J]; C]);
    let mut row = rows.start;
    for &end in &rows.run.parts {
        let mut sums = [[_mm512_setzero_si512(); J]; C];
        while row < end {
            // SAFETY: a table of each channel, and `J` vectors of row `row`.
            unsafe {
                let mut table = [_mm512_setzero_si512(); C];
                for c in 0..C {
                    table[c] = _mm512_load_si512(from[c].as_ptr().add(row * TABLE).cast());
                }
                for j in 0..J {
                    let bytes = _mm512_loadu_si512(rows.index.as_ptr().add((row * J + j) * LANES).cast());
                    for c in 0..C {
                        sums[c][j] = _mm512_add_epi8(sums[c][j], _mm512_permutexvar_epi8(bytes, table[c]));
                    }
                }
            }
            row += 1;
        }
        for c in 0..C {
            for j in 0..J {
                both[c][j] = _mm512_add_epi16(both[c][j], sums[c][j]);
                odd[c][j] = _mm512_add_epi16(odd[c][j], _mm512_srli_epi16::<8>(sums[c][j]));
            }
        }
    }
    for c in 0..C {
        let (first, at) = (rows.start == 0, &mut out[c * stride..]);
        // SAFETY: `J` vectors of the row of channel `c`.
        unsafe { store_all(tables.matrix, tables.first + channel + c, first, both[c], odd[c], at) };
    }
}

/// Writes the sums of `J` vectors of positions: from those of both bytes of each word, of which the low one counts once
/// and the high one 256 times, and of the high ones alone, all in 16 bits, whatever is carried beyond them.
///
/// # Safety
/// `J` vectors can be written to `out`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
unsafe fn store_all<const J: usize>(
    matrix: &LookupMatrix,
    channel: usize,
    first: bool,
    both: [__m512i; J],
    odd: [__m512i; J],
    out: &mut [i32],
) {
    let shift = _mm_cvtsi32_si128(matrix.shift as i32);
    let bias = first.then_some(matrix.bias[channel]);
    for j in 0..J {
        let even = _mm512_sub_epi16(both[j], _mm512_slli_epi16::<8>(odd[j]));
        // SAFETY: vector `j` of `out`.
        unsafe { store(even, odd[j], shift, bias, out.as_mut_ptr().add(j * LANES)) };
    }
}

/// Writes (sum << shift) + bias of 64 positions, or without a bias adds sum << shift to what is there.
///
/// # Safety
/// 64 values can be written to `out`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
unsafe fn store(even: __m512i, odd: __m512i, shift: __m128i, bias: Option<i32>, out: *mut i32) {
    // Words of positions 0..8 and 8..16 of each 16.
    let (low, high) = (_mm512_unpacklo_epi16(even, odd), _mm512_unpackhi_epi16(even, odd));
    let first = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), high);
    let second = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), high);
    let quarters = [
        _mm512_castsi512_si256(first),
        _mm512_extracti64x4_epi64::<1>(first),
        _mm512_castsi512_si256(second),
        _mm512_extracti64x4_epi64::<1>(second),
    ];
    for (i, quarter) in quarters.into_iter().enumerate() {
        let sum = _mm512_sll_epi32(_mm512_cvtepu16_epi32(quarter), shift);
        // SAFETY: 16 of the 64 values of `out`.
        unsafe {
            let at = out.add(16 * i).cast();
            let base = match bias {
                Some(bias) => _mm512_set1_epi32(bias),
                None => _mm512_loadu_si512(at),
            };
            _mm512_storeu_si512(at, _mm512_add_epi32(sum, base));
        }
    }
}

/// `C` channels at 64 positions: what is loaded serves all of them.
///
/// # Safety
/// As for [`InstructionSet::products`]; `packs` and `out` start at the 64 positions, and there are `C` channels from
/// `channel` on, whose operands are `BYTES` or words.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn product_block<const C: usize, const BYTES: bool>(
    matrix: &ProductMatrix,
    channel: usize,
    packs: *const i32,
    stride: usize,
    out: &mut [i32],
) {
    let weights: [&[i32]; C] = std::array::from_fn(|c| matrix.weights_of(channel + c));
    let mut acc = [[_mm512_setzero_si512(); 4]; C];
    for pack in 0..matrix.packs {
        // SAFETY: 64 packs of row `pack`, and one of weights of each channel.
        unsafe {
            let row = packs.add(LANES * pack);
            let x: [_; 4] = std::array::from_fn(|j| _mm512_loadu_si512(row.add(16 * j).cast()));
            for c in 0..C {
                let weight = _mm512_set1_epi32(*weights[c].get_unchecked(pack));
                for j in 0..4 {
                    acc[c][j] = if BYTES {
                        _mm512_dpbusd_epi32(acc[c][j], x[j], weight)
                    } else {
                        _mm512_dpwssd_epi32(acc[c][j], x[j], weight)
                    };
                }
            }
        }
    }
    let shift = _mm_cvtsi32_si128(matrix.shift as i32);
    for c in 0..C {
        let bias = _mm512_set1_epi32(matrix.bias[channel + c]);
        for j in 0..4 {
            let x = _mm512_add_epi32(_mm512_sll_epi32(acc[c][j], shift), bias);
            // SAFETY: 16 values of this row.
            unsafe { _mm512_storeu_si512(out[c * stride..].as_mut_ptr().add(16 * j).cast(), x) };
        }
    }
}

/// Where 16 neurons fire, where their membranes are clamped, and their membranes.
#[target_feature(enable = "avx512f")]
fn update(cell: &Cell, v: __m512i, x: __m512i) -> (u16, u16, __m512i) {
    let g = _mm512_add_epi32(v, x);
    let fires = _mm512_cmpge_epi32_mask(g, _mm512_set1_epi32(cell.threshold));
    let reset = match cell.subtract {
        Some(amount) => _mm512_mask_sub_epi32(g, fires, g, _mm512_set1_epi32(amount)),
        None => _mm512_maskz_mov_epi32(!fires, g),
    };
    // Shifts of each lane take one operation, shifts of all by one count two.
    let discard = _mm512_set1_epi32(cell.discard as i32);
    let mut kept = kept(cell, reset);
    if let Some(amount) = cell.delayed {
        kept = _mm512_mask_sub_epi32(kept, fires, kept, _mm512_set1_epi32(amount));
        kept = _mm512_srav_epi32(kept, discard);
    }
    if !cell.clamps {
        return (fires, 0, _mm512_sllv_epi32(kept, discard));
    }
    let stored = _mm512_max_epi32(kept, _mm512_set1_epi32(cell.low));
    let stored = _mm512_min_epi32(stored, _mm512_set1_epi32(cell.high));
    (fires, _mm512_cmpneq_epi32_mask(stored, kept), _mm512_sllv_epi32(stored, discard))
}

/// What is stored of 16 potentials, before their word clamps them; see [`Cell::kept`].
#[target_feature(enable = "avx512f")]
fn kept(cell: &Cell, left: __m512i) -> __m512i {
    if cell.keep.multiplier == 1 {
        return _mm512_srav_epi32(left, _mm512_set1_epi32(cell.keep.shift.min(31) as i32));
    }
    // Potentials have 31 bits, so that twice as much and 1 is a word; products have two.
    let twice = _mm512_add_epi32(_mm512_add_epi32(left, left), _mm512_set1_epi32(1));
    let multiplier = _mm512_set1_epi64(cell.keep.multiplier.into());
    let shift = _mm_cvtsi32_si128(cell.keep.shift as i32 + 1);
    let even = _mm512_sra_epi64(_mm512_mul_epi32(twice, multiplier), shift);
    let odd = _mm512_sra_epi64(_mm512_mul_epi32(_mm512_srli_epi64::<32>(twice), multiplier), shift);
    _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64::<32>(odd))
}

#[target_feature(enable = "avx512f,avx512bw")]
fn join_masks(quarters: [u16; 4]) -> u64 {
    let low = _mm512_kunpackw(quarters[1].into(), quarters[0].into());
    let high = _mm512_kunpackw(quarters[3].into(), quarters[2].into());
    _mm512_kunpackd(high.into(), low.into())
}

/// Sets `bit` in the bytes of `fires`, all of which are in `columns`.
///
/// # Safety
/// The bytes of `columns` are in `spikes`.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn set_bits(spikes: &mut [u8], fires: u64, columns: u64, bit: u8) {
    let bit = _mm512_set1_epi8(bit as i8);
    let at: *mut i8 = spikes.as_mut_ptr().cast();
    // SAFETY: 64 bytes where there are as many, else those of `columns`.
    unsafe {
        if spikes.len() >= LANES {
            let before = _mm512_loadu_si512(at.cast());
            _mm512_storeu_si512(
                at.cast(),
                _mm512_mask_blend_epi8(fires, before, _mm512_or_si512(before, bit)),
            );
        } else {
            let before = _mm512_maskz_loadu_epi8(columns, at);
            _mm512_mask_storeu_epi8(at, fires, _mm512_or_si512(before, bit));
        }
    }
}

/// Adds the products of packed inputs and rows of weights, which are rounded before they are added.
#[target_feature(enable = "avx512f")]
fn dense_block(packed: &[[f32; TALL]], rows: &[[f32; 32]], sums: &mut [[f32; 32]; TALL]) {
    let load = |row: &[f32; 32]| {
        let [low, high] = row.as_chunks::<16>().0 else { unreachable!("two vectors") };
        // SAFETY: a vector each.
        unsafe { [_mm512_loadu_ps(low.as_ptr()), _mm512_loadu_ps(high.as_ptr())] }
    };
    let mut acc = [[_mm512_setzero_ps(); 2]; TALL];
    for (acc, sums) in acc.iter_mut().zip(&*sums) {
        *acc = load(sums);
    }
    for (x, row) in packed.iter().zip(rows) {
        let row = load(row);
        for c in 0..TALL {
            let x = _mm512_set1_ps(x[c]);
            for half in 0..2 {
                acc[c][half] = _mm512_add_ps(acc[c][half], _mm512_mul_ps(row[half], x));
            }
        }
    }
    for (acc, sums) in acc.iter().zip(sums) {
        for (acc, sums) in acc.iter().zip(sums.as_chunks_mut::<16>().0) {
            // SAFETY: one vector.
            unsafe { _mm512_storeu_ps(sums.as_mut_ptr(), *acc) };
        }
    }
}

/// Bits of up to 64 values that are not zero, and of those that are neither 0 nor 1.
#[target_feature(enable = "avx512f")]
fn float_flags(values: &[f32]) -> (u64, u64) {
    let (mut nonzero, mut others) = (0, 0);
    for (i, values) in values.chunks(16).enumerate() {
        let lanes = (0xffff_u32 >> (16 - values.len())) as u16;
        // SAFETY: `lanes` leaves out what is behind the values.
        let x = unsafe { _mm512_maskz_loadu_ps(lanes, values.as_ptr()) };
        let not_0 = _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(x, _mm512_setzero_ps());
        let not_1 = _mm512_mask_cmp_ps_mask::<_CMP_NEQ_UQ>(not_0, x, _mm512_set1_ps(1.0));
        nonzero |= u64::from(not_0) << (16 * i);
        others |= u64::from(not_1) << (16 * i);
    }
    (nonzero, others)
}

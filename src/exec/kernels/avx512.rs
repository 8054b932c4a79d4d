//! Kernels for AVX-512: 64-entry tables of 16-bit sums in two registers.

use std::arch::x86_64::*;

use super::LANES;
use super::lookup::LookupMatrix;
use super::products::ProductMatrix;

/// Vectors of 64 positions whose sums are held in registers.
const BLOCK: usize = 4;
/// Words of a table.
const TABLE: usize = 64;

/// See [`super::lookup()`].
///
/// # Safety
/// `index` holds `matrix.rows` rows of `stride`, a multiple of [`LANES`]; `out` rows of `stride` for
/// channels that `matrix` has.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
pub unsafe fn lookup(matrix: &LookupMatrix, first: usize, index: &[u8], stride: usize, out: &mut [i32]) {
    let vectors = stride / LANES;
    let mut vector = 0;
    while vector < vectors {
        let count = (vectors - vector).min(BLOCK);
        for (i, out) in out.chunks_exact_mut(stride).enumerate() {
            let from = vector * LANES;
            // SAFETY: passed on; `count` vectors of the row are left.
            unsafe {
                match count {
                    1 => block::<1>(matrix, first + i, &index[from..], stride, &mut out[from..]),
                    2 => block::<2>(matrix, first + i, &index[from..], stride, &mut out[from..]),
                    3 => block::<3>(matrix, first + i, &index[from..], stride, &mut out[from..]),
                    _ => block::<BLOCK>(matrix, first + i, &index[from..], stride, &mut out[from..]),
                }
            }
        }
        vector += count;
    }
}

/// One channel at `J` vectors of positions.
///
/// # Safety
/// As for [`lookup`]; `J` vectors can be read from each row of `index` and written to `out`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
unsafe fn block<const J: usize>(
    matrix: &LookupMatrix,
    channel: usize,
    index: &[u8],
    stride: usize,
    out: &mut [i32],
) {
    let tables = &matrix.words()[channel * matrix.channel_words()..][..matrix.channel_words()];
    let shift = _mm_cvtsi32_si128(matrix.shift as i32);
    let mut start = 0;
    for &end in &matrix.runs {
        let (mut even, mut odd) = ([_mm512_setzero_si512(); J], [_mm512_setzero_si512(); J]);
        for row in start..end {
            // SAFETY: a table of `tables` and `J` vectors of row `row` of `index`.
            unsafe {
                let table = tables.as_ptr().add(row * TABLE);
                let (low, high) = (_mm512_load_si512(table.cast()), _mm512_load_si512(table.add(32).cast()));
                for j in 0..J {
                    // A word look-up reads the low 6 bits of each word: the even positions, and shifted the odd.
                    let bytes = _mm512_loadu_si512(index.as_ptr().add(row * stride + j * LANES).cast());
                    even[j] = _mm512_add_epi16(even[j], _mm512_permutex2var_epi16(low, bytes, high));
                    let bytes = _mm512_srli_epi16::<8>(bytes);
                    odd[j] = _mm512_add_epi16(odd[j], _mm512_permutex2var_epi16(low, bytes, high));
                }
            }
        }
        for j in 0..J {
            // SAFETY: vector `j` of `out`; only the first run overwrites what is there.
            unsafe {
                let out = out.as_mut_ptr().add(j * LANES);
                store(even[j], odd[j], shift, (start == 0).then_some(matrix.bias[channel]), out);
            }
        }
        start = end;
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

/// See [`super::products()`].
///
/// # Safety
/// `pairs` holds `matrix.pairs` rows of `2 stride`, `stride` a multiple of [`LANES`]; `out` rows of
/// `stride` for channels that `matrix` has.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub unsafe fn products(matrix: &ProductMatrix, first: usize, pairs: &[i16], stride: usize, out: &mut [i32]) {
    let shift = _mm_cvtsi32_si128(matrix.shift as i32);
    for from in (0..stride).step_by(LANES) {
        for (i, out) in out.chunks_exact_mut(stride).enumerate() {
            let weights = matrix.weights_of(first + i);
            let mut acc = [_mm512_setzero_si512(); 4];
            for (pair, &weights) in weights.iter().enumerate() {
                let weights = _mm512_set1_epi32(weights);
                for (j, acc) in acc.iter_mut().enumerate() {
                    // SAFETY: 16 pairs of row `pair`.
                    let x = unsafe {
                        _mm512_loadu_si512(pairs.as_ptr().add(2 * (pair * stride + from + 16 * j)).cast())
                    };
                    *acc = _mm512_dpwssd_epi32(*acc, x, weights);
                }
            }
            let bias = _mm512_set1_epi32(matrix.bias[first + i]);
            for (j, acc) in acc.into_iter().enumerate() {
                let x = _mm512_add_epi32(_mm512_sll_epi32(acc, shift), bias);
                // SAFETY: 16 values of this row.
                unsafe { _mm512_storeu_si512(out.as_mut_ptr().add(from + 16 * j).cast(), x) };
            }
        }
    }
}

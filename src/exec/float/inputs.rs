//! Inputs of products of real numbers.

use std::sync::atomic::{AtomicBool, Ordering};

use super::super::fast::in_tiles;
use super::super::kernels::{self, Cpu, FloatForm, FloatInputs};

/// Look-ups that take as long as one operation on real numbers.
pub const LOOKUPS_OF_AN_OPERATION: usize = 32;

/// Values that a product reads, and where they are not zero.
pub struct ProductInputs<'a> {
    values: &'a [f32],
    stride: usize,
    padding: &'a [f32],
    bits: Vec<u64>,
    form: FloatForm,
}

impl<'a> ProductInputs<'a> {
    /// Inputs in `values`: of each position as many channels as `padding` has, and `stride` values from one position
    /// to the next.
    pub fn new(values: &'a [f32], stride: usize, padding: &'a [f32]) -> Self {
        let (cpu, channels) = (Cpu::best(), padding.len());
        let (positions, words) = (values.len().div_ceil(stride), channels.div_ceil(64));
        let mut bits = vec![0; (positions + 1) * words];
        let (inside, outside) = bits.split_at_mut(positions * words);
        let spikes = AtomicBool::new(kernels::nonzero_bits(cpu, padding, channels, channels, outside));
        let work = positions * channels * LOOKUPS_OF_AN_OPERATION;
        in_tiles(work, words, inside, |first, bits| {
            if !kernels::nonzero_bits(cpu, &values[first * stride..], stride, channels, bits) {
                spikes.store(false, Ordering::Relaxed);
            }
        });
        let nonzero: usize = inside.iter().map(|word| word.count_ones() as usize).sum();
        // A row of weights that is looked up takes longer than one that passes by.
        let form = match spikes.into_inner() {
            _ if 2 * nonzero > positions * channels => FloatForm::Dense,
            true => FloatForm::Spikes,
            false => FloatForm::Sparse,
        };
        Self { values, stride, padding, bits, form }
    }

    /// Inputs that columns read: `sources` has the positions of the taps of each.
    pub fn at<'s>(&'s self, sources: &'s [u32], taps: usize) -> FloatInputs<'s> {
        FloatInputs {
            values: self.values,
            stride: self.stride,
            channels: self.padding.len(),
            bits: &self.bits,
            padding: self.padding,
            sources,
            taps,
            form: self.form,
        }
    }
}

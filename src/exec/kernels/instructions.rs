//! The trait of an instruction set: the kernels that it has of its own, and portable ones for the rest.

use std::panic::RefUnwindSafe;

use super::float::{self, FloatInputs, FloatRows};
use super::float_matrix::FloatMatrix;
#[cfg(doc)]
use super::float_matrix::WIDEST;
use super::loops::{Loops, neurons};
use super::portable;
use super::products::{Packs, ProductMatrix};
use super::tables::{LookupMatrix, TableLayout, Tables, words_of_mut};
use crate::exec::neuron::Cell;

/// Kernels for the processors that have certain instructions.
///
/// Tables are looked up as they were made: whoever replaces one of `table_layout`, `expand` and `lookup` replaces
/// all three.
pub trait InstructionSet: Loops + RefUnwindSafe {
    /// The name that a flag gives it.
    fn name(&self) -> &'static str;

    /// The processors that have it, in a few words.
    fn processors(&self) -> &'static str;

    /// True if this processor has all instructions that the kernels are compiled for.
    fn is_available(&self) -> bool;

    /// How tables lie.
    fn table_layout(&self) -> TableLayout {
        portable::LAYOUT
    }

    /// Channels whose tables stay in the second-level cache; a vector of them where tables hold them side by side.
    fn channels_of_a_tile(&self) -> usize {
        32
    }

    /// True if it multiplies bytes faster than words.
    fn multiplies_bytes(&self) -> bool {
        false
    }

    /// Makes the tables of `halves`: each holds the sums of one entry of each half.
    ///
    /// # Safety
    /// The processor has the instructions; `matrix` has the layout of this set, `halves` holds whole rows of it,
    /// and `tables` one table for each pair of halves.
    unsafe fn expand(&self, matrix: &LookupMatrix, halves: &[u8], tables: &mut [u8]) {
        portable::expand(matrix.rows, halves, words_of_mut(tables));
    }

    /// See [`super::lookup()`].
    ///
    /// # Safety
    /// The processor has the instructions; `tables` have the layout of this set, `index` holds `rows` of their
    /// matrix times `stride`, a multiple of [`super::LANES`], and `out` as many rows of `stride` as they have
    /// channels.
    unsafe fn lookup(&self, tables: &Tables, index: &[u8], stride: usize, out: &mut [i32]) {
        portable::lookup(tables, index, stride, out);
    }

    /// See [`super::products()`].
    ///
    /// # Safety
    /// The processor has the instructions; `packs` holds the inputs of `matrix` in blocks for `stride`, a multiple
    /// of [`super::LANES`]; `out` rows of `stride` for channels that `matrix` has, which holds words unless
    /// [`multiplies_bytes`](Self::multiplies_bytes).
    unsafe fn products(
        &self,
        matrix: &ProductMatrix,
        first: usize,
        packs: Packs,
        stride: usize,
        out: &mut [i32],
    ) {
        portable::products(matrix, first, packs, stride, out);
    }

    /// See [`super::float_products()`].
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn float_products(&self, matrix: &FloatMatrix, inputs: FloatInputs, out: FloatRows) {
        float::products::<8>(matrix, inputs, out, float::dense_block);
    }

    /// Output channels whose sums a sparse product of real numbers holds in registers: at most [`WIDEST`].
    fn float_panel(&self) -> usize {
        64
    }

    /// See [`super::nonzero_bits()`].
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn nonzero_bits(&self, values: &[f32], stride: usize, channels: usize, bits: &mut [u64]) -> bool {
        float::nonzero_bits(values, stride, channels, bits, float::flags_of)
    }

    /// See [`super::neuron()`].
    ///
    /// # Safety
    /// The processor has the instructions; `x` holds whole frames of `positions`, and `spikes` one for each of
    /// `fired`, which are as many as `clamped`.
    #[allow(clippy::too_many_arguments)]
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

/// What every target has.
pub struct Portable;

impl Loops for Portable {}

impl InstructionSet for Portable {
    fn name(&self) -> &'static str {
        "portable"
    }

    fn processors(&self) -> &'static str {
        "any processor"
    }

    fn is_available(&self) -> bool {
        true
    }
}

//! A matrix product with the widths of its elements.

use crate::map::{Gemm, Matrix};

/// A product with the widths of its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GemmOperands {
    /// Sizes.
    pub gemm: Gemm,
    /// Width of an input.
    pub input_bits: u32,
    /// Width of a weight.
    pub weight_bits: u32,
    /// Width of a partial sum.
    pub sum_bits: u32,
    /// Width of a finished sum.
    pub output_bits: u32,
}

impl GemmOperands {
    /// With sums that are as wide as they can get: the product's width and the logarithm of K.
    pub fn new(gemm: Gemm, input_bits: u32, weight_bits: u32) -> Self {
        // One bit gates a weight and adds nothing to its width.
        let product_bits = if input_bits == 1 { weight_bits } else { weight_bits + input_bits };
        let sum_bits = product_bits + u64::BITS - (gemm.k - 1).leading_zeros();
        Self { gemm, input_bits, weight_bits, sum_bits, output_bits: sum_bits }
    }

    /// Width of an element of `matrix` while sums are partial.
    pub(super) fn bits(&self, matrix: Matrix) -> u64 {
        u64::from(match matrix {
            Matrix::Inputs => self.input_bits,
            Matrix::Weights => self.weight_bits,
            Matrix::Outputs => self.sum_bits,
        })
    }
}

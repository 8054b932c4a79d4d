use std::ops::RangeInclusive;

use super::definition::Levels;

/// 0 and powers of the square root of two, 2^(k/2): every other one a shifted mantissa of 3 fraction bits, 11/8 for
/// sqrt(2), which is 2.8 % less, a twelfth of the way to its neighbour.
pub struct Post;

impl Levels for Post {
    fn name(&self) -> &'static str {
        "post"
    }

    fn widths(&self) -> RangeInclusive<u32> {
        3..=5
    }

    fn magnitudes(&self, bits: u32) -> &'static [i32] {
        const ALL: [i32; 16] = [0, 8, 11, 16, 22, 32, 44, 64, 88, 128, 176, 256, 352, 512, 704, 1024];
        &ALL[..1 << (bits - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magnitudes_are_two_mantissas_shifted() {
        for (k, &magnitude) in Post.magnitudes(5)[1..].iter().enumerate() {
            assert_eq!(magnitude, [8, 11][k % 2] << (k / 2));
            let exact = 8.0 * (k as f64 / 2.0).exp2();
            assert!((f64::from(magnitude) / exact - 1.0).abs() < 0.028, "{magnitude} of {exact}");
        }
    }
}

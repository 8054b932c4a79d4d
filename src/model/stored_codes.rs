//! Weights of checkpoints as they come from training: codes with scales, or what training rounds to them.

use serde::{Deserialize, Serialize};

use super::Parameter;
use crate::name::check_plain;

/// The integers that weights are, or are rounded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Codes {
    /// None: real numbers.
    Real,
    /// -2^(b-1) to 2^(b-1) - 1, b from 2 to 16: clamp(w / scale), rounded half to even.
    Signed(u32),
    /// -(2^(b-1) - 1) to 2^(b-1) - 1; of 2 bits, ternary.
    Narrow(u32),
    /// -1 and 1: the sign, 1 of 0.
    Binary,
}

/// What one code is worth.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
pub enum Scale {
    /// The tensor of this name behind that of the layer and a dot.
    Tensor(String),
    /// The largest magnitude over the largest code.
    #[default]
    Largest,
    /// A constant.
    Constant(f64),
}

/// How the weights of a layer are stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCodes {
    /// The integers.
    pub codes: Codes,
    /// What they are worth.
    pub scale: Scale,
    /// True for one scale per output channel, false for one of the layer.
    pub per_channel: bool,
}

/// Weights that are codes times scales.
#[derive(Debug, Clone, PartialEq)]
pub struct Dequantized {
    /// `[out][in / groups][tap]`, in single precision as training computes them.
    pub weight: Vec<f32>,
    /// `[out]`: what one code is worth.
    pub scales: Vec<f32>,
}

impl Codes {
    /// Smallest and largest code.
    fn range(self) -> (f32, f32) {
        let limit = |bits: u32| ((1u32 << (bits - 1)) - 1) as f32;
        match self {
            Self::Real => (f32::NEG_INFINITY, f32::INFINITY),
            Self::Signed(bits) => (-limit(bits) - 1.0, limit(bits)),
            Self::Narrow(bits) => (-limit(bits), limit(bits)),
            Self::Binary => (-1.0, 1.0),
        }
    }

    /// The code of `weight`, in single precision as PyTorch rounds it.
    fn nearest(self, weight: f32, scale: f32) -> f32 {
        let (low, high) = self.range();
        match self {
            Self::Binary if weight < 0.0 => -1.0,
            Self::Binary => 1.0,
            _ => (weight / scale).clamp(low, high).round_ties_even(),
        }
    }
}

impl StoredCodes {
    /// Says what is wrong with codes or a scale, if anything.
    pub(super) fn check(&self) -> Result<(), String> {
        match (self.codes, &self.scale) {
            (Codes::Signed(bits) | Codes::Narrow(bits), _) if !(2..=16).contains(&bits) => {
                Err(format!("codes of {bits} bits are not of 2 to 16"))
            }
            (_, Scale::Constant(scale)) if !(1e-30..=1e30).contains(scale) => {
                Err(format!("a scale of {scale:?} is not in 1e-30..=1e30"))
            }
            (_, Scale::Constant(_)) if self.per_channel => {
                Err("a constant scale is that of a layer, not of each channel".to_owned())
            }
            (_, Scale::Tensor(name)) => check_plain(name),
            _ => Ok(()),
        }
    }

    /// The tensor that the layer `name` of `channels` outputs reads its scales from, if any.
    pub fn parameter(&self, name: &str, channels: usize) -> Option<Parameter> {
        let Scale::Tensor(tensor) = &self.scale else { return None };
        let shape = if self.per_channel { vec![channels] } else { vec![] };
        Some(Parameter { name: format!("{name}.{tensor}"), shape, trained: true })
    }

    /// The scale of a layer, or of a channel, whose largest weight is `largest`, where no tensor says it.
    pub(crate) fn scale_of(&self, largest: f32) -> f32 {
        match self.scale {
            Scale::Constant(scale) => scale as f32,
            _ if largest == 0.0 => 1.0,
            _ => largest / self.codes.range().1,
        }
    }

    /// Codes times scales of `weight`, `[out][in / groups][tap]` of `fan_in` inputs; `scales` are those of the
    /// checkpoint, per channel or one for all, where it has any. Weights that are integers are codes already.
    ///
    /// # Errors
    /// Says which weight is no code, or which scale is none.
    pub(crate) fn dequantize(
        &self,
        weight: &[f32],
        fan_in: usize,
        scales: Option<&[f32]>,
        is_integer: bool,
    ) -> Result<Dequantized, String> {
        let rows = weight.len() / fan_in;
        let scales = match scales {
            Some(scales) => (0..rows).map(|row| scales[if scales.len() == 1 { 0 } else { row }]).collect(),
            None if is_integer && self.scale == Scale::Largest => {
                return Err("holds integers, whose scale a tensor must say".to_owned());
            }
            None => self.found(weight, fan_in),
        };
        if let Some(row) = scales.iter().position(|scale| !scale.is_normal() || *scale <= 0.0) {
            return Err(format!(
                "a scale of {:?}, of channel {row}, is no normal number above 0",
                scales[row]
            ));
        }
        let (low, high) = self.codes.range();
        let allowed = |w: f32| (low..=high).contains(&w) && (self.codes != Codes::Binary || w != 0.0);
        if let (true, Some(i)) = (is_integer, weight.iter().position(|&w| !allowed(w))) {
            return Err(format!("value {i} is {}, and no code of {low} to {high}", weight[i]));
        }
        let worth = |i: usize, w: f32| {
            let scale = scales[i / fan_in];
            if is_integer { w * scale } else { self.codes.nearest(w, scale) * scale }
        };
        let weight = weight.iter().enumerate().map(|(i, &w)| worth(i, w)).collect();
        Ok(Dequantized { weight, scales })
    }

    fn found(&self, weight: &[f32], fan_in: usize) -> Vec<f32> {
        let largest = |weights: &[f32]| weights.iter().fold(0.0f32, |largest, w| largest.max(w.abs()));
        if self.per_channel {
            weight.chunks_exact(fan_in).map(|row| self.scale_of(largest(row))).collect()
        } else {
            vec![self.scale_of(largest(weight)); weight.len() / fan_in]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(codes: Codes, scale: Scale, per_channel: bool) -> StoredCodes {
        StoredCodes { codes, scale, per_channel }
    }

    fn tensor() -> Scale {
        Scale::Tensor("alpha".to_owned())
    }

    /// 1.5 and 2.5 steps are 2, -8.6 of 4 bits is -8, or -7 where the range is narrow.
    #[test]
    fn codes_by_hand() {
        let weight = [0.75, 1.25, -4.3, 0.1];
        let codes = |codes: Codes| {
            let found = stored(codes, tensor(), false).dequantize(&weight, 4, Some(&[0.5]), false).unwrap();
            assert_eq!(found.scales, [0.5]);
            found.weight.iter().map(|w| w / 0.5).collect::<Vec<f32>>()
        };
        assert_eq!(codes(Codes::Signed(4)), [2.0, 2.0, -8.0, 0.0]);
        assert_eq!(codes(Codes::Narrow(4)), [2.0, 2.0, -7.0, 0.0]);
        assert_eq!(codes(Codes::Narrow(2)), [1.0, 1.0, -1.0, 0.0]);
        assert_eq!(codes(Codes::Binary), [1.0, 1.0, -1.0, 1.0]);
    }

    /// 3 / 7 and 14 / 7, or 14 / 7 of both.
    #[test]
    fn scales_of_the_largest_weights() {
        let weight = [3.0, -1.0, 7.0, -14.0];
        let found = |per_channel| {
            stored(Codes::Narrow(4), Scale::Largest, per_channel).dequantize(&weight, 2, None, false).unwrap()
        };
        assert_eq!(found(true).scales, [3.0 / 7.0, 2.0]);
        assert_eq!(found(true).weight, [7.0 * (3.0 / 7.0f32), -2.0 * (3.0 / 7.0f32), 8.0, -14.0]);
        assert_eq!((found(false).scales, found(false).weight), (vec![2.0; 2], vec![4.0, 0.0, 8.0, -14.0]));
        let constant = stored(Codes::Binary, Scale::Constant(0.25), false);
        assert_eq!(constant.dequantize(&weight, 2, None, false).unwrap().weight, [0.25, -0.25, 0.25, -0.25]);
    }

    #[test]
    fn integers_are_codes_already() {
        let four = stored(Codes::Signed(4), tensor(), true);
        let found = four.dequantize(&[7.0, -8.0], 1, Some(&[0.5, 3.0]), true).unwrap();
        assert_eq!((found.weight, found.scales), (vec![3.5, -24.0], vec![0.5, 3.0]));
        let refusal = |codes, scale, weight: &[f32], scales| {
            stored(codes, scale, true).dequantize(weight, 1, scales, true).unwrap_err()
        };
        let scales: &[f32] = &[0.5, 3.0];
        assert_eq!(
            refusal(Codes::Signed(4), tensor(), &[8.0, 0.0], Some(scales)),
            "value 0 is 8, and no code of -8 to 7"
        );
        assert_eq!(
            refusal(Codes::Binary, tensor(), &[1.0, 0.0], Some(scales)),
            "value 1 is 0, and no code of -1 to 1"
        );
        assert_eq!(
            refusal(Codes::Signed(4), Scale::Largest, &[1.0, 0.0], None),
            "holds integers, whose scale a tensor must say"
        );
        assert_eq!(
            refusal(Codes::Signed(4), tensor(), &[1.0, 0.0], Some(&[0.5, 0.0])),
            "a scale of 0.0, of channel 1, is no normal number above 0"
        );
    }
}

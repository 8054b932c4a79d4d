//! A tensor as a file holds it: bytes, a type, a shape and how to walk through it.

use half::{bf16, f16};
use safetensors::Dtype;

/// A tensor inside the bytes of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTensor<'a> {
    /// Type of the values.
    pub dtype: Dtype,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Values of `dtype`, little-endian.
    storage: &'a [u8],
    /// First value, in values from the start of the storage.
    offset: usize,
    /// Distance between neighbours along each axis, in values.
    strides: Vec<usize>,
    /// True where its values are those of the storage with the other sign.
    negated: bool,
}

/// Values of a view that repeats some of its storage, as `expand` makes them; the largest layers have fewer.
const MAX_REPEATED: usize = 1 << 24;

impl<'a> StoredTensor<'a> {
    /// A tensor that is all of `storage`, row-major; the caller has compared the sizes.
    pub(super) fn dense(dtype: Dtype, shape: &[usize], storage: &'a [u8]) -> Self {
        let mut strides = vec![1usize; shape.len()];
        for axis in (1..shape.len()).rev() {
            // Can only be too much where another axis is empty, and then no stride is walked.
            strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
        }
        Self { dtype, shape: shape.to_vec(), storage, offset: 0, strides, negated: false }
    }

    /// A view of `storage`, which holds whole values of `dtype`. It may repeat values: the stride of an axis
    /// that was expanded is 0.
    ///
    /// # Errors
    /// If the view leaves its storage, or repeats it so often that no layer reads so much.
    pub(super) fn view(
        dtype: Dtype,
        storage: &'a [u8],
        offset: usize,
        shape: Vec<usize>,
        mut strides: Vec<usize>,
    ) -> Result<Self, String> {
        let held = storage.len() * 8 / dtype.bitsize();
        let values = shape.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent));
        let negated = false;
        if values.is_none_or(|values| values > held.max(MAX_REPEATED)) {
            return Err(format!(
                "shape {shape:?} has more values than its storage, which holds {held}, and than {MAX_REPEATED}"
            ));
        }
        if values == Some(0) {
            return Ok(Self { dtype, shape, storage, offset: 0, strides, negated });
        }
        // The stride of an axis of one is never walked, and may be anything.
        strides.iter_mut().zip(&shape).filter(|(_, extent)| **extent == 1).for_each(|(s, _)| *s = 0);
        let last = shape.iter().zip(&strides).try_fold(offset, |at, (&extent, &stride)| {
            stride.checked_mul(extent - 1).and_then(|reach| at.checked_add(reach))
        });
        if last.is_some_and(|last| last < held) {
            Ok(Self { dtype, shape, storage, offset, strides, negated })
        } else {
            Err(format!(
                "offset {offset} and strides {strides:?} of shape {shape:?} leave a storage of {held} values"
            ))
        }
    }

    /// The tensor with the other sign.
    ///
    /// # Errors
    /// If its values are integers, the smallest of which has no other sign.
    pub(super) fn negated(self) -> Result<Self, String> {
        match self.dtype {
            Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16 => Ok(Self { negated: !self.negated, ..self }),
            other => Err(format!("a negated view of {other}")),
        }
    }

    /// The values, row-major. Halves become single precision exactly, doubles are rounded.
    ///
    /// # Errors
    /// Names the first integer that single precision does not hold exactly, the first double that
    /// exceeds it, or a type that no weights have.
    pub fn values(&self) -> Result<Vec<f32>, String> {
        let mut values = self.decoded()?;
        if self.negated {
            values.iter_mut().for_each(|value| *value = -*value);
        }
        Ok(values)
    }

    fn decoded(&self) -> Result<Vec<f32>, String> {
        match self.dtype {
            Dtype::F32 => self.decode(|bytes| Ok(f32::from_le_bytes(bytes))),
            Dtype::F16 => self.decode(|bytes| Ok(f16::from_le_bytes(bytes).to_f32())),
            Dtype::BF16 => self.decode(|bytes| Ok(bf16::from_le_bytes(bytes).to_f32())),
            Dtype::F64 => self.decode(|bytes| rounded(f64::from_le_bytes(bytes))),
            Dtype::U8 => self.decode(|bytes| exact(u8::from_le_bytes(bytes).into())),
            Dtype::I8 => self.decode(|bytes| exact(i8::from_le_bytes(bytes).into())),
            Dtype::I16 => self.decode(|bytes| exact(i16::from_le_bytes(bytes).into())),
            Dtype::I32 => self.decode(|bytes| exact(i32::from_le_bytes(bytes))),
            other => Err(format!("dtype {other}: weights are F32, F64, F16, BF16, I32, I16, I8 or U8")),
        }
    }

    /// `convert` applied to every value; what it refuses is named with its index.
    fn decode<const N: usize>(
        &self,
        convert: fn([u8; N]) -> Result<f32, String>,
    ) -> Result<Vec<f32>, String> {
        let (values, _) = self.storage.as_chunks::<N>();
        let decode = |(index, at): (usize, usize)| {
            convert(values[at])
                .map_err(|value| format!("value {index} is {value}, which single precision does not hold"))
        };
        self.positions().enumerate().map(decode).collect()
    }

    /// Where the values lie in the storage, row-major.
    fn positions(&self) -> impl Iterator<Item = usize> {
        let mut index = vec![0; self.shape.len()];
        let mut next = self.offset;
        (0..self.shape.iter().product()).map(move |_| {
            let here = next;
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                next += self.strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                next -= self.strides[axis] * self.shape[axis];
                index[axis] = 0;
            }
            here
        })
    }
}

/// Nothing else than a finite double becomes infinite in silence.
fn rounded(value: f64) -> Result<f32, String> {
    let single = value as f32;
    if value.is_finite() && single.is_infinite() { Err(format!("{value:e}")) } else { Ok(single) }
}

fn exact(value: i32) -> Result<f32, String> {
    let single = value as f32;
    if f64::from(single) == f64::from(value) { Ok(single) } else { Err(value.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    #[test]
    fn views_walk_their_strides() {
        let storage = bytes(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let view = |offset, shape: &[usize], strides: &[usize]| {
            let view = StoredTensor::view(Dtype::F32, &storage, offset, shape.to_vec(), strides.to_vec());
            view.and_then(|view| view.values())
        };
        assert_eq!(view(0, &[2, 3], &[3, 1]).unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(view(0, &[3, 2], &[1, 3]).unwrap(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(view(1, &[2, 1, 2], &[3, usize::MAX, 1]).unwrap(), [1.0, 2.0, 4.0, 5.0]);
        assert_eq!(view(4, &[3], &[0]).unwrap(), [4.0; 3]);
        assert_eq!(view(5, &[], &[]).unwrap(), [5.0]);
        assert_eq!(view(3, &[7], &[0]).unwrap(), [3.0; 7]);
        assert_eq!(view(1, &[3, 2, 2], &[0, 1, 1]).unwrap(), [1.0, 2.0, 2.0, 3.0].repeat(3));
        assert_eq!(view(9, &[2, 0], &[1, 1]).unwrap(), [0.0; 0]);
        for (offset, shape, strides) in [
            (6, &[1][..], &[1][..]),
            (1, &[2, 3], &[3, 1]),
            (0, &[2], &[6]),
            (usize::MAX, &[2], &[1]),
            (0, &[2, 2], &[usize::MAX, 1]),
            (0, &[1 << 24, 2], &[0, 0]),
            (0, &[usize::MAX, 2], &[0, 0]),
        ] {
            assert!(view(offset, shape, strides).is_err(), "{offset} {shape:?} {strides:?}");
        }
    }

    #[test]
    fn negated_views_have_the_other_sign() {
        let storage = bytes(&[1.0, -0.5]);
        let tensor = || StoredTensor::dense(Dtype::F32, &[2], &storage);
        let negated = tensor().negated().unwrap();
        assert_eq!(negated.values().unwrap(), [-1.0, 0.5]);
        assert_eq!(negated.negated().unwrap().values().unwrap(), [1.0, -0.5]);
        let halves = StoredTensor::dense(Dtype::F16, &[1], &[0x00, 0x3e]);
        assert_eq!(halves.negated().unwrap().values().unwrap(), [-1.5]);
        let integers = StoredTensor::dense(Dtype::I8, &[1], &[0x80]);
        assert_eq!(integers.negated().unwrap_err(), "a negated view of I8");
    }

    #[test]
    fn values_are_exact_or_refused() {
        let values = |dtype: Dtype, bytes: &[u8]| {
            let count = bytes.len() * 8 / dtype.bitsize();
            StoredTensor::dense(dtype, &[count], bytes).values()
        };
        assert_eq!(values(Dtype::F16, &[0x00, 0x3e, 0x01, 0x00]).unwrap(), [1.5, 2f32.powi(-24)]);
        assert_eq!(values(Dtype::BF16, &[0xc0, 0x3f]).unwrap(), [1.5]);
        assert_eq!(values(Dtype::F64, &0.1f64.to_le_bytes()).unwrap(), [0.1]);
        assert!(values(Dtype::F64, &f64::NAN.to_le_bytes()).unwrap()[0].is_nan());
        assert_eq!(values(Dtype::U8, &[255]).unwrap(), [255.0]);
        assert_eq!(values(Dtype::I8, &[255]).unwrap(), [-1.0]);
        assert_eq!(values(Dtype::I16, &(-300i16).to_le_bytes()).unwrap(), [-300.0]);
        assert_eq!(values(Dtype::I32, &i32::MIN.to_le_bytes()).unwrap(), [-(2f32.powi(31))]);
        let refused = |dtype, bytes: &[u8]| values(dtype, bytes).unwrap_err();
        let odd = [16_777_216i32, 16_777_217].map(i32::to_le_bytes).concat();
        assert_eq!(refused(Dtype::I32, &odd), "value 1 is 16777217, which single precision does not hold");
        assert!(refused(Dtype::I32, &i32::MAX.to_le_bytes()).contains("2147483647"));
        assert!(refused(Dtype::F64, &1e300f64.to_le_bytes()).starts_with("value 0 is 1e300,"));
        assert!(refused(Dtype::BOOL, &[1]).starts_with("dtype BOOL: "));
    }
}

//! NumPy's `.npy`, after `numpy.lib.format`: versions 1 to 3, C order, little endian; version 1 is written.
//!
//! ```
//! use spiq::npy::{Kind, preamble, read};
//!
//! let mut file = preamble(Kind::Signed(2), &[1, 2]);
//! file.extend([1i16, -2].map(i16::to_le_bytes).concat());
//! let array = read(&file[..], 1 << 10, "codes.npy")?;
//! assert_eq!((array.shape, array.data), (vec![1, 2], vec![1, 0, 0xFE, 0xFF]));
//! # Ok::<(), spiq::Error>(())
//! ```

use std::io::Read;

use crate::error::{Error, Result};

/// No header of a few extents is longer.
const MAX_HEADER: u64 = 1 << 16;

/// Types of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Unsigned integers of so many bytes.
    Unsigned(usize),
    /// Signed integers of so many bytes.
    Signed(usize),
    /// Single precision.
    Float,
    /// Double precision.
    Double,
}

impl Kind {
    /// Bytes of a value.
    pub fn bytes(self) -> usize {
        match self {
            Self::Unsigned(bytes) | Self::Signed(bytes) => bytes,
            Self::Float => 4,
            Self::Double => 8,
        }
    }

    /// True of numbers that may have a fraction.
    pub fn is_float(self) -> bool {
        matches!(self, Self::Float | Self::Double)
    }

    /// The type as NumPy spells it.
    fn descr(self) -> String {
        let order = if self.bytes() == 1 { '|' } else { '<' };
        match self {
            Self::Unsigned(bytes) => format!("{order}u{bytes}"),
            Self::Signed(bytes) => format!("{order}i{bytes}"),
            Self::Float | Self::Double => format!("{order}f{}", self.bytes()),
        }
    }

    /// The value of as many bytes; `None` for one that is no whole number of 64 bits.
    pub fn integer(self, value: &[u8]) -> Option<i64> {
        let unused = 64 - 8 * value.len() as u32;
        match self {
            Self::Unsigned(_) => i64::try_from(raw(value)).ok(),
            Self::Signed(_) => Some((raw(value) << unused) as i64 >> unused),
            Self::Float | Self::Double => {
                let value = self.float(value);
                (value.fract() == 0.0 && value.abs() < 1e18).then_some(value as i64)
            }
        }
    }

    /// The value of as many bytes, as near as double precision comes.
    pub fn float(self, value: &[u8]) -> f64 {
        match self {
            Self::Unsigned(_) => raw(value) as f64,
            Self::Signed(_) => self.integer(value).map_or(0.0, |value| value as f64),
            Self::Float => f32::from_bits(raw(value) as u32).into(),
            Self::Double => f64::from_bits(raw(value)),
        }
    }

    /// The value of as many bytes, for messages.
    pub fn text(self, value: &[u8]) -> String {
        match self {
            Self::Unsigned(_) => raw(value).to_string(),
            Self::Signed(_) | Self::Double => self.float(value).to_string(),
            Self::Float => f32::from_bits(raw(value) as u32).to_string(),
        }
    }
}

fn raw(value: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes[..value.len()].copy_from_slice(value);
    u64::from_le_bytes(bytes)
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unsigned(bytes) => write!(f, "uint{}", 8 * bytes),
            Self::Signed(bytes) => write!(f, "int{}", 8 * bytes),
            Self::Float | Self::Double => write!(f, "float{}", 8 * self.bytes()),
        }
    }
}

/// An array as the file holds it.
#[derive(Debug, PartialEq)]
pub struct Array {
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Type of the values.
    pub kind: Kind,
    /// The values, last index fastest, little endian.
    pub data: Vec<u8>,
}

impl Array {
    /// The bytes of each value.
    pub fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.data.chunks_exact(self.kind.bytes())
    }

    /// The indices of value number `i`, for messages.
    pub fn place(&self, i: usize) -> String {
        let mut rest = i;
        let mut place: Vec<usize> = self
            .shape
            .iter()
            .rev()
            .map(|&extent| {
                let index = rest % extent.max(1);
                rest /= extent.max(1);
                index
            })
            .collect();
        place.reverse();
        format!("{place:?}")
    }
}

/// What stands before the values of a file.
#[derive(Debug, PartialEq)]
pub struct Preamble {
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Type of the values.
    pub kind: Kind,
    /// Where the values start.
    pub start: usize,
}

/// Reads a whole file; `path` is for messages. Reading stops one byte behind what the header promises, which
/// may be `limit` bytes.
///
/// # Errors
/// Names the file, and what about it is not as NumPy writes it or not read.
pub fn read(mut reader: impl Read, limit: u64, path: &str) -> Result<Array> {
    let (Preamble { shape, kind, start }, mut data) = read_preamble(&mut reader, path)?;
    data.drain(..start);
    let refuse = |message: String| Err(Error::field(path, "length", message));
    let Some(expected) = data_bytes(kind, &shape).filter(|&bytes| bytes <= limit) else {
        return refuse(format!("{shape:?} of {kind} exceed the {limit} bytes that are read of such a file"));
    };
    let left = (expected + 1).saturating_sub(data.len() as u64);
    reader.take(left).read_to_end(&mut data).map_err(|e| Error::io(path, e))?;
    if data.len() as u64 > expected {
        return refuse(format!("more than {expected} bytes of data for {shape:?} of {kind}"));
    }
    check_length(kind, &shape, data.len() as u64, path)?;
    Ok(Array { shape, kind, data })
}

/// Reads the beginning of a file, more of it than its preamble; `path` is for messages.
///
/// # Errors
/// Those of [`read`].
pub(crate) fn read_preamble(reader: impl Read, path: &str) -> Result<(Preamble, Vec<u8>)> {
    let mut beginning = Vec::new();
    reader.take(MAX_HEADER).read_to_end(&mut beginning).map_err(|e| Error::io(path, e))?;
    Ok((parse_preamble(&beginning, path)?, beginning))
}

/// Refuses a file with other than as many bytes of values as its shape says.
pub(crate) fn check_length(kind: Kind, shape: &[usize], bytes: u64, path: &str) -> Result<()> {
    if data_bytes(kind, shape) == Some(bytes) {
        Ok(())
    } else {
        Err(Error::field(path, "length", format!("{bytes} bytes of data for {shape:?} of {kind}")))
    }
}

/// Bytes of the values; `None` where 64 bits do not count them.
fn data_bytes(kind: Kind, shape: &[usize]) -> Option<u64> {
    shape.iter().try_fold(kind.bytes() as u64, |n, &extent| n.checked_mul(extent as u64))
}

/// Parses the beginning of a file; `path` is for messages.
fn parse_preamble(bytes: &[u8], path: &str) -> Result<Preamble> {
    let refuse = |field: &str, message: String| Err(Error::field(path, field, message));
    let Some((version, rest)) = bytes.strip_prefix(b"\x93NUMPY").and_then(|rest| rest.split_first_chunk())
    else {
        return refuse("magic", "not a .npy file".to_owned());
    };
    let (length, rest) = match (version, rest) {
        ([1, 0], [a, b, rest @ ..]) => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        ([2 | 3, 0], [a, b, c, d, rest @ ..]) => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        ([1..=3, 0], _) => return refuse("header", "truncated".to_owned()),
        ([major, minor], _) => return refuse("version", format!("{major}.{minor}, expected 1.0 to 3.0")),
    };
    let Some((header, data)) = rest.split_at_checked(length) else {
        return refuse("header", format!("{} of its {length} bytes are there", rest.len()));
    };
    let Some(header) = std::str::from_utf8(header).ok().and_then(Header::parse) else {
        return refuse("header", "not a dictionary of descr, fortran_order and shape".to_owned());
    };
    let kind = kind(header.descr).map_err(|message| Error::field(path, "descr", message))?;
    if header.fortran_order {
        return refuse("fortran_order", "True: save numpy.ascontiguousarray of it".to_owned());
    }
    Ok(Preamble { shape: header.shape, kind, start: bytes.len() - data.len() })
}

/// The beginning of a file of version 1.0, padded so that the values start at a multiple of 64 bytes.
pub fn preamble(kind: Kind, shape: &[usize]) -> Vec<u8> {
    let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    let mut text = format!(
        "{{'descr': '{}', 'fortran_order': False, 'shape': ({}{comma}), }}",
        kind.descr(),
        extents.join(", ")
    );
    let before = b"\x93NUMPY\x01\x00".len() + 2;
    let length = (before + text.len() + 1).next_multiple_of(64) - before;
    text += &" ".repeat(length - text.len() - 1);
    text.push('\n');
    [b"\x93NUMPY\x01\x00", &(length as u16).to_le_bytes()[..], text.as_bytes()].concat()
}

fn kind(descr: &str) -> Result<Kind, String> {
    let (order, code) = descr.split_at_checked(1).unwrap_or(("", ""));
    let kind = match code {
        "u1" | "u2" | "u4" | "u8" => Kind::Unsigned(usize::from(code.as_bytes()[1] - b'0')),
        "i1" | "i2" | "i4" | "i8" => Kind::Signed(usize::from(code.as_bytes()[1] - b'0')),
        // A byte of 0 or 1.
        "b1" => Kind::Unsigned(1),
        "f4" => Kind::Float,
        "f8" => Kind::Double,
        _ => return Err(format!("{descr:?} is not of integers, float32 or float64")),
    };
    match order {
        "<" => Ok(kind),
        "|" if kind.bytes() == 1 => Ok(kind),
        ">" => Err(format!("{descr:?} is big endian: save it with .astype(\"<{code}\")")),
        _ => Err(format!("{descr:?} is of no byte order")),
    }
}

#[derive(Debug, PartialEq)]
struct Header<'a> {
    descr: &'a str,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl<'a> Header<'a> {
    /// Parses `{'descr': '<u2', 'fortran_order': False, 'shape': (3, 4), }` and spaces.
    fn parse(text: &'a str) -> Option<Self> {
        let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, after) = quoted(rest)?;
            let value = after.trim_start().strip_prefix(':')?.trim_start();
            let after = match key {
                "descr" if descr.is_none() => {
                    let (word, after) = quoted(value)?;
                    descr = Some(word);
                    after
                }
                "fortran_order" if fortran_order.is_none() => {
                    let end = value.find([',', '}']).unwrap_or(value.len());
                    fortran_order = Some(match value[..end].trim() {
                        "True" => true,
                        "False" => false,
                        _ => return None,
                    });
                    &value[end..]
                }
                "shape" if shape.is_none() => {
                    let (inside, after) = value.strip_prefix('(')?.split_once(')')?;
                    shape = Some(extents(inside)?);
                    after
                }
                _ => return None,
            };
            rest = match after.trim_start() {
                "" => "",
                after => after.strip_prefix(',')?.trim_start(),
            };
        }
        Some(Self { descr: descr?, fortran_order: fortran_order?, shape: shape? })
    }
}

/// A word in quotation marks, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| ['\'', '"'].contains(c))?;
    text[1..].split_once(quote)
}

/// `3, 4` or `3,`; Python 2 writes `3L, 4L`.
fn extents(text: &str) -> Option<Vec<usize>> {
    let text = text.trim();
    let text = text.strip_suffix(',').unwrap_or(text);
    match text {
        "" => Some(Vec::new()),
        _ => text.split(',').map(extent).collect(),
    }
}

fn extent(text: &str) -> Option<usize> {
    let text = text.trim();
    text.strip_suffix('L').unwrap_or(text).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.save` of `numpy.array([[1, 513], [65535, 4]], dtype="<u2")`, NumPy 2.4.6.
    const SAVED: &[u8] = b"\x93NUMPY\x01\x00v\x00{'descr': '<u2', 'fortran_order': False, 'shape': (2, 2), }                                                          \n\x01\x00\x01\x02\xff\xff\x04\x00";

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
    }

    fn message(bytes: &[u8]) -> String {
        read(bytes, 1 << 20, "x.npy").unwrap_err().to_string()
    }

    #[test]
    fn reads_what_numpy_saves() {
        let array = read(SAVED, 8, "x.npy").unwrap();
        assert_eq!((&array.shape[..], array.kind), (&[2, 2][..], Kind::Unsigned(2)));
        let values: Option<Vec<i64>> = array.values().map(|value| array.kind.integer(value)).collect();
        assert_eq!(values.unwrap(), [1, 513, 65535, 4]);
        assert_eq!([0, 1, 2, 3].map(|i| array.place(i)), ["[0, 0]", "[0, 1]", "[1, 0]", "[1, 1]"]);
    }

    #[test]
    fn writes_what_numpy_saves() {
        assert_eq!(preamble(Kind::Unsigned(2), &[2, 2]), SAVED[..128]);
        let one = preamble(Kind::Signed(1), &[7]);
        assert!(
            String::from_utf8_lossy(&one)
                .contains("{'descr': '|i1', 'fortran_order': False, 'shape': (7,), }")
        );
    }

    #[test]
    fn values_of_every_kind() {
        let array = |descr: &str, data: &[u8]| {
            let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,), }}\n");
            read(&file(&header, data)[..], 8, "x.npy").unwrap()
        };
        let integers = |descr: &str, data: &[u8]| array(descr, data).kind.integer(data);
        let text = |descr: &str, data: &[u8]| array(descr, data).kind.text(data);
        assert_eq!(integers("|i1", &[0xfe]), Some(-2));
        assert_eq!((integers("|b1", &[0]), integers("|b1", &[1])), (Some(0), Some(1)));
        assert_eq!(integers("<i2", &[0xfe, 0xff]), Some(-2));
        assert_eq!(integers("<i8", &[0xff; 8]), Some(-1));
        assert_eq!(integers("<u4", &[0xff; 4]), Some(4_294_967_295));
        assert_eq!(integers("<u8", &[0xff; 8]), None);
        assert_eq!(integers("<f4", &300.0f32.to_le_bytes()), Some(300));
        assert_eq!(integers("<f8", &(-300.0f64).to_le_bytes()), Some(-300));
        assert_eq!(integers("<f8", &0.1f64.to_le_bytes()), None);
        assert_eq!(text("<u8", &[0xff; 8]), "18446744073709551615");
        assert_eq!((text("|i1", &[0xfe]), text("<f8", &0.1f64.to_le_bytes())), ("-2".into(), "0.1".into()));
        for value in [0.5, f32::NAN, f32::INFINITY, 1e30] {
            assert_eq!(integers("<f4", &value.to_le_bytes()), None, "{value}");
            assert_eq!(text("<f4", &value.to_le_bytes()), value.to_string());
        }
    }

    #[test]
    fn headers_in_other_words() {
        let header = Header::parse("{ \"shape\" : ( ) ,'fortran_order':True , 'descr': '<f4' }").unwrap();
        assert_eq!(header, Header { descr: "<f4", fortran_order: true, shape: vec![] });
        // Headers as Python 2 writes them.
        let header = Header::parse("{'descr': '|u1', 'fortran_order': False, 'shape': (5L, 16L), }").unwrap();
        assert_eq!(header.shape, [5, 16]);
        assert_eq!((extents("7L,"), extents("7LL"), extents("L")), (Some(vec![7]), None, None));
        for wrong in [
            "",
            "{}",
            "{'descr': '<u2', 'fortran_order': False}",
            "{'descr': '<u2', 'descr': '<u2', 'fortran_order': False, 'shape': (1,)}",
            "{'descr': '<u2', 'fortran_order': 0, 'shape': (1,)}",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (-1,)}",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (1,,)}",
            "{'descr': '<u2', 'fortran_order': False, 'shape': 1}",
            "{'descr': [('a', '<u2')], 'fortran_order': False, 'shape': (1,)}",
            "{'descr': '<u2' 'fortran_order': False, 'shape': (1,)}",
        ] {
            assert_eq!(Header::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn refuses_what_it_does_not_read() {
        let with = |descr: &str, order: &str, shape: &str, data: &[u8]| {
            let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
            message(&file(&header, data))
        };
        assert_eq!(message(b"PK"), "x.npy: magic: not a .npy file");
        assert_eq!(message(b"\x93NUMPY\x04\x00\x00\x00"), "x.npy: version: 4.0, expected 1.0 to 3.0");
        assert_eq!(message(b"\x93NUMPY\x02\x00\x00\x00"), "x.npy: header: truncated");
        assert_eq!(message(&SAVED[..60]), "x.npy: header: 50 of its 118 bytes are there");
        assert_eq!(message(&SAVED[..130]), "x.npy: length: 2 bytes of data for [2, 2] of uint16");
        assert_eq!(
            with(">u2", "False", "(1,)", &[0, 1]),
            "x.npy: descr: \">u2\" is big endian: save it with .astype(\"<u2\")"
        );
        assert_eq!(
            with("<c8", "False", "(1,)", &[0; 8]),
            "x.npy: descr: \"<c8\" is not of integers, float32 or float64"
        );
        assert_eq!(
            with("<u2", "False", "(2,)", &[0; 5]),
            "x.npy: length: more than 4 bytes of data for [2] of uint16"
        );
        assert_eq!(
            with("<u2", "False", "(524289,)", &[]),
            "x.npy: length: [524289] of uint16 exceed the 1048576 bytes that are read of such a file"
        );
        assert_eq!(
            with("<u2", "True", "(1,)", &[0, 1]),
            "x.npy: fortran_order: True: save numpy.ascontiguousarray of it"
        );
        assert_eq!(
            with("<u8", "False", "(4294967295, 4294967295)", &[]),
            "x.npy: length: [4294967295, 4294967295] of uint64 exceed the 1048576 bytes that are read of such a file"
        );
    }
}

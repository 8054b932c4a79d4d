//! Arrays in NumPy's `.npy`: little endian, C order, read and written frame by frame.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// Types of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// `|u1`
    U8,
    /// `|i1`
    I8,
    /// `<u2`
    U16,
    /// `<i2`
    I16,
    /// `<u4`
    U32,
    /// `<i4`
    I32,
    /// `<i8`
    I64,
    /// `<f4`, written only.
    F32,
}

const DTYPES: [(Dtype, &str, usize); 8] = [
    (Dtype::U8, "|u1", 1),
    (Dtype::I8, "|i1", 1),
    (Dtype::U16, "<u2", 2),
    (Dtype::I16, "<i2", 2),
    (Dtype::U32, "<u4", 4),
    (Dtype::I32, "<i4", 4),
    (Dtype::I64, "<i8", 8),
    (Dtype::F32, "<f4", 4),
];

impl Dtype {
    /// The type that `spiq` writes for integers of magnitudes up to `bound`.
    pub fn for_bound(bound: i64) -> Self {
        if bound <= i64::from(i32::MAX) { Self::I32 } else { Self::I64 }
    }

    /// As NumPy spells it.
    pub fn name(self) -> &'static str {
        DTYPES.iter().find(|(dtype, ..)| *dtype == self).expect("every type is listed").1
    }

    /// Bytes of a value.
    pub fn size(self) -> usize {
        DTYPES.iter().find(|(dtype, ..)| *dtype == self).expect("every type is listed").2
    }

    /// Appends the bytes of integers, which fit the type.
    fn encode(self, values: &[i64], bytes: &mut Vec<u8>) {
        for x in values {
            bytes.extend_from_slice(&x.to_le_bytes()[..self.size()]);
        }
    }

    fn decode(self, bytes: &[u8]) -> i64 {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        let low = i64::from_le_bytes(word);
        let unused = 64 - 8 * bytes.len() as u32;
        match self {
            Self::U8 | Self::U16 | Self::U32 | Self::F32 => low,
            Self::I8 | Self::I16 | Self::I32 | Self::I64 => (low << unused) >> unused,
        }
    }
}

/// Writes one file; frames may come in any order.
#[derive(Debug)]
pub struct NpyWriter {
    path: String,
    file: File,
    dtype: Dtype,
    start: u64,
}

impl NpyWriter {
    /// A file of `shape`, all zero so far.
    pub fn create(path: &Path, dtype: Dtype, shape: &[usize]) -> Result<Self> {
        let header = header(dtype, shape);
        let values: usize = shape.iter().product();
        let create = || {
            let mut file = File::create(path)?;
            file.write_all(&header)?;
            file.set_len((header.len() + values * dtype.size()) as u64)?;
            Ok(file)
        };
        let file = create().map_err(|source| Error::io(path, source))?;
        Ok(Self { path: path.display().to_string(), file, dtype, start: header.len() as u64 })
    }

    /// Writes integers from value number `first` on; they are known to fit the type.
    pub fn write_at(&mut self, first: usize, values: &[i64]) -> Result<()> {
        let mut bytes = Vec::with_capacity(values.len() * self.dtype.size());
        self.dtype.encode(values, &mut bytes);
        self.write_bytes_at(first, &bytes)
    }

    /// Writes `f32` values from value number `first` on.
    pub fn write_floats_at(&mut self, first: usize, values: &[f32]) -> Result<()> {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.write_bytes_at(first, &bytes)
    }

    fn write_bytes_at(&mut self, first: usize, bytes: &[u8]) -> Result<()> {
        let at = self.start + (first * self.dtype.size()) as u64;
        let seek = self.file.seek(SeekFrom::Start(at));
        seek.and_then(|_| self.file.write_all(bytes)).map_err(|source| Error::io(&self.path, source))
    }
}

/// Version 1.0, padded so that the values start at a multiple of 64 bytes.
fn header(dtype: Dtype, shape: &[usize]) -> Vec<u8> {
    let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    let mut text = format!(
        "{{'descr': '{}', 'fortran_order': False, 'shape': ({}{comma}), }}",
        dtype.name(),
        extents.join(", ")
    );
    let length = (MAGIC.len() + 4 + text.len() + 1).next_multiple_of(64) - MAGIC.len() - 4;
    text += &" ".repeat(length - text.len() - 1);
    text.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

const MAGIC: &[u8] = b"\x93NUMPY";
/// No header of a few extents is longer.
const MAX_HEADER: usize = 1 << 16;

/// Reads one file of integers.
#[derive(Debug)]
pub struct NpyReader {
    path: String,
    file: File,
    dtype: Dtype,
    shape: Vec<usize>,
    start: u64,
}

impl NpyReader {
    /// Opens a file and checks its header and its length.
    ///
    /// # Errors
    /// Names the file, and what about it is not as `docs/formats.md` says.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let mut file = File::open(path).map_err(|source| Error::io(path, source))?;
        let length = file.metadata().map_err(|source| Error::io(path, source))?.len();
        let (text, start) =
            read_header(&mut file).map_err(|message| Error::field(&name, "header", message))?;
        let (dtype, shape) = parse_header(&text).map_err(|(field, m)| Error::field(&name, field, m))?;
        let expected = shape
            .iter()
            .try_fold(dtype.size() as u64, |bytes, &extent| bytes.checked_mul(extent as u64))
            .and_then(|bytes| bytes.checked_add(start));
        if expected != Some(length) {
            let message = format!("{length} bytes do not hold {shape:?} of {}", dtype.name());
            return Err(Error::field(name, "length", message));
        }
        Ok(Self { path: name, file, dtype, shape, start })
    }

    /// Extents, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// What is wrong with this file.
    pub fn wrong(&self, field: &str, message: impl Into<String>) -> Error {
        Error::field(&self.path, field, message)
    }

    /// `count` values from value number `first` on, which the shape holds.
    pub fn read_at(&mut self, first: usize, count: usize) -> Result<Vec<i64>> {
        let size = self.dtype.size();
        let mut bytes = vec![0; count * size];
        let seek = self.file.seek(SeekFrom::Start(self.start + (first * size) as u64));
        seek.and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|source| Error::io(&self.path, source))?;
        Ok(bytes.chunks_exact(size).map(|bytes| self.dtype.decode(bytes)).collect())
    }

    /// All values.
    pub fn read(&mut self) -> Result<Vec<i64>> {
        self.read_at(0, self.shape.iter().product())
    }
}

/// The header's text, and where the values start.
fn read_header(file: &mut File) -> Result<(String, u64), String> {
    let mut take = |count: usize| {
        let mut bytes = vec![0; count];
        file.read_exact(&mut bytes).map_err(|e| format!("cannot be read: {e}"))?;
        Ok::<_, String>(bytes)
    };
    let fixed = take(MAGIC.len() + 2)?;
    if !fixed.starts_with(MAGIC) {
        return Err("not a .npy file".to_owned());
    }
    let (length, before) = match fixed[MAGIC.len()] {
        1 => {
            let bytes = take(2)?;
            (usize::from(u16::from_le_bytes([bytes[0], bytes[1]])), MAGIC.len() + 4)
        }
        2 | 3 => {
            let bytes = take(4)?;
            (u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize, MAGIC.len() + 6)
        }
        version => return Err(format!("version {version} of the format is not known")),
    };
    if length > MAX_HEADER {
        return Err(format!("{length} bytes long"));
    }
    let text = String::from_utf8(take(length)?).map_err(|_| "not text".to_owned())?;
    Ok((text, (before + length) as u64))
}

type Wrong = (&'static str, String);

/// Type and shape from `{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }`.
fn parse_header(text: &str) -> Result<(Dtype, Vec<usize>), Wrong> {
    let value = |key: &'static str| {
        let after = text.split_once(&format!("'{key}'")).map(|(_, rest)| rest.trim_start());
        after.and_then(|rest| rest.strip_prefix(':')).map(str::trim_start).ok_or((key, "missing".to_owned()))
    };
    let descr = value("descr")?.split('\'').nth(1).unwrap_or("");
    if descr.starts_with('>') {
        return Err(("descr", format!("{descr} is big endian, expected little endian")));
    }
    let dtype = DTYPES.iter().find(|(dtype, name, _)| *name == descr && *dtype != Dtype::F32);
    let Some((dtype, ..)) = dtype else {
        return Err(("descr", format!("{descr:?} is not one of |u1 |i1 <u2 <i2 <u4 <i4 <i8")));
    };
    let order = value("fortran_order")?;
    if !order.starts_with("False") {
        return Err(("fortran_order", "columns first, expected C order".to_owned()));
    }
    let extents =
        value("shape")?.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(list, _)| list);
    let extents = extents.ok_or(("shape", "not a tuple".to_owned()))?;
    let extents = extents.split(',').map(str::trim).filter(|extent| !extent.is_empty());
    let extents: Result<Vec<usize>, _> = extents.map(str::parse).collect();
    Ok((*dtype, extents.map_err(|_| ("shape", "not a tuple of whole numbers".to_owned()))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_header_is_that_of_numpy() {
        // np.save of np.zeros((2, 3), np.int32), byte for byte.
        let mut expected =
            b"\x93NUMPY\x01\x00\x76\x00{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }".to_vec();
        expected.resize(127, b' ');
        expected.push(b'\n');
        assert_eq!(header(Dtype::I32, &[2, 3]), expected);
        assert!(String::from_utf8_lossy(&header(Dtype::U8, &[7])).contains("'shape': (7,), }"));
    }

    #[test]
    fn values_of_every_type_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let ends = [
            (Dtype::U8, [0, 255]),
            (Dtype::I8, [-128, 127]),
            (Dtype::U16, [0, 65535]),
            (Dtype::I16, [-32768, 32767]),
            (Dtype::U32, [0, (1 << 32) - 1]),
            (Dtype::I32, [-(1 << 31), (1 << 31) - 1]),
            (Dtype::I64, [i64::MIN, i64::MAX]),
        ];
        for (dtype, [low, high]) in ends {
            let mut writer = NpyWriter::create(&path, dtype, &[2, 2]).unwrap();
            writer.write_at(2, &[high, low]).unwrap();
            let mut reader = NpyReader::open(&path).unwrap();
            assert_eq!(reader.read().unwrap(), [0, 0, high, low]);
            assert_eq!(reader.shape(), [2, 2]);
            assert_eq!(reader.read_at(3, 1).unwrap(), [low]);
        }
    }

    #[test]
    fn what_is_not_an_array_of_integers_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let file = |text: &str, data: usize| {
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend((text.len() as u16).to_le_bytes());
            bytes.extend(text.as_bytes());
            bytes.resize(bytes.len() + data, 0);
            bytes
        };
        let good = "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }";
        let cases: [(&str, Vec<u8>); 12] = [
            ("header: not a .npy file", b"PK\x03\x04 nothing of the kind".to_vec()),
            ("header: cannot be read", b"\x93NUM".to_vec()),
            ("header: version 9", b"\x93NUMPY\x09\x00\x00\x00".to_vec()),
            ("header: 4294967295 bytes long", b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec()),
            ("descr: \"<f4\" is not one of", file(&good.replace("<i4", "<f4"), 12)),
            ("descr: >i4 is big endian", file(&good.replace('<', ">"), 12)),
            ("fortran_order: columns first", file(&good.replace("False", "True"), 12)),
            ("shape: missing", file(&good.replace("shape", "form"), 12)),
            ("shape: not a tuple", file(&good.replace("(3,)", "(-3,)"), 12)),
            ("length: 78 bytes do not hold [3] of <i4", file(good, 11)),
            ("length: 80 bytes do not hold [3] of <i4", file(good, 13)),
            ("length: ", file(&good.replace("(3,)", "(4294967296, 4294967296, 16)"), 0)),
        ];
        for (message, bytes) in cases {
            fs::write(&path, bytes).unwrap();
            let told = NpyReader::open(&path).unwrap_err().to_string();
            assert!(told.contains(message) && told.contains("a.npy"), "{told}, expected {message}");
        }
    }
}

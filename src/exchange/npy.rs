//! `.npy` files of integers and floats, read and written frame by frame.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::error::{Error, Result};
use crate::files;
use crate::npy::{Kind, check_length, preamble, read_preamble};
use crate::output::OutputFile;

/// Bytes.
pub const UINT8: Kind = Kind::Unsigned(1);
/// Signed bytes.
pub const INT8: Kind = Kind::Signed(1);
/// 32-bit integers.
pub const INT32: Kind = Kind::Signed(4);
/// 64-bit integers.
pub const INT64: Kind = Kind::Signed(8);

/// The type that is written for integers of magnitudes up to `bound`.
pub fn type_for(bound: i64) -> Kind {
    if bound <= i64::from(i32::MAX) { INT32 } else { INT64 }
}

/// Writes one file; frames may come in any order.
#[derive(Debug)]
pub struct NpyWriter {
    path: String,
    file: File,
    kind: Kind,
    start: u64,
}

impl NpyWriter {
    /// Makes an empty file one of `shape`, all zero so far.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new(file: OutputFile, kind: Kind, shape: &[usize]) -> Result<Self> {
        let OutputFile { path, mut file } = file;
        let header = preamble(kind, shape);
        let values: usize = shape.iter().product();
        let length = (header.len() + values * kind.bytes()) as u64;
        let written = file.write_all(&header).and_then(|()| file.set_len(length));
        written.map_err(|source| Error::io(&path, source))?;
        Ok(Self { path, file, kind, start: header.len() as u64 })
    }

    /// Writes integers from value number `first` on; they are known to fit the type.
    pub fn write_at(&mut self, first: usize, values: &[i64]) -> Result<()> {
        let size = self.kind.bytes();
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes().into_iter().take(size)).collect();
        self.write_bytes_at(first, &bytes)
    }

    /// Writes `f32` values from value number `first` on.
    pub(crate) fn write_floats_at(&mut self, first: usize, values: &[f32]) -> Result<()> {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.write_bytes_at(first, &bytes)
    }

    fn write_bytes_at(&mut self, first: usize, bytes: &[u8]) -> Result<()> {
        let at = self.start + (first * self.kind.bytes()) as u64;
        let seek = self.file.seek(SeekFrom::Start(at));
        seek.and_then(|_| self.file.write_all(bytes)).map_err(|source| Error::io(&self.path, source))
    }
}

/// Reads one file of integers.
#[derive(Debug)]
pub struct NpyReader {
    path: String,
    file: File,
    kind: Kind,
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
        let file = files::open(path)?;
        let length = file.metadata().map_err(|source| Error::io(path, source))?.len();
        let (preamble, _) = read_preamble(&file, &name)?;
        let (kind, shape, start) = (preamble.kind, preamble.shape, preamble.start as u64);
        if kind.is_float() {
            return Err(Error::field(name, "descr", format!("{kind}, expected integers")));
        }
        check_length(kind, &shape, length.saturating_sub(start), &name)?;
        Ok(Self { path: name, file, kind, shape, start })
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
    pub(crate) fn read_at(&mut self, first: usize, count: usize) -> Result<Vec<i64>> {
        let size = self.kind.bytes();
        let mut bytes = vec![0; count * size];
        let seek = self.file.seek(SeekFrom::Start(self.start + (first * size) as u64));
        seek.and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|source| Error::io(&self.path, source))?;
        let values: Option<Vec<i64>> =
            bytes.chunks_exact(size).map(|value| self.kind.integer(value)).collect();
        values.ok_or_else(|| self.wrong("values", "one exceeds 63 bits"))
    }

    /// All values.
    pub fn read(&mut self) -> Result<Vec<i64>> {
        self.read_at(0, self.shape.iter().product())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn values_of_every_type_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let ends = [
            (UINT8, [0, 255]),
            (INT8, [-128, 127]),
            (Kind::Unsigned(2), [0, 65535]),
            (Kind::Signed(2), [-32768, 32767]),
            (Kind::Unsigned(4), [0, (1 << 32) - 1]),
            (INT32, [-(1 << 31), (1 << 31) - 1]),
            (INT64, [i64::MIN, i64::MAX]),
            (Kind::Unsigned(8), [0, i64::MAX]),
        ];
        for (kind, [low, high]) in ends {
            let file = OutputFile { path: "a.npy".to_owned(), file: File::create(&path).unwrap() };
            let mut writer = NpyWriter::new(file, kind, &[2, 2]).unwrap();
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
        let good = [&preamble(INT32, &[3])[..], &[0; 12]].concat();
        let cases: [(&str, Vec<u8>); 6] = [
            ("magic: not a .npy file", b"PK\x03\x04 nothing of the kind".to_vec()),
            ("header: 60 of its 118 bytes are there", good[..70].to_vec()),
            (
                "header: 65524 of its 4294967295 bytes",
                [b"\x93NUMPY\x02\x00\xff\xff\xff\xff", &vec![b' '; 1 << 17][..]].concat(),
            ),
            ("descr: float32, expected integers", [&preamble(Kind::Float, &[3])[..], &[0; 12]].concat()),
            ("length: 11 bytes of data for [3] of int32", good[..good.len() - 1].to_vec()),
            (
                "length: 0 bytes of data for [4294967296, 4294967296, 16]",
                preamble(INT32, &[1 << 32, 1 << 32, 16]),
            ),
        ];
        for (message, bytes) in cases {
            fs::write(&path, bytes).unwrap();
            let told = NpyReader::open(&path).unwrap_err().to_string();
            assert!(told.contains(message) && told.contains("a.npy"), "{told}, expected {message}");
        }
    }
}

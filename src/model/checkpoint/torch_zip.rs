//! Files of `torch.save` since PyTorch 1.6: a zip archive of a pickle, `data.pkl`, and one record per
//! storage, `data/0`, `data/1` ..., none of them compressed.

use std::collections::BTreeMap;
use std::io::{self, Cursor};

use zip::read::{ArchiveOffset, Config};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::entries::{Entries, shown};
use super::objects::{Object, Ref, Storage, Tensor};
use super::pickle::{self, ADVICE};
use super::state_dict;
use super::stored::StoredTensor;
use crate::error::{Error, Result};

/// How a zip archive starts.
pub const MAGIC: &[u8] = b"PK\x03\x04";

/// Bytes of a pickle. 2,000 tensors and their optimizer take less than 2 MiB, a history of a million figures 9.
const MAX_PICKLE_BYTES: usize = 32 << 20;

/// The entries of the state dict, which `key` chooses among several.
pub fn read<'a>(bytes: &'a [u8], path: &str, key: Option<&str>) -> Result<Entries<'a>> {
    let mut archive = Archive::open(bytes, path)?;
    if archive.find("byteorder")?.is_some_and(|order| order != b"little") {
        return Err(Error::field(path, "byteorder", "not little-endian; save it on a little-endian machine"));
    }
    let record = archive.record("data.pkl")?;
    if record.len() > MAX_PICKLE_BYTES {
        let message = format!(
            "{} bytes exceed {MAX_PICKLE_BYTES}; convert it with python/convert/to_safetensors.py",
            record.len()
        );
        return Err(Error::field(path, "data.pkl", message));
    }
    let pickle = pickle::read(record)
        .map_err(|fault| Error::field(path, format!("data.pkl: byte {}", fault.byte), fault.message))?;
    let refuse = |message| Error::field(path, "data.pkl", message);
    let state = state_dict::find(&pickle, key).map_err(refuse)?;
    let is = |index: Ref, wanted: fn(&Object) -> bool| wanted(pickle.object(index));
    let unnamed = state.entries.iter().any(|&(key, value)| {
        is(value, |value| matches!(value, Object::Tensor(_)))
            && !is(key, |key| matches!(key, Object::Text(_)))
    });
    if unnamed {
        return Err(refuse("the name of a tensor is no string".to_owned()));
    }
    let mut entries = Entries { notes: state.note.into_iter().collect(), ..Entries::default() };
    for (name, value) in state_dict::named(&pickle, state.entries) {
        let Some(name) = name.strip_prefix(state.prefix.as_str()) else { continue };
        match pickle.object(value) {
            Object::Tensor(tensor) => {
                entries.tensors.insert(name.to_owned(), archive.tensor(name, tensor)?);
            }
            _ => drop(entries.others.insert(name.to_owned())),
        }
    }
    Ok(entries)
}

/// An archive with the folder that all its records lie in.
struct Archive<'a, 'p> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    bytes: &'a [u8],
    folder: String,
    path: &'p str,
    /// Storages that were read, by key.
    storages: BTreeMap<String, &'a [u8]>,
    /// Bytes of all records that were read.
    read: u64,
}

impl<'a, 'p> Archive<'a, 'p> {
    fn open(bytes: &'a [u8], path: &'p str) -> Result<Self> {
        let refuse = |message: String| Error::field(path, "archive", message);
        // The archive starts with the file. Where it starts is not to be guessed from where the directory ends:
        // PyTorch writes records between the two that some readers overlook.
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let zip = ZipArchive::with_config(config, Cursor::new(bytes))
            .map_err(|e| refuse(format!("not a whole zip archive: {e}")))?;
        let names = || zip.file_names().flatten();
        let folder = names().find_map(|name| {
            let folder = name.strip_suffix("data.pkl")?;
            (folder.is_empty() || folder.ends_with('/')).then(|| folder.to_owned())
        });
        let Some(folder) = folder else {
            return Err(refuse("no record data.pkl: not a file written by torch.save".to_owned()));
        };
        if names().any(|name| name == format!("{folder}constants.pkl")) {
            return Err(refuse(format!("a compiled module of TorchScript; {ADVICE}")));
        }
        Ok(Self { zip, bytes, folder, path, storages: BTreeMap::new(), read: 0 })
    }

    /// The record `name`, which has to be there.
    fn record(&mut self, name: &str) -> Result<&'a [u8]> {
        let record = self.find(name)?;
        record.ok_or_else(|| Error::field(self.path, shown(name), "no such record in the archive"))
    }

    /// The record `name`, compared with its checksum.
    fn find(&mut self, name: &str) -> Result<Option<&'a [u8]>> {
        let refuse = |message: String| Error::field(self.path, shown(name), message);
        let mut file = match self.zip.by_name(&format!("{}{name}", self.folder)) {
            Ok(file) => file,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(e) => return Err(refuse(e.to_string())),
        };
        if file.compression() != CompressionMethod::Stored {
            return Err(refuse(format!(
                "a compressed record ({}), which torch.save does not write",
                file.compression()
            )));
        }
        self.read = self.read.saturating_add(file.size());
        // Each record is read once, so that records which overlap cost no more than the file is long.
        if self.read > self.bytes.len() as u64 {
            return Err(refuse("the records are longer than the archive".to_owned()));
        }
        let length = io::copy(&mut file, &mut io::sink()).map_err(|e| refuse(e.to_string()))?;
        let start = file.data_start().and_then(|start| usize::try_from(start).ok());
        let bytes = start.and_then(|start| self.bytes.get(start..)?.get(..usize::try_from(length).ok()?));
        bytes.map(Some).ok_or_else(|| refuse("lies outside of the archive".to_owned()))
    }

    fn tensor(&mut self, name: &str, tensor: &Tensor) -> Result<StoredTensor<'a>> {
        let bytes = self.storage(&tensor.storage)?;
        let Tensor { storage, offset, shape, strides, negated } = tensor;
        StoredTensor::view(storage.dtype, bytes, *offset, shape.clone(), strides.clone())
            .and_then(|view| if *negated { view.negated() } else { Ok(view) })
            .map_err(|message| Error::field(self.path, shown(name), message))
    }

    fn storage(&mut self, storage: &Storage) -> Result<&'a [u8]> {
        let bytes = match self.storages.get(storage.key) {
            Some(bytes) => bytes,
            None => {
                let bytes = self.record(&format!("data/{}", storage.key))?;
                self.storages.insert(storage.key.to_owned(), bytes);
                bytes
            }
        };
        let expected = storage.values.checked_mul(storage.dtype.bitsize() / 8);
        if expected == Some(bytes.len()) {
            Ok(bytes)
        } else {
            let message =
                format!("{} bytes, expected {} values of {}", bytes.len(), storage.values, storage.dtype);
            Err(Error::field(self.path, shown(&format!("data/{}", storage.key)), message))
        }
    }
}

//! Files of `torch.save` since PyTorch 1.6: a zip archive of a pickle, `data.pkl`, and one record per
//! storage, `data/0`, `data/1` ..., none of them compressed.

use std::collections::BTreeMap;
use std::io::{self, Cursor};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::pickle::{self, Object, Pickle, Ref, Storage, Tensor};
use super::{StoredTensor, shown};
use crate::error::{Error, Result};

/// How a zip archive starts.
pub const MAGIC: &[u8] = b"PK\x03\x04";

/// Where training scripts put the state dict, in the order of looking; then the top level.
const NESTED: [&str; 5] = ["model", "state_dict", "model_state_dict", "module", "net"];

/// Bytes of a pickle. 2,000 tensors and their optimizer take less than 2 MiB, and each byte can ask for an
/// object of a hundred.
const MAX_PICKLE_BYTES: usize = 4 << 20;

/// Every tensor of the state dict.
pub fn read<'a>(bytes: &'a [u8], path: &str) -> Result<BTreeMap<String, StoredTensor<'a>>> {
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
    let entries = state_dict(&pickle).map_err(|message| Error::field(path, "data.pkl", message))?;
    let mut tensors = BTreeMap::new();
    for (key, value) in entries {
        let &Object::Text(name) = pickle.object(*key) else {
            return Err(Error::field(path, "data.pkl", "the name of a tensor is no string"));
        };
        let Object::Tensor(tensor) = pickle.object(*value) else {
            return Err(Error::field(path, shown(name), "not a tensor"));
        };
        let stored = archive.tensor(name, tensor)?;
        tensors.insert(name.to_owned(), stored);
    }
    Ok(tensors)
}

/// The entries of the state dict.
fn state_dict<'p>(pickle: &'p Pickle) -> Result<&'p [(Ref, Ref)], String> {
    let dict = |index: Ref| match pickle.object(index) {
        Object::Dict(entries) => Some(entries.as_slice()),
        _ => None,
    };
    let holds_tensors = |entries: &&[(Ref, Ref)]| {
        entries.iter().any(|(_, value)| matches!(pickle.object(*value), Object::Tensor(_)))
    };
    let top = dict(pickle.root).ok_or("no dict of tensors")?;
    let nested = |name: &&str| {
        let entry = top.iter().find(|(key, _)| *pickle.object(*key) == Object::Text(name));
        entry.and_then(|(_, value)| dict(*value)).filter(holds_tensors)
    };
    let found = NESTED.iter().find_map(nested).or(Some(top).filter(holds_tensors));
    found.ok_or_else(|| format!("no tensors at the top level or under {}", NESTED.join(", ")))
}

/// An archive with the folder that all its records lie in.
struct Archive<'a, 'p> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    bytes: &'a [u8],
    folder: String,
    path: &'p str,
    /// Storages that were read, by key.
    storages: BTreeMap<String, &'a [u8]>,
}

impl<'a, 'p> Archive<'a, 'p> {
    fn open(bytes: &'a [u8], path: &'p str) -> Result<Self> {
        let zip = ZipArchive::new(Cursor::new(bytes))
            .map_err(|e| Error::field(path, "archive", format!("not a whole zip archive: {e}")))?;
        let folder = zip.file_names().flatten().find_map(|n| Some(n.strip_suffix("data.pkl")?.to_owned()));
        match folder {
            Some(folder) => Ok(Self { zip, bytes, folder, path, storages: BTreeMap::new() }),
            None => {
                Err(Error::field(path, "archive", "no record data.pkl: not a file written by torch.save"))
            }
        }
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
        let length = io::copy(&mut file, &mut io::sink()).map_err(|e| refuse(e.to_string()))?;
        let start = file.data_start().and_then(|start| usize::try_from(start).ok());
        let bytes = start.and_then(|start| self.bytes.get(start..)?.get(..usize::try_from(length).ok()?));
        bytes.map(Some).ok_or_else(|| refuse("lies outside of the archive".to_owned()))
    }

    fn tensor(&mut self, name: &str, tensor: &Tensor) -> Result<StoredTensor<'a>> {
        let bytes = self.storage(&tensor.storage)?;
        let Tensor { storage, offset, shape, strides } = tensor;
        StoredTensor::view(storage.dtype, bytes, *offset, shape.clone(), strides.clone())
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
        match expected == Some(bytes.len()) {
            true => Ok(bytes),
            false => {
                let message =
                    format!("{} bytes, expected {} values of {}", bytes.len(), storage.values, storage.dtype);
                Err(Error::field(self.path, shown(&format!("data/{}", storage.key)), message))
            }
        }
    }
}

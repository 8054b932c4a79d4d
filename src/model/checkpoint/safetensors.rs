//! Files of the safetensors format.

use ::safetensors::SafeTensors;

use super::entries::{Entries, shown};
use super::stored::StoredTensor;
use crate::error::{Error, Result};

/// Every tensor of the file, or those whose names begin with `key`, which is taken off.
pub fn read<'a>(bytes: &'a [u8], path: &str, key: Option<&str>) -> Result<Entries<'a>> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| Error::field(path, "header", format!("not a safetensors file: {e}")))?;
    let prefix = key.map_or(String::new(), |key| format!("{key}."));
    let mut entries = Entries::default();
    for (name, view) in file.iter() {
        if let Some(name) = name.strip_prefix(prefix.as_str()) {
            let stored = StoredTensor::dense(view.dtype(), view.shape(), view.data());
            entries.tensors.insert(name.to_owned(), stored);
        }
    }
    match key {
        Some(key) if entries.tensors.is_empty() => {
            let message = format!("no name of a tensor begins with {}", shown(&prefix));
            Err(Error::field(path, format!("--checkpoint-key {}", shown(key)), message))
        }
        Some(key) if entries.tensors.len() < file.len() => {
            let left = file.len() - entries.tensors.len();
            entries.notes.push(format!("weights read from {}; not read: {left} tensors", shown(key)));
            Ok(entries)
        }
        _ => Ok(entries),
    }
}

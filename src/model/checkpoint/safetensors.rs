//! Files of the safetensors format.

use std::collections::BTreeMap;

use ::safetensors::SafeTensors;

use super::StoredTensor;
use crate::error::{Error, Result};

/// Every tensor of the file.
pub fn read<'a>(bytes: &'a [u8], path: &str) -> Result<BTreeMap<String, StoredTensor<'a>>> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| Error::field(path, "header", format!("not a safetensors file: {e}")))?;
    let stored = file
        .iter()
        .map(|(name, view)| (name.to_owned(), StoredTensor::dense(view.dtype(), view.shape(), view.data())));
    Ok(stored.collect())
}

//! Checkpoints as they are published: safetensors, or what PyTorch's `torch.save` writes. Nothing in a
//! file is executed, and no size that it claims is allocated before it is checked.

mod globals;
mod pickle;
mod safetensors;
mod stored;
mod torch_zip;

use std::collections::BTreeMap;

pub use stored::StoredTensor;

use crate::error::{Error, Result};

/// How a file of `torch.save` before PyTorch 1.6 starts: protocol 2, and a magic number of ten bytes.
const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19";

/// What data parallel training puts before every name.
const PARALLEL_PREFIX: &str = "module.";

/// The tensors of one state dict by name; values are decoded when they are asked for.
#[derive(Debug)]
pub struct Checkpoint<'a> {
    tensors: BTreeMap<String, StoredTensor<'a>>,
}

impl<'a> Checkpoint<'a> {
    /// Opens the file `bytes`, whose first bytes tell its format; `path` is for messages. A `module.`
    /// before every name is taken off.
    ///
    /// # Errors
    /// Names what is no checkpoint: the header of a safetensors file, the record of an archive or the
    /// byte of its pickle.
    pub fn open(bytes: &'a [u8], path: &str) -> Result<Self> {
        if bytes.starts_with(LEGACY_MAGIC) {
            let message =
                "written by torch.save before PyTorch 1.6; convert it with python/convert/to_safetensors.py";
            return Err(Error::field(path, "header", message));
        }
        let tensors = match bytes.starts_with(torch_zip::MAGIC) {
            true => torch_zip::read(bytes, path)?,
            false => safetensors::read(bytes, path)?,
        };
        Ok(Self { tensors: without_prefix(tensors) })
    }

    /// The tensor `name`.
    pub fn get(&self, name: &str) -> Option<&StoredTensor<'a>> {
        self.tensors.get(name)
    }

    /// All tensors, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &StoredTensor<'a>)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }
}

fn without_prefix<T>(tensors: BTreeMap<String, T>) -> BTreeMap<String, T> {
    match tensors.keys().all(|name| name.starts_with(PARALLEL_PREFIX)) {
        true => tensors.into_iter().map(|(name, t)| (name[PARALLEL_PREFIX.len()..].to_owned(), t)).collect(),
        false => tensors,
    }
}

/// `name`, which a file made up, as a message shows it: without control characters, and not too long.
pub(super) fn shown(name: &str) -> String {
    const LENGTH: usize = 200;
    name.escape_debug().take(LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_goes_where_every_name_has_it() {
        let names = |names: &[&str]| {
            let tensors = names.iter().map(|name| ((*name).to_owned(), ())).collect();
            without_prefix(tensors).into_keys().collect::<Vec<_>>()
        };
        assert_eq!(names(&["module.a", "module.module.b"]), ["a", "module.b"]);
        assert_eq!(names(&["module.a", "modules.b"]), ["module.a", "modules.b"]);
    }

    #[test]
    fn names_are_shown_on_one_line() {
        assert_eq!(shown("a\n\u{1b}[2Jb"), r"a\n\u{1b}[2Jb");
        assert_eq!(shown(&"x".repeat(1000)).len(), 200);
    }
}

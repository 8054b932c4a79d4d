//! Checkpoints as they are published: safetensors, or what PyTorch's `torch.save` writes. Nothing in a
//! file is executed, and no size that it claims is allocated before it is checked.

mod entries;
mod foreign;
mod globals;
mod objects;
mod opaque;
mod pickle;
mod safetensors;
mod state_dict;
mod stored;
mod torch_zip;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub(super) use self::entries::shown;
pub use self::stored::StoredTensor;

use self::entries::Entries;
use super::Network;
use crate::error::{Error, Result};

/// What wrappers of a network put before every name: data parallel training, training loops, compilers.
const WRAPPERS: [&str; 3] = ["module.", "model.", "_orig_mod."];

/// Bytes of the name of a tensor.
const MAX_NAME: usize = 512;

/// Which tensors of a checkpoint are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// The dictionary of tensors inside a nested checkpoint: keys from the top level on, joined by dots. What
    /// leads beyond the dictionaries is what the names of the tensors begin with.
    pub key: Option<String>,
    /// Leave out tensors that no layer reads.
    #[serde(default)]
    pub ignore_extra: bool,
}

/// The tensors of one state dict by name; values are decoded when they are asked for.
#[derive(Debug)]
pub struct Checkpoint<'a> {
    tensors: BTreeMap<String, StoredTensor<'a>>,
    others: BTreeSet<String>,
    /// What was taken off every name, in order.
    wrappers: Vec<&'static str>,
    /// What was read of several state dicts, and what was not.
    pub notes: Vec<String>,
}

impl<'a> Checkpoint<'a> {
    /// Opens the file `bytes`, whose first bytes tell its format; `path` is for messages. Names of wrappers
    /// before every name are taken off.
    ///
    /// # Errors
    /// Names what is no checkpoint: the header of a safetensors file, the record of an archive or the
    /// byte of its pickle.
    pub fn open(bytes: &'a [u8], path: &str) -> Result<Self> {
        Self::open_at(bytes, path, None)
    }

    /// [`Checkpoint::open`] of the state dict at `key`, as [`Selection::key`] says.
    ///
    /// # Errors
    /// Those of [`Checkpoint::open`], and if there are no tensors at `key`.
    pub fn open_at(bytes: &'a [u8], path: &str, key: Option<&str>) -> Result<Self> {
        if let Some(what) = foreign::name(bytes) {
            return Err(Error::field(path, "header", what));
        }
        let Entries { mut tensors, mut others, notes } = if bytes.starts_with(torch_zip::MAGIC) {
            torch_zip::read(bytes, path, key)?
        } else {
            safetensors::read(bytes, path, key)?
        };
        if let Some(name) = tensors.keys().find(|name| name.len() > MAX_NAME) {
            let message = format!("a name of {} bytes exceeds {MAX_NAME}", name.len());
            return Err(Error::field(path, shown(name), message));
        }
        let mut wrappers = Vec::new();
        while let Some(wrapper) = WRAPPERS.into_iter().find(|wrapper| is_around(&tensors, wrapper)) {
            tensors = tensors.into_iter().map(|(name, tensor)| (unwrapped(name, wrapper), tensor)).collect();
            others = others.into_iter().map(|name| unwrapped(name, wrapper)).collect();
            wrappers.push(wrapper);
        }
        Ok(Self { tensors, others, wrappers, notes })
    }

    /// The checkpoint with the names that `network` reads: what was taken off every name goes back where it is
    /// part of the network's own names.
    pub(crate) fn fit_names(self, network: &Network) -> Self {
        let wanted = network.parameters();
        let read = |kept: usize| {
            let prefix = self.wrappers[self.wrappers.len() - kept..].concat();
            let own =
                |name: &str| name.strip_prefix(prefix.as_str()).is_some_and(|n| self.tensors.contains_key(n));
            wanted.iter().filter(|parameter| own(&parameter.name)).count()
        };
        // Where several readings find as many parameters, the one that keeps least is taken.
        let kept = (0..=self.wrappers.len()).rev().max_by_key(|&kept| read(kept)).unwrap_or(0);
        let prefix = self.wrappers[self.wrappers.len() - kept..].concat();
        let named = |(name, tensor)| (format!("{prefix}{name}"), tensor);
        Self { tensors: self.tensors.into_iter().map(named).collect(), ..self }
    }

    /// The tensor `name`.
    pub fn get(&self, name: &str) -> Option<&StoredTensor<'a>> {
        self.tensors.get(name)
    }

    /// All tensors, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &StoredTensor<'a>)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Names of entries of the state dict that are no tensors.
    pub fn others(&self) -> &BTreeSet<String> {
        &self.others
    }
}

/// Counters and flags of training, which no forward pass reads.
pub(super) fn is_counter(name: &str) -> bool {
    const ENDS: [&str; 2] = ["num_batches_tracked", "init_state"];
    let last = name.rsplit('.').next();
    name == "n_averaged" || last.is_some_and(|last| ENDS.contains(&last))
}

/// True if every name begins with `wrapper`, but for counters that the wrapper itself keeps.
fn is_around<T>(tensors: &BTreeMap<String, T>, wrapper: &str) -> bool {
    let mut names = tensors.keys().filter(|name| !is_counter(name)).peekable();
    names.peek().is_some() && names.all(|name| name.starts_with(wrapper))
}

fn unwrapped(name: String, wrapper: &str) -> String {
    name.strip_prefix(wrapper).map(str::to_owned).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelDescription;
    use ::safetensors::tensor::{Dtype, TensorView};

    fn file(names: &[&str]) -> Vec<u8> {
        let view = TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap();
        ::safetensors::serialize(names.iter().map(|name| (name, view.clone())), None).unwrap()
    }

    fn names(checkpoint: &Checkpoint) -> Vec<String> {
        checkpoint.iter().map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn a_wrapper_goes_where_every_name_has_it() {
        let opened = |all: &[&str]| names(&Checkpoint::open(&file(all), "x").unwrap());
        assert_eq!(opened(&["module.a", "module.module.b"]), ["a", "module.b"]);
        assert_eq!(opened(&["module.a", "modules.b"]), ["module.a", "modules.b"]);
        assert_eq!(opened(&["_orig_mod.module.a", "_orig_mod.module.b"]), ["a", "b"]);
        assert_eq!(opened(&["model._orig_mod.model.a", "model._orig_mod.model.b"]), ["a", "b"]);
        assert_eq!(opened(&["n_averaged", "module.a", "module.b"]), ["a", "b", "n_averaged"]);
        assert_eq!(opened(&["n_averaged"]), ["n_averaged"]);
        assert_eq!(opened(&["module."]), [""]);
    }

    /// A network whose layers are called `model.fc` and `model.module.fc`.
    #[test]
    fn names_that_are_the_networks_own_stay() {
        let network = |layer: &str| {
            let text = format!(
                "Model(name: \"x\", family: Layers([Linear(name: \"{layer}\", out_features: 2, flatten: true)]), \
                 input: Integers(shape: (1, 1, 1), max: 1), timesteps: 1, classes: 2, weights: Seeded(1))"
            );
            ModelDescription::parse(&text, "x").unwrap().network("x").unwrap()
        };
        let fitted = |layer: &str, file: &[u8]| {
            names(&Checkpoint::open(file, "x").unwrap().fit_names(&network(layer)))
        };
        let wrapped = file(&["module.model.fc.weight", "module.model.fc.bias"]);
        assert_eq!(fitted("model.fc", &wrapped), ["model.fc.bias", "model.fc.weight"]);
        assert_eq!(fitted("fc", &wrapped), ["fc.bias", "fc.weight"]);
        assert_eq!(fitted("module.model.fc", &wrapped), ["module.model.fc.bias", "module.model.fc.weight"]);
        assert_eq!(fitted("elsewhere", &wrapped), ["fc.bias", "fc.weight"]);
    }

    #[test]
    fn a_key_chooses_by_the_beginning_of_names() {
        let bytes = file(&["ema.module.a", "ema.module.b", "model.a"]);
        let ema = Checkpoint::open_at(&bytes, "x", Some("ema")).unwrap();
        assert_eq!(names(&ema), ["a", "b"]);
        assert_eq!(ema.notes, ["weights read from ema; not read: 1 tensors"]);
        let none = Checkpoint::open_at(&bytes, "x", Some("em")).unwrap_err();
        assert_eq!(none.to_string(), "x: --checkpoint-key em: no name of a tensor begins with em.");
    }
}

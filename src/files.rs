//! Reads files from disk, or from the defaults that are part of the binary.

use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Where a description and the files that it names are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    /// A folder of the defaults, for instance `models`.
    Bundled(&'static str),
    /// A folder on disk.
    Disk(PathBuf),
}

macro_rules! bundle {
    ($($path:literal),* $(,)?) => {
        const BUNDLED: &[(&str, &[u8])] = &[$(($path, include_bytes!(concat!("../", $path)))),*];
    };
}

bundle!(
    "models/sdtv1_2-64_fashion.ron",
    "models/sdtv1_2-64_fashion.safetensors",
    "models/settings/mixed.ron",
    "models/settings/pot3-calibrated.ron",
    "models/settings/w2-calibrated.ron",
    "models/settings/w3-calibrated.ron",
    "models/settings/w4-calibrated.ron",
    "models/qkformer_10-384_imagenet.ron",
    "models/qkformer_10-512_imagenet.ron",
    "models/qkformer_10-768_imagenet.ron",
    "models/qkformer_4-256_cifar10dvs.ron",
    "models/qkformer_4-256_gesture.ron",
    "models/qkformer_4-384_cifar10.ron",
    "models/sdtv1_2-256_cifar10.ron",
    "models/sdtv1_2-256_cifar10dvs.ron",
    "models/sdtv1_2-256_gesture.ron",
    "models/sdtv1_2-512_cifar10.ron",
    "models/sdtv1_4-512_cifar10.ron",
    "models/sdtv1_8-384_imagenet.ron",
    "models/sdtv1_8-512_imagenet.ron",
    "models/sdtv1_8-768_imagenet.ron",
    "models/sdtv2_5M.ron",
    "models/sdtv2_15M.ron",
    "models/sdtv2_15M_fused.ron",
    "models/sdtv2_31M.ron",
    "models/sdtv2_55M.ron",
    "models/sdtv3_3M.ron",
    "models/sdtv3_5M.ron",
    "models/sdtv3_10M.ron",
    "models/sdtv3_19M.ron",
    "models/spikformer_2-256_cifar10dvs.ron",
    "models/spikformer_2-384_cifar10.ron",
    "models/spikformer_4-256_cifar10.ron",
    "models/spikformer_4-384_cifar10.ron",
    "models/spikformer_8-384_imagenet.ron",
    "models/spikformer_8-512_imagenet.ron",
    "models/spikformer_8-768_imagenet.ron",
    "models/spikingformer_2-256_cifar10dvs.ron",
    "models/spikingformer_4-384_cifar10.ron",
    "models/spikingformer_8-384_imagenet.ron",
    "models/spikingformer_8-512_imagenet.ron",
    "models/spikingformer_8-768_imagenet.ron",
    "models/rates/sdtv1_2-64_fashion.csv",
    "models/rates/sdtv1_4-512_cifar10.csv",
    "models/rates/spikformer_4-384_cifar10.csv",
    "models/rates/spikingformer_8-512_imagenet.csv",
    "models/neurons/lif.ron",
    "models/neurons/loihi.ron",
    "data/fashion-mnist/fashion-mnist.ron",
    "data/fashion-mnist/t10k-images-idx3-ubyte.gz",
    "data/fashion-mnist/t10k-labels-idx1-ubyte.gz",
    "data/fashion-mnist/validation-images-idx3-ubyte.gz",
    "data/fashion-mnist/validation-labels-idx1-ubyte.gz",
    "hw_configs/edge-28.ron",
    "hw_configs/systolic-28.ron",
    "hw_configs/cortex-m4.ron",
    "hw_configs/eyeriss-28.ron",
    "hw_configs/ptb-28.ron",
    "hw_configs/sato-28.ron",
    "hw_configs/mint-28.ron",
    "hw_configs/prosperity-28.ron",
    "hw_configs/tpu-28.ron",
    "hw_configs/loihi-14.ron",
);

impl Folder {
    /// Finds the description `spec`: the name of a default in `bundled`, or a path to a `.ron` file.
    /// Returns its folder and its file name there.
    pub fn locate(bundled: &'static str, spec: &str) -> Result<(Self, String)> {
        Self::locate_file(bundled, spec, "ron")
    }

    /// [`Folder::locate`] of files that end in `.extension`.
    pub fn locate_file(bundled: &'static str, spec: &str, extension: &str) -> Result<(Self, String)> {
        let file = format!("{spec}.{extension}");
        if Self::Bundled(bundled).find(&file).is_some() {
            return Ok((Self::Bundled(bundled), file));
        }
        let path = Path::new(spec);
        if path.extension().is_none() && !path.exists() {
            let known = nearest(spec, Self::Bundled(bundled).names(extension));
            return Err(Error::mismatch(format!(
                "{spec:?}: neither a file nor one of the defaults: {known}"
            )));
        }
        let name = path.file_name().ok_or_else(|| Error::mismatch(format!("{spec}: not a file")))?;
        let parent = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        Ok((Self::Disk(parent), name.to_string_lossy().into_owned()))
    }

    /// Names, without extension, of the defaults here that end in `.extension`.
    pub fn names(&self, extension: &str) -> Vec<&'static str> {
        let Self::Bundled(folder) = self else { return Vec::new() };
        let inside = |path: &'static str| path.strip_prefix(folder)?.strip_prefix('/');
        let files =
            BUNDLED.iter().filter_map(|(path, _)| inside(path)?.strip_suffix(extension)?.strip_suffix('.'));
        files.filter(|name| !name.contains('/')).collect()
    }

    /// What messages call the file `name` of this folder.
    pub fn path(&self, name: &str) -> String {
        match self {
            Self::Bundled(folder) => format!("{folder}/{name}"),
            Self::Disk(folder) => folder.join(name).display().to_string(),
        }
    }

    /// Where the file or folder `name` is, for what is read piece by piece.
    ///
    /// # Errors
    /// If the defaults are meant, which are no files.
    pub fn on_disk(&self, name: &str) -> Result<PathBuf> {
        match self {
            Self::Bundled(_) => Err(Error::mismatch(format!("{}: no such default", self.path(name)))),
            Self::Disk(folder) => Ok(folder.join(name)),
        }
    }

    /// The bytes of the file `name`.
    pub fn read(&self, name: &str) -> Result<Cow<'static, [u8]>> {
        match (self, self.find(name)) {
            (Self::Bundled(_), Some(bytes)) => Ok(Cow::Borrowed(bytes)),
            (Self::Bundled(_), None) => Err(Error::mismatch(format!("{}: no such default", self.path(name)))),
            (Self::Disk(folder), _) => {
                let path = folder.join(name);
                std::fs::read(&path).map(Cow::Owned).map_err(|e| Error::io(path, e))
            }
        }
    }

    /// The text of the file `name`.
    pub fn read_text(&self, name: &str) -> Result<String> {
        String::from_utf8(self.read(name)?.into_owned())
            .map_err(|e| Error::field(self.path(name), "text", format!("not UTF-8 ({})", e.utf8_error())))
    }

    fn find(&self, name: &str) -> Option<&'static [u8]> {
        let Self::Bundled(folder) = self else { return None };
        let wanted = format!("{folder}/{name}");
        BUNDLED.iter().find(|(path, _)| *path == wanted).map(|(_, bytes)| *bytes)
    }
}

/// Those of `names` that start as `spec` does, or all where none does: the first few, and how many more
/// there are.
fn nearest(spec: &str, mut names: Vec<&str>) -> String {
    const SHOWN: usize = 8;
    if names.iter().any(|name| name.starts_with(spec)) {
        names.retain(|name| name.starts_with(spec));
    }
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// SHA-256 of the concatenation of `parts`, as hexadecimal.
pub fn sha256(parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> String {
    let mut hasher = Sha256::new();
    parts.into_iter().for_each(|part| hasher.update(part));
    hexadecimal(hasher)
}

/// SHA-256 of all that `reader` yields, as hexadecimal.
pub fn sha256_of_reader(mut reader: impl Read) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut reader, &mut hasher)?;
    Ok(hexadecimal(hasher))
}

fn hexadecimal(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

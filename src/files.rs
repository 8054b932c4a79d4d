//! Reads files from disk, or from the defaults that are part of the binary by the feature `bundled`.
//!
//! ```
//! use spiq::files::{Folder, read_text};
//!
//! let (folder, file) = Folder::locate("hw_configs", "edge-28")?;
//! assert!(folder.read_text(&file)?.contains("clock_hz"));
//! assert!(read_text("no/such.ron").unwrap_err().to_string().starts_with("no/such.ron"));
//! # Ok::<(), spiq::Error>(())
//! ```

#[cfg(feature = "bundled")]
mod bundled;
#[cfg(not(feature = "bundled"))]
mod bundled {
    pub(super) const FILES: &[(&str, &[u8])] = &[];
}

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::name::first_of;

/// Bytes of text that are read: descriptions, tables, manifests.
pub(crate) const MAX_TEXT: u64 = 64 << 20;
/// Bytes of a log that are read.
pub(crate) const MAX_LOG: u64 = 1 << 30;
/// Bytes of weights that are read.
pub(crate) const MAX_WEIGHTS: u64 = 16 << 30;
/// Bytes of a file of data, or of an array in it, that are read as they are.
pub(crate) const MAX_PLAIN: u64 = 16 << 30;
/// Bytes that are unpacked, whatever a compressed stream claims.
pub(crate) const MAX_UNPACKED: u64 = 2 << 30;

/// Opens a file that a user named, which a pipe or a device is not: those may have no end.
///
/// # Errors
/// If the file cannot be opened, or is none.
pub fn open(path: impl AsRef<Path>) -> Result<File> {
    let path = path.as_ref();
    // A pipe that nobody writes to would block the call that opens it.
    regular(&std::fs::metadata(path).map_err(|e| Error::io(path, e))?, path)?;
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    regular(&file.metadata().map_err(|e| Error::io(path, e))?, path)?;
    Ok(file)
}

fn regular(metadata: &std::fs::Metadata, path: &Path) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let kind = if metadata.is_dir() { "a folder" } else { "a pipe or a device" };
    Err(Error::mismatch(format!("{}: {kind}, not a file", path.display())))
}

/// The bytes of a file that a user named, of which there may be `limit`.
///
/// # Errors
/// Those of [`open`]; if the file is longer, or memory cannot hold it.
pub fn read(path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>> {
    let path = path.as_ref();
    let file = open(path)?;
    let failed = |e| Error::io(path, e);
    let length = file.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    if length <= limit {
        bytes.try_reserve_exact(length as usize).map_err(|_| failed(ErrorKind::OutOfMemory.into()))?;
        // A file may grow, and those of /proc do not know their length.
        file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if length.max(bytes.len() as u64) > limit {
        let message = format!("more than the {limit} bytes that are read of such a file");
        return Err(Error::field(path.display().to_string(), "length", message));
    }
    Ok(bytes)
}

/// The text of a file that a user named, of at most 64 MiB.
///
/// # Errors
/// Those of [`read`]; if the file is not UTF-8.
pub fn read_text(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    text(read(path, MAX_TEXT)?, &path.display().to_string())
}

fn text(bytes: Vec<u8>, path: &str) -> Result<String> {
    String::from_utf8(bytes)
        .map_err(|e| Error::field(path, "text", format!("not UTF-8 ({})", e.utf8_error())))
}

/// Where a description and the files that it names are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    /// A folder of the defaults, for instance `models`.
    Bundled(&'static str),
    /// A folder on disk.
    Disk(PathBuf),
}

impl Folder {
    /// Finds the description `spec`: the name of a default in `bundled`, or a path to a `.ron` file.
    /// Returns its folder and its file name there.
    pub fn locate(bundled: &'static str, spec: &str) -> Result<(Self, String)> {
        Self::locate_file(bundled, spec, "ron")
    }

    /// [`Folder::locate`] of files that end in `.extension`.
    pub(crate) fn locate_file(bundled: &'static str, spec: &str, extension: &str) -> Result<(Self, String)> {
        let file = format!("{spec}.{extension}");
        if Self::Bundled(bundled).find(&file).is_some() {
            return Ok((Self::Bundled(bundled), file));
        }
        let path = Path::new(spec);
        if path.extension().is_none() && !path.exists() {
            return Err(unknown(spec, Self::Bundled(bundled).names(extension)));
        }
        let name = path.file_name().ok_or_else(|| Error::mismatch(format!("{spec}: not a file")))?;
        let parent = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        Ok((Self::Disk(parent), name.to_string_lossy().into_owned()))
    }

    /// Names, without extension, of the defaults here that end in `.extension`.
    pub fn names(&self, extension: &str) -> Vec<&'static str> {
        let Self::Bundled(folder) = self else { return Vec::new() };
        let inside = |path: &'static str| path.strip_prefix(folder)?.strip_prefix('/');
        let files = bundled::FILES
            .iter()
            .filter_map(|(path, _)| inside(path)?.strip_suffix(extension)?.strip_suffix('.'));
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
    pub(crate) fn on_disk(&self, name: &str) -> Result<PathBuf> {
        match self {
            Self::Bundled(_) => Err(Error::mismatch(format!("{}: no such default", self.path(name)))),
            Self::Disk(folder) => Ok(folder.join(name)),
        }
    }

    /// The bytes of the file `name`, of which there may be `limit`.
    ///
    /// # Errors
    /// Those of [`read`], or if there is no such default.
    pub fn read(&self, name: &str, limit: u64) -> Result<Cow<'static, [u8]>> {
        match self {
            Self::Bundled(_) => self.default(name).map(Cow::Borrowed),
            Self::Disk(folder) => read(folder.join(name), limit).map(Cow::Owned),
        }
    }

    /// The file `name`, to be read piece by piece.
    ///
    /// # Errors
    /// Those of [`open`], or if there is no such default.
    pub fn open(&self, name: &str) -> Result<Box<dyn Read>> {
        match self {
            Self::Bundled(_) => Ok(Box::new(self.default(name)?)),
            Self::Disk(folder) => Ok(Box::new(BufReader::new(open(folder.join(name))?))),
        }
    }

    /// The text of the file `name`, of at most 64 MiB.
    ///
    /// # Errors
    /// Those of [`Folder::read`]; if the file is not UTF-8.
    pub fn read_text(&self, name: &str) -> Result<String> {
        text(self.read(name, MAX_TEXT)?.into_owned(), &self.path(name))
    }

    fn default(&self, name: &str) -> Result<&'static [u8]> {
        self.find(name).ok_or_else(|| Error::mismatch(format!("{}: no such default", self.path(name))))
    }

    fn find(&self, name: &str) -> Option<&'static [u8]> {
        let Self::Bundled(folder) = self else { return None };
        let wanted = format!("{folder}/{name}");
        bundled::FILES.iter().find(|(path, _)| *path == wanted).map(|(_, bytes)| *bytes)
    }
}

/// The message about `spec`, which is none of the `names` of defaults and no file.
fn unknown(spec: &str, names: Vec<&str>) -> Error {
    let default = if cfg!(feature = "bundled") {
        format!("one of the defaults: {}", nearest(spec, names))
    } else {
        "a default, which builds with the feature `bundled` have".to_owned()
    };
    Error::mismatch(format!("{spec:?}: neither a file nor {default}"))
}

/// Names that start as `spec` does, or all where none does: the first few, and how many more there are.
fn nearest(spec: &str, mut names: Vec<&str>) -> String {
    const SHOWN: usize = 8;
    if names.iter().any(|name| name.starts_with(spec)) {
        names.retain(|name| name.starts_with(spec));
    }
    first_of(&names, SHOWN)
}

/// SHA-256 of the concatenation of `parts`, as hexadecimal.
pub fn sha256(parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> String {
    let mut hasher = Sha256::new();
    parts.into_iter().for_each(|part| hasher.update(part));
    hexadecimal(hasher)
}

/// SHA-256 of all that `reader` yields, as hexadecimal.
pub(crate) fn sha256_of_reader(mut reader: impl Read) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut reader, &mut hasher)?;
    Ok(hexadecimal(hasher))
}

/// A digest as hexadecimal.
pub(crate) fn hexadecimal(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ron");
        std::fs::write(&path, "1234").unwrap();
        assert_eq!(read(&path, 4).unwrap(), b"1234");
        let message = read(&path, 3).unwrap_err().to_string();
        assert!(
            message.ends_with("a.ron: length: more than the 3 bytes that are read of such a file"),
            "{message}"
        );
        // A long file is refused by its length: nothing of it is read.
        File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(read_text(&path).unwrap_err().to_string().contains("more than the 67108864 bytes"));
        assert!(read(folder.path().join("none"), 4).unwrap_err().to_string().contains("none: No such file"));
    }

    #[test]
    fn text_is_utf_8() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ron");
        std::fs::write(&path, b"a\xff").unwrap();
        let message = read_text(&path).unwrap_err().to_string();
        assert!(
            message.contains("a.ron: text: not UTF-8 (invalid utf-8 sequence of 1 bytes from index 1)"),
            "{message}"
        );
    }

    /// A pipe would block, a device never end, and both do not say how long they are.
    #[cfg(unix)]
    #[test]
    fn only_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let message = |path: &Path| open(path).unwrap_err().to_string();
        assert_eq!(message(Path::new("/dev/zero")), "/dev/zero: a pipe or a device, not a file");
        assert!(message(&pipe).ends_with("pipe: a pipe or a device, not a file"));
        assert!(message(folder.path()).ends_with(": a folder, not a file"));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert!(message(&link).ends_with("link: a pipe or a device, not a file"));
    }
}

//! A folder with a folder of files for each class.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Folders in `path` with their names, in order; those whose names start with a dot are not seen.
pub fn folders(path: &Path) -> Result<Vec<(String, PathBuf)>> {
    Ok(entries(path)?.into_iter().filter(|(_, entry)| entry.is_dir()).collect())
}

/// Files in `path`, in order of their names; those whose names start with a dot are not seen.
///
/// # Errors
/// Refuses what does not end in one of `extensions`, so that nothing is left out unnoticed.
pub fn files(path: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let entries = entries(path)?.into_iter().map(|(_, entry)| entry);
    let known = |file: &Path| {
        let extension = file.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|e| extensions.iter().any(|known| e.eq_ignore_ascii_case(known)))
    };
    entries
        .map(|file| match known(&file) {
            true => Ok(file),
            false => {
                let message = format!("not one of .{}", extensions.join(", ."));
                Err(Error::field(file.display().to_string(), "extension", message))
            }
        })
        .collect()
}

fn entries(path: &Path) -> Result<Vec<(String, PathBuf)>> {
    let refuse = |e| Error::io(path, e);
    let entries = fs::read_dir(path).map_err(refuse)?.collect::<Result<Vec<_>, _>>().map_err(refuse)?;
    let mut entries: Vec<_> =
        entries.iter().map(|e| (e.file_name().to_string_lossy().into_owned(), e.path())).collect();
    entries.retain(|(name, _)| !name.starts_with('.'));
    entries.sort();
    Ok(entries)
}

/// The first file of every class, then the second of every class and so on, so that the first samples
/// are of all classes; with their labels.
pub fn interleave(classes: Vec<(u32, Vec<PathBuf>)>) -> (Vec<PathBuf>, Vec<u32>) {
    let mut files: Vec<(usize, u32, PathBuf)> = classes
        .into_iter()
        .flat_map(|(label, files)| files.into_iter().enumerate().map(move |(i, file)| (i, label, file)))
        .collect();
    files.sort();
    files.into_iter().map(|(_, label, file)| (file, label)).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_take_turns() {
        let class = |label, names: &[&str]| (label, names.iter().map(PathBuf::from).collect());
        let (files, labels) =
            interleave(vec![class(0, &["a", "b", "c"]), class(1, &[]), class(2, &["d", "e"])]);
        assert_eq!(files, ["a", "d", "b", "e", "c"].map(PathBuf::from));
        assert_eq!(labels, [0, 2, 0, 2, 0]);
    }
}

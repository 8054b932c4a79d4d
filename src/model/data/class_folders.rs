//! A folder with a folder of files for each class.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::name::first_of;

/// Names that a note lists.
pub const SHOWN: usize = 5;

/// The folders in a folder, by name, and what is not looked at.
pub struct ClassFolders {
    folder: PathBuf,
    /// Names of the class folders with their paths, in order.
    pub classes: Vec<(String, PathBuf)>,
    /// Names of what is in the folder, or in one of the class folders, and no sample.
    left: Vec<String>,
    /// Names of those without a file.
    empty: Vec<String>,
}

impl ClassFolders {
    /// Lists the folders in `folder`; those whose names start with a dot do not count.
    pub fn list(folder: PathBuf) -> Result<Self> {
        let (classes, left): (Vec<_>, Vec<_>) =
            entries(&folder)?.into_iter().partition(|(name, entry)| !is_hidden(name) && entry.is_dir());
        let left = left.into_iter().map(|(name, _)| name).collect();
        Ok(Self { folder, classes, left, empty: Vec::new() })
    }

    /// For messages.
    pub fn path(&self) -> String {
        self.folder.display().to_string()
    }

    /// Files of class folder `i`, in order of their names; those whose names start with a dot do not count.
    ///
    /// # Errors
    /// Refuses what does not end in one of `extensions`: it may be a sample.
    pub fn files(&mut self, i: usize, extensions: &[&str]) -> Result<Vec<PathBuf>> {
        let (class, path) = &self.classes[i];
        let (hidden, files): (Vec<_>, Vec<_>) =
            entries(path)?.into_iter().partition(|(name, _)| is_hidden(name));
        self.left.extend(hidden.into_iter().map(|(name, _)| format!("{class}/{name}")));
        if files.is_empty() {
            self.empty.push(class.clone());
        }
        let known = |file: &Path| {
            let extension = file.extension().and_then(|extension| extension.to_str());
            extension.is_some_and(|e| extensions.iter().any(|known| e.eq_ignore_ascii_case(known)))
        };
        let check = |(_, file): (String, PathBuf)| {
            if known(&file) {
                return Ok(file);
            }
            let message = format!("not one of .{}", extensions.join(", ."));
            Err(Error::field(file.display().to_string(), "extension", message))
        };
        files.into_iter().map(check).collect()
    }

    /// What a reader of results must know: classes without a sample, and what was not read.
    pub fn notes(&self) -> Vec<String> {
        let of = |what: &str, names: &[String]| {
            let list = first_of(names, SHOWN);
            (!names.is_empty()).then(|| format!("{}: {what}: {list}", self.path()))
        };
        let notes = [of("class folders without a file", &self.empty), of("not read", &self.left)];
        notes.into_iter().flatten().collect()
    }

    /// What a reader must know where names are numbers: one that is not the number of its class, if the order of
    /// names makes the classes.
    pub fn misnumbered(&self) -> Option<String> {
        let numbers: Option<Vec<usize>> = self.classes.iter().map(|(name, _)| name.parse().ok()).collect();
        let (class, _) = numbers?.into_iter().enumerate().find(|(class, number)| class != number)?;
        let (path, name) = (self.path(), &self.classes[class].0);
        Some(format!(
            "{path}: classes are in the order of the names of their folders: {name} is class {class}"
        ))
    }
}

fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

fn entries(path: &Path) -> Result<Vec<(String, PathBuf)>> {
    let refuse = |e| Error::io(path, e);
    let entries = fs::read_dir(path).map_err(refuse)?.collect::<Result<Vec<_>, _>>().map_err(refuse)?;
    let mut entries: Vec<_> =
        entries.iter().map(|e| (e.file_name().to_string_lossy().into_owned(), e.path())).collect();
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

    #[test]
    fn what_is_not_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["10/a.png", "2/.DS_Store", "2/b.PNG", ".git/x", "README", "1/.keep"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let mut listed = ClassFolders::list(folder.path().to_owned()).unwrap();
        let names: Vec<&str> = listed.classes.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["1", "10", "2"]);
        let files: Vec<usize> = (0..3).map(|i| listed.files(i, &["png"]).unwrap().len()).collect();
        assert_eq!(files, [0, 1, 1]);
        let notes = listed.notes();
        let path = listed.path();
        let expected = ["class folders without a file: 1", "not read: .git, README, 1/.keep, 2/.DS_Store"];
        assert_eq!(notes, expected.map(|note| format!("{path}: {note}")));
        let order = "classes are in the order of the names of their folders: 1 is class 0";
        assert_eq!(listed.misnumbered().unwrap(), format!("{path}: {order}"));
        fs::write(folder.path().join("2/notes.txt"), "").unwrap();
        let message = listed.files(2, &["png", "jpg"]).unwrap_err().to_string();
        assert!(message.ends_with("notes.txt: extension: not one of .png, .jpg"), "{message}");
    }
}

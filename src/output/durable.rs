//! Atomic writes of single files: a process that is killed leaves the old file or the new one, never a part under its name.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use tempfile::Builder;

use crate::error::{Error, Result};

/// What names of files that are being written begin with.
const UNFINISHED: &str = ".new-";

/// Nobody writes a file for so long, and no clocks of machines that share a disk are so far apart.
const ABANDONED: Duration = Duration::from_hours(1);

/// Writes `bytes` to `path`, whose folder is made if it is not there: to a file beside it, which is on the disk before it
/// takes its name.
///
/// # Errors
/// If there is no room, or nothing can be written there.
pub fn write_durably(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        fs::create_dir_all(folder)?;
        let mut file = readable(Builder::new().prefix(UNFINISHED)).tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        // Where folders cannot be synchronized, their names are on the disk when the system likes.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    };
    write().map_err(|source| Error::io(path, source))
}

/// True of a name that a file has while it is being written.
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with(UNFINISHED)
}

/// Removes files from `folder` that a process was writing which was killed an hour ago or more. What cannot be removed stays.
pub fn remove_abandoned(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|metadata| metadata.modified()).ok();
        let is_old = age.and_then(|modified| modified.elapsed().ok()).is_some_and(|age| age >= ABANDONED);
        if is_old && entry.file_name().to_str().is_some_and(is_unfinished) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Temporary files are their maker's alone; those that stay may be read by whom the system's mask lets.
fn readable<'a, 'b, 'c>(builder: &'a mut Builder<'b, 'c>) -> &'a mut Builder<'b, 'c> {
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_long_ago_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, age) in [(".new-old", 2), (".new-young", 0), ("old.json", 2)] {
            let file = File::create(path(name)).unwrap();
            file.set_modified(std::time::SystemTime::now() - Duration::from_hours(age)).unwrap();
        }
        remove_abandoned(folder.path());
        assert_eq!(
            [".new-old", ".new-young", "old.json"].map(|name| path(name).exists()),
            [false, true, true]
        );
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.json");
        write_durably(&path, b"first").unwrap();
        write_durably(&path, b"2").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let message = write_durably(&path.join("c"), b"3").unwrap_err().to_string();
        assert!(message.contains("b.json"), "{message}");
    }
}

//! Atomic writes of single files: a process that is killed leaves the old file or the new one, never a part.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use tempfile::Builder;

use crate::error::{Error, Result};

/// Writes `bytes` to `path`, whose folder is made if it is not there: to a file beside it, which is on the disk before it
/// takes its name.
///
/// # Errors
/// If there is no room, or nothing can be written there.
pub fn write_durably(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        fs::create_dir_all(folder)?;
        let mut file = readable(Builder::new().prefix(".new-")).tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        // Where folders cannot be synchronized, their names are on the disk when the system likes.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    };
    write().map_err(|source| Error::io(path, source))
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

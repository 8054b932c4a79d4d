//! What `simulate` shows and leaves behind: a table for the terminal, `report.json`, CSV files and
//! pictures. Nothing is computed here beyond sums and units.

mod columns;
mod csv;
#[cfg(test)]
mod fixture;
mod json;
mod plots;
mod table;
mod units;

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};
use crate::evaluate::Simulation;

pub use json::to_json;
pub use table::table;

/// Writes `report.json`, `settings.csv`, `layers.csv` and `plots/*.svg` and `plots/*.png` into
/// `dir`, which is made if it is not there.
///
/// Everything is rendered, then everything is written under temporary names, and only then put in
/// place: a failure leaves an earlier result as it was.
///
/// # Errors
///
/// A number that is not finite ([`Error::Field`]), or a file that cannot be written.
pub fn write(simulation: &Simulation, dir: &Path) -> Result<()> {
    let files = render(simulation)?;
    let plots = dir.join("plots");
    fs::create_dir_all(&plots).map_err(|source| Error::io(&plots, source))?;
    let staged = files
        .into_iter()
        .map(|(name, bytes)| stage(dir.join(name), &bytes))
        .collect::<Result<Vec<(PathBuf, NamedTempFile)>>>()?;
    for (path, file) in staged {
        file.persist(&path).map_err(|error| Error::io(&path, error.error))?;
    }
    Ok(())
}

/// Refuses a `dir` that [`write()`] could not write to, before anything long starts; makes nothing.
///
/// # Errors
///
/// The first folder above that exists is none, or nothing can be written there.
pub fn check_target(dir: &Path) -> Result<()> {
    let plots = dir.join("plots");
    let existing = plots.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    tempfile::tempfile_in(existing).map(|_| ()).map_err(|source| Error::io(existing, source))
}

/// Every file of a report: its path inside the folder, and its bytes.
fn render(simulation: &Simulation) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = vec![
        ("report.json".to_owned(), to_json(simulation)?.into_bytes()),
        ("settings.csv".to_owned(), csv::settings(simulation)?),
        ("layers.csv".to_owned(), csv::layers(simulation)?),
    ];
    for picture in plots::render(simulation)? {
        files.push((format!("plots/{}.svg", picture.stem), picture.svg.into_bytes()));
        files.push((format!("plots/{}.png", picture.stem), picture.png));
    }
    Ok(files)
}

/// A temporary file beside `path`, so that the rename stays inside one file system.
fn stage(path: PathBuf, bytes: &[u8]) -> Result<(PathBuf, NamedTempFile)> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        // A rename onto a folder would fail after others have succeeded.
        if path.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        make_readable(&file)?;
        Ok(file)
    };
    match write() {
        Ok(file) => Ok((path, file)),
        Err(source) => Err(Error::io(path, source)),
    }
}

/// Temporary files belong to their owner alone; a result is for everybody to read.
#[cfg(unix)]
fn make_readable(file: &NamedTempFile) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &NamedTempFile) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn writes_every_file_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("new/run");
        write(&fixture::simulation(8, 20), &target).unwrap();
        assert_eq!(listing(&target), ["layers.csv", "plots", "report.json", "settings.csv"]);
        assert_eq!(listing(&target.join("plots")).len(), 14);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(target.join("report.json")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o644);
        }
    }

    #[test]
    fn a_failure_leaves_the_earlier_result() {
        let dir = tempfile::tempdir().unwrap();
        let mut simulation = fixture::simulation(2, 3);
        write(&simulation, dir.path()).unwrap();
        let before = fs::read(dir.path().join("report.json")).unwrap();
        simulation.settings[1].latency_s = f64::NAN;
        assert!(write(&simulation, dir.path()).is_err());
        assert_eq!(fs::read(dir.path().join("report.json")).unwrap(), before);
        assert_eq!(listing(dir.path()).len(), 4);
    }

    #[test]
    fn the_same_simulation_gives_the_same_bytes() {
        let simulation = fixture::simulation(3, 5);
        assert_eq!(render(&simulation).unwrap(), render(&simulation).unwrap());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = NamedTempFile::new().unwrap();
        let message = write(&fixture::simulation(1, 1), file.path()).unwrap_err().to_string();
        assert!(message.contains(&file.path().display().to_string()), "{message}");
    }
}

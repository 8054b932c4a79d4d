use std::path::{Path, PathBuf};

use clap::Args;

use super::print::print;
use crate::error::{Error, Result};
use crate::files::{MAX_LOG, read};
use crate::report;

/// Flags of `spiq report`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A folder that simulate, compare, search or explore wrote, or one of its files report.json, comparison.json,
    /// search.json and exploration.json.
    #[arg(value_name = "DIR")]
    results: PathBuf,
}

/// Runs `spiq report`: draws `report.html` anew from the JSON that is there.
pub fn run(arguments: &Arguments) -> Result<()> {
    let file = file_of(&arguments.results)?;
    let path = file.display().to_string();
    let json = String::from_utf8(read(&file, MAX_LOG)?)
        .map_err(|e| Error::field(&path, "text", format!("not UTF-8 ({})", e.utf8_error())))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    report::write_page(&json, &path, folder)?;
    print(&format!("Wrote {}\n", folder.join("report.html").display()))
}

/// The one file of results in a folder.
fn file_of(results: &Path) -> Result<PathBuf> {
    if !results.is_dir() {
        return Ok(results.to_owned());
    }
    let there: Vec<PathBuf> =
        report::HTML_SOURCES.iter().map(|name| results.join(name)).filter(|file| file.exists()).collect();
    match &there[..] {
        [file] => Ok(file.clone()),
        [] => {
            let names = report::HTML_SOURCES.join(", ");
            let message = format!(
                "{}: none of {names} is there: simulate, compare, search and explore write them where --out says",
                results.display()
            );
            Err(Error::mismatch(message))
        }
        [first, ..] => {
            let names: Vec<_> = there.iter().filter_map(|file| file.file_name()?.to_str()).collect();
            let message = format!(
                "{}: {} are there: say which, as in `spiq report {}`",
                results.display(),
                names.join(" and "),
                first.display()
            );
            Err(Error::mismatch(message))
        }
    }
}

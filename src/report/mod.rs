//! What `simulate` shows and leaves behind: a table for the terminal, `report.html`, `report.json`, CSV files and
//! pictures. Nothing is computed here beyond sums and units. Without the feature `plots`, reports have no pictures.
//!
//! ```
//! let error = spiq::report::html_page("{}", "report.json").unwrap_err();
//! assert!(error.to_string().starts_with("report.json"));
//! ```

mod bottlenecks;
mod column;
mod columns;
mod comparison;
mod cost_table;
mod csv;
mod exploration;
mod exploration_json;
mod file;
#[cfg(test)]
mod fixture;
mod html;
mod json;
#[cfg(not(feature = "plots"))]
mod no_plots;
mod part_colours;
#[cfg(feature = "plots")]
mod plots;
mod search;
mod search_layers;
mod sensitivity;
mod table;
mod tables;
mod terminal;
mod timesteps;
mod trace;
mod units;

use std::path::Path;

use self::file::File;
#[cfg(not(feature = "plots"))]
use self::no_plots as plots;
use crate::error::Result;
use crate::evaluate::{Comparison, Evaluation, Simulation};
use crate::output::{OutputFolder, Owner};

pub use comparison::{comparison_table, comparison_to_json};
pub use cost_table::{cost_table_csv, cost_table_text};
pub use exploration::{exploration_table, unmet_constraints, write_exploration};
pub use exploration_json::exploration_json;
pub use html::{SOURCES as HTML_SOURCES, html_page};
pub use json::to_json;
pub use search::{closest, format_quantity, search_json, search_table, write_search};
pub use search_layers::{layers_table, outlook_text};
pub use sensitivity::{sensitivity_json, sensitivity_table, write_sensitivity};
pub use table::table;
pub use timesteps::{TimestepsTried, best_timesteps, timesteps_table, write_timesteps};

/// Writes `report.html`, `report.json`, `settings.csv`, `layers.csv`, `memories.csv`, `units.csv`, `tables.csv`, `rates/*.csv` (one per
/// setting), `plots/*.svg` and `plots/*.png`, and `trace.json` where it was asked for, into `dir`, which is made if it is not there.
///
/// Everything is rendered, then everything is written under temporary names, and only then put in
/// place: a failure leaves an earlier result as it was.
///
/// # Errors
///
/// A number that is not finite ([`crate::Error::Field`]), or a file that cannot be written.
pub fn write(simulation: &Simulation, dir: &Path) -> Result<()> {
    write_files(render(simulation)?, Owner::Report, dir)
}

/// Writes `report.html`, `comparison.json`, `comparison.csv` and `plots/*` into `dir`, all or nothing as [`write()`] does.
///
/// # Errors
///
/// A number that is not finite ([`crate::Error::Field`]), or a file that cannot be written.
pub fn write_comparison(comparison: &Comparison, dir: &Path) -> Result<()> {
    let json = comparison_to_json(comparison)?;
    let mut files = vec![("comparison.csv".to_owned(), comparison::csv(comparison)?)];
    files.extend(plots::of_comparison(comparison)?);
    files.push(page(&json, "comparison.json")?);
    files.push(("comparison.json".to_owned(), json.into_bytes()));
    write_files(files, Owner::Comparison, dir)
}

/// Writes rendered files into `dir`.
fn write_files(files: Vec<File>, owner: Owner, dir: &Path) -> Result<()> {
    let folder = OutputFolder::new(dir, owner)?;
    files.into_iter().try_for_each(|(name, bytes)| folder.write(&name, bytes))?;
    folder.finish()
}

/// A file of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFile {
    /// Path of the file inside the folder of the report, with slashes.
    pub path: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Every file that [`write()`] leaves, the one that describes the others last.
///
/// # Errors
///
/// A number that is not finite ([`crate::Error::Field`]).
pub fn files(simulation: &Simulation) -> Result<Vec<ReportFile>> {
    let file = |(path, bytes)| ReportFile { path, bytes };
    Ok(render(simulation)?.into_iter().map(file).collect())
}

/// Every file of a report: its path inside the folder, and its bytes.
fn render(simulation: &Simulation) -> Result<Vec<File>> {
    let json = to_json(simulation)?;
    let mut files = vec![
        ("settings.csv".to_owned(), csv::settings(simulation)?),
        ("layers.csv".to_owned(), csv::layers(simulation)?),
        ("memories.csv".to_owned(), csv::memories(simulation)?),
        ("units.csv".to_owned(), csv::units(simulation)?),
        ("tables.csv".to_owned(), csv::tables(simulation)?),
    ];
    for (name, setting) in rates_names(&simulation.settings).into_iter().zip(&simulation.settings) {
        files.push((name, csv::rates(simulation, setting)?));
    }
    files.extend(plots::of_simulation(simulation)?);
    if simulation.presentation.trace {
        files.push(("trace.json".to_owned(), trace::trace(simulation)?));
    }
    files.push(page(&json, "report.json")?);
    files.push(("report.json".to_owned(), json.into_bytes()));
    Ok(files)
}

/// The page that shows `json`, which the file `name` beside it holds.
fn page(json: &str, name: &str) -> Result<File> {
    Ok(("report.html".to_owned(), html_page(json, name)?.into_bytes()))
}

/// Writes `report.html` into `dir`: the page that shows `json`, which the file `path` holds.
///
/// # Errors
/// Those of [`html_page`], or if the file cannot be written.
pub fn write_page(json: &str, path: &str, dir: &Path) -> Result<()> {
    write_files(vec![page(json, path)?], Owner::Page, dir)
}

/// `rates/NAME.csv` for each setting, where NAME is its name without what file systems do not like, and
/// with a number where another setting has that name already.
fn rates_names(settings: &[Evaluation]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for setting in settings {
        let stem = plain_stem(&setting.name);
        let numbered = (2..).map(|i| format!("rates/{stem}-{i}.csv"));
        let is_new = |name: &String| !names.iter().any(|other| other.eq_ignore_ascii_case(name));
        let name = std::iter::once(format!("rates/{stem}.csv")).chain(numbered).find(is_new);
        names.extend(name);
    }
    names
}

/// A plain name for the file of what is called `title`.
fn plain_stem(title: &str) -> String {
    let inside = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let stem: String = title.chars().map(inside).collect();
    let rest = stem.trim_start_matches(['.', '-']);
    format!("{}{rest}", "_".repeat(stem.len() - rest.len()))
}

#[cfg(test)]
mod tests {
    use std::fs;

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
        assert_eq!(
            listing(&target),
            [
                ".spiq",
                "layers.csv",
                "memories.csv",
                "plots",
                "rates",
                "report.html",
                "report.json",
                "settings.csv",
                "tables.csv",
                "units.csv"
            ]
        );
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
        assert_eq!(listing(dir.path()).len(), 10);
    }

    /// The names of settings are free, those of files are not.
    #[test]
    fn each_setting_has_rates_of_its_own() {
        let mut simulation = fixture::simulation(4, 1);
        for (setting, name) in simulation.settings.iter_mut().zip(["w4", "a/b", "A b", "../a_b"]) {
            setting.name = name.to_owned();
        }
        let names = rates_names(&simulation.settings);
        assert_eq!(names, ["rates/w4.csv", "rates/a_b.csv", "rates/A_b-2.csv", "rates/___a_b.csv"]);
        let text = String::from_utf8(csv::rates(&simulation, &simulation.settings[1]).unwrap()).unwrap();
        let wanted = "# spikformer-tiny, setting a/b, mean of 1000 images of fashion-mnist\nlayer,rate\n\
                      patch_embed.proj_conv,0.2\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn the_same_simulation_gives_the_same_bytes() {
        let simulation = fixture::simulation(3, 5);
        assert_eq!(render(&simulation).unwrap(), render(&simulation).unwrap());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let message = write(&fixture::simulation(1, 1), file.path()).unwrap_err().to_string();
        assert!(message.contains(&file.path().display().to_string()), "{message}");
    }
}

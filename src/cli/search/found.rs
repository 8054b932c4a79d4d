//! What a search finds: on disk, on the screen, and as an exit code.

use std::path::Path;

use super::arguments::Arguments;
use super::interrupt;
use crate::cli::progress::Bars;
use crate::cost::Machine;
use crate::error::{Error, Result};
use crate::report;
use crate::search::{Budgets, Loaded, Search, Session};

/// What a search that chose among timesteps leaves.
pub const TIMESTEPS: &str = "timesteps.csv";

/// Refuses to write where `file` says that an earlier search has left what it found.
pub fn refuse_earlier(file: &Path) -> Result<()> {
    if !file.exists() {
        return Ok(());
    }
    let message = "is there from an earlier search: --out names another folder";
    Err(Error::mismatch(format!("{} {message}", file.display())))
}

/// Goes through with the search of `session`, and writes what it found to `dir`.
pub fn searched(loaded: &Loaded, session: &mut Session, bars: &Bars, dir: &Path) -> Result<Search> {
    let search = loaded.search(session, bars)?;
    session.log.check_place()?;
    interrupt::wait_for(|| report::write_search(&search, &session.request, dir))?;
    Ok(search)
}

/// What the screen shows of `search`.
pub fn text(search: &Search, arguments: &Arguments) -> String {
    let layers = if arguments.explain { report::outlook_text } else { report::layers_table };
    format!("{}\n{}", report::search_table(search), layers(search).unwrap_or_default())
}

/// 0 if budgets are met; 1 if not, and what is nearest is said.
pub fn exit_code(search: &Search) -> u8 {
    match search.best {
        Some(_) => 0,
        None => {
            eprintln!("error: {}", report::closest(search));
            1
        }
    }
}

/// The area is a property of the machine: no setting changes it. What is wrong with that of all `machines`.
pub fn beyond_area(machines: &[Machine], budgets: &Budgets) -> Result<Option<String>> {
    let Some(limit) = budgets.area_mm2 else { return Ok(None) };
    let mut least: Option<(f64, &str)> = None;
    for machine in machines {
        let name = &machine.hardware.name;
        let Some(area) = machine.area_mm2.map(|area| area.total()) else {
            return Err(Error::mismatch(format!(
                "--max-area: the description of {name} does not give its area"
            )));
        };
        if least.is_none_or(|(least, _)| area < least) {
            least = Some((area, name));
        }
    }
    Ok(least.filter(|(area, _)| *area > limit).map(|(area, name)| {
        let [area, beyond, limit] = [area, area - limit, limit].map(|a| report::format_quantity(a, "mm2"));
        format!("area of {area} is {beyond} beyond {limit}, whatever the setting of {name}")
    }))
}

mod arguments;
mod interrupt;
mod loaded;
mod session;

use std::process::ExitCode;

pub use self::arguments::Arguments;

use self::loaded::Loaded;
use self::session::Session;
use super::given::Given;
use super::print::{print, print_json};
use crate::cost::Machine;
use crate::error::{Error, Result};
use crate::report;
use crate::search::Budgets;

/// Runs `spiq search`: 0 if budgets are met, 1 if not.
pub fn run(arguments: &Arguments, given: &Given) -> Result<ExitCode> {
    let mut pool = rayon::ThreadPoolBuilder::new();
    if let Some(threads) = arguments.threads {
        if !(1..=1024).contains(&threads) {
            return Err(Error::mismatch(format!("--threads: {threads} is not in 1..=1024")));
        }
        pool = pool.num_threads(threads);
    }
    let pool = pool.build().map_err(|e| Error::mismatch(format!("--threads: {e}")))?;
    pool.install(|| run_here(arguments, given))
}

fn run_here(arguments: &Arguments, given: &Given) -> Result<ExitCode> {
    interrupt::install()?;
    let mut session = match &arguments.resume {
        Some(dir) => Session::resume(dir, arguments, given)?,
        None => Session::begin(arguments)?,
    };
    let dir = arguments.resume.as_ref().unwrap_or(&arguments.out);
    let loaded = Loaded::new(&session.request, &|fault| session.refuse(fault))?;
    session.identify(loaded.identity()?)?;
    if let Some(message) = beyond_area(&loaded.machine, &session.request.problem.budgets)? {
        eprintln!("error: {message}");
        return Ok(ExitCode::from(1));
    }
    let search = loaded.search(&mut session, arguments.quiet)?;
    session.log.check_place()?;
    interrupt::wait_for(|| report::write_search(&search, &session.request, dir))?;
    if arguments.json {
        print_json(&report::search_json(&search, &session.request)?)?
    } else {
        print(&format!("{}\nWrote {}\n", report::search_table(&search), dir.display()))?
    }
    Ok(match search.best {
        Some(_) => ExitCode::SUCCESS,
        None => {
            eprintln!("error: {}", report::closest(&search));
            ExitCode::from(1)
        }
    })
}

/// The area is a property of the machine: no setting changes it.
fn beyond_area(machine: &Machine, budgets: &Budgets) -> Result<Option<String>> {
    let (name, Some(limit)) = (&machine.hardware.name, budgets.area_mm2) else { return Ok(None) };
    match machine.area_mm2.map(|area| area.total()) {
        None => Err(Error::mismatch(format!("--max-area: the description of {name} does not give its area"))),
        Some(area) if area > limit => {
            let [area, beyond, limit] = [area, area - limit, limit].map(|a| report::with_unit(a, "mm2"));
            Ok(Some(format!("area of {area} is {beyond} beyond {limit}, whatever the setting of {name}")))
        }
        Some(_) => Ok(None),
    }
}

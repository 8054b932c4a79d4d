mod arguments;
mod interrupt;
mod timesteps;

pub use self::arguments::{Arguments, default_request};

use std::path::Path;

use self::arguments::{refuse_flag, request};
use super::given::Given;
use super::print::{print, print_json};
use super::progress::Bars;
use crate::cost::Machine;
use crate::error::{Error, Result};
use crate::report;
use crate::search::log::Log;
use crate::search::{Budgets, Loaded, Request, Search, SearchWatcher, Session, Terms};

/// Flags that a search may be resumed with; all others are part of what it is.
const RESUMED_WITH: [&str; 8] =
    ["resume", "strategy", "seed", "max-evaluations", "threads", "explain", "quiet", "json"];

/// Runs `spiq search`: 0 if budgets are met, 1 if not.
pub fn run(arguments: &Arguments, given: &Given) -> Result<u8> {
    arguments.threads.pool()?.install(|| run_here(arguments, given))
}

fn run_here(arguments: &Arguments, given: &Given) -> Result<u8> {
    interrupt::install(given.words())?;
    let [timesteps @ .., last] = &arguments.model.timesteps[..] else {
        return run_one(arguments, given, None);
    };
    if timesteps.is_empty() { run_one(arguments, given, Some(*last)) } else { timesteps::run(arguments) }
}

/// Searches the network at `timesteps`, if they are not those of its description.
fn run_one(arguments: &Arguments, given: &Given, timesteps: Option<usize>) -> Result<u8> {
    let mut session = match &arguments.resume {
        Some(dir) => {
            check_resumed(given)?;
            let terms = |begun: &Request| Ok(terms(begun, arguments, given));
            let session = Session::resume(dir, terms, refuse_flag)?;
            interrupt::keeps(&session.log);
            session
        }
        None => Session::begin(request(arguments, timesteps)?, &arguments.out, refuse_flag)?,
    };
    let dir = arguments.resume.as_ref().unwrap_or(&arguments.out);
    let loaded = Loaded::new(&session.request, &|fault| session.refuse(fault))?;
    session.identify(loaded.identity()?)?;
    if let Some(message) = beyond_area(loaded.machines.all(), &session.request.problem.budgets)? {
        eprintln!("error: {message}");
        return Ok(1);
    }
    let search = searched(&loaded, &mut session, &Bars::new(arguments.quiet), dir)?;
    if arguments.json {
        print_json(&report::search_json(&search, &session.request)?)?
    } else {
        print(&format!("{}\nWrote {}\n", text(&search, arguments), dir.display()))?
    }
    Ok(exit_code(&search))
}

/// Goes through with the search of `session`, and writes what it found to `dir`.
fn searched(loaded: &Loaded, session: &mut Session, bars: &Bars, dir: &Path) -> Result<Search> {
    let search = loaded.search(session, bars)?;
    session.log.check_place()?;
    interrupt::wait_for(|| report::write_search(&search, &session.request, dir))?;
    Ok(search)
}

/// What the screen shows of `search`.
fn text(search: &Search, arguments: &Arguments) -> String {
    let layers = if arguments.explain { report::outlook_text } else { report::layers_table };
    format!("{}\n{}", report::search_table(search), layers(search).unwrap_or_default())
}

/// 0 if budgets are met; 1 if not, and what is nearest is said.
fn exit_code(search: &Search) -> u8 {
    match search.best {
        Some(_) => 0,
        None => {
            eprintln!("error: {}", report::closest(search));
            1
        }
    }
}

/// Refuses flags that a search which is resumed has already.
fn check_resumed(given: &Given) -> Result<()> {
    given.beside(&RESUMED_WITH).map_or(Ok(()), |flag| {
        Err(Error::mismatch(format!(
            "{flag}: a search that is resumed keeps its own; with --resume go --strategy, --seed and \
             --max-evaluations, to extend it, --threads, --explain, --quiet and --json"
        )))
    })
}

/// Terms that the search was begun with; those of the flags that were `given` replace them.
fn terms(begun: &Request, arguments: &Arguments, given: &Given) -> Terms {
    let Terms { mut strategies, mut seeds, mut max_evaluations } = begun.terms();
    if given.has("strategy") {
        strategies.clone_from(&arguments.strategy);
    }
    if given.has("seed") {
        seeds.clone_from(&arguments.seed);
    }
    if given.has("max-evaluations") {
        max_evaluations = f64::from(arguments.max_evaluations);
    }
    Terms { strategies, seeds, max_evaluations }
}

impl SearchWatcher for Bars {
    fn keeps(&self, log: &Log) {
        interrupt::keeps(log);
    }

    fn looks(&self, strategy: &str, seed: u64) {
        self.say(&format!("{strategy}, seed {seed}"));
    }
}

/// The area is a property of the machine: no setting changes it. What is wrong with that of all `machines`.
fn beyond_area(machines: &[Machine], budgets: &Budgets) -> Result<Option<String>> {
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

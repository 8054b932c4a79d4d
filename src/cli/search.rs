mod arguments;
mod found;
mod interrupt;
mod timesteps;

pub use self::arguments::{Arguments, default_request};

use self::arguments::{refuse_flag, request};
use self::found::{TIMESTEPS, beyond_area, exit_code, refuse_earlier, searched, text};
use super::given::Given;
use super::print::{print, print_json};
use super::progress::Bars;
use crate::error::{Error, Result};
use crate::report;
use crate::search::log::Log;
use crate::search::{Loaded, Request, SearchWatcher, Session, Terms};

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
        None => {
            refuse_earlier(&arguments.out.join(TIMESTEPS))?;
            Session::begin(request(arguments, timesteps)?, &arguments.out, refuse_flag)?
        }
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

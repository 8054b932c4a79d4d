//! A search that chooses among numbers of timesteps: one search for each, whose best is taken.

use std::path::PathBuf;

use super::arguments::{Arguments, refuse_flag, request};
use super::found::{beyond_area, exit_code, refuse_earlier, searched, text};
use crate::cli::print::{print, print_json};
use crate::cli::progress::Bars;
use crate::error::{Error, Result};
use crate::report::{self, TimestepsTried};
use crate::search::{Batch, Loaded, Request, Session};

/// Standard errors by which the float network at fewer timesteps may lose more than is allowed and still be searched.
const STANDARD_ERRORS: f64 = 2.0;

/// The network at one number of timesteps.
struct Choice {
    timesteps: usize,
    request: Request,
    loaded: Loaded,
    /// What the float network loses by the timesteps alone.
    float: Batch,
}

/// Searches at each of the timesteps; 0 if budgets are met at any.
pub fn run(arguments: &Arguments) -> Result<u8> {
    let choices = choices(arguments)?;
    let Choice { request, loaded, .. } = &choices[0];
    if let Some(message) = beyond_area(loaded.machines.all(), &request.problem.budgets)? {
        eprintln!("error: {message}");
        return Ok(1);
    }
    let allowed = request.problem.budgets.accuracy_drop;
    let is_worth = |choice: &Choice| {
        let Batch { images, lost, gained, .. } = choice.float;
        let standard_error = f64::from(lost + gained).sqrt() / f64::from(images.max(1));
        choice.float.drop() <= allowed + STANDARD_ERRORS * standard_error
    };
    let worth = choices.iter().filter(|choice| is_worth(choice)).count().max(1);
    let evaluations = (f64::from(arguments.max_evaluations) / worth as f64).floor().max(1.0);
    let bars = Bars::new(arguments.quiet);
    let mut tried: Vec<TimestepsTried> = Vec::new();
    for mut choice in choices {
        let search = is_worth(&choice).then(|| {
            bars.say(&format!("{} timesteps", choice.timesteps));
            choice.request.problem.max_evaluations = evaluations;
            choice.request.alternatives = worth as u32;
            let dir = folder(arguments, choice.timesteps);
            let mut session = Session::begin(choice.request, &dir, refuse_flag)?;
            session.identify(choice.loaded.identity()?)?;
            let search = searched(&choice.loaded, &mut session, &bars, &dir)?;
            Ok::<_, Error>((search, session.request))
        });
        let (timesteps, float_drop) = (choice.timesteps, choice.float.drop());
        tried.push(TimestepsTried { timesteps, float_drop, search: search.transpose()? });
    }
    report::write_timesteps(&tried, &arguments.out)?;
    show(arguments, &tried)
}

fn folder(arguments: &Arguments, timesteps: usize) -> PathBuf {
    arguments.out.join(format!("timesteps-{timesteps}"))
}

/// Everything that is searched, loaded, with what the float networks lose.
fn choices(arguments: &Arguments) -> Result<Vec<Choice>> {
    let mut all = arguments.model.timesteps.clone();
    if let Some(twice) = (1..all.len()).find(|&i| all[..i].contains(&all[i])) {
        return Err(Error::mismatch(format!("--timesteps: {} twice", all[twice])));
    }
    if arguments.resume.is_some() {
        let message = "--timesteps: the search at each number of timesteps is resumed by its own folder";
        return Err(Error::mismatch(message));
    }
    all.sort_unstable_by(|a, b| b.cmp(a));
    refuse_earlier(&arguments.out.join(Session::LOG))?;
    all.iter().try_for_each(|&timesteps| refuse_earlier(&folder(arguments, timesteps).join(Session::LOG)))?;
    let mut choices = Vec::new();
    for timesteps in all {
        let request = request(arguments, Some(timesteps))?;
        request.check().map_err(refuse_flag)?;
        let loaded = Loaded::new(&request, &refuse_flag)?;
        let float = loaded.float_batch()?;
        choices.push(Choice { timesteps, request, loaded, float });
    }
    Ok(choices)
}

fn show(arguments: &Arguments, tried: &[TimestepsTried]) -> Result<u8> {
    let best = report::best_timesteps(tried);
    let mut searches = tried.iter().filter_map(|tried| tried.search.as_ref());
    let Some((search, request)) = best.map_or_else(|| searches.next(), |best| best.search.as_ref()) else {
        eprintln!("error: the float network loses more than is allowed at each of these timesteps");
        return Ok(1);
    };
    if arguments.json {
        print_json(&report::search_json(search, request)?)?;
    } else {
        let table = report::timesteps_table(tried);
        print(&format!("{}\n{table}\nWrote {}\n", text(search, arguments), arguments.out.display()))?;
    }
    Ok(exit_code(search))
}

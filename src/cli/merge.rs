use std::path::PathBuf;

use clap::Args;

use super::explore::leave;
use crate::error::{Error, Result};
use crate::explore::{MissingEvaluations, Run};
use crate::name::first_of;
use crate::output::{self, Owner};

/// Flags of `spiq merge`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folder of a run whose evaluations are made.
    folder: PathBuf,
    /// Write what `spiq explore` writes here [default: merged/ in the folder of the run].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print exploration.json instead of a table.
    #[arg(long)]
    json: bool,
}

/// Ids that a message names.
const NAMED: usize = 8;

/// Runs `spiq merge`: 0 if points keep all constraints, 1 if not, or evaluations are missing.
pub fn run(arguments: &Arguments) -> Result<u8> {
    let plan = Run::open(&arguments.folder)?;
    let out = arguments.out.clone().unwrap_or_else(|| arguments.folder.join("merged"));
    output::check_target(&out, Owner::Exploration, &["plots"])?;
    match plan.merge()? {
        Ok(found) => leave(&found, &out, arguments.json),
        Err(MissingEvaluations { none, damaged }) => {
            let lists = [("not made", none), ("damaged, to be made again", damaged)];
            for (what, ids) in lists.into_iter().filter(|(_, ids)| !ids.is_empty()) {
                let message = format!("{} of {} {what}: {}", ids.len(), plan.points(), first_of(&ids, NAMED));
                eprintln!("error: {}", Error::mismatch(message));
            }
            Ok(1)
        }
    }
}

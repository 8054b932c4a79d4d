//! `spiq man`.

use clap::{Args, Command};
use clap_mangen::Man;

use super::print::print_bytes;
use crate::error::{Error, Result};

/// What the foot of every page names.
const SOURCE: &str = concat!("spiq ", env!("CARGO_PKG_VERSION"));

/// Arguments of `spiq man`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A command, whose flags its own page has; without one, the page of spiq lists all commands.
    command: Option<String>,
}

/// Prints the manual page, as roff, of the command line `described` or of one of its commands.
pub fn run(arguments: &Arguments, mut described: Command) -> Result<()> {
    // Names of pages, such as spiq-simulate, are given with the built command.
    described.build();
    let page = match &arguments.command {
        None => described,
        Some(name) => described.find_subcommand(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = described.get_subcommands().map(Command::get_name).collect();
            Error::mismatch(format!("{name:?}: not one of {}", known.join(", ")))
        })?,
    };
    let mut roff = Vec::new();
    Man::new(page).source(SOURCE).render(&mut roff).map_err(|e| Error::io("the manual page", e))?;
    print_bytes(&roff)
}

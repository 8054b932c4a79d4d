//! `spiq completions`.

use clap::{Args, Command};
use clap_complete::Shell;

use super::print::print_bytes;
use crate::error::Result;

/// Arguments of `spiq completions`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The shell that reads the script.
    shell: Shell,
}

/// Prints the script by which a shell completes the words of `spiq`, as the command line `described`.
pub fn run(arguments: &Arguments, mut described: Command) -> Result<()> {
    let name = described.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut described, name, &mut script);
    print_bytes(&script)
}

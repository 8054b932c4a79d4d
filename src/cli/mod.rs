//! The command line: flags are parsed plainly, then turned into a checked request, then run.

mod describe;
mod list;
mod progress;
mod simulate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Result;

/// Executes quantized spiking vision transformers bit for bit, and charges a described
/// accelerator for exactly what was executed.
#[derive(Debug, Parser)]
#[command(name = "spiq", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a model at several quantization settings on a described accelerator.
    Simulate(simulate::Arguments),
    /// Shows the layers of a model: shapes, parameters, neurons, operations.
    Describe(describe::Arguments),
    /// Lists what is built in: models, hw, tables, settings or data.
    List(list::Arguments),
}

/// Parses the process's arguments and runs; 0 for success, 2 for bad input.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Describe(arguments) => describe::run(&arguments),
        Command::List(arguments) => list::run(&arguments),
    }
}

/// Writes to standard output; a reader that went away ends the program quietly.
fn print(text: &str) -> Result<()> {
    use std::io::{ErrorKind, Write};
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => Err(crate::Error::io("standard output", e)),
        Ok(()) => Ok(()),
    }
}

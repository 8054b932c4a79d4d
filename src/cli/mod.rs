//! The command line: flags are parsed plainly, then turned into a checked request, then run.

mod activity;
mod checkpoint;
mod compare;
mod describe;
mod export;
mod gemm;
mod list;
mod mapping;
mod progress;
mod run;
mod search;
mod sensitivity;
mod simulate;
mod subject;
mod validate;

use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Id, Parser, Subcommand};

use crate::error::Result;
use crate::name::{Printable, is_printable};

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
    /// Charges several accelerators for one network at one setting.
    Compare(compare::Arguments),
    /// Executes a model and says what it classifies; leaves every spike where asked to.
    Run(run::Arguments),
    /// Quantizes one layer at a time: what accuracy it costs, and which cheap measures foretell it.
    Sensitivity(sensitivity::Arguments),
    /// Searches the setting of each layer that meets budgets of accuracy, memory, energy, power and latency.
    Search(Box<search::Arguments>),
    /// Writes a quantized model for other programs: torch, golden or rtl.
    Export(export::Arguments),
    /// Re-runs golden bundles, or a recorded neuron, and compares every integer.
    Validate(validate::Arguments),
    /// Shows the layers of a model: shapes, parameters, neurons, operations, and their mapping on a machine.
    Describe(describe::Arguments),
    /// Cycles and accesses of one matrix product on a dense array.
    Gemm(gemm::Arguments),
    /// Lists what is built in: models, hw, tables, settings or data.
    List(list::Arguments),
}

/// Flags that were given, which have their defaults' values or others.
struct Given(Vec<String>);

impl Given {
    /// Those of the command in `matches`.
    fn of(matches: &ArgMatches) -> Self {
        let Some((name, matches)) = matches.subcommand() else { return Self(Vec::new()) };
        let command = Arguments::command();
        // The fields of a command are a group by themselves, which is no flag.
        let is_flag = |id: &Id| {
            command.find_subcommand(name).is_some_and(|c| c.get_arguments().any(|a| a.get_id() == id))
        };
        let is_given =
            |id: &&Id| is_flag(id) && matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        Self(matches.ids().filter(is_given).map(|id| id.as_str().to_owned()).collect())
    }

    /// Whether the flag of the field `name` was given.
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|given| given == name)
    }

    /// A flag that was given and is not that of a field in `names`.
    fn beside(&self, names: &[&str]) -> Option<String> {
        let other = self.0.iter().find(|given| !names.contains(&given.as_str()))?;
        Some(format!("--{}", other.replace('_', "-")))
    }
}

/// Parses the process's arguments and runs; 0 for success, 1 for integers that differ, budgets that cannot be
/// met or a result that somebody removed, 2 for bad input, 130 for a search that Ctrl-C ended.
pub fn main() -> ExitCode {
    let matches = Arguments::command().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    match run(arguments.command, &Given::of(&matches)) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::from(e.exit_code())
        }
    }
}

fn run(command: Command, given: &Given) -> Result<ExitCode> {
    match command {
        Command::Simulate(arguments) => simulate::run(&arguments)?,
        Command::Compare(arguments) => compare::run(&arguments)?,
        Command::Run(arguments) => run::run(&arguments)?,
        Command::Sensitivity(arguments) => sensitivity::run(&arguments)?,
        Command::Search(arguments) => return search::run(&arguments, given),
        Command::Export(arguments) => export::run(&arguments)?,
        Command::Validate(arguments) => return validate::run(&arguments),
        Command::Describe(arguments) => describe::run(&arguments)?,
        Command::Gemm(arguments) => gemm::run(&arguments)?,
        Command::List(arguments) => list::run(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes lines to standard output, such that a terminal shows whatever the names in them hold.
fn print(text: &str) -> Result<()> {
    let lines: Vec<String> = text.split('\n').map(|line| Printable(line).to_string()).collect();
    write(&lines.join("\n"))
}

/// Writes JSON to standard output, with what a terminal would not show as JSON escapes.
fn print_json(text: &str) -> Result<()> {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || is_printable(c) {
            shown.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| shown.push_str(&format!("\\u{unit:04x}")));
        }
    }
    write(&shown)
}

/// Writes to standard output; a reader that went away ends the program quietly.
fn write(text: &str) -> Result<()> {
    use std::io::{ErrorKind, Write};
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => Err(crate::Error::io("standard output", e)),
        Ok(()) => Ok(()),
    }
}

//! The command line: flags are parsed plainly, then turned into a checked request, then run.

mod activity;
mod compare;
mod completions;
mod cost_table;
mod describe;
mod evaluate;
mod explore;
mod export;
mod fixed;
mod flags;
mod gemm;
mod given;
mod keyword;
mod list;
mod man;
mod mapping;
mod merge;
mod model;
mod plan;
mod print;
mod progress;
mod report;
mod run;
mod search;
mod sensitivity;
mod set;
mod simulate;
mod subject;
mod threads;
mod validate;
mod validate_rtl;
mod work;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub use self::search::default_request as default_search;

use self::given::Given;
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
    /// Charges several accelerators for one network at one setting.
    Compare(compare::Arguments),
    /// Draws report.html anew from the JSON that simulate, compare, search or explore left in a folder.
    Report(report::Arguments),
    /// Executes a model and says what it classifies; leaves every spike where asked to.
    Run(run::Arguments),
    /// Quantizes one layer at a time: what accuracy it costs, and which cheap measures foretell it.
    Sensitivity(sensitivity::Arguments),
    /// Charges a machine for every layer at every choice of its weights, as a table for training and searches elsewhere.
    CostTable(cost_table::Arguments),
    /// Searches the setting of each layer that meets budgets of accuracy, memory, energy, power and latency.
    Search(Box<search::Arguments>),
    /// Evaluates one machine at one setting as JSON, for optimisers; --serve answers requests line by line.
    Evaluate(Box<evaluate::Arguments>),
    /// Evaluates machines and settings together: fields of a machine that vary, fronts, and what decides them.
    Explore(explore::Arguments),
    /// Plans an exploration for any number of workers, a line for each evaluation.
    Plan(plan::Arguments),
    /// Makes evaluations of a plan, beside other workers; what is made already is skipped.
    Work(work::Arguments),
    /// Puts together what workers made of a plan: the files of `spiq explore`.
    Merge(merge::Arguments),
    /// Writes a quantized model for other programs: torch, golden or rtl.
    Export(export::Arguments),
    /// Re-runs golden bundles, or a recorded neuron, and compares every integer.
    Validate(validate::Arguments),
    /// Shows the layers of a model: shapes, parameters, neurons, operations, and their mapping on a machine.
    Describe(describe::Arguments),
    /// Cycles and accesses of one matrix product on a dense array.
    Gemm(gemm::Arguments),
    /// Lists what is built in: models, hw, tables, settings, data, rates or spaces.
    List(list::Arguments),
    /// Prints the script by which a shell completes commands and flags.
    Completions(completions::Arguments),
    /// Prints the manual page of spiq, or of one of its commands, as roff.
    Man(man::Arguments),
}

/// Runs the command that `words` are, the program's name first; 0 for success, 1 for integers that differ, budgets
/// or constraints that cannot be met or a result that somebody removed, 2 for bad input, 130 for a search that Ctrl-C ended.
pub fn main(words: Vec<OsString>) -> u8 {
    let matches = Arguments::command().get_matches_from(&words);
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    match run(arguments.command, &Given::of(&Arguments::command(), &matches, words)) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("error: {e}");
            e.exit_code()
        }
    }
}

fn run(command: Command, given: &Given) -> Result<u8> {
    match command {
        Command::Simulate(arguments) => simulate::run(&arguments, given)?,
        Command::Compare(arguments) => compare::run(&arguments, given)?,
        Command::Report(arguments) => report::run(&arguments)?,
        Command::Run(arguments) => run::run(&arguments)?,
        Command::Sensitivity(arguments) => sensitivity::run(&arguments)?,
        Command::CostTable(arguments) => cost_table::run(&arguments)?,
        Command::Search(arguments) => return search::run(&arguments, given),
        Command::Evaluate(arguments) => return evaluate::run(&arguments),
        Command::Explore(arguments) => return explore::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments)?,
        Command::Work(arguments) => work::run(&arguments)?,
        Command::Merge(arguments) => return merge::run(&arguments),
        Command::Export(arguments) => export::run(&arguments)?,
        Command::Validate(arguments) => return validate::run(&arguments),
        Command::Describe(arguments) => describe::run(&arguments)?,
        Command::Gemm(arguments) => gemm::run(&arguments)?,
        Command::List(arguments) => list::run(&arguments)?,
        Command::Completions(arguments) => completions::run(&arguments, Arguments::command())?,
        Command::Man(arguments) => man::run(&arguments, Arguments::command())?,
    }
    Ok(0)
}

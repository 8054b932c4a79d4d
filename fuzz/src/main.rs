//! Mutated inputs for the parsers of spiq: docs/checks.md.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::time::Duration;
use std::{env, fs, thread};

use clap::Parser;

use spiq_fuzz::mutator::Mutator;
use spiq_fuzz::parent::{Tally, watch};
use spiq_fuzz::targets::{TARGETS, Target};
use spiq_fuzz::{child, find};

/// Runs mutated inputs of the corpus. Exit code 1 if one panics, takes too long, takes too much memory or is
/// refused by a message that does not name its file.
#[derive(Debug, Parser)]
struct Arguments {
    /// Parsers, named as the folders of the corpus [default: all].
    targets: Vec<String>,
    /// Inputs of each parser.
    #[arg(long, default_value_t = 1000)]
    inputs: u64,
    /// Seed of the mutations.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Time that an input may take.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Memory that a process may take.
    #[arg(long, default_value_t = 1024)]
    mebibytes: u64,
    /// Parsers that run at once.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Where the first input of each fault is written.
    #[arg(long, default_value = "fuzz/found")]
    found: PathBuf,
    /// The first input to run, in this process.
    #[arg(long, hide = true)]
    from: Option<u64>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let known = |name: &String| find(name).ok_or_else(|| format!("{name}: no such parser"));
    let mut targets = arguments.targets.iter().map(known).collect::<Result<Vec<_>, _>>()?;
    if targets.is_empty() {
        targets = TARGETS.iter().collect();
    }
    if let Some(from) = arguments.from {
        let [target] = targets[..] else { return Err("--from: of one parser".into()) };
        let inputs = from..arguments.inputs;
        child::run(target, &mut mutator(target, arguments.seed)?, inputs, arguments.mebibytes << 20)?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("seed {}, {} inputs of each parser", arguments.seed, arguments.inputs);
    let queue = Mutex::new(targets.into_iter());
    let workers: Vec<Result<Sum, String>> = thread::scope(|scope| {
        let worker = || worker(&queue, arguments).map_err(|e| e.to_string());
        let started: Vec<_> = (0..arguments.jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        started.into_iter().map(|thread| thread.join().expect("no worker panics")).collect()
    });
    let mut sum = Sum::default();
    for worker in workers {
        let worker = worker?;
        sum.inputs += worker.inputs;
        sum.faults += worker.faults;
    }
    println!("{} inputs, {} faults", sum.inputs, sum.faults);
    Ok(ExitCode::from(u8::from(sum.faults > 0)))
}

/// Inputs and faults of all targets.
#[derive(Debug, Default)]
struct Sum {
    inputs: u64,
    faults: usize,
}

/// Takes targets until there is none left.
fn worker<'a>(
    queue: &Mutex<impl Iterator<Item = &'a Target>>,
    arguments: &Arguments,
) -> Result<Sum, Box<dyn Error>> {
    let mut sum = Sum::default();
    let next = || queue.lock().expect("no worker panics").next();
    while let Some(target) = next() {
        let limit = Duration::from_secs(arguments.seconds);
        let tally = watch(arguments.inputs, limit, |from| command(target, from, arguments))?;
        report(target, &tally, arguments)?;
        sum.inputs += tally.inputs;
        sum.faults += tally.faults.len();
    }
    Ok(sum)
}

/// A process of this program, for the inputs of `target` from number `from` on.
fn command(target: &Target, from: u64, arguments: &Arguments) -> Command {
    let mut command = Command::new(env::current_exe().expect("a path"));
    command.arg(target.name);
    let numbers = [
        ("--from", from),
        ("--inputs", arguments.inputs),
        ("--seed", arguments.seed),
        ("--mebibytes", arguments.mebibytes),
    ];
    for (flag, number) in numbers {
        command.args([flag, &number.to_string()]);
    }
    command
}

fn mutator(target: &Target, seed: u64) -> Result<Mutator, Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Mutator::new(&here.join("../tests/fuzz/corpus").join(target.name), &here.join("words.dict"), seed)
}

/// Prints what became of the inputs, and writes the first input of every fault.
fn report(target: &Target, tally: &Tally, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Tally { inputs, accepted, seconds, .. } = tally;
    let (share, speed) = (100.0 * *accepted as f64 / *inputs as f64, *inputs as f64 / seconds);
    let mut text = format!("{:17} {inputs} inputs, {share:.1} % accepted, {speed:.0} a second", target.name);
    for fault in tally.faults.values() {
        fs::create_dir_all(&arguments.found)?;
        let path = arguments.found.join(format!("{}-{}-{}", target.name, arguments.seed, fault.first));
        fs::write(&path, mutator(target, arguments.seed)?.input(fault.first))?;
        text += &format!("\n  {} times, {}\n    {}", fault.count, path.display(), fault.message);
    }
    println!("{text}");
    Ok(())
}

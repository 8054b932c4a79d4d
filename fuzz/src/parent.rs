//! Starts a process for the inputs of a target, watches it, and starts another behind an input that ended it.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::child::{ACCEPTED, REFUSED};

/// Faults that end the process, after which a target is left alone: each costs another start.
const MAX_ENDS: u64 = 50;

/// What the inputs of a target came to.
#[derive(Debug, Default)]
pub struct Tally {
    /// Inputs that were run.
    pub inputs: u64,
    /// Inputs that were accepted.
    pub accepted: u64,
    /// By what happened.
    pub faults: BTreeMap<String, Fault>,
    /// Time it took.
    pub seconds: f64,
}

/// Inputs to which one thing happened.
#[derive(Debug)]
pub struct Fault {
    /// Number of the first.
    pub first: u64,
    /// How many there were.
    pub count: u64,
    /// What was said of the first.
    pub message: String,
}

impl Tally {
    fn fault(&mut self, input: u64, message: &str) {
        // A panic is one by its place, which is its first line; other numbers belong to the input.
        let line = message.split("\\n").next().unwrap_or_default();
        let kind = line.split(": ").next().unwrap_or_default().to_owned();
        let message = message.chars().take(300).collect();
        self.faults.entry(kind).or_insert(Fault { first: input, count: 0, message }).count += 1;
    }
}

/// Runs inputs `0..inputs` in processes that `command` makes for those from a number on; one that takes longer
/// than `limit` is a fault.
///
/// # Errors
/// If no process can be started.
pub fn watch(
    inputs: u64,
    limit: Duration,
    command: impl Fn(u64) -> Command,
) -> Result<Tally, Box<dyn Error>> {
    let (start, mut tally, mut ends) = (Instant::now(), Tally::default(), 0);
    while tally.inputs < inputs && ends < MAX_ENDS {
        let mut child = command(tally.inputs).stdout(Stdio::piped()).spawn()?;
        if let Some(end) = follow(&mut child, limit, &mut tally) {
            // Before its first input a process fails for reasons of its own.
            let last = tally.inputs.checked_sub(1).ok_or("the process ended before its first input")?;
            tally.fault(last, &end);
            ends += 1;
        }
    }
    tally.seconds = start.elapsed().as_secs_f64();
    Ok(tally)
}

/// Counts what `child` says until it ends; how it did, if it was an input that ended it.
fn follow(child: &mut Child, limit: Duration, tally: &mut Tally) -> Option<String> {
    let lines = lines(child);
    loop {
        match lines.recv_timeout(limit) {
            Ok(line) if line == ACCEPTED => tally.accepted += 1,
            Ok(line) if line == REFUSED => {}
            Ok(line) => match line.parse::<u64>() {
                Ok(input) => tally.inputs = input + 1,
                Err(_) => tally.fault(tally.inputs - 1, &line),
            },
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                let _ = child.wait();
                return Some(format!("longer than {} s", limit.as_secs()));
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = child.wait().expect("the process was started");
                return (!status.success())
                    .then(|| format!("ended the process, {status}").replace(": ", " "));
            }
        }
    }
}

/// What `child` prints, line by line.
fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, lines) = channel();
    let out = BufReader::new(child.stdout.take().expect("a pipe"));
    thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    lines
}

//! Runs inputs in this process, which a fault may end, and tells the parent process of each.

use std::io::{Write, stdout};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::Mutex;

use rlimit::{Resource, setrlimit};

use crate::mutator::Mutator;
use crate::targets::Target;

/// The line of an input that was accepted.
pub const ACCEPTED: &str = "accepted";
/// The line of an input that was refused as it should be.
pub const REFUSED: &str = "refused";

/// What the last panic said, and where.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Runs the `inputs` of `mutator` with at most `bytes` of memory. Writes two lines for each: its number before
/// it runs, and behind it what became of it.
///
/// # Errors
/// If the limit cannot be set, or nobody reads.
pub fn run(target: &Target, mutator: &mut Mutator, inputs: Range<u64>, bytes: u64) -> std::io::Result<()> {
    setrlimit(Resource::DATA, bytes, bytes)?;
    set_hook(Box::new(|panic| *PANIC.lock().expect("no panic while it is held") = panic.to_string()));
    let mut out = stdout().lock();
    for i in inputs {
        let input = mutator.input(i);
        writeln!(out, "{i}")?;
        writeln!(out, "{}", verdict(target, &input).escape_debug())?;
    }
    Ok(())
}

fn verdict(target: &Target, input: &[u8]) -> String {
    match catch_unwind(AssertUnwindSafe(|| (target.run)(input))) {
        Ok(Ok(())) => ACCEPTED.to_owned(),
        Ok(Err(error)) if error.to_string().contains(target.names) => REFUSED.to_owned(),
        // Messages differ in what they quote: one of each target is kept.
        Ok(Err(error)) => format!("does not name {}: {error}", target.names),
        Err(_) => PANIC.lock().expect("no panic while it is held").clone(),
    }
}

//! What a search says when it is stopped by Ctrl-C or a request to end.

#![cfg_attr(not(unix), allow(dead_code))]

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use os_display::Quotable;

use crate::error::{Error, Result};
use crate::search::log::Log;

/// Exit code by which shells report a process that Ctrl-C ended.
const EXIT_CODE: i32 = 130;

/// What is in the log by now. Locked while files are put in place, which takes no time and is not cut short.
static KEPT: Mutex<Option<Kept>> = Mutex::new(None);

/// The command that runs, the program's name first.
static COMMAND: OnceLock<Vec<OsString>> = OnceLock::new();

struct Kept {
    log: PathBuf,
    answers: Arc<AtomicUsize>,
}

/// From now on Ctrl-C, or a request to end, ends the process, which runs `command`, with a message and [`EXIT_CODE`].
#[cfg(unix)]
pub fn install(command: &[OsString]) -> Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};

    COMMAND.get_or_init(|| command.to_vec());
    let signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]);
    let mut signals = signals.map_err(|e| Error::mismatch(format!("signals cannot be caught: {e}")))?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            end();
        }
    });
    Ok(())
}

/// Ctrl-C ends the process as the system does it; a log survives that, too.
#[cfg(not(unix))]
pub fn install(_: &[OsString]) -> Result<()> {
    Ok(())
}

fn end() -> ! {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    // Whoever listened may be gone, too.
    let _ = writeln!(std::io::stderr(), "{}", message(kept.as_ref()));
    std::process::exit(EXIT_CODE);
}

/// What `log` holds is kept.
pub fn keeps(log: &Log) {
    let kept = Kept { log: log.path().to_owned(), answers: log.answers() };
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
}

/// Lets `write` end before a signal ends the process.
pub fn wait_for<T>(write: impl FnOnce() -> T) -> T {
    let _kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    write()
}

fn message(kept: Option<&Kept>) -> String {
    let Some(kept) = kept else { return "interrupted before there was anything to keep".to_owned() };
    let answers = kept.answers.load(Ordering::Relaxed);
    let plural = if answers == 1 { "" } else { "s" };
    let command: Vec<String> = resume(COMMAND.get().map_or(&[][..], |command| command), kept)
        .iter()
        .map(|word| word.maybe_quote().to_string())
        .collect();
    let (log, command) = (kept.log.maybe_quote(), command.join(" "));
    format!("interrupted: {answers} answer{plural} kept in {log}; this goes on where it was:\n  {command}")
}

/// The command that resumes: `command` itself if it does, with what it extends.
fn resume(command: &[OsString], kept: &Kept) -> Vec<OsString> {
    let (program, rest) = match command {
        [program, rest @ ..] => (program.clone(), rest),
        [] => ("spiq".into(), &[][..]),
    };
    if rest.iter().any(|word| word.to_string_lossy().starts_with("--resume")) {
        return [&[program], rest].concat();
    }
    let folder = kept.log.parent().map_or_else(OsString::new, |folder| folder.as_os_str().to_owned());
    let mut flag: Vec<OsString> = vec!["--resume".into(), folder];
    if flag[1].to_string_lossy().starts_with('-') {
        // A folder that begins as flags do.
        flag = vec![flag.join(&OsString::from("="))];
    }
    [vec![program, "search".into()], flag].concat()
}

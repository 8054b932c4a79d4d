//! The append-only log of a search: a header, and one line of JSON per answer that took executing images. It
//! survives a cut last line, and a search that replays it goes on where it was cut.
//!
//! Every line ends with a checksum of itself and of all lines before it, so that whatever else happens to a log
//! is noticed, with its line. One process writes a log: it holds an exclusive lock on the file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use super::budget::MEMORY_FIGURES;
use super::entry::Answered;
pub use super::entry::{DataPart, Entry, Logged};
use super::request::{Request, Terms};
use crate::error::{Error, Fault, Result};
use crate::files::{self, MAX_LOG, sha256};

/// Bytes of the longest line that is read.
const LONGEST_LINE: u64 = 1 << 24;
/// Hexadecimal digits of a checksum.
const DIGITS: usize = 16;
/// What stands before a checksum, the last field of a line.
const CHECKSUM: &str = ",\"checksum\":\"";
/// What stands behind it.
const END: &str = "\"}";
/// Times that a lock is tried for on a file that is another one by then.
const ATTEMPTS: usize = 16;

/// An open log that no other process writes.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    /// Checksum of the last line; empty before the first.
    checksum: String,
    answers: Arc<AtomicUsize>,
    /// Folders that were made for it, the innermost first.
    made: Vec<PathBuf>,
}

/// What a log says.
#[derive(Debug, Clone, PartialEq)]
pub struct Contents {
    /// Header of the log, extended as later lines say.
    pub request: Request,
    /// The answers, in order.
    pub answers: Vec<Logged>,
    /// Bytes of whole lines.
    whole: u64,
    /// Checksum of the last of them.
    checksum: String,
}

impl Log {
    /// Takes the place of a new log, and makes the folders that it is in; [`Log::begin`] writes its first line.
    /// A log without one whole line holds nothing, and is taken over.
    ///
    /// # Errors
    /// If another process writes there, or a log is there, which is the work of an earlier search.
    pub fn create(path: &Path) -> Result<Self> {
        let folders = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
        let made = folders.take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
        }
        let log = Self::open(path, true, made)?;
        let mut first = Vec::new();
        if next_line(&mut BufReader::new(&log.file), &mut first).map_err(|source| Error::io(path, source))? {
            return Err(Error::mismatch(format!(
                "{} is the log of an earlier search: --resume goes on with it, --out names another folder",
                path.display()
            )));
        }
        Ok(log)
    }

    /// Opens a log to go on with it. A last line that was cut is removed.
    ///
    /// # Errors
    /// If another process writes it, it has no whole line, or a line makes no sense, which is named by its
    /// number.
    pub fn resume(path: &Path) -> Result<(Contents, Self)> {
        let mut log = Self::open(path, false, Vec::new())?;
        let contents = read(BufReader::new(&log.file), &path.display().to_string())?;
        let Some(contents) = contents else {
            return Err(Error::mismatch(format!(
                "{} has no whole line: the search was stopped before it knew anything, begin it with --out",
                path.display()
            )));
        };
        log.file.set_len(contents.whole).map_err(|source| Error::io(path, source))?;
        log.checksum.clone_from(&contents.checksum);
        log.answers.store(contents.answers.len(), Ordering::Relaxed);
        Ok((contents, log))
    }

    /// Opens and locks the file at `path`.
    fn open(path: &Path, create: bool, made: Vec<PathBuf>) -> Result<Self> {
        let failed = |source| Error::io(path, source);
        if !create || path.exists() {
            let length = files::open(path)?.metadata().map_err(failed)?.len();
            if length > MAX_LOG {
                let message = format!("more than the {MAX_LOG} bytes that are read of such a file");
                return Err(Error::field(path.display().to_string(), "length", message));
            }
        }
        for _ in 0..ATTEMPTS {
            let file =
                OpenOptions::new().read(true).append(true).create(create).open(path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => (),
                Err(TryLockError::WouldBlock) => return Err(busy(path)),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            // A process that ends removes a log that it has not begun, maybe between opening and locking.
            if is_at(&file, path) {
                let (checksum, answers) = (String::new(), Arc::default());
                return Ok(Self { path: path.to_owned(), file, checksum, answers, made });
            }
        }
        Err(busy(path))
    }

    /// Writes the first line of a new log.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn begin(&mut self, request: &Request) -> Result<()> {
        self.check_place()?;
        self.file.set_len(0).map_err(|source| Error::io(&self.path, source))?;
        self.line(request)
    }

    /// Appends `entry`.
    ///
    /// # Errors
    /// If the log cannot be written, or somebody removed it.
    pub fn append(&mut self, entry: &Entry) -> Result<()> {
        self.check_place()?;
        self.line(entry)?;
        self.answers.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Notes that the search looks as far as `terms` say from here on.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn extend(&mut self, terms: Terms) -> Result<()> {
        self.check_place()?;
        self.line(&Entry::Extended { terms })
    }

    /// How many answers the log holds, also for whoever asks while it grows.
    pub fn answers(&self) -> Arc<AtomicUsize> {
        self.answers.clone()
    }

    /// Where the log is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses to go on with a file that nobody would find again: one that is open can be written after its
    /// folder was removed.
    ///
    /// # Errors
    /// If the log is no longer where it was opened.
    pub fn check_place(&self) -> Result<()> {
        if is_at(&self.file, &self.path) {
            Ok(())
        } else {
            Err(Error::Gone { path: self.path.display().to_string() })
        }
    }

    /// One line in one write, so that a kill cuts at most the last.
    fn line(&mut self, value: &impl Serialize) -> Result<()> {
        let failed = |source| Error::io(&self.path, source);
        let body = serde_json::to_string(value).map_err(|e| failed(std::io::Error::other(e)))?;
        let checksum = checksum(&self.checksum, &body);
        let fields = body.strip_suffix('}').unwrap_or(&body);
        let text = format!("{fields}{CHECKSUM}{checksum}{END}\n");
        self.file.write_all(text.as_bytes()).map_err(|source| Error::io(&self.path, source))?;
        self.checksum = checksum;
        Ok(())
    }
}

impl Drop for Log {
    /// A log that was not begun leaves nothing behind.
    fn drop(&mut self) {
        let is_empty = self.file.metadata().is_ok_and(|metadata| metadata.len() == 0);
        if is_empty && is_at(&self.file, &self.path) {
            let _ = std::fs::remove_file(&self.path);
            // A folder that somebody else uses by now is not empty, and stays.
            self.made.iter().for_each(|folder| drop(std::fs::remove_dir(folder)));
        }
    }
}

/// Reads a log; `path` is for messages. `None` where it has no whole line.
///
/// # Errors
/// Names the line that makes no sense, and its field.
pub fn read(mut reader: impl BufRead, path: &str) -> Result<Option<Contents>> {
    let mut answered = Answered::default();
    let mut contents: Option<Contents> = None;
    let mut bytes = Vec::new();
    for number in 1.. {
        let place = format!("{path}:{number}");
        let wrong = |fault: Fault| fault.at(&place);
        if !next_line(&mut reader, &mut bytes).map_err(|source| Error::io(&place, source))? {
            break;
        }
        let text =
            std::str::from_utf8(&bytes).map_err(|e| wrong(Fault::new("text", format!("not UTF-8 ({e})"))))?;
        let line = Line::of(text);
        match &mut contents {
            None => {
                let request: Request = line.parse(path, number).map_err(|error| match line.one_memory() {
                    Some(fault) => wrong(fault),
                    None => error,
                })?;
                request.check().map_err(wrong)?;
                let checksum = line.check("").map_err(wrong)?;
                contents = Some(Contents { request, answers: Vec::new(), whole: 0, checksum });
            }
            Some(contents) => {
                let entry: Entry = line.parse(path, number)?;
                answered.admit(&entry).map_err(wrong)?;
                contents.checksum = line.check(&contents.checksum).map_err(wrong)?;
                match entry {
                    Entry::Extended { terms } => contents.request.extend(terms).map_err(wrong)?,
                    entry => contents.answers.push(Logged { line: number, entry }),
                }
            }
        }
        if let Some(contents) = &mut contents {
            contents.whole += bytes.len() as u64;
        }
    }
    Ok(contents)
}

/// Reads the next line with the line break at its end into `bytes`; false where there is none, or what is
/// left was cut.
fn next_line(reader: &mut impl BufRead, bytes: &mut Vec<u8>) -> std::io::Result<bool> {
    bytes.clear();
    let length = reader.take(LONGEST_LINE).read_until(b'\n', bytes)?;
    if length as u64 == LONGEST_LINE && !bytes.ends_with(b"\n") {
        Err(std::io::Error::other(format!("a line of more than {LONGEST_LINE} bytes")))
    } else {
        Ok(bytes.ends_with(b"\n"))
    }
}

/// A line as it was written, and the checksum at its end.
struct Line<'a> {
    body: String,
    checksum: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn of(text: &'a str) -> Self {
        let text = text.trim_end_matches(['\n', '\r']);
        let sealed = text.strip_suffix(END).and_then(|text| text.rsplit_once(CHECKSUM));
        match sealed {
            Some((fields, checksum)) => Self { body: format!("{fields}}}"), checksum: Some(checksum) },
            None => Self { body: text.to_owned(), checksum: None },
        }
    }

    fn parse<T: for<'de> Deserialize<'de>>(&self, path: &str, number: usize) -> Result<T> {
        serde_json::from_str(&self.body).map_err(|e| {
            let message = e.to_string();
            // The parser sees one line, and calls it the first.
            let message = message.rsplit_once(" at line ").map_or(&message[..], |(what, _)| what);
            let (path, column, message) = (path.to_owned(), e.column(), message.to_owned());
            Error::Syntax { path, line: number, column, message }
        })
    }

    /// What is wrong with a header of searches that knew one figure of memory, if it is one.
    fn one_memory(&self) -> Option<Fault> {
        let header: serde_json::Value = serde_json::from_str(&self.body).ok()?;
        let problem = header.get("problem")?;
        let limited = problem.get("budgets").and_then(|budgets| budgets.get("memory_bytes")).is_some();
        let field = match problem.get("objective") {
            _ if limited => "problem.budgets.memory_bytes",
            Some(objective) if objective == "memory" => "problem.objective",
            _ => return None,
        };
        Some(Fault::new(field, format!("{MEMORY_FIGURES}; begin the search anew, with --out")))
    }

    /// Refuses a line that is not what was written behind a line of the checksum `before`; yields its own.
    fn check(&self, before: &str) -> Result<String, Fault> {
        let expected = checksum(before, &self.body);
        match self.checksum {
            Some(found) if found == expected => Ok(expected),
            Some(_) => {
                Err(Fault::new("checksum", "this line, or one before it, is not what the search wrote"))
            }
            None => Err(Fault::new("checksum", "the line has none: no search of this version wrote it")),
        }
    }
}

fn checksum(before: &str, body: &str) -> String {
    let mut digits = sha256([before, body]);
    digits.truncate(DIGITS);
    digits
}

fn busy(path: &Path) -> Error {
    Error::mismatch(format!("{}: another search writes to this folder", path.display()))
}

/// True where the file at `path` is `file`.
fn is_at(file: &File, path: &Path) -> bool {
    let open = file.try_clone().and_then(same_file::Handle::from_file);
    matches!((open, same_file::Handle::from_path(path)), (Ok(open), Ok(there)) if open == there)
}

//! The one error type: every message names the file, the position or the field.
//!
//! ```
//! use spiq::{hw::Hardware, Error};
//!
//! // A file, the position in it, and what is wrong there.
//! let error = Hardware::parse("Hardware(name: 3)", "mine.ron").unwrap_err();
//! assert!(matches!(&error, Error::Syntax { path, line: 1, .. } if path == "mine.ron"));
//! assert_eq!(error.exit_code(), 2);
//! ```

use std::borrow::Cow;
use std::path::Path;

use crate::name::{Printable, shortened};

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Characters of a field, and of a message, that are shown: a file decides what they hold.
const FIELD: usize = 200;
const MESSAGE: usize = 1000;

/// What can go wrong with a user's input. The command line prints it, on one line that a terminal shows as it
/// is, and exits with [`Error::exit_code`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{}: {source}", Printable(path))]
    Io {
        /// The file, as the user named it.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file does not parse; the message carries line and column.
    #[error("{}:{line}:{column}: {}", Printable(path), Printable(&shortened(message, MESSAGE)))]
    Syntax {
        /// The file, as the user named it.
        path: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// A file parses, and a value in it makes no sense.
    #[error("{}: {}: {}", Printable(path), Printable(&shortened(field, FIELD)), Printable(&shortened(message, MESSAGE)))]
    Field {
        /// The file, as the user named it.
        path: String,
        /// The field, tensor or layer.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// Somebody removed what a run was writing to.
    #[error("{}: removed or replaced while the search ran, and what it held with it", Printable(path))]
    Gone {
        /// The file, as the user named it.
        path: String,
    },
    /// Whoever waited for a computation ended it.
    #[error("interrupted")]
    Interrupted,
    /// Parts that are right by themselves do not fit together.
    #[error("{}", Printable(&shortened(.0, MESSAGE)))]
    Mismatch(String),
}

impl Error {
    /// An [`Error::Io`] for `path`.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().display().to_string(), source }
    }

    /// An [`Error::Field`] for `field` of `path`.
    pub fn field(path: impl Into<String>, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Field { path: path.into(), field: field.into(), message: message.into() }
    }

    /// 2 for bad input, 1 where the input was right and its result is lost, 130 where somebody ended the run.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Gone { .. } => 1,
            Self::Interrupted => 130,
            _ => 2,
        }
    }

    /// An [`Error::Mismatch`].
    pub fn mismatch(message: impl Into<String>) -> Self {
        Self::Mismatch(message.into())
    }

    /// With the setting `name` before the message of a mismatch, which names nothing else that was read.
    pub fn at_setting(self, name: &str) -> Self {
        match self {
            Self::Mismatch(message) => Self::Mismatch(format!("setting {name}: {message}")),
            other => other,
        }
    }
}

/// What is wrong with a field, wherever it was read: whoever knows the file or the flag names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field, with those that it is inside of: `problem.slack`.
    pub field: Cow<'static, str>,
    /// What is wrong with it.
    pub message: String,
}

impl Fault {
    /// A fault in `field`.
    pub fn new(field: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }

    /// The error of a file or flag `path` that has it.
    pub fn at(self, path: impl Into<String>) -> Error {
        Error::field(path, self.field, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line_of_bounded_length() {
        let escape = "\u{1b}[2J\n\u{202e}";
        let long = "x".repeat(70_000);
        let errors = [
            Error::io(escape, std::io::ErrorKind::NotFound.into()),
            Error::Syntax { path: escape.into(), line: 1, column: 2, message: format!("{escape}{long} end") },
            Error::field(escape, format!("{escape}{long}"), format!("{escape}{long} end")),
            Error::mismatch(format!("{escape}{long} end")),
        ];
        for error in errors {
            let text = error.to_string();
            assert!(text.chars().count() < 1300, "{}", text.len());
            assert!(text.contains(r"\u{1b}[2J\n\u{202e}") && !text.contains(char::is_control), "{text}");
        }
    }
}

//! The one error type: every message names the file, the position or the field.

use std::path::Path;

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a user's input. The command line prints it and exits with code 2.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file, as the user named it.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file does not parse; the message carries line and column.
    #[error("{path}:{line}:{column}: {message}")]
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
    #[error("{path}: {field}: {message}")]
    Field {
        /// The file, as the user named it.
        path: String,
        /// The field, tensor or layer.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// Parts that are right by themselves do not fit together.
    #[error("{0}")]
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

    /// An [`Error::Mismatch`].
    pub fn mismatch(message: impl Into<String>) -> Self {
        Self::Mismatch(message.into())
    }
}

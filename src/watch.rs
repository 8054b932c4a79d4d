//! Who watches a long computation: hears how far it is, and may end it.
//!
//! ```
//! use spiq::watch::Interrupt;
//!
//! let interrupt = Interrupt::default();
//! let heard = interrupt.clone();
//! assert!(heard.check().is_ok());
//! interrupt.raise();
//! assert!(heard.check().is_err());
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// Hears how far a computation is.
pub trait Watcher: Sync {
    /// A stage begins, in which `images` are read or run.
    fn begin(&self, images: usize);

    /// An image is done, for `what`: in a word, or the name of a setting.
    fn step(&self, what: &str);

    /// The stage is over.
    fn end(&self);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watcher for Unwatched {
    fn begin(&self, _: usize) {}
    fn step(&self, _: &str) {}
    fn end(&self) {}
}

/// Ends a computation from another thread: all that execute images look at it with each of them. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks whoever computes to stop.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Refuses to go on where that was asked for.
    ///
    /// # Errors
    /// [`Error::Interrupted`] then.
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }
}

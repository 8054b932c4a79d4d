use std::sync::atomic::{AtomicUsize, Ordering};

use super::exploration::Outcome;
use crate::watch::Watcher;

/// Tells a watcher of points, and how many of them were refused so far.
pub(super) struct Counter<'a> {
    watcher: &'a dyn Watcher,
    refused: AtomicUsize,
}

impl<'a> Counter<'a> {
    /// None of `points` is counted yet.
    pub fn begin(watcher: &'a dyn Watcher, points: usize) -> Self {
        watcher.begin(points);
        Self { watcher, refused: AtomicUsize::new(0) }
    }

    /// Counts a point.
    pub fn count(&self, outcome: &Outcome) {
        let refused = usize::from(matches!(outcome, Outcome::Refused(_)));
        let refused = refused + self.refused.fetch_add(refused, Ordering::Relaxed);
        let said = if refused == 0 { String::new() } else { format!("{refused} refused") };
        self.watcher.step(&said);
    }

    /// No more points come; how many were refused.
    pub fn end(self) -> usize {
        self.watcher.end();
        self.refused.into_inner()
    }
}

use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::watch::Watcher;

/// A bar on standard error, if that is a terminal and the user did not ask for quiet.
pub fn bar(steps: u64, quiet: bool) -> ProgressBar {
    bar_of("images", steps, quiet)
}

/// [`bar`] of steps that are called `what`.
fn bar_of(what: &str, steps: u64, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    // indicatif draws nothing where standard error is no terminal.
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
    let template = format!("{{msg:>8}} {{wide_bar}} {{pos}}/{{len}} {what}  {{eta}} left");
    bar.set_style(ProgressStyle::with_template(&template).expect("a valid template"));
    bar
}

/// A bar for each stage, one after the other.
pub struct Bars {
    quiet: bool,
    /// What a step is called.
    what: &'static str,
    bar: Mutex<ProgressBar>,
}

impl Bars {
    /// None yet.
    pub fn new(quiet: bool) -> Self {
        Self::counting("images", quiet)
    }

    /// [`Self::new`] of steps that are called `what`.
    pub fn counting(what: &'static str, quiet: bool) -> Self {
        Self { quiet, what, bar: Mutex::new(ProgressBar::hidden()) }
    }

    /// Says a line on standard error, unless the user asked for quiet.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            eprintln!("{line}");
        }
    }

    /// The bar of this stage.
    fn bar(&self) -> ProgressBar {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Watcher for Bars {
    fn begin(&self, images: usize) {
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) =
            bar_of(self.what, images as u64, self.quiet);
    }

    fn step(&self, what: &str) {
        let bar = self.bar();
        if bar.message() != what {
            bar.set_message(what.to_owned());
        }
        bar.inc(1);
    }

    fn end(&self) {
        self.bar().finish_and_clear();
    }
}

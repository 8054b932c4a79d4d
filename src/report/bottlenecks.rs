//! The layers that cost most, in words, for the terminal.

use super::terminal::wrap;
use crate::evaluate::{Bottleneck, Evaluation};

/// Cause and remedy of each layer that costs most at a setting, or on a machine, which is called `name`; nothing where
/// they were not looked for.
pub(super) fn section(name: &str, evaluation: &Evaluation) -> String {
    if evaluation.bottlenecks.is_empty() {
        return String::new();
    }
    let paragraph = |said: &Bottleneck| wrap(&said.finding()) + &indented(&said.advice());
    let all: String = evaluation.bottlenecks.iter().map(paragraph).collect();
    format!("\nwhat costs most: {name}\n\n{all}")
}

/// Below what it belongs to.
fn indented(text: &str) -> String {
    wrap(&format!("-> {text}"))
}

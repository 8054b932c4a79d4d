//! What was run of what.

use maud::{Markup, html};
use serde::Serialize;

use super::page::paragraph;
use super::table::Table;

/// What to type to run it again.
pub(super) fn command(command: &str) -> Markup {
    if command.is_empty() {
        return paragraph("It was not run by a command.");
    }
    html! { pre tabindex="0" { code { (command) } } }
}

/// What went in: kind, name, SHA-256.
pub(super) fn table(inputs: &[[&str; 3]]) -> Markup {
    let column = |number: usize| inputs.iter().map(move |input| input[number].to_owned());
    let table =
        Table::ordered("Inputs", "what", column(0)).words("name", column(1)).words("SHA-256", column(2));
    table.markup()
}

/// A description, called `summary`, as JSON that opens.
pub(super) fn described(summary: &str, description: &impl Serialize) -> Markup {
    let text = serde_json::to_string_pretty(description).unwrap_or_default();
    html! { details { summary { (summary) } pre tabindex="0" { code { (text) } } } }
}

//! What tables for the terminal are made of: a heading, aligned columns, notes.

use std::fmt::Write;

use crate::evaluate::{ActivitySource, ModelSummary, SpikesSummary};

/// Columns of text that a line of notes may take.
const WIDTH: usize = 118;

/// A line per pair of a name and what it is.
pub(super) fn heading(lines: &[(&str, String)]) -> String {
    lines.iter().map(|(name, value)| format!("{name:<10}{value}\n")).collect()
}

/// The line of a heading that names `model`.
pub(super) fn model_line(model: &ModelSummary) -> (&'static str, String) {
    ("model", format!("{} ({}, {} parameters)", model.name, model.family, model.parameters))
}

/// The line of a heading that says what `source` the spikes come from.
pub(super) fn source_line(source: &ActivitySource) -> (&'static str, String) {
    match source {
        ActivitySource::Data(data) => ("data", format!("{}, {} images", data.name, data.images)),
        ActivitySource::Rates(rates) => ("rates", rates.file.clone()),
        ActivitySource::Spikes(spikes) => {
            let SpikesSummary { file, images, sha256 } = spikes;
            ("spikes", format!("{file}, {images} images, SHA-256 {sha256}"))
        }
    }
}

/// Two lines of heading, then one cell per row.
pub(super) struct Column {
    cells: Vec<String>,
}

impl Column {
    /// A column under the heading `quantity`, `unit`.
    pub(super) fn new(quantity: &str, unit: &str, values: impl Iterator<Item = String>) -> Self {
        let cells = [quantity.to_owned(), unit.to_owned()].into_iter().chain(values).collect();
        Self { cells }
    }

    fn width(&self) -> usize {
        self.cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

/// Two lines of heading, a rule, and a line per row; all `columns` are equally long.
pub(super) fn lines(columns: &[Column]) -> String {
    let mut text = String::new();
    let widths: Vec<usize> = columns.iter().map(Column::width).collect();
    for line in 0..columns.first().map_or(0, |column| column.cells.len()) {
        push_line(&mut text, columns.iter().map(|column| column.cells[line].as_str()), &widths);
        if line == 1 {
            let rules: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
            push_line(&mut text, rules.iter().map(String::as_str), &widths);
        }
    }
    text
}

/// The first cell to the left, the others to the right, two spaces between them.
fn push_line<'a>(text: &mut String, cells: impl Iterator<Item = &'a str>, widths: &[usize]) {
    let mut line = String::new();
    for (index, (cell, &width)) in cells.zip(widths).enumerate() {
        let _ = if index == 0 { write!(line, "{cell:<width$}") } else { write!(line, "  {cell:>width$}") };
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

/// Each note once, wrapped, after the names of the `owners` that have it; after `all` where each of several does.
pub(super) fn notes<'a>(owners: impl Iterator<Item = (&'a str, &'a [String])>, all: &str) -> String {
    let (mut notes, mut count): (Vec<(&str, Vec<&str>)>, usize) = (Vec::new(), 0);
    for (owner, own) in owners {
        count += 1;
        for note in own {
            match notes.iter_mut().find(|(text, _)| text == note) {
                Some((_, names)) if names.last() != Some(&owner) => names.push(owner),
                Some(_) => {}
                None => notes.push((note, vec![owner])),
            }
        }
    }
    let names =
        |names: &[&str]| if names.len() == count && count > 1 { all.to_owned() } else { names.join(", ") };
    notes.iter().map(|(note, owners)| wrap(&format!("{}: {note}", names(owners)))).collect()
}

/// Breaks a note between words; the lines that follow are indented.
pub(super) fn wrap(note: &str) -> String {
    let mut lines = vec![String::new()];
    for word in note.split_whitespace() {
        let line = lines.last_mut().expect("starts with one line");
        if !line.trim_start().is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(format!("    {word}"));
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_notes_wrap_between_words() {
        let text = wrap(&"word ".repeat(60));
        assert_eq!(text.lines().count(), 3);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(text.split_whitespace().count(), 60);
    }

    #[test]
    fn a_note_stands_once_with_its_owners() {
        let [common, own] = ["common".to_owned(), "own".to_owned()];
        let (both, one) = ([common.clone(), own], [common]);
        let text = notes([("a", &both[..]), ("b", &one[..])].into_iter(), "everyone");
        assert_eq!(text, "everyone: common\na: own\n");
        assert_eq!(notes([("a", &one[..])].into_iter(), "everyone"), "a: common\n");
    }
}

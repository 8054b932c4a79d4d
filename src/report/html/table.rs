//! Tables of a page: a caption, headings with units, a name before each row. The script sorts those that say so.

use maud::{Markup, html};

use super::cell::Cell;
use super::numbers::Unit;

/// A table, column by column.
pub(super) struct Table {
    caption: String,
    class: &'static str,
    columns: Vec<(String, String, Vec<Cell>)>,
}

impl Table {
    /// A table that the script can sort, whose rows start with `names`, called `heading`.
    pub fn sortable(caption: &str, heading: &str, names: impl Iterator<Item = String>) -> Self {
        Self::new(caption, "sortable", heading, names)
    }

    /// A table whose rows are in an order of their own.
    pub fn ordered(caption: &str, heading: &str, names: impl Iterator<Item = String>) -> Self {
        Self::new(caption, "ordered", heading, names)
    }

    fn new(caption: &str, class: &'static str, heading: &str, names: impl Iterator<Item = String>) -> Self {
        let columns = vec![(heading.to_owned(), String::new(), names.map(Cell::text).collect())];
        Self { caption: caption.to_owned(), class, columns }
    }

    /// With words in a further column.
    #[must_use]
    pub fn words(mut self, heading: &str, words: impl Iterator<Item = String>) -> Self {
        self.columns.push((heading.to_owned(), String::new(), words.map(Cell::text).collect()));
        self
    }

    /// With numbers in a further column.
    #[must_use]
    pub fn numbers(mut self, heading: &str, unit: Unit, values: impl Iterator<Item = Option<f64>>) -> Self {
        let (unit, cells) = unit.column(&values.collect::<Vec<_>>());
        self.columns.push((heading.to_owned(), unit, cells));
        self
    }

    /// With cells in a further column.
    #[must_use]
    pub fn cells(mut self, heading: &str, cells: impl Iterator<Item = Cell>) -> Self {
        self.columns.push((heading.to_owned(), String::new(), cells.collect()));
        self
    }

    /// In HTML; wide ones scroll sideways, which the keyboard can do, too.
    pub fn markup(&self) -> Markup {
        let rows = self.columns[0].2.len();
        html! {
            div.scroll tabindex="0" role="region" aria-label=(self.caption) {
                table class=(self.class) {
                    caption { (self.caption) }
                    thead { tr {
                        @for (heading, unit, _) in &self.columns {
                            th scope="col" { (heading) @if !unit.is_empty() { " " span.unit { (unit) } } }
                        }
                    } }
                    tbody {
                        @for row in 0..rows {
                            tr {
                                th scope="row" { (self.columns[0].2[row].words()) }
                                @for (.., cells) in &self.columns[1..] { (cells[row].markup()) }
                            }
                        }
                    }
                }
            }
        }
    }
}

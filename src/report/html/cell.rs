//! A cell of a table.

use maud::{Markup, html};

/// A cell.
#[derive(Clone)]
pub(super) struct Cell {
    text: String,
    /// What it is sorted by, of a number.
    value: Option<f64>,
    /// Shade from 0 to 1 of a heat map.
    shade: Option<f64>,
}

impl Cell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), value: None, shade: None }
    }

    /// A number as it is shown, with its value.
    pub fn number(text: String, value: f64) -> Self {
        Self { text, value: Some(value), shade: None }
    }

    /// With a background between that of the page and the deepest.
    pub fn shaded(self, shade: f64) -> Self {
        Self { shade: Some(shade.clamp(0.0, 1.0)), ..self }
    }

    /// What it shows.
    pub fn words(&self) -> &str {
        &self.text
    }

    /// Shade of the cell in percent, if it has one.
    pub fn percent(&self) -> Option<f64> {
        self.shade.map(|shade| (100.0 * shade).round())
    }

    /// In HTML.
    pub fn markup(&self) -> Markup {
        let shade = self.percent().map(|shade| format!("--shade:{shade}%"));
        html! {
            td.number[self.value.is_some()].shaded[self.shade.is_some()] data-value=[self.value] style=[shade] {
                (self.text)
            }
        }
    }
}

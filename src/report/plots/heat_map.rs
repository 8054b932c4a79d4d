//! A table of numbers, each on a colour that says how large it is.

use super::super::units::fixed;
use super::font;
use super::palette::{Colour, INK, WHITE};
use super::scene::{Align, HEAD, LABEL, MARGIN, MIDDLE, Mark, Scene, Text, WIDTH};

/// Height of a row, pixels.
const PITCH: f64 = 24.0;
/// Space above the rows for the names of the columns, pixels.
const COLUMN_NAMES: f64 = 24.0;
/// Widest name of a row, pixels.
const NAME_LIMIT: f64 = 260.0;
/// Widest column, pixels.
const COLUMN_LIMIT: f64 = 110.0;
/// Colour of the largest positive number; dark enough for white digits.
const HIGH: Colour = (0x00, 0x72, 0xB2);
/// Colour of the largest negative number.
const LOW: Colour = (0xD5, 0x5E, 0x00);

/// What to draw.
pub(super) struct HeatMap<'a> {
    /// Title of the figure.
    pub title: String,
    /// Second line of the title.
    pub subtitle: String,
    /// Name of each row, from top to bottom.
    pub rows: Vec<&'a str>,
    /// Name of each column, from left to right.
    pub columns: Vec<&'a str>,
    /// Row by row; `None` where there is no number.
    pub values: Vec<Vec<Option<f64>>>,
    /// The magnitude of full colour.
    pub full: f64,
    /// Decimals that are shown.
    pub decimals: usize,
}

impl HeatMap<'_> {
    /// Draws the table.
    pub fn scene(&self) -> Scene {
        let top = HEAD + COLUMN_NAMES;
        let height = self.rows.len() as f64 * PITCH;
        let mut scene = Scene::new(WIDTH, top + height + MARGIN, &self.title, &self.subtitle);
        let names = self.rows.iter().map(|name| font::width(name, LABEL)).fold(0.0, f64::max).min(NAME_LIMIT);
        let left = MARGIN + names + 8.0;
        let columns = self.columns.len().max(1) as f64;
        let width = ((WIDTH - MARGIN - left) / columns).min(COLUMN_LIMIT);
        for (i, name) in self.columns.iter().enumerate() {
            let name = font::shorten(name, LABEL, width - 6.0);
            scene.label(&name, left + (i as f64 + 0.5) * width, HEAD + COLUMN_NAMES / 2.0, Align::Middle);
        }
        for (i, (name, values)) in self.rows.iter().zip(&self.values).enumerate() {
            let y = top + i as f64 * PITCH;
            let name = font::shorten(name, LABEL, NAME_LIMIT);
            scene.label(&name, left - 8.0, y + PITCH / 2.0, Align::End);
            for (j, value) in values.iter().enumerate() {
                let x = left + j as f64 * width;
                self.cell(&mut scene, [x, y, x + width - 1.0, y + PITCH - 1.0], *value);
            }
        }
        scene
    }

    fn cell(&self, scene: &mut Scene, area: [f64; 4], value: Option<f64>) {
        let share = value.map_or(0.0, |value| (value.abs() / self.full).min(1.0));
        let full = if value.is_some_and(|value| value < 0.0) { LOW } else { HIGH };
        scene.marks.push(Mark::Rect(area, blend(full, share)));
        let text = value.map_or_else(|| "-".to_owned(), |value| fixed(value, self.decimals));
        let at = ((area[0] + area[2]) / 2.0, (area[1] + area[3]) / 2.0 + MIDDLE * LABEL);
        let colour = if share > 0.55 { WHITE } else { INK };
        scene.push(Text { text, at, em: LABEL, align: Align::Middle, upwards: false, colour });
    }
}

/// From white to `full`.
fn blend(full: Colour, share: f64) -> Colour {
    let mix = |full: u8| (255.0 + (f64::from(full) - 255.0) * share).round() as u8;
    (mix(full.0), mix(full.1), mix(full.2))
}

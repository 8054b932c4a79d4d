//! A picture as a list of marks, in pixels of the SVG, before any renderer sees it.

use super::font;
use super::palette::{Colour, GRID, INK, QUIET, WHITE};
use crate::name::Printable;

/// Width of every picture in pixels of the SVG.
pub(super) const WIDTH: f64 = 900.0;
/// Em of a figure's title, pixels.
const TITLE: f64 = 16.0;
/// Em of axis titles, pixels.
const AXIS_TITLE: f64 = 13.0;
/// Em of all other text, pixels.
pub(super) const LABEL: f64 = 12.0;
/// From the middle of a digit down to its baseline, per em.
pub(super) const MIDDLE: f64 = 0.36;
/// Height of the title's two lines, pixels.
pub(super) const HEAD: f64 = 62.0;
/// Space between a picture's edge and what it shows, pixels.
pub(super) const MARGIN: f64 = 16.0;

/// Which point of a text its position names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Align {
    /// The left end.
    Start,
    /// The middle.
    Middle,
    /// The right end.
    End,
}

/// A text on its baseline.
#[derive(Debug, Clone)]
pub(super) struct Text {
    /// What it says.
    pub text: String,
    /// Position along the baseline as `align` says, and of the baseline; for text that runs
    /// upwards `x` is the baseline.
    pub at: (f64, f64),
    /// Size in pixels per em.
    pub em: f64,
    /// Which end `at` names.
    pub align: Align,
    /// Runs from the bottom to the top.
    pub upwards: bool,
    /// Colour.
    pub colour: Colour,
}

impl Text {
    /// Left, top, right, bottom.
    #[cfg(test)]
    pub fn bounds(&self) -> [f64; 4] {
        let width = font::width(&self.text, self.em);
        let before = match self.align {
            Align::Start => 0.0,
            Align::Middle => width / 2.0,
            Align::End => width,
        };
        let (above, below) = (0.76 * self.em, 0.24 * self.em);
        let (x, y) = self.at;
        if self.upwards {
            [x - above, y + before - width, x + below, y + before]
        } else {
            [x - before, y - above, x - before + width, y + below]
        }
    }
}

/// One thing to draw.
#[derive(Debug, Clone)]
pub(super) enum Mark {
    /// A filled rectangle: left, top, right, bottom.
    Rect([f64; 4], Colour),
    /// A thin line.
    Line((f64, f64), (f64, f64), Colour),
    /// A filled circle: centre and radius.
    Circle((f64, f64), f64, Colour),
    /// A text.
    Text(Text),
}

/// A picture: its size and its marks, the first one lowest.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    /// Width in pixels of the SVG.
    pub width: f64,
    /// Height in pixels of the SVG.
    pub height: f64,
    /// Marks, in drawing order.
    pub marks: Vec<Mark>,
}

impl Scene {
    /// A white picture with a title over a quieter second line.
    pub fn new(width: f64, height: f64, title: &str, subtitle: &str) -> Self {
        let height = height.ceil();
        let mut scene = Self { width, height, marks: vec![Mark::Rect([0.0, 0.0, width, height], WHITE)] };
        let room = width - 2.0 * MARGIN;
        let lines = [(title, 26.0, TITLE, INK), (subtitle, 46.0, LABEL, QUIET)];
        for (text, y, em, colour) in lines {
            let text = font::shorten(text, em, room);
            let at = (MARGIN, y);
            scene.push(Text { text, at, em, align: Align::Start, upwards: false, colour });
        }
        scene
    }

    /// Adds a text that is not empty; XML has no place for what cannot be printed.
    pub fn push(&mut self, text: Text) {
        if !text.text.is_empty() {
            let shown = Printable(&text.text).to_string();
            self.marks.push(Mark::Text(Text { text: shown, ..text }));
        }
    }

    /// Adds a text of ordinary size with its middle at height `y`.
    pub fn label(&mut self, text: &str, x: f64, y: f64, align: Align) {
        let at = (x, y + MIDDLE * LABEL);
        self.push(Text { text: text.to_owned(), at, em: LABEL, align, upwards: false, colour: INK });
    }

    /// Adds the title of a horizontal axis, its middle at `x` and its baseline at `y`.
    pub fn title_below(&mut self, text: &str, x: f64, y: f64) {
        let text = text.to_owned();
        self.push(Text {
            text,
            at: (x, y),
            em: AXIS_TITLE,
            align: Align::Middle,
            upwards: false,
            colour: INK,
        });
    }

    /// Adds the title of a vertical axis at the left edge, its middle at `y`.
    pub fn title_beside(&mut self, text: &str, y: f64) {
        let at = (MARGIN + 0.76 * AXIS_TITLE, y);
        let text = text.to_owned();
        self.push(Text { text, at, em: AXIS_TITLE, align: Align::Middle, upwards: true, colour: INK });
    }

    /// Adds an upright line of the grid.
    pub fn grid_up(&mut self, x: f64, top: f64, bottom: f64) {
        self.marks.push(Mark::Rect([x, top, x + 1.0, bottom], GRID));
    }

    /// Adds a level line of the grid.
    pub fn grid_across(&mut self, y: f64, left: f64, right: f64) {
        self.marks.push(Mark::Rect([left, y, right, y + 1.0], GRID));
    }

    /// Every text and the space that it takes: left, top, right, bottom.
    #[cfg(test)]
    pub fn text_boxes(&self) -> Vec<(String, [f64; 4])> {
        let boxed = |mark: &'_ Mark| match mark {
            Mark::Text(text) => Some((text.text.clone(), text.bounds())),
            _ => None,
        };
        self.marks.iter().filter_map(boxed).collect()
    }
}

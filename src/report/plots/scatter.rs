//! Points with a label each.

use super::super::units::Scale;
use super::axis::Axis;
use super::font;
use super::labels;
use super::palette::{INK, LEADER, SINGLE, WHITE};
use super::scene::{Align, HEAD, LABEL, MARGIN, MIDDLE, Mark, Scene, Text, WIDTH};

/// Height of the figure, pixels.
const HEIGHT: f64 = 560.0;
/// Radius of a point, pixels.
const RADIUS: f64 = 5.0;
/// Widest label of a point, pixels.
const NAME_LIMIT: f64 = 150.0;
/// Length from which on a label is tied to its point by a line, pixels.
const LEADER_FROM: f64 = 14.0;

/// Height that a label keeps for itself, pixels.
const LINE: f64 = 1.24 * LABEL;

/// One point.
pub(super) struct Point<'a> {
    /// Label of the point.
    pub name: &'a str,
    /// Across, in base units.
    pub x: f64,
    /// Upwards, in per cent.
    pub y: f64,
}

/// What to draw.
pub(super) struct Scatter<'a> {
    /// Title of the figure.
    pub title: String,
    /// Second line of the title.
    pub subtitle: String,
    /// What is across; the unit is added.
    pub x_quantity: &'static str,
    /// Unit for the largest `x`.
    pub x_scale: fn(f64) -> Scale,
    /// What is upwards, in per cent.
    pub y_quantity: &'static str,
    /// The points.
    pub points: Vec<Point<'a>>,
}

/// Axes and the rectangle that they span: left, top, right, bottom.
struct Frame {
    x: Axis,
    y: Axis,
    area: labels::Area,
}

impl Frame {
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let [left, top, right, bottom] = self.area;
        (left + self.x.place(x) * (right - left), bottom - self.y.place(y) * (bottom - top))
    }
}

impl Scatter<'_> {
    /// Draws the chart.
    pub fn scene(&self) -> Scene {
        let scale = (self.x_scale)(self.points.iter().map(|point| point.x).fold(0.0, f64::max));
        let xs: Vec<f64> = self.points.iter().map(|point| scale.apply(point.x)).collect();
        let ys: Vec<f64> = self.points.iter().map(|point| point.y).collect();
        let mut scene = Scene::new(WIDTH, HEIGHT, &self.title, &self.subtitle);
        let frame = frame(&xs, &ys);
        self.draw_axes(&mut scene, &frame, &scale.unit);
        let places: Vec<(f64, f64)> = xs.iter().zip(&ys).map(|(&x, &y)| frame.place(x, y)).collect();
        self.draw_points(&mut scene, &places, frame.area);
        scene
    }

    fn draw_axes(&self, scene: &mut Scene, frame: &Frame, unit: &str) {
        let [left, top, right, bottom] = frame.area;
        for (value, text) in frame.x.ticks() {
            let x = left + frame.x.place(value) * (right - left);
            scene.grid_up(x, top, bottom + 4.0);
            scene.label(&text, x, bottom + 16.0, Align::Middle);
        }
        for (value, text) in percent_ticks(&frame.y) {
            let y = bottom - frame.y.place(value) * (bottom - top);
            scene.grid_across(y, left - 4.0, right);
            scene.label(&text, left - 8.0, y, Align::End);
        }
        scene.marks.push(Mark::Rect([left - 1.0, top, left, bottom + 1.0], INK));
        scene.marks.push(Mark::Rect([left - 1.0, bottom, right, bottom + 1.0], INK));
        let title = format!("{} ({unit}{})", self.x_quantity, frame.x.remark());
        scene.title_below(&title, (left + right) / 2.0, bottom + 46.0);
        scene.title_beside(&format!("{} (%)", self.y_quantity), (top + bottom) / 2.0);
        if self.points.is_empty() {
            let unknown = format!("{} is not known", self.y_quantity);
            scene.label(&unknown, (left + right) / 2.0, (top + bottom) / 2.0, Align::Middle);
        }
    }

    /// Lines under points under labels.
    fn draw_points(&self, scene: &mut Scene, places: &[(f64, f64)], area: labels::Area) {
        let names: Vec<String> =
            self.points.iter().map(|point| font::shorten(point.name, LABEL, NAME_LIMIT)).collect();
        let sizes: Vec<(f64, f64)> = names.iter().map(|name| (font::width(name, LABEL), LINE)).collect();
        let boxes = labels::place(places, &sizes, area);
        for (&place, &label) in places.iter().zip(&boxes) {
            let end = labels::nearest(label, place);
            if labels::distance(place, end) > LEADER_FROM {
                scene.marks.push(Mark::Line(place, end, LEADER));
            }
        }
        for &place in places {
            scene.marks.push(Mark::Circle(place, RADIUS + 1.0, WHITE));
            scene.marks.push(Mark::Circle(place, RADIUS, SINGLE));
        }
        for (text, label) in names.into_iter().zip(boxes) {
            let at = (label[0], (label[1] + label[3]) / 2.0 + MIDDLE * LABEL);
            scene.push(Text { text, at, em: LABEL, align: Align::Start, upwards: false, colour: INK });
        }
    }
}

fn frame(xs: &[f64], ys: &[f64]) -> Frame {
    let y = Axis::around(ys, 1.0);
    let texts = percent_ticks(&y);
    let widest = texts.iter().map(|(_, text)| font::width(text, LABEL)).fold(0.0, f64::max);
    let left = MARGIN + 26.0 + widest + 8.0;
    Frame { x: Axis::spread(xs), y, area: [left, HEAD, WIDTH - MARGIN - 14.0, HEIGHT - 60.0] }
}

/// The range may reach beyond 100 % to leave room for a point; the ticks may not.
fn percent_ticks(axis: &Axis) -> Vec<(f64, String)> {
    axis.ticks().into_iter().filter(|(value, _)| *value <= 100.0).collect()
}

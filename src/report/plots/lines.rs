//! Series of points joined by lines, with a legend.

use super::super::units::Scale;
use super::axis::Axis;
use super::font;
use super::palette::{Colour, INK, WHITE};
use super::scene::{Align, HEAD, LABEL, MARGIN, Mark, Scene, WIDTH};

/// Height of the figure, pixels.
const HEIGHT: f64 = 560.0;
/// Radius of a point, pixels.
const RADIUS: f64 = 4.0;
/// Radius of a point of a cloud, pixels.
const SMALL: f64 = 1.5;
/// Pixels between two lines of the legend.
const LEGEND_PITCH: f64 = 20.0;
/// Widest entry of the legend, pixels.
const NAME_LIMIT: f64 = 190.0;

/// Points of one colour.
pub(super) struct Line {
    /// Name in the legend.
    pub label: String,
    /// Colour.
    pub colour: Colour,
    /// True for rings instead of discs.
    pub hollow: bool,
    /// How its points are drawn.
    pub style: Style,
    /// Across and upwards, in base units, in the order in which they are joined.
    pub points: Vec<(f64, f64)>,
}

/// How points of a colour are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// With lines between them.
    Joined,
    /// Each by itself.
    Apart,
    /// Small, each by itself.
    Cloud,
}

/// What an axis shows.
pub(super) struct Quantity {
    /// Name of the quantity; the unit is added.
    pub name: String,
    /// Unit for the largest value.
    pub scale: fn(f64) -> Scale,
    /// Whether the axis is logarithmic where values are far apart.
    pub spread: bool,
}

/// What to draw.
pub(super) struct Lines {
    /// Title of the figure.
    pub title: String,
    /// Second line of the title.
    pub subtitle: String,
    /// Across.
    pub x: Quantity,
    /// Upwards.
    pub y: Quantity,
    /// True where a value holds until the next.
    pub steps: bool,
    /// The series.
    pub lines: Vec<Line>,
}

/// One axis with its unit.
struct Measure {
    scale: Scale,
    axis: Axis,
}

impl Measure {
    fn new(quantity: &Quantity, values: &[f64]) -> Self {
        let scale = (quantity.scale)(values.iter().copied().fold(0.0, f64::max));
        let values: Vec<f64> = values.iter().map(|&v| scale.apply(v)).collect();
        let axis = if quantity.spread { Axis::spread(&values) } else { Axis::around(&values, 0.0) };
        Self { axis, scale }
    }

    fn place(&self, value: f64) -> f64 {
        self.axis.place(self.scale.apply(value))
    }
}

impl Lines {
    /// Draws the chart.
    pub fn scene(&self) -> Scene {
        let values = |get: fn(&(f64, f64)) -> f64| -> Vec<f64> {
            self.lines.iter().flat_map(|line| line.points.iter().map(get)).collect()
        };
        let x = Measure::new(&self.x, &values(|p| p.0));
        let y = Measure::new(&self.y, &values(|p| p.1));
        let labels = self.lines.iter().map(|line| font::width(&line.label, LABEL)).fold(0.0, f64::max);
        let legend = WIDTH - MARGIN - labels.min(NAME_LIMIT) - 24.0;
        let texts = y.axis.ticks();
        let widest = texts.iter().map(|(_, text)| font::width(text, LABEL)).fold(0.0, f64::max);
        let area = [MARGIN + 26.0 + widest + 8.0, HEAD, legend - 20.0, HEIGHT - 60.0];
        let mut scene = Scene::new(WIDTH, HEIGHT, &self.title, &self.subtitle);
        self.draw_axes(&mut scene, &x, &y, area);
        let place = |&(across, up): &(f64, f64)| {
            let [left, top, right, bottom] = area;
            (left + x.place(across) * (right - left), bottom - y.place(up) * (bottom - top))
        };
        for line in &self.lines {
            let places: Vec<(f64, f64)> = line.points.iter().map(place).collect();
            self.draw_line(&mut scene, line, &places);
        }
        for (i, line) in self.lines.iter().enumerate() {
            let middle = HEAD + (i as f64 + 0.5) * LEGEND_PITCH;
            draw_point(&mut scene, line, (legend + 6.0, middle));
            scene.label(&font::shorten(&line.label, LABEL, NAME_LIMIT), legend + 18.0, middle, Align::Start);
        }
        scene
    }

    fn draw_axes(&self, scene: &mut Scene, x: &Measure, y: &Measure, [left, top, right, bottom]: [f64; 4]) {
        for (value, text) in x.axis.ticks() {
            let at = left + x.axis.place(value) * (right - left);
            scene.grid_up(at, top, bottom + 4.0);
            scene.label(&text, at, bottom + 16.0, Align::Middle);
        }
        for (value, text) in y.axis.ticks() {
            let at = bottom - y.axis.place(value) * (bottom - top);
            scene.grid_across(at, left - 4.0, right);
            scene.label(&text, left - 8.0, at, Align::End);
        }
        scene.marks.push(Mark::Rect([left - 1.0, top, left, bottom + 1.0], INK));
        scene.marks.push(Mark::Rect([left - 1.0, bottom, right, bottom + 1.0], INK));
        let titled = |quantity: &Quantity, measure: &Measure| match measure.scale.unit.as_str() {
            "" => quantity.name.clone(),
            unit => format!("{} ({unit}{})", quantity.name, measure.axis.remark()),
        };
        scene.title_below(&titled(&self.x, x), (left + right) / 2.0, bottom + 46.0);
        scene.title_beside(&titled(&self.y, y), (top + bottom) / 2.0);
        if self.lines.iter().all(|line| line.points.is_empty()) {
            scene.label("nothing to show", (left + right) / 2.0, (top + bottom) / 2.0, Align::Middle);
        }
    }

    fn draw_line(&self, scene: &mut Scene, line: &Line, places: &[(f64, f64)]) {
        for pair in places.windows(2).filter(|_| line.style == Style::Joined) {
            let (from, to) = (pair[0], pair[1]);
            if self.steps {
                let corner = (to.0, from.1);
                scene.marks.push(Mark::Line(from, corner, line.colour));
                scene.marks.push(Mark::Line(corner, to, line.colour));
            } else {
                scene.marks.push(Mark::Line(from, to, line.colour));
            }
        }
        places.iter().for_each(|&place| draw_point(scene, line, place));
    }
}

fn draw_point(scene: &mut Scene, line: &Line, place: (f64, f64)) {
    if line.style == Style::Cloud {
        scene.marks.push(Mark::Circle(place, SMALL, line.colour));
        return;
    }
    scene.marks.push(Mark::Circle(place, RADIUS + 1.0, WHITE));
    scene.marks.push(Mark::Circle(place, RADIUS, line.colour));
    if line.hollow {
        scene.marks.push(Mark::Circle(place, RADIUS - 2.0, WHITE));
    }
}

//! Predicted over published, machine by machine.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontFamily, register_font};
use spiq::hw::Figure;

use crate::cases::Failure;

const FONT: &str = "DejaVu Sans, Verdana, sans-serif";
const TTF: &[u8] = include_bytes!("../../src/report/plots/fonts/DejaVuSans.ttf");
const WIDTH: u32 = 980;
const ROW: u32 = 26;
/// Above and below the rows.
const MARGIN: u32 = 64;
/// Left of the scale.
const LABELS: i32 = 500;
/// Ends of the scale, predicted over published.
const RANGE: [f64; 2] = [0.1, 4.0];
const TICKS: [f64; 9] = [0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0];
const RADIUS: i32 = 4;
/// Figures that are drawn one below the other, and the distance of two.
const FEW: usize = 5;
const APART: i32 = 5;
const BLUE: RGBColor = RGBColor(0, 114, 178);
const LINES: RGBColor = RGBColor(226, 226, 226);

/// Figures of one machine, quantity and kind.
struct Group<'a> {
    label: String,
    figures: Vec<&'a Figure>,
}

fn groups(figures: &[Figure]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for figure in figures {
        let Figure { machine, quantity, kind, .. } = figure;
        let label = format!("{machine}: {quantity} ({})", kind.split(&[':', ','][..]).next().unwrap_or(kind));
        match groups.iter_mut().find(|group| group.label == label) {
            Some(group) => group.figures.push(figure),
            None => groups.push(Group { label, figures: vec![figure] }),
        }
    }
    groups.sort_by(|a, b| a.label.cmp(&b.label));
    groups
}

fn x_of(ratio: f64) -> i32 {
    let [least, most] = RANGE.map(f64::ln);
    let share = (ratio.ln() - least) / (most - least);
    let room = f64::from(WIDTH as i32 - LABELS - 40);
    LABELS + (share.clamp(0.0, 1.0) * room) as i32
}

/// Draws all `figures` into `path`: filled where they are predicted, hollow where a constant was fitted to them.
pub fn draw(figures: &[Figure], path: &str) -> Result<(), Failure> {
    register_font(FONT, FontStyle::Normal, TTF).map_err(|_| "the font does not parse")?;
    let groups = groups(figures);
    let rows = groups.len() as u32 * ROW;
    let height = rows + 2 * MARGIN;
    let root = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let text = |size: f64| (FontFamily::Name(FONT), size).into_font();
    let (top, bottom) = (MARGIN as i32, (MARGIN + rows) as i32);
    root.draw(&Text::new("Predicted over published", (16, 14), text(20.0)))?;
    let legend = "filled: predicted; hollow: a constant was fitted to it; line: within what is not known; at an edge: beyond the scale";
    root.draw(&Text::new(legend, (16, 38), text(14.0).color(&BLACK.mix(0.7))))?;
    for tick in TICKS {
        let (x, colour) = (x_of(tick), if tick == 1.0 { BLACK } else { LINES });
        root.draw(&PathElement::new(vec![(x, top), (x, bottom)], colour))?;
        let label = format!("{tick}");
        root.draw(&Text::new(label.clone(), (x - 4 * label.len() as i32, bottom + 10), text(14.0)))?;
    }
    for (i, group) in groups.iter().enumerate() {
        draw_group(&root, group, top + ROW as i32 * i as i32 + ROW as i32 / 2)?;
    }
    root.present()?;
    Ok(())
}

/// Draws one row, whose middle is at `y`.
fn draw_group(root: &DrawingArea<SVGBackend<'_>, Shift>, group: &Group<'_>, y: i32) -> Result<(), Failure> {
    let count = group.figures.len();
    let label = if count == 1 { group.label.clone() } else { format!("{}, {count} figures", group.label) };
    let font = (FontFamily::Name(FONT), 14.0).into_font();
    root.draw(&Text::new(label, (16, y - 8), font))?;
    root.draw(&PathElement::new(vec![(LABELS, y), (WIDTH as i32 - 40, y)], LINES))?;
    // A few have heights of their own, so that no line hides another.
    let apart = if count <= FEW { APART } else { 0 };
    for (k, figure) in group.figures.iter().enumerate() {
        let y = y + apart * (2 * k as i32 + 1 - count as i32) / 2;
        if let (Some(least), Some(most)) = (figure.least, figure.most) {
            let ends = [least, most].map(|end| (x_of(end / figure.published), y));
            root.draw(&PathElement::new(ends.to_vec(), BLUE.stroke_width(2)))?;
        }
        let at = (x_of(figure.predicted / figure.published), y);
        let style =
            if figure.fits { ShapeStyle::from(&BLUE).stroke_width(2) } else { BLUE.mix(0.6).filled() };
        root.draw(&Circle::new(at, RADIUS, style))?;
    }
    Ok(())
}

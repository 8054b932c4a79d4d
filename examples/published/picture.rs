//! Predicted over published, machine by machine.

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
    let legend = "filled: predicted; hollow: a constant was fitted to it; at an edge: beyond the scale";
    root.draw(&Text::new(legend, (16, 38), text(14.0).color(&BLACK.mix(0.7))))?;
    for tick in TICKS {
        let (x, colour) = (x_of(tick), if tick == 1.0 { BLACK } else { LINES });
        root.draw(&PathElement::new(vec![(x, top), (x, bottom)], colour))?;
        let label = format!("{tick}");
        root.draw(&Text::new(label.clone(), (x - 4 * label.len() as i32, bottom + 10), text(14.0)))?;
    }
    for (i, group) in groups.iter().enumerate() {
        let y = top + (ROW as i32) * i as i32 + ROW as i32 / 2;
        let count = group.figures.len();
        let label =
            if count == 1 { group.label.clone() } else { format!("{}, {count} figures", group.label) };
        root.draw(&Text::new(label, (16, y - 8), text(14.0)))?;
        root.draw(&PathElement::new(vec![(LABELS, y), (WIDTH as i32 - 40, y)], LINES))?;
        for figure in &group.figures {
            let at = (x_of(figure.predicted / figure.published), y);
            let style =
                if figure.fits { ShapeStyle::from(&BLUE).stroke_width(2) } else { BLUE.mix(0.6).filled() };
            root.draw(&Circle::new(at, 5, style))?;
        }
    }
    root.present()?;
    Ok(())
}

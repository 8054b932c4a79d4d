//! Draws a [`Scene`] with plotters, as SVG text or as the bytes of a PNG file.

use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontStyle, FontTransform, RGBColor, ShapeStyle, TextStyle};

use super::font;
use super::palette::Colour;
use super::scene::{Align, Mark, Scene, Text};
use crate::error::{Error, Result};

/// Where the two renderers of plotters differ.
struct Target {
    /// Pixels of the renderer per pixel of the scene.
    scale: f64,
    /// Whether it sets letters on whole pixels.
    pixels: bool,
    /// Font size that gives one pixel per em.
    size_per_em: f64,
    /// From the top anchor of a text to its baseline, in font sizes.
    baseline: f64,
}

/// SVG leaves the font to the reader's program and places it by its em.
const SVG: Target = Target { scale: 1.0, pixels: false, size_per_em: 1.24, baseline: 0.76 / 1.24 };

/// A bitmap sizes the font by its line height. Twice the SVG's size, so that small text stays
/// sharp.
const BITMAP: Target = Target { scale: 2.0, pixels: true, size_per_em: font::LINE_PER_EM, baseline: 0.5 };

/// The scene as the text of an SVG file; `name` is for the message if that fails.
pub(super) fn svg(scene: &Scene, name: &str) -> Result<String> {
    let mut text = String::new();
    let size = (scene.width as u32, scene.height as u32);
    let mut backend = SVGBackend::with_string(&mut text, size);
    SVG.draw(scene, &mut backend).map_err(|message| failed(name, message))?;
    drop(backend);
    Ok(text)
}

/// The scene as the bytes of a PNG file; `name` is for the message if that fails.
pub(super) fn png(scene: &Scene, name: &str) -> Result<Vec<u8>> {
    let size = ((scene.width * BITMAP.scale) as u32, (scene.height * BITMAP.scale) as u32);
    let mut pixels = vec![255; size.0 as usize * size.1 as usize * 3];
    let mut backend = BitMapBackend::with_buffer(&mut pixels, size);
    BITMAP.draw(scene, &mut backend).map_err(|message| failed(name, message))?;
    drop(backend);
    encode(&pixels, size).map_err(|error| failed(name, error.to_string()))
}

fn failed(name: &str, message: String) -> Error {
    Error::io(format!("plots/{name}"), std::io::Error::other(message))
}

fn encode(pixels: &[u8], (width, height): (u32, u32)) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

impl Target {
    fn draw<B: DrawingBackend>(&self, scene: &Scene, backend: &mut B) -> Result<(), String> {
        for mark in &scene.marks {
            self.mark(mark, backend)?;
        }
        backend.present().map_err(|error| error.to_string())
    }

    fn mark<B: DrawingBackend>(&self, mark: &Mark, backend: &mut B) -> Result<(), String> {
        let drawn = match mark {
            Mark::Rect([left, top, right, bottom], colour) => {
                let from = self.point((*left, *top));
                let to = self.point((*right, *bottom));
                if to.0 <= from.0 || to.1 <= from.1 {
                    return Ok(());
                }
                backend.draw_rect(from, to, &rgb(*colour), true)
            }
            Mark::Line(from, to, colour) => {
                let style = ShapeStyle::from(rgb(*colour)).stroke_width(self.scale as u32);
                backend.draw_path([self.point(*from), self.point(*to)], &style)
            }
            Mark::Circle(centre, radius, colour) => {
                let radius = (radius * self.scale).round() as u32;
                backend.draw_circle(self.point(*centre), radius, &rgb(*colour), true)
            }
            Mark::Text(text) => {
                let (style, at) = self.text(text);
                backend.draw_text(&text.text, &style, at)
            }
        };
        drawn.map_err(|error| error.to_string())
    }

    fn point(&self, (x, y): (f64, f64)) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    /// The style of a text, and where to put its top so that its baseline is where the scene says.
    fn text(&self, text: &Text) -> (TextStyle<'static>, (i32, i32)) {
        let size = text.em * self.size_per_em * self.scale;
        // Half an odd size is an offset that the renderer cuts off glyph by glyph: letters would
        // dance on their line.
        let size = if self.pixels { 2.0 * (size / 2.0).round() } else { size };
        let anchor = match text.align {
            Align::Start => HPos::Left,
            Align::Middle => HPos::Center,
            Align::End => HPos::Right,
        };
        let turn = if text.upwards { FontTransform::Rotate270 } else { FontTransform::None };
        let font = FontDesc::new(font::family(), size, FontStyle::Normal).transform(turn);
        let mut style = TextStyle::from(font).pos(Pos::new(anchor, VPos::Top));
        style.color = rgb(text.colour).to_backend_color();
        let (x, y) = self.point(text.at);
        let rise = (size * self.baseline).round() as i32;
        (style, if text.upwards { (x - rise, y) } else { (x, y - rise) })
    }
}

fn rgb((red, green, blue): Colour) -> RGBColor {
    RGBColor(red, green, blue)
}

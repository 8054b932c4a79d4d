//! The font of the pictures, built into the program: a picture looks the same on every machine.

use std::sync::Once;

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

/// A subset of DejaVu Sans: Latin, Greek, punctuation and arrows.
const TTF: &[u8] = include_bytes!("fonts/DejaVuSans.ttf");

/// What the SVG asks for. Verdana has nearly the same widths, so the layout holds without DejaVu.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Ascent and descent of the font per em: the renderer takes their sum as the font's size.
pub(super) const LINE_PER_EM: f64 = 1.164_062_5;

/// The family, after the font has been made known to the renderer.
pub(super) fn family() -> FontFamily<'static> {
    static REGISTER: Once = Once::new();
    // The family is the key, so the SVG's list of fall-backs is also the name of the embedded font.
    // A font that does not parse shows up as an error of the first picture.
    REGISTER.call_once(|| drop(register_font(FAMILY, FontStyle::Normal, TTF)));
    FontFamily::Name(FAMILY)
}

/// Width of `text` in pixels, at `em` pixels per em.
pub(super) fn width(text: &str, em: f64) -> f64 {
    // Measured large, because the renderer rounds down to whole pixels.
    const LARGE: f64 = 200.0;
    let font = FontDesc::new(family(), LARGE * LINE_PER_EM, FontStyle::Normal);
    font.box_size(text).map_or(0.0, |(width, _)| f64::from(width) * em / LARGE)
}

/// `text`, with its middle left out where it is wider than `limit` pixels.
pub(super) fn shorten(text: &str, em: f64, limit: f64) -> String {
    if width(text, em) <= limit {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    let shortened = |kept: usize| {
        let (head, tail) = (kept.div_ceil(2), kept / 2);
        let ends = (&letters[..head], &letters[letters.len() - tail..]);
        ends.0.iter().chain(&['…']).chain(ends.1).collect::<String>()
    };
    // The most letters that fit lie in `fit..beyond`: the fewer are kept, the narrower is the text.
    let (mut fit, mut beyond) = (0, letters.len());
    while fit + 1 < beyond {
        let middle = fit.midpoint(beyond);
        if width(&shortened(middle), em) <= limit {
            fit = middle;
        } else {
            beyond = middle;
        }
    }
    let text = shortened(fit);
    if width(&text, em) <= limit { text } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_is_known_and_measures() {
        assert!(register_font("test", FontStyle::Normal, TTF).is_ok());
        assert!(width("mmm", 12.0) > 2.0 * width("iii", 12.0));
        assert_eq!(width("", 12.0), 0.0);
        assert!((width("0", 100.0) - 63.6).abs() < 0.6, "a digit of DejaVu Sans is 0.636 em wide");
    }

    #[test]
    fn long_texts_lose_their_middle() {
        let text = shorten("block.0.attn.projection.of.the.query", 12.0, 100.0);
        assert!(width(&text, 12.0) <= 100.0);
        assert!(text.starts_with("block") && text.ends_with("query") && text.contains('…'), "{text}");
        assert_eq!(shorten("head", 12.0, 100.0), "head");
        assert_eq!(shorten("head", 12.0, 1.0), "");
    }

    /// A text is cut to as many letters as fit, found in no more steps than the length has digits.
    #[test]
    fn as_many_letters_stay_as_fit() {
        for text in ["block.0.attn.projection.of.the.query", &"iiiiwwww".repeat(9), &"x".repeat(4_000)] {
            let shown = shorten(text, 12.0, 100.0);
            let kept = shown.chars().count() - 1;
            let letters: Vec<char> = text.chars().collect();
            let one_more = |head: usize, tail: usize| {
                let ends = [&letters[..head], &['…'], &letters[letters.len() - tail..]].concat();
                width(&ends.into_iter().collect::<String>(), 12.0)
            };
            assert!(width(&shown, 12.0) <= 100.0, "{shown}");
            assert!(one_more((kept + 1).div_ceil(2), kept.div_ceil(2)) > 100.0, "{shown}");
        }
    }
}

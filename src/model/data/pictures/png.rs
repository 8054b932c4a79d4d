//! PNG files as bytes of grey or colour.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, DecodingError, Transformations};

use super::picture::{Header, Picture, Refusal};

/// What PNG files start with.
pub const MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";

type Reader<'a> = png::Reader<Cursor<&'a [u8]>>;

/// Size and colours.
pub fn header(bytes: &[u8]) -> Result<Header, Refusal> {
    open(bytes).map(|(_, header)| header)
}

/// The pixels, of which there are not more than the header says, whatever else is packed behind them.
pub fn decode(bytes: &[u8]) -> Result<Picture, Refusal> {
    let (mut reader, Header { width, height, channels }) = open(bytes)?;
    let with_alpha = reader.output_color_type().0.samples();
    let mut pixels = vec![0; width * height * with_alpha];
    reader.next_frame(&mut pixels).map_err(refuse)?;
    if with_alpha > channels {
        if pixels.chunks_exact(with_alpha).any(|pixel| pixel[channels] != u8::MAX) {
            return Err(("alpha", "some pixels are transparent".to_owned()));
        }
        pixels = pixels.chunks_exact(with_alpha).flat_map(|pixel| &pixel[..channels]).copied().collect();
    }
    Ok(Picture { width, height, channels, pixels })
}

fn open(bytes: &[u8]) -> Result<(Reader<'_>, Header), Refusal> {
    let mut decoder = Decoder::new(Cursor::new(bytes));
    // Palettes are looked up, and fewer bits than 8 become 8.
    decoder.set_transformations(Transformations::EXPAND);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let reader = decoder.read_info().map_err(refuse)?;
    let (color, depth) = reader.output_color_type();
    if depth != BitDepth::Eight {
        return Err(("color", format!("{} bits per channel, expected 8", depth as u8)));
    }
    let channels = match color {
        ColorType::Grayscale | ColorType::GrayscaleAlpha => 1,
        ColorType::Rgb | ColorType::Rgba | ColorType::Indexed => 3,
    };
    let (width, height) = reader.info().size();
    Ok((reader, Header { width: width as usize, height: height as usize, channels }))
}

fn refuse(error: DecodingError) -> Refusal {
    ("image", error.to_string())
}

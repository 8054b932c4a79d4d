//! JPEG files as the bytes that libjpeg-turbo makes of them by default, which is what Pillow sees: the slow integer
//! IDCT, upsampling by triangles, blocks smoothed where a progressive file lacks scans.

use libjpeg_turbo_rs::{DecodeLimits, Decoder, JpegError, PixelFormat};

use super::picture::{Header, MAX_PIXELS, Picture, Refusal};

/// What JPEG files start with.
pub const MAGIC: &[u8] = &[0xff, 0xd8];

/// Scans that a progressive file may have.
const MAX_SCANS: usize = 256;

/// Size and colours.
pub fn header(bytes: &[u8]) -> Result<Header, Refusal> {
    open(bytes).map(|(_, header)| header)
}

/// The pixels.
///
/// # Errors
/// If the file or one of its scans ends early: the decoder would make up what is missing.
pub fn decode(bytes: &[u8]) -> Result<Picture, Refusal> {
    let (mut decoder, Header { width, height, channels }) = open(bytes)?;
    decoder.set_output_format(if channels == 1 { PixelFormat::Grayscale } else { PixelFormat::Rgb });
    decoder.set_block_smoothing(true);
    let pixels = decoder.decode_image().map_err(refuse)?.data;
    Ok(Picture { width, height, channels, pixels })
}

fn open(bytes: &[u8]) -> Result<(Decoder<'_>, Header), Refusal> {
    if !has_end(bytes) {
        return Err(truncated());
    }
    let limits = DecodeLimits { max_pixels: MAX_PIXELS, max_scans: MAX_SCANS, ..DecodeLimits::default() };
    let decoder = Decoder::new_with_limits(bytes, limits).map_err(refuse)?;
    let frame = decoder.header();
    if frame.precision != 8 {
        return Err(("color", format!("{} bits per channel, expected 8", frame.precision)));
    }
    if frame.is_lossless {
        return Err(("image", "a lossless JPEG, expected a baseline or progressive one".to_owned()));
    }
    let channels = match frame.components.len() {
        4 => return Err(("color", "CMYK, expected RGB or grey".to_owned())),
        components @ (1 | 3) => components,
        other => return Err(("color", format!("{other} components, expected 1 or 3"))),
    };
    let header = Header { width: frame.width.into(), height: frame.height.into(), channels };
    Ok((decoder, header))
}

fn refuse(error: JpegError) -> Refusal {
    match error {
        JpegError::UnexpectedEof => truncated(),
        other => ("image", other.to_string()),
    }
}

fn truncated() -> Refusal {
    ("image", "truncated JPEG".to_owned())
}

/// True if the markers lead to the end of a picture, before the file ends or the next picture begins.
fn has_end(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(MAGIC.len()..).unwrap_or_default();
    loop {
        rest = match rest {
            [0xff, 0xd9, ..] => return true,
            [0xff, 0xd8, ..] | [] | [_] => return false,
            // A byte of a scan, a restart within one, a marker without a length.
            [0xff, 0x00 | 0x01 | 0xd0..=0xd7, rest @ ..] => rest,
            // A fill byte, or a byte of a scan.
            [0xff, 0xff, ..] | [0..=0xfe, ..] => &rest[1..],
            // A segment, such as one that holds another picture.
            [0xff, _, length @ ..] => {
                let Some((&high_low, _)) = length.split_first_chunk() else { return false };
                length.get(usize::from(u16::from_be_bytes(high_low))..).unwrap_or_default()
            }
        }
    }
}

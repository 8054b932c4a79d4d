//! A decoded image, what its file says of it, and what is wrong with it.

/// Pixels that an image may have, before and after it is resized.
pub const MAX_PIXELS: u64 = 1 << 26;

/// What is wrong with an image: the field, and the message.
pub type Refusal = (&'static str, String);

/// What a file says of its image.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    pub width: usize,
    pub height: usize,
    /// 1 of grey, 3 of colour; alpha does not count.
    pub channels: usize,
}

/// An image; `[y][x][channel]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    pub channels: usize,
    pub pixels: Vec<u8>,
}

//! Colours.

/// Red, green, blue.
pub(super) type Colour = (u8, u8, u8);

/// Text and axes.
pub(super) const INK: Colour = (0x22, 0x22, 0x22);
/// Text of less weight.
pub(super) const QUIET: Colour = (0x5A, 0x5A, 0x5A);
/// Grid lines.
pub(super) const GRID: Colour = (0xE2, 0xE2, 0xE2);
/// Lines from a point to its label.
pub(super) const LEADER: Colour = (0x99, 0x99, 0x99);
/// Background.
pub(super) const WHITE: Colour = (0xFF, 0xFF, 0xFF);
/// Bars and points of figures with one series.
pub(super) const SINGLE: Colour = (0x00, 0x72, 0xB2);

/// Parts of a stack. Okabe-Ito and Tol colours, chosen so that any two differ by a CIELAB distance
/// of at least 21, for normal sight and for each of the three kinds of colour blindness; the order
/// sets light beside dark.
const PARTS: [Colour; 12] = [
    (0x00, 0x72, 0xB2),
    (0xF0, 0xE4, 0x42),
    (0x88, 0x22, 0x55),
    (0x56, 0xB4, 0xE9),
    (0x33, 0x22, 0x88),
    (0xB2, 0xDF, 0x8A),
    (0x5B, 0x2C, 0x06),
    (0xF4, 0xA6, 0xC0),
    (0x99, 0x99, 0x33),
    (0x99, 0x33, 0xFF),
    (0xCC, 0x66, 0x77),
    (0x00, 0x00, 0x00),
];

/// The colour of the part with this position in its stack.
pub(super) fn part(index: usize) -> Colour {
    PARTS[index % PARTS.len()]
}

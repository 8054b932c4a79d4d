//! Colours.

use super::super::part_colours::PARTS;

pub(super) use super::super::part_colours::Colour;

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

/// The colour of the part with this position in its stack.
pub(super) fn part(index: usize) -> Colour {
    PARTS[index % PARTS.len()]
}

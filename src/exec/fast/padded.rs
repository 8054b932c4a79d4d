//! Maps with their padding around them: every tap of a window is a distance, the same for all outputs.

use crate::exec::kernels::LANES;
use crate::exec::room::Room;
use crate::model::ConvGeometry;
use crate::tensor::Shape;

/// Maps of one shape that a convolution keeps.
#[derive(Debug)]
pub struct Padded {
    frames: usize,
    height: usize,
    width: usize,
    pad: [usize; 2],
    /// Per tap, how far behind the first one of its window it lies.
    pub distances: Vec<usize>,
}

impl Padded {
    /// Pads `frames` maps of `input`, which `geometry` keeps as large as they are.
    pub fn new(geometry: &ConvGeometry, input: Shape, frames: usize) -> Self {
        let pad = geometry.pad;
        let row = input.width + 2 * pad[1];
        let distance = |[down, right]: [usize; 2]| down * row + right;
        let distances = (0..geometry.taps()).map(|tap| distance(geometry.tap_at(tap))).collect();
        Self { frames, height: input.height, width: input.width, pad, distances }
    }

    /// Places of all maps with what lies around them, up to a multiple of the vector length.
    pub fn places(&self) -> usize {
        (self.frames * self.places_of_a_frame()).next_multiple_of(LANES)
    }

    fn places_of_a_frame(&self) -> usize {
        (self.height + 2 * self.pad[0]) * self.places_of_a_row()
    }

    fn places_of_a_row(&self) -> usize {
        self.width + 2 * self.pad[1]
    }

    /// Where row `y` of frame `t` starts, and where the first tap of its first window lies.
    fn rows(&self) -> impl Iterator<Item = (usize, usize)> {
        let (row, frame) = (self.places_of_a_row(), self.places_of_a_frame());
        let rows = (0..self.frames).flat_map(move |t| (0..self.height).map(move |y| (t, y)));
        rows.map(move |(t, y)| ((t * self.height + y) * self.width, t * frame + y * row))
    }

    /// The maps of `values` with `padding` around them; every distance from every place lies inside.
    pub fn surround<'r>(&self, values: &[i32], padding: i32, room: &'r mut Room<i32>) -> &'r [i32] {
        let behind = self.distances.last().copied().unwrap_or(0);
        let out = room.at_least(self.places() + behind);
        out.fill(padding);
        let inside = self.pad[0] * self.places_of_a_row() + self.pad[1];
        for (from, to) in self.rows() {
            out[inside + to..][..self.width].copy_from_slice(&values[from..][..self.width]);
        }
        out
    }

    /// The outputs of `places`, one behind the other.
    pub fn compact(&self, places: &[i32], out: &mut [i32]) {
        for (to, from) in self.rows() {
            out[to..][..self.width].copy_from_slice(&places[from..][..self.width]);
        }
    }
}

//! What the taps of a window read: rows of one input position per column of the output.

use super::padded::Padded;
use super::value::stride_of;
use crate::exec::kernels::{self, Cpu};
use crate::model::ConvGeometry;
use crate::tensor::Shape;

/// The taps of a convolution, or of a pooling that sums, on maps of one shape, all frames in one row.
#[derive(Debug)]
pub struct Gather {
    taps: Vec<Tap>,
    frames: usize,
    /// Positions of a frame that is read.
    inputs: usize,
    /// Positions of a frame that is written.
    outputs: usize,
    /// Columns of a row that is written.
    pub stride: usize,
    /// Values around a row that is read, so that every tap of it can be.
    margin: usize,
    /// True if every column reads itself.
    identity: bool,
    /// Where maps keep their size, how they lie with their padding.
    pub padded: Option<Padded>,
}

#[derive(Debug)]
enum Tap {
    /// Column i reads column i + offset where `inside` is set, and the padding elsewhere.
    Shift { offset: isize, inside: Vec<u8> },
    /// Per output position of a frame, the input position; out of range for the padding.
    Index(Vec<u32>),
}

impl Gather {
    /// Gathers the inputs of `geometry` on `frames` maps of `input`.
    pub fn new(geometry: &ConvGeometry, input: Shape, frames: usize) -> Self {
        let output = geometry.output(input).expect("checked when the network was built");
        let stride = stride_of(frames * output.positions());
        let same = (output.height, output.width) == (input.height, input.width) && geometry.stride == [1, 1];
        let mut reads = vec![Vec::with_capacity(output.positions()); geometry.taps()];
        for position in 0..output.positions() {
            let taps = geometry.taps_of(input, position / output.width, position % output.width);
            taps.for_each(|(tap, at)| reads[tap].push(at));
        }
        let offset = |tap: usize| {
            let at = geometry.tap_at(tap);
            let step = |axis: usize| at[axis] as isize - geometry.pad[axis] as isize;
            step(0) * input.width as isize + step(1)
        };
        let tap = |tap: usize| {
            if same {
                let mut inside = vec![0; stride];
                let frame: Vec<u8> = reads[tap].iter().map(|p| if p.is_some() { 255 } else { 0 }).collect();
                inside.chunks_exact_mut(frame.len()).take(frames).for_each(|row| row.copy_from_slice(&frame));
                Tap::Shift { offset: offset(tap), inside }
            } else {
                Tap::Index(reads[tap].iter().map(|p| p.map_or(u32::MAX, |p| p as u32)).collect())
            }
        };
        let margin =
            if same { (0..geometry.taps()).map(|t| offset(t).unsigned_abs()).max().unwrap_or(0) } else { 0 };
        let taps = (0..geometry.taps()).map(tap).collect();
        let identity = same && geometry.taps() == 1;
        let padded = same.then(|| Padded::new(geometry, input, frames));
        let (inputs, outputs) = (input.positions(), output.positions());
        Self { taps, frames, inputs, outputs, stride, margin, identity, padded }
    }

    /// Taps.
    pub fn taps(&self) -> usize {
        self.taps.len()
    }

    /// Columns of a row that is written and that mean something.
    pub fn columns(&self) -> usize {
        self.frames * self.outputs
    }

    /// Columns of a row that is read.
    pub fn in_stride(&self) -> usize {
        stride_of(self.frames * self.inputs)
    }

    /// Positions of a frame that is written.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// True if every column reads itself.
    pub fn is_identity(&self) -> bool {
        self.identity
    }

    /// Columns before the first of a row that is copied with what lies around it.
    pub fn margin(&self) -> usize {
        self.margin
    }

    /// Columns of a row with what lies around it. What the margin holds is never selected; a row that is read
    /// is as long as the one that is written.
    pub fn surrounded_length(&self) -> usize {
        self.stride.max(self.in_stride()) + 2 * self.margin
    }

    /// Copies `rows` into `room`, with what lies around them; yields the distance between rows there.
    pub fn surround<'a, T: Copy + Default + 'a>(
        &self,
        rows: impl Iterator<Item = &'a [T]>,
        room: &mut Vec<T>,
    ) -> usize {
        room.clear();
        let length = self.surrounded_length();
        for row in rows {
            let start = room.len();
            room.resize(start + self.margin, T::default());
            room.extend_from_slice(row);
            room.resize(start + length, T::default());
        }
        length
    }

    /// True if every column reads the inputs around it, so that a window is as many rows of windows.
    pub fn keeps_size(&self) -> bool {
        self.padded.is_some()
    }

    /// What `tap` reads of a row of packed spikes that [`Gather::surround`] copied, from column `from` on.
    pub fn bytes(&self, cpu: Cpu, tap: usize, row: &[u8], from: usize, out: &mut [u8]) {
        match &self.taps[tap] {
            Tap::Shift { offset, inside } => {
                kernels::select_bytes(cpu, self.shifted(row, *offset, from), &inside[from..], out)
            }
            Tap::Index(index) => self.indexed(index, row, from, out, |out, x| *out = x.copied().unwrap_or(0)),
        }
    }

    /// What `tap` reads of a row of values that [`Gather::surround`] copied, from column `from` on.
    pub fn words(&self, cpu: Cpu, tap: usize, (row, padding): (&[i32], i32), from: usize, out: &mut [i32]) {
        match &self.taps[tap] {
            Tap::Shift { offset, inside } => {
                kernels::select_words(cpu, self.shifted(row, *offset, from), &inside[from..], padding, out)
            }
            Tap::Index(index) => {
                self.indexed(index, row, from, out, |out, x| *out = x.copied().unwrap_or(padding))
            }
        }
    }

    /// Adds what `tap` reads.
    pub fn add(&self, cpu: Cpu, tap: usize, row: &[i32], out: &mut [i32]) {
        match &self.taps[tap] {
            Tap::Shift { offset, inside } => {
                kernels::add_inside(cpu, self.shifted(row, *offset, 0), inside, out);
            }
            Tap::Index(index) => self.indexed(index, row, 0, out, |out, x| *out += x.unwrap_or(&0)),
        }
    }

    /// Adds what `tap` reads times `factor`, from column `from` on.
    pub fn add_scaled(
        &self,
        cpu: Cpu,
        (tap, factor): (usize, i32),
        (row, padding): (&[i32], i32),
        from: usize,
        out: &mut [i32],
    ) {
        match &self.taps[tap] {
            Tap::Shift { offset, inside } => {
                let row = self.shifted(row, *offset, from);
                kernels::add_scaled_inside(cpu, factor, row, &inside[from..], padding, out);
            }
            Tap::Index(index) => {
                let add = |out: &mut i32, x: Option<&i32>| *out += factor * x.copied().unwrap_or(padding);
                self.indexed(index, row, from, out, add);
            }
        }
    }

    fn shifted<'a, T>(&self, row: &'a [T], offset: isize, from: usize) -> &'a [T] {
        &row[self.margin.strict_add_signed(offset)..][from..self.stride]
    }

    /// Shows `take` what each of the columns from `from` on reads, which is nothing outside of the map and
    /// behind the last frame.
    fn indexed<T, U>(
        &self,
        index: &[u32],
        row: &[T],
        from: usize,
        out: &mut [U],
        take: impl Fn(&mut U, Option<&T>),
    ) {
        let (mut column, mut out) = (from, out);
        while !out.is_empty() {
            let (t, position) = (column / self.outputs, column % self.outputs);
            let frame = if t < self.frames { &row[t * self.inputs..][..self.inputs] } else { &[] };
            let (now, behind) = out.split_at_mut((self.outputs - position).min(out.len()));
            now.iter_mut().zip(&index[position..]).for_each(|(out, &at)| take(out, frame.get(at as usize)));
            column += now.len();
            out = behind;
        }
    }
}

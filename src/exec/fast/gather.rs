//! What the taps of a window read: rows of one input position per column of the output.

use crate::exec::kernels::{self, Cpu, LANES};
use crate::model::ConvGeometry;
use crate::tensor::Shape;

/// The taps of a convolution or pooling on maps of one shape, all frames in one row.
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
}

#[derive(Debug)]
enum Tap {
    /// Column i reads column i + offset where `inside` is set, and the padding elsewhere.
    Shift { offset: isize, inside: Vec<u8> },
    /// Per output position of a frame, the input position; out of range for the padding.
    Index(Vec<u32>),
}

/// Columns of a row that holds `values`.
pub fn stride_of(values: usize) -> usize {
    values.next_multiple_of(LANES)
}

impl Gather {
    /// Of `geometry` on `frames` maps of `input`.
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
            let step = |tap: usize, axis: usize| tap as isize - geometry.pad[axis] as isize;
            let columns = geometry.kernel[1];
            step(tap / columns, 0) * input.width as isize + step(tap % columns, 1)
        };
        let tap = |tap: usize| match same {
            true => {
                let mut inside = vec![0; stride];
                let frame: Vec<u8> = reads[tap].iter().map(|p| if p.is_some() { 255 } else { 0 }).collect();
                inside.chunks_exact_mut(frame.len()).take(frames).for_each(|row| row.copy_from_slice(&frame));
                Tap::Shift { offset: offset(tap), inside }
            }
            false => Tap::Index(reads[tap].iter().map(|p| p.map_or(u32::MAX, |p| p as u32)).collect()),
        };
        let margin =
            if same { (0..geometry.taps()).map(|t| offset(t).unsigned_abs()).max().unwrap_or(0) } else { 0 };
        let taps = (0..geometry.taps()).map(tap).collect();
        Self { taps, frames, inputs: input.positions(), outputs: output.positions(), stride, margin }
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
        match &*self.taps {
            [Tap::Shift { offset: 0, inside }] => inside[..self.columns()].iter().all(|&inside| inside != 0),
            _ => false,
        }
    }

    /// Copies `rows` into `room`, with what lies around them; yields the distance between rows there.
    pub fn surround<'a, T: Copy + Default + 'a>(
        &self,
        rows: impl Iterator<Item = &'a [T]>,
        room: &mut Vec<T>,
    ) -> usize {
        room.clear();
        // What the margin holds is never selected; a read-only row is as long as the one that is written.
        let length = self.stride.max(self.in_stride()) + 2 * self.margin;
        for row in rows {
            let start = room.len();
            room.resize(start + self.margin, T::default());
            room.extend_from_slice(row);
            room.resize(start + length, T::default());
        }
        length
    }

    /// What `tap` reads of a row of packed spikes that [`Gather::surround`] copied.
    pub fn bytes(&self, cpu: Cpu, tap: usize, row: &[u8], out: &mut [u8]) {
        match &self.taps[tap] {
            Tap::Shift { offset, inside } => {
                kernels::select_bytes(cpu, self.shifted(row, *offset), inside, out)
            }
            Tap::Index(index) => self.indexed(index, row, 0, out),
        }
    }

    /// What `tap` reads of a row of values that [`Gather::surround`] copied.
    pub fn words(&self, cpu: Cpu, tap: usize, row: &[i32], padding: i32, out: &mut [i32]) {
        match &self.taps[tap] {
            Tap::Shift { offset, inside } => {
                kernels::select_words(cpu, self.shifted(row, *offset), inside, padding, out)
            }
            Tap::Index(index) => self.indexed(index, row, padding, out),
        }
    }

    /// Adds what `tap` reads.
    pub fn add(&self, cpu: Cpu, tap: usize, row: &[i32], out: &mut [i32]) {
        match &self.taps[tap] {
            Tap::Shift { offset, inside } => {
                kernels::add_inside(cpu, self.shifted(row, *offset), inside, out);
            }
            Tap::Index(index) => self.fold_indexed(index, row, out, |out, x| *out += x),
        }
    }

    /// Adds what `tap` reads times `factor`.
    pub fn add_scaled(&self, cpu: Cpu, tap: usize, factor: i32, row: &[i32], padding: i32, out: &mut [i32]) {
        match &self.taps[tap] {
            Tap::Shift { offset, inside } => {
                kernels::add_scaled_inside(cpu, factor, self.shifted(row, *offset), inside, padding, out);
            }
            Tap::Index(index) => {
                let frames = row[..self.frames * self.inputs].chunks_exact(self.inputs);
                for (out, row) in out.chunks_exact_mut(self.outputs).zip(frames) {
                    for (out, &at) in out.iter_mut().zip(index) {
                        *out += factor * row.get(at as usize).copied().unwrap_or(padding);
                    }
                }
            }
        }
    }

    /// Keeps the larger of what is there and what `tap` reads.
    pub fn max(&self, cpu: Cpu, tap: usize, row: &[i32], out: &mut [i32]) {
        match &self.taps[tap] {
            Tap::Shift { offset, inside } => {
                kernels::max_inside(cpu, self.shifted(row, *offset), inside, out);
            }
            Tap::Index(index) => self.fold_indexed(index, row, out, |out, x| *out = x.max(*out)),
        }
    }

    /// Adds the spikes that `tap` reads.
    pub fn or(&self, cpu: Cpu, tap: usize, row: &[u8], out: &mut [u8]) {
        match &self.taps[tap] {
            Tap::Shift { offset, inside } => {
                kernels::or_inside(cpu, self.shifted(row, *offset), inside, out);
            }
            Tap::Index(index) => self.fold_indexed(index, row, out, |out, x| *out |= x),
        }
    }

    fn fold_indexed<T: Copy>(&self, index: &[u32], row: &[T], out: &mut [T], fold: impl Fn(&mut T, T)) {
        let frames = row[..self.frames * self.inputs].chunks_exact(self.inputs);
        for (out, row) in out.chunks_exact_mut(self.outputs).zip(frames) {
            for (out, &at) in out.iter_mut().zip(index) {
                if let Some(&x) = row.get(at as usize) {
                    fold(out, x);
                }
            }
        }
    }

    fn shifted<'a, T>(&self, row: &'a [T], offset: isize) -> &'a [T] {
        &row[self.margin.strict_add_signed(offset)..][..self.stride]
    }

    fn indexed<T: Copy>(&self, index: &[u32], row: &[T], padding: T, out: &mut [T]) {
        let (read, rest) = out.split_at_mut(self.frames * self.outputs);
        let frames = row[..self.frames * self.inputs].chunks_exact(self.inputs);
        for (out, row) in read.chunks_exact_mut(self.outputs).zip(frames) {
            out.iter_mut().zip(index).for_each(|(out, &at)| *out = *row.get(at as usize).unwrap_or(&padding));
        }
        rest.fill(padding);
    }
}

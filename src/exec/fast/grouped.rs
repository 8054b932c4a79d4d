//! Grouped and depthwise convolutions on spikes or small counts.
//!
//! A byte of the index holds inputs of one row of the window. Where the map keeps its size, the bytes of all
//! rows of the window are the same ones, read further up or down: they are made once per group.

use std::cell::RefCell;

use super::codes::{code, words};
use super::gather::Gather;
use super::kernel::{LayerKernel, MAX_PLANES, Scratch, Wanted};
use super::source::{LayerInput, PackedSource};
use crate::exec::kernels::{self, BLOCK, Cpu, LookupMatrix, TableRoom};
use crate::exec::room::Room;

/// A look-up here takes as long as so many of a layer whose channels share their inputs.
const SLOWER_THAN_SHARED: usize = 32;

/// A convolution in groups, each with its own tables.
#[derive(Debug)]
pub struct GroupedLookup {
    /// Bits of an input.
    planes: u32,
    /// Rows of the window.
    height: usize,
    /// Taps of a row of the window.
    width: usize,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    /// What the bits of each byte are; all bytes of one row of the window.
    bytes: Vec<Vec<BitSource>>,
    /// Inputs are the bytes of every row of the window.
    matrix: LookupMatrix,
}

/// An input: a bit of a row of packed spikes, at a tap of a row of the window.
#[derive(Debug, Clone, Copy)]
struct BitSource {
    row: usize,
    bit: u32,
    tap: usize,
}

/// Room of a thread for one group.
#[derive(Debug, Default)]
struct GroupRoom {
    tables: TableRoom,
    /// Bytes of a row of the window, with what lies around them.
    bytes: Room<u8>,
    bit: Room<u8>,
    index: Room<u8>,
}

thread_local! {
    static ROOM: RefCell<GroupRoom> = RefCell::default();
}

impl GroupedLookup {
    /// Tables of each group; `None` of inputs that are not looked up, of a single group, and where a partial sum
    /// does not fit 16 bits.
    pub fn new(wanted: &Wanted) -> Option<Self> {
        let (&Wanted { cpu, op, .. }, planes) = (wanted, wanted.planes()?);
        let g = &op.geometry;
        if planes > MAX_PLANES || !wanted.fits() || g.groups == 1 {
            return None;
        }
        let [height, width] = g.kernel;
        let per_byte = cpu.inputs_per_table();
        let (outs, per_group) = (g.out_channels / g.groups, g.in_channels / g.groups);
        let packed_rows = g.in_channels.div_ceil(per_byte);
        // (bit plane, tap of a row of the window, channel of a group)
        let taps = (0..planes).flat_map(|plane| (0..width).map(move |tap| (plane, tap)));
        let inputs: Vec<_> = taps.flat_map(|(p, tap)| (0..per_group).map(move |c| (p, tap, c))).collect();
        let group = |group: usize| {
            let source = |&(plane, tap, c): &(u32, usize, usize)| {
                let channel = group * per_group + c;
                let row = plane as usize * packed_rows + channel / per_byte;
                BitSource { row, bit: (channel % per_byte) as u32, tap }
            };
            let padded = inputs.len().next_multiple_of(per_byte);
            let range = group * outs..(group + 1) * outs;
            let mut codes = Vec::with_capacity(outs * height * padded);
            for (out, row) in range.clone().flat_map(|out| (0..height).map(move |row| (out, row))) {
                let code =
                    |&(plane, tap, c): &(u32, usize, usize)| code(op, out, c, row * width + tap) << plane;
                codes.extend(inputs.iter().map(code));
                codes.resize(codes.len().next_multiple_of(padded), 0);
            }
            let matrix = LookupMatrix::new(
                cpu.table_layout(),
                &codes,
                height * padded,
                op.fraction_bits,
                &words(&op.bias[range]),
            )?;
            let bytes = inputs.chunks(per_byte).map(|byte| byte.iter().map(source).collect()).collect();
            Some(Group { bytes, matrix })
        };
        Some(Self { planes, height, width, groups: (0..g.groups).map(group).collect::<Option<_>>()? })
    }

    /// True where the bytes of all rows of the window are those at the height of its output, read further up or
    /// down: the middle of the window is its output, which an even number of taps does not have.
    fn shares_bytes(&self, gather: &Gather) -> bool {
        gather.keeps_size() && self.height % 2 == 1 && self.width % 2 == 1
    }

    /// X of the channels of a group from `first` on.
    fn channels_of_group(
        &self,
        input: LayerInput,
        (group, first): (&Group, usize),
        source: PackedSource,
        room: &mut GroupRoom,
        out: &mut [i32],
    ) {
        let LayerInput { cpu, gather, .. } = input;
        let GroupRoom { tables, bytes, bit, index } = room;
        let outs = out.len() / gather.stride;
        let tables = group.matrix.tables(cpu, first, outs, tables);
        let shared = self.shares_bytes(gather);
        let length = if shared { self.bytes_of_a_row(input, group, source, bytes, bit) } else { 0 };
        for from in (0..gather.stride).step_by(BLOCK) {
            let columns = BLOCK.min(gather.stride - from);
            let index = index.at_least(group.matrix.rows * columns);
            let rows = (0..self.height).flat_map(|row| (0..group.bytes.len()).map(move |byte| (row, byte)));
            for ((row, byte), line) in rows.zip(index.chunks_exact_mut(columns)) {
                if shared {
                    let bytes = &bytes[byte * length..][..length];
                    gather.bytes(cpu, row * self.width + self.width / 2, bytes, from, line);
                } else {
                    line.fill(0);
                    for (to, input) in group.bytes[byte].iter().enumerate() {
                        let bit = bit.at_least(columns);
                        gather.bytes(cpu, row * self.width + input.tap, source.row(input.row), from, bit);
                        kernels::move_bit(cpu, bit, input.bit, to as u32, line);
                    }
                }
            }
            for (channel, out) in out.chunks_exact_mut(gather.stride).enumerate() {
                kernels::lookup(cpu, &tables.one(channel), index, columns, &mut out[from..][..columns]);
            }
        }
    }

    /// The bytes of the row of the window that is at the height of its output, with what lies around them;
    /// returns the distance between them.
    fn bytes_of_a_row(
        &self,
        LayerInput { cpu, gather, .. }: LayerInput,
        group: &Group,
        source: PackedSource,
        bytes: &mut Room<u8>,
        bit: &mut Room<u8>,
    ) -> usize {
        let (bit, first_tap) = (bit.at_least(gather.stride), self.height / 2 * self.width);
        let length = gather.surrounded_length();
        let bytes = bytes.at_least(group.bytes.len() * length);
        for (bits, line) in group.bytes.iter().zip(bytes.chunks_exact_mut(length)) {
            line.fill(0);
            let line = &mut line[gather.margin()..][..gather.stride];
            for (to, input) in bits.iter().enumerate() {
                gather.bytes(cpu, first_tap + input.tap, source.row(input.row), 0, bit);
                kernels::move_bit(cpu, bit, input.bit, to as u32, line);
            }
        }
        length
    }
}

impl LayerKernel for GroupedLookup {
    fn memory_bytes(&self) -> usize {
        self.groups.iter().map(|group| group.matrix.memory_bytes()).sum()
    }

    /// All tables or none.
    fn store_tables(&mut self, cpu: Cpu, budget_bytes: usize) -> usize {
        let needed = self.groups.iter().map(|group| group.matrix.table_bytes()).sum();
        let Some(left) = budget_bytes.checked_sub(needed) else { return budget_bytes };
        self.groups.iter_mut().for_each(|group| group.matrix.store_tables(cpu));
        left
    }

    fn prepare(&self, input: LayerInput, scratch: &mut Scratch) {
        scratch.packed.read(input, self.planes);
    }

    fn channels(&self, input: LayerInput, scratch: &Scratch, first: usize, out: &mut [i32]) {
        let (source, stride) = (PackedSource::new(input, &scratch.packed), input.gather.stride);
        let outs = self.groups[0].matrix.outs;
        let (mut first, mut out) = (first, out);
        while !out.is_empty() {
            // What is left of a group.
            let count = (outs - first % outs).min(out.len() / stride);
            let (now, behind) = out.split_at_mut(count * stride);
            let group = (&self.groups[first / outs], first % outs);
            ROOM.with_borrow_mut(|room| self.channels_of_group(input, group, source, room, now));
            (first, out) = (first + count, behind);
        }
    }

    fn work_of_an_output(&self, cpu: Cpu) -> usize {
        self.groups[0].matrix.rows * cpu.inputs_per_table() * SLOWER_THAN_SHARED
    }
}

//! Weight layers that read spikes or small counts: what their tables are looked up with.

use std::cell::RefCell;

use rayon::prelude::*;

use super::gather::Gather;
use super::layer::{code, words};
use super::threads;
use super::value::{Value, at_least};
use crate::exec::kernels::{self, BLOCK, Cpu, LookupMatrix, TableRoom};
use crate::quant::QuantizedWeighted;

/// Bytes of an index that are worth a thread.
const BYTES_OF_A_THREAD: usize = 1 << 18;

/// A convolution without groups on packed spikes, or on the bit planes of counts: a bit plane is further
/// inputs, whose weights are doubled.
#[derive(Debug)]
pub struct LookupLayer {
    /// What the bytes of its index are.
    rows: Vec<IndexRow>,
    matrix: LookupMatrix,
}

/// A byte of packed spikes at one tap.
#[derive(Debug, Clone, Copy)]
struct IndexRow {
    row: usize,
    tap: usize,
}

/// Room for rows of packed spikes.
#[derive(Debug, Default)]
pub struct PackedRoom {
    packed: Vec<u8>,
    surrounded: Vec<u8>,
}

/// Room for an index.
#[derive(Debug, Default)]
pub struct IndexRoom(Vec<u8>);

/// Rows of packed spikes, with what lies around them where something reads it.
#[derive(Debug, Clone, Copy)]
pub struct PackedSource<'a> {
    bytes: &'a [u8],
    length: usize,
}

thread_local! {
    static TABLES: RefCell<TableRoom> = RefCell::default();
}

impl<'a> PackedSource<'a> {
    /// All rows of `input`, or of the lowest `planes` bits of its counts, plane after plane.
    pub fn new(cpu: Cpu, gather: &Gather, input: Value<'a>, planes: u32, room: &'a mut PackedRoom) -> Self {
        let packed = match input.layout.packed {
            Some(_) => input.bytes(),
            None => pack(cpu, input, planes, &mut room.packed),
        };
        if gather.is_identity() {
            return Self { bytes: packed, length: input.layout.stride };
        }
        let length = gather.surround(packed.chunks_exact(input.layout.stride), &mut room.surrounded);
        Self { bytes: &room.surrounded, length }
    }

    /// A row.
    pub fn row(&self, row: usize) -> &'a [u8] {
        &self.bytes[row * self.length..][..self.length]
    }
}

impl LookupLayer {
    /// Tables over all inputs; `None` where a partial sum does not fit 16 bits.
    pub fn new(cpu: Cpu, op: &QuantizedWeighted, planes: u32) -> Option<Self> {
        let g = &op.geometry;
        let width = cpu.inputs_per_table();
        let packed_rows = g.in_channels.div_ceil(width);
        let taps = (0..planes).flat_map(|plane| (0..g.taps()).map(move |tap| (plane, tap)));
        let taps: Vec<(u32, usize)> = taps.collect();
        let mut codes = Vec::with_capacity(g.out_channels * taps.len() * packed_rows * width);
        for (out, &(plane, tap)) in (0..g.out_channels).flat_map(|out| taps.iter().map(move |tap| (out, tap)))
        {
            codes.extend((0..g.in_channels).map(|channel| code(op, out, channel, tap) << plane));
            // Nothing sets the last bits of the last byte.
            codes.resize(codes.len().next_multiple_of(packed_rows * width), 0);
        }
        let inputs = taps.len() * packed_rows * width;
        let matrix =
            LookupMatrix::new(cpu.table_layout(), &codes, inputs, op.fraction_bits, &words(&op.bias))?;
        let row = |&(plane, tap): &(u32, usize)| {
            (0..packed_rows).map(move |row| IndexRow { row: plane as usize * packed_rows + row, tap })
        };
        Some(Self { rows: taps.iter().flat_map(row).collect(), matrix })
    }

    /// Bytes of its tables, or of what they are made of.
    pub fn memory_bytes(&self) -> usize {
        self.matrix.memory_bytes()
    }

    /// Makes the tables if they fit `budget_bytes`; returns what is left of it.
    pub fn store_tables(&mut self, cpu: Cpu, budget_bytes: usize) -> usize {
        let Some(left) = budget_bytes.checked_sub(self.matrix.table_bytes()) else { return budget_bytes };
        self.matrix.store_tables(cpu);
        left
    }

    /// Multiply-accumulates of an output.
    pub fn work_of_an_output(&self, cpu: Cpu) -> usize {
        self.matrix.rows * cpu.inputs_per_table()
    }

    /// X of the channels from `first` on, as many as `out` has rows.
    pub fn channels(&self, cpu: Cpu, index: &[u8], stride: usize, first: usize, out: &mut [i32]) {
        TABLES.with_borrow_mut(|tables| {
            let tables = self.matrix.tables(cpu, first, out.len() / stride, tables);
            kernels::lookup(cpu, &tables, index, stride, out);
        });
    }

    /// What is looked up, `[block][row][column]`.
    pub fn index<'r>(
        &self,
        cpu: Cpu,
        gather: &Gather,
        source: PackedSource,
        IndexRoom(room): &'r mut IndexRoom,
    ) -> &'r [u8] {
        let index = at_least(room, self.rows.len() * gather.stride);
        let block = |(i, block): (usize, &mut [u8])| {
            let columns = block.len() / self.rows.len();
            for (from, line) in self.rows.iter().zip(block.chunks_exact_mut(columns)) {
                match gather.is_identity() {
                    true => line.copy_from_slice(&source.row(from.row)[i * BLOCK..][..columns]),
                    false => gather.bytes(cpu, from.tap, source.row(from.row), i * BLOCK, line),
                }
            }
        };
        match threads::are_worth(index.len(), BYTES_OF_A_THREAD) {
            true => index.par_chunks_mut(self.rows.len() * BLOCK).enumerate().for_each(block),
            false => index.chunks_mut(self.rows.len() * BLOCK).enumerate().for_each(block),
        }
        index
    }
}

/// Bit planes of counts: `[plane][row of packed channels]`.
fn pack<'r>(cpu: Cpu, input: Value, planes: u32, room: &'r mut Vec<u8>) -> &'r [u8] {
    let (width, stride) = (cpu.inputs_per_table(), input.layout.stride);
    let channels = input.layout.shape.channels;
    let rows = channels.div_ceil(width);
    let packed = at_least(room, planes as usize * rows * stride);
    packed.fill(0);
    for (plane, packed) in packed.chunks_exact_mut(rows * stride).enumerate() {
        for (channel, x) in input.words().chunks_exact(stride).enumerate() {
            let row = &mut packed[channel / width * stride..][..stride];
            kernels::pack_bit(cpu, x, plane as u32, (channel % width) as u32, row);
        }
    }
    packed
}

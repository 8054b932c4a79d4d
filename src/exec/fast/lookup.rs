//! Weight layers that read spikes or small counts: what their tables are looked up with.

use std::cell::RefCell;

use rayon::prelude::*;

use super::codes::{code, words};
use super::kernel::{LayerKernel, MAX_PLANES, Scratch, Wanted};
use super::source::{LayerInput, PackedSource};
use super::threads;
use crate::exec::kernels::{self, BLOCK, Cpu, Entry, LookupMatrix, TableRoom};

/// Bytes of an index that are worth a thread.
const BYTES_OF_A_THREAD: usize = 1 << 18;

/// A convolution without groups on packed spikes, or on the bit planes of counts: a bit plane is further
/// inputs, whose weights are doubled.
#[derive(Debug)]
pub struct LookupLayer {
    /// Bits of an input.
    planes: u32,
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

thread_local! {
    static TABLES: RefCell<TableRoom> = RefCell::default();
}

impl LookupLayer {
    /// Tables over all inputs; `None` of inputs that are not looked up, of groups, and where a partial sum does
    /// not fit 16 bits.
    pub fn new(wanted: &Wanted) -> Option<Self> {
        let (&Wanted { cpu, op, .. }, planes) = (wanted, wanted.planes()?);
        let g = &op.geometry;
        if planes > MAX_PLANES || !wanted.fits() || g.groups > 1 {
            return None;
        }
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
        Some(Self { planes, rows: taps.iter().flat_map(row).collect(), matrix })
    }

    /// True if look-ups are faster than products of bytes: of spikes, and of two bit planes and narrow weights.
    pub fn beats_products(&self) -> bool {
        self.planes < 2 || self.planes == 2 && self.matrix.entry() == Entry::Byte
    }

    /// Fills `index` with what is looked up, `[block][row][column]`.
    fn fill(&self, LayerInput { cpu, gather, .. }: LayerInput, source: PackedSource, index: &mut [u8]) {
        let block = |(i, block): (usize, &mut [u8])| {
            let columns = block.len() / self.rows.len();
            for (from, line) in self.rows.iter().zip(block.chunks_exact_mut(columns)) {
                if gather.is_identity() {
                    line.copy_from_slice(&source.row(from.row)[i * BLOCK..][..columns])
                } else {
                    gather.bytes(cpu, from.tap, source.row(from.row), i * BLOCK, line)
                }
            }
        };
        if threads::are_worth(index.len(), BYTES_OF_A_THREAD) {
            index.par_chunks_mut(self.rows.len() * BLOCK).enumerate().for_each(block)
        } else {
            index.chunks_mut(self.rows.len() * BLOCK).enumerate().for_each(block)
        }
    }
}

impl LayerKernel for LookupLayer {
    fn memory_bytes(&self) -> usize {
        self.matrix.memory_bytes()
    }

    fn store_tables(&mut self, cpu: Cpu, budget_bytes: usize) -> usize {
        let Some(left) = budget_bytes.checked_sub(self.matrix.table_bytes()) else { return budget_bytes };
        self.matrix.store_tables(cpu);
        left
    }

    fn prepare(&self, input: LayerInput, Scratch { packed, index, .. }: &mut Scratch) {
        packed.read(input, self.planes);
        let index = index.at_least(self.rows.len() * input.gather.stride);
        self.fill(input, PackedSource::new(input, packed), index);
    }

    fn channels(&self, input: LayerInput, scratch: &Scratch, first: usize, out: &mut [i32]) {
        let (cpu, stride) = (input.cpu, input.gather.stride);
        let index = &scratch.index[..self.rows.len() * stride];
        let count = cpu.channels_of_a_tile();
        for (i, out) in out.chunks_mut(count * stride).enumerate() {
            TABLES.with_borrow_mut(|tables| {
                let tables = self.matrix.tables(cpu, first + i * count, out.len() / stride, tables);
                kernels::lookup(cpu, &tables, index, stride, out);
            });
        }
    }

    fn work_of_an_output(&self, cpu: Cpu) -> usize {
        self.matrix.rows * cpu.inputs_per_table()
    }

    /// Channels that read the same inputs share what is loaded of them.
    fn channels_of_a_tile(&self, cpu: Cpu, _stride: usize) -> usize {
        cpu.channels_of_a_tile()
    }
}

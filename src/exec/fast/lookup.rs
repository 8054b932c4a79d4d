//! Weight layers that read spikes or small counts: what their tables are looked up with.

use std::cell::RefCell;

use rayon::prelude::*;

use super::gather::Gather;
use super::layer::{WORK_OF_A_THREAD, code, in_tiles, words};
use super::neuron::NeuronScratch;
use super::value::{Layout, Value, at_least};
use crate::exec::kernels::{self, BLOCK, Cell, Cpu, LookupMatrix, TableRoom};
use crate::quant::QuantizedWeighted;

/// Bytes of packed spikes whose neurons are computed together with their weighted sums.
const BYTES_OF_A_TILE: usize = 2;

/// A convolution on packed spikes, or on the bit planes of counts: a bit plane is further inputs, whose
/// weights are doubled.
#[derive(Debug)]
pub struct LookupLayer {
    planes: u32,
    /// Per group of the convolution, what the bytes of its index are.
    rows: Vec<Vec<IndexRow>>,
    matrices: Vec<LookupMatrix>,
}

/// What the bits of one byte of an index are.
#[derive(Debug, Clone)]
enum IndexRow {
    /// A byte of packed spikes at one tap.
    Byte { row: usize, tap: usize },
    /// Bits of rows of packed spikes, each at its own tap.
    Bits(Vec<BitSource>),
}

#[derive(Debug, Clone, Copy)]
struct BitSource {
    row: usize,
    bit: u32,
    tap: usize,
}

/// One input of a matrix: a channel of a group, a tap, and the bit of the value.
#[derive(Debug, Clone, Copy)]
struct Input {
    channel: usize,
    tap: usize,
    plane: u32,
}

/// Room for an index on the way.
#[derive(Debug, Default)]
pub struct IndexScratch {
    source: SourceRoom,
    index: IndexRoom,
}

#[derive(Debug, Default)]
struct SourceRoom {
    packed: Vec<u8>,
    surrounded: Vec<u8>,
}

#[derive(Debug, Default)]
struct IndexRoom {
    row: Vec<u8>,
    bit: Vec<u8>,
    index: Vec<u8>,
}

/// Rows of packed spikes, `length` apart.
#[derive(Debug, Clone, Copy)]
struct Source<'a> {
    bytes: &'a [u8],
    length: usize,
}

/// Room of a thread for one tile.
#[derive(Debug, Default)]
struct TileRoom {
    tables: TableRoom,
    sums: Vec<i32>,
}

thread_local! {
    static TILE: RefCell<TileRoom> = RefCell::default();
}

impl LookupLayer {
    /// Tables over the inputs of each group; `None` where a partial sum does not fit 16 bits.
    pub fn new(cpu: Cpu, op: &QuantizedWeighted, planes: u32) -> Option<Self> {
        let g = &op.geometry;
        let width = cpu.inputs_per_table();
        let (outs, per_group) = (g.out_channels / g.groups, g.in_channels / g.groups);
        let packed_rows = g.in_channels.div_ceil(width);
        let inputs = inputs_of(g.groups, per_group, g.taps(), planes, width);
        let (mut rows, mut matrices) = (Vec::new(), Vec::new());
        for group in 0..g.groups {
            let mut codes = Vec::with_capacity(outs * inputs.len());
            for out in group * outs..(group + 1) * outs {
                let code = |i: Input| code(op, out, i.channel, i.tap) << i.plane;
                codes.extend(inputs.iter().map(|input| input.map_or(0, code)));
            }
            let bias = words(&op.bias[group * outs..][..outs]);
            matrices.push(LookupMatrix::new(cpu, &codes, inputs.len(), op.fraction_bits, &bias)?);
            let source = |input: &Input| {
                let channel = group * per_group + input.channel;
                let row = input.plane as usize * packed_rows + channel / width;
                BitSource { row, bit: (channel % width) as u32, tap: input.tap }
            };
            rows.push(inputs.chunks(width).map(|byte| index_row(byte, g.groups == 1, source)).collect());
        }
        Some(Self { planes, rows, matrices })
    }

    /// Bytes of its tables, or of the weights that they are made of.
    pub fn memory_bytes(&self) -> usize {
        self.matrices.iter().map(LookupMatrix::memory_bytes).sum()
    }

    /// Makes the tables if all fit `budget_bytes`; returns what is left of it.
    pub fn store_tables(&mut self, cpu: Cpu, budget_bytes: usize) -> usize {
        let needed = self.matrices.iter().map(LookupMatrix::table_bytes).sum();
        let Some(left) = budget_bytes.checked_sub(needed) else { return budget_bytes };
        self.matrices.iter_mut().for_each(|matrix| matrix.store_tables(cpu));
        left
    }

    /// True if its channels can be computed a few at a time, all reading one index.
    pub fn is_tiled(&self) -> bool {
        self.matrices.len() == 1
    }

    /// X of all output channels: rows of `gather.stride` in `out`.
    pub fn run(&self, cpu: Cpu, gather: &Gather, input: Value, room: &mut IndexScratch, out: &mut [i32]) {
        let stride = gather.stride;
        let IndexScratch { source, index: room } = room;
        let source = self.source(cpu, gather, input, source);
        for (group, out) in out.chunks_exact_mut(out.len() / self.matrices.len()).enumerate() {
            let (matrix, index) = (&self.matrices[group], self.index(cpu, gather, group, source, room));
            let macs = matrix.rows * cpu.inputs_per_table() * out.len();
            in_tiles(macs, stride, out, |first, out| {
                let channels = BYTES_OF_A_TILE * cpu.inputs_per_table();
                TILE.with_borrow_mut(|room| {
                    for (i, out) in out.chunks_mut(channels * stride).enumerate() {
                        let first = first + i * channels;
                        let tables = matrix.tables(cpu, first, out.len() / stride, &mut room.tables);
                        kernels::lookup(cpu, &tables, index, stride, out);
                    }
                });
            });
        }
    }

    /// The spikes of the neurons behind, a few channels at a time: their X are never all in memory.
    #[allow(clippy::too_many_arguments)]
    pub fn run_with_neurons(
        &self,
        cpu: Cpu,
        gather: &Gather,
        input: Value,
        cells: &[Cell],
        layout: &Layout,
        (room, counts): (&mut IndexScratch, &mut NeuronScratch),
        spikes: &mut [u8],
    ) {
        let source = self.source(cpu, gather, input, &mut room.source);
        let index = self.index(cpu, gather, 0, source, &mut room.index);
        let (matrix, columns) = (&self.matrices[0], gather.columns());
        let width = cpu.inputs_per_table();
        let tile = |counts: &mut NeuronScratch, (tile, spikes): (usize, &mut [u8])| {
            let first = tile * BYTES_OF_A_TILE * width;
            let count = (BYTES_OF_A_TILE * width).min(matrix.outs - first);
            TILE.with_borrow_mut(|TileRoom { tables, sums }| {
                let sums = at_least(sums, count * gather.stride);
                kernels::lookup(cpu, &matrix.tables(cpu, first, count, tables), index, gather.stride, sums);
                for (i, x) in sums.chunks_exact(gather.stride).enumerate() {
                    let spikes = &mut spikes[i / width * layout.stride..][..layout.stride];
                    counts.neuron(cpu, &cells[first + i], &x[..columns], layout, i % width, spikes);
                }
            });
        };
        let tiles = spikes.par_chunks_mut(BYTES_OF_A_TILE * layout.stride).enumerate();
        let macs = matrix.rows * width * matrix.outs * gather.stride;
        match macs / WORK_OF_A_THREAD {
            0 | 1 => {
                let tiles = spikes.chunks_mut(BYTES_OF_A_TILE * layout.stride).enumerate();
                tiles.for_each(|one| tile(counts, one));
            }
            _ => counts.in_parallel(tiles, tile),
        }
    }

    /// Packed spikes, with what lies around them where something reads it.
    fn source<'a>(
        &self,
        cpu: Cpu,
        gather: &Gather,
        input: Value<'a>,
        room: &'a mut SourceRoom,
    ) -> Source<'a> {
        let packed = match input.layout.packed {
            Some(_) => input.bytes(),
            None => pack(cpu, input, self.planes, &mut room.packed),
        };
        if gather.is_identity() {
            return Source { bytes: packed, length: input.layout.stride };
        }
        let length = gather.surround(packed.chunks_exact(input.layout.stride), &mut room.surrounded);
        Source { bytes: &room.surrounded, length }
    }

    /// The index of a group, `[block][row][column]`.
    fn index<'a>(
        &self,
        cpu: Cpu,
        gather: &Gather,
        group: usize,
        source: Source,
        room: &'a mut IndexRoom,
    ) -> &'a [u8] {
        let (rows, stride) = (&self.rows[group], gather.stride);
        let index = at_least(&mut room.index, rows.len() * stride);
        let mut put = |i: usize, line: &[u8]| {
            for (block, line) in line.chunks(BLOCK).enumerate() {
                let at = block * BLOCK * rows.len() + i * line.len();
                index[at..][..line.len()].copy_from_slice(line);
            }
        };
        for (i, row) in rows.iter().enumerate() {
            match row {
                IndexRow::Byte { row, .. } if gather.is_identity() => {
                    put(i, &source.bytes[row * source.length..][..stride]);
                }
                row => {
                    let line = at_least(&mut room.row, stride);
                    row.write(cpu, gather, source, &mut room.bit, line);
                    put(i, line);
                }
            }
        }
        index
    }
}

impl IndexRow {
    fn write(&self, cpu: Cpu, gather: &Gather, source: Source, room: &mut Vec<u8>, out: &mut [u8]) {
        let read = |row: usize| &source.bytes[row * source.length..][..source.length];
        match self {
            Self::Byte { row, tap } => gather.bytes(cpu, *tap, read(*row), out),
            Self::Bits(bits) => {
                let room = at_least(room, out.len());
                out.fill(0);
                for (to, from) in bits.iter().enumerate() {
                    gather.bytes(cpu, from.tap, read(from.row), room);
                    kernels::move_bit(cpu, room, from.bit, to as u32, out);
                }
            }
        }
    }
}

/// Bit planes of counts: `[plane][row of packed channels]`.
fn pack<'a>(cpu: Cpu, input: Value, planes: u32, room: &'a mut Vec<u8>) -> &'a [u8] {
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

/// The inputs of a group in the order of the bits of its index; `None` for a bit that nothing sets.
///
/// One group reads bytes of packed spikes as they are, tap by tap; several fill bytes with all inputs of
/// a group, few as they may be.
fn inputs_of(groups: usize, per_group: usize, taps: usize, planes: u32, width: usize) -> Vec<Option<Input>> {
    let all = (0..planes).flat_map(|plane| (0..taps).map(move |tap| (plane, tap)));
    let channels = if groups == 1 { per_group.next_multiple_of(width) } else { per_group };
    let inputs = all.flat_map(|(plane, tap)| (0..channels).map(move |channel| Input { channel, tap, plane }));
    inputs.map(|input| (input.channel < per_group).then_some(input)).collect()
}

fn index_row(byte: &[Option<Input>], whole: bool, source: impl Fn(&Input) -> BitSource) -> IndexRow {
    let bits: Vec<BitSource> = byte.iter().flatten().map(source).collect();
    match whole {
        true => IndexRow::Byte { row: bits[0].row, tap: bits[0].tap },
        false => IndexRow::Bits(bits),
    }
}

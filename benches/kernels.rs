//! Multiply-accumulates per second of each kernel, on one thread, for every instruction set of this
//! processor; zeros count, as they do in the peaks that papers and data sheets give.
//!
//!     cargo bench --bench kernels

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use spiq::exec::kernels::{
    Cpu, Isa, LookupMatrix, Operand, Packs, ProductMatrix, TableRoom, lookup, products,
};

/// Inputs, outputs and columns of a matrix product: a block of a transformer, a small convolution, and one
/// that stays in the first-level cache, which is what the instructions of a kernel can do at most.
const SHAPES: [(usize, usize, usize); 3] = [(384, 384, 768), (162, 32, 3136), (144, 2, 256)];

/// Numbers of a linear congruential generator, all in `low..=high`.
fn numbers(count: usize, low: i64, high: i64) -> Vec<i64> {
    let mut state = 1u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + ((state >> 33) % (high - low + 1) as u64) as i64
    };
    (0..count).map(next).collect()
}

fn codes(bits: u32, count: usize) -> Vec<i32> {
    let largest = (1 << (bits - 1)) - 1;
    numbers(count, -largest, largest).into_iter().map(|w| w as i32).collect()
}

/// Copies of `values` that start on a cache line, as those of the executor do, and where.
fn aligned<T: Copy + Default>(values: &[T]) -> (Vec<T>, usize) {
    let mut room = vec![T::default(); values.len() + 64];
    let start = room.as_ptr().align_offset(64);
    room[start..][..values.len()].copy_from_slice(values);
    (room, start)
}

/// The cores that this process may use, each of which it measures alone.
fn cpus() -> impl Iterator<Item = Cpu> {
    Isa::all().filter_map(Cpu::new)
}

/// Look-ups of spikes, at the widths where the tables change.
fn lookups(c: &mut Criterion) {
    for (inputs, outs, columns) in SHAPES {
        let mut group = c.benchmark_group(format!("lookup {inputs} x {outs} x {columns}"));
        group.throughput(Throughput::Elements((inputs * outs * columns) as u64));
        for cpu in cpus() {
            let width = cpu.inputs_per_table();
            let stride = columns.next_multiple_of(spiq::exec::kernels::LANES);
            for bits in [2, 3, 4, 6, 8, 12] {
                let bias = vec![0; outs];
                let mut matrix =
                    LookupMatrix::new(cpu.table_layout(), &codes(bits, inputs * outs), inputs, 2, &bias)
                        .expect("fits 16 bits");
                matrix.store_tables(cpu);
                let index = numbers(matrix.rows * stride, 0, (1 << width) - 1);
                let index: Vec<u8> = index.into_iter().map(|x| x as u8).collect();
                let (index, start) = aligned(&index);
                let (mut room, mut out) = (TableRoom::default(), vec![0; outs * stride]);
                let name = format!("{} {:?}", cpu.isa().name(), matrix.entry());
                group.bench_function(BenchmarkId::new(name, bits), |b| {
                    b.iter(|| {
                        // The executor takes as few channels at a time.
                        let most = cpu.channels_of_a_tile();
                        for first in (0..outs).step_by(most) {
                            let count = most.min(outs - first);
                            let tables = matrix.tables(cpu, first, count, &mut room);
                            lookup(
                                cpu,
                                &tables,
                                black_box(&index[start..]),
                                stride,
                                &mut out[first * stride..],
                            );
                        }
                    })
                });
            }
        }
        group.finish();
    }
}

/// Products of 16 bits, and of counts up to 17 with weights of 4 and 8 bits.
fn multiplications(c: &mut Criterion) {
    let bytes = Operand::Bytes { largest: 17 };
    for (inputs, outs, columns) in SHAPES {
        let mut group = c.benchmark_group(format!("products {inputs} x {outs} x {columns}"));
        group.throughput(Throughput::Elements((inputs * outs * columns) as u64));
        let stride = columns.next_multiple_of(spiq::exec::kernels::LANES);
        let mut out = vec![0; outs * stride];
        for (name, operand, bits) in [("words", Operand::Words, 8), ("bytes", bytes, 4), ("bytes", bytes, 8)]
        {
            let matrix = ProductMatrix::new(operand, &codes(bits, inputs * outs), inputs, 2, &vec![0; outs])
                .expect("fits its packs");
            let packs = numbers(matrix.packs * stride, 0, 0x11_11_11_11);
            let packs: Vec<i32> = packs.into_iter().map(|x| x as i32 & 0x0f0f_0f0f).collect();
            let (packs, start) = aligned(&packs);
            for cpu in cpus().filter(|cpu| operand == Operand::Words || cpu.multiplies_bytes()) {
                let packs = Packs { values: &packs[start..], rows: matrix.packs, start: 0 };
                group.bench_function(BenchmarkId::new(format!("{} {name}", cpu.isa().name()), bits), |b| {
                    b.iter(|| products(cpu, &matrix, 0, black_box(packs), stride, &mut out))
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, lookups, multiplications);
criterion_main!(benches);

//! Every kernel for matrices against plain loops, small enough for an interpreter: `cargo +nightly miri test
//! --lib kernels` looks for undefined behaviour on the portable path.

use super::*;

/// Numbers of a linear congruential generator, in `low..=high`.
fn numbers(seed: u64, count: usize, low: i64, high: i64) -> Vec<i32> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (low + ((state >> 33) % (high - low + 1) as u64) as i64) as i32
    };
    (0..count).map(next).collect()
}

fn cpus() -> impl Iterator<Item = Cpu> {
    Isa::all().filter_map(Cpu::new)
}

#[test]
fn look_ups_are_weighted_sums_of_bits() {
    // Inputs, outputs, columns, largest weight: ragged channels, several blocks, several runs, sums of 8 and
    // of 16 bits. An interpreter takes too long for the large ones.
    let cases = [(7, 9, 64, 7), (12, 1, 64, 9000), (130, 45, 320, 127), (700, 3, 64, 7)];
    let count = if cfg!(miri) { 2 } else { 4 };
    for (inputs, outs, columns, largest) in cases.into_iter().take(count) {
        println!("{inputs} inputs, {outs} outputs, {columns} columns, weights up to {largest}");
        let codes = numbers(1, inputs * outs, -largest, largest);
        let bias = numbers(2, outs, -100, 100);
        for cpu in cpus() {
            let (width, shift) = (cpu.inputs_per_table(), 3);
            let mut matrix = LookupMatrix::new(cpu.table_layout(), &codes, inputs, shift, &bias).unwrap();
            let mut index: Vec<u8> =
                numbers(3, matrix.rows * columns, 0, (1 << width) - 1).iter().map(|&x| x as u8).collect();
            let at = |row: usize, column: usize| {
                let (block, width) = (column / BLOCK, BLOCK.min(columns - column / BLOCK * BLOCK));
                block * BLOCK * matrix.rows + row * width + column % BLOCK
            };
            // Nothing sets the bits behind the last input.
            let last = matrix.rows - 1;
            (0..columns).for_each(|column| index[at(last, column)] &= (1 << (inputs - last * width)) - 1);
            let input = |i: usize, column: usize| i32::from(index[at(i / width, column)] >> (i % width) & 1);
            let sum = |out: usize, column: usize| -> i32 {
                (0..inputs).map(|i| codes[out * inputs + i] * input(i, column)).sum()
            };
            let expected: Vec<i32> = (0..outs)
                .flat_map(|out| (0..columns).map(move |column| (out, column)))
                .map(|(out, column)| (sum(out, column) << shift) + bias[out])
                .collect();
            for stored in [false, true] {
                if stored {
                    matrix.store_tables(cpu);
                }
                let (first, count) = (outs / 3, outs - outs / 3);
                let (mut room, mut x) = (TableRoom::default(), vec![0; count * columns]);
                lookup(cpu, &matrix.tables(cpu, first, count, &mut room), &index, columns, &mut x);
                assert!(x == expected[first * columns..], "{} stored: {stored}", cpu.isa().name());
                let one = matrix.tables(cpu, first, count, &mut room).one(count - 1);
                lookup(cpu, &one, &index, columns, &mut x[..columns]);
                assert!(x[..columns] == expected[(outs - 1) * columns..], "{} alone", cpu.isa().name());
            }
        }
    }
}

/// Tables of few entries read as those of many would end behind their memory.
#[test]
fn tables_of_another_layout_are_refused() {
    let (narrow, wide) = (Cpu::new(Isa::named("portable").unwrap()).unwrap(), Cpu::best());
    if narrow.table_layout() == wide.table_layout() {
        return;
    }
    let matrix = LookupMatrix::new(narrow.table_layout(), &[1; 8], 8, 0, &[0]).unwrap();
    let mut room = TableRoom::default();
    let tables = matrix.tables(narrow, 0, 1, &mut room);
    let look_up = || lookup(wide, &tables, &[0; 128], LANES, &mut [0; LANES]);
    assert!(std::panic::catch_unwind(look_up).is_err());
}

#[test]
fn products_are_weighted_sums() {
    for (inputs, outs, columns) in [(5, 7, 64), (12, 2, 192), (1, 1, 128)] {
        println!("{inputs} inputs, {outs} outputs, {columns} columns");
        let (codes, bias) = (numbers(4, inputs * outs, -32767, 32767), numbers(5, outs, -100, 100));
        let rows = inputs.div_ceil(2);
        let x = numbers(6, inputs * columns, -5000, 5000);
        let mut values = vec![0i16; 2 * rows * columns];
        for (i, &x) in x.iter().enumerate() {
            let (input, column) = (i / columns, i % columns);
            let block = column / LANES * rows * LANES;
            values[2 * (block + input / 2 * LANES + column % LANES) + input % 2] = x as i16;
        }
        let sum = |out: usize, column: usize| -> i32 {
            (0..inputs).map(|i| codes[out * inputs + i] * x[i * columns + column]).sum()
        };
        for cpu in cpus() {
            let matrix = ProductMatrix::new(&codes, inputs, 1, &bias).unwrap();
            let mut out = vec![0; outs * columns];
            products(cpu, &matrix, 0, Pairs { values: &values, rows, start: 0 }, columns, &mut out);
            for (i, &x) in out.iter().enumerate() {
                let (out, column) = (i / columns, i % columns);
                assert_eq!(x, (sum(out, column) << 1) + bias[out], "{}: {out}, {column}", cpu.isa().name());
            }
        }
    }
}

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

/// Sums of the float reference by plain loops: from the bias on, taps, then channels upwards.
fn float_sums(rows: &[f32], bias: &[f32], inputs: FloatInputs) -> Vec<f32> {
    let outs = bias.len();
    let mut sums = Vec::new();
    for sources in inputs.sources.chunks_exact(inputs.taps) {
        let mut column = bias.to_vec();
        for (tap, &source) in sources.iter().enumerate() {
            let first = source as usize * inputs.stride;
            let pixel = inputs.values.get(first..first + inputs.channels).unwrap_or(inputs.padding);
            for (channel, x) in pixel.iter().enumerate() {
                let row = &rows[(tap * inputs.channels + channel) * outs..][..outs];
                column.iter_mut().zip(row).for_each(|(sum, w)| *sum += w * x);
            }
        }
        sums.extend(column);
    }
    sums
}

#[test]
fn float_products_have_one_order() {
    // Channels, outputs, taps, columns: ragged panels, words and blocks of columns.
    let cases = [(5, 3, 4, 2), (70, 45, 1, 7), (64, 112, 3, 13), (200, 130, 2, 140)];
    for (channels, outs, taps, columns) in cases.into_iter().take(if cfg!(miri) { 2 } else { 4 }) {
        println!("{channels} channels, {outs} outputs, {taps} taps, {columns} columns");
        let reals = |seed, count| numbers(seed, count, -999, 999).into_iter().map(|x| x as f32 / 64.1);
        let (stride, positions) = (channels + 3, 6);
        let (rows, bias): (Vec<f32>, Vec<f32>) =
            (reals(7, taps * channels * outs).collect(), reals(8, outs).collect());
        let padding: Vec<f32> = reals(9, channels).map(|x| x.signum().max(0.0)).collect();
        let sources: Vec<u32> =
            numbers(10, columns * taps, 0, positions as i64).into_iter().map(|x| x as u32).collect();
        for form in [FloatForm::Spikes, FloatForm::Sparse, FloatForm::Dense] {
            let value =
                |x: f32| if form == FloatForm::Spikes { x.signum().max(0.0) } else { x.max(-3.0) + 3.0 };
            let values: Vec<f32> = reals(11, positions * stride).map(value).collect();
            for cpu in cpus() {
                let name = cpu.isa().name();
                let words = channels.div_ceil(64);
                let mut bits = vec![0; (positions + 1) * words];
                let (inside, outside) = bits.split_at_mut(positions * words);
                let spikes = nonzero_bits(cpu, &values, stride, channels, inside);
                assert_eq!(spikes, form == FloatForm::Spikes, "{name}");
                assert!(nonzero_bits(cpu, &padding, channels, channels, outside));
                let (padding, sources) = (&padding[..], &sources[..]);
                let bits = &bits;
                let inputs =
                    FloatInputs { values: &values, stride, channels, bits, padding, sources, taps, form };
                let of_row = |row: usize| &rows[row * outs..];
                let matrix = FloatMatrix::new(taps * channels, &bias, |row| move |out| of_row(row)[out]);
                let mut out = vec![f32::NAN; columns * (outs + 1)];
                let of_columns = FloatRows { data: &mut out[1..], stride: outs + 1 };
                float_products(cpu, &matrix, inputs, of_columns);
                let expected = float_sums(&rows, &bias, inputs);
                for (out, expected) in out.chunks_exact(outs + 1).zip(expected.chunks_exact(outs)) {
                    assert!(out[0].is_nan(), "{name} writes behind its outputs");
                    assert!(out[1..] == *expected, "{name}, {form:?}");
                }
            }
        }
    }
}

#[test]
fn depthwise_products_have_one_order() {
    for channels in [3, 32, 77] {
        let real = |x: &i32| *x as f32 / 64.1;
        let (values, rows) = (numbers(12, 4 * channels, -99, 99), numbers(13, 2 * channels, -99, 99));
        let (values, rows): (Vec<f32>, Vec<f32>) =
            (values.iter().map(real).collect(), rows.iter().map(real).collect());
        let (bias, padding) = (vec![0.3; channels], vec![0.7; channels]);
        let inputs = FloatInputs {
            values: &values,
            stride: channels,
            channels,
            bits: &[],
            padding: &padding,
            sources: &[0, 4, 3, 1],
            taps: 2,
            form: FloatForm::Dense,
        };
        let at = |channel: usize| {
            let x = |position: usize| values[position * channels + channel];
            let (first, second) = (rows[channel], rows[channels + channel]);
            [0.3 + first * x(0) + second * 0.7, 0.3 + first * x(3) + second * x(1)]
        };
        for cpu in cpus() {
            let mut out = vec![0.0; 2 * channels];
            float_depthwise(cpu, &rows, &bias, inputs, &mut out);
            for channel in 0..channels {
                assert_eq!([out[channel], out[channels + channel]], at(channel), "{}", cpu.isa().name());
            }
        }
    }
}

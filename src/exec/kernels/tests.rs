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

/// Words, and bytes of few and of many packs whose sums fit 16 bits.
#[test]
fn products_are_weighted_sums() {
    let bytes = |largest| Operand::Bytes { largest };
    let operands =
        [(Operand::Words, 5000, 32767), (bytes(17), 17, 127), (bytes(255), 255, 64), (bytes(1), 1, 1)];
    let shapes = [(5, 7, 64), (12, 2, 192), (1, 1, 128), (90, 5, 64)];
    for ((operand, x, w), (inputs, outs, columns)) in
        operands.iter().flat_map(|o| shapes.map(|shape| (*o, shape)))
    {
        println!("{operand:?}, {inputs} inputs, {outs} outputs, {columns} columns");
        let (codes, bias) = (numbers(4, inputs * outs, -w, w), numbers(5, outs, -100, 100));
        let (count, rows) = (operand.in_a_pack(), inputs.div_ceil(operand.in_a_pack()));
        let lowest = if operand == Operand::Words { -x } else { 0 };
        let x = numbers(6, inputs * columns, lowest, x);
        let mut values = vec![0i32; rows * columns];
        for (i, &x) in x.iter().enumerate() {
            let (input, column) = (i / columns, i % columns);
            let block = column / LANES * rows * LANES;
            let (bits, low) = (32 / count, u32::MAX >> (32 - 32 / count));
            let pack = &mut values[block + input / count * LANES + column % LANES];
            *pack |= ((x as u32 & low) << (input % count * bits)) as i32;
        }
        let sum = |out: usize, column: usize| -> i32 {
            (0..inputs)
                .map(|i| codes[out * inputs + i].wrapping_mul(x[i * columns + column]))
                .fold(0, i32::wrapping_add)
        };
        for cpu in cpus().filter(|cpu| operand == Operand::Words || cpu.multiplies_bytes()) {
            let matrix = ProductMatrix::new(operand, &codes, inputs, 1, &bias).unwrap();
            let mut out = vec![0; outs * columns];
            products(cpu, &matrix, 0, Packs { values: &values, rows, start: 0 }, columns, &mut out);
            for (i, &x) in out.iter().enumerate() {
                let (out, column) = (i / columns, i % columns);
                let expected = (sum(out, column) << 1).wrapping_add(bias[out]);
                assert_eq!(x, expected, "{}: {out}, {column}", cpu.isa().name());
            }
        }
    }
}

/// 255 x (64 + 65) is the first sum of two products beyond 16 bits.
#[test]
fn bytes_whose_sums_of_two_could_saturate_are_refused() {
    let of = |weights: [i32; 2]| ProductMatrix::new(Operand::Bytes { largest: 255 }, &weights, 2, 0, &[0]);
    assert!(of([64, -64]).is_some() && of([64, 65]).is_none() && of([-128, 0]).is_none());
}

/// Overlapping windows, windows apart, wide and ragged padding, several frames.
#[test]
fn windows_are_folded_within_the_map() {
    for (size, stride, pad, input) in [
        ([3, 3], [2, 2], [1, 1], [7, 9]),
        ([2, 2], [2, 2], [0, 0], [4, 6]),
        ([3, 3], [1, 1], [1, 1], [5, 4]),
        ([5, 1], [3, 4], [2, 0], [8, 9]),
        ([3, 7], [2, 2], [1, 3], [2, 3]),
        ([2, 3], [1, 3], [1, 2], [1, 8]),
    ] {
        println!("windows of {size:?}, {stride:?} apart, padding {pad:?}, maps of {input:?}");
        let output = [0, 1].map(|axis| (input[axis] + 2 * pad[axis] - size[axis]) / stride[axis] + 1);
        let windows = Pooling { kernel: size, stride, pad, input, output };
        let (frames, positions) = (2, output.iter().product::<usize>());
        let x = numbers(7, frames * input.iter().product::<usize>(), -9, 9);
        let bits: Vec<u8> = x.iter().map(|&x| x as u8 & 15).collect();
        let window = |i: usize| {
            let (frame, at) = (i / positions, [i % positions / output[1], i % output[1]]);
            let taps = (0..size[0]).flat_map(move |row| (0..size[1]).map(move |column| [row, column]));
            let of_tap = move |tap: [usize; 2]| {
                let [y, x] = [0, 1].map(|axis| (at[axis] * stride[axis] + tap[axis]).checked_sub(pad[axis]));
                let (y, x) = (y.filter(|&y| y < input[0])?, x.filter(|&x| x < input[1])?);
                Some((frame * input[0] + y) * input[1] + x)
            };
            taps.filter_map(of_tap)
        };
        for cpu in cpus() {
            let (mut words, mut bytes) = (vec![7; frames * positions], vec![7; frames * positions]);
            largest_of_windows(cpu, windows, &x, &mut vec![1; windows.room()], &mut words);
            any_of_windows(cpu, windows, &bits, &mut vec![1; windows.room()], &mut bytes);
            for i in 0..frames * positions {
                let largest = window(i).map(|at| x[at]).max().unwrap_or(i32::MIN);
                let any = window(i).fold(0, |any, at| any | bits[at]);
                assert_eq!((words[i], bytes[i]), (largest, any), "{}: {i}", cpu.isa().name());
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
                let matrix = FloatMatrix::new(cpu.float_panel(), taps * channels, &bias, |row| {
                    move |out| of_row(row)[out]
                });
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

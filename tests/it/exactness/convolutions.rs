//! Convolutions are matrix products.

use super::support::*;

#[derive(Debug, Clone)]
struct ConvCase {
    conv: Convolution,
    /// Spikes of a neuron that gates the image, or the image itself.
    spikes: bool,
    zero_point: u8,
    fraction_bits: u32,
    seed: u64,
}

fn conv_cases() -> impl Strategy<Value = ConvCase> {
    // Depthwise convolutions are those of one channel per group.
    let channels = prop_oneof![
        (1usize..=1, [1usize..=8, 1usize..=8]),
        (2usize..=4, [1usize..=2, 1usize..=2]),
        (2usize..=8, [1usize..=1, 1usize..=1]),
    ];
    let dilation = prop_oneof![2 => [1usize..=1, 1usize..=1], 1 => [1usize..=3, 1usize..=3]];
    let window = ([1usize..=3, 1usize..=3], [1usize..=2, 1usize..=2], [0usize..=1, 0usize..=1], dilation);
    let rest = ([1usize..=7, 1usize..=7], any::<bool>(), any::<u8>(), 0u32..=6, any::<u64>());
    (window, channels, rest)
        .prop_map(|((kernel, stride, pad, dilation), (groups, per_group), rest)| {
            let (size, spikes, zero_point, fraction_bits, seed) = rest;
            let conv = Convolution::new([kernel, stride, pad, dilation], groups, per_group, size);
            ConvCase { conv, spikes, zero_point, fraction_bits, seed }
        })
        .prop_filter("the kernel fits", |case| case.conv.fits())
}

fn conv_network(case: &ConvCase) -> Network {
    let channels = case.conv.geometry.in_channels;
    let (mut net, mut x) = NetworkBuilder::new(case.conv.input(), true, 2);
    if case.spikes {
        let gate = net.conv("gate", x, Conv::new(channels, 1).groups(channels).bias()).unwrap();
        x = net.neuron("lif", gate, Neuron::lif(48.0)).unwrap();
    }
    let x = net.conv("conv", x, case.conv.layer()).unwrap();
    finish(net, x)
}

/// One row per output position, one column per input and tap of `group`.
fn im2col(input: &Frames<i64>, t: usize, g: &ConvGeometry, group: usize, out: Shape) -> DMatrix<i64> {
    let per_group = g.in_channels / g.groups;
    DMatrix::from_fn(out.positions(), g.fan_in(), |position, column| {
        let (i, tap) = (column / g.taps(), column % g.taps());
        let at = |place: usize, tap: usize, axis: usize| {
            (place * g.stride[axis] + tap * g.dilation[axis]) as isize - g.pad[axis] as isize
        };
        let row = at(position / out.width, tap / g.kernel[1], 0);
        let col = at(position % out.width, tap % g.kernel[1], 1);
        let (height, width) = (input.shape.height as isize, input.shape.width as isize);
        match (0..height).contains(&row) && (0..width).contains(&col) {
            true => input.at(t)[(row * width + col) as usize * g.in_channels + group * per_group + i],
            false => 0,
        }
    })
}

/// (input x weight << fraction bits) + bias, for all groups and frames; `[t][position][out]`.
fn matrix_product(input: &Frames<i64>, g: &ConvGeometry, weight: &[f32], out: Shape) -> Vec<i64> {
    let outs = g.out_channels / g.groups;
    let mut product = vec![0; input.frames * out.values()];
    for t in 0..input.frames {
        for group in 0..g.groups {
            let columns = im2col(input, t, g, group, out);
            let kernel = DMatrix::from_fn(g.fan_in(), outs, |row, o| {
                weight[(group * outs + o) * g.fan_in() + row] as i64
            });
            let result = columns * kernel;
            for position in 0..out.positions() {
                for o in 0..outs {
                    product[(t * out.positions() + position) * g.out_channels + group * outs + o] =
                        result[(position, o)];
                }
            }
        }
    }
    product
}

/// The model of a case with the biases of its convolution in steps of X.
fn conv_model(case: &ConvCase, dice: &mut Dice) -> (Model, Tensors, Vec<i64>) {
    let network = conv_network(case);
    // The bias is an integer number of steps of X: pixels count 2^-8, spikes 1.
    let step = f64::from(if case.spikes { 0 } else { -8 } - case.fraction_bits as i32).exp2();
    let mut biases = Vec::new();
    let values = tensors(&network, |p| match p.name.as_str() {
        "conv.bias" => {
            biases = (0..p.len()).map(|_| dice.int(-5000, 5000)).collect();
            biases.iter().map(|&b| (b as f64 * step) as f32).collect()
        }
        "gate.bias" => (0..p.len()).map(|_| dice.int(-20, 60) as f32).collect(),
        _ => integer_weights(dice, p.len()),
    });
    let mean = vec![f64::from(case.zero_point) / 255.0; network.nodes[0].shape.channels];
    (model(network, &mean, &values), values, biases)
}

/// Compares all values of a convolution; yields how many, and how many of its inputs are spikes.
fn conv_case(case: &ConvCase) -> Result<[usize; 2], TestCaseError> {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(case.seed));
    let (model, values, biases) = conv_model(case, &mut dice);
    let layers = format!("(\"conv\", Layer(fraction_bits: {}))", case.fraction_bits);
    let setting = setting(INTEGERS, 32, 16, &layers);
    let quantized = quantize(&model, &setting, &Calibration::new(model.network.nodes.len())).unwrap();
    let image = dice.image(&model.network);
    let run = run::<i64>(&quantized, &image);

    let conv = find(&model.network, "conv");
    let node = &model.network.nodes[conv];
    let Op::Weighted(op) = &node.op else { unreachable!("a convolution") };
    let input = &run.values[node.inputs[0].index()];
    if case.spikes {
        prop_assert!(input.data.iter().all(|&s| s == 0 || s == 1));
    } else {
        let signed: Vec<i64> =
            image.data.iter().map(|&p| i64::from(p) - i64::from(case.zero_point)).collect();
        prop_assert_eq!(&input.data, &signed);
    }
    let product = matrix_product(input, &op.geometry, &values["conv.weight"], node.shape);
    let expected: Vec<i64> = product
        .iter()
        .enumerate()
        .map(|(i, acc)| (acc << case.fraction_bits) + biases[i % node.shape.channels])
        .collect();
    prop_assert_eq!(&run.values[conv].data, &expected);
    Ok([expected.len(), if case.spikes { input.data.iter().sum::<i64>() as usize } else { 0 }])
}

#[test]
fn convolutions_are_matrix_products() {
    let compared = std::cell::Cell::new([0, 0]);
    repeat(1200, conv_cases(), |case| {
        let ([values, spikes], [more, more_spikes]) = (compared.get(), conv_case(&case)?);
        compared.set([values + more, spikes + more_spikes]);
        Ok(())
    });
    let [values, spikes] = compared.get();
    println!("{values} values of convolutions, with {spikes} spikes among the inputs");
    assert!(values > 50_000 && spikes > 4_000);
}

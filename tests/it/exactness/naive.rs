//! Every node and every counter again, computed naively.

use super::dequantized::steps_of;
use super::support::*;

/// The value at a position, which may lie outside, where `outside` is taken.
pub fn value_at(f: &Frames<i64>, t: usize, [y, x]: [isize; 2], c: usize, outside: i64) -> i64 {
    let (height, width) = (f.shape.height as isize, f.shape.width as isize);
    if y < 0 || x < 0 || y >= height || x >= width {
        return outside;
    }
    let frame = if f.frames == 1 { 0 } else { t };
    f.data[((frame * f.shape.height + y as usize) * f.shape.width + x as usize) * f.shape.channels + c]
}

/// Fills frames value by value, in the order `[timestep][y][x][channel]`.
pub fn fill(
    frames: usize,
    shape: Shape,
    mut value: impl FnMut(usize, [isize; 2], usize) -> i64,
) -> Frames<i64> {
    let mut data = Vec::new();
    for t in 0..frames {
        for y in 0..shape.height {
            for x in 0..shape.width {
                data.extend((0..shape.channels).map(|c| value(t, [y as isize, x as isize], c)));
            }
        }
    }
    Frames { frames, shape, data }
}

/// Where tap (ky, kx) of the window at `[y, x]` reads.
pub fn tap(g: &ConvGeometry, [y, x]: [isize; 2], ky: usize, kx: usize) -> [isize; 2] {
    let of = |at: isize, k: usize, axis: usize| {
        let [stride, pad, dilation] = [g.stride, g.pad, g.dilation].map(|sides| sides[axis] as isize);
        at * stride + k as isize * dilation - pad
    };
    [of(y, ky, 0), of(x, kx, 1)]
}

/// Rows, columns and input channels that output channel `o` reads.
pub fn fan_in(g: &ConvGeometry, o: usize) -> Vec<(usize, usize, usize)> {
    let per_group = g.in_channels / g.groups;
    let first = o / (g.out_channels / g.groups) * per_group;
    let mut all = Vec::new();
    for c in first..first + per_group {
        for ky in 0..g.kernel[0] {
            all.extend((0..g.kernel[1]).map(|kx| (ky, kx, c)));
        }
    }
    all
}

/// What a declared accumulator keeps of a sum.
fn naive_write_back(accumulator: Accumulator, sum: i64) -> i64 {
    let words = 1i64 << accumulator.bits;
    match accumulator.overflow {
        Overflow::Wrap => (sum + words / 2).rem_euclid(words) - words / 2,
        Overflow::SaturateAtWriteback => sum.max(-words / 2).min(words / 2 - 1),
    }
}

pub fn naive_weighted(
    op: &QuantizedWeighted,
    input: &Frames<i64>,
    shape: Shape,
    saturations: &mut [u32],
) -> Frames<i64> {
    let g = &op.geometry;
    fill(input.frames, shape, |t, at, o| {
        let products = fan_in(g, o).into_iter().enumerate().map(|(i, (ky, kx, c))| {
            let outside = op.padding.as_ref().map_or(0, |padding| padding[c]);
            i64::from(op.codes[o * g.fan_in() + i]) * value_at(input, t, tap(g, at, ky, kx), c, outside)
        });
        let sum = products.sum::<i64>();
        let stored = op.accumulator.map_or(sum, |accumulator| naive_write_back(accumulator, sum));
        saturations[t] += u32::from(stored != sum);
        stored * (1 << op.fraction_bits) + op.bias[o]
    })
}

/// Floor of x / 2^shift.
pub fn halved(x: i64, shift: u32) -> i64 {
    x.div_euclid(1 << shift)
}

/// What a membrane keeps at every step, of 2^30 parts, with a time constant of 1 / (1 - `kept`).
fn nearest_parts(kept: f64) -> i64 {
    ((kept * 65536.0).round_ties_even() as i64) << 14
}

/// What the membranes of `channel` keep at every step, of 2^30 parts; what was learned, as the integers have it, which
/// [`assert_leaks`] holds to the checkpoint.
pub fn parts_kept(leak: Leak, keeps: &[Keep], channel: usize) -> i64 {
    match leak {
        Leak::HalfWithInput => 1 << 29,
        Leak::Shift(k) => 1 << (30 - k),
        Leak::Tau { tau, .. } => nearest_parts((tau - 1.0) / tau),
        Leak::Beta(beta) => nearest_parts(beta),
        Leak::None => 1 << 30,
        Leak::Parametric { .. } => {
            let keep = keeps[channel % keeps.len()];
            i64::from(keep.multiplier) << (30 - keep.shift)
        }
        Leak::Loihi { .. } => panic!("a leak of Loihi keeps a part of two words"),
    }
}

/// By what integer potentials exceed the real ones, of `channel`.
fn gain_of(leak: Leak, op: &QuantizedNeuron, channel: usize) -> f64 {
    match leak {
        Leak::HalfWithInput => 2.0,
        Leak::Tau { tau, decay_input: true } => tau,
        Leak::Parametric { decay_input: true, .. } => op.gains[channel % op.gains.len()],
        _ => 1.0,
    }
}

/// Leaks that were learned are those of the checkpoint; returns how many there are.
pub fn assert_leaks(q: &QuantizedModel, tensors: &Tensors) -> usize {
    let mut leaks = 0;
    for (id, node) in q.network().iter() {
        let (Op::Neuron(neuron), QuantizedOp::Neuron(op)) = (&node.op, q.op(id)) else { continue };
        let Leak::Parametric { decay_input, of, per_channel } = neuron.leak else { continue };
        let tensor = match of {
            Learned::W => "w",
            Learned::Tau => "tau",
            Learned::Beta => "beta",
        };
        let values = &tensors[&format!("{}.{tensor}", node.name)];
        assert_eq!(values.len(), if per_channel { node.shape.channels } else { 1 });
        assert_eq!(op.keeps.len(), values.len());
        for (c, &value) in values.iter().enumerate() {
            let value = f64::from(value);
            let kept = match of {
                // 1 - sigmoid(w).
                Learned::W => 1.0 / (1.0 + value.exp()),
                Learned::Tau => 1.0 - 1.0 / value,
                Learned::Beta => value,
            };
            assert_eq!(parts_kept(neuron.leak, &op.keeps, c), nearest_parts(kept), "{} {c}", node.name);
            let gain = if decay_input { 1.0 / (1.0 - kept) } else { 1.0 };
            assert!((op.gains[c] / gain - 1.0).abs() < 1e-9, "{} {c}", node.name);
            leaks += 1;
        }
    }
    leaks
}

/// Floor of that part of x + 1/2.
pub fn kept(x: i64, parts: i64) -> i64 {
    let exact = (2 * i128::from(x) + 1) * i128::from(parts);
    exact.div_euclid(1 << 31) as i64
}

/// Spikes, and membranes clamped per timestep, in words of `bits` that keep the upper bits of
/// what lies below the threshold of their channel.
pub fn naive_neuron(
    neuron: &Neuron,
    op: &QuantizedNeuron,
    bits: u32,
    input: &Frames<i64>,
    timesteps: usize,
) -> (Frames<i64>, Vec<u32>) {
    let values = input.shape.values();
    let mut membrane = vec![0; values];
    let mut saturations = vec![0; timesteps];
    let mut cells = (0..values).cycle();
    let output = fill(timesteps, input.shape, |t, at, c| {
        let v = &mut membrane[cells.next().unwrap()];
        let (fires_at, parts) =
            (op.thresholds[c % op.thresholds.len()], parts_kept(neuron.leak, &op.keeps, c));
        let g = *v + value_at(input, t, at, c, 0);
        let fires = g >= fires_at;
        let threshold = if neuron.fire == Fire::AtThreshold { fires_at } else { fires_at - 1 };
        // What comes off before the leak, and behind it.
        let amounts = match (neuron.reset, &op.reset) {
            (Reset::Zero | Reset::To(_), _) => [g, 0],
            (Reset::Subtract, _) => [threshold, 0],
            (Reset::SubtractDelayed, _) => [0, threshold],
            (Reset::None, _) => [0, 0],
            (Reset::SubtractAmount(_), QuantizedReset::SubtractAmount { amounts }) => {
                [amounts[c % amounts.len()], 0]
            }
            (reset, integers) => unreachable!("{reset:?} {integers:?}"),
        };
        let leave = |g: i64, [before, behind]: [i64; 2]| match neuron.reset {
            Reset::Zero | Reset::To(_) => 0,
            _ => kept(g - before, parts) - behind,
        };
        // Hard resets leave 0; of the others the word holds the lowest that a spike leaves, too.
        let ends = [kept(fires_at - 1, parts), leave(fires_at, amounts).min(0)];
        let step = 1i64 << ends.map(|end| discarded(end, bits)).into_iter().max().unwrap();
        let limit = 1i64 << (bits - 1);
        let after = if fires { leave(g, amounts) } else { kept(g, parts) };
        let stored = after.div_euclid(step);
        let clamped = stored.max(-limit).min(limit - 1);
        saturations[t] += u32::from(clamped != stored);
        *v = clamped * step;
        i64::from(fires)
    });
    (output, saturations)
}

/// The last, the sum or the largest of the potentials of all timesteps.
fn naive_readout(readout: Readout, keeps: &[Keep], input: &Frames<i64>, timesteps: usize) -> Frames<i64> {
    fill(1, input.shape, |_, at, c| {
        let mut potentials: Vec<i64> = Vec::new();
        for t in 0..timesteps {
            let before = potentials.last().map_or(0, |&g| kept(g, parts_kept(readout.leak, keeps, c)));
            potentials.push(before + value_at(input, t, at, c, 0));
        }
        match readout.over {
            ReadoutOver::Last => *potentials.last().unwrap(),
            ReadoutOver::Mean => potentials.iter().sum(),
            ReadoutOver::Max => *potentials.iter().max().unwrap(),
        }
    })
}

/// Spikes of Loihi, and clamped or wrapped values per timestep.
fn naive_loihi(op: &QuantizedLoihi, input: &Frames<i64>, timesteps: usize) -> (Frames<i64>, Vec<u32>) {
    let mut state = vec![(0i64, 0i64); input.shape.values()];
    let mut saturations = vec![0; timesteps];
    let mut cells = (0..state.len()).cycle();
    let output = fill(timesteps, input.shape, |t, at, c| {
        let (current, voltage) = &mut state[cells.next().unwrap()];
        // Integer division of Rust rounds toward zero.
        let fed = *current * (4095 - i64::from(op.current_decay)) / 4096 + 64 * value_at(input, t, at, c, 0);
        *current = fed - (fed + (1 << 23) - 1).div_euclid(1 << 24) * (1 << 24);
        let sum = *voltage * (4096 - i64::from(op.voltage_decay)) / 4096 + *current;
        let potential = sum.clamp(1 - (1 << 23), (1 << 23) - 1);
        saturations[t] += u32::from(*current != fed) + u32::from(potential != sum);
        let fires = potential >= op.thresholds[c % op.thresholds.len()];
        *voltage = if fires { 0 } else { potential };
        i64::from(fires)
    });
    (output, saturations)
}

/// The fewest low bits without which `highest` is less than 2^(bits-1).
pub fn discarded(value: i64, bits: u32) -> u32 {
    (0..64).find(|&d| (-(1 << (bits - 1))..1 << (bits - 1)).contains(&halved(value, d))).unwrap()
}

/// (x M + 2^(S-1)) >> S as the floor of an exact quotient, then clamped; counts the clamped.
pub fn naive_grid(x: i64, by: Option<Requantizer>, format: Format, other: i64, saturations: &mut u32) -> i64 {
    let grid = match by {
        Some(by) => {
            let doubled = 2 * i128::from(x) * i128::from(by.multiplier) + (1i128 << by.shift);
            doubled.div_euclid(1i128 << (by.shift + 1)) as i64
        }
        None => x,
    };
    let limit = 1i64 << (format.bits - 1);
    let sum = other + grid;
    *saturations += u32::from(sum < -limit || sum >= limit);
    sum.max(-limit).min(limit - 1)
}

pub fn naive_max_pool(window: &Window, input: &Frames<i64>, shape: Shape) -> Frames<i64> {
    let g = window.geometry(shape.channels);
    fill(input.frames, shape, |t, at, c| {
        let [rows, columns] = window.size.0;
        let taps = (0..rows).flat_map(|ky| (0..columns).map(move |kx| (ky, kx)));
        taps.map(|(ky, kx)| value_at(input, t, tap(&g, at, ky, kx), c, i64::MIN)).max().unwrap()
    })
}

/// Sums over the positions of `input`.
pub fn over_positions(input: &Frames<i64>, f: impl Fn([isize; 2]) -> i64) -> i64 {
    let positions = 0..input.shape.positions();
    positions.map(|p| f([(p / input.shape.width) as isize, (p % input.shape.width) as isize])).sum()
}

pub fn naive_attention(
    attention: Attention,
    inputs: &[&Frames<i64>],
    node: &Node,
    timesteps: usize,
) -> Frames<i64> {
    let q = inputs[0];
    fill(timesteps, node.shape, |t, at, c| match attention {
        Attention::KeyValueCount => {
            over_positions(q, |p| value_at(q, t, p, c, 0) * value_at(inputs[inputs.len() - 1], t, p, c, 0))
        }
        Attention::ChannelCount { heads } => {
            let width = q.shape.channels / heads;
            (c * width..(c + 1) * width).map(|i| value_at(q, t, at, i, 0)).sum()
        }
        // (q k^T) v, which the executor computes in the other order.
        Attention::Product { heads, .. } => {
            let (width, value_width) = (q.shape.channels / heads, node.shape.channels / heads);
            let head = c / value_width * width..(c / value_width + 1) * width;
            over_positions(q, |p| {
                let score = |i| value_at(q, t, at, i, 0) * value_at(inputs[1], t, p, i, 0);
                head.clone().map(score).sum::<i64>() * value_at(inputs[2], t, p, c, 0)
            })
        }
    })
}

/// A max pooling of an image per head, whose rows are tokens and whose columns are channels.
pub fn naive_plane_pool(spikes: &Frames<i64>, node: &Node, heads: usize) -> Frames<i64> {
    let (tokens, width) = (node.shape.positions(), node.shape.channels / heads);
    let plane = Shape::new(heads, tokens, width);
    let split = fill(spikes.frames, plane, |t, [token, channel], head| {
        spikes.at(t)[token as usize * node.shape.channels + head * width + channel as usize]
    });
    let window = Window::square(3, 1, 1);
    let pooled = naive_max_pool(&window, &split, plane);
    fill(spikes.frames, node.shape, |t, [y, x], c| {
        let token = y * node.shape.width as isize + x;
        value_at(&pooled, t, [token, (c % width) as isize], c / width, 0)
    })
}

pub fn naive_mask(spikes: &Frames<i64>, by: &Frames<i64>, node: &Node) -> Frames<i64> {
    let width = spikes.shape.channels / by.shape.channels;
    fill(spikes.frames, node.shape, |t, at, c| {
        let gate = if by.shape.positions() == 1 { [0, 0] } else { at };
        value_at(spikes, t, at, c, 0) & value_at(by, t, gate, c / width, 0)
    })
}

/// Requantization, and the residual join of a stream with a branch.
pub fn naive_stream(
    stream: Option<&Frames<i64>>,
    branch: &Frames<i64>,
    by: Option<&[Requantizer]>,
    format: Format,
    saturations: &mut [u32],
) -> Frames<i64> {
    fill(saturations.len(), branch.shape, |t, at, c| {
        let by = by.map(|by| by[c % by.len()]);
        let stream = stream.map_or(0, |stream| value_at(stream, t, at, c, 0));
        naive_grid(value_at(branch, t, at, c, 0), by, format, stream, &mut saturations[t])
    })
}

/// What a node yields for what its inputs yielded, and its saturations per frame.
pub fn naive(
    q: &QuantizedModel,
    id: NodeId,
    values: &[Frames<i64>],
    sample: &Sample,
) -> (Frames<i64>, Vec<u32>) {
    let (node, timesteps) = (q.network().node(id), q.network().timesteps);
    let inputs: Vec<&Frames<i64>> = node.inputs.iter().map(|i| &values[i.index()]).collect();
    let frames = inputs.iter().map(|f| f.frames).max().unwrap_or(sample.frames);
    let mut saturations = vec![0; frames];
    let value = match (&node.op, q.op(id)) {
        (_, QuantizedOp::Input { zero_points, .. }) => {
            let mut values = sample.data.iter();
            fill(sample.frames, node.shape, |_, _, c| i64::from(*values.next().unwrap()) - zero_points[c])
        }
        (_, QuantizedOp::InputCodes { codes }) => {
            let mut values = sample.data.iter();
            fill(sample.frames, node.shape, |_, _, c| codes[c][usize::from(*values.next().unwrap())])
        }
        (_, QuantizedOp::Weighted(op)) => naive_weighted(op, inputs[0], node.shape, &mut saturations),
        (_, QuantizedOp::Loihi(op)) => return naive_loihi(op, inputs[0], timesteps),
        (Op::Neuron(neuron), QuantizedOp::Neuron(op)) => {
            // Without a word, nothing is ever kept.
            let bits = op.membrane.as_ref().map_or(16, |word| word.bits);
            return naive_neuron(neuron, op, bits, inputs[0], timesteps);
        }
        (Op::IntegerNeuron(neuron), _) => {
            let steps = &steps_of(q)[node.inputs[0].index()];
            fill(frames, node.shape, |t, at, c| {
                let real = value_at(inputs[0], t, at, c, 0) as f64 * steps[c];
                real.round_ties_even().clamp(0.0, f64::from(neuron.max)) as i64
            })
        }
        (_, QuantizedOp::Requantize { requantizers, format }) => {
            naive_stream(None, inputs[0], Some(requantizers), *format, &mut saturations)
        }
        (_, QuantizedOp::AddMembrane(op)) => {
            naive_stream(Some(inputs[0]), inputs[1], op.branch.as_deref(), op.format, &mut saturations)
        }
        (Op::Add(_), _) => fill(frames, node.shape, |t, at, c| {
            value_at(inputs[0], t, at, c, 0) + value_at(inputs[1], t, at, c, 0)
        }),
        (_, QuantizedOp::ClassToken(op)) => fill(frames, node.shape, |t, at, c| match at {
            [_, 0] => op.token[c],
            [_, token] => {
                let (before, width) = (token - 1, inputs[0].shape.width as isize);
                let x = value_at(inputs[0], t, [before / width, before % width], c, 0);
                let added = op.positions.as_ref().map_or(0, |p| p[before as usize * node.shape.channels + c]);
                naive_grid(added, None, op.format, x, &mut saturations[t])
            }
        }),
        (Op::FirstToken, _) => fill(frames, node.shape, |t, _, c| value_at(inputs[0], t, [0, 0], c, 0)),
        (Op::Gate(gate), _) => fill(frames, node.shape, |t, at, c| {
            let [stream, branch] = [0, 1].map(|i| value_at(inputs[i], t, at, c, 0) != 0);
            i64::from(match gate {
                Gate::Or => stream || branch,
                Gate::AndNot => stream && !branch,
            })
        }),
        (Op::MaxPool(window), _) => naive_max_pool(window, inputs[0], node.shape),
        (Op::AvgPool(window), _) => fill(frames, node.shape, |t, at, c| {
            let g = window.geometry(node.shape.channels);
            let [rows, columns] = window.size.0;
            let of = |i: usize| value_at(inputs[0], t, tap(&g, at, i / columns, i % columns), c, 0);
            (0..rows * columns).map(of).sum()
        }),
        (Op::Attention(attention), _) => naive_attention(*attention, &inputs, node, timesteps),
        (Op::PlanePool { heads }, _) => naive_plane_pool(inputs[0], node, *heads),
        (Op::Mask, _) => naive_mask(inputs[0], inputs[1], node),
        (Op::MeanTokens, _) => {
            fill(frames, node.shape, |t, _, c| over_positions(inputs[0], |p| value_at(inputs[0], t, p, c, 0)))
        }
        (Op::MeanTimesteps, _) => {
            fill(1, node.shape, |_, at, c| (0..timesteps).map(|t| value_at(inputs[0], t, at, c, 0)).sum())
        }
        (Op::Readout(readout), QuantizedOp::Readout(op)) => {
            naive_readout(*readout, &op.keeps, inputs[0], timesteps)
        }
        (op, quantized) => panic!("{op:?} as {quantized:?}"),
    };
    (value, saturations)
}

/// The counters of a weight layer at one timestep, from its definition: one look at every
/// (output position, output channel, tap, input channel).
pub fn naive_products(
    g: &ConvGeometry,
    input: &Frames<i64>,
    t: usize,
    out: Shape,
    multi_bit: bool,
) -> StepActivity {
    let mut step = StepActivity::default();
    let is_event = |at, c| u64::from(value_at(input, t, at, c, 0) != 0);
    let all = fill(1, input.shape, |_, at, c| is_event(at, c) as i64);
    step.input_events = all.data.iter().sum::<i64>() as u32;
    let (mut operations, mut events) = (0, Vec::new());
    for position in 0..out.positions() {
        let at = [(position / out.width) as isize, (position % out.width) as isize];
        // Inputs of this position, whichever output channels read them.
        let mut seen = BTreeMap::new();
        for o in 0..g.out_channels {
            for (ky, kx, c) in fan_in(g, o) {
                let event = is_event(tap(g, at, ky, kx), c);
                operations += event;
                seen.insert((ky, kx, c), event);
            }
        }
        events.push(seen.values().sum::<u64>());
    }
    step.gathered_events = events.iter().sum();
    step.wave_peaks = std::array::from_fn(|i| {
        let waves = events.chunks(wave_size(i));
        waves.map(|wave| *wave.iter().max().unwrap() as u32).sum()
    });
    match multi_bit {
        true => step.multiplications = operations,
        false => step.accumulations = operations,
    }
    step
}

/// Every counter of a node.
pub fn naive_activity(
    q: &QuantizedModel,
    id: NodeId,
    values: &[Frames<i64>],
    saturations: &[u32],
) -> NodeActivity {
    let (node, value) = (q.network().node(id), &values[id.index()]);
    if let Op::Readout(_) = node.op {
        let step = StepActivity { neuron_updates: value.data.len() as u32, ..StepActivity::default() };
        return NodeActivity { steps: vec![step; q.network().timesteps] };
    }
    let step = |t: usize| {
        let mut step = StepActivity::default();
        if let Op::Weighted(op) = &node.op {
            let input = node.inputs[0];
            let multi_bit = q.network().node(input).kind != Kind::Spikes;
            step = naive_products(&op.geometry, &values[input.index()], t, node.shape, multi_bit);
        }
        if node.op.is_neuron()
            || matches!(
                node.op,
                Op::MaxPool(_)
                    | Op::AvgPool(_)
                    | Op::PlanePool { .. }
                    | Op::Attention(_)
                    | Op::Mask
                    | Op::Gate(_)
            )
        {
            step.output_events = value.at(t).iter().filter(|&&x| x != 0).count() as u32;
        }
        if node.op.is_neuron() {
            step.neuron_updates = (node.shape.channels * node.shape.height * node.shape.width) as u32;
        }
        step.saturations = saturations[t];
        step
    };
    NodeActivity { steps: (0..value.frames).map(step).collect() }
}

/// Every node of a run agrees with its naive value, its counters and its bound; yields how many
/// values were compared and how many were saturated.
pub fn assert_naive(q: &QuantizedModel, run: &Run, sample: &Sample) -> (usize, u32) {
    let (mut compared, mut saturated) = (0, 0);
    for (id, node) in q.network().iter() {
        let value = &run.values[id.index()];
        let (expected, saturations) = naive(q, id, &run.values, sample);
        assert_eq!(value, &expected, "{}", node.name);
        assert_eq!(value.frames == 1, node.constant || q.network().timesteps == 1, "{}", node.name);
        let bound = q.bounds()[id.index()];
        assert!(value.data.iter().all(|x| x.abs() <= bound), "{} exceeds {bound}", node.name);
        let activity = naive_activity(q, id, &run.values, &saturations);
        assert_eq!(run.execution.activity.nodes[id.index()], activity, "{}", node.name);
        compared += value.data.len();
        saturated += saturations.iter().sum::<u32>();
    }
    assert_eq!(run.execution.logits, run.values.last().unwrap().data);
    (compared, saturated)
}

/// Thresholds are the smallest integers that reach (or exceed) the real ones, as far as any
/// potential reaches.
pub fn assert_thresholds(q: &QuantizedModel) {
    let steps = steps_of(q);
    for (id, node) in q.network().iter() {
        let (Op::Neuron(neuron), QuantizedOp::Neuron(op)) = (&node.op, q.op(id)) else { continue };
        let input = node.inputs[0].index();
        let reset = if let Reset::To(value) = neuron.reset { value } else { 0.0 };
        for (c, step) in steps[input].iter().enumerate() {
            let real = gain_of(neuron.leak, op, c) * (neuron.threshold - reset);
            // The smallest count of inputs that is at least what is kept of as many, and one more.
            let lost = (1 << 30) - parts_kept(neuron.leak, &op.keeps, c);
            let timesteps = q.network().timesteps as i64;
            let adds_up = (2..).find(|&r| r >= timesteps || r * lost >= 1 << 30).unwrap();
            let threshold = op.thresholds[c % op.thresholds.len()];
            let [below, at] = [threshold - 1, threshold].map(|th| th as f64 * step);
            let slack = if step.log2().fract() == 0.0 { 0.0 } else { 1e-9 * real };
            let smallest = match neuron.fire {
                Fire::AtThreshold => below < real + slack && at >= real - slack,
                Fire::AboveThreshold => below <= real + slack && at > real - slack,
            };
            let never = threshold == q.bounds()[input] * adds_up + 1 && at <= real;
            assert!(smallest || never, "{}: {threshold} steps of {step}", node.name);
        }
    }
}

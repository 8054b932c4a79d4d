//! Section 4 of `docs/semantics.md`: layers of neurons with their state, one timestep after the other.

use super::activity::StepActivity;
use crate::num::{Keep, Rounding, Word};
use crate::quant::{
    LOIHI_BITS, LOIHI_INPUT_SHIFT, QuantizedLoihi, QuantizedNeuron, QuantizedReset, per_channel,
};

/// A layer of neurons; what it keeps starts at 0.
pub trait NeuronLayer<W> {
    /// One timestep: reads a frame of inputs and writes one of spikes.
    fn step(&mut self, input: &[W], spikes: &mut [W]) -> StepActivity;

    /// The membranes after the last timestep, in the order of a frame.
    fn membranes(&self) -> &[W];

    /// Back to 0, as before an image.
    fn reset(&mut self);
}

/// Neurons whose state is a membrane that keeps a part of itself.
pub struct LeakyNeurons<W> {
    /// One per channel.
    cells: Vec<Cell<W>>,
    membranes: Vec<W>,
}

impl<W: Word> LeakyNeurons<W> {
    /// `values` neurons of `channels` channels.
    pub fn new(op: &QuantizedNeuron, channels: usize, values: usize) -> Self {
        let cells = (0..channels).map(|c| Cell::new(op, c)).collect();
        Self { cells, membranes: vec![W::default(); values] }
    }
}

impl<W: Word> NeuronLayer<W> for LeakyNeurons<W> {
    fn step(&mut self, input: &[W], spikes: &mut [W]) -> StepActivity {
        let channels = self.cells.len();
        let mut step = StepActivity { neuron_updates: input.len() as u32, ..StepActivity::default() };
        let pixels = self.membranes.chunks_exact_mut(channels).zip(input.chunks_exact(channels));
        for ((v, x), spike) in pixels.zip(spikes.chunks_exact_mut(channels)) {
            for (((v, &x), spike), cell) in v.iter_mut().zip(x).zip(spike).zip(&self.cells) {
                let (fires, clamped);
                (fires, *v, clamped) = cell.update(*v, x);
                *spike = W::from(i16::from(fires));
                step.output_events += u32::from(fires);
                step.saturations += u32::from(clamped);
            }
        }
        step
    }

    fn membranes(&self) -> &[W] {
        &self.membranes
    }

    fn reset(&mut self) {
        self.membranes.fill(W::default());
    }
}

/// How often neurons alike, of one threshold, fire: `inputs` are `[image][timestep][position]`.
pub fn count_spikes<W: Word>(op: &QuantizedNeuron, inputs: &[W], timesteps: usize, positions: usize) -> u64 {
    let cell = Cell::new(op, 0);
    if cell.delayed.is_some() {
        count_spikes_as::<W, true>(&cell, inputs, timesteps, positions)
    } else {
        count_spikes_as::<W, false>(&cell, inputs, timesteps, positions)
    }
}

fn count_spikes_as<W: Word, const DELAYED: bool>(
    cell: &Cell<W>,
    inputs: &[W],
    timesteps: usize,
    positions: usize,
) -> u64 {
    let mut membranes = vec![W::default(); positions];
    let mut spikes = 0;
    for image in inputs.chunks_exact(timesteps * positions) {
        membranes.fill(W::default());
        for frame in image.chunks_exact(positions) {
            let step = |(v, &x): (&mut W, &W)| {
                let fires;
                (fires, *v, _) = cell.update_as::<DELAYED>(*v, x);
                u32::from(fires)
            };
            spikes += u64::from(membranes.iter_mut().zip(frame).map(step).sum::<u32>());
        }
    }
    spikes
}

/// The constants of the neurons of one channel: what every executor reads.
#[derive(Debug, Clone, Copy)]
pub struct Cell<W = i32> {
    /// Fires iff g >= this.
    pub threshold: W,
    /// What a spike subtracts from g before the leak; `None` for a hard reset.
    pub subtract: Option<W>,
    /// What a spike subtracts behind the leak, where there is anything.
    pub delayed: Option<W>,
    /// What becomes the stored membrane of what is left of g: leak and discarded bits; the leak alone where something
    /// is subtracted behind it.
    pub keep: Keep,
    /// Discarded bits, which come back as zeros.
    pub discard: u32,
    /// Lowest stored membrane; 0 for a neuron that keeps nothing.
    pub low: W,
    /// Highest stored membrane; 0 for a neuron that keeps nothing.
    pub high: W,
    /// False where a bound proves that nothing leaves that range.
    pub clamps: bool,
}

impl<W: Word> Cell<W> {
    /// The constants of the neurons of `channel`.
    pub fn new(op: &QuantizedNeuron, channel: usize) -> Self {
        let threshold = W::saturate(per_channel(&op.thresholds, channel));
        let amount = op.amount(channel).map(W::saturate);
        let (discard, low, high) = match &op.membrane {
            Some(word) => {
                let high = W::narrow((1i64 << (word.bits - 1)) - 1);
                (per_channel(&word.discards, channel), W::from(-1) - high, high)
            }
            None => (0, W::default(), W::default()),
        };
        let (subtract, delayed, dropped) = match op.reset {
            QuantizedReset::SubtractDelayed => (Some(W::default()), amount, 0),
            _ => (amount, None, discard),
        };
        let keep = op.keep(channel);
        let keep = Keep { shift: keep.shift + dropped, ..keep };
        Self { threshold, subtract, delayed, keep, discard, low, high, clamps: true }
    }

    /// The cell of neurons whose potentials and membranes are proven not to exceed `reach`.
    pub fn within(self, reach: i64) -> Self {
        let fires_at = self.threshold.into();
        let leaves = |g: i64, fires: bool| {
            let left = match self.subtract {
                Some(amount) if fires => g - amount.into(),
                None if fires => 0,
                _ => g,
            };
            let kept = self.keep.of(left);
            let stored = match self.delayed {
                Some(amount) if fires => (kept - amount.into()) >> self.discard,
                Some(_) => kept >> self.discard,
                None => kept,
            };
            !(self.low.into()..=self.high.into()).contains(&stored)
        };
        // What is stored grows with the potential.
        let ends = [(-reach, false), (fires_at - 1, false), (fires_at, true), (reach.max(fires_at), true)];
        Self { clamps: ends.into_iter().any(|(g, fires)| leaves(g, fires)), ..self }
    }

    /// What the leak leaves of `left`, with its bits discarded where nothing is subtracted behind it.
    #[inline(always)]
    pub fn kept(&self, left: W) -> W {
        if self.keep.multiplier == 1 {
            // A shift by more than all bits but one is one by these: what is left is the sign.
            left >> self.keep.shift.min(W::BITS - 1)
        } else {
            left.scale(self.keep)
        }
    }

    /// g = V + X; fire iff g >= threshold; V' is what is kept of g, or of what the spike leaves, as it comes back
    /// from the membrane word. Returns whether it fires, V', and whether the word clamped it.
    #[inline(always)]
    pub fn update(&self, v: W, x: W) -> (bool, W, bool) {
        if self.delayed.is_some() { self.update_as::<true>(v, x) } else { self.update_as::<false>(v, x) }
    }

    /// [`Self::update`] of a cell that subtracts behind the leak just where `DELAYED`: a loop that asks once is
    /// compiled to vectors.
    #[inline(always)]
    pub(crate) fn update_as<const DELAYED: bool>(&self, v: W, x: W) -> (bool, W, bool) {
        let g = v + x;
        let fires = g >= self.threshold;
        let left = match self.subtract {
            Some(amount) if fires => g - amount,
            None if fires => W::default(),
            _ => g,
        };
        let mut kept = self.kept(left);
        if DELAYED {
            let amount = self.delayed.filter(|_| fires).unwrap_or_default();
            kept = (kept - amount) >> self.discard;
        }
        let stored = kept.max(self.low).min(self.high);
        (fires, stored << self.discard, stored != kept)
    }
}

/// Neurons of Loihi: I = wrap(I (4095 - c)/4096 + (X << 6)), V = clamp(V (4096 - d)/4096 + I), fires above
/// the threshold and resets to 0. Quotients are rounded toward zero.
pub struct LoihiNeurons<W> {
    op: QuantizedLoihi,
    channels: usize,
    currents: Vec<i64>,
    voltages: Vec<W>,
}

impl<W: Word> LoihiNeurons<W> {
    /// `values` neurons of `channels` channels.
    pub fn new(op: &QuantizedLoihi, channels: usize, values: usize) -> Self {
        Self { op: op.clone(), channels, currents: vec![0; values], voltages: vec![W::default(); values] }
    }
}

impl<W: Word> NeuronLayer<W> for LoihiNeurons<W> {
    fn step(&mut self, input: &[W], spikes: &mut [W]) -> StepActivity {
        let mut step = StepActivity { neuron_updates: input.len() as u32, ..StepActivity::default() };
        let decay = |x: i64, kept: u32| Rounding::TowardZero.shift_right(x * i64::from(kept), 12);
        let limit = (1 << (LOIHI_BITS - 1)) - 1;
        let state = self.currents.iter_mut().zip(&mut self.voltages);
        for (n, ((i, v), (&x, spike))) in state.zip(input.iter().zip(spikes)).enumerate() {
            let sum = decay(*i, 4095 - self.op.current_decay) + (x.into() << LOIHI_INPUT_SHIFT);
            *i = wrap_current(sum);
            let g = decay((*v).into(), 4096 - self.op.voltage_decay) + *i;
            let clamped = g.clamp(-limit, limit);
            let fires = clamped >= per_channel(&self.op.thresholds, n % self.channels);
            *v = if fires { W::default() } else { W::narrow(clamped) };
            *spike = W::from(i16::from(fires));
            step.output_events += u32::from(fires);
            step.saturations += u32::from(*i != sum) + u32::from(clamped != g);
        }
        step
    }

    fn membranes(&self) -> &[W] {
        &self.voltages
    }

    fn reset(&mut self) {
        self.currents.fill(0);
        self.voltages.fill(W::default());
    }
}

/// Modulo 2^24, into -2^23 + 1 ..= 2^23, as Lava's bit-accurate model does.
fn wrap_current(sum: i64) -> i64 {
    let low = sum.rem_euclid(1 << LOIHI_BITS);
    if low > 1 << (LOIHI_BITS - 1) { low - (1 << LOIHI_BITS) } else { low }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::MembraneWord;

    fn loihi(threshold: i64, voltage_decay: u32, current_decay: u32) -> LoihiNeurons<i32> {
        let op = QuantizedLoihi { thresholds: vec![(threshold << 6) + 1], voltage_decay, current_decay };
        LoihiNeurons::new(&op, 1, 1)
    }

    fn voltages(layer: &mut LoihiNeurons<i32>, inputs: &[i32]) -> Vec<i32> {
        let mut voltage = |&x: &i32| {
            layer.step(&[x], &mut [0]);
            layer.membranes()[0]
        };
        inputs.iter().map(&mut voltage).collect()
    }

    /// Lava, `tests/lava/proc/lif`: one input of 128 and a current that hardly decays (c = 0).
    #[test]
    fn a_trace_of_lava() {
        let trace = voltages(&mut loihi(1000, 2048, 0), &[128, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(trace, [8192, 12286, 14331, 15351, 15859, 16111, 16235, 16295]);
    }

    /// A layer of two channels on two images counts the same as its channels one by one.
    #[test]
    fn spikes_of_a_channel_are_those_of_the_layer() {
        let membrane = Some(MembraneWord { bits: 3, discards: vec![1, 2] });
        let op = QuantizedNeuron {
            thresholds: vec![9, 14],
            keeps: vec![Keep::half_to_the(1), Keep::nearest(0.75)],
            gains: vec![1.0],
            reset: QuantizedReset::Subtract,
            strict: false,
            membrane,
        };
        let inputs: Vec<i64> = (0..2 * 3 * 4 * 2).map(|i| (i * 37) % 23 - 5).collect();
        let mut layer = [0, 0];
        for image in inputs.chunks_exact(3 * 4 * 2) {
            let mut neurons = LeakyNeurons::new(&op, 2, 8);
            let mut spikes = vec![0i64; 8];
            for frame in image.chunks_exact(8) {
                neurons.step(frame, &mut spikes);
                (0..8).for_each(|i| layer[i % 2] += spikes[i] as u64);
            }
        }
        let alone = [0, 1].map(|channel| {
            let inputs: Vec<i64> = inputs.iter().skip(channel).step_by(2).copied().collect();
            let narrow: Vec<i32> = inputs.iter().map(|&x| x as i32).collect();
            let one = op.of_channel(channel);
            assert_eq!(count_spikes(&one, &inputs, 3, 4), count_spikes(&one, &narrow, 3, 4));
            count_spikes(&one, &inputs, 3, 4)
        });
        assert_eq!(alone, layer);
        assert!(layer.iter().all(|&spikes| spikes > 0));
    }

    #[test]
    fn decays_round_toward_zero_by_hand() {
        // Without a current, 64 x 3/4 = 48, 36, 27, 20.25, 15, 11.25; the same below zero.
        assert_eq!(voltages(&mut loihi(100, 1024, 4095), &[1, 0, 0, 0, 0, 0]), [64, 48, 36, 27, 20, 15]);
        let below = voltages(&mut loihi(100, 1024, 4095), &[-1, 0, 0, 0, 0, 0]);
        assert_eq!(below, [-64, -48, -36, -27, -20, -15]);
    }

    #[test]
    fn fires_above_the_threshold_and_resets() {
        let mut layer = loihi(2, 0, 4095);
        let mut spike = [0];
        // 128 is the threshold; 192 is above it.
        let fired: Vec<i32> = (0..4)
            .map(|_| {
                layer.step(&[1], &mut spike);
                spike[0]
            })
            .collect();
        assert_eq!((fired, layer.membranes()), (vec![0, 0, 1, 0], &[64][..]));
    }

    #[test]
    fn the_current_wraps_and_the_voltage_clamps() {
        assert_eq!([1 << 23, (1 << 23) + 1, -(1 << 23)].map(wrap_current), [1 << 23, 1 - (1 << 23), 1 << 23]);
        let mut layer = loihi(1 << 17, 0, 4095);
        let mut saturations = Vec::new();
        for _ in 0..3 {
            saturations.push(layer.step(&[100_000], &mut [0]).saturations);
        }
        // 6.4 million fits 24 bits; twice that is clamped.
        assert_eq!((layer.membranes(), saturations), (&[(1 << 23) - 1][..], vec![0, 1, 1]));
    }
}

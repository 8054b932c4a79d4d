//! Waves of lanes that skip zeros: every wave takes as many steps as its slowest lane.

use super::spike_matrix::SpikeMatrix;
use crate::model::ConvGeometry;
use crate::tensor::Frames;

/// Lanes that start a wave together, and the next one when the last of them is done. Each walks through the non-zero
/// inputs that are its own, of one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaveShape {
    /// Output positions, in raster order.
    pub positions: usize,
    /// Rows of the output map, where positions do not lie in a line.
    pub rows: usize,
    /// Columns of the output map.
    pub columns: usize,
    /// Timesteps.
    pub timesteps: usize,
    /// Groups. Lanes for several of them are counted for grouped layers only.
    pub groups: usize,
    /// Non-zero inputs of one output at a time, whichever they are.
    pub inputs: usize,
    /// Input channels with lanes of their own.
    pub channels: usize,
    /// Positions of the kernel with lanes of their own.
    pub taps: usize,
}

impl WaveShape {
    /// True if it is counted of a layer with so many `groups`.
    pub(crate) fn suits(&self, groups: usize) -> bool {
        groups > 1 || self.groups == 1
    }
}

/// Steps of the busiest lane of every wave of a weight layer.
pub(super) struct Waves {
    shape: WaveShape,
    /// Columns of the output map.
    width: usize,
    /// Positions of the kernel.
    taps: usize,
    /// Blocks of timesteps, and of groups.
    blocks: [usize; 2],
    /// By block of positions, of timesteps and of groups.
    busiest: Vec<u64>,
}

impl Waves {
    /// Nothing counted yet of a layer whose map has so many rows and columns, which has so many timesteps and groups, and
    /// whose kernel has `taps` positions.
    pub fn new(
        shape: WaveShape,
        [height, width]: [usize; 2],
        [timesteps, groups]: [usize; 2],
        taps: usize,
    ) -> Self {
        let blocks = [timesteps.div_ceil(shape.timesteps), groups.div_ceil(shape.groups)];
        let mut waves = Self { shape, width, taps, blocks, busiest: Vec::new() };
        let positions = (0..height * width).map(|position| waves.block(position) + 1).max().unwrap_or(0);
        waves.busiest = vec![0; positions * blocks[0] * blocks[1]];
        waves
    }

    /// Counts the outputs of group number `group`.
    pub fn add(&mut self, group: usize, matrix: &SpikeMatrix) {
        let timesteps = matrix.timesteps.max(1);
        for row in 0..matrix.rows {
            let steps = self.lane_steps(matrix, row);
            let busiest = self.busiest_of(row / timesteps, row % timesteps, group / self.shape.groups);
            *busiest = steps.max(*busiest);
        }
    }

    /// [`Self::add`] of every group of a layer of `geometry`, each of which has one input channel and one lane.
    pub fn add_depthwise<T: Copy + Default + PartialEq>(
        &mut self,
        input: &Frames<T>,
        geometry: &ConvGeometry,
    ) {
        let channels = input.shape.channels;
        let mut active = vec![0u32; channels];
        let positions = geometry.output(input.shape).expect("checked when the network was built").positions();
        for (t, position) in (0..input.frames).flat_map(|t| (0..positions).map(move |position| (t, position)))
        {
            active.fill(0);
            for (_, at) in geometry.taps_of(input.shape, position / self.width, position % self.width) {
                let Some(at) = at else { continue };
                let values = &input.at(t)[at * channels..][..channels];
                active.iter_mut().zip(values).for_each(|(sum, x)| *sum += u32::from(*x != T::default()));
            }
            for (block, active) in active.chunks(self.shape.groups).enumerate() {
                let most = active.iter().copied().max().unwrap_or(0);
                let steps = u64::from(most).div_ceil(self.shape.inputs as u64);
                let busiest = self.busiest_of(position, t, block);
                *busiest = steps.max(*busiest);
            }
        }
    }

    /// Steps of all waves, one after the other.
    pub fn steps(&self) -> u64 {
        self.busiest.iter().sum()
    }

    /// What is known of the wave of a position, a timestep and a block of groups.
    fn busiest_of(&mut self, position: usize, t: usize, groups: usize) -> &mut u64 {
        let block = self.block(position) * self.blocks[0] + t / self.shape.timesteps;
        &mut self.busiest[block * self.blocks[1] + groups]
    }

    /// The block of positions that `position` is of.
    fn block(&self, position: usize) -> usize {
        let WaveShape { positions, rows, columns, .. } = self.shape;
        if rows * columns == 1 {
            return position / positions;
        }
        let (y, x) = (position / self.width, position % self.width);
        y / rows * self.width.div_ceil(columns) + x / columns
    }

    /// Steps of the busiest lane of one output.
    fn lane_steps(&self, matrix: &SpikeMatrix, row: usize) -> u64 {
        let WaveShape { inputs, channels, taps, .. } = self.shape;
        if channels * taps == 1 {
            return u64::from(matrix.spikes_of(row)).div_ceil(inputs as u64);
        }
        let per_tap = matrix.columns / self.taps;
        let mut lanes = vec![0; channels * taps];
        for column in matrix.active(row) {
            lanes[column / per_tap % taps * channels + column % per_tap % channels] += 1;
        }
        lanes.into_iter().max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::spike_matrix::draw;
    use super::*;
    use crate::exec::activity::count_products;
    use crate::exec::wave_size;
    use crate::tensor::Shape;

    const ONE: WaveShape = WaveShape {
        positions: 1,
        rows: 1,
        columns: 1,
        timesteps: 1,
        groups: 1,
        inputs: 1,
        channels: 1,
        taps: 1,
    };

    fn steps(shape: WaveShape, input: &Frames<u8>, geometry: &ConvGeometry) -> u64 {
        let map = [input.shape.height, input.shape.width];
        let mut waves = Waves::new(shape, map, [input.frames, geometry.groups], 9);
        for group in 0..geometry.groups {
            waves.add(group, &SpikeMatrix::gather(input, geometry, group));
        }
        waves.steps()
    }

    /// Two channels of a map of one row and two columns, a kernel of 1 x 1: depthwise, each sees itself.
    #[test]
    fn depthwise_lanes_by_hand() {
        let geometry = ConvGeometry::centred([1, 1], [2, 2], 2);
        // Position 0 has spikes of both channels, position 1 none; at t = 1 each has one, of another channel.
        let data = vec![1, 1, 0, 0, /* t = 1 */ 1, 0, 0, 1];
        let input = Frames { frames: 2, shape: Shape::new(2, 1, 2), data };
        let count = |shape| {
            let mut waves = Waves::new(shape, [1, 2], [2, 2], 1);
            waves.add_depthwise(&input, &geometry);
            assert_eq!(waves.steps(), steps(shape, &input, &geometry));
            waves.steps()
        };
        assert_eq!(count(ONE), 4);
        // Two channels at once: t = 0 one step of two, t = 1 two.
        assert_eq!(count(WaveShape { groups: 2, ..ONE }), 3);
        assert_eq!(count(WaveShape { groups: 2, columns: 2, ..ONE }), 2);
        assert_eq!(count(WaveShape { groups: 2, timesteps: 2, ..ONE }), 2);
        assert_eq!(count(WaveShape { groups: 2, timesteps: 2, positions: 2, ..ONE }), 1);
    }

    /// Group by group as of any other layer.
    #[test]
    fn depthwise_layers_are_counted_as_others() {
        let input = draw(Shape::new(9, 5, 6), 3, 0.3, 8);
        let geometry = ConvGeometry { stride: [2, 1], ..ConvGeometry::centred([3, 3], [9, 9], 9) };
        let out = geometry.output(input.shape).unwrap();
        for shape in [
            ONE,
            WaveShape { groups: 4, inputs: 2, ..ONE },
            WaveShape { groups: 9, timesteps: 2, positions: 4, ..ONE },
            WaveShape { rows: 2, columns: 4, groups: 2, ..ONE },
        ] {
            let waves = || Waves::new(shape, [out.height, out.width], [3, 9], 9);
            let (mut at_once, mut one_by_one) = (waves(), waves());
            at_once.add_depthwise(&input, &geometry);
            (0..9).for_each(|group| one_by_one.add(group, &SpikeMatrix::gather(&input, &geometry, group)));
            assert!(at_once.steps() > 0);
            assert_eq!(at_once.busiest, one_by_one.busiest, "{shape:?}");
        }
    }

    #[test]
    fn positions_in_a_line_are_what_is_always_counted() {
        let (input, geometry) =
            (draw(Shape::new(5, 6, 7), 3, 0.3, 4), ConvGeometry::centred([3, 3], [5, 5], 1));
        let counted = count_products(&input, &geometry, false).total().wave_peaks;
        for (i, peaks) in counted.into_iter().enumerate() {
            assert_eq!(
                steps(WaveShape { positions: wave_size(i), ..ONE }, &input, &geometry),
                u64::from(peaks)
            );
        }
        // A column of the map as high as the map, and a whole map.
        let map = WaveShape { rows: 6, columns: 7, ..ONE };
        let line = WaveShape { positions: 42, ..ONE };
        assert_eq!(steps(map, &input, &geometry), steps(line, &input, &geometry));
    }

    #[test]
    fn lanes_with_inputs_of_their_own_wait_longer_than_shared_ones() {
        let (input, geometry) =
            (draw(Shape::new(8, 4, 4), 2, 0.4, 5), ConvGeometry::centred([3, 3], [8, 8], 1));
        let own = steps(WaveShape { taps: 9, ..ONE }, &input, &geometry);
        let shared = steps(WaveShape { inputs: 9, ..ONE }, &input, &geometry);
        let alone = steps(ONE, &input, &geometry);
        assert!(shared < own && own < alone, "{shared} {own} {alone}");
        assert!(9 * shared >= alone);
        let channels = steps(WaveShape { channels: 8, ..ONE }, &input, &geometry);
        assert!(channels >= alone.div_ceil(8) && channels <= 9 * 4 * 4 * 2);
    }
}

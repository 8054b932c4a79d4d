use crate::tensor::Shape;

/// A two-dimensional convolution; a linear layer is 1x1 on a 1x1 map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvGeometry {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Steps between outputs, rows and columns.
    pub stride: [usize; 2],
    /// Zeros (or constants) around the input, rows and columns.
    pub pad: [usize; 2],
    /// Steps between the taps of the kernel, rows and columns.
    pub dilation: [usize; 2],
    /// Groups that do not mix; `in_channels` for a depthwise convolution.
    pub groups: usize,
}

impl ConvGeometry {
    /// Steps of one, and as much padding as keeps the size of a map under a kernel of an odd extent; `channels` in and
    /// out.
    pub fn centred(kernel: [usize; 2], channels: [usize; 2], groups: usize) -> Self {
        let [in_channels, out_channels] = channels;
        let pad = kernel.map(|extent| extent / 2);
        Self { in_channels, out_channels, kernel, stride: [1, 1], pad, dilation: [1, 1], groups }
    }

    /// Inputs of one output value.
    pub fn fan_in(&self) -> usize {
        self.in_channels / self.groups * self.taps()
    }

    /// Kernel positions.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// How far the taps of the kernel reach, rows or columns.
    pub(crate) fn span(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    /// Row and column of a tap, in positions of the input from the first one on.
    pub(crate) fn tap_at(&self, tap: usize) -> [usize; 2] {
        let columns = self.kernel[1];
        [tap / columns * self.dilation[0], tap % columns * self.dilation[1]]
    }

    /// Weights, biases not included.
    pub fn weights(&self) -> usize {
        self.out_channels * self.fan_in()
    }

    /// Height and width of the output; `None` where the kernel does not fit the padded input.
    pub fn output(&self, input: Shape) -> Option<Shape> {
        let extent = |size: usize, axis: usize| {
            let padded = size + 2 * self.pad[axis];
            padded.checked_sub(self.span(axis)).map(|room| room / self.stride[axis] + 1)
        };
        Some(Shape::new(self.out_channels, extent(input.height, 0)?, extent(input.width, 1)?))
    }

    /// The group of an input channel.
    pub(crate) fn group_of(&self, in_channel: usize) -> usize {
        if self.groups == 1 { 0 } else { in_channel * self.groups / self.in_channels }
    }

    /// Weights stored `[out][in / groups][tap]`, as PyTorch does, laid out `[tap][in][out / groups]`:
    /// one input channel gates a contiguous row. `weight` yields the stored weight of an index.
    pub fn rows<T>(&self, weight: impl Fn(usize) -> T) -> Vec<T> {
        let (taps, per_group) = (self.taps(), self.in_channels / self.groups);
        let outs = self.out_channels / self.groups;
        let mut rows = Vec::with_capacity(self.weights());
        for tap in 0..taps {
            for channel in 0..self.in_channels {
                let (first, i) = (self.group_of(channel) * outs, channel % per_group);
                rows.extend((first..first + outs).map(|out| weight((out * per_group + i) * taps + tap)));
            }
        }
        rows
    }

    /// What each output position reads.
    pub(crate) fn taps_of(&self, input: Shape, y: usize, x: usize) -> Taps<'_> {
        Taps { geometry: self, input, origin: [y * self.stride[0], x * self.stride[1]], next: 0 }
    }
}

/// Iterates over kernel taps of one output position: (tap, input position), `None` where the
/// tap falls on the padding.
pub struct Taps<'a> {
    geometry: &'a ConvGeometry,
    input: Shape,
    origin: [usize; 2],
    next: usize,
}

impl Iterator for Taps<'_> {
    type Item = (usize, Option<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let tap = self.next;
        if tap == self.geometry.taps() {
            return None;
        }
        self.next += 1;
        let [row, column] = self.geometry.tap_at(tap);
        let y = (self.origin[0] + row).wrapping_sub(self.geometry.pad[0]);
        let x = (self.origin[1] + column).wrapping_sub(self.geometry.pad[1]);
        let inside = y < self.input.height && x < self.input.width;
        Some((tap, inside.then(|| y * self.input.width + x)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corner_of_a_3x3_convolution_reads_four_inputs() {
        let g = ConvGeometry::centred([3, 3], [2, 5], 1);
        let input = Shape::new(2, 4, 3);
        assert_eq!(g.output(input), Some(Shape::new(5, 4, 3)));
        let inside: Vec<_> = g.taps_of(input, 0, 0).filter_map(|(tap, p)| p.map(|p| (tap, p))).collect();
        assert_eq!(inside, [(4, 0), (5, 1), (7, 3), (8, 4)]);
        assert_eq!((g.fan_in(), g.weights()), (18, 90));
    }

    #[test]
    fn taps_two_apart_skip_what_lies_between() {
        let g = ConvGeometry { stride: [1, 2], dilation: [1, 2], ..ConvGeometry::centred([1, 3], [1, 1], 1) };
        // A span of 5 on 7 columns with their padding.
        let input = Shape::new(1, 1, 5);
        assert_eq!((g.span(1), g.output(input)), (5, Some(Shape::new(1, 1, 2))));
        let read = |x: usize| g.taps_of(input, 0, x).map(|(_, at)| at).collect::<Vec<_>>();
        assert_eq!([read(0), read(1)], [[None, Some(1), Some(3)], [Some(1), Some(3), None]]);
    }

    #[test]
    fn a_kernel_larger_than_its_input_has_no_output() {
        let g = ConvGeometry { stride: [2, 2], pad: [0, 0], ..ConvGeometry::centred([7, 7], [1, 1], 1) };
        assert_eq!(g.output(Shape::new(1, 6, 9)), None);
        assert_eq!(g.output(Shape::new(1, 7, 9)), Some(Shape::new(1, 1, 2)));
    }
}

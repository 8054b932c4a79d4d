use crate::tensor::Frames;

/// The values of one frame that are not zero, position by position: a weight layer visits every
/// position once per kernel tap, and zeros only here.
pub struct Events<T> {
    /// Per position, where its events start; one more at the end.
    starts: Vec<usize>,
    /// (channel, value)
    events: Vec<(usize, T)>,
}

impl<T: Copy + Default + PartialEq> Events<T> {
    /// Of frame `t`.
    pub fn new(input: &Frames<T>, t: usize) -> Self {
        Self::of_pixels(input.at(t).chunks_exact(input.shape.channels))
    }

    /// Of pixels in raster order.
    pub fn of_pixels<'a>(pixels: impl Iterator<Item = &'a [T]>) -> Self
    where
        T: 'a,
    {
        let (mut starts, mut events) = (vec![0], Vec::new());
        for pixel in pixels {
            events.extend(pixel.iter().copied().enumerate().filter(|(_, value)| *value != T::default()));
            starts.push(events.len());
        }
        Self { starts, events }
    }

    /// Those of one position, in order of their channels.
    pub fn at(&self, position: usize) -> &[(usize, T)] {
        &self.events[self.starts[position]..self.starts[position + 1]]
    }
}

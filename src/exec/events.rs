use crate::tensor::Frames;

/// The values of one frame that are not zero, position by position: a weight layer visits every
/// position once per kernel tap, and zeros only here.
pub struct Events<T> {
    /// Per position, where its events start; one more at the end.
    starts: Vec<usize>,
    /// (channel, value)
    events: Vec<(u32, T)>,
}

impl<T: Copy + Default + PartialEq> Events<T> {
    /// The events of frame `t`.
    pub fn new(input: &Frames<T>, t: usize) -> Self {
        Self::of_pixels(input.at(t).chunks_exact(input.shape.channels))
    }

    /// The events of pixels in raster order.
    pub fn of_pixels<'a>(pixels: impl Iterator<Item = &'a [T]>) -> Self
    where
        T: 'a,
    {
        let (mut starts, mut events) = (vec![0], Vec::new());
        for pixel in pixels {
            let mut count = events.len();
            events.resize(count + pixel.len(), (0, T::default()));
            // Every value is written and the zeros overwritten: no branch to guess.
            for (channel, &value) in (0..).zip(pixel) {
                events[count] = (channel, value);
                count += usize::from(value != T::default());
            }
            events.truncate(count);
            starts.push(count);
        }
        Self { starts, events }
    }

    /// The events of one position, in order of their channels.
    pub fn at(&self, position: usize) -> &[(u32, T)] {
        &self.events[self.starts[position]..self.starts[position + 1]]
    }
}

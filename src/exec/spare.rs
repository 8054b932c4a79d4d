//! Buffers of values that nobody reads any more, for values to come: memory that the system has not to find and clear
//! again.

use crate::tensor::{Frames, Shape};

/// Buffers that are kept, the largest.
const BUFFERS: usize = 8;

/// Spare buffers, the largest first.
#[derive(Debug, Default)]
pub struct Spare<T>(Vec<Vec<T>>);

impl<T: Copy + Default> Spare<T> {
    /// Frames for values that are all still to be written, in the smallest buffer that has the room; they hold what was
    /// there before.
    pub fn room(&mut self, frames: usize, shape: Shape) -> Frames<T> {
        let length = frames * shape.values();
        let fits = self.0.iter().rposition(|buffer| buffer.capacity() >= length);
        let mut data = fits.map(|i| self.0.remove(i)).unwrap_or_default();
        data.resize(length, T::default());
        Frames { frames, shape, data }
    }

    /// Keeps the buffer of `frames`, which nobody reads any more, unless it is smaller than all that are kept.
    pub fn keep(&mut self, frames: Frames<T>) {
        let place = self.0.partition_point(|buffer| buffer.capacity() > frames.data.capacity());
        self.0.insert(place, frames.data);
        self.0.truncate(BUFFERS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_buffer_that_has_the_room_is_taken() {
        let mut spare = Spare::<f32>::default();
        let of = |spare: &mut Spare<f32>, channels| spare.room(2, Shape::new(channels, 1, 1));
        let (small, large) = (of(&mut spare, 3), of(&mut spare, 50));
        let at = large.data.as_ptr();
        spare.keep(small);
        spare.keep(large);
        let again = of(&mut spare, 4);
        assert_eq!((again.data.as_ptr(), again.data.len()), (at, 8), "three channels have no room for four");
        assert_ne!(of(&mut spare, 4).data.as_ptr(), at, "a buffer is lent once");
    }

    #[test]
    fn the_largest_buffers_are_kept() {
        let mut spare = Spare::<u8>::default();
        (1..=20).for_each(|channels| spare.keep(Frames::zeros(1, Shape::new(channels, 1, 1))));
        let kept: Vec<usize> = spare.0.iter().map(Vec::capacity).collect();
        assert_eq!(kept, [20, 19, 18, 17, 16, 15, 14, 13]);
    }
}

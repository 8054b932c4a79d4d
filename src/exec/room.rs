//! Room for values that a run uses again and again.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line: a vector that straddles two takes twice as long to load.
const LINE_BYTES: usize = 64;

/// Values from the start of a cache line on. Room never shrinks, and where it grows, values are lost.
#[derive(Debug, Default)]
pub struct Room<T> {
    values: Vec<T>,
    /// The first value on a cache line of its own.
    start: usize,
}

impl<T: Copy + Default> Room<T> {
    /// The first `length` values.
    pub fn at_least(&mut self, length: usize) -> &mut [T] {
        if self.len() < length {
            self.values.clear();
            self.values.resize(length + LINE_BYTES / size_of::<T>(), T::default());
            self.start = self.values.as_ptr().align_offset(LINE_BYTES);
        }
        &mut self[..length]
    }
}

impl<T> Deref for Room<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values[self.start..]
    }
}

impl<T> DerefMut for Room<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.values[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_start_on_cache_lines_however_room_grows() {
        let (mut bytes, mut words) = (Room::<u8>::default(), Room::<i32>::default());
        for length in [1, 3, 2, 100, 64, 5000] {
            assert_eq!((bytes.at_least(length).len(), words.at_least(length).len()), (length, length));
            assert!(bytes.as_ptr().addr().is_multiple_of(64) && words.as_ptr().addr().is_multiple_of(64));
        }
        bytes.at_least(7)[6] = 9;
        assert_eq!(bytes.at_least(5000)[6], 9, "room that suffices keeps its values");
    }
}

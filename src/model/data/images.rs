//! Samples with labels, wherever they are kept.

use std::fmt::Debug;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::files::{self, sha256};
use crate::tensor::{Frames, Shape};
use crate::watch::Interrupt;

/// What a network looks at once: one frame that every timestep sees, or one per timestep.
pub type Sample = Frames<u16>;

/// Labelled samples of one shape.
#[derive(Debug, Clone)]
pub struct Images {
    /// Shape of one frame.
    pub shape: Shape,
    /// Frames of a sample: 1 for an image, one per timestep for events.
    pub frames: usize,
    /// One per sample.
    pub labels: Vec<u32>,
    /// What a reader of results must know of them: what was taken of several, what was left.
    pub notes: Vec<String>,
    /// Where the first one is in `source`.
    first: usize,
    source: Arc<dyn Source>,
    interrupt: Interrupt,
}

/// What holds samples.
pub(super) trait Source: Debug + Send + Sync {
    /// Sample `i`, read now if it is not in memory.
    fn sample(&self, i: usize) -> Result<Sample>;

    /// What messages call sample `i`.
    fn origin(&self, i: usize) -> String;

    /// SHA-256 of the files that hold `samples`, as hexadecimal.
    fn sha256(&self, samples: Range<usize>) -> Result<String>;

    /// True if the samples were computed and show nothing.
    fn is_synthetic(&self) -> bool {
        false
    }
}

impl Images {
    pub(super) fn new(source: impl Source + 'static, shape: Shape, frames: usize, labels: Vec<u32>) -> Self {
        let (source, interrupt) = (Arc::new(source), Interrupt::default());
        Self { shape, frames, labels, notes: Vec::new(), first: 0, source, interrupt }
    }

    pub(super) fn with_notes(self, notes: Vec<String>) -> Self {
        Self { notes, ..self }
    }

    /// Samples made by the program.
    pub fn in_memory(samples: &[Sample], labels: Vec<u32>) -> Self {
        let shape = samples.first().map_or(Shape::new(0, 0, 0), |sample| sample.shape);
        let frames = samples.first().map_or(1, |sample| sample.frames);
        let values: Vec<u16> = samples.iter().flat_map(|sample| sample.data.iter().copied()).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let (path, sha256) = ("samples".to_owned(), sha256([bytes]));
        Memory { values: Values::Words(values), shape, frames, path, sha256 }.images(labels)
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Sample `i`.
    ///
    /// # Errors
    /// If it is in a file that cannot be read or does not decode, or whoever waits for it ends that.
    ///
    /// # Panics
    /// If `i` is not less than [`Images::len`].
    pub fn sample(&self, i: usize) -> Result<Sample> {
        self.interrupt.check()?;
        assert!(i < self.len(), "sample {i} of {}", self.len());
        self.source.sample(self.first + i)
    }

    /// Where sample `i` comes from, for messages.
    pub fn origin(&self, i: usize) -> String {
        self.source.origin(self.first + i)
    }

    /// SHA-256 of the files: of the whole file where one holds all samples, of the digests of the files
    /// in use, in order, where each sample has its own.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn sha256(&self) -> Result<String> {
        self.source.sha256(self.first..self.first + self.len())
    }

    /// True if the samples are computed from a seed, so that an accuracy on them means nothing.
    pub fn is_synthetic(&self) -> bool {
        self.source.is_synthetic()
    }

    /// With an end to all that runs them when `interrupt` is raised.
    pub fn until(self, interrupt: &Interrupt) -> Self {
        Self { interrupt: interrupt.clone(), ..self }
    }

    /// What ends all that runs them.
    pub fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Keeps the first `count` samples.
    pub fn truncate(&mut self, count: usize) {
        self.labels.truncate(count);
    }

    /// Keeps the samples of `range`, which are there.
    pub fn select(&mut self, range: Range<usize>) {
        self.first += range.start;
        self.labels = self.labels[range].to_vec();
    }
}

/// Values of samples that are kept in memory, `[sample][frame][y][x][channel]`.
#[derive(Debug)]
pub(super) enum Values {
    /// Values of 8 bits.
    Bytes(Vec<u8>),
    /// Values of 16 bits.
    Words(Vec<u16>),
}

/// All samples of a file, in memory.
#[derive(Debug)]
pub(super) struct Memory {
    pub values: Values,
    pub shape: Shape,
    pub frames: usize,
    /// The file, for messages.
    pub path: String,
    pub sha256: String,
}

impl Memory {
    /// With their labels.
    pub fn images(self, labels: Vec<u32>) -> Images {
        let (shape, frames) = (self.shape, self.frames);
        Images::new(self, shape, frames, labels)
    }
}

impl Source for Memory {
    fn sample(&self, i: usize) -> Result<Sample> {
        let size = self.frames * self.shape.values();
        let range = i * size..(i + 1) * size;
        let data = match &self.values {
            Values::Bytes(values) => values[range].iter().map(|&value| u16::from(value)).collect(),
            Values::Words(values) => values[range].to_vec(),
        };
        Ok(Frames { frames: self.frames, shape: self.shape, data })
    }

    fn origin(&self, i: usize) -> String {
        format!("{}: image {i}", self.path)
    }

    fn sha256(&self, _: Range<usize>) -> Result<String> {
        Ok(self.sha256.clone())
    }
}

/// Planes of `[channel][y][x]`, one image after the other, as `[y][x][channel]`.
pub(super) fn channels_last<T: Copy>(planes: &[T], shape: Shape) -> Vec<T> {
    let image = |image: &[T]| {
        let pixel = |i: usize| (0..shape.channels).map(move |c| c * shape.positions() + i);
        (0..shape.positions()).flat_map(pixel).map(|i| image[i]).collect::<Vec<T>>()
    };
    planes.chunks_exact(shape.values()).flat_map(image).collect()
}

/// SHA-256 of the digests of `files`, in their order.
pub(super) fn sha256_of_files<P: AsRef<Path> + Sync>(files: &[P]) -> Result<String> {
    let digest = |path: &P| {
        let path = path.as_ref();
        let mut hasher = Sha256::new();
        let mut file = files::open(path)?;
        std::io::copy(&mut file, &mut hasher).map_err(|e| Error::io(path, e))?;
        Ok(hasher.finalize().to_vec())
    };
    let digests = files.par_iter().map(digest).collect::<Result<Vec<Vec<u8>>>>()?;
    Ok(sha256(digests.iter().map(Vec::as_slice)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_are_interleaved() {
        let planes = [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16];
        let pixels = [1, 4, 2, 5, 3, 6, 11, 14, 12, 15, 13, 16];
        assert_eq!(channels_last(&planes, Shape::new(2, 1, 3)), pixels);
    }

    #[test]
    fn a_part_of_a_part() {
        let values = Values::Words((0..6).map(|i| 1000 + i).collect());
        let memory = Memory {
            values,
            shape: Shape::new(1, 1, 1),
            frames: 1,
            path: "x.npy".to_owned(),
            sha256: String::new(),
        };
        let mut images = memory.images(vec![0, 1, 2, 3, 4, 5]);
        images.select(1..5);
        images.select(2..4);
        images.truncate(1);
        assert_eq!((images.len(), &images.labels[..]), (1, &[3][..]));
        assert_eq!(images.sample(0).unwrap().data, [1003]);
        assert_eq!(images.origin(0), "x.npy: image 3");
    }

    #[test]
    fn nobody_reads_on_when_that_was_ended() {
        let interrupt = Interrupt::default();
        let sample = Sample { frames: 1, shape: Shape::new(1, 1, 1), data: vec![7] };
        let images = Images::in_memory(&[sample], vec![0]).until(&interrupt);
        let part = images.clone();
        assert_eq!(part.sample(0).unwrap().data, [7]);
        interrupt.raise();
        assert!(matches!(part.sample(0), Err(Error::Interrupted)));
    }
}

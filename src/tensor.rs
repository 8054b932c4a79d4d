//! Row-major arrays: parameters as PyTorch stores them, activations with channels last.
//!
//! ```
//! use spiq::tensor::{Frames, Shape};
//!
//! let mut spikes = Frames::<u8>::zeros(4, Shape::new(2, 3, 3));
//! spikes.frame_mut(1)[0] = 1;
//! assert_eq!((spikes.data.len(), spikes.at(1)[0], spikes.at(2)[0]), (4 * 2 * 3 * 3, 1, 0));
//! ```

/// A dense row-major array with a run-time shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor<T> {
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// `shape.iter().product()` values, last index fastest.
    pub data: Vec<T>,
}

impl<T> Tensor<T> {
    /// Wraps `data`.
    ///
    /// # Panics
    /// If the shape does not hold exactly the data.
    pub fn new(shape: Vec<usize>, data: Vec<T>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), data.len(), "shape {shape:?}");
        Self { shape, data }
    }
}

/// Channels, height and width of one image or feature map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(from = "(usize, usize, usize)", into = "(usize, usize, usize)")]
pub struct Shape {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Shape {
    /// A shape.
    pub fn new(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width }
    }

    /// Height times width: tokens, in a transformer.
    pub fn positions(self) -> usize {
        self.height * self.width
    }

    /// Values of one timestep.
    pub fn values(self) -> usize {
        self.channels * self.positions()
    }
}

impl From<(usize, usize, usize)> for Shape {
    fn from((channels, height, width): (usize, usize, usize)) -> Self {
        Self { channels, height, width }
    }
}

impl From<Shape> for (usize, usize, usize) {
    fn from(shape: Shape) -> Self {
        (shape.channels, shape.height, shape.width)
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x {} x {}", self.channels, self.height, self.width)
    }
}

/// The values of one node over time: `[timestep][y][x][channel]`.
///
/// Channels are last, so that one input gates a contiguous row of weights. A value that is
/// the same at every timestep (a direct-coded image and what is computed from it before the
/// first neuron) is held once, with `frames == 1`.
#[derive(Debug, Clone, PartialEq)]
pub struct Frames<T> {
    /// Frames held: the timesteps, or 1 for a value constant in time.
    pub frames: usize,
    /// Shape of one frame.
    pub shape: Shape,
    /// `frames * shape.values()` values.
    pub data: Vec<T>,
}

impl<T: Copy + Default> Frames<T> {
    /// All zero.
    pub fn zeros(frames: usize, shape: Shape) -> Self {
        Self { frames, shape, data: vec![T::default(); frames * shape.values()] }
    }

    /// The values at timestep `t`.
    pub fn at(&self, t: usize) -> &[T] {
        let size = self.shape.values();
        let frame = if self.frames == 1 { 0 } else { t };
        &self.data[frame * size..][..size]
    }

    /// The values of frame `frame`, to write.
    pub fn frame_mut(&mut self, frame: usize) -> &mut [T] {
        let size = self.shape.values();
        &mut self.data[frame * size..][..size]
    }

    /// Applies `f` to every value, with its channel.
    pub fn map<U>(&self, mut f: impl FnMut(T, usize) -> U) -> Frames<U> {
        let channels = self.shape.channels;
        let mut data = Vec::with_capacity(self.data.len());
        for pixel in self.data.chunks_exact(channels) {
            data.extend(pixel.iter().enumerate().map(|(c, &x)| f(x, c)));
        }
        Frames { frames: self.frames, shape: self.shape, data }
    }
}

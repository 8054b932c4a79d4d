//! Synthetic samples for networks without data: smooth, random, the same on every machine.

use std::ops::Range;

use serde::Deserialize;

use super::context::Context;
use super::images::{Images, Sample, Source};
use crate::check::{INPUT_CHANNELS, INPUT_EXTENT, TIMESTEPS};
use crate::error::Result;
use crate::files::sha256;
use crate::model::ModelDescription;
use crate::tensor::{Frames, Shape};

/// Pixels, in a row and in a column, between the random values that others are interpolated from.
const CELL: usize = 8;
/// The random value added to every pixel is at most this part of the largest, up or down.
const GRAIN: i64 = 16;
/// Samples of either part where only a model is given.
const IMAGES: usize = 8;

/// Samples whose every value follows from the seed and its place.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    shape: Shape,
    frames: usize,
    /// Largest value.
    max: u16,
    images: usize,
    seed: u64,
    /// First sample taken, and the first after it that is not.
    pub range: Option<(usize, usize)>,
}

impl Noise {
    /// A few samples that `model` looks at.
    pub fn of(model: &ModelDescription, seed: u64) -> Self {
        let input = &model.input;
        let frames = if input.is_constant() { 1 } else { model.timesteps };
        Self { shape: input.shape(), frames, max: input.max(), images: IMAGES, seed, range: None }
    }

    /// Checks the numbers.
    pub fn load(&self, context: &Context) -> Result<Images> {
        let Shape { channels, height, width } = self.shape;
        context.in_range("shape: channels", channels, &INPUT_CHANNELS)?;
        context.in_range("shape: height", height, &INPUT_EXTENT)?;
        context.in_range("shape: width", width, &INPUT_EXTENT)?;
        context.in_range("frames", self.frames, &TIMESTEPS)?;
        context.in_range("max", self.max.into(), &(1..=u16::MAX.into()))?;
        context.in_range("images", self.images, &(1..=1_000_000))?;
        context.in_range("classes", context.classes, &(1..=usize::MAX))?;
        Ok(self.clone().images())
    }

    /// All of class 0.
    pub fn images(self) -> Images {
        let (shape, frames, count) = (self.shape, self.frames, self.images);
        Images::new(self, shape, frames, vec![0; count])
    }
}

impl Images {
    /// A few synthetic samples that `model` looks at.
    pub fn noise(model: &ModelDescription) -> Self {
        Noise::of(model, 2).images()
    }
}

impl Source for Noise {
    fn sample(&self, i: usize) -> Result<Sample> {
        let mut sample = Frames::zeros(self.frames, self.shape);
        let of_sample = mix(self.seed ^ mix(i as u64));
        for t in 0..self.frames {
            for (j, value) in sample.frame_mut(t).iter_mut().enumerate() {
                let (pixel, channel) = (j / self.shape.channels, j % self.shape.channels);
                let plane = of_sample.wrapping_add(((t * self.shape.channels + channel) as u64) << 32);
                *value = value_at(plane, pixel / self.shape.width, pixel % self.shape.width, self.max);
            }
        }
        Ok(sample)
    }

    fn origin(&self, i: usize) -> String {
        format!("noise of seed {}: image {i}", self.seed)
    }

    fn sha256(&self, samples: Range<usize>) -> Result<String> {
        let Self { shape, frames, max, seed, .. } = self;
        let text = format!("noise of seed {seed}: {shape} x {frames}, up to {max}, images {samples:?}");
        Ok(sha256([text.as_bytes()]))
    }

    fn is_synthetic(&self) -> bool {
        true
    }
}

/// Between random values at the corners of a cell, bilinear; and a little grain.
fn value_at(plane: u64, y: usize, x: usize, max: u16) -> u16 {
    let max = i64::from(max);
    let random = |kind: u64, y: usize, x: usize, range: i64| {
        let at = mix(plane ^ mix(kind << 48 | (y as u64) << 24 | x as u64));
        ((at >> 32) as i64 * range) >> 32
    };
    let corner = |dy: usize, dx: usize| random(0, y / CELL + dy, x / CELL + dx, max + 1);
    let (down, right, cell) = ((y % CELL) as i64, (x % CELL) as i64, CELL as i64);
    let row = |dy: usize| corner(dy, 0) * (cell - right) + corner(dy, 1) * right;
    let smooth = (row(0) * (cell - down) + row(1) * down) / (cell * cell);
    let grain = random(1, y, x, 2 * (max / GRAIN) + 1) - max / GRAIN;
    (smooth + grain).clamp(0, max) as u16
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(max: u16, seed: u64) -> Noise {
        Noise { shape: Shape::new(3, 32, 24), frames: 2, max, images: 4, seed, range: None }
    }

    #[test]
    fn values_repeat_and_differ_by_seed_sample_frame_and_channel() {
        let sample = noise(255, 1).sample(0).unwrap();
        assert_eq!(sample, noise(255, 1).sample(0).unwrap());
        // Recorded: other machines have to agree.
        assert_eq!(sample.data[..6], FIRST);
        assert_ne!(sample, noise(255, 2).sample(0).unwrap());
        assert_ne!(sample, noise(255, 1).sample(1).unwrap());
        assert_ne!(sample.at(0), sample.at(1));
        let of_channel = |c| sample.at(0).iter().skip(c).step_by(3).copied().collect::<Vec<u16>>();
        assert_ne!(of_channel(0), of_channel(1));
    }

    const FIRST: [u16; 6] = [248, 187, 228, 222, 209, 225];

    /// Neighbours differ less than pixels far apart, and the whole range is used.
    #[test]
    fn images_are_smooth_and_fill_the_range() {
        let sample = noise(255, 7).sample(3).unwrap();
        let at = |y: usize, x: usize| i32::from(sample.data[(y * 24 + x) * 3]);
        let mean = |distance: usize| {
            let pairs = (0..32).flat_map(|y| (0..24 - distance).map(move |x| (y, x)));
            let differences: Vec<i32> = pairs.map(|(y, x)| (at(y, x) - at(y, x + distance)).abs()).collect();
            f64::from(differences.iter().sum::<i32>()) / differences.len() as f64
        };
        assert!(mean(1) < 20.0 && mean(16) > 40.0, "{} {}", mean(1), mean(16));
        assert!(sample.data.iter().max() > Some(&200) && sample.data.iter().min() < Some(&50));
        for max in [1, 15, u16::MAX] {
            let sample = noise(max, 7).sample(0).unwrap();
            assert!(
                sample.data.iter().all(|&value| value <= max) && sample.data.iter().any(|&v| v > max / 2)
            );
        }
    }
}

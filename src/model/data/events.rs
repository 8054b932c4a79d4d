//! Events of a camera, counted into frames of two polarities as SpikingJelly does.

use std::ops::Range;

use serde::Deserialize;

use super::context::Context;
use super::images::Sample;
use crate::check::TIMESTEPS;
use crate::error::{Error, Result};
use crate::tensor::Shape;

/// One pixel became brighter or darker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// Time of the event.
    pub time_us: u64,
    /// Column.
    pub x: u16,
    /// Row.
    pub y: u16,
    /// Brighter.
    pub on: bool,
}

/// How a recording is divided into frames.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub enum Split {
    /// Frames of equally many events; the last frame also has the remainder.
    Number,
    /// Frames of equal duration; the last frame also has the events of the remaining time.
    Time,
}

/// What becomes of the events of a recording.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Integration {
    pub split: Split,
    pub frames: usize,
    /// Rows, and columns, of the camera.
    pub side: usize,
    /// Pixels of the camera, in a row and in a column, that one of a frame adds up.
    pub downscale: usize,
}

impl Integration {
    /// The integration that the numbers of a description ask for.
    pub fn new(
        context: &Context,
        side: usize,
        frames: usize,
        split: Split,
        downscale: Option<usize>,
    ) -> Result<Self> {
        context.in_range("frames", frames, &TIMESTEPS)?;
        let downscale = downscale.unwrap_or(1);
        if !side.is_multiple_of(downscale) {
            let message = format!("{downscale} does not divide the {side} pixels of a side");
            return Err(context.refuse("downscale", message));
        }
        Ok(Self { split, frames, side, downscale })
    }

    /// Shape of a frame: darker, brighter.
    pub fn shape(&self) -> Shape {
        Shape::new(2, self.side / self.downscale, self.side / self.downscale)
    }

    /// The frames; `origin` is for messages.
    pub fn sample(&self, events: &[Event], origin: &str) -> Result<Sample> {
        let refuse = |message: String| Error::field(origin, "events", message);
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            return Err(refuse("none".to_owned()));
        };
        if self.split == Split::Time && last.time_us < first.time_us {
            return Err(refuse(format!(
                "the last is at {} µs, the first at {}",
                last.time_us, first.time_us
            )));
        }
        let shape = self.shape();
        let mut sample = Sample::zeros(self.frames, shape);
        for t in 0..self.frames {
            let frame = sample.frame_mut(t);
            for event in &events[self.range(events, t)] {
                let (x, y) = (usize::from(event.x), usize::from(event.y));
                if x >= self.side || y >= self.side {
                    return Err(refuse(format!("x {x}, y {y} on a side of {} pixels", self.side)));
                }
                let pixel = y / self.downscale * shape.width + x / self.downscale;
                let count = &mut frame[2 * pixel + usize::from(event.on)];
                *count = count
                    .checked_add(1)
                    .ok_or_else(|| refuse(format!("more than {} at x {x}, y {y} of frame {t}", u16::MAX)))?;
            }
        }
        Ok(sample)
    }

    /// Events of frame `t`: `cal_fixed_frames_number_segment_index` of SpikingJelly 0.0.0.0.12, which
    /// has no answer where no event is in a frame's time; that frame is empty here.
    fn range(&self, events: &[Event], t: usize) -> Range<usize> {
        let last = t + 1 == self.frames;
        match self.split {
            Split::Number => {
                let size = events.len() / self.frames;
                t * size..if last { events.len() } else { (t + 1) * size }
            }
            Split::Time => {
                let start = events[0].time_us;
                let duration = (events[events.len() - 1].time_us - start) / self.frames as u64;
                let from = start + t as u64 * duration;
                let inside = |event: &Event| (from..from + duration).contains(&event.time_us);
                let after = || events.iter().position(|event| event.time_us >= from);
                match (events.iter().position(inside), events.iter().rposition(inside)) {
                    (first, _) if last => first.or_else(after).unwrap_or(events.len())..events.len(),
                    (Some(first), Some(end)) => first..end + 1,
                    _ => 0..0,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times 100, 101, 103, 106, 107, 111, 112; x counts up, y is 1; every second event is brighter.
    fn events() -> Vec<Event> {
        let times = [100, 101, 103, 106, 107, 111, 112];
        (0..).zip(times).map(|(i, time_us)| Event { time_us, x: i, y: 1, on: i % 2 == 1 }).collect()
    }

    fn with(split: Split, frames: usize, downscale: usize) -> Integration {
        Integration { split, frames, side: 8, downscale }
    }

    /// Frame, x, y, polarity and count of what is not 0.
    fn counts(integration: &Integration, events: &[Event]) -> Vec<(usize, usize, usize, usize, u16)> {
        let sample = integration.sample(events, "x.bin").unwrap();
        let width = integration.shape().width;
        let mut found = Vec::new();
        for t in 0..sample.frames {
            for (i, &count) in sample.at(t).iter().enumerate().filter(|(_, count)| **count > 0) {
                found.push((t, i / 2 % width, i / 2 / width, i % 2, count));
            }
        }
        found
    }

    #[test]
    fn by_number() {
        // 7 events in 3 frames: 2, 2 and 3.
        let expected = [
            (0, 0, 1, 0, 1),
            (0, 1, 1, 1, 1),
            (1, 2, 1, 0, 1),
            (1, 3, 1, 1, 1),
            (2, 4, 1, 0, 1),
            (2, 5, 1, 1, 1),
            (2, 6, 1, 0, 1),
        ];
        assert_eq!(counts(&with(Split::Number, 3, 1), &events()), expected);
        // Fewer events than frames: all are in the last.
        let frames: Vec<usize> = counts(&with(Split::Number, 8, 1), &events()).iter().map(|c| c.0).collect();
        assert_eq!(frames, [7; 7]);
    }

    #[test]
    fn by_time() {
        // 12 µs in 3 frames of 4: [100, 104), [104, 108), and from 108 to the end.
        let expected = [
            (0, 0, 1, 0, 1),
            (0, 1, 1, 1, 1),
            (0, 2, 1, 0, 1),
            (1, 3, 1, 1, 1),
            (1, 4, 1, 0, 1),
            (2, 5, 1, 1, 1),
            (2, 6, 1, 0, 1),
        ];
        assert_eq!(counts(&with(Split::Time, 3, 1), &events()), expected);
        // 12 µs in 6 frames of 2: nothing in [104, 106) and [108, 110).
        let frames: Vec<usize> = counts(&with(Split::Time, 6, 1), &events()).iter().map(|c| c.0).collect();
        assert_eq!(frames, [0, 0, 1, 3, 3, 5, 5]);
        // All at once: nothing has a duration, and the last frame takes everything.
        let at_once: Vec<Event> = events().iter().map(|e| Event { time_us: 5, ..*e }).collect();
        assert!(counts(&with(Split::Time, 3, 1), &at_once).iter().all(|c| c.0 == 2));
    }

    #[test]
    fn a_smaller_frame_adds_pixels_up() {
        let expected = [(0, 0, 0, 0, 2), (0, 0, 0, 1, 2), (0, 1, 0, 0, 2), (0, 1, 0, 1, 1)];
        assert_eq!(counts(&with(Split::Number, 1, 4), &events()), expected);
    }

    #[test]
    fn refuses_what_no_frame_can_hold() {
        let message =
            |events: &[Event], split| with(split, 2, 1).sample(events, "x.bin").unwrap_err().to_string();
        let event = Event { time_us: 9, x: 1, y: 2, on: true };
        assert_eq!(message(&[], Split::Number), "x.bin: events: none");
        let outside = [event, Event { x: 8, ..event }];
        assert_eq!(message(&outside, Split::Number), "x.bin: events: x 8, y 2 on a side of 8 pixels");
        let backwards = [event, Event { time_us: 8, ..event }];
        assert_eq!(message(&backwards, Split::Time), "x.bin: events: the last is at 8 µs, the first at 9");
        let many = vec![event; 3 * 65_536];
        let expected = "x.bin: events: more than 65535 at x 1, y 2 of frame 0";
        assert_eq!(message(&many, Split::Number), expected);
    }
}

//! A buffer for weights that come from off chip while spikes are added.

use super::rounds::cycles;
use crate::hw::WeightStream;

/// Weights of a layer that come while it runs.
#[derive(Debug, Clone, Copy)]
pub struct Streamed<'a> {
    /// How they come.
    pub stream: &'a WeightStream,
    /// Rows of a pass: input channels.
    pub rows: u64,
}

/// The two halves of a buffer for weights, while a layer runs once through its passes.
pub(super) struct Halves<'a> {
    streamed: Streamed<'a>,
    passes: u64,
    /// When each half that was needed so far was there.
    there: Vec<u64>,
    /// When adders left each half.
    left: Vec<u64>,
}

impl<'a> Halves<'a> {
    /// The stream of `passes`; the first two halves are there from the start, unless the stream starts anew.
    pub fn new(streamed: Streamed<'a>, passes: u64, first_timestep: bool) -> Self {
        let Streamed { stream, rows } = streamed;
        let kept = passes * rows < 2 * cycles(&stream.half_rows);
        let changes = stream.restarts_at_inputs.as_ref().is_some_and(|inputs| cycles(inputs) == rows);
        let there = if kept || (first_timestep && !changes) { vec![0, 0] } else { Vec::new() };
        Self { streamed, passes, there, left: Vec::new() }
    }

    /// The cycle in which the weights of `pass` are there, where adders were done with the one before at `ready`.
    pub fn come(&mut self, pass: u64, ready: u64) -> u64 {
        let Streamed { stream, rows } = self.streamed;
        let half_rows = cycles(&stream.half_rows);
        while (self.left.len() as u64 + 1) * half_rows <= pass * rows {
            self.left.push(ready);
        }
        let last = ((pass + 1) * rows).min(self.passes * rows).saturating_sub(1) / half_rows;
        while self.there.len() as u64 <= last {
            let before = self.there.last().copied().unwrap_or_else(|| cycles(&stream.restart_cycles));
            let free = self.there.len().checked_sub(2).and_then(|half| self.left.get(half)).copied();
            self.there.push(before.max(free.unwrap_or(0)) + stream.fetch_cycles());
        }
        self.there[last as usize]
    }
}

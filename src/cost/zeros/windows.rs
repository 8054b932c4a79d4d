use super::handling::{Walk, Waves, ZeroHandling};
use super::skip::Skip;
use crate::exec::Pattern;
use crate::hw::{Unrolling, Windows};

impl ZeroHandling for Windows {
    fn patterns(&self, lanes: &Unrolling) -> Vec<Pattern> {
        let mut patterns = Skip.patterns(lanes);
        patterns.push(pattern(self, lanes));
        patterns
    }

    /// Integers have no windows, and are stepped through one by one.
    fn walk(&self, waves: &Waves<'_>) -> Walk {
        let Some(windows) = waves.pattern(pattern(self, waves.lanes)) else { return Skip.walk(waves) };
        let average = Skip.walk(waves).average;
        let steps = windows.steps as f64 * waves.repeat();
        let window = f64::from(self.timesteps.value).min(waves.frames);
        Walk { average, busiest: steps * window, weight_rows: steps }
    }
}

fn pattern(windows: &Windows, lanes: &Unrolling) -> Pattern {
    let (positions, timesteps) = (lanes.positions() as usize, windows.timesteps.value as usize);
    Pattern::Windows { positions, timesteps }
}

use super::handling::{Walk, Waves, ZeroHandling};
use crate::exec::Pattern;
use crate::hw::{InputChunks, SpatialDim, Unrolling};

/// Spikes of a chunk are found a few at a time. Positions and timesteps side by side do not wait for each other: each
/// goes on with what comes next.
impl ZeroHandling for InputChunks {
    fn patterns(&self, lanes: &Unrolling) -> Vec<Pattern> {
        vec![self.pattern(lanes)]
    }

    fn walk(&self, waves: &Waves<'_>) -> Walk {
        let product = waves.product;
        let at_once = f64::from(waves.lanes.extent(SpatialDim::Inputs));
        let chunk = f64::from(self.inputs.value);
        let rows = (product.positions * product.groups) as f64 * waves.frames;
        let events = waves.counted().total().gathered_events as f64 * waves.repeat();
        // Integers are no spikes: all of them are added.
        let (whole, rest) = ((product.fan_in as f64 / chunk).floor(), product.fan_in as f64 % chunk);
        let dense = rows * (whole * (chunk / at_once).ceil() + (rest / at_once).ceil());
        let counted = waves.pattern(self.pattern(waves.lanes));
        let steps = counted.map_or(dense, |counted| counted.steps as f64 * waves.repeat());
        let side_by_side = waves.walkers() / at_once;
        Walk { average: events / waves.walkers(), busiest: steps / side_by_side, weight_rows: events }
    }
}

impl InputChunks {
    fn pattern(&self, lanes: &Unrolling) -> Pattern {
        Pattern::Chunks {
            inputs: self.inputs.value as usize,
            at_once: lanes.extent(SpatialDim::Inputs) as usize,
        }
    }
}

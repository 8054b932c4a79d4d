use super::handling::{MovedSums, Walk, Waves, ZeroHandling};
use crate::hw::SpatialDim;

/// Every event is broadcast, and lanes for taps of the kernel add its weights to the sums of its neighbourhood, in one
/// cycle where there is a lane for each tap. Timesteps side by side take an event each, and wait for the one that has
/// the most. Sums of the whole map wait in memory: each addition reads one and writes it back.
pub struct Scatter;

impl ZeroHandling for Scatter {
    fn walk(&self, waves: &Waves<'_>) -> Walk {
        let product = waves.product;
        let taps = product.taps.div_ceil(waves.lanes.extent(SpatialDim::KernelTaps) as usize);
        let total = waves.total();
        Walk {
            average: total.gathered_events as f64 * waves.repeat() / waves.walkers(),
            busiest: busiest_events(waves) * taps as f64,
            // The whole kernel, also at the edges of a map.
            weight_rows: f64::from(total.input_events) * waves.repeat() * product.taps as f64,
        }
    }

    fn gathers_inputs(&self) -> bool {
        false
    }

    /// All outputs of a timestep are complete with its last event.
    fn waves_of_outputs(&self, waves: &Waves<'_>) -> f64 {
        waves.timestep_steps()
    }

    /// Additions, and at the end of a timestep every sum goes to its neuron and starts anew.
    fn moved_sums(&self, waves: &Waves<'_>) -> MovedSums {
        let additions = waves.total().gathered_events as f64 * waves.repeat();
        let outputs = (waves.product.positions * waves.product.groups) as f64 * waves.frames;
        MovedSums { read: additions + outputs, written: additions + outputs }
    }
}

/// Events of the timestep that has the most, of those side by side, added up over all steps along timesteps.
fn busiest_events(waves: &Waves<'_>) -> f64 {
    match &waves.counted().steps[..] {
        // One counted frame stands for all of them.
        [only] => f64::from(only.input_events) * waves.timestep_steps(),
        steps => {
            let side_by_side = waves.timesteps_side_by_side();
            let busiest = steps.chunks(side_by_side).map(|steps| steps.iter().map(|s| s.input_events).max());
            busiest.map(|events| f64::from(events.unwrap_or(0))).sum()
        }
    }
}

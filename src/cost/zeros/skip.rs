use super::handling::{Walk, Waves, ZeroHandling};
use crate::exec::{Pattern, WaveShape, wave_size_number};
use crate::hw::{SpatialDim, Unrolling};

/// Zeros are stepped over; the lanes of a wave wait for the slowest. Each fetches its own rows of weights.
pub struct Skip;

impl ZeroHandling for Skip {
    fn patterns(&self, lanes: &Unrolling) -> Vec<Pattern> {
        if is_counted_anyway(lanes) { Vec::new() } else { vec![Pattern::Waves(shape(lanes))] }
    }

    fn walk(&self, waves: &Waves<'_>) -> Walk {
        let total = waves.total();
        let average = total.gathered_events as f64 * waves.repeat() / waves.walkers();
        let busiest = match wave_size_number(waves.lanes.positions() as usize) {
            Some(number) if is_counted_anyway(waves.lanes) => {
                f64::from(total.wave_peaks[number]) * waves.repeat()
            }
            _ => counted_waves(waves),
        };
        Walk { average, busiest, weight_rows: average * waves.walkers() }
    }
}

/// Steps of the busiest lanes where waves were counted; every input where they were not, as of layers without groups on
/// lanes for several.
fn counted_waves(waves: &Waves<'_>) -> f64 {
    let product = waves.product;
    let dense = waves.waves() * (product.input_steps(waves.lanes) * product.group_steps(waves.lanes)) as f64;
    let shape = shape(waves.lanes);
    let counted = waves.pattern(Pattern::Waves(shape)).filter(|_| shape.suits(product.groups));
    counted.map_or(dense, |counted| counted.steps as f64 * waves.repeat())
}

/// True if lanes stand for as many positions as the executor always counts.
fn is_counted_anyway(lanes: &Unrolling) -> bool {
    let positions = lanes.extent(SpatialDim::Positions);
    let alone = lanes.along(&[SpatialDim::OutputChannels, SpatialDim::Positions]) == lanes.lanes();
    alone && wave_size_number(positions as usize).is_some()
}

/// Lanes that wait for each other.
fn shape(lanes: &Unrolling) -> WaveShape {
    let extent = |dim| lanes.extent(dim) as usize;
    WaveShape {
        positions: extent(SpatialDim::Positions),
        rows: extent(SpatialDim::Rows),
        columns: extent(SpatialDim::Columns),
        timesteps: extent(SpatialDim::Timesteps),
        groups: extent(SpatialDim::Groups),
        inputs: extent(SpatialDim::Inputs),
        channels: extent(SpatialDim::InputChannels),
        taps: extent(SpatialDim::KernelTaps),
    }
}

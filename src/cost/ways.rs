//! The best of all ways to run a small network: how many channels of each layer stay on chip, and by which plan each
//! runs beside them.
//!
//! Layer by layer, a way through the layers so far is kept unless another one leaves more room, and time to load in, and
//! costs no more; or unless the least that the layers behind can cost makes it worse than what is known already.

use super::mapper::{Mapper, Running, Tried};
use super::prefetch::Outline;
use crate::hw::Objective;
use crate::map::{Layer, Plan};

/// Most output channels, of all layers together. Nothing else decides: more room and fewer bits must not lead to another
/// search.
const MAX_CHANNELS: usize = 24;

/// Most ways through the layers so far that are kept.
const MAX_PATHS: usize = 1024;

/// A way to run one layer.
struct Way {
    running: Running,
    /// Room for its weights that stay.
    stay_bits: f64,
    /// Room for those that pass through.
    buffer_bits: f64,
}

/// Ways of the layers so far.
#[derive(Debug, Clone, Copy)]
struct Path {
    /// Room for weights that stay.
    stay_bits: f64,
    /// Cost of all of them.
    all: Outline,
    /// The last of them.
    last: Outline,
    last_buffer_bits: f64,
    /// The number of its way, and of the path that it continues.
    way: usize,
    from: usize,
}

/// The best of all ways that fit in `room` bits of a memory of weights; `None` if none scores less than `known`, or if
/// there are too many to look for it.
pub fn best_of_all(mapper: &Mapper, tried: &[Tried], room: f64, known: f64) -> Option<Vec<Running>> {
    if mapper.workload.layers.iter().map(Layer::outputs).sum::<usize>() > MAX_CHANNELS {
        return None;
    }
    let ways: Vec<Vec<Way>> = (0..tried.len()).map(|layer| ways(mapper, tried, layer)).collect();
    let least = least_behind(mapper, &ways);
    let (mut best, mut score) = (None, known);
    for streamed in rooms_to_stream(&ways, room) {
        let search = Search { mapper, ways: &ways, least: &least, streamed, stays: room - streamed };
        if let Some((found, layers)) = search.best(score) {
            (score, best) = (found, Some(layers));
        }
    }
    best
}

/// Every number of channels of layer number `layer` that stays, by every plan that no other one beats which needs no
/// larger buffer.
fn ways(mapper: &Mapper, tried: &[Tried], layer: usize) -> Vec<Way> {
    let described = &mapper.workload.layers[layer];
    let Tried { plans, buffer_bits, .. } = &tried[layer];
    let mut ways = Vec::new();
    for resident_channels in 0..described.outputs().max(1) {
        let plans: Vec<Plan> = plans.iter().map(|plan| Plan { resident_channels, ..*plan }).collect();
        let fronts = mapper.fronts(&mapper.costs(layer, &plans), buffer_bits);
        ways.extend(fronts.bests().map(|best| Way {
            running: Running { plan: plans[best.plan], cost: best.cost },
            stay_bits: resident_channels as f64 * described.channel_bits(),
            buffer_bits: best.buffer_bits,
        }));
    }
    if let Some(running) = Some(described.outputs()).filter(|&n| n > 0).and_then(|_| mapper.resident(layer)) {
        let stay_bits = described.outputs() as f64 * described.channel_bits();
        ways.push(Way { running, stay_bits, buffer_bits: 0.0 });
    }
    ways
}

/// Per number of layers that have run, the least cycles and energy of the others.
fn least_behind(mapper: &Mapper, ways: &[Vec<Way>]) -> Vec<Outline> {
    let mut least = vec![Outline::default()];
    for ways in ways.iter().rev() {
        let costs = ways.iter().map(|way| way.running.cost.least(mapper.machine));
        let smallest = costs.reduce(|a, b| a.smaller(&b));
        let behind = least[least.len() - 1].then(&smallest.unwrap_or_default());
        least.push(behind);
    }
    least.reverse();
    least
}

/// Room for weights that pass through that makes a difference: what one layer needs, or two that follow each other.
fn rooms_to_stream(ways: &[Vec<Way>], room: f64) -> Vec<f64> {
    let buffers = |ways: &[Way]| {
        let mut bits: Vec<f64> = ways.iter().map(|way| way.buffer_bits).collect();
        bits.sort_by(f64::total_cmp);
        bits.dedup();
        bits
    };
    let buffers: Vec<Vec<f64>> = ways.iter().map(|ways| buffers(ways)).collect();
    let pairs =
        buffers.windows(2).flat_map(|pair| pair[0].iter().flat_map(|a| pair[1].iter().map(move |b| a + b)));
    let mut rooms: Vec<f64> =
        buffers.iter().flatten().copied().chain(pairs).filter(|&bits| bits <= room).collect();
    rooms.sort_by(f64::total_cmp);
    rooms.dedup();
    rooms
}

/// A search with so much room for weights that pass through.
struct Search<'a> {
    mapper: &'a Mapper<'a>,
    ways: &'a [Vec<Way>],
    /// Per number of layers that have run, the least that the others cost.
    least: &'a [Outline],
    /// Room for weights that pass through, and that stay.
    streamed: f64,
    stays: f64,
}

impl Search<'_> {
    /// The best way through all layers and its score, if that is less than `known`.
    fn best(&self, known: f64) -> Option<(f64, Vec<Running>)> {
        let (none, nothing) = (0.0, Outline::default());
        let start =
            Path { stay_bits: none, all: nothing, last: nothing, last_buffer_bits: none, way: 0, from: 0 };
        let mut steps: Vec<Vec<Path>> = vec![vec![start]];
        for (layer, ways) in self.ways.iter().enumerate() {
            let paths = &steps[layer];
            let mut next: Vec<Path> = Vec::new();
            for (from, path) in paths.iter().enumerate() {
                let ways = ways.iter().enumerate();
                let continued =
                    ways.filter_map(|(number, way)| self.continued(path, (layer, way), number, from));
                next.extend(continued.filter(|path| self.least_score(path, layer + 1) < known));
            }
            steps.push(self.undominated(next, layer + 1));
        }
        let score = |path: &Path| self.mapper.score(&path.all);
        let best = steps[self.ways.len()].iter().min_by(|a, b| score(a).total_cmp(&score(b)))?;
        let (mut path, mut layers) = (best, Vec::new());
        for (ways, paths) in self.ways.iter().zip(&steps).rev() {
            layers.push(ways[path.way].running);
            path = &paths[path.from];
        }
        layers.reverse();
        Some((score(best), layers))
    }

    /// `path`, number `from`, with `way`, number `number`, behind it, where there is room.
    fn continued(
        &self,
        path: &Path,
        (layer, way): (usize, &Way),
        number: usize,
        from: usize,
    ) -> Option<Path> {
        let stay_bits = path.stay_bits + way.stay_bits;
        if stay_bits > self.stays || way.buffer_bits > self.streamed {
            return None;
        }
        let fits = path.last_buffer_bits + way.buffer_bits <= self.streamed;
        let early = layer > 0 && way.buffer_bits > 0.0 && fits && self.mapper.weights_are_alone();
        let last =
            if early { way.running.cost.early(&path.last, self.mapper.machine) } else { way.running.cost };
        let last_buffer_bits = way.buffer_bits;
        Some(Path { stay_bits, all: path.all.then(&last), last, last_buffer_bits, way: number, from })
    }

    /// The least that `path` can lead to, behind `layers` of them.
    fn least_score(&self, path: &Path, layers: usize) -> f64 {
        self.mapper.score(&path.all.then(&self.least[layers]))
    }

    /// Paths that no other one is better than in every way; the most promising of them where there are too many.
    fn undominated(&self, mut paths: Vec<Path>, layers: usize) -> Vec<Path> {
        paths.sort_by(|a, b| self.least_score(a, layers).total_cmp(&self.least_score(b, layers)));
        let mut kept: Vec<Path> = Vec::new();
        for path in paths {
            if kept.len() < MAX_PATHS && !kept.iter().any(|known| self.dominates(known, &path)) {
                kept.push(path);
            }
        }
        kept
    }

    /// True if `path` can replace `other` whatever follows.
    fn dominates(&self, path: &Path, other: &Path) -> bool {
        let machine = self.mapper.machine;
        let joules = |path: &Path| path.all.energy_j + machine.leakage_w * machine.seconds(path.all.cycles);
        let faster = path.all.cycles <= other.all.cycles;
        let cheaper = joules(path) <= joules(other);
        let costs_no_more = match machine.hardware.objective {
            Objective::Energy => cheaper,
            Objective::Latency => faster,
            Objective::EnergyDelay => faster && cheaper,
        };
        costs_no_more
            && path.stay_bits <= other.stay_bits
            && path.last_buffer_bits <= other.last_buffer_bits
            && path.last.idle_cycles() >= other.last.idle_cycles()
    }
}

//! Which weights stay on chip from image to image, and how the layers run beside them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::fixed_residents;
use super::front::Best;
use super::mapper::{Choice, Mapper, Running, SLACK, Tried};
use super::plan_costs;
use super::prefetch::Outline;
use super::ways::best_of_all;
use crate::error::Result;
use crate::hw::{MemorySpec, Operand, Placement};
use crate::map::{Home, Plan, Residents, Wishes, candidates_at, free_weight_bits, unhindered, weights_home};

/// Most sizes of the buffer for weights that pass through of which all are tried.
const MAX_BUFFERS: usize = 16;

/// Share of a size of the buffer that the next one to try has.
const NEXT_BUFFER: f64 = 0.5;

/// Most layers, the first ones of a network, that are tried out of their order.
const MAX_FORCED: usize = 6;

/// Most layers of a network of which every choice is polished, not only the best one.
const POLISHED_LAYERS: usize = 8;

/// True unless no choice of plans scores less than `known`: every layer in its least time, at its least energy, and weights
/// that have no room on chip loaded once.
pub fn may_beat(mapper: &Mapper, known: f64) -> bool {
    let Mapper { workload, machine, samples, placement, fixed, .. } = *mapper;
    if fixed.is_some() {
        return true;
    }
    let hardware = &machine.hardware;
    let least = |layer: &usize| {
        let plans = unhindered(*layer, workload, hardware, placement);
        let described = &workload.layers[*layer];
        let sum = || {
            let mut sum = Outline::default();
            for activity in samples {
                let unhindered = |cost: &_| Outline::unhindered(cost, machine);
                let costs = plan_costs(workload, described, &plans, machine, activity, unhindered);
                sum.add(&costs.into_iter().reduce(|a, b| a.smaller(&b)).unwrap_or_default());
            }
            sum
        };
        mapper.known.map_or_else(sum, |known| *known[*layer].least.get(&plans, sum))
    };
    let layers: Vec<usize> = (0..workload.layers.len()).collect();
    let least: Vec<Outline> = layers.par_iter().map(least).collect();
    let mut all = least.iter().fold(Outline::default(), |sum, layer| sum.then(layer));
    if let (Some(dram), None) = (machine.dram, &machine.events) {
        let memories = hardware.levels(Operand::Weights).map(|memory| &hardware.memories[memory]);
        let room: f64 = memories.map(MemorySpec::capacity_bits).sum();
        let loads = if placement == Placement::Outermost { workload.timesteps as f64 } else { 1.0 };
        // The images of a batch share a load.
        let images = samples.len() as f64 / workload.batch as f64;
        let bits = (workload.weight_bits() + workload.parameter_bits() - room).max(0.0) * loads * images;
        all.cycles = all.cycles.max(bits / dram.bits_per_cycle);
        all.energy_j += bits * dram.read_pj_per_bit * 1e-12;
    }
    mapper.score(&all) * SLACK < known
}

/// The best plans: all weights stay where they fit together; otherwise, for every size of a buffer for those that pass
/// through, those layers or parts of layers stay in the rest which save most for their room.
///
/// # Errors
/// If no plan is legal.
pub fn choose(mapper: &Mapper) -> Result<Choice> {
    let Mapper { workload, machine, placement, fixed, .. } = *mapper;
    let hardware = &machine.hardware;
    let alone = |tried: &[Tried]| {
        let best = |t: &Tried| {
            let best = t.fronts.alone.best(f64::INFINITY).expect("a layer has a plan");
            Running { plan: t.plans[best.plan], cost: best.cost }
        };
        mapper.finish(&tried.iter().map(best).collect::<Vec<_>>())
    };
    let asked = fixed_residents::home_of_all(mapper)?;
    let home = asked.map_or_else(|| weights_home(workload, hardware, placement), Ok)?;
    let mut best = None;
    if home != Home::OffChip && fixed.is_none_or(|fixed| fixed.let_all_weights_stay(workload)) {
        let all = alone(&try_all(mapper, candidates_at(home, workload, hardware, placement, fixed)?));
        // In a memory that holds more than weights they may leave no room for what is worth more.
        if mapper.weights_are_alone() || hardware.dram.is_none() || asked.is_some() {
            return Ok(all);
        }
        best = Some(all);
    }
    let tried = match fixed_residents::streaming(mapper) {
        Ok(plans) => try_all(mapper, plans),
        Err(refusal) => return best.ok_or(refusal),
    };
    if fixed.is_none_or(Wishes::let_no_weights_stay) {
        best = better(best, Some(alone(&tried)));
    }
    let room = free_weight_bits(workload, hardware, placement)?;
    let best = Residency::new(mapper, &tried, room).best(best);
    best.ok_or_else(|| fixed_residents::refusal(mapper, &tried, room))
}

/// The best of the `plans` of each layer.
fn try_all(mapper: &Mapper, plans: Vec<Vec<Plan>>) -> Vec<Tried> {
    plans.into_par_iter().enumerate().map(|(layer, plans)| mapper.try_all(layer, plans)).collect()
}

/// The better one of two choices, of equals the first.
fn better(choice: Option<Choice>, other: Option<Choice>) -> Option<Choice> {
    match (choice, other) {
        (Some(choice), Some(other)) => Some(if other.score < choice.score { other } else { choice }),
        (choice, other) => choice.or(other),
    }
}

/// Sizes of a buffer that leave room for weights that stay, the largest first: those that plans need, and of
/// more than [`MAX_BUFFERS`] only some, each at most [`NEXT_BUFFER`] of the one before.
///
/// They depend on the sizes of layers alone, so neither more room nor anything else takes a choice away.
fn buffers(tried: &[Tried]) -> Vec<f64> {
    let mut sizes: Vec<f64> = tried.iter().flat_map(|t| &t.buffer_bits).copied().collect();
    sizes.sort_by(|a, b| b.total_cmp(a));
    sizes.dedup();
    if sizes.len() > MAX_BUFFERS {
        let mut last = f64::INFINITY;
        sizes.retain(|&size| {
            let smaller = size <= last * NEXT_BUFFER;
            last = if smaller { size } else { last };
            smaller
        });
    }
    sizes
}

/// The choice of what stays.
struct Residency<'a> {
    mapper: &'a Mapper<'a>,
    /// Per layer, plans whose weights come from off chip.
    tried: &'a [Tried],
    /// Room for weights, bits.
    room: f64,
    /// Sizes of a buffer that fit there.
    buffers: Vec<f64>,
    /// Per layer, what plans that some buffer leads to would cost if half of its channels stayed, and all.
    kept: Vec<BTreeMap<usize, [Outline; 2]>>,
    /// The best plan of each layer that stayed whole in some choice.
    resident: Vec<OnceLock<Option<Running>>>,
}

/// A way to fill the room for weights.
#[derive(Debug, Clone, Copy)]
struct Fill {
    /// Room for weights that stay and that pass through.
    room: f64,
    /// Room for those that pass through.
    buffer_bits: f64,
    /// True where so much less stays that the first weights of every layer fit beside those of the layer before it.
    early: bool,
    /// What does not follow from savings.
    forced: Option<Forced>,
    /// True where layers of which some channels stay look for another plan.
    polished: bool,
}

/// A layer that comes first, or does not stay.
#[derive(Debug, Clone, Copy)]
struct Forced {
    layer: usize,
    stays: bool,
}

/// What a way to fill the room leads to.
struct Filled<'a> {
    fill: Fill,
    /// Per layer, the best plan of weights that pass through; `None` if none fits.
    streaming: Vec<Option<&'a Best>>,
    /// Per layer, output channels that stay.
    channels: Vec<usize>,
}

/// What it saves to keep channels of a layer on chip.
struct Saving {
    layer: usize,
    channels: usize,
    /// Score, linearized around the whole network, for each bit.
    per_bit: f64,
}

impl<'a> Residency<'a> {
    fn new(mapper: &'a Mapper<'a>, tried: &'a [Tried], room: f64) -> Self {
        let mut buffers = buffers(tried);
        // What is fixed leaves so much.
        buffers.extend(fixed_residents::bits(mapper).map(|bits| room - bits));
        buffers.retain(|&bits| (0.0..=room).contains(&bits));
        let keep = |(layer, tried): (usize, &Tried)| {
            let outputs = mapper.workload.layers[layer].outputs();
            // A plan that need not fit a buffer takes over where all weights stay.
            let widest = tried.fronts.early.best(f64::INFINITY).map_or(0, |best| best.plan);
            let kept = |best: &Best| {
                let with = |plan, resident_channels| Plan { resident_channels, ..tried.plans[plan] };
                let plans = [with(best.plan, outputs / 2), with(best.plan, outputs), with(widest, outputs)];
                let costs = mapper.costs(layer, &plans);
                let widest_is_better = mapper.score(&costs[2]) < mapper.score(&costs[1]);
                [costs[0], costs[if widest_is_better { 2 } else { 1 }]]
            };
            let mut all = BTreeMap::new();
            let fronts = [&tried.fronts.alone, &tried.fronts.early];
            let bests = buffers.iter().flat_map(|&bits| fronts.map(|front| front.best(bits)));
            let is_open = outputs > 0 && mapper.resident_channels(layer).is_none();
            for best in bests.flatten().filter(|_| is_open) {
                all.entry(best.plan).or_insert_with(|| kept(best));
            }
            all
        };
        let kept = tried.par_iter().enumerate().map(keep).collect();
        let resident = tried.iter().map(|_| OnceLock::new()).collect();
        Self { mapper, tried, room, buffers, kept, resident }
    }

    /// The best choice; `alone` if nothing that stays improves it.
    fn best(&self, alone: Option<Choice>) -> Option<Choice> {
        let polished = self.tried.len() <= POLISHED_LAYERS;
        let of_room = |room: f64| {
            let of_size = move |&buffer_bits: &f64| {
                let fill = move |early| Fill { room, buffer_bits, early, forced: None, polished };
                [false, true].map(fill)
            };
            self.buffers.iter().flat_map(of_size)
        };
        let fills: Vec<Fill> = self.rooms().into_iter().flat_map(of_room).collect();
        let (mut best, mut filled) = (alone, None);
        self.improve(&mut best, &mut filled, &fills);
        // Whole channels fill a room better in another order.
        let forced = filled.map_or(Vec::new(), |fill: Fill| {
            let layers = (0..self.tried.len()).filter(|&i| self.mapper.workload.layers[i].outputs() > 0);
            let forced =
                layers.take(MAX_FORCED).flat_map(|layer| [true, false].map(|stays| Forced { layer, stays }));
            forced.map(|forced| Fill { forced: Some(forced), ..fill }).collect()
        });
        self.improve(&mut best, &mut filled, &forced);
        let polished = filled.map(|fill| Fill { polished: true, ..fill });
        self.improve(&mut best, &mut filled, polished.as_slice());
        if self.mapper.fixed.is_some_and(Wishes::fix_residents) {
            return best;
        }
        let known = best.as_ref().map_or(f64::INFINITY, |best| best.score);
        let all = best_of_all(self.mapper, self.tried, self.room, known);
        let residents = all.and_then(|layers| self.beside_each_other(&layers));
        better(best, residents)
    }

    /// Takes the best that `fills` lead to if that is better than `best`; of equals the first, whichever thread was first.
    fn improve(&self, best: &mut Option<Choice>, last: &mut Option<Fill>, fills: &[Fill]) {
        let filled: Vec<Option<Filled>> = fills.par_iter().map(|&fill| self.filled(fill)).collect();
        // Each layer once, and not whenever a thread meets it.
        let stays =
            |i: &usize| filled.iter().flatten().any(|filled| self.stays_whole(*i, filled.channels[*i]));
        let whole: Vec<usize> = (0..self.tried.len()).filter(stays).collect();
        whole.par_iter().for_each(|&i| _ = self.resident(i));
        let place = |filled: &Option<Filled>| filled.as_ref().and_then(|filled| self.place(filled));
        let choices: Vec<Option<Choice>> = filled.par_iter().map(place).collect();
        for (&fill, choice) in fills.iter().zip(choices) {
            let improves = |choice: &Choice| best.as_ref().is_none_or(|best| choice.score < best.score);
            if let Some(choice) = choice.filter(improves) {
                (*best, *last) = (Some(choice), Some(fill));
            }
        }
    }

    /// True if layer number `layer` has weights, and all of them stay where `channels` do.
    fn stays_whole(&self, layer: usize, channels: usize) -> bool {
        channels > 0 && channels == self.mapper.workload.layers[layer].outputs()
    }

    /// The best plan of layer number `layer` where all its weights stay.
    fn resident(&self, layer: usize) -> Option<Running> {
        *self.resident[layer].get_or_init(|| self.mapper.resident(layer))
    }

    /// Room that weights may take: all, or where others want to live there too, a power of four.
    fn rooms(&self) -> Vec<f64> {
        let less = std::iter::successors(Some(4096.0), |bits| Some(bits * 4.0));
        let less = less.take_while(|&bits| bits < self.room && !self.mapper.weights_are_alone());
        std::iter::once(self.room).chain(less).collect()
    }

    /// What stays as `fill` says; `None` if there is no room.
    fn filled(&self, fill: Fill) -> Option<Filled<'a>> {
        let tried = self.tried;
        let best = |(layer, t): (usize, &'a Tried)| {
            let passes = !self.stays_whole(layer, self.mapper.resident_channels(layer).unwrap_or(0));
            t.fronts.of(fill.early).best(fill.buffer_bits).filter(|_| passes)
        };
        let streaming: Vec<Option<&Best>> = tried.iter().enumerate().map(best).collect();
        let lacks_plan = |i: usize| {
            let channels = self.mapper.resident_channels(i);
            streaming[i].is_none() && channels.is_some_and(|channels| !self.stays_whole(i, channels))
        };
        if (0..tried.len()).any(lacks_plan) {
            return None;
        }
        let buffer = |i: usize| streaming[i].map_or(0.0, |best| best.buffer_bits);
        let pairs = (1..tried.len()).map(|i| buffer(i - 1) + buffer(i));
        let taken = if fill.early { pairs.fold(fill.buffer_bits, f64::max) } else { fill.buffer_bits };
        if taken > fill.room {
            return None;
        }
        let mut savings = self.savings(&streaming, fill.early);
        if let Some(Forced { layer, stays }) = fill.forced {
            let (mut forced, others): (Vec<_>, Vec<_>) = savings.into_iter().partition(|s| s.layer == layer);
            forced.retain(|_| stays);
            forced.extend(others);
            savings = forced;
        }
        let channels = self.fill(&streaming, &savings, fill.room - taken)?;
        Some(Filled { fill, streaming, channels })
    }

    /// What keeping channels of each layer saves, the most for its room first; layers without a plan for the buffer before
    /// all others. `early` where the first weights of every layer come while the one before it runs.
    fn savings(&self, streaming: &[Option<&Best>], early: bool) -> Vec<Saving> {
        let costs: Vec<Option<&Outline>> = streaming.iter().map(|best| best.map(|best| &best.cost)).collect();
        let whole = costs.iter().copied().flatten().fold(Outline::default(), |sum, cost| sum.then(cost));
        let mut savings = Vec::new();
        let is_open = |i: usize| streaming[i].is_none() || self.mapper.resident_channels(i).is_none();
        let layers = self.mapper.workload.layers.iter().enumerate();
        for (i, layer) in layers.filter(|&(i, layer)| layer.outputs() > 0 && is_open(i)) {
            let outputs = layer.outputs();
            let mut save = |channels: usize, score: f64| {
                let per_bit = score / (channels as f64 * layer.channel_bits());
                savings.push(Saving { layer: i, channels, per_bit });
            };
            let Some(best) = streaming[i] else {
                save(outputs, f64::INFINITY);
                continue;
            };
            let none = self.around(&costs, i, &best.cost, early);
            let [half, all] = self.kept[i][&best.plan].map(|kept| self.around(&costs, i, &kept, early));
            let (first, second) = (outputs / 2, outputs - outputs / 2);
            let (saved, more) =
                (self.mapper.gain(&whole, &none, &half), self.mapper.gain(&whole, &half, &all));
            // Where time hides behind something else in the end, the first channels save more than the others.
            if first > 0 && saved * second as f64 > more * first as f64 {
                save(first, saved);
                save(second, more);
            } else {
                save(outputs, saved + more);
            }
        }
        // Stable: of equals the first in the network stays.
        savings.sort_by(|a, b| b.per_bit.total_cmp(&a.per_bit));
        savings
    }

    /// Layer number `i`, which costs `own`, between its neighbours.
    fn around(&self, costs: &[Option<&Outline>], i: usize, own: &Outline, early: bool) -> Outline {
        let machine = self.mapper.machine;
        let (mut all, mut before) = (Outline::default(), Outline::default());
        let first = i.saturating_sub(1);
        for (j, cost) in costs.iter().enumerate().skip(first).take(i + 2 - first) {
            let cost = if j == i { *own } else { cost.copied().unwrap_or_default() };
            before = if early && j > 0 { cost.early(&before, machine) } else { cost };
            all = all.then(&before);
        }
        all
    }

    /// Per layer, output channels that stay in `room` bits; `None` if a layer that has to stay does not fit.
    fn fill(&self, streaming: &[Option<&Best>], savings: &[Saving], room: f64) -> Option<Vec<usize>> {
        let fixed = |i: usize| self.mapper.resident_channels(i).filter(|_| streaming[i].is_some());
        let mut channels: Vec<usize> = (0..streaming.len()).map(|i| fixed(i).unwrap_or(0)).collect();
        let layers = self.mapper.workload.layers.iter().zip(&channels);
        let mut room = layers.fold(room, |room, (layer, &n)| room - n as f64 * layer.channel_bits());
        if room < 0.0 {
            return None;
        }
        for saving in savings.iter().filter(|saving| saving.per_bit > 0.0) {
            let layer = &self.mapper.workload.layers[saving.layer];
            let fit = (room / layer.channel_bits()).floor().max(0.0) as usize;
            let stay = fit.min(saving.channels);
            if streaming[saving.layer].is_none() && stay < layer.outputs() {
                return None;
            }
            channels[saving.layer] += stay;
            room -= stay as f64 * layer.channel_bits();
        }
        Some(channels)
    }

    /// The network as it is `filled`; `None` if there is no room.
    fn place(&self, filled: &Filled) -> Option<Choice> {
        let Filled { fill, streaming, channels } = filled;
        let running = |(i, &resident_channels): (usize, &usize)| {
            if self.stays_whole(i, resident_channels) {
                return self.resident(i);
            }
            let best = streaming[i]?;
            let plan = Plan { resident_channels, ..self.tried[i].plans[best.plan] };
            match resident_channels {
                0 => Some(Running { plan, cost: best.cost }),
                _ if fill.polished => self.partly_resident(i, resident_channels, *fill),
                _ => Some(self.mapper.running(i, plan)),
            }
        };
        let layers: Option<Vec<Running>> = channels.iter().enumerate().map(running).collect();
        self.beside_each_other(&layers?)
    }

    /// The best plan of layer number `layer` where some channels stay and the others pass through the buffer of `fill`.
    fn partly_resident(&self, layer: usize, resident_channels: usize, fill: Fill) -> Option<Running> {
        let tried = &self.tried[layer];
        let fits = tried.plans.iter().zip(&tried.buffer_bits).filter(|(_, bits)| **bits <= fill.buffer_bits);
        let plans: Vec<Plan> = fits.map(|(plan, _)| Plan { resident_channels, ..*plan }).collect();
        let costs = self.mapper.costs(layer, &plans);
        let running = plans.into_iter().zip(costs).map(|(plan, cost)| Running { plan, cost });
        let score = |running: &Running| self.mapper.score_where(fill.early, &running.cost);
        running.min_by(|a, b| score(a).total_cmp(&score(b)))
    }

    /// The network with its `layers` as they run beside the weights that stay; `None` if there is no room.
    fn beside_each_other(&self, layers: &[Running]) -> Option<Choice> {
        let Mapper { workload, machine, .. } = *self.mapper;
        let plans: Vec<Plan> = layers.iter().map(|layer| layer.plan).collect();
        let residents = Residents::of(workload, &machine.hardware, &plans);
        let beside = |(i, &running)| self.mapper.beside(running, i, &residents);
        let layers: Option<Vec<Running>> = layers.iter().enumerate().map(beside).collect();
        Some(self.mapper.finish(&layers?))
    }
}

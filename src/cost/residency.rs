//! Which weights stay on chip from image to image, and how the layers run beside them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::front::{Best, Front};
use super::prefetch::prefetch;
use super::{KnownPlans, LayerCost, Machine, plan_costs};
use crate::error::Result;
use crate::exec::Activity;
use crate::hw::{Objective, Operand, Placement};
use crate::map::{
    FixedMapping, Home, Layer, Plan, Residents, Workload, candidates, free_weight_bits, placed, prefetched,
    resident_candidates, stream_buffer_bits, weights_home,
};

/// Most sizes of the buffer for weights that pass through of which all are tried.
const MAX_BUFFERS: usize = 16;

/// Most layers, the first ones of a network, that are tried out of their order.
const MAX_FORCED: usize = 6;

/// Most layers of a network of which every choice is polished, not only the best one.
const POLISHED_LAYERS: usize = 8;

/// Plans of all layers, and what the objective makes of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// One per layer.
    pub plans: Vec<Plan>,
    /// Per layer, true if its first weights come while the layer before it runs.
    pub prefetched: Vec<bool>,
    /// Less is better.
    pub score: f64,
}

/// A network that is laid onto a machine with the loop over timesteps at one place.
pub struct Mapper<'a> {
    /// The network.
    pub workload: &'a Workload,
    /// The machine.
    pub machine: &'a Machine,
    /// What was executed.
    pub samples: &'a [Activity],
    /// Where the loop over timesteps stands.
    pub placement: Placement,
    /// What a file fixes.
    pub fixed: Option<&'a FixedMapping>,
    /// What is known of plans, where there is something to learn for.
    pub known: Option<&'a KnownPlans>,
}

/// Plans of one layer, and what the best of them cost.
struct Tried {
    plans: Vec<Plan>,
    /// Room for weights that pass through, of each plan.
    buffer_bits: Vec<f64>,
    front: Arc<Front>,
}

impl Mapper<'_> {
    /// The best plans: all weights stay where they fit together; otherwise, for every size of a buffer for those that
    /// pass through, those layers or parts of layers stay in the rest which save most for their room.
    ///
    /// # Errors
    /// If no plan is legal.
    pub fn choose(&self) -> Result<Choice> {
        let Self { workload, machine, placement, .. } = *self;
        let hardware = &machine.hardware;
        let tried = candidates(workload, hardware, placement, self.fixed)?;
        let tried: Vec<Tried> =
            tried.into_par_iter().enumerate().map(|(i, plans)| self.try_all(i, plans)).collect();
        let alone = self.finish(tried.iter().map(|t| {
            let best = t.front.best(f64::INFINITY).expect("a layer has a plan");
            (t.plans[best.plan], best.cost.clone())
        }));
        if weights_home(workload, hardware, placement)? != Home::OffChip {
            return Ok(alone);
        }
        let room = free_weight_bits(workload, hardware, placement)?;
        let (kept, resident) = (BTreeMap::new(), BTreeMap::new());
        Ok(Residency { mapper: self, tried: &tried, room, kept, resident }.best(alone))
    }

    fn try_all(&self, index: usize, plans: Vec<Plan>) -> Tried {
        let layer = &self.workload.layers[index];
        let hardware = &self.machine.hardware;
        let buffer_bits: Vec<f64> =
            plans.iter().map(|plan| stream_buffer_bits(plan, layer, hardware)).collect();
        let best = || Front::new(&self.costs(layer, &plans), &buffer_bits, |cost| self.score(cost));
        let front = match self.known {
            Some(known) => known.front(index, layer, &plans, best),
            None => Arc::new(best()),
        };
        Tried { plans, buffer_bits, front }
    }

    /// Costs of all samples together, by each of `plans`.
    fn costs(&self, layer: &Layer, plans: &[Plan]) -> Vec<LayerCost> {
        let mut sums = vec![LayerCost::default(); plans.len()];
        for activity in self.samples {
            let costs = plan_costs(self.workload, layer, plans, self.machine, activity);
            sums.iter_mut().zip(&costs).for_each(|(sum, cost)| sum.add(cost));
        }
        sums
    }

    /// Cost of all samples together, by `plan`.
    fn cost(&self, layer: &Layer, plan: &Plan) -> LayerCost {
        self.costs(layer, std::slice::from_ref(plan)).remove(0)
    }

    fn score(&self, cost: &LayerCost) -> f64 {
        self.machine.score(cost.cycles.total(), cost.energy_j.total())
    }

    /// The network by these plans, whose costs are known.
    fn finish(&self, layers: impl Iterator<Item = (Plan, LayerCost)>) -> Choice {
        let (plans, mut costs): (Vec<Plan>, Vec<LayerCost>) = layers.unzip();
        let prefetched = prefetched(self.workload, &self.machine.hardware, &plans);
        prefetch(&prefetched, &mut costs, self.machine);
        let score = self.score(&total(&costs));
        Choice { plans, prefetched, score }
    }
}

fn total<'a>(costs: impl IntoIterator<Item = &'a LayerCost>) -> LayerCost {
    costs.into_iter().fold(LayerCost::default(), |mut sum, cost| {
        sum.add(cost);
        sum
    })
}

/// Sizes of a buffer that leave room for weights that stay: those that plans need, and of more than [`MAX_BUFFERS`]
/// only one for each halving of the largest, down to the smallest.
fn buffers(tried: &[Tried], room: f64) -> Vec<f64> {
    let mut sizes: Vec<f64> =
        tried.iter().flat_map(|t| &t.buffer_bits).copied().filter(|&b| b <= room).collect();
    sizes.sort_by(|a, b| b.total_cmp(a));
    sizes.dedup();
    if sizes.len() > MAX_BUFFERS {
        let mut last = f64::INFINITY;
        sizes.retain(|&size| {
            let halved = size <= last / 2.0;
            last = if halved { size } else { last };
            halved
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
    /// By layer and plan, what it would cost if all its weights stayed.
    kept: BTreeMap<(usize, usize), LayerCost>,
    /// Of layers that stayed whole in some choice, the best plan.
    resident: BTreeMap<usize, Option<(Plan, LayerCost)>>,
}

/// A way to fill the room for weights.
#[derive(Debug, Clone, Copy)]
struct Fill {
    /// Room for those that pass through.
    buffer_bits: f64,
    /// True where so much less stays that the first weights of every layer fit beside those of the layer before it.
    early: bool,
    /// What does not follow from savings.
    forced: Option<Forced>,
    /// True where channels are exchanged for others that fill the room better, and layers of which some stay look for
    /// another plan.
    polished: bool,
}

/// A layer that comes first, or does not stay.
#[derive(Debug, Clone, Copy)]
struct Forced {
    layer: usize,
    stays: bool,
}

/// What it saves to keep the weights of a layer on chip.
struct Saving {
    layer: usize,
    /// Score, linearized around the whole network, for each bit.
    per_bit: f64,
}

impl Residency<'_> {
    /// The best choice; `alone` if nothing that stays improves it.
    fn best(&mut self, alone: Choice) -> Choice {
        let (mut best, mut filled) = (alone, None);
        for buffer_bits in buffers(self.tried, self.room) {
            for early in [false, true] {
                let polished = self.tried.len() <= POLISHED_LAYERS;
                let fill = Fill { buffer_bits, early, forced: None, polished };
                if self.improves(&mut best, fill) {
                    filled = Some(fill);
                }
            }
        }
        let Some(first) = filled else { return best };
        // Whole channels fill a room better in another order.
        let layers = (0..self.tried.len()).filter(|&i| self.mapper.workload.layers[i].outputs() > 0);
        for layer in layers.take(MAX_FORCED) {
            for stays in [true, false] {
                let fill = Fill { forced: Some(Forced { layer, stays }), ..first };
                if self.improves(&mut best, fill) {
                    filled = Some(fill);
                }
            }
        }
        if let Some(fill) = filled {
            self.improves(&mut best, Fill { polished: true, ..fill });
        }
        best
    }

    /// Takes what `fill` leads to if it is better than `best`.
    fn improves(&mut self, best: &mut Choice, fill: Fill) -> bool {
        let better = self.choice(fill).filter(|choice| choice.score < best.score);
        let improves = better.is_some();
        if let Some(choice) = better {
            *best = choice;
        }
        improves
    }

    /// The network as `fill` lets weights stay; `None` if there is no room.
    fn choice(&mut self, fill: Fill) -> Option<Choice> {
        let (tried, bits) = (self.tried, fill.buffer_bits);
        let streaming: Vec<Option<&Best>> = tried.iter().map(|t| t.front.best(bits)).collect();
        let buffer = |i: usize| streaming[i].map_or(0.0, |best| best.buffer_bits);
        let pairs = (1..tried.len()).map(|i| buffer(i - 1) + buffer(i));
        let taken = if fill.early { pairs.fold(bits, f64::max) } else { bits };
        if taken > self.room {
            return None;
        }
        self.keep(&streaming);
        let mut savings = self.savings(&streaming, fill.early);
        if let Some(Forced { layer, stays }) = fill.forced {
            let at = savings.iter().position(|saving| saving.layer == layer)?;
            let forced = savings.remove(at);
            if stays {
                savings.insert(0, forced);
            }
        }
        let (mut channels, left) = self.fill(&streaming, &savings, self.room - taken)?;
        if fill.polished {
            self.exchange(&mut channels, &streaming, &savings, left);
        }
        self.place(&streaming, channels, fill)
    }

    /// Makes sure that it is known what each layer would cost if its weights stayed.
    fn keep(&mut self, streaming: &[Option<&Best>]) {
        for (i, layer) in self.mapper.workload.layers.iter().enumerate() {
            let Some(best) = streaming[i] else { continue };
            let plan = Plan { resident_channels: layer.outputs(), ..self.tried[i].plans[best.plan] };
            self.kept.entry((i, best.plan)).or_insert_with(|| self.mapper.cost(layer, &plan));
        }
    }

    /// What keeping each layer saves, the most for its room first; layers without a plan for the buffer before all
    /// others. `early` where the first weights of every layer come while the one before it runs.
    fn savings(&self, streaming: &[Option<&Best>], early: bool) -> Vec<Saving> {
        let costs: Vec<Option<&LayerCost>> =
            streaming.iter().map(|best| best.map(|best| &best.cost)).collect();
        let whole = total(costs.iter().copied().flatten());
        let saved = |(i, layer): (usize, &Layer)| {
            let score = match streaming[i] {
                None => f64::INFINITY,
                Some(best) => {
                    let kept = &self.kept[&(i, best.plan)];
                    let around = |own| self.around(&costs, i, own, early);
                    self.gain(&whole, &around(None), &around(Some(kept)))
                }
            };
            Saving { layer: i, per_bit: score / (layer.outputs() as f64 * layer.channel_bits()) }
        };
        let layers = self.mapper.workload.layers.iter().enumerate();
        let mut savings: Vec<Saving> = layers.filter(|(_, layer)| layer.outputs() > 0).map(saved).collect();
        // Stable: of equals the first in the network stays.
        savings.sort_by(|a, b| b.per_bit.total_cmp(&a.per_bit));
        savings
    }

    /// Cost of layer number `i`, `kept` where its weights stay, and of its neighbours.
    fn around(
        &self,
        costs: &[Option<&LayerCost>],
        i: usize,
        kept: Option<&LayerCost>,
        early: bool,
    ) -> LayerCost {
        let window = i.saturating_sub(1)..(i + 2).min(costs.len());
        let at = |j: usize| if j == i { kept.or(costs[j]) } else { costs[j] };
        let mut costs: Vec<LayerCost> = window.clone().map(|j| at(j).cloned().unwrap_or_default()).collect();
        let comes: Vec<bool> = window
            .zip(&costs)
            .map(|(j, cost)| early && !(j == i && kept.is_some()) && cost.loaded_weight_bits > 0.0)
            .collect();
        prefetch(&comes, &mut costs, self.mapper.machine);
        total(&costs)
    }

    /// How much better the score of the `whole` network gets, in small steps, where `after` takes the place of
    /// `before`.
    fn gain(&self, whole: &LayerCost, before: &LayerCost, after: &LayerCost) -> f64 {
        let machine = self.mapper.machine;
        let leakage_j = |cycles: f64| machine.leakage_w * machine.seconds(cycles);
        let fewer_cycles = before.cycles.total() - after.cycles.total();
        let less_j = before.energy_j.total() - after.energy_j.total() + leakage_j(fewer_cycles);
        let (cycles, energy_j) = (whole.cycles.total(), whole.energy_j.total());
        match machine.hardware.objective {
            Objective::Energy => less_j,
            Objective::Latency => fewer_cycles,
            Objective::EnergyDelay => less_j / (energy_j + leakage_j(cycles)) + fewer_cycles / cycles,
        }
    }

    /// Per layer, output channels that stay in `room` bits, and the room that is left; `None` if a layer that has to
    /// stay does not fit.
    fn fill(&self, streaming: &[Option<&Best>], savings: &[Saving], room: f64) -> Option<(Vec<usize>, f64)> {
        let mut channels = vec![0; streaming.len()];
        let mut room = room;
        for saving in savings.iter().filter(|saving| saving.per_bit > 0.0) {
            let layer = &self.mapper.workload.layers[saving.layer];
            let fit = (room / layer.channel_bits()).floor().max(0.0) as usize;
            let stay = fit.min(layer.outputs());
            if streaming[saving.layer].is_none() && stay < layer.outputs() {
                return None;
            }
            channels[saving.layer] = stay;
            room -= stay as f64 * layer.channel_bits();
        }
        Some((channels, room))
    }

    /// A channel of one layer gives way to some of another one as long as that saves more: whole channels leave some
    /// `room`.
    fn exchange(
        &self,
        channels: &mut [usize],
        streaming: &[Option<&Best>],
        savings: &[Saving],
        mut room: f64,
    ) {
        let layer = |saving: &Saving| &self.mapper.workload.layers[saving.layer];
        let value = |saving: &Saving| saving.per_bit * layer(saving).channel_bits();
        // Every exchange saves; the number of them bounds the time.
        for _ in 0..channels.len() {
            let mut best: Option<(f64, &Saving, &Saving, usize)> = None;
            for out in savings.iter().filter(|s| channels[s.layer] > 0 && streaming[s.layer].is_some()) {
                for into in savings.iter().filter(|s| s.per_bit > 0.0 && s.layer != out.layer) {
                    let missing = layer(into).outputs() - channels[into.layer];
                    let free = room + layer(out).channel_bits();
                    let more = ((free / layer(into).channel_bits()).floor() as usize).min(missing);
                    let gain = more as f64 * value(into) - value(out);
                    if more > 0 && gain > 1e-9 * value(out) && best.as_ref().is_none_or(|best| gain > best.0)
                    {
                        best = Some((gain, out, into, more));
                    }
                }
            }
            let Some((_, out, into, more)) = best else { return };
            channels[out.layer] -= 1;
            channels[into.layer] += more;
            room += layer(out).channel_bits() - more as f64 * layer(into).channel_bits();
        }
    }

    /// The network with `channels` of each layer on chip, and the others by the plans of `streaming`.
    fn place(&mut self, streaming: &[Option<&Best>], channels: Vec<usize>, fill: Fill) -> Option<Choice> {
        let Mapper { workload, machine, .. } = *self.mapper;
        let residents = Residents::new(workload, channels, machine.hardware.level_of_residents());
        let mut layers = Vec::new();
        for (i, layer) in workload.layers.iter().enumerate() {
            let (plan, cost) = if layer.outputs() > 0 && residents.holds_all(workload, i) {
                self.resident(i)?
            } else {
                let best = streaming[i]?;
                let (plan, cost) = (self.tried[i].plans[best.plan], best.cost.clone());
                match residents.channels[i] {
                    0 => (plan, cost),
                    resident_channels if fill.polished => {
                        self.partly_resident(i, resident_channels, fill.buffer_bits)?
                    }
                    resident_channels => {
                        let plan = Plan { resident_channels, ..plan };
                        (plan, self.mapper.cost(layer, &plan))
                    }
                }
            };
            // What shares a memory with weights that stay may have no room beside them.
            let there = placed(plan, i, workload, &machine.hardware, &residents)?;
            layers.push((there, if there == plan { cost } else { self.mapper.cost(layer, &there) }));
        }
        Some(self.mapper.finish(layers.into_iter()))
    }

    /// The best plan of layer number `layer` where some channels stay and the others pass through a buffer of `bits`.
    fn partly_resident(
        &self,
        layer: usize,
        resident_channels: usize,
        bits: f64,
    ) -> Option<(Plan, LayerCost)> {
        let tried = &self.tried[layer];
        let plans =
            tried.plans.iter().zip(&tried.buffer_bits).filter(|(_, buffer_bits)| **buffer_bits <= bits);
        let plans: Vec<Plan> = plans.map(|(plan, _)| Plan { resident_channels, ..*plan }).collect();
        let costs = self.mapper.costs(&self.mapper.workload.layers[layer], &plans);
        plans
            .into_iter()
            .zip(costs)
            .min_by(|a, b| self.mapper.score(&a.1).total_cmp(&self.mapper.score(&b.1)))
    }

    /// The best plan of layer number `layer` where all its weights stay.
    fn resident(&mut self, layer: usize) -> Option<(Plan, LayerCost)> {
        let mapper = self.mapper;
        let resident = self.resident.entry(layer).or_insert_with(|| {
            let hardware = &mapper.machine.hardware;
            let plans =
                resident_candidates(layer, mapper.workload, hardware, mapper.placement, mapper.fixed).ok()?;
            let tried = mapper.try_all(layer, plans);
            let best = tried.front.best(f64::INFINITY)?;
            let plan = tried.plans[best.plan];
            debug_assert!(!plan.is_off_chip(Operand::Weights));
            Some((plan, best.cost.clone()))
        });
        resident.clone()
    }
}

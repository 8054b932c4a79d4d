//! A network of which some maps have no room on chip: where they are, and how its layers run with them there.

use rayon::prelude::*;

use super::mapper::{Choice, Mapper, Running};
use super::prefetch::Outline;
use crate::hw::Operand;
use crate::map::{
    Group, Home, Map, Order, Passage, Plan, Residents, Settled, SettledCandidates, SettledLayer, Shortage,
    Turns, Wishes, maps_have_homes, settled_plan, stream_buffer_bits,
};

/// A network of which some maps have no room on chip.
pub struct Settling<'a> {
    pub mapper: &'a Mapper<'a>,
    /// Weights that stay.
    pub residents: Residents,
    /// Per map, true if the plans do not leave it beside units.
    passing: Vec<bool>,
    /// Per layer, true if such a map is alive while it runs.
    pub touched: Vec<bool>,
}

/// Where maps are, and which layers take turns.
#[derive(Debug, Clone)]
pub struct Homes {
    /// Per map, where it is as a whole.
    pub maps: Vec<Home>,
    /// Per layer, the layers that it takes turns with.
    pub turns: Vec<Option<Turns>>,
}

/// Where maps are, and how layers run with them there.
#[derive(Debug, Clone)]
pub struct State {
    /// Where maps are.
    pub homes: Homes,
    /// How the layers run.
    pub layers: Vec<Running>,
    /// Per layer, where its maps were when the best of its plans was looked for.
    planned: Vec<Option<Settled>>,
}

impl<'a> Settling<'a> {
    /// `None` where all maps are beside units, or the machine has no off-chip memory.
    pub fn new(mapper: &'a Mapper<'a>, choice: &Choice) -> Option<Self> {
        let Mapper { workload, machine, fixed, .. } = *mapper;
        if !maps_have_homes(&machine.hardware) {
            return None;
        }
        let passes = |(number, map): (usize, &Map)| {
            let mut alive = choice.plans[map.alive.clone()].iter();
            let passes = alive.any(|plan| plan.passes(map.operand));
            fixed.and_then(|fixed| fixed.map(number)).map_or(passes, |home| home != Home::default())
        };
        let passing: Vec<bool> = workload.maps.iter().enumerate().map(passes).collect();
        let settles = passing.contains(&true) || fixed.is_some_and(Wishes::fix_maps);
        settles.then(|| Self::of(mapper, choice, passing))
    }

    /// The network with no map beside units that may be elsewhere: what the plans left there may have taken the room of what is
    /// worth more.
    pub fn emptied(&self, choice: &Choice) -> Option<Self> {
        let stays = |map: usize| self.fixed_home(map) == Some(Home::default());
        let passing: Vec<bool> = (0..self.passing.len()).map(|map| !stays(map)).collect();
        (passing != self.passing).then(|| Self::of(self.mapper, choice, passing))
    }

    fn of(mapper: &'a Mapper<'a>, choice: &Choice, passing: Vec<bool>) -> Self {
        let Mapper { workload, machine, fixed, .. } = *mapper;
        let mut touched = vec![fixed.is_some_and(Wishes::fix_maps); workload.layers.len()];
        for (map, _) in workload.maps.iter().zip(&passing).filter(|(_, passes)| **passes) {
            for layer in concerned(map) {
                touched[layer] = true;
            }
        }
        let residents = Residents::of(workload, &machine.hardware, &choice.plans);
        Self { mapper, residents, passing, touched }
    }

    /// Where a file wants map number `map`.
    pub fn fixed_home(&self, map: usize) -> Option<Home> {
        self.mapper.fixed?.map(map)
    }

    /// Off chip is what any plan of `choice` does not leave beside units; maps and turns that a file fixes are as it says. Layers whose
    /// maps are where `known` has them take its plans.
    ///
    /// # Errors
    /// The layer, and what has no room while it runs.
    pub fn start(&self, choice: &Choice, known: Option<&State>) -> Result<State, (usize, Shortage)> {
        let layers = choice.plans.iter().map(|&plan| Running { plan, cost: Outline::default() }).collect();
        let open = |passes| if passes { Home::OffChip } else { Home::default() };
        let home = |(map, &passes): (usize, &bool)| self.fixed_home(map).unwrap_or(open(passes));
        let maps = self.passing.iter().enumerate().map(home).collect();
        let homes = Homes { maps, turns: vec![None; choice.plans.len()] };
        let mut state = State { homes, layers, planned: vec![None; choice.plans.len()] };
        for &turns in self.mapper.fixed.map_or(&[][..], Wishes::turns) {
            state.homes.turns[turns.range()].fill(Some(turns));
        }
        let fixed = self.mapper.fixed.is_some_and(Wishes::fix_maps);
        let run = |layer: usize| {
            let plan = state.layers[layer].plan;
            let settled =
                if self.touched[layer] { self.settled(layer, plan, &state, &state.homes) } else { Ok(plan) };
            // Without a file less stays than the plan was chosen with.
            let plan = settled.or_else(|shortage| if fixed { Err((layer, shortage)) } else { Ok(plan) })?;
            Ok(self.mapper.running(layer, plan))
        };
        let layers: Vec<Result<Running, _>> = (0..choice.plans.len()).into_par_iter().map(run).collect();
        state.layers = layers.into_iter().collect::<Result<_, _>>()?;
        for layer in (0..choice.plans.len()).filter(|&layer| self.touched[layer]) {
            let maps = Some(self.maps_of(layer, &state, &state.homes));
            if let Some(known) = known.filter(|known| known.planned[layer] == maps) {
                (state.layers[layer], state.planned[layer]) = (known.layers[layer], maps);
            }
        }
        Ok(self.replan(state, choice))
    }

    /// Layers whose plans change with the home of `map`.
    pub fn concerned_by(&self, state: &State, map: &Map) -> Vec<usize> {
        let together = |layer: usize| state.homes.turns[layer].map_or(layer..layer + 1, Turns::range);
        let mut layers: Vec<usize> = concerned(map).flat_map(together).collect();
        layers.sort_unstable();
        layers.dedup();
        layers
    }

    /// `plan` of layer number `layer` beside those of `state`, with maps as `homes` has them; where there is no room for tiles
    /// of inputs, they come once for every tile of channels.
    ///
    /// # Errors
    /// What has no room.
    pub fn settled(&self, layer: usize, plan: Plan, state: &State, homes: &Homes) -> Result<Plan, Shortage> {
        let Mapper { workload, machine, fixed, .. } = *self.mapper;
        let maps = self.maps_of(layer, state, homes);
        let hardware = &machine.hardware;
        let settled = |plan| settled_plan(plan, layer, workload, hardware, fixed, &self.residents, maps);
        let without_tiles = Plan { order: Order::ChannelsOutermost, ..plan };
        let bound = fixed.is_some_and(|fixed| fixed.fixes_order(layer)) || maps.group.is_some();
        settled(plan).or_else(|shortage| if bound { Err(shortage) } else { settled(without_tiles) })
    }

    /// Where the maps of layer number `layer` are.
    fn maps_of(&self, layer: usize, state: &State, homes: &Homes) -> Settled {
        let maps = &self.mapper.workload.maps;
        let turns = homes.turns[layer];
        let together = turns.map_or(layer..layer + 1, Turns::range);
        let home = |number: usize| match turns.filter(|turns| turns.holds(&maps[number])) {
            Some(turns) => (Home::default(), self.tile_bits(&maps[number], turns.tiles)),
            None => (homes.maps[number], maps[number].bits),
        };
        let passage = |operand| Passage::of(maps, operand, layer, &together, home);
        Settled {
            activations: passage(Operand::Activations),
            residual: passage(Operand::Residual),
            group: turns.map(|turns| self.group(layer, turns, state)),
        }
    }

    fn group(&self, layer: usize, turns: Turns, state: &State) -> Group {
        let others = turns.range().filter(|&other| other != layer);
        let plan = |other: usize| turns.by_tiles(state.layers[other].plan);
        let beside_bits = others.map(|other| self.buffer_bits(other, &plan(other))).sum();
        Group { first: turns.first, layers: turns.layers, beside_bits }
    }

    /// Room for weights of layer number `layer` that pass through by `plan`.
    pub fn buffer_bits(&self, layer: usize, plan: &Plan) -> f64 {
        stream_buffer_bits(plan, &self.mapper.workload.layers[layer], &self.mapper.machine.hardware)
    }

    /// Room that `map` needs where those that yield and read it take turns in `tiles` tiles: one of them, and the rows that
    /// readers wait for, each behind the one before.
    fn tile_bits(&self, map: &Map, tiles: usize) -> f64 {
        // What its own layer alone reads waits for no other.
        let last = map.products.iter().chain(&map.readers).max().copied().unwrap_or(map.alive.start);
        let between = &self.mapper.workload.layers[map.alive.start + 1..=last];
        let halo: usize =
            between.iter().filter_map(|layer| layer.product.as_ref()).map(|p| p.halo_rows).sum();
        map.bits * (1.0 / tiles as f64 + halo as f64 / map.rows as f64).min(1.0)
    }

    /// `state` with the best plans that leave maps where it has them, and whose weights need no more room than those of
    /// `choice`.
    pub fn replan(&self, state: State, choice: &Choice) -> State {
        let run = |layer: usize| {
            let maps = self.maps_of(layer, &state, &state.homes);
            if !self.touched[layer] || state.planned[layer] == Some(maps) {
                return (state.layers[layer], state.planned[layer]);
            }
            let running = state.layers[layer];
            let early = choice.prefetched[layer];
            let score = |running: &Running| self.mapper.score_where(early, &running.cost);
            // What `choice` has room for may be worth it again where more maps stay.
            let plans = [&running.plan, &choice.plans[layer]];
            let room = plans.map(|plan| self.buffer_bits(layer, plan)).into_iter().fold(0.0, f64::max);
            (self.better(layer, running, maps, room, score), Some(maps))
        };
        let (layers, planned) = (0..state.layers.len()).into_par_iter().map(run).unzip();
        State { layers, planned, ..state }
    }

    /// Layer number `layer` by the best of all plans with its `maps` whose weights pass through `room` bits, of equals the
    /// first, or as it is `running` if none scores less.
    fn better(
        &self,
        layer: usize,
        running: Running,
        maps: Settled,
        room: f64,
        score: impl Fn(&Running) -> f64,
    ) -> Running {
        let Mapper { workload, machine, fixed, .. } = *self.mapper;
        let settled =
            SettledLayer { number: layer, like: &running.plan, settled: maps, residents: &self.residents };
        let candidates = SettledCandidates::new(&settled, workload, &machine.hardware, fixed);
        let (mut best, mut best_score, mut best_way) = (running, score(&running), 0);
        for (way, least_score) in self.mapper.promising_ways(layer) {
            if least_score >= best_score {
                break;
            }
            let mut plans = candidates.in_way(way);
            plans.retain(|plan| self.buffer_bits(layer, plan) <= room);
            let costs = self.mapper.costs(layer, &plans);
            for other in plans.into_iter().zip(costs).map(|(plan, cost)| Running { plan, cost }) {
                let other_score = score(&other);
                debug_assert!(other_score >= least_score);
                // Ways come in another order here than plans do.
                if other_score < best_score || (other_score == best_score && way < best_way) {
                    (best, best_score, best_way) = (other, other_score, way);
                }
            }
        }
        best
    }

    /// Cost of all layers.
    pub fn whole(&self, state: &State) -> Outline {
        state.layers.iter().fold(Outline::default(), |sum, layer| sum.then(&layer.cost))
    }

    /// True if `map` has no room by the plans that were chosen one by one, and none has been made for it.
    pub fn passes(&self, map: usize, state: &State) -> bool {
        self.passing[map] && state.homes.maps[map] == Home::OffChip
    }

    /// On-chip homes of maps of `operand`: beside units, and in the outermost memory that holds them.
    pub fn on_chip_homes(&self, operand: Operand) -> impl Iterator<Item = Home> + use<> {
        let outermost = self.mapper.machine.behind[operand].len() as u8;
        let behind = (outermost > 0).then_some(Home::OnChip(outermost));
        std::iter::once(Home::default()).chain(behind)
    }
}

/// Layers that yield, read, or wait beside `map`.
fn concerned(map: &Map) -> impl Iterator<Item = usize> + '_ {
    let readers = map.products.iter().chain(&map.readers).copied();
    map.alive.clone().chain(readers.filter(|reader| !map.alive.contains(reader)))
}

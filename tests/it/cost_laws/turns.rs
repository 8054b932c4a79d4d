//! Maps between layers: which of them stay on chip, and layers that take turns because of them.

use proptest::prelude::*;
use spiq::cost::{Machine, MappedWorkload, layer_cost};
use spiq::exec::Activity;
use spiq::hw::{Operand, Placement};
use spiq::map::{
    ExecutedBits, Group, Home, Layer, Map, Order, Passage, Plan, Product, Residents, Settled,
    SettledCandidates, SettledLayer, Workload, candidates,
};
use spiq::model::{ModelDescription, NodeId};

use super::{Spec, activity, lanes, layer, neuron, product};

/// Layers one behind the other: each yields `channels[i + 1]` spikes at `positions`, and needs `halo[i]` rows more than one.
#[derive(Debug, Clone)]
pub struct Chain {
    positions: usize,
    channels: Vec<usize>,
    halo: Vec<usize>,
    timesteps: usize,
    /// Share of inputs that are spikes.
    density: f64,
}

impl Chain {
    /// At one timestep, half of the inputs spikes, and every position by itself.
    pub fn of(channels: &[usize], positions: usize) -> Self {
        let halo = vec![0; channels.len() - 1];
        Self { positions, channels: channels.to_vec(), halo, timesteps: 1, density: 0.5 }
    }

    /// Number of layers.
    pub fn len(&self) -> usize {
        self.halo.len()
    }

    fn product(&self, i: usize) -> Product {
        let plain = product(self.positions, self.channels[i], self.channels[i + 1], 4);
        Product { node: NodeId(i as u32), halo_rows: self.halo[i], from_outside: i == 0, ..plain }
    }

    /// Map number i is what layer i reads.
    fn map(&self, i: usize) -> Map {
        Map {
            name: format!("map {i}"),
            operand: Operand::Activations,
            alive: i.saturating_sub(1)..i + 1,
            bits: (self.positions * self.channels[i]) as f64,
            rows: self.positions,
            from_outside: i == 0,
            products: vec![i],
            readers: Vec::new(),
        }
    }

    pub fn workload(&self) -> Workload {
        let maps: Vec<Map> = (0..self.len()).map(|i| self.map(i)).collect();
        let layer = |i: usize| {
            let mut neurons = neuron(self.positions * self.channels[i + 1], 8);
            // Nobody reads what the last one yields.
            neurons.stored_bits = u32::from(i + 1 < self.len());
            let mut layer = layer(self.product(i), vec![neurons]);
            layer.name = format!("layer {i}");
            let alive = maps.iter().filter(|map| map.alive.contains(&i));
            layer.live_activation_bits = alive.map(|map| map.bits).sum();
            layer
        };
        let layers: Vec<Layer> = (0..self.len()).map(layer).collect();
        Workload { layers, timesteps: self.timesteps, batch: 1, maps }
    }

    pub fn activity(&self) -> Activity {
        let events = |i: usize| {
            let spikes = (self.density * self.channels[i] as f64).ceil() as u32;
            vec![vec![spikes; self.positions]; self.timesteps]
        };
        let nodes = |i: usize| activity(&self.product(i), &events(i)).nodes.remove(0);
        Activity { nodes: (0..self.len()).map(nodes).collect(), ..Activity::default() }
    }

    /// All weights stay, sums and membranes have room, and `bytes` are there for activations.
    pub fn machine(bytes: u64) -> Machine {
        Self::machine_of([1 << 20, bytes])
    }

    /// Sums and membranes have room, and so many bytes are there for weights and activations.
    pub fn machine_of([weights, activations]: [u64; 2]) -> Machine {
        let mut spec = Self::spec(activations);
        spec.memories[0].1 = weights;
        spec.machine()
    }

    /// All but activations have room, of which `bytes` fit beside units.
    pub fn spec(bytes: u64) -> Spec {
        let mut spec =
            Spec { objective: "Energy", ..Spec::roomy(lanes(1, 4, "Dense", "BitSerial")).innermost() };
        spec.memories[1].1 = bytes;
        spec
    }
}

#[test]
fn three_layers_take_turns_by_hand() {
    // 8 positions of 4 spikes between three layers: 32 bits each, and room for 24.
    let chain = Chain::of(&[4, 4, 4, 4], 8);
    let (workload, activity) = (chain.workload(), chain.activity());
    let mapped = |bytes: u64| {
        let machine = Chain::machine(bytes);
        let mapped =
            MappedWorkload::best(workload.clone(), &machine, std::slice::from_ref(&activity)).unwrap();
        let costs = mapped.costs(&machine, &activity);
        let moved = costs.iter().map(|c| (c.traffic_bits.dram_read, c.traffic_bits.dram_written));
        let held = mapped.occupancy(&machine.hardware);
        let held: Vec<f64> = held.iter().map(|memories| 8.0 * memories[1].activations).collect();
        (moved.collect::<Vec<_>>(), held, mapped)
    };
    // Room for both: only the image comes from off chip.
    assert_eq!(mapped(1024).0, [(32.0, 0.0), (0.0, 0.0), (0.0, 0.0)]);
    // In two tiles each of the two maps needs 16 bits, in four 8; the image's own tiles, of which there are two, 8 each.
    let (moved, held, choice) = mapped(4);
    assert_eq!(moved, [(32.0, 0.0), (0.0, 0.0), (0.0, 0.0)]);
    let Plan { group: Some(group), order: Order::PositionsOutermost { tiles, .. }, .. } = choice.plans[1]
    else {
        panic!("{:?}", choice.plans)
    };
    assert_eq!((group.first, group.layers, group.beside_bits), (0, 3, 0.0));
    assert!(held.iter().all(|bits| *bits <= 32.0), "{held:?}");
    assert_eq!(held[1], 2.0 * 32.0 / tiles as f64);
    // One byte holds no tile of anything beside the next one: every map goes out once and comes back once.
    let halo = Chain { halo: vec![0, 8, 8], ..chain.clone() };
    let machine = Chain::machine(4);
    let best = MappedWorkload::best(halo.workload(), &machine, std::slice::from_ref(&activity)).unwrap();
    assert!(best.plans.iter().all(|plan| plan.group.is_none()), "readers wait for all of a map");
    // Room of 32 bits has one of two maps of 32 bits.
    let out: f64 = best.costs(&machine, &activity).iter().map(|c| c.traffic_bits.dram_written).sum();
    assert_eq!(out, 32.0);
}

/// Layers `first..end` that take turns in `tiles` tiles; one tile of a single layer stands for none.
type Run = (usize, usize, usize);

/// Every way to let neighbours among `layers` layers take turns, in up to `tiles` tiles.
fn ways(layers: usize, tiles: usize) -> Vec<Vec<Run>> {
    if layers == 0 {
        return vec![Vec::new()];
    }
    let with_last = |first: usize| {
        let counts = if layers - first > 1 { 2..=tiles } else { 1..=1 };
        let runs = counts.flat_map(move |count| {
            ways(first, tiles).into_iter().map(move |way| [way, vec![(first, layers, count)]].concat())
        });
        runs.collect::<Vec<_>>()
    };
    (0..layers).flat_map(with_last).collect()
}

/// The least energy of all ways to run `chain`, by every plan of every layer.
fn least(chain: &Chain, machine: &Machine) -> f64 {
    let (workload, activity) = (chain.workload(), chain.activity());
    let any = candidates(&workload, &machine.hardware, Placement::Innermost, None).unwrap();
    let residents = Residents::all(&workload, 0);
    let energy = |layer: usize, run: Run, stays: usize| -> f64 {
        let (first, end, tiles) = run;
        let holds = |map: &Map| !map.from_outside && first <= map.alive.start && map.products[0] < end;
        let bits = |number: usize| {
            let map = &workload.maps[number];
            let halo = chain.halo[map.products[0]] as f64 / map.rows as f64;
            match holds(map) {
                true if end - first > 1 => (Home::default(), map.bits * (1.0 / tiles as f64 + halo).min(1.0)),
                _ if stays >> number & 1 == 1 => (Home::default(), map.bits),
                _ => (Home::OffChip, map.bits),
            }
        };
        let passage = |operand| Passage::of(&workload.maps, operand, layer, &(first..end), bits);
        let group = (end - first > 1).then_some(Group { first, layers: end - first, beside_bits: 0.0 });
        let (activations, residual) = (passage(Operand::Activations), passage(Operand::Residual));
        let settled = Settled { activations, residual, group };
        let order = Order::PositionsOutermost { tiles, weights_stay: true };
        let like = Plan { order, ..any[layer][0] };
        let settled = SettledLayer { number: layer, like: &like, settled, residents: &residents };
        let plans = SettledCandidates::new(&settled, &workload, &machine.hardware, None).all();
        let costs = plans.iter().map(|plan| {
            let cost = layer_cost(&workload.layers[layer], plan, machine, &activity, chain.timesteps);
            machine.score(cost.cycles.total(), cost.energy_j.total())
        });
        costs.fold(f64::INFINITY, f64::min)
    };
    let mut least = f64::INFINITY;
    for way in ways(chain.len(), chain.positions) {
        for stays in 0..1_usize << chain.len() {
            let runs = way.iter().flat_map(|&run| (run.0..run.1).map(move |layer| (layer, run)));
            least = least.min(runs.map(|(layer, run)| energy(layer, run, stays << 1)).sum());
        }
    }
    least
}

pub fn any_chain() -> impl Strategy<Value = (Chain, u64)> {
    let channels = prop::collection::vec(1usize..9, 5);
    let halo = prop::collection::vec(0usize..3, 4);
    let sizes = (2usize..5, 2usize..9, 1usize..3, 0.0..1.0f64, 1u64..40);
    (channels, halo, sizes).prop_map(|(channels, halo, (layers, positions, timesteps, density, bytes))| {
        let (channels, halo) = (channels[..=layers].to_vec(), halo[..layers].to_vec());
        (Chain { positions, channels, halo, timesteps, density }, bytes)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Within 5 % of the best of all, and never beyond a memory.
    #[test]
    fn maps_stay_where_that_is_best((chain, bytes) in any_chain()) {
        let machine = Chain::machine(bytes);
        let activity = chain.activity();
        let best = MappedWorkload::best(chain.workload(), &machine, std::slice::from_ref(&activity)).unwrap();
        let costs = best.costs(&machine, &activity);
        let energy: f64 = costs.iter().map(|c| machine.score(c.cycles.total(), c.energy_j.total())).sum();
        let least = least(&chain, &machine);
        prop_assert!(energy <= least * 1.05, "{energy} {least} {:?}", best.plans);
        prop_assert!(energy >= least * (1.0 - 1e-9), "{energy} {least} {:?}", best.plans);
        for held in best.occupancy(&machine.hardware) {
            prop_assert!(held[1].total() <= bytes as f64, "{held:?} {:?}", best.plans);
        }
        // A map that goes out comes back.
        let [out, back] = [true, false].map(|out| -> f64 {
            costs.iter().map(|c| if out { c.traffic_bits.dram_written } else { c.traffic_bits.dram_read }).sum()
        });
        prop_assert!(back >= out + chain.map(0).bits);
    }
}

#[test]
fn a_stream_that_a_join_overwrites_is_read() {
    // Layer 0 yields a stream, layer 1 spikes of it, layer 2 writes the sum over it.
    let map = |operand, alive, bits, products: &[usize], readers: &[usize]| Map {
        name: String::new(),
        operand,
        alive,
        bits,
        rows: 4,
        from_outside: false,
        products: products.to_vec(),
        readers: readers.to_vec(),
    };
    let maps = [
        map(Operand::Residual, 0..2, 64.0, &[], &[2]),
        map(Operand::Activations, 1..3, 8.0, &[2], &[]),
        map(Operand::Residual, 2..4, 64.0, &[], &[3]),
    ];
    let stream = |layer: usize, stays: [bool; 3]| {
        let home = |number: usize| if stays[number] { Home::default() } else { Home::OffChip };
        let homes = |number: usize| (home(number), maps[number].bits);
        let passage = Passage::of(&maps, Operand::Residual, layer, &(layer..layer + 1), homes);
        (passage.staying_bits, passage.read.off_chip, passage.written.off_chip)
    };
    assert_eq!(stream(0, [false; 3]), (0.0, 0.0, 1.0));
    assert_eq!(stream(1, [false; 3]), (0.0, 0.0, 0.0));
    assert_eq!(stream(2, [false; 3]), (0.0, 1.0, 1.0));
    assert_eq!(stream(2, [true; 3]), (64.0, 0.0, 0.0));
    assert_eq!(stream(2, [false, true, true]), (64.0, 1.0, 0.0));
    let spikes = |home: Home| {
        let passage = Passage::of(&maps, Operand::Activations, 2, &(2..3), |_| (home, 8.0));
        (passage.input.off_chip, passage.input.behind, passage.staying_bits, passage.behind_bits)
    };
    assert_eq!(spikes(Home::OffChip), (1.0, 0.0, 0.0, 0.0));
    assert_eq!(spikes(Home::OnChip(1)), (0.0, 1.0, 0.0, 8.0));
    assert_eq!(spikes(Home::default()), (0.0, 0.0, 8.0, 0.0));
}

/// What a layer reads and writes of maps, bits of one timestep, as operations say: (inputs of products, what
/// else is read, what is written), of activations and streams.
fn said_by_operations(layer: &Layer, on_the_fly: bool) -> [f64; 5] {
    let input = layer.product.as_ref().filter(|p| !p.from_outside && !on_the_fly);
    let mut bits = ExecutedBits::default();
    layer.epilogue.iter().for_each(|e| bits.add_scaled(&e.bits_per_frame(), 1.0));
    [
        input.map_or(0.0, |p| p.input_values as f64 * f64::from(p.input.bits())),
        bits.activations_read,
        bits.activations_written,
        bits.residual_read,
        bits.residual_written,
    ]
}

fn said_by_maps(workload: &Workload, layer: usize) -> [f64; 5] {
    let sum = |operand: Operand, takes_part: &dyn Fn(&Map) -> bool| -> f64 {
        let maps = workload.maps.iter().filter(|map| map.operand == operand && takes_part(map));
        maps.map(|map| map.bits).sum()
    };
    let reads = |map: &Map| map.readers.contains(&layer);
    let yields = |map: &Map| map.alive.start == layer && !map.from_outside;
    [
        sum(Operand::Activations, &|map| map.products.contains(&layer) && !map.from_outside)
            + sum(Operand::Residual, &|map| map.products.contains(&layer)),
        sum(Operand::Activations, &reads),
        sum(Operand::Activations, &yields),
        sum(Operand::Residual, &reads),
        sum(Operand::Residual, &yields),
    ]
}

#[test]
fn maps_are_what_layers_read_and_write() {
    for name in [
        "sdtv1_8-384_imagenet",
        "sdtv2_15M",
        "sdtv3_5M",
        "spikformer_4-384_cifar10",
        "qkformer_10-384_imagenet",
        "spikingformer_4-384_cifar10",
        "spikeiandformer_8-384_imagenet",
        "vgg11_cifar10",
    ] {
        let (_, network, _) = ModelDescription::load(name).unwrap();
        let workload = Workload::float32(&network);
        for (i, layer) in workload.layers.iter().enumerate() {
            // The mean over positions goes to the head directly.
            let before = i.checked_sub(1).and_then(|i| workload.layers[i].epilogue.last());
            let on_the_fly = before.is_some_and(|epilogue| epilogue.stored_bits == 0);
            let said = said_by_operations(layer, on_the_fly);
            assert_eq!(said_by_maps(&workload, i), said, "{name}: {}", layer.name);
        }
    }
}

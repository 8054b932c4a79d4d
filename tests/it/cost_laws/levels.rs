//! On-chip memories behind those that feed units, by hand.

use spiq::cost::{Direction, LayerCost, Machine, MappedWorkload, Place, Stall, StallPart};
use spiq::exec::Activity;
use spiq::hw::Operand;
use spiq::map::{FixedMapping, Home, Workload, occupancy};

use super::{Spec, activity, close, lanes, layer, product};

/// 128 bits of weights and 128 of biases, which 16 bytes beside the units do not hold.
pub fn layer_of_32_bytes() -> (Workload, Activity) {
    let layers = vec![layer(product(8, 4, 4, 8), vec![])];
    let activity = activity(layers[0].product.as_ref().unwrap(), &[vec![2; 8]]);
    (Workload { layers, timesteps: 1, batch: 1, maps: Vec::new() }, activity)
}

/// Two tiles of 4 x 2 weights of 8 bits fill the 16 bytes beside the units. One picojoule for each bit moved.
pub fn machine(inner_bytes: u64, behind_bytes: Option<u64>) -> Machine {
    let mut spec =
        Spec { dram_bits: Some(1), behind_bytes, ..Spec::roomy(lanes(2, 2, "Dense", "BitSerial")) };
    spec.memories[0].1 = inner_bytes;
    spec.unit_machine()
}

fn cost_on(machine: &Machine) -> (MappedWorkload, LayerCost) {
    let (workload, activity) = layer_of_32_bytes();
    let fixed = "NetworkMapping(layers: {\"layer\": (dataflow: OutputStationary, channels: 2, order: ChannelsOutermost)})";
    let fixed = FixedMapping::parse(fixed, "m.ron").unwrap();
    let samples = std::slice::from_ref(&activity);
    let mapped = MappedWorkload::best_of(workload, machine, samples, Some(&fixed)).unwrap();
    let cost = mapped.costs(machine, &activity).remove(0);
    (mapped, cost)
}

/// All 32 bytes beside the units, or behind them, or off chip.
#[test]
fn weights_come_from_the_next_memory_that_holds_them() {
    let (near, beside) = cost_on(&machine(32, None));
    let (there, behind) = cost_on(&machine(16, Some(32)));
    let (out, off_chip) = cost_on(&machine(16, Some(16)));
    let homes = [&near, &there, &out].map(|mapped| mapped.plans[0].home[Operand::Weights]);
    assert_eq!(homes, [Home::OnChip(0), Home::OnChip(1), Home::OffChip]);
    assert!(there.plans[0].describe(&there.workload.layers[0]).contains("weights at level 2"));

    // Behind, 256 bits are read there and written beside the units once.
    let read = |cost: &LayerCost| cost.traffic_bits.weights_read - beside.traffic_bits.weights_read;
    let written = |cost: &LayerCost| cost.traffic_bits.weights_written;
    assert_eq!((written(&beside), read(&behind), written(&behind)), (0.0, 256.0, 256.0));
    assert_eq!((beside.traffic_bits.dram_read, behind.traffic_bits.dram_read), (0.0, 0.0));
    // From off chip, they are written behind first.
    let from_dram = off_chip.traffic_bits.dram_read;
    assert_eq!((read(&off_chip), written(&off_chip), from_dram), (256.0, 512.0, 256.0));
    let pj = |cost: &LayerCost| (cost.energy_j.weight_memory - beside.energy_j.weight_memory) * 1e12;
    assert!(close(pj(&behind), 512.0) && close(pj(&off_chip), 768.0));
}

/// The first of two tiles is waited for; the second comes while the first is computed.
#[test]
fn the_slowest_memory_on_the_way_sets_the_pace() {
    let load = |bandwidth: u32| {
        let mut machine = machine(16, Some(32));
        machine.hardware.memories[5].bandwidth_bits_per_cycle.value = bandwidth;
        cost_on(&machine).1
    };
    // 128 bits of the first tile at 64, and at 4 bits a cycle.
    assert_eq!([64, 4].map(|bandwidth| load(bandwidth).cycles.load), [2.0, 32.0]);
    // 8 positions x 4 inputs x 4 channels on 4 lanes take 32 cycles: 16 of each tile wait for 32 of the next.
    let LayerCost { cycles: slow, stalls, .. } = load(4);
    // The ports beside the units take some millionths of a cycle.
    assert!(slow.ideal == 32.0 && (slow.dram_stall - 16.0).abs() < 1e-5, "{slow:?}");
    let behind: Vec<&Stall> = stalls.iter().filter(|stall| stall.cycles > 0.001).collect();
    let waits = |part| (part, Place::OnChip(5), Direction::Read);
    assert_eq!(
        behind.iter().map(|s| (s.part, s.memory, s.direction)).collect::<Vec<_>>(),
        [waits(StallPart::Dram), waits(StallPart::Load)]
    );
}

/// Beside the units are two tiles, behind them all.
#[test]
fn what_each_memory_holds() {
    let machine = machine(16, Some(1024));
    let (mapped, _) = cost_on(&machine);
    let held = occupancy(&mapped.workload, &machine.hardware, &mapped.plans, &mapped.prefetched);
    assert_eq!([held[0][0].weights, held[0][5].weights], [16.0, 32.0]);
}

/// A memory behind that nothing needs costs area and leakage, and neither time nor dynamic energy.
#[test]
fn a_memory_that_nothing_needs_moves_nothing() {
    let (alone, with) = (machine(64, None), machine(64, Some(64)));
    let costs = [&alone, &with].map(|machine| cost_on(machine).1);
    assert_eq!(costs[0], costs[1]);
    let areas = [&alone, &with].map(|machine| machine.area_mm2.unwrap().weight_memory);
    assert!(areas[1] > areas[0]);
}

/// A memory of 24 bytes beside the units has 8 left by two tiles: one channel of 4 weights of 8 bits and a bias. It
/// stays there, and the smaller memory behind has only the three others to pass.
#[test]
fn weights_stay_in_the_largest_memory_that_holds_them() {
    let machine = machine(24, Some(16));
    let (mapped, cost) = cost_on(&machine);
    let plan = &mapped.plans[0];
    assert_eq!((plan.home[Operand::Weights], plan.resident_channels), (Home::OffChip, 1));
    assert_eq!((cost.traffic_bits.dram_read, cost.traffic_bits.weights_written), (192.0, 2.0 * 192.0));
    let held = occupancy(&mapped.workload, &machine.hardware, &mapped.plans, &mapped.prefetched);
    assert_eq!([held[0][0].weights, held[0][5].weights], [8.0 + 16.0, 16.0]);
}

//! Which memory sets the pace of a layer, and how long units wait for it.

use super::stalls::{Direction, Place, Stall, StallPart, Stalls};
use super::timeline::{Times, Waits};
use super::{Behind, Demand, Machine, Traffic};
use crate::hw::{MemorySpec, Operand, PerOperand};

/// Traffic of the memories that feed units.
type OnChip = PerOperand<Traffic>;

/// Busy cycles of every resource under `demand`, of which `array` is the on-chip traffic of the array.
pub fn times(demand: &Demand, array: &OnChip, machine: &Machine) -> Times {
    let ports = [PortsOf::All, PortsOf::Array, PortsOf::Epilogue].map(|of| Ports { demand, array, of });
    let mut busy = [0.0_f64; 3];
    for (number, memory) in feed_units(machine) {
        let bits_per_cycle = machine.bandwidth_bits_per_cycle(number);
        for (busy, ports) in busy.iter_mut().zip(&ports) {
            *busy = busy.max(ports.bits_of(memory) / bits_per_cycle);
        }
    }
    let [port, array_port, epilogue_port] = busy;
    Times {
        array: demand.array,
        epilogue: demand.epilogue_cycles,
        port,
        array_port,
        epilogue_port,
        load: slowest_inward(demand, machine).cycles,
        store: slowest_outward(demand, machine).cycles,
    }
}

/// What `waits` are for, beside what units wait for by themselves.
///
/// A port moves reads and writes one after the other, so each waits for both, in proportion to their bits.
pub fn stalls(demand: &Demand, array: &OnChip, machine: &Machine, waits: &Waits) -> Stalls {
    let mut stalls = demand.accesses.clone();
    let mut wait = |part, cycles: f64, slowest: &dyn Fn() -> Slowest| {
        if cycles > 0.0 {
            slowest().waited(part, cycles, &mut stalls);
        }
    };
    for (of, cycles) in [
        (PortsOf::All, waits.port),
        (PortsOf::Array, waits.array_port),
        (PortsOf::Epilogue, waits.epilogue_port),
    ] {
        wait(StallPart::Port, cycles, &|| busiest_port(machine, &Ports { demand, array, of }));
    }
    let (inward, outward) = (|| slowest_inward(demand, machine), || slowest_outward(demand, machine));
    wait(StallPart::Dram, waits.later_loads, &inward);
    wait(StallPart::Dram, waits.earlier_stores, &outward);
    wait(StallPart::Load, waits.load, &inward);
    wait(StallPart::Store, waits.store, &outward);
    stalls
}

/// The slowest of several memories.
struct Slowest {
    memory: Place,
    /// How long it is busy.
    cycles: f64,
    /// What it moves.
    moved: Traffic,
}

impl Slowest {
    /// Notes that units wait `cycles` for it.
    fn waited(&self, part: StallPart, cycles: f64, stalls: &mut Stalls) {
        let memory = self.memory;
        let bits = self.moved.bits();
        for (direction, moved) in
            [(Direction::Read, self.moved.read_bits), (Direction::Write, self.moved.written_bits)]
        {
            stalls.add(Stall { part, memory, direction, cycles: cycles * moved / bits });
        }
    }
}

/// The part of a layer whose bits ports move.
#[derive(Debug, Clone, Copy)]
enum PortsOf {
    All,
    Array,
    /// What follows the array, or passes between it and memories farther out.
    Epilogue,
}

/// Traffic of some work at the memories that feed units.
struct Ports<'a> {
    demand: &'a Demand,
    array: &'a OnChip,
    of: PortsOf,
}

impl Ports<'_> {
    fn bits(&self, operand: Operand) -> f64 {
        let (all, array) = (&self.demand.on_chip[operand], &self.array[operand]);
        match self.of {
            PortsOf::All => all.bits(),
            PortsOf::Array => array.bits(),
            PortsOf::Epilogue => all.bits() - array.bits(),
        }
    }

    fn bits_of(&self, memory: &MemorySpec) -> f64 {
        memory.holds.iter().map(|&operand| self.bits(operand)).sum()
    }

    fn traffic(&self, operand: Operand) -> Traffic {
        let (all, array) = (self.demand.on_chip[operand], self.array[operand]);
        match self.of {
            PortsOf::All => all,
            PortsOf::Array => array,
            PortsOf::Epilogue => Traffic {
                read_bits: all.read_bits - array.read_bits,
                written_bits: all.written_bits - array.written_bits,
            },
        }
    }
}

fn feed_units(machine: &Machine) -> impl Iterator<Item = (usize, &MemorySpec)> {
    machine.hardware.memories.iter().enumerate().filter(|(_, memory)| memory.feeds.is_empty())
}

/// The busiest port of the memories that feed units.
fn busiest_port(machine: &Machine, ports: &Ports<'_>) -> Slowest {
    let mut slowest = Slowest { memory: Place::OnChip(0), cycles: 0.0, moved: Traffic::default() };
    for (number, memory) in feed_units(machine) {
        let cycles = ports.bits_of(memory) / machine.bandwidth_bits_per_cycle(number);
        if cycles > slowest.cycles {
            let held = memory.holds.iter().map(|&operand| ports.traffic(operand));
            let moved = held.fold(Traffic::default(), |sum, traffic| sum.with(&traffic));
            slowest = Slowest { memory: Place::OnChip(number), cycles, moved };
        }
    }
    slowest
}

fn slowest_inward(demand: &Demand, machine: &Machine) -> Slowest {
    let off_chip = Traffic { read_bits: demand.dram.read_bits, written_bits: 0.0 };
    slowest_on_way(demand, machine, off_chip, |behind| behind.inward)
}

fn slowest_outward(demand: &Demand, machine: &Machine) -> Slowest {
    let off_chip = Traffic { read_bits: 0.0, written_bits: demand.dram.written_bits };
    slowest_on_way(demand, machine, off_chip, |behind| behind.outward)
}

/// Tiles stream through all memories on their way, so the slowest of them and of the bus sets the pace.
fn slowest_on_way(
    demand: &Demand,
    machine: &Machine,
    off_chip: Traffic,
    moved_by: fn(&Behind) -> Traffic,
) -> Slowest {
    let bus_cycles = machine.dram.map_or(0.0, |dram| off_chip.bits() / dram.bits_per_cycle);
    let mut slowest = Slowest { memory: Place::OffChip, cycles: bus_cycles, moved: off_chip };
    let memories = machine.hardware.memories.iter().enumerate();
    for (number, _) in memories.filter(|(_, memory)| !memory.feeds.is_empty()) {
        let own = demand.behind.iter().filter(|behind| behind.memory == number).map(moved_by);
        let moved = own.fold(Traffic::default(), |sum, traffic| sum.with(&traffic));
        let cycles = moved.bits() / machine.bandwidth_bits_per_cycle(number);
        if cycles > slowest.cycles {
            slowest = Slowest { memory: Place::OnChip(number), cycles, moved };
        }
    }
    slowest
}

//! When layers, units and memories of a machine are at work during one inference, at mean costs.

use super::LayerEvaluation;
use super::track::{Slice, Track};
use crate::cost::{Cycles, Machine, MappedWorkload, StallPart, WorkCycles};
use crate::hw::{Operand, Work};
use crate::map::Plan;

/// Most slices that the tiles of a layer are drawn as; more of them are merged into so many equal ones.
pub const TILES_SHOWN: f64 = 16.0;

/// The tracks of the layers of `mapped` on `machine`, which cost `layers`: first the layers, then all cycles by cause,
/// which fill the time without a gap, then units and memories.
///
/// What is known of a layer is how long it does what. Its first load stands first and its last store last; everything
/// else is spread over its tiles, in each of which units and memories start together.
pub(super) fn timeline(machine: &Machine, mapped: &MappedWorkload, layers: &[LayerEvaluation]) -> Vec<Track> {
    let hardware = &machine.hardware;
    let named = ["layers", "cycles by cause"].into_iter().map(str::to_owned);
    let units = hardware.units.iter().map(|unit| unit.datapath().name().to_owned());
    let memories = hardware.memories.iter().map(|memory| format!("{} port", memory.name));
    let bus = machine.dram.map(|_| "DRAM bus".to_owned());
    let track = |name| Track { name, slices: Vec::new() };
    let mut tracks: Vec<Track> = named.chain(units).chain(memories).chain(bus).map(track).collect();
    for (number, (layer, plan)) in layers.iter().zip(&mapped.plans).enumerate() {
        let mut drawn = Drawn { machine, number, layer, plan, tracks: &mut tracks };
        drawn.draw();
    }
    tracks.retain(|track| !track.slices.is_empty());
    tracks
}

/// A layer that is being drawn.
struct Drawn<'a> {
    machine: &'a Machine,
    number: usize,
    layer: &'a LayerEvaluation,
    plan: &'a Plan,
    tracks: &'a mut [Track],
}

/// The first of the tracks of units.
const UNITS: usize = 2;

impl Drawn<'_> {
    fn draw(&mut self) {
        let Cycles { load, store, .. } = self.layer.cycles;
        let (start, total) = (self.layer.start_cycles, self.layer.cycles.total());
        let name = self.layer.name.clone();
        self.push(0, name, start, total);
        let tiles = self.layer.tiles.round().clamp(1.0, TILES_SHOWN);
        let first = start + load;
        let tile_cycles = (total - load - store) / tiles;
        self.wait(StallPart::Load, start, load);
        for tile in 0..tiles as usize {
            let at = first + tile as f64 * tile_cycles;
            self.causes(at, tiles);
            self.units(at, tile_cycles, tiles);
            self.ports(at, tile_cycles, tiles);
        }
        self.wait(StallPart::Store, start + total - store, store);
        self.bus(first, tile_cycles, tiles);
    }

    fn push(&mut self, track: usize, name: String, start_cycles: f64, cycles: f64) {
        if cycles > 0.0 {
            self.tracks[track].slices.push(Slice { name, layer: self.number, start_cycles, cycles });
        }
    }

    /// The cycles that are part of `part`, by the memories that are waited for: their names and shares of it.
    fn waits(&self, part: StallPart) -> Vec<(String, f64)> {
        let of_part = self.layer.stalls.iter().filter(|stall| stall.part == part.name());
        let named = of_part.map(|s| (format!("waits for {} ({})", s.memory, s.direction), s.cycles));
        let mut waits: Vec<(String, f64)> = named.collect();
        let known: f64 = waits.iter().map(|(_, cycles)| cycles).sum();
        let (names, parts) = (Cycles::LABELS, self.layer.cycles.parts());
        let all = names.iter().zip(parts).find(|((name, _), _)| *name == part.name());
        let Some(((_, label), all)) = all else { return waits };
        // What a processor waits for itself has no memory's name; sums of parts differ in their last digit.
        if waits.is_empty() || all - known > 1e-6 * all {
            waits.push(((*label).to_owned(), all - known));
        } else if let Some((_, last)) = waits.last_mut() {
            *last += all - known;
        }
        waits
    }

    fn wait(&mut self, part: StallPart, mut at: f64, all: f64) {
        if all <= 0.0 {
            return;
        }
        for (name, cycles) in self.waits(part) {
            self.push(1, name, at, cycles);
            at += cycles;
        }
    }

    /// What the cycles of a tile go to.
    fn causes(&mut self, mut at: f64, tiles: f64) {
        let without = Cycles { port_stall: 0.0, dram_stall: 0.0, load: 0.0, store: 0.0, ..self.layer.cycles };
        let work = Cycles::LABELS
            .iter()
            .zip(without.parts())
            .map(|((_, label), cycles)| ((*label).to_owned(), cycles));
        let waits = [StallPart::Port, StallPart::Dram].into_iter().flat_map(|part| self.waits(part));
        let causes: Vec<(String, f64)> = work.chain(waits).collect();
        for (name, cycles) in causes {
            self.push(1, name, at, cycles / tiles);
            at += cycles / tiles;
        }
    }

    /// What units do in a tile.
    fn units(&mut self, at: f64, tile_cycles: f64, tiles: f64) {
        let mut ends = vec![at; self.machine.hardware.units.len()];
        for (&(name, label), busy) in WorkCycles::LABELS.iter().zip(self.layer.busy_cycles.parts()) {
            let unit = self.unit_of(name);
            // Work that hides in the first load or the last store of a layer has no place of its own.
            let cycles = (busy / tiles).min(at + tile_cycles - ends[unit]);
            self.push(UNITS + unit, label.to_owned(), ends[unit], cycles);
            ends[unit] += cycles.max(0.0);
        }
    }

    fn unit_of(&self, work: &str) -> usize {
        let is_named = |candidate: &Work| {
            let mut cycles = WorkCycles::default();
            *cycles.of(*candidate) = 1.0;
            WorkCycles::LABELS.iter().zip(cycles.parts()).any(|((name, _), one)| one > 0.0 && *name == work)
        };
        let work = Work::ALL.into_iter().find(is_named);
        work.map_or(self.plan.unit, |work| self.machine.hardware.unit_of(self.plan.unit, work))
    }

    /// What the ports of memories that feed units move in a tile.
    fn ports(&mut self, at: f64, tile_cycles: f64, tiles: f64) {
        let hardware = &self.machine.hardware;
        if hardware.is_whole_chip() {
            return;
        }
        let first = UNITS + hardware.units.len();
        let mut ends = vec![at; hardware.memories.len()];
        for operand in Operand::ALL {
            let memory = self.machine.inner[operand];
            let bits = self.layer.traffic_bits.on_chip(operand) / tiles;
            let cycles =
                (bits / self.machine.bandwidth_bits_per_cycle(memory)).min(at + tile_cycles - ends[memory]);
            self.push(first + memory, operand.describe().to_owned(), ends[memory], cycles);
            ends[memory] += cycles.max(0.0);
        }
    }

    /// What the bus moves: the first load, the last store, and the rest with the tiles.
    fn bus(&mut self, first: f64, tile_cycles: f64, tiles: f64) {
        let Some(dram) = self.machine.dram else { return };
        let (track, Cycles { load, store, .. }) = (self.tracks.len() - 1, self.layer.cycles);
        let traffic = &self.layer.traffic_bits;
        let all = (traffic.dram_read + traffic.dram_written) / dram.bits_per_cycle;
        self.push(track, "load".to_owned(), first - load, load);
        let rest = ((all - load - store) / tiles).min(tile_cycles);
        for tile in 0..tiles as usize {
            self.push(track, "transfers".to_owned(), first + tile as f64 * tile_cycles, rest);
        }
        self.push(track, "store".to_owned(), first + tiles * tile_cycles, store);
    }
}

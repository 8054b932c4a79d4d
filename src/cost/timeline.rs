//! Tiles on a timeline with double buffering.

use super::parts::Cycles;

/// Cycles of the array, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ArrayCycles {
    /// Operations divided by lanes.
    pub ideal: f64,
    /// Lanes without work.
    pub under_utilisation: f64,
    /// Systolic fill and drain.
    pub fill_drain: f64,
    /// Waiting for the slowest lane of a wave.
    pub imbalance: f64,
    /// Loads and stores that a processor cannot hide; rows of weights whose banks others read.
    pub access: f64,
}

impl ArrayCycles {
    /// All causes.
    pub fn total(&self) -> f64 {
        self.ideal + self.under_utilisation + self.fill_drain + self.imbalance + self.access
    }

    /// `after` behind it.
    #[must_use]
    pub fn then(&self, after: &Self) -> Self {
        Self {
            ideal: self.ideal + after.ideal,
            under_utilisation: self.under_utilisation + after.under_utilisation,
            fill_drain: self.fill_drain + after.fill_drain,
            imbalance: self.imbalance + after.imbalance,
            access: self.access + after.access,
        }
    }

    /// Every cause times `factor`.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        Self {
            ideal: self.ideal * factor,
            under_utilisation: self.under_utilisation * factor,
            fill_drain: self.fill_drain * factor,
            imbalance: self.imbalance * factor,
            access: self.access * factor,
        }
    }
}

/// Busy cycles of every resource that works on a layer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Times {
    /// The array.
    pub array: ArrayCycles,
    /// The vector unit.
    pub epilogue: f64,
    /// The busiest on-chip memory port.
    pub port: f64,
    /// The busiest port by what the array reads and writes.
    pub array_port: f64,
    /// The busiest port by what follows the array, or passes between on-chip and off-chip memory.
    pub epilogue_port: f64,
    /// Off-chip reads.
    pub load: f64,
    /// Off-chip writes, over the same bus.
    pub store: f64,
}

/// Cycles of a timeline in which units wait for memories, by what sets the pace.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Waits {
    /// The busiest port, while waves overlap.
    pub port: f64,
    /// The busiest port of the array, in the first wave.
    pub array_port: f64,
    /// The busiest port behind the array, in the last wave.
    pub epilogue_port: f64,
    /// Loads of all tiles but the first.
    pub later_loads: f64,
    /// Stores of all tiles but the last.
    pub earlier_stores: f64,
    /// Load of the first tile.
    pub load: f64,
    /// Store of the last tile.
    pub store: f64,
}

/// Time of a layer whose weights come in `tiles` equal tiles and whose outputs leave the array in
/// `waves` equal waves, each double buffered.
///
/// On the chip the array works on one wave while the vector unit finishes the one before: with
/// stage times c and e of one wave and m waves, c + e + (m-1) max, where max is the slowest of
/// array, vector unit and port, and a port slower than a stage stretches it. Around that, with l, c
/// and s of one of n tiles, l + max(l, c) + (n-2) max(l + s, c) + max(s, c) + s: while one tile is
/// computed, the bus loads the one behind it and stores the one before it. With infinitely fast
/// memories and vector unit it is the array's time.
pub fn timeline(times: &Times, tiles: f64, waves: f64) -> Cycles {
    let (n, m) = (tiles.max(1.0), waves.max(1.0));
    let chip = OnChip::new(times, m);
    let bus = Bus::new(times, chip.cycles, n);
    let mut cycles = Cycles {
        ideal: times.array.ideal,
        under_utilisation: times.array.under_utilisation,
        fill_drain: times.array.fill_drain,
        imbalance: times.array.imbalance,
        epilogue: times.epilogue / m,
        port_stall: times.array.access + chip.first_port,
        dram_stall: bus.first + bus.middle + bus.last,
        load: times.load / n,
        store: times.store / n,
    };
    if chip.waits_for_port {
        cycles.port_stall += chip.stall;
    } else {
        cycles.epilogue += chip.stall;
    }
    cycles
}

/// What a timeline waits for. Together they are its `port_stall`, but for what a processor waits for itself, and
/// its `dram_stall`, `load` and `store`.
pub fn waits(times: &Times, tiles: f64, waves: f64) -> Waits {
    let (n, m) = (tiles.max(1.0), waves.max(1.0));
    let chip = OnChip::new(times, m);
    let bus = Bus::new(times, chip.cycles, n);
    let loads = if bus.middle > 0.0 { times.load / (times.load + times.store) } else { 0.0 };
    Waits {
        port: if chip.waits_for_port { chip.stall } else { 0.0 },
        array_port: (times.array_port - times.array.total()).max(0.0) / m,
        epilogue_port: (times.epilogue_port - times.epilogue).max(0.0) / m,
        later_loads: bus.first + bus.middle * loads,
        earlier_stores: bus.middle * (1.0 - loads) + bus.last,
        load: times.load / n,
        store: times.store / n,
    }
}

/// Time on the chip, in m waves.
struct OnChip {
    /// All of it.
    cycles: f64,
    /// Waves beyond the first one whose array waits for something slower.
    stall: f64,
    /// True if that is a port.
    waits_for_port: bool,
    /// Ports slower than the array in the first wave, or than the vector unit in the last one.
    first_port: f64,
}

impl OnChip {
    fn new(times: &Times, m: f64) -> Self {
        let array = times.array.total();
        let slowest = array.max(times.epilogue).max(times.port);
        let stall = (slowest - array) * (m - 1.0) / m;
        let first_port =
            ((times.array_port - array).max(0.0) + (times.epilogue_port - times.epilogue).max(0.0)) / m;
        let cycles = array + stall + first_port + times.epilogue / m;
        Self { cycles, stall, waits_for_port: slowest == times.port, first_port }
    }
}

/// Time that the chip waits for the bus between the load of the first of n tiles and the store of the last.
#[derive(Default)]
struct Bus {
    /// While the first tile is computed and the second is loaded.
    first: f64,
    /// While one tile is loaded and another is stored.
    middle: f64,
    /// While the last tile is computed and the one before it is stored.
    last: f64,
}

impl Bus {
    fn new(times: &Times, on_chip: f64, n: f64) -> Self {
        let waits = |bus: f64| ((bus - on_chip) / n).max(0.0);
        if n > 1.0 {
            Self {
                first: waits(times.load),
                middle: (n - 2.0).max(0.0) * waits(times.load + times.store),
                last: waits(times.store),
            }
        } else {
            Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn array(ideal: f64) -> ArrayCycles {
        ArrayCycles { ideal, ..ArrayCycles::default() }
    }

    #[test]
    fn two_tiles_by_hand() {
        // Two tiles of load 30, compute 20, neurons 5, store 10. On the chip 20 + max(20, 5) + 5 = 45,
        // 22.5 a tile: 30 + max(30, 22.5) + max(10, 22.5) + 10.
        let times = Times { array: array(40.0), epilogue: 10.0, load: 60.0, store: 20.0, ..Times::default() };
        let cycles = timeline(&times, 2.0, 2.0);
        assert_eq!((cycles.load, cycles.store, cycles.epilogue, cycles.dram_stall), (30.0, 10.0, 5.0, 7.5));
        assert_eq!(cycles.total(), 92.5);
    }

    #[test]
    fn a_layer_without_product_hides_its_port_behind_its_vector_unit() {
        let times = Times { epilogue: 30.0, port: 50.0, epilogue_port: 50.0, ..Times::default() };
        let cycles = timeline(&times, 1.0, 1.0);
        assert_eq!((cycles.epilogue, cycles.port_stall, cycles.total()), (30.0, 20.0, 50.0));
    }

    #[test]
    fn fast_memories_leave_the_array() {
        let times = Times { array: array(40.0), ..Times::default() };
        assert_eq!(timeline(&times, 7.0, 3.0).total(), 40.0);
    }

    proptest! {
        /// Tile by tile: the bus loads one tile and stores another while a third is computed.
        #[test]
        fn as_a_walk_through_the_tiles(
            compute in 0.0f64..1e3, load in 0.0f64..1e3, store in 0.0f64..1e3, tiles in 1usize..20,
        ) {
            let n = tiles as f64;
            let times = Times { array: array(compute * n), load: load * n, store: store * n, ..Times::default() };
            let steps = (0..tiles).map(|i| {
                let next = if i + 1 < tiles { load } else { 0.0 };
                let before = if i > 0 { store } else { 0.0 };
                compute.max(next + before)
            });
            let expected = load + steps.sum::<f64>() + store;
            prop_assert!((timeline(&times, n, 1.0).total() - expected).abs() <= 1e-9 * expected.max(1.0));
        }

        #[test]
        fn bounded_by_serial_and_by_the_slowest(
            compute in 0.0f64..1e6, epilogue in 0.0f64..1e6, array_port in 0.0f64..1e6,
            epilogue_port in 0.0f64..1e6, same_port: bool, load in 0.0f64..1e6, store in 0.0f64..1e6,
            tiles in 1u32..50, waves in 1u32..50,
        ) {
            let port = if same_port { array_port + epilogue_port } else { array_port.max(epilogue_port) };
            let times =
                Times { array: array(compute), epilogue, port, array_port, epilogue_port, load, store };
            let (tiles, waves) = (f64::from(tiles), f64::from(waves));
            let cycles = timeline(&times, tiles, waves);
            let total = cycles.total();
            let w = waits(&times, tiles, waves);
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * total.max(1.0);
            prop_assert!(close(w.port + w.array_port + w.epilogue_port, cycles.port_stall));
            prop_assert!(close(w.later_loads + w.earlier_stores, cycles.dram_stall));
            prop_assert_eq!((w.load, w.store), (cycles.load, cycles.store));
            let slowest = compute.max(epilogue).max(port).max(load + store);
            prop_assert!(total >= slowest * (1.0 - 1e-12));
            let serial = compute.max(array_port) + epilogue.max(epilogue_port) + load + store;
            prop_assert!(total <= serial * (1.0 + 1e-12));
            // Everything faster is never slower.
            let faster = Times { port: port / 2.0, array_port: array_port / 2.0, load: load / 2.0, ..times };
            prop_assert!(timeline(&faster, tiles, waves).total() <= total * (1.0 + 1e-12));
        }
    }
}

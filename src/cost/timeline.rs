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
    /// Loads and stores that a processor cannot hide.
    pub access: f64,
}

impl ArrayCycles {
    /// All causes.
    pub fn total(&self) -> f64 {
        self.ideal + self.under_utilisation + self.fill_drain + self.imbalance + self.access
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
    /// Off-chip reads.
    pub load: f64,
    /// Off-chip writes, over the same bus.
    pub store: f64,
}

/// Time of `tiles` equal tiles that pass through load, array, vector unit and store, each stage
/// double buffered.
///
/// With stage times l, c, e, s of one tile and n tiles, n (c) + l + e + s + (n-1) (max - c),
/// where max is the slowest of array, vector unit, port and bus (which loads and stores); on the
/// first tile nothing overlaps. With infinitely fast memories and vector unit it is the array's
/// time.
pub fn timeline(times: &Times, tiles: f64) -> Cycles {
    let n = tiles.max(1.0);
    let array = times.array.total();
    let bus = times.load + times.store;
    let slowest = array.max(times.epilogue).max(times.port).max(bus);
    let stall = (slowest - array) * (n - 1.0) / n;
    // A port slower than the array stretches the first tile too.
    let first_port = (times.port - array).max(0.0) / n;
    let mut cycles = Cycles {
        ideal: times.array.ideal,
        under_utilisation: times.array.under_utilisation,
        fill_drain: times.array.fill_drain,
        imbalance: times.array.imbalance,
        epilogue: times.epilogue / n,
        port_stall: times.array.access + first_port,
        dram_stall: 0.0,
        load: times.load / n,
        store: times.store / n,
    };
    if slowest == bus {
        cycles.dram_stall += stall;
    } else if slowest == times.port {
        cycles.port_stall += stall;
    } else if slowest == times.epilogue {
        cycles.epilogue += stall;
    }
    cycles
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
        // Two tiles of load 30, compute 20, neurons 5, store 10. The bus needs 40 per tile:
        // load 0-30, compute 30-50, load 30-60, ... 30 + 20 + 5 + 10 and one more bus slot of 40.
        let times = Times { array: array(40.0), epilogue: 10.0, port: 0.0, load: 60.0, store: 20.0 };
        let cycles = timeline(&times, 2.0);
        assert_eq!((cycles.load, cycles.store, cycles.epilogue, cycles.dram_stall), (30.0, 10.0, 5.0, 20.0));
        assert_eq!(cycles.total(), 105.0);
    }

    #[test]
    fn fast_memories_leave_the_array() {
        let times = Times { array: array(40.0), ..Times::default() };
        assert_eq!(timeline(&times, 7.0).total(), 40.0);
    }

    proptest! {
        #[test]
        fn bounded_by_serial_and_by_the_slowest(
            compute in 0.0f64..1e6, epilogue in 0.0f64..1e6, port in 0.0f64..1e6, load in 0.0f64..1e6,
            store in 0.0f64..1e6, tiles in 1u32..50,
        ) {
            let times = Times { array: array(compute), epilogue, port, load, store };
            let total = timeline(&times, f64::from(tiles)).total();
            let slowest = compute.max(epilogue).max(port).max(load + store);
            prop_assert!(total >= slowest * (1.0 - 1e-12));
            prop_assert!(total <= (compute.max(port) + epilogue + load + store) * (1.0 + 1e-12));
            // Everything faster is never slower.
            let faster = Times { port: port / 2.0, load: load / 2.0, ..times };
            prop_assert!(timeline(&faster, f64::from(tiles)).total() <= total * (1.0 + 1e-12));
        }
    }
}

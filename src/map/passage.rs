//! Where the maps of a layer are while it runs.

use std::ops::Range;

use super::{Home, Map};
use crate::hw::Operand;

/// Shares of what a layer moves of its maps that live farther out than beside units.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Farther {
    /// In the outermost on-chip memory that holds them.
    pub behind: f64,
    /// In off-chip memory.
    pub off_chip: f64,
}

impl Farther {
    /// True if something does.
    pub fn any(&self) -> bool {
        self.behind + self.off_chip > 0.0
    }

    /// Adds `share` of what lives at `home`.
    fn add(&mut self, home: Home, share: f64) {
        match home {
            Home::OffChip => self.off_chip += share,
            Home::OnChip(0) => {}
            Home::OnChip(_) => self.behind += share,
        }
    }

    fn divided_by(&self, whole: f64) -> Self {
        Self { behind: self.behind / whole, off_chip: self.off_chip / whole }
    }
}

/// Where maps of one operand are while a layer runs: beside units, whole or in tiles, in the outermost on-chip memory that
/// holds them, or off chip.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Passage {
    /// Bits of one timestep that stay beside units, all that other layers will read included.
    pub staying_bits: f64,
    /// Bits of one timestep in the outermost on-chip memory.
    pub behind_bits: f64,
    /// What the product reads that lives farther out: all of it, 1, or nothing, 0, at each place.
    pub input: Farther,
    /// Shares of what is read otherwise.
    pub read: Farther,
    /// Shares of what is written.
    pub written: Farther,
}

impl Passage {
    /// The farthest home of what the layer reads or writes, where on-chip memories end at level number `outermost`.
    pub(crate) fn farthest(&self, outermost: u8) -> Home {
        let moved = [self.input, self.read, self.written];
        if moved.iter().any(|farther| farther.off_chip > 0.0) {
            Home::OffChip
        } else if moved.iter().any(Farther::any) {
            Home::OnChip(outermost)
        } else {
            Home::default()
        }
    }

    /// While layer number `layer` runs, one of the layers `together` whose maps are needed all the time: map number m of
    /// `maps` has its home and bits of one timestep there by `home(m)`.
    pub fn of(
        maps: &[Map],
        operand: Operand,
        layer: usize,
        together: &Range<usize>,
        home: impl Fn(usize) -> (Home, f64),
    ) -> Self {
        let mut all = Self::default();
        let (mut read_bits, mut written_bits) = (0.0, 0.0);
        let alive = |map: &Map| map.alive.start < together.end && together.start < map.alive.end;
        let concerns = |map: &Map| map.operand == operand && (alive(map) || map.is_met_by(layer));
        for (number, map) in maps.iter().enumerate().filter(|(_, map)| concerns(map)) {
            let (home, bits) = home(number);
            // What a join reads last makes room for what it yields, map by map.
            match home {
                _ if !alive(map) => {}
                Home::OnChip(0) => all.staying_bits += bits,
                Home::OnChip(_) => all.behind_bits += bits,
                Home::OffChip => {}
            }
            if map.products.contains(&layer) {
                all.input.add(home, 1.0);
            }
            if map.readers.contains(&layer) {
                read_bits += map.bits;
                all.read.add(home, map.bits);
            }
            if map.alive.start == layer && !map.from_outside {
                written_bits += map.bits;
                all.written.add(home, map.bits);
            }
        }
        // A product that reads several maps takes them for one, as far out as any of them.
        all.input = if all.input.off_chip > 0.0 {
            Farther { behind: 0.0, off_chip: 1.0 }
        } else {
            Farther { behind: all.input.behind.min(1.0), off_chip: 0.0 }
        };
        all.read = all.read.divided_by(f64::max(read_bits, 1.0));
        all.written = all.written.divided_by(f64::max(written_bits, 1.0));
        all
    }
}

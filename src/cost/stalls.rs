//! Cycles that units wait, by the memory that they wait for and its direction.

/// The part of [`Cycles`](super::Cycles) that a stall is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StallPart {
    /// `port_stall`.
    Port,
    /// `dram_stall`.
    Dram,
    /// `load`.
    Load,
    /// `store`.
    Store,
}

impl StallPart {
    /// The name of that part.
    pub fn name(self) -> &'static str {
        match self {
            Self::Port => "port_stall",
            Self::Dram => "dram_stall",
            Self::Load => "load",
            Self::Store => "store",
        }
    }
}

/// A memory of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// By its number.
    OnChip(usize),
    /// Off chip.
    OffChip,
}

/// Which way the bits go that are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Out of the memory.
    Read,
    /// Into the memory.
    Write,
}

impl Direction {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Cycles that units wait for one memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stall {
    /// What they are part of.
    pub part: StallPart,
    /// The memory that sets the pace.
    pub memory: Place,
    /// What it does meanwhile.
    pub direction: Direction,
    /// How long.
    pub cycles: f64,
}

impl Stall {
    fn is_like(&self, other: &Self) -> bool {
        (self.part, self.memory, self.direction) == (other.part, other.memory, other.direction)
    }
}

/// All that is waited for, each memory, direction and part once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stalls(Vec<Stall>);

impl Stalls {
    /// Adds `stall`, unless nothing waits.
    pub fn add(&mut self, stall: Stall) {
        if stall.cycles <= 0.0 {
            return;
        }
        match self.0.iter_mut().find(|known| known.is_like(&stall)) {
            Some(known) => known.cycles += stall.cycles,
            None => self.0.push(stall),
        }
    }

    /// Adds all `others`.
    pub(crate) fn add_all(&mut self, others: &Self) {
        others.iter().for_each(|&stall| self.add(stall));
    }

    /// Every stall.
    pub fn iter(&self) -> impl Iterator<Item = &Stall> {
        self.0.iter()
    }

    /// Multiplies those that are part of `part`.
    pub fn scale(&mut self, part: StallPart, factor: f64) {
        self.0.iter_mut().filter(|stall| stall.part == part).for_each(|stall| stall.cycles *= factor);
        self.0.retain(|stall| stall.cycles > 0.0);
    }

    /// Every stall times `factor`.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        Self(self.iter().map(|&stall| Stall { cycles: stall.cycles * factor, ..stall }).collect())
    }

    /// Every stall divided by `count`: of a sum, the mean.
    #[must_use]
    pub(crate) fn divided_by(&self, count: f64) -> Self {
        Self(self.iter().map(|&stall| Stall { cycles: stall.cycles / count, ..stall }).collect())
    }
}

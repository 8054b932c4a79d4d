//! A track of a timeline: what a unit or a memory does, and when.

/// What one unit or memory does, or what the machine spends its time on.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// The unit or memory, `layers`, or `cycles by cause`.
    pub name: String,
    /// What happens, one after the other.
    pub slices: Vec<Slice>,
}

/// Something that takes time.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// What happens.
    pub name: String,
    /// Number of the layer that it belongs to.
    pub layer: usize,
    /// When it starts.
    pub start_cycles: f64,
    /// How long it takes.
    pub cycles: f64,
}

use serde::Serialize;

use super::axes::Axes;

/// One thing that varies, and the names of its levels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Axis {
    /// What columns call it.
    pub name: String,
    /// What is tried.
    pub levels: Vec<String>,
}

impl Axis {
    /// Machines by their numbers.
    pub fn numbered(axes: &[Self]) -> Axes {
        Axes::new(axes.iter().map(|axis| axis.levels.len()).collect())
    }
}

//! The tensors of a checkpoint that a layer reads.

/// A tensor that a checkpoint must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Key.
    pub name: String,
    /// Shape, trailing ones dropped.
    pub shape: Vec<usize>,
    /// False for running statistics, which are not counted as parameters.
    pub trained: bool,
}

impl Parameter {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True if it holds no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

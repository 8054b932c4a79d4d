use super::Subject;
use crate::error::Result;

/// A figure per candidate that is meant to be larger where accuracy suffers more.
pub trait Measure: Sync {
    /// What reports call it.
    fn name(&self) -> &str;

    /// One figure per candidate of `subject`, in their order: not negative, and 0 where the layer is not
    /// changed at all.
    ///
    /// # Errors
    /// If a candidate does not fit the model, or an image cannot be read.
    fn figures(&self, subject: &Subject) -> Result<Vec<f64>>;

    /// False for a measure of weights, which says nothing of membranes.
    fn is_of_membranes(&self) -> bool {
        true
    }
}

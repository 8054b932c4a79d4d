use crate::exec::Activity;
use crate::map::{Layer, Plan, Product};

/// One layer as it runs for images that do the same.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The layer.
    pub layer: &'a Layer,
    /// How it runs.
    pub plan: &'a Plan,
    /// What was executed.
    pub activity: &'a Activity,
    /// Timesteps of the network.
    pub timesteps: f64,
    /// Images that go through the layer together: each does that activity.
    pub batch: f64,
    /// True to say which memories are waited for, which a mapper does not ask.
    pub names_stalls: bool,
}

impl Run<'_> {
    /// How often the product runs.
    pub fn frames(&self, product: &Product) -> f64 {
        self.plan.frames(product, self.timesteps)
    }
}

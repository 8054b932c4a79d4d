use super::handling::{Walk, Waves, ZeroHandling};

/// Zeros take their time; gated, they do not switch the adder.
pub struct Dense {
    /// True if a zero input stops an adder from switching.
    pub gated: bool,
}

impl ZeroHandling for Dense {
    fn walk(&self, waves: &Waves<'_>) -> Walk {
        let product = waves.product;
        let inputs = (product.fan_in * product.groups) as f64;
        let average = product.positions as f64 * waves.frames * inputs / waves.walkers();
        let steps = (product.input_steps(waves.lanes) * product.group_steps(waves.lanes)) as f64;
        // Lanes of one channel are in step and share a row.
        Walk { average, busiest: waves.waves() * steps, weight_rows: waves.waves() * inputs }
    }

    fn operations(&self, waves: &Waves<'_>) -> f64 {
        if self.gated {
            waves.total().synaptic_operations() as f64 * waves.repeat()
        } else {
            waves.product.dense_operations() * waves.frames
        }
    }

    fn looks_at_inputs(&self) -> bool {
        self.gated
    }
}

use crate::cost::run::Run;
use crate::exec::{Activity, NodeActivity, Pattern, PatternCount, StepActivity};
use crate::hw::table::EnergyTable;
use crate::hw::{Placement, SpatialDim, Unrolling};
use crate::map::{Input, Product};

/// A product as lanes with their own sums walk through it.
#[derive(Debug, Clone, Copy)]
pub struct Waves<'a> {
    /// What lanes stand for.
    pub lanes: &'a Unrolling,
    /// The product.
    pub product: &'a Product,
    /// How often it runs.
    pub frames: f64,
    /// Timesteps that run in one go.
    together: f64,
    activity: &'a Activity,
    /// What was counted of the product, all timesteps together.
    total: StepActivity,
}

impl<'a> Waves<'a> {
    /// The waves of `frames` frames of `product`.
    pub fn new(run: Run<'a>, product: &'a Product, frames: f64) -> Self {
        let together = if run.plan.placement == Placement::Innermost { frames } else { 1.0 };
        let total = run.activity.nodes[product.node.index()].total();
        Self { lanes: &run.plan.lanes, product, frames, together, activity: run.activity, total }
    }

    /// What was counted of the product.
    pub fn counted(&self) -> &'a NodeActivity {
        &self.activity.nodes[self.product.node.index()]
    }

    /// All timesteps of it together.
    pub fn total(&self) -> &StepActivity {
        &self.total
    }

    /// Frames that one counted frame stands for.
    pub fn repeat(&self) -> f64 {
        self.frames / self.counted().steps.len().max(1) as f64
    }

    /// What was counted of `pattern`. Integers have none of those that spikes have in common.
    pub fn pattern(&self, pattern: Pattern) -> Option<PatternCount> {
        let spikes = self.product.input == Input::Spikes || matches!(pattern, Pattern::Waves(_));
        self.activity.pattern(pattern, self.product.node).filter(|_| spikes)
    }

    /// Timesteps that run side by side.
    pub fn timesteps_side_by_side(&self) -> usize {
        (self.lanes.extent(SpatialDim::Timesteps) as usize).min(self.together as usize).max(1)
    }

    /// Steps along timesteps.
    pub fn timestep_steps(&self) -> f64 {
        let side_by_side = f64::from(self.lanes.extent(SpatialDim::Timesteps));
        (self.together / side_by_side).ceil() * (self.frames / self.together)
    }

    /// Waves of positions and timesteps, of one group.
    pub fn waves(&self) -> f64 {
        self.product.position_steps(self.lanes) as f64 * self.timestep_steps()
    }

    /// Lanes that share an output channel: each of them walks through inputs of its own.
    pub fn walkers(&self) -> f64 {
        self.lanes.lanes() / f64::from(self.lanes.extent(SpatialDim::OutputChannels))
    }
}

/// What the lanes of all waves walk through, for one pass over the output channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Walk {
    /// Steps that add something, of an average lane.
    pub average: f64,
    /// Steps until the last lane of a wave is done.
    pub busiest: f64,
    /// Rows of weights that are fetched.
    pub weight_rows: f64,
}

/// Sums that are moved in their memory.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MovedSums {
    /// Sums that are read.
    pub read: f64,
    /// Sums that are written.
    pub written: f64,
}

/// A way to handle zeros.
pub trait ZeroHandling {
    /// What lanes that stand for `lanes` have to know of spikes beyond their counts.
    fn patterns(&self, _lanes: &Unrolling) -> Vec<Pattern> {
        Vec::new()
    }

    /// What lanes that keep their sums walk through.
    fn walk(&self, waves: &Waves<'_>) -> Walk;

    /// Weights that an adder adds, of those that lanes of any layout meet.
    fn operations(&self, waves: &Waves<'_>) -> f64 {
        waves.total().synaptic_operations() as f64 * waves.repeat()
    }

    /// True if every input bit that is fetched is looked at.
    fn looks_at_inputs(&self) -> bool {
        true
    }

    /// Energy of finding what spikes have in common.
    fn search_pj(&self, _waves: &Waves<'_>, _table: &EnergyTable) -> f64 {
        0.0
    }

    /// True if every output gathers its inputs; a map is read once for all of them otherwise.
    fn gathers_inputs(&self) -> bool {
        true
    }

    /// Waves of outputs that leave one after the other, of a pass over the output channels of a group.
    fn waves_of_outputs(&self, waves: &Waves<'_>) -> f64 {
        waves.waves()
    }

    /// Sums that are moved in their memory, for one output channel of a group.
    fn moved_sums(&self, _waves: &Waves<'_>) -> MovedSums {
        MovedSums::default()
    }
}

use std::ops::Range;

use super::{EpilogueKind, InputFrames, Layer, Map, Order, Plan};

/// Layers that take turns: each computes one tile of positions from what the layer before it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turns {
    /// Number of the first layer.
    pub first: usize,
    /// How many layers there are.
    pub layers: usize,
    /// Tiles of positions.
    pub tiles: usize,
}

impl Turns {
    /// Numbers of the layers.
    pub fn range(self) -> Range<usize> {
        self.first..self.first + self.layers
    }

    /// The order in which their tiles come: weights are on chip while positions pass.
    pub fn order(self) -> Order {
        Order::PositionsOutermost { tiles: self.tiles, weights_stay: true }
    }

    /// `plan` in that order.
    pub(crate) fn by_tiles(self, plan: Plan) -> Plan {
        Plan { order: self.order(), ..plan }
    }

    /// True if all that yield and read `map` take part.
    pub fn holds(self, map: &Map) -> bool {
        let within = |layer: &usize| self.range().contains(layer);
        !map.from_outside && within(&map.alive.start) && map.products.iter().chain(&map.readers).all(within)
    }
}

impl Layer {
    /// True if every position that it yields needs but some of those that it reads.
    pub(crate) fn is_local(&self) -> bool {
        let is_local = |kind: &EpilogueKind| match kind {
            EpilogueKind::Neuron { .. }
            | EpilogueKind::IntegerNeuron { .. }
            | EpilogueKind::Requantize { .. }
            | EpilogueKind::Join { .. }
            | EpilogueKind::CountJoin { .. }
            | EpilogueKind::Gate
            | EpilogueKind::Pool { .. } => true,
            EpilogueKind::ClassToken { .. }
            | EpilogueKind::Sum { .. }
            | EpilogueKind::SpikeProducts { .. } => false,
        };
        self.product.as_ref().is_some_and(|product| product.frames != InputFrames::BehindMean)
            && self.epilogue.iter().all(|epilogue| is_local(&epilogue.kind))
    }
}

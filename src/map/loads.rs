//! How often the operands of a plan come on chip.

use super::{Dataflow, Order, Plan, Product};
use crate::hw::{Hardware, Operand};

impl Plan {
    /// True if it asks for what `other` asks for on chip: at most operands live elsewhere, and come from there in another
    /// order.
    pub(crate) fn computes_like(&self, other: &Self, hardware: &Hardware) -> bool {
        let computed = |plan: &Self| {
            (plan.unit, plan.dataflow, plan.lanes, plan.placement, plan.recompute, plan.channels)
        };
        // A unit that takes a product in slices takes fewer of them where weights stay; weights that stay in an array come
        // there for every tile of positions.
        let sliced = hardware.unit(self.unit).tile().is_some();
        let in_order = match self.dataflow {
            _ if sliced => self.order == other.order,
            Dataflow::WeightStationary => self.position_tiles() == other.position_tiles(),
            _ => true,
        };
        computed(self) == computed(other) && in_order
    }

    /// True if it costs what `other` costs: weights come once and stay while positions pass, in whatever tiles.
    pub(super) fn costs_like(&self, other: &Self, hardware: &Hardware) -> bool {
        let once = |plan: &Self| {
            let stay = matches!(plan.order, Order::PositionsOutermost { weights_stay: true, .. });
            stay && plan.passes(Operand::Weights)
        };
        let sliced = hardware.unit(self.unit).tile().is_some();
        let in_array = self.dataflow == Dataflow::OutputStationary && !sliced;
        in_array
            && once(self)
            && once(other)
            && self.home == other.home
            && self.computes_like(other, hardware)
    }

    /// Tiles of output channels, of one group.
    pub(crate) fn channel_tiles(&self, product: &Product) -> f64 {
        match self.dataflow {
            Dataflow::Sequential => 1.0,
            _ => ((product.outputs / product.groups) as f64 / self.channels as f64).ceil(),
        }
    }

    /// Tiles of positions.
    pub(crate) fn position_tiles(&self) -> f64 {
        match self.order {
            Order::ChannelsOutermost => 1.0,
            Order::PositionsOutermost { tiles, .. } => tiles as f64,
        }
    }

    /// Times that inputs come on chip where they live off chip.
    pub(crate) fn input_loads(&self, product: &Product) -> f64 {
        match self.order {
            Order::ChannelsOutermost => self.channel_tiles(product),
            Order::PositionsOutermost { .. } => 1.0,
        }
    }

    /// Tiles that come from off chip one after the other, taken as equal. Weights that come and stay are all
    /// there before the second tile of positions.
    pub(crate) fn load_tiles(&self) -> f64 {
        match self.order {
            Order::PositionsOutermost { weights_stay: true, .. } if self.passes(Operand::Weights) => 1.0,
            _ => self.position_tiles(),
        }
    }

    /// Times that weights come on chip where they live off chip, for all that runs in one go.
    pub(crate) fn weight_loads(&self) -> f64 {
        match self.order {
            Order::PositionsOutermost { tiles, weights_stay: false } => tiles as f64,
            _ => 1.0,
        }
    }
}

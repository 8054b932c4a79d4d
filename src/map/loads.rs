//! How often the operands of a plan come on chip.

use super::{Dataflow, Order, Plan, Product};
use crate::hw::Operand;

impl Plan {
    /// Tiles of output channels, of one group.
    pub fn channel_tiles(&self, product: &Product) -> f64 {
        match self.dataflow {
            Dataflow::Sequential => 1.0,
            _ => ((product.outputs / product.groups) as f64 / self.channels as f64).ceil(),
        }
    }

    /// Tiles of positions.
    pub fn position_tiles(&self) -> f64 {
        match self.order {
            Order::ChannelsOutermost => 1.0,
            Order::PositionsOutermost { tiles, .. } => tiles as f64,
        }
    }

    /// Times that inputs come on chip where they live off chip.
    pub fn input_loads(&self, product: &Product) -> f64 {
        match self.order {
            Order::ChannelsOutermost => self.channel_tiles(product),
            Order::PositionsOutermost { .. } => 1.0,
        }
    }

    /// Tiles that come from off chip one after the other, taken as equal. Weights that come and stay are all
    /// there before the second tile of positions.
    pub fn load_tiles(&self) -> f64 {
        match self.order {
            Order::PositionsOutermost { weights_stay: true, .. } if self.passes(Operand::Weights) => 1.0,
            _ => self.position_tiles(),
        }
    }

    /// Times that weights come on chip where they live off chip, for all that runs in one go.
    pub fn weight_loads(&self) -> f64 {
        match self.order {
            Order::PositionsOutermost { tiles, weights_stay: false } => tiles as f64,
            _ => 1.0,
        }
    }
}

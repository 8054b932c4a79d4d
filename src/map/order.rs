use serde::Deserialize;

use super::{Dataflow, Plan, Product};
use crate::hw::Operand;

/// Which tiles of a layer come from off chip one after the other, outermost first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Order {
    /// Of channels: the weights of a tile come once, all inputs for every tile.
    ChannelsOutermost,
    /// Of positions: the inputs of a tile come once, the weights for every tile.
    PositionsOutermost {
        /// Tiles of positions.
        tiles: usize,
        /// True if all weights of the layer stay on chip meanwhile, so that they come once, too.
        weights_stay: bool,
    },
}

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
            Order::PositionsOutermost { weights_stay: true, .. } if self.is_off_chip(Operand::Weights) => 1.0,
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

use std::fmt;

use serde::Deserialize;

/// Which tiles of a layer come from off chip one after the other, outermost first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Order {
    /// Tiles of channels outermost: the weights of a tile come once, all inputs for every tile.
    ChannelsOutermost,
    /// Tiles of positions outermost: the inputs of a tile come once, the weights for every tile.
    PositionsOutermost {
        /// Tiles of positions.
        tiles: usize,
        /// True if all weights of the layer stay on chip meanwhile, so that they come once, too.
        weights_stay: bool,
    },
}

impl fmt::Display for Order {
    /// Writes the order as a mapping file states it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChannelsOutermost => f.write_str("ChannelsOutermost"),
            Self::PositionsOutermost { tiles, weights_stay } => {
                write!(f, "PositionsOutermost(tiles: {tiles}, weights_stay: {weights_stay})")
            }
        }
    }
}

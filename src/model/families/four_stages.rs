//! The backbone that Spike-driven Transformer v2 and v3 share: convolution blocks at two resolutions,
//! transformer blocks at one, a new residual stream between stages.

use super::blocks::{MlpRatio, check_range, check_transformer};
use crate::error::Result;
use crate::model::{Conv, Grid, NetworkBuilder, NodeId};

/// Channels of the four stages; the first convolution has half of the first.
pub type Dims = (usize, usize, usize, usize);

/// The parts that a family has of its own.
pub trait Parts {
    /// A convolution block on the stream.
    fn conv_block(&self, net: &mut NetworkBuilder, stage: &str, name: &str, stream: NodeId)
    -> Result<NodeId>;

    /// A strided convolution that starts a new stream.
    fn downsample(
        &self,
        net: &mut NetworkBuilder,
        stage: &str,
        name: &str,
        stream: NodeId,
        channels: usize,
        stride: usize,
    ) -> Result<NodeId>;

    /// `depth` transformer blocks of stage number `stage`.
    fn transformer(
        &self,
        net: &mut NetworkBuilder,
        stage: usize,
        depth: usize,
        stream: NodeId,
    ) -> Result<NodeId>;
}

/// Refuses stages that no original builds.
pub fn check(
    family: &str,
    (e0, e1, e2, e3): Dims,
    depths: (usize, usize),
    heads: usize,
    mlp_ratio: MlpRatio,
) -> Result<()> {
    for (dim, depth) in [(e2, depths.0), (e3, depths.1)] {
        check_transformer(family, (dim, 1), depth, heads, mlp_ratio)?;
    }
    for (field, dim) in [("dims.0", e0), ("dims.1", e1)] {
        check_range(family, field, dim as f64, 2.0, 4096.0)?;
    }
    Ok(())
}

/// From the image to the residual stream behind the last block.
pub fn build(
    net: &mut NetworkBuilder,
    image: NodeId,
    (e0, e1, e2, e3): Dims,
    depths: (usize, usize),
    parts: &impl Parts,
) -> Result<NodeId> {
    net.scope("stage1", "downsample1_1", "downsample1_1");
    let first = Conv::new(e0 / 2, 7).stride(2).pad(3).bias().norm("downsample1_1.encode_bn");
    let mut x = net.conv("downsample1_1.encode_conv", image, first)?;
    x = net.requantize("downsample1_1.stream", x, Grid::Residual)?;
    x = parts.conv_block(net, "stage1", "ConvBlock1_1.0", x)?;
    x = parts.downsample(net, "stage1", "downsample1_2", x, e0, 2)?;
    x = parts.conv_block(net, "stage1", "ConvBlock1_2.0", x)?;
    x = parts.downsample(net, "stage2", "downsample2", x, e1, 2)?;
    for block in ["ConvBlock2_1.0", "ConvBlock2_2.0"] {
        x = parts.conv_block(net, "stage2", block, x)?;
    }
    x = parts.downsample(net, "stage3", "downsample3", x, e2, 2)?;
    x = parts.transformer(net, 3, depths.0, x)?;
    x = parts.downsample(net, "stage4", "downsample4", x, e3, 1)?;
    parts.transformer(net, 4, depths.1, x)
}

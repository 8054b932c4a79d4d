use serde::Deserialize;

use super::blocks::{EIGHTH, MlpRatio, POOL, check_transformer, conv_norm_lif, membrane_mlp};
use crate::error::Result;
use crate::model::{Attention, Conv, Grid, Network, NetworkBuilder, Neuron, NodeId, Parameter, ProductOrder};
use crate::tensor::Shape;

/// Spikingformer (Zhou et al., 2023): membrane shortcuts, SSA.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spikingformer {
    /// Channels of the blocks; a multiple of `heads`. The stem begins with an eighth of them, rounded down.
    pub dim: usize,
    /// Blocks.
    pub depth: usize,
    /// Heads.
    pub heads: usize,
    /// Hidden channels of the MLP divided by `dim`.
    pub mlp_ratio: MlpRatio,
    /// Which of the last four of the five stem convolutions see a 3x3 stride-2 max pooling.
    pub pooling: (bool, bool, bool, bool),
    /// How the checkpoint names the stem.
    pub stem: StemNames,
    /// Which product of the attention the original computes first.
    pub order: ProductOrder,
}

/// How a checkpoint names the convolutions of the stem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum StemNames {
    /// `proj_conv`, `proj1_conv` ... (ImageNet, event cameras).
    Proj,
    /// `block0_conv`, `block1_conv` ... (CIFAR).
    Block,
}

impl Spikingformer {
    /// The network; `constant` input is the same image at every timestep.
    pub fn build(&self, input: Shape, constant: bool, timesteps: usize, classes: usize) -> Result<Network> {
        check_transformer("Spikingformer", (self.dim, EIGHTH), self.depth, self.heads, self.mlp_ratio)?;
        let (mut net, image) = NetworkBuilder::new(input, constant, timesteps);
        let mut stream = self.stem(&mut net, image)?;
        let mut unused = Vec::new();
        for block in 0..self.depth {
            stream = self.attention(&mut net, block, stream)?;
            net.scope("blocks", format!("block.{block}"), format!("block.{block}.mlp"));
            let name = format!("block.{block}.mlp");
            stream = membrane_mlp(&mut net, &name, ["mlp1", "mlp2"], self.mlp_ratio, stream)?;
            for name in ["norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"] {
                let name = format!("block.{block}.{name}");
                unused.push(Parameter { name, shape: vec![self.dim], trained: true });
            }
        }
        net.scope("head", "head", "head");
        let tokens = net.mean_tokens("head_mean", stream)?;
        let time = net.mean_timesteps("head_mean_time", tokens)?;
        net.conv("head", time, Conv::linear(classes))?;
        net.finish(unused)
    }

    /// conv-BN, then four times LIF, pooling, conv-BN; the last result is the residual stream.
    fn stem(&self, net: &mut NetworkBuilder, image: NodeId) -> Result<NodeId> {
        net.scope("stem", "patch_embed", "patch_embed");
        let name = |stage: usize, part: &str| match (self.stem, stage) {
            (StemNames::Proj, 0) => format!("patch_embed.proj_{part}"),
            (StemNames::Proj, _) => format!("patch_embed.proj{stage}_{part}"),
            (StemNames::Block, _) => format!("patch_embed.block{stage}_{part}"),
        };
        let conv = |stage: usize| {
            let channels = self.dim >> 3usize.saturating_sub(stage);
            Conv::new(channels, 3).pad(1).norm(name(stage, "bn"))
        };
        let mut x = net.conv(&name(0, "conv"), image, conv(0))?;
        let (p1, p2, p3, p4) = self.pooling;
        for (i, pool) in [p1, p2, p3, p4].into_iter().enumerate() {
            let stage = i + 1;
            x = net.neuron(&name(stage, "lif"), x, Neuron::lif(1.0))?;
            if pool {
                x = net.max_pool(&name(stage, "pool"), x, POOL)?;
            }
            x = net.conv(&name(stage, "conv"), x, conv(stage))?;
        }
        net.requantize("patch_embed.stream", x, Grid::Residual)
    }

    fn attention(&self, net: &mut NetworkBuilder, block: usize, stream: NodeId) -> Result<NodeId> {
        let name = |part: &str| format!("block.{block}.attn.{part}");
        net.scope("blocks", format!("block.{block}"), format!("block.{block}.attn"));
        let spikes = net.neuron(&name("proj_lif"), stream, Neuron::lif(1.0))?;
        let mut project = |which: &str| conv_norm_lif(net, &name(which), spikes, Conv::new(self.dim, 1));
        let qkv = [project("q")?, project("k")?, project("v")?];
        let attention = Attention::Product { heads: self.heads, scale: 0.125, order: self.order };
        let product = net.attention(&name("ssa"), &qkv, attention)?;
        let spikes = net.neuron(&name("attn_lif"), product, Neuron::lif(0.5))?;
        let conv = Conv::new(self.dim, 1).bias().norm(name("proj_bn"));
        let branch = net.conv(&name("proj_conv"), spikes, conv)?;
        net.add(&name("add"), stream, branch)
    }
}

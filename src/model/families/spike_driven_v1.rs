use serde::Deserialize;

use super::blocks::{EIGHTH, MlpRatio, POOL, check_transformer, conv_norm_lif, membrane_mlp};
use crate::error::Result;
use crate::model::{Attention, Conv, Grid, Network, NetworkBuilder, Neuron, NodeId, Parameter, Window};
use crate::tensor::Shape;

/// Spike-driven Transformer v1 (Yao et al., NeurIPS 2023): membrane shortcuts, SDSA-1.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpikeDrivenV1 {
    /// Channels of the blocks; a multiple of `heads`. The stem begins with an eighth of them, rounded down.
    pub dim: usize,
    /// Blocks.
    pub depth: usize,
    /// Heads; they shape the unused `talking_heads` weight, and the planes that event cameras pool.
    pub heads: usize,
    /// Hidden channels of the MLP divided by `dim`.
    pub mlp_ratio: MlpRatio,
    /// Which of the four stem stages are followed by a 3x3 stride-2 max pooling.
    pub pooling: (bool, bool, bool, bool),
    /// True for event cameras: k and v see a 3x3 stride-1 max pooling over the map, and k AND v and q AND
    /// mask one over the plane of tokens and channels of a head.
    #[serde(default)]
    pub pool_keys: bool,
}

/// The pooling of k and v.
const KEY_POOL: Window = Window::square(3, 1, 1);

impl SpikeDrivenV1 {
    /// The network; `constant` input is the same image at every timestep.
    pub fn build(&self, input: Shape, constant: bool, timesteps: usize, classes: usize) -> Result<Network> {
        check_transformer("SpikeDrivenV1", (self.dim, EIGHTH), self.depth, self.heads, self.mlp_ratio)?;
        let (mut net, image) = NetworkBuilder::new(input, constant, timesteps);
        let mut stream = self.stem(&mut net, image)?;
        let mut unused = Vec::new();
        for block in 0..self.depth {
            stream = self.attention(&mut net, block, stream)?;
            net.scope("blocks", format!("block.{block}"), format!("block.{block}.mlp"));
            let name = format!("block.{block}.mlp");
            stream = membrane_mlp(&mut net, &name, ["fc1", "fc2"], self.mlp_ratio, stream)?;
            unused.push(Parameter {
                name: format!("block.{block}.attn.talking_heads.weight"),
                shape: vec![self.heads, self.heads],
                trained: true,
            });
        }
        net.scope("head", "head", "head");
        let mean = net.mean_tokens("head_mean", stream)?;
        let spikes = net.neuron("head_lif", mean, Neuron::lif(1.0))?;
        let logits = net.conv("head", spikes, Conv::linear(classes))?;
        net.mean_timesteps("logits", logits)?;
        net.finish(unused)
    }

    /// Four convolution stages; the last pools before its neuron, and what it pooled is the
    /// residual stream. Then the relative position convolution.
    fn stem(&self, net: &mut NetworkBuilder, image: NodeId) -> Result<NodeId> {
        net.scope("stem", "patch_embed", "patch_embed");
        let name = |part: &str, stage: usize| match stage {
            0 => format!("patch_embed.proj_{part}"),
            _ => format!("patch_embed.proj_{part}{stage}"),
        };
        let (p0, p1, p2, p3) = self.pooling;
        let mut x = image;
        for (stage, pool) in [p0, p1, p2].into_iter().enumerate() {
            let conv = Conv::new(self.dim >> (3 - stage), 3).pad(1).norm(name("bn", stage));
            x = net.conv(&name("conv", stage), x, conv)?;
            x = net.neuron(&name("lif", stage), x, Neuron::lif(1.0))?;
            if pool {
                x = net.max_pool(&format!("patch_embed.maxpool{}", suffix(stage)), x, POOL)?;
            }
        }
        x = net.conv(&name("conv", 3), x, Conv::new(self.dim, 3).pad(1).norm(name("bn", 3)))?;
        if p3 {
            x = net.max_pool("patch_embed.maxpool3", x, POOL)?;
        }
        let stream = net.requantize("patch_embed.stream", x, Grid::Residual)?;
        let spikes = net.neuron(&name("lif", 3), stream, Neuron::lif(1.0))?;
        let conv = Conv::new(self.dim, 3).pad(1).norm("patch_embed.rpe_bn");
        let position = net.conv("patch_embed.rpe_conv", spikes, conv)?;
        net.add("patch_embed.add", stream, position)
    }

    fn attention(&self, net: &mut NetworkBuilder, block: usize, stream: NodeId) -> Result<NodeId> {
        let name = |part: &str| format!("block.{block}.attn.{part}");
        net.scope("blocks", format!("block.{block}"), format!("block.{block}.attn"));
        let spikes = net.neuron(&name("shortcut_lif"), stream, Neuron::lif(1.0))?;
        let mut project = |which: &str| {
            let x = conv_norm_lif(net, &name(which), spikes, Conv::new(self.dim, 1))?;
            if self.pool_keys && which != "q" {
                net.max_pool(&name(&format!("{which}_pool")), x, KEY_POOL)
            } else {
                Ok(x)
            }
        };
        let (q, k, v) = (project("q")?, project("k")?, project("v")?);
        let count = if self.pool_keys {
            let both = net.mask(&name("kv"), k, v)?;
            let pooled = net.plane_pool(&name("kv_pool"), both, self.heads)?;
            net.attention(&name("sdsa"), &[pooled], Attention::KeyValueCount)?
        } else {
            net.attention(&name("sdsa"), &[k, v], Attention::KeyValueCount)?
        };
        let mask = net.neuron(&name("talking_heads_lif"), count, Neuron::lif(0.5))?;
        let mut masked = net.mask(&name("mask"), q, mask)?;
        if self.pool_keys {
            masked = net.plane_pool(&name("mask_pool"), masked, self.heads)?;
        }
        let conv = Conv::new(self.dim, 1).bias().norm(name("proj_bn"));
        let branch = net.conv(&name("proj_conv"), masked, conv)?;
        net.add(&name("add"), stream, branch)
    }
}

fn suffix(stage: usize) -> String {
    if stage == 0 { String::new() } else { stage.to_string() }
}

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::model::{Attention, Conv, Grid, Network, NetworkBuilder, Neuron, NodeId, Parameter, Window};
use crate::tensor::Shape;

/// Spike-driven Transformer v1 (Yao et al., NeurIPS 2023): membrane shortcuts, SDSA-1.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpikeDrivenV1 {
    /// Channels of the blocks; a multiple of 8 and of `heads`.
    pub dim: usize,
    /// Blocks.
    pub depth: usize,
    /// Heads; they only shape the unused `talking_heads` weight.
    pub heads: usize,
    /// Hidden channels of the MLP divided by `dim`.
    pub mlp_ratio: usize,
    /// Which of the four stem stages are followed by a 3x3 stride-2 max pooling.
    pub pooling: (bool, bool, bool, bool),
}

const POOL: Window = Window { size: 3, stride: 2, pad: 1 };

impl SpikeDrivenV1 {
    /// The network; `constant` input is the same image at every timestep.
    pub fn build(&self, input: Shape, constant: bool, timesteps: usize, classes: usize) -> Result<Network> {
        self.check()?;
        let (mut net, image) = NetworkBuilder::new(input, constant, timesteps);
        let mut stream = self.stem(&mut net, image)?;
        let mut unused = Vec::new();
        for block in 0..self.depth {
            stream = self.attention(&mut net, block, stream)?;
            stream = self.mlp(&mut net, block, stream)?;
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

    fn check(&self) -> Result<()> {
        let refuse =
            |field: &str, message: String| Err(Error::mismatch(format!("SpikeDrivenV1: {field}: {message}")));
        if self.dim == 0 || self.dim > 4096 || !self.dim.is_multiple_of(8) {
            return refuse("dim", format!("{} is not a multiple of 8 in 8..=4096", self.dim));
        }
        if self.heads == 0 || !self.dim.is_multiple_of(self.heads) {
            return refuse("heads", format!("{} does not divide dim {}", self.heads, self.dim));
        }
        if self.depth == 0 || self.depth > 64 {
            return refuse("depth", format!("{} is not in 1..=64", self.depth));
        }
        if self.mlp_ratio == 0 || self.mlp_ratio > 16 {
            return refuse("mlp_ratio", format!("{} is not in 1..=16", self.mlp_ratio));
        }
        Ok(())
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
            let conv = Conv::new(self.dim, 1).norm(name(&format!("{which}_bn")));
            let x = net.conv(&name(&format!("{which}_conv")), spikes, conv)?;
            net.neuron(&name(&format!("{which}_lif")), x, Neuron::lif(1.0))
        };
        let (q, k, v) = (project("q")?, project("k")?, project("v")?);
        let count = net.attention(&name("sdsa"), &[k, v], Attention::KeyValueCount)?;
        let mask = net.neuron(&name("talking_heads_lif"), count, Neuron::lif(0.5))?;
        let masked = net.mask(&name("mask"), q, mask)?;
        let conv = Conv::new(self.dim, 1).bias().norm(name("proj_bn"));
        let branch = net.conv(&name("proj_conv"), masked, conv)?;
        net.add(&name("add"), stream, branch)
    }

    fn mlp(&self, net: &mut NetworkBuilder, block: usize, stream: NodeId) -> Result<NodeId> {
        let name = |part: &str| format!("block.{block}.mlp.{part}");
        net.scope("blocks", format!("block.{block}"), format!("block.{block}.mlp"));
        let mut x = stream;
        for (layer, channels) in [("fc1", self.dim * self.mlp_ratio), ("fc2", self.dim)] {
            x = net.neuron(&name(&format!("{layer}_lif")), x, Neuron::lif(1.0))?;
            let conv = Conv::new(channels, 1).bias().norm(name(&format!("{layer}_bn")));
            x = net.conv(&name(&format!("{layer}_conv")), x, conv)?;
        }
        net.add(&name("add"), stream, x)
    }
}

fn suffix(stage: usize) -> String {
    if stage == 0 { String::new() } else { stage.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Op;

    /// Totals of the original implementation for published variants: parameters, unused ones,
    /// neurons and multiply-accumulates per timestep.
    #[test]
    fn published_variants_count_to_the_unit() {
        let cases = [
            (256, 2, (3, 32, 32), 10, (false, false, true, true), 2_567_082, 128, 541_440, 309_168_640),
            (512, 2, (3, 32, 32), 10, (false, false, true, true), 10_233_546, 128, 1_082_880, 1_234_899_968),
            (
                384,
                8,
                (3, 224, 224),
                1000,
                (true, true, true, true),
                16_816_536,
                512,
                9_712_512,
                4_660_730_880,
            ),
            (
                512,
                8,
                (3, 224, 224),
                1000,
                (true, true, true, true),
                29_689_896,
                512,
                12_950_016,
                8_256_671_744,
            ),
            (
                768,
                8,
                (3, 224, 224),
                1000,
                (true, true, true, true),
                66_339_144,
                512,
                19_425_024,
                18_512_099_328,
            ),
        ];
        for (dim, depth, input, classes, pooling, parameters, unused, neurons, macs) in cases {
            let family = SpikeDrivenV1 { dim, depth, heads: 8, mlp_ratio: 4, pooling };
            let net = family.build(input.into(), true, 4, classes).unwrap();
            assert_eq!(net.parameter_count(), parameters, "{dim}");
            assert_eq!(net.unused.iter().map(Parameter::len).sum::<usize>(), unused);
            let count =
                |node: &crate::model::Node| matches!(node.op, Op::Neuron(_)).then_some(node.shape.values());
            assert_eq!(net.nodes.iter().filter_map(count).sum::<usize>(), neurons, "{dim}");
            let work = net.weighted().map(|(_, n, w)| w.geometry.fan_in() * n.shape.values());
            assert_eq!(work.sum::<usize>(), macs, "{dim}");
        }
    }
}

use serde::Deserialize;

use super::blocks::{MlpRatio, lif_conv_norm, membrane_mlp};
use super::four_stages::{self, Dims, Parts};
use crate::error::Result;
use crate::model::{Attention, Conv, Grid, Network, NetworkBuilder, Neuron, NodeId, ProductOrder};
use crate::tensor::Shape;

/// Spike-driven Transformer v2, Meta-SpikeFormer (Yao et al., ICLR 2024): membrane shortcuts,
/// convolution blocks, RepConv projections, SDSA-3.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpikeDrivenV2 {
    /// Channels of the four stages; the first convolution has half of the first.
    pub dims: Dims,
    /// Transformer blocks of the last two stages.
    pub depths: (usize, usize),
    /// Heads.
    pub heads: usize,
    /// Hidden channels of the MLP divided by those of its stage.
    pub mlp_ratio: MlpRatio,
    /// How the projections of the attention run.
    #[serde(default)]
    pub rep_conv: RepConv,
}

/// How a RepConv (1x1, depthwise 3x3, 1x1, with normalizations) runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum RepConv {
    /// Layer by layer, as a checkpoint holds it.
    #[default]
    Unfused,
    /// One dense 3x3 convolution that the three are equal to: one pass over spikes, and more weights.
    Fused,
}

impl SpikeDrivenV2 {
    /// The network; `constant` input is the same image at every timestep.
    pub fn build(&self, input: Shape, constant: bool, timesteps: usize, classes: usize) -> Result<Network> {
        four_stages::check("SpikeDrivenV2", self.dims, self.depths, self.heads, self.mlp_ratio)?;
        let (mut net, image) = NetworkBuilder::new(input, constant, timesteps);
        let x = four_stages::build(&mut net, image, self.dims, self.depths, self)?;
        net.scope("head", "head", "head");
        let mean = net.mean_tokens("head_mean", x)?;
        let spikes = net.neuron("lif", mean, Neuron::lif(1.0))?;
        let logits = net.conv("head", spikes, Conv::linear(classes))?;
        net.mean_timesteps("logits", logits)?;
        net.finish(Vec::new())
    }

    fn attention(&self, net: &mut NetworkBuilder, name: &str, stream: NodeId) -> Result<NodeId> {
        let spikes = net.neuron(&format!("{name}.head_lif"), stream, Neuron::lif(1.0))?;
        let mut project = |which: &str| {
            let x = self.rep_conv(net, &format!("{name}.{which}_conv"), spikes)?;
            net.neuron(&format!("{name}.{which}_lif"), x, Neuron::lif(1.0))
        };
        let qkv = [project("q")?, project("k")?, project("v")?];
        let attention =
            Attention::Product { heads: self.heads, scale: 0.125, order: ProductOrder::KeyValueFirst };
        let product = net.attention(&format!("{name}.sdsa"), &qkv, attention)?;
        let spikes = net.neuron(&format!("{name}.attn_lif"), product, Neuron::lif(0.5))?;
        let branch = self.rep_conv(net, &format!("{name}.proj_conv"), spikes)?;
        net.add(&format!("{name}.add"), stream, branch)
    }

    /// Unfused: 1x1 with a normalization, a depthwise 3x3 padded with that normalization's answer to
    /// zeros, and 1x1 with two normalizations.
    fn rep_conv(&self, net: &mut NetworkBuilder, name: &str, spikes: NodeId) -> Result<NodeId> {
        let dim = net.shape(spikes).channels;
        if self.rep_conv == RepConv::Fused {
            return net.conv(name, spikes, Conv::new(dim, 3).pad(1).bias());
        }
        let part = |part: &str| format!("{name}.0.body.{part}");
        let x = net.conv(&part("0"), spikes, Conv::new(dim, 1).norm(part("1.bn")))?;
        let x = net.requantize(&part("1.grid"), x, Grid::Activation)?;
        let x = net.conv(&part("2.0"), x, Conv::new(dim, 3).pad(1).groups(dim).pad_with_bias())?;
        let x = net.requantize(&part("2.0.grid"), x, Grid::Activation)?;
        net.conv(&part("2.1"), x, Conv::new(dim, 1).norm(part("2.2")).norm(format!("{name}.1")))
    }
}

impl Parts for SpikeDrivenV2 {
    fn transformer(
        &self,
        net: &mut NetworkBuilder,
        stage: usize,
        depth: usize,
        mut x: NodeId,
    ) -> Result<NodeId> {
        for block in 0..depth {
            let name = format!("block{stage}.{block}");
            net.scope(format!("stage{stage}"), name.clone(), format!("{name}.attn"));
            x = self.attention(net, &format!("{name}.attn"), x)?;
            net.scope(format!("stage{stage}"), name.clone(), format!("{name}.mlp"));
            x = membrane_mlp(net, &format!("{name}.mlp"), ["fc1", "fc2"], self.mlp_ratio, x)?;
        }
        Ok(x)
    }

    /// LIF, strided 3x3 convolution, and a new residual stream.
    fn downsample(
        &self,
        net: &mut NetworkBuilder,
        stage: &str,
        name: &str,
        stream: NodeId,
        channels: usize,
        stride: usize,
    ) -> Result<NodeId> {
        net.scope(stage, name, name);
        let conv = Conv::new(channels, 3).stride(stride).pad(1).bias();
        let x = lif_conv_norm(net, &format!("{name}.encode"), stream, conv)?;
        net.requantize(&format!("{name}.stream"), x, Grid::Residual)
    }

    /// A separable convolution (1x1, depthwise 7x7, 1x1) and a channel convolution (3x3, 3x3), each a
    /// membrane shortcut.
    fn conv_block(
        &self,
        net: &mut NetworkBuilder,
        stage: &str,
        name: &str,
        stream: NodeId,
    ) -> Result<NodeId> {
        let dim = net.shape(stream).channels;
        let part = |part: &str| format!("{name}.{part}");
        net.scope(stage, name, part("Conv"));
        let spikes = net.neuron(&part("Conv.lif1"), stream, Neuron::lif(1.0))?;
        let x = net.conv(&part("Conv.pwconv1"), spikes, Conv::new(2 * dim, 1).norm(part("Conv.bn1")))?;
        let spikes = net.neuron(&part("Conv.lif2"), x, Neuron::lif(1.0))?;
        let x = net.conv(&part("Conv.dwconv"), spikes, Conv::new(2 * dim, 7).pad(3).groups(2 * dim))?;
        let x = net.requantize(&part("Conv.dwconv.grid"), x, Grid::Activation)?;
        let branch = net.conv(&part("Conv.pwconv2"), x, Conv::new(dim, 1).norm(part("Conv.bn2")))?;
        let stream = net.add(&part("Conv.add"), stream, branch)?;

        net.scope(stage, name, part("conv"));
        let spikes = net.neuron(&part("lif1"), stream, Neuron::lif(1.0))?;
        let x = net.conv(&part("conv1"), spikes, Conv::new(4 * dim, 3).pad(1).norm(part("bn1")))?;
        let spikes = net.neuron(&part("lif2"), x, Neuron::lif(1.0))?;
        let branch = net.conv(&part("conv2"), spikes, Conv::new(dim, 3).pad(1).norm(part("bn2")))?;
        net.add(&part("add"), stream, branch)
    }
}

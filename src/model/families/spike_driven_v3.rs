use serde::Deserialize;

use super::blocks::{MlpRatio, check_range};
use super::four_stages::{self, Dims, Parts};
use crate::error::Result;
use crate::model::{Attention, Conv, Grid, IntegerNeuron, Network, NetworkBuilder, NodeId, ProductOrder};
use crate::tensor::Shape;

/// Spike-driven Transformer v3, E-SpikeFormer (Yao et al., TPAMI 2025): membrane shortcuts, integer
/// spikes, separable convolutions in every block, attention with wide values.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpikeDrivenV3 {
    /// Channels of the four stages; the first convolution has half of the first.
    pub dims: Dims,
    /// Transformer blocks of the last two stages.
    pub depths: (usize, usize),
    /// Heads.
    pub heads: usize,
    /// Hidden channels of the MLP divided by those of its stage.
    pub mlp_ratio: MlpRatio,
    /// Channels of the attention's values divided by those of its stage.
    pub value_ratio: usize,
    /// Largest integer spike, worth 1.0.
    pub levels: u32,
}

impl SpikeDrivenV3 {
    /// The network; `constant` input is the same image at every timestep.
    pub fn build(&self, input: Shape, constant: bool, timesteps: usize, classes: usize) -> Result<Network> {
        four_stages::check("SpikeDrivenV3", self.dims, self.depths, self.heads, self.mlp_ratio)?;
        check_range("SpikeDrivenV3", "value_ratio", self.value_ratio as f64, 1.0, 16.0)?;
        let (mut net, image) = NetworkBuilder::new(input, constant, timesteps);
        let x = four_stages::build(&mut net, image, self.dims, self.depths, self)?;
        net.scope("head", "head", "head");
        let mean = net.mean_tokens("head_mean", x)?;
        let spikes = net.integer_neuron("spike", mean, IntegerNeuron { max: self.levels, norm: 1 })?;
        let logits = net.conv("head", spikes, Conv::linear(classes))?;
        net.mean_timesteps("logits", logits)?;
        net.finish(Vec::new())
    }

    fn spikes(&self, net: &mut NetworkBuilder, name: &str, x: NodeId) -> Result<NodeId> {
        net.integer_neuron(name, x, IntegerNeuron { max: self.levels, norm: self.levels })
    }

    fn attention(&self, net: &mut NetworkBuilder, name: &str, stream: NodeId) -> Result<NodeId> {
        let dim = net.shape(stream).channels;
        let spikes = self.spikes(net, &format!("{name}.head_spike"), stream)?;
        let mut project = |which: &str, channels: usize| {
            let conv = Conv::new(channels, 1).norm(format!("{name}.{which}_conv.1"));
            let x = net.conv(&format!("{name}.{which}_conv.0"), spikes, conv)?;
            self.spikes(net, &format!("{name}.{which}_spike"), x)
        };
        let qkv = [project("q", dim)?, project("k", dim)?, project("v", dim * self.value_ratio)?];
        let scale = 2.0 * ((dim / self.heads) as f64).powf(-0.5);
        let order = ProductOrder::QueryKeyFirst;
        let attention = Attention::Product { heads: self.heads, scale, order };
        let product = net.attention(&format!("{name}.product"), &qkv, attention)?;
        let spikes = self.spikes(net, &format!("{name}.attn_spike"), product)?;
        let conv = Conv::new(dim, 1).norm(format!("{name}.proj_conv.1"));
        let branch = net.conv(&format!("{name}.proj_conv.0"), spikes, conv)?;
        net.add(&format!("{name}.add"), stream, branch)
    }

    fn mlp(&self, net: &mut NetworkBuilder, name: &str, stream: NodeId) -> Result<NodeId> {
        let dim = net.shape(stream).channels;
        let mut x = stream;
        for (part, channels) in [("fc1", self.mlp_ratio.hidden(dim)), ("fc2", dim)] {
            x = self.spikes(net, &format!("{name}.{part}_spike"), x)?;
            let conv = Conv::new(channels, 1).bias().norm(format!("{name}.{part}_bn"));
            x = net.conv(&format!("{name}.{part}_conv"), x, conv)?;
        }
        net.add(&format!("{name}.add"), stream, x)
    }

    /// 1x1 to twice the channels, depthwise `kernel` x `kernel`, 1x1 back, each on integer spikes.
    fn separable(
        &self,
        net: &mut NetworkBuilder,
        name: &str,
        kernel: usize,
        stream: NodeId,
    ) -> Result<NodeId> {
        let dim = net.shape(stream).channels;
        let convs = [
            ("pwconv1", Conv::new(2 * dim, 1)),
            ("dwconv", Conv::new(2 * dim, kernel).pad(kernel / 2).groups(2 * dim)),
            ("pwconv2", Conv::new(dim, 1)),
        ];
        let mut x = stream;
        for (i, (part, conv)) in convs.into_iter().enumerate() {
            x = self.spikes(net, &format!("{name}.spike{}", i + 1), x)?;
            x = net.conv(&format!("{name}.{part}.0"), x, conv.norm(format!("{name}.{part}.1")))?;
        }
        net.add(&format!("{name}.add"), stream, x)
    }
}

impl Parts for SpikeDrivenV3 {
    fn transformer(
        &self,
        net: &mut NetworkBuilder,
        stage: usize,
        depth: usize,
        mut x: NodeId,
    ) -> Result<NodeId> {
        for block in 0..depth {
            let name = format!("block{stage}.{block}");
            net.scope(format!("stage{stage}"), name.clone(), format!("{name}.conv"));
            x = self.separable(net, &format!("{name}.conv"), 3, x)?;
            net.scope(format!("stage{stage}"), name.clone(), format!("{name}.attn"));
            x = self.attention(net, &format!("{name}.attn"), x)?;
            net.scope(format!("stage{stage}"), name.clone(), format!("{name}.mlp"));
            x = self.mlp(net, &format!("{name}.mlp"), x)?;
        }
        Ok(x)
    }

    /// Integer spikes, strided 3x3 convolution, and a new residual stream.
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
        let spikes = self.spikes(net, &format!("{name}.encode_spike"), stream)?;
        let conv = Conv::new(channels, 3).stride(stride).pad(1).bias().norm(format!("{name}.encode_bn"));
        let x = net.conv(&format!("{name}.encode_conv"), spikes, conv)?;
        net.requantize(&format!("{name}.stream"), x, Grid::Residual)
    }

    /// A separable convolution and a channel convolution (3x3, 3x3), each a membrane shortcut.
    fn conv_block(
        &self,
        net: &mut NetworkBuilder,
        stage: &str,
        name: &str,
        stream: NodeId,
    ) -> Result<NodeId> {
        let dim = net.shape(stream).channels;
        net.scope(stage, name, format!("{name}.Conv"));
        let stream = self.separable(net, &format!("{name}.Conv"), 7, stream)?;
        net.scope(stage, name, format!("{name}.conv"));
        let mut x = stream;
        for (index, channels) in [(1, 4 * dim), (2, dim)] {
            x = self.spikes(net, &format!("{name}.spike{index}"), x)?;
            let conv = Conv::new(channels, 3).pad(1).norm(format!("{name}.bn{index}"));
            x = net.conv(&format!("{name}.conv{index}"), x, conv)?;
        }
        net.add(&format!("{name}.add"), stream, x)
    }
}

use serde::Deserialize;

use super::blocks::{EIGHTH, MlpRatio, POOL, check_range, check_transformer};
use crate::error::Result;
use crate::model::{Attention, Conv, Gate, Network, NetworkBuilder, Neuron, NodeId, Parameter, ProductOrder};
use crate::tensor::Shape;

/// Spikformer (Zhou et al., ICLR 2023): spike addition, SSA.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spikformer {
    /// Channels of the blocks; a multiple of `heads`. The stem begins with an eighth of them, rounded down.
    pub dim: usize,
    /// Blocks.
    pub depth: usize,
    /// Heads.
    pub heads: usize,
    /// Hidden channels of the MLP divided by `dim`.
    pub mlp_ratio: MlpRatio,
    /// Which of the four stem stages are followed by a 3x3 stride-2 max pooling.
    pub pooling: (bool, bool, bool, bool),
    /// Classes that the original uses in its blocks.
    pub layers: Layers,
    /// Which product of the attention the original computes first.
    pub order: ProductOrder,
    /// Factor behind the attention product.
    pub scale: f64,
    /// How a branch joins the stream that it branched off.
    #[serde(default)]
    pub joins: Joins,
    /// Tokens of an unused position embedding, as the event-camera checkpoints hold it together
    /// with an unused last normalization; 0 for none.
    #[serde(default)]
    pub unused_tokens: usize,
}

/// How a checkpoint names and shapes the layers of its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Layers {
    /// `q_linear`, with bias (CIFAR).
    Linear,
    /// `q_conv`, without bias in q, k, v (ImageNet, event cameras).
    Conv,
}

/// How a branch of spikes joins a stream of spikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Joins {
    /// The sum: spikes of both are counted.
    #[default]
    Sum,
    /// The stream passes where the branch is silent: the IAND of Spike-IAND-Former (Chen and Chang, arXiv 2503.19643).
    AndNot,
}

impl Joins {
    fn join(self, net: &mut NetworkBuilder, name: &str, stream: NodeId, branch: NodeId) -> Result<NodeId> {
        match self {
            Self::Sum => net.add(name, stream, branch),
            Self::AndNot => net.gate(name, stream, branch, Gate::AndNot),
        }
    }
}

impl Spikformer {
    /// The network; `constant` input is the same image at every timestep.
    pub fn build(&self, input: Shape, constant: bool, timesteps: usize, classes: usize) -> Result<Network> {
        check_transformer("Spikformer", (self.dim, EIGHTH), self.depth, self.heads, self.mlp_ratio)?;
        check_range("Spikformer", "scale", self.scale, 1e-3, 1.0)?;
        check_range("Spikformer", "unused_tokens", self.unused_tokens as f64, 0.0, 1e6)?;
        let (mut net, image) = NetworkBuilder::new(input, constant, timesteps);
        let mut x = self.stem(&mut net, image)?;
        for block in 0..self.depth {
            x = self.attention(&mut net, block, x)?;
            x = self.mlp(&mut net, block, x)?;
        }
        net.scope("head", "head", "head");
        let tokens = net.mean_tokens("head_mean", x)?;
        let time = net.mean_timesteps("head_mean_time", tokens)?;
        net.conv("head", time, Conv::linear(classes))?;
        net.finish(self.unused())
    }

    fn unused(&self) -> Vec<Parameter> {
        let norms = (0..self.depth).flat_map(|block| [1, 2].map(|i| format!("block.{block}.norm{i}")));
        let last = (self.unused_tokens > 0).then(|| "norm".to_owned());
        let parameter = |name: String, shape| Parameter { name, shape, trained: true };
        let mut unused: Vec<_> = norms
            .chain(last)
            .flat_map(|norm| {
                ["weight", "bias"].map(|part| parameter(format!("{norm}.{part}"), vec![self.dim]))
            })
            .collect();
        if self.unused_tokens > 0 {
            unused.push(parameter("pos_embed".to_owned(), vec![1, self.unused_tokens, self.dim]));
        }
        unused
    }

    fn stem(&self, net: &mut NetworkBuilder, image: NodeId) -> Result<NodeId> {
        net.scope("stem", "patch_embed", "patch_embed");
        let (p0, p1, p2, p3) = self.pooling;
        let mut x = image;
        for (stage, pool) in [p0, p1, p2, p3].into_iter().enumerate() {
            let suffix = if stage == 0 { String::new() } else { stage.to_string() };
            let conv =
                Conv::new(self.dim >> (3 - stage), 3).pad(1).norm(format!("patch_embed.proj_bn{suffix}"));
            x = net.conv(&format!("patch_embed.proj_conv{suffix}"), x, conv)?;
            x = net.neuron(&format!("patch_embed.proj_lif{suffix}"), x, Neuron::lif(1.0))?;
            if pool {
                x = net.max_pool(&format!("patch_embed.maxpool{suffix}"), x, POOL)?;
            }
        }
        let conv = Conv::new(self.dim, 3).pad(1).norm("patch_embed.rpe_bn");
        let position = net.conv("patch_embed.rpe_conv", x, conv)?;
        let position = net.neuron("patch_embed.rpe_lif", position, Neuron::lif(1.0))?;
        self.joins.join(net, "patch_embed.add", x, position)
    }

    /// conv-BN-LIF, as every layer of a block.
    fn layer(
        &self,
        net: &mut NetworkBuilder,
        prefix: &str,
        x: NodeId,
        channels: usize,
        bias: bool,
    ) -> Result<NodeId> {
        let (conv, kind) = match self.layers {
            Layers::Linear => (Conv::linear(channels), "linear"),
            Layers::Conv if bias => (Conv::new(channels, 1).bias(), "conv"),
            Layers::Conv => (Conv::new(channels, 1), "conv"),
        };
        let x = net.conv(&format!("{prefix}_{kind}"), x, conv.norm(format!("{prefix}_bn")))?;
        net.neuron(&format!("{prefix}_lif"), x, Neuron::lif(1.0))
    }

    fn attention(&self, net: &mut NetworkBuilder, block: usize, x: NodeId) -> Result<NodeId> {
        let name = |part: &str| format!("block.{block}.attn.{part}");
        net.scope("blocks", format!("block.{block}"), format!("block.{block}.attn"));
        let mut project = |which: &str| self.layer(net, &name(which), x, self.dim, false);
        let qkv = [project("q")?, project("k")?, project("v")?];
        let attention = Attention::Product { heads: self.heads, scale: self.scale, order: self.order };
        let product = net.attention(&name("ssa"), &qkv, attention)?;
        let spikes = net.neuron(&name("attn_lif"), product, Neuron::lif(0.5))?;
        let branch = self.layer(net, &name("proj"), spikes, self.dim, true)?;
        self.joins.join(net, &name("add"), x, branch)
    }

    fn mlp(&self, net: &mut NetworkBuilder, block: usize, x: NodeId) -> Result<NodeId> {
        let name = |part: &str| format!("block.{block}.mlp.{part}");
        net.scope("blocks", format!("block.{block}"), format!("block.{block}.mlp"));
        let hidden = self.layer(net, &name("fc1"), x, self.mlp_ratio.hidden(self.dim), true)?;
        let branch = self.layer(net, &name("fc2"), hidden, self.dim, true)?;
        self.joins.join(net, &name("add"), x, branch)
    }
}

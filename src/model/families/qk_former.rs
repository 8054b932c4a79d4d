use serde::Deserialize;

use super::blocks::{EIGHTH, MlpRatio, POOL, check_range, check_transformer, conv_norm_lif};
use crate::error::Result;
use crate::model::{Attention, Conv, Network, NetworkBuilder, Neuron, NodeId, ProductOrder};
use crate::tensor::Shape;

/// QKFormer (Zhou et al., NeurIPS 2024): spike addition, token attention in the first stages, SSA
/// in the last.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QkFormer {
    /// Channels of the last stage, twice those of the one before it, rounded down; a multiple of `heads`.
    pub dim: usize,
    /// Blocks of the stages; the middle one does not exist for `Events`.
    pub depths: (usize, usize, usize),
    /// Heads.
    pub heads: usize,
    /// Hidden channels of the MLP divided by those of its stage.
    pub mlp_ratio: MlpRatio,
    /// Shape of the patch embeddings and names of the checkpoint.
    pub style: Style,
}

/// The three published shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Style {
    /// 32 x 32 images: no pooling in the first embedding.
    Cifar,
    /// 224 x 224 images.
    ImageNet,
    /// Event cameras: two stages.
    Events,
}

impl QkFormer {
    /// The network; `constant` input is the same image at every timestep.
    pub fn build(&self, input: Shape, constant: bool, timesteps: usize, classes: usize) -> Result<Network> {
        let smallest = if self.style == Style::Events { 2 * EIGHTH } else { EIGHTH };
        check_transformer("QkFormer", (self.dim, smallest), self.depths.2, self.heads, self.mlp_ratio)?;
        for (field, depth) in [("depths.0", self.depths.0), ("depths.1", self.depths.1)] {
            check_range("QkFormer", field, depth as f64, 0.0, 64.0)?;
        }
        let (mut net, image) = NetworkBuilder::new(input, constant, timesteps);
        net.scope("stage1", "patch_embed1", "patch_embed1");
        let mut x = match self.style {
            Style::Cifar => self.first_cifar(&mut net, image)?,
            Style::ImageNet => self.first_imagenet(&mut net, image)?,
            Style::Events => self.first_events(&mut net, image)?,
        };
        x = self.stage(&mut net, 1, self.depths.0, x, true)?;
        let last = self.stages();
        if last == 3 {
            x = self.next_embedding(&mut net, 2, x)?;
            x = self.stage(&mut net, 2, self.depths.1, x, true)?;
        }
        x = self.next_embedding(&mut net, last, x)?;
        x = self.stage(&mut net, last, self.depths.2, x, false)?;
        net.scope("head", "head", "head");
        let tokens = net.mean_tokens("head_mean", x)?;
        let time = net.mean_timesteps("head_mean_time", tokens)?;
        net.conv("head", time, Conv::linear(classes))?;
        net.finish(Vec::new())
    }

    fn stages(&self) -> usize {
        if self.style == Style::Events { 2 } else { 3 }
    }

    fn first_cifar(&self, net: &mut NetworkBuilder, image: NodeId) -> Result<NodeId> {
        let base = embed(net, "patch_embed1.proj", image, self.dim / 8, Embed::default())?;
        let x = embed(net, "patch_embed1.proj1", base, self.dim / 4, Embed::default())?;
        let shortcut = embed(net, "patch_embed1.proj_res", base, self.dim / 4, Embed::shortcut(1))?;
        net.add("patch_embed1.add", x, shortcut)
    }

    fn first_imagenet(&self, net: &mut NetworkBuilder, image: NodeId) -> Result<NodeId> {
        let base = embed(net, "patch_embed1.proj", image, self.dim / 8, Embed::pooled())?;
        let x = embed(net, "patch_embed1.proj1", base, self.dim / 4, Embed::pooled())?;
        let x = embed(net, "patch_embed1.proj2", x, self.dim / 4, Embed::default())?;
        let shortcut = embed(net, "patch_embed1.proj_res", base, self.dim / 4, Embed::shortcut(2))?;
        net.add("patch_embed1.add", x, shortcut)
    }

    fn first_events(&self, net: &mut NetworkBuilder, image: NodeId) -> Result<NodeId> {
        let x = embed(net, "patch_embed1.proj", image, self.dim / 16, Embed::default())?;
        let base = embed(net, "patch_embed1.proj1", x, self.dim / 8, Embed::pooled())?;
        let x = embed(net, "patch_embed1.proj2", base, self.dim / 4, Embed::pooled())?;
        let x = embed(net, "patch_embed1.proj3", x, self.dim / 2, Embed::pooled())?;
        let shortcut = embed(net, "patch_embed1.proj_res", base, self.dim / 2, Embed::shortcut(4))?;
        net.add("patch_embed1.add", x, shortcut)
    }

    /// Two 3x3 convolutions, one of them pooled, beside a strided 1x1 shortcut, to half of `dim` channels
    /// and to `dim` in the last stage.
    fn next_embedding(&self, net: &mut NetworkBuilder, index: usize, x: NodeId) -> Result<NodeId> {
        let name = |part: &str| format!("patch_embed{index}.{part}");
        net.scope(format!("stage{index}"), format!("patch_embed{index}"), format!("patch_embed{index}"));
        let last = index == self.stages();
        let channels = if last { self.dim } else { self.dim / 2 };
        let first = if self.style == Style::Events { "proj" } else { "proj3" };
        let (early, late) = match self.style {
            Style::ImageNet => (Embed::pooled(), Embed::default()),
            Style::Cifar | Style::Events => (Embed::default(), Embed::pooled()),
        };
        let main = embed(net, &name(first), x, channels, early)?;
        let main = embed(net, &name("proj4"), main, channels, late)?;
        let shortcut = embed(net, &name("proj_res"), x, channels, Embed::shortcut(2))?;
        net.add(&name("add"), main, shortcut)
    }

    fn stage(
        &self,
        net: &mut NetworkBuilder,
        stage: usize,
        depth: usize,
        mut x: NodeId,
        tokens: bool,
    ) -> Result<NodeId> {
        for block in 0..depth {
            let name = format!("stage{stage}.{block}");
            let attention = match (tokens, self.style) {
                (true, _) => "tssa",
                (false, Style::ImageNet) => "attn",
                (false, _) => "ssa",
            };
            net.scope(format!("stage{stage}"), name.clone(), format!("{name}.{attention}"));
            x = self.attention(net, &format!("{name}.{attention}"), x, tokens)?;
            net.scope(format!("stage{stage}"), name.clone(), format!("{name}.mlp"));
            x = self.mlp(net, &format!("{name}.mlp"), x)?;
        }
        Ok(x)
    }

    fn attention(&self, net: &mut NetworkBuilder, name: &str, x: NodeId, tokens: bool) -> Result<NodeId> {
        let dim = net.shape(x).channels;
        let part = |part: &str| format!("{name}.{part}");
        let q = conv_norm_lif(net, &part("q"), x, Conv::new(dim, 1))?;
        let k = conv_norm_lif(net, &part("k"), x, Conv::new(dim, 1))?;
        let spikes = if tokens {
            let count = net.attention(&part("qk"), &[q], Attention::ChannelCount { heads: self.heads })?;
            let mask = net.neuron(&part("attn_lif"), count, Neuron::lif(0.5))?;
            net.mask(&part("mask"), k, mask)?
        } else {
            let v = conv_norm_lif(net, &part("v"), x, Conv::new(dim, 1))?;
            let order = ProductOrder::KeyValueFirst;
            let attention = Attention::Product { heads: self.heads, scale: 0.125, order };
            let product = net.attention(&part("product"), &[q, k, v], attention)?;
            net.neuron(&part("attn_lif"), product, Neuron::lif(0.5))?
        };
        let branch = conv_norm_lif(net, &part("proj"), spikes, Conv::new(dim, 1).bias())?;
        net.add(&part("add"), x, branch)
    }

    fn mlp(&self, net: &mut NetworkBuilder, name: &str, x: NodeId) -> Result<NodeId> {
        let dim = net.shape(x).channels;
        let (first, second) = if self.style == Style::ImageNet { ("fc1", "fc2") } else { ("mlp1", "mlp2") };
        let hidden = conv_norm_lif(
            net,
            &format!("{name}.{first}"),
            x,
            Conv::new(self.mlp_ratio.hidden(dim), 1).bias(),
        )?;
        let branch = conv_norm_lif(net, &format!("{name}.{second}"), hidden, Conv::new(dim, 1).bias())?;
        net.add(&format!("{name}.add"), x, branch)
    }
}

/// What a convolution of a patch embedding has beside its channels: 3x3 unless it is a shortcut.
#[derive(Clone, Copy, Default)]
struct Embed {
    pooled: bool,
    shortcut_stride: Option<usize>,
}

impl Embed {
    /// Max pooling between normalization and neuron.
    fn pooled() -> Self {
        Self { pooled: true, shortcut_stride: None }
    }

    /// 1x1 with a stride.
    fn shortcut(stride: usize) -> Self {
        Self { pooled: false, shortcut_stride: Some(stride) }
    }
}

/// conv-BN-(pooling)-LIF of a patch embedding.
fn embed(net: &mut NetworkBuilder, name: &str, x: NodeId, channels: usize, embed: Embed) -> Result<NodeId> {
    let conv = match embed.shortcut_stride {
        Some(stride) => Conv::new(channels, 1).stride(stride),
        None => Conv::new(channels, 3).pad(1),
    };
    let mut x = net.conv(&format!("{name}_conv"), x, conv.norm(format!("{name}_bn")))?;
    if embed.pooled {
        x = net.max_pool(&format!("{name}_maxpool"), x, POOL)?;
    }
    net.neuron(&format!("{name}_lif"), x, Neuron::lif(1.0))
}

//! Pieces that several families share.

use serde::Deserialize;

use crate::check::in_range;
use crate::error::{Error, Result};
use crate::model::{Conv, NetworkBuilder, Neuron, NodeId, Window};

/// The pooling of all stems.
pub const POOL: Window = Window::square(3, 2, 1);

/// `{prefix}_conv`, `{prefix}_bn`, `{prefix}_lif`, in this order.
pub fn conv_norm_lif(net: &mut NetworkBuilder, prefix: &str, x: NodeId, conv: Conv) -> Result<NodeId> {
    let x = net.conv(&format!("{prefix}_conv"), x, conv.norm(format!("{prefix}_bn")))?;
    net.neuron(&format!("{prefix}_lif"), x, Neuron::lif(1.0))
}

/// `{prefix}_lif`, `{prefix}_conv`, `{prefix}_bn`, in this order.
pub fn lif_conv_norm(net: &mut NetworkBuilder, prefix: &str, x: NodeId, conv: Conv) -> Result<NodeId> {
    let spikes = net.neuron(&format!("{prefix}_lif"), x, Neuron::lif(1.0))?;
    net.conv(&format!("{prefix}_conv"), spikes, conv.norm(format!("{prefix}_bn")))
}

/// Hidden channels of an MLP divided by the channels that it reads, 2.5 for instance.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct MlpRatio(f64);

impl MlpRatio {
    /// Hidden channels of an MLP on `dim` channels, rounded down: `int(dim * mlp_ratio)` of the originals.
    pub fn hidden(self, dim: usize) -> usize {
        (dim as f64 * self.0) as usize
    }
}

/// An MLP on a membrane shortcut: `{name}.{first}` widens `ratio` times, `{name}.{second}` returns.
pub fn membrane_mlp(
    net: &mut NetworkBuilder,
    name: &str,
    [first, second]: [&str; 2],
    ratio: MlpRatio,
    stream: NodeId,
) -> Result<NodeId> {
    let dim = net.shape(stream).channels;
    let hidden =
        lif_conv_norm(net, &format!("{name}.{first}"), stream, Conv::new(ratio.hidden(dim), 1).bias())?;
    let branch = lif_conv_norm(net, &format!("{name}.{second}"), hidden, Conv::new(dim, 1).bias())?;
    net.add(&format!("{name}.add"), stream, branch)
}

/// Smallest `dim` of a family whose stem begins with `dim / 8` channels.
pub const EIGHTH: usize = 8;

/// Refuses blocks that no original builds; `dim` is at least `smallest`.
pub fn check_transformer(
    family: &str,
    (dim, smallest): (usize, usize),
    depth: usize,
    heads: usize,
    mlp_ratio: MlpRatio,
) -> Result<()> {
    let refuse = |field: &str, message: String| Err(Error::mismatch(format!("{family}: {field}: {message}")));
    if !(smallest..=4096).contains(&dim) {
        return refuse("dim", format!("{dim} is not in {smallest}..=4096"));
    }
    if heads == 0 || !dim.is_multiple_of(heads) {
        return refuse("heads", format!("{heads} does not divide dim {dim}"));
    }
    if depth == 0 || depth > 64 {
        return refuse("depth", format!("{depth} is not in 1..=64"));
    }
    let MlpRatio(ratio) = mlp_ratio;
    if !(0.0..=16.0).contains(&ratio) {
        return refuse("mlp_ratio", format!("{ratio:?} is not in 0..=16"));
    }
    if mlp_ratio.hidden(dim) == 0 {
        return refuse("mlp_ratio", format!("{ratio:?} leaves no hidden channel of {dim}"));
    }
    Ok(())
}

pub fn check_range(family: &str, field: &'static str, value: f64, min: f64, max: f64) -> Result<()> {
    in_range(field, value, &(min..=max))
        .map_err(|fault| Error::mismatch(format!("{family}: {}: {}", fault.field, fault.message)))
}

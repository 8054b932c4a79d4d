//! Pieces that several families share.

use crate::error::{Error, Result};
use crate::model::{Conv, NetworkBuilder, Neuron, NodeId, Window};

/// The pooling of all stems.
pub const POOL: Window = Window { size: 3, stride: 2, pad: 1 };

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

/// An MLP on a membrane shortcut: `{name}.{first}` widens `ratio` times, `{name}.{second}` returns.
pub fn membrane_mlp(
    net: &mut NetworkBuilder,
    name: &str,
    [first, second]: [&str; 2],
    ratio: usize,
    stream: NodeId,
) -> Result<NodeId> {
    let dim = net.shape(stream).channels;
    let hidden = lif_conv_norm(net, &format!("{name}.{first}"), stream, Conv::new(dim * ratio, 1).bias())?;
    let branch = lif_conv_norm(net, &format!("{name}.{second}"), hidden, Conv::new(dim, 1).bias())?;
    net.add(&format!("{name}.add"), stream, branch)
}

/// Refuses blocks that no checkpoint has.
pub fn check_transformer(
    family: &str,
    dim: usize,
    depth: usize,
    heads: usize,
    mlp_ratio: usize,
) -> Result<()> {
    let refuse = |field: &str, message: String| Err(Error::mismatch(format!("{family}: {field}: {message}")));
    if dim == 0 || dim > 4096 || !dim.is_multiple_of(8) {
        return refuse("dim", format!("{dim} is not a multiple of 8 in 8..=4096"));
    }
    if heads == 0 || !dim.is_multiple_of(heads) {
        return refuse("heads", format!("{heads} does not divide dim {dim}"));
    }
    if depth == 0 || depth > 64 {
        return refuse("depth", format!("{depth} is not in 1..=64"));
    }
    if mlp_ratio == 0 || mlp_ratio > 16 {
        return refuse("mlp_ratio", format!("{mlp_ratio} is not in 1..=16"));
    }
    Ok(())
}

pub fn check_range(family: &str, field: &str, value: f64, min: f64, max: f64) -> Result<()> {
    match (min..=max).contains(&value) {
        true => Ok(()),
        false => Err(Error::mismatch(format!("{family}: {field}: {value} is not in {min}..={max}"))),
    }
}

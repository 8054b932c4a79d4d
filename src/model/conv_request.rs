//! A weight layer as it is asked of a [`NetworkBuilder`](super::NetworkBuilder).

use super::{Padding, Sides};

/// A convolution to be added.
#[derive(Debug, Clone)]
pub struct Conv {
    pub(super) out_channels: usize,
    pub(super) kernel: Sides,
    pub(super) stride: Sides,
    pub(super) pad: Sides,
    pub(super) dilation: Sides,
    pub(super) groups: usize,
    pub(super) bias: bool,
    pub(super) linear: bool,
    pub(super) flatten: bool,
    pub(super) padding: Padding,
    pub(super) norms: Vec<String>,
    pub(super) layer_scale: Option<String>,
}

impl Conv {
    /// A convolution of this kernel: stride 1, no padding, one group, no bias, no normalization.
    pub fn new(out_channels: usize, kernel: impl Into<Sides>) -> Self {
        let padding = Padding::Zero;
        Self {
            out_channels,
            kernel: kernel.into(),
            stride: 1.into(),
            pad: 0.into(),
            dilation: 1.into(),
            groups: 1,
            bias: false,
            linear: false,
            flatten: false,
            padding,
            norms: Vec::new(),
            layer_scale: None,
        }
    }

    /// A linear layer with a bias.
    pub fn linear(out_features: usize) -> Self {
        Self { linear: true, bias: true, ..Self::new(out_features, 1) }
    }

    /// Makes the convolution one of the whole map: the kernel is as large as the input.
    pub fn flatten(self) -> Self {
        Self { flatten: true, ..self }
    }

    /// With padding `pad` above and below, and on the left and right.
    pub fn pad(self, pad: impl Into<Sides>) -> Self {
        Self { pad: pad.into(), ..self }
    }

    /// With stride `stride`.
    pub fn stride(self, stride: impl Into<Sides>) -> Self {
        Self { stride: stride.into(), ..self }
    }

    /// With taps so many positions apart.
    pub fn dilation(self, dilation: impl Into<Sides>) -> Self {
        Self { dilation: dilation.into(), ..self }
    }

    /// With groups that do not mix.
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// With a bias.
    pub fn bias(self) -> Self {
        Self { bias: true, ..self }
    }

    /// Padded with the folded bias of the layer before.
    pub fn pad_with_bias(self) -> Self {
        Self { padding: Padding::BiasOfInput, ..self }
    }

    /// Followed by the batch normalization `prefix`.
    pub fn norm(mut self, prefix: impl Into<String>) -> Self {
        self.norms.push(prefix.into());
        self
    }

    /// Multiplied at last by the tensor `name`, a factor per output channel.
    pub fn layer_scale(self, name: impl Into<String>) -> Self {
        Self { layer_scale: Some(name.into()), ..self }
    }
}

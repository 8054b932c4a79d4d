//! Windows of poolings.

use super::{ConvGeometry, Sides};

/// A pooling window; padding never wins a maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Rows and columns.
    pub size: Sides,
    /// Steps between windows.
    pub stride: Sides,
    /// Padding above and below, and on the left and right.
    pub pad: Sides,
}

impl Window {
    /// A window of as many rows as columns.
    pub const fn square(size: usize, stride: usize, pad: usize) -> Self {
        Self { size: Sides([size; 2]), stride: Sides([stride; 2]), pad: Sides([pad; 2]) }
    }

    /// Values of a window.
    pub fn values(&self) -> usize {
        self.size.0[0].saturating_mul(self.size.0[1])
    }

    /// Values of a window, or what 32 bits hold of them.
    pub fn count(&self) -> u32 {
        u32::try_from(self.values()).unwrap_or(u32::MAX)
    }

    /// The window as a depthwise convolution over `channels`.
    pub fn geometry(&self, channels: usize) -> ConvGeometry {
        ConvGeometry {
            in_channels: channels,
            out_channels: channels,
            kernel: self.size.0,
            stride: self.stride.0,
            pad: self.pad.0,
            dilation: [1, 1],
            groups: channels,
        }
    }
}

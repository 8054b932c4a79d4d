//! What zeros save on spike lanes: one file per style.

mod chunks;
mod dense;
mod handling;
mod products;
mod scatter;
mod skip;
mod windows;

pub use handling::{MovedSums, Walk, Waves, ZeroHandling};

use crate::hw::Zeros;

/// The style of a description.
pub fn handling(zeros: &Zeros) -> &dyn ZeroHandling {
    match zeros {
        Zeros::Dense => &dense::Dense { gated: false },
        Zeros::Gated => &dense::Dense { gated: true },
        Zeros::Skip => &skip::Skip,
        Zeros::Windows(windows) => windows,
        Zeros::Products(products) => products,
        Zeros::Chunks(chunks) => chunks,
        Zeros::Scatter => &scatter::Scatter,
    }
}

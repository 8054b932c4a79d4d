//! How many bits the spikes of a tensor take in memory.

use crate::exec::{Activity, NodeActivity};
use crate::hw::SpikeEncoding;
use crate::map::{Epilogue, Input, Product};

/// Bits of an address among `values`; the break-even density is one over it.
fn address_bits(values: usize) -> f64 {
    f64::from(values.max(2).next_power_of_two().ilog2())
}

/// Bits relative to a bitmap, of `spikes` in `frames` of `values` each.
fn relative_bits(encoding: SpikeEncoding, spikes: f64, values: usize, frames: f64) -> f64 {
    let addresses = spikes * address_bits(values) / (values as f64 * frames);
    match encoding {
        SpikeEncoding::Bitmap => 1.0,
        SpikeEncoding::Addresses => addresses,
        SpikeEncoding::Shorter => addresses.min(1.0),
    }
}

/// Bits of what `product` reads relative to a bitmap; 1 where it reads no spikes.
pub fn of_input(encoding: SpikeEncoding, product: &Product, activity: &NodeActivity) -> f64 {
    match product.input {
        Input::Spikes if encoding != SpikeEncoding::Bitmap => {
            let spikes = f64::from(activity.total().input_events);
            relative_bits(encoding, spikes, product.input_values, activity.steps.len().max(1) as f64)
        }
        Input::Spikes | Input::Integers { .. } => 1.0,
    }
}

/// Bits of what `epilogue` stores in `frames` relative to a bitmap; 1 where it stores no spikes.
pub fn of_output(encoding: SpikeEncoding, epilogue: &Epilogue, activity: &Activity, frames: f64) -> f64 {
    match epilogue.stored_bits {
        1 if encoding != SpikeEncoding::Bitmap => {
            let spikes = activity.nodes[epilogue.node.index()].total().output_events;
            relative_bits(encoding, f64::from(spikes), epilogue.values, frames)
        }
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_shorter_below_the_break_even_density() {
        // 1,000 values need 10 bits each: 100 spikes of a frame break even.
        assert_eq!([2, 3, 1000, 1024, 1025].map(address_bits), [1.0, 2.0, 10.0, 10.0, 11.0]);
        let of = |encoding, spikes| relative_bits(encoding, spikes, 1000, 2.0);
        assert_eq!(of(SpikeEncoding::Addresses, 200.0), 1.0);
        assert_eq!(of(SpikeEncoding::Addresses, 50.0), 0.25);
        assert_eq!(of(SpikeEncoding::Addresses, 400.0), 2.0);
        assert_eq!((of(SpikeEncoding::Shorter, 50.0), of(SpikeEncoding::Shorter, 400.0)), (0.25, 1.0));
        assert_eq!(of(SpikeEncoding::Bitmap, 50.0), 1.0);
    }
}

//! What units take of a layer.

use super::{Epilogue, Layer, Product};
use crate::error::{Error, Result};
use crate::hw::{Datapath, Hardware};

/// True if `unit` takes weights, inputs and sums of `layer`'s widths.
pub(super) fn takes(unit: &dyn Datapath, layer: &Layer) -> bool {
    layer.product.as_ref().is_none_or(|product| refusal(product, unit).is_none())
}

/// Refuses a layer that no unit takes. 32 bits stand for the float network, which is charged on a datapath of its own
/// width.
pub(super) fn check_units(layer: &Layer, hardware: &Hardware) -> Result<()> {
    let machine = &hardware.name;
    if let Some(product) = &layer.product {
        let refusals: Option<Vec<Refusal>> =
            hardware.product_units().map(|(_, unit)| refusal(product, unit)).collect();
        // What a unit for such layers lacks says more than what others are for.
        if let Some(first) = refusals.and_then(|all| all.into_iter().min_by_key(|refusal| refusal.by_shape)) {
            return Err(Error::mismatch(format!(
                "layer {}: {}, and hardware {machine} takes {}",
                layer.name, first.what, first.takes
            )));
        }
    }
    let undone = |e: &&Epilogue| {
        !hardware.is_whole_chip() && hardware.units.iter().all(|unit| !unit.datapath().does(e.work()))
    };
    match layer.epilogue.iter().find(undone) {
        Some(epilogue) => {
            let message = format!(
                "layer {}: no unit of hardware {machine} does {:?} (units)",
                layer.name,
                epilogue.work()
            );
            Err(Error::mismatch(message))
        }
        None => Ok(()),
    }
}

/// What a unit does not take of a product.
struct Refusal {
    what: String,
    takes: String,
    /// True where it takes no product of that shape, whatever its widths.
    by_shape: bool,
}

/// Why `unit` does not take `product`, if it does not.
fn refusal(product: &Product, unit: &dyn Datapath) -> Option<Refusal> {
    let takes = unit.takes().expect("a unit of products");
    if let Some(takes) = unit.refuses_shape(product.shape()) {
        return Some(Refusal { what: product.shape().to_string(), takes, by_shape: true });
    }
    let (weight, input, sum) = (product.weight.code_bits, product.input.bits(), product.accumulator_bits);
    let refuse = |bits: u32, what: &str, takes: String| {
        Some(Refusal { what: format!("{bits}-bit {what}"), takes, by_shape: false })
    };
    if weight == 32 {
        return None;
    }
    if let Some(decoder) = product.weight.decoder.filter(|&decoder| !unit.decodes(decoder)) {
        let others = unit.decoders().unwrap_or_default().iter().map(|other| format!(", {other}"));
        let takes = format!("two's complement, PowerOfTwo{} (decoders)", others.collect::<String>());
        let what = format!("weights that {decoder} decodes");
        return Some(Refusal { what, takes, by_shape: false });
    }
    if weight > takes.weight_bits {
        return refuse(weight, "weights", format!("up to {} (max_weight_bits)", takes.weight_bits));
    }
    if input > takes.input_bits && product.parts(&takes).is_none() {
        let takes = match takes.input_bits {
            1 => format!("spikes only ({})", takes.inputs),
            bits => format!("up to {bits} ({})", takes.inputs),
        };
        return refuse(input, "inputs", takes);
    }
    match takes.sum_bits {
        Some(widest) if product.parts(&takes).is_none() => {
            let takes = format!(
                "up to {widest} (accumulator_bits); a setting may declare narrower ones (accumulator)"
            );
            refuse(sum, "sums", takes)
        }
        _ => None,
    }
}

//! Weights that a checkpoint stores as codes with scales.

use super::calibration::Rows;
use super::scheme::{Clip, Scale, Sharing, WeightScheme, with_step};
use crate::model::FoldedLayer;

/// Bits of the codes of a classifier whose channels have scales of their own.
const COMMON_BITS: u32 = 16;

/// The codes of `layer` as they are stored, of `bits` bits, and what one of each channel is worth.
///
/// # Errors
/// Says which code has more bits.
pub fn stored_rows(layer: &FoldedLayer, steps: &[f64], bits: u32, fan_in: usize) -> Result<Rows, String> {
    let (mut codes, mut lsbs) = (Vec::with_capacity(layer.weight.len()), Vec::with_capacity(steps.len()));
    for (row, &step) in layer.weight.chunks_exact(fan_in).zip(steps) {
        let row = with_step(row, bits, step)?;
        codes.extend(row.codes);
        lsbs.push(row.lsb);
    }
    Ok(Rows { codes, lsbs, scheme: WeightScheme::Stored { bits } })
}

/// The scheme of a classifier, whose outputs are compared with one another: stored codes as they are where all
/// channels share a scale, and else weights of 16 bits on one scale, which rounds them by half of 2^-15 of the largest.
///
/// # Errors
/// Those of [`stored_rows`].
pub fn of_classifier(
    scheme: WeightScheme,
    layer: &mut FoldedLayer,
    fan_in: usize,
) -> Result<WeightScheme, String> {
    let (WeightScheme::Stored { bits }, Some(steps)) = (scheme, &layer.steps) else {
        return Ok(scheme.per_layer());
    };
    stored_rows(layer, steps, bits, fan_in)?;
    if steps.iter().all(|step| *step == steps[0]) {
        return Ok(scheme);
    }
    layer.steps = None;
    let (scale, granularity, clip) = (Scale::Free, Sharing::Layer, Clip::Max);
    Ok(WeightScheme::Uniform { bits: COMMON_BITS, scale, granularity, clip })
}

//! Accumulators of a declared width, and images on a fixed-point grid, by hand.

use super::by_hand::{TERNARY, clamped};
use super::support::*;

/// Eight pixels are added up by one output of `x`.
fn sum_of_eight(accumulator: &str, pixels: &[u16]) -> (QuantizedModel, Run) {
    let (mut net, image) = NetworkBuilder::new(Shape::new(8, 1, 1), true, 1);
    let x = net.conv("x", image, Conv::new(1, 1).bias()).unwrap();
    let network = finish(net, x);
    let values = tensors(&network, |p| match p.name.as_str() {
        // Three steps at one fraction bit.
        "x.bias" => vec![3.0 / 512.0],
        _ => vec![1.0; p.len()],
    });
    let model = model(network, &[0.0; 8], &values);
    let setting = parsed(&format!(
        "weights: {TERNARY}, membrane_bits: 16, residual_bits: 16, {accumulator}
         layers: [(\"x\", Layer(fraction_bits: 1))]"
    ));
    let quantized = quantize(&model, &setting, &Calibration::new(model.network.nodes.len())).unwrap();
    let run = run::<i32>(&quantized, &image_of(&quantized, pixels));
    (quantized, run)
}

#[test]
fn a_sum_that_does_not_fit_wraps_or_saturates_once() {
    // 8 x 20 = 160, of which 8 bits keep 160 - 256 = -96, or 127; 20 x 2 = 40 fits.
    let full = [20; 8];
    let cases = [
        ("", 160, 0, 12),
        ("accumulator: (bits: 8, overflow: Wrap),", -96, 1, 8),
        ("accumulator: (bits: 8, overflow: SaturateAtWriteback),", 127, 1, 8),
        ("accumulator: (bits: 9, overflow: Wrap),", 160, 0, 9),
        ("accumulator: (bits: 20, overflow: Wrap),", 160, 0, 12),
    ];
    for (accumulator, acc, overflows, bits) in cases {
        let (quantized, run) = sum_of_eight(accumulator, &full);
        let x = find(quantized.network(), "x");
        // The shift and the bias come after the accumulator.
        assert_eq!(run.values[x].data, [2 * acc + 3], "{accumulator}");
        assert_eq!(clamped(&quantized, &run, "x"), [overflows], "{accumulator}");
        assert_eq!(weighted_of(&quantized, "x").accumulator_bits, bits, "{accumulator}");
    }
    let (_, run) = sum_of_eight("accumulator: (bits: 8, overflow: Wrap),", &[20, 0, 20, 0, 0, 0, 0, 0]);
    assert_eq!(run.values[1].data, [2 * 40 + 3]);
}

#[test]
fn a_layer_may_have_an_accumulator_of_its_own() {
    let setting = parsed(
        "weights: UnitFloor(bits: 4), membrane_bits: 8, residual_bits: 16,
         accumulator: (bits: 20, overflow: Wrap),
         layers: [(\"head\", Layer(accumulator: (bits: 12, overflow: SaturateAtWriteback)))]",
    );
    let wrap = Accumulator { bits: 20, overflow: Overflow::Wrap };
    let clamp = Accumulator { bits: 12, overflow: Overflow::SaturateAtWriteback };
    assert_eq!(setting.accumulator_of("stem"), Some(wrap));
    assert_eq!(setting.accumulator_of("head"), Some(clamp));
}

#[test]
fn an_image_on_a_fixed_grid() {
    let (mut net, image) = NetworkBuilder::new(Shape::new(1, 1, 4), true, 1);
    let x = net.conv("x", image, Conv::new(1, 1)).unwrap();
    let network = finish(net, x);
    let values = tensors(&network, |p| vec![1.0; p.len()]);
    // (p/255 - 0.2) / (256/255) = (p - 51)/256, in steps of 1/16: (p - 51)/16.
    let model = model(network, &[0.2], &values);
    let setting = parsed(&format!(
        "weights: {TERNARY}, membrane_bits: 16, residual_bits: 16, input: Fixed(bits: 4, frac: 4),
         layers: [(\"x\", Layer(fraction_bits: 0))]"
    ));
    let quantized = quantize(&model, &setting, &Calibration::new(model.network.nodes.len())).unwrap();
    // -51/16 = -3.19, 24/16 = 1.5 is a tie but for the rounding of 0.2, 44/16 = 2.75, 204/16 beyond 7.
    let run = run::<i32>(&quantized, &image_of(&quantized, &[0, 76, 95, 255]));
    assert_eq!(run.values[0].data, [-3, 2, 3, 7]);
    assert_eq!((quantized.bounds()[0], &quantized.lsbs()[0]), (7, &vec![1.0 / 16.0]));
    // The first layer is one like any other: its weight is not scaled by the deviation.
    assert_eq!(run.values[1].data, run.values[0].data);
    assert_eq!(weighted_of(&quantized, "x").lsb, [1.0 / 16.0]);
}

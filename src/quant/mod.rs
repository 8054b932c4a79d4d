//! From a float model and a setting to a network of integers.
//!
//! ```
//! use spiq::quant::{Precision, Setting};
//!
//! let Precision::Fixed(setting) = Setting::load("w4u8")?.precision else { panic!("integers") };
//! assert_eq!((setting.weights.bits(), setting.membrane_bits), (4, 8));
//! # Ok::<(), spiq::Error>(())
//! ```

mod bounds;
mod calibration;
mod faint;
mod input;
mod kept;
mod neuron;
mod noise;
mod quantized;
mod quantizer;
mod real_layer;
mod scale_rounding;
pub mod scheme;
mod second_order;
mod setting;
mod statistics;
mod stored_rows;

pub use calibration::{Calibration, RoundedLayers};
pub(crate) use input::input_integers;
pub use kept::{KeptIntegers, LayerIntegers};
pub(crate) use neuron::{LOIHI_BITS, LOIHI_INPUT_SHIFT};
pub use neuron::{
    MembraneWord, QuantizedLoihi, QuantizedNeuron, QuantizedReadout, QuantizedReset, per_channel,
};
pub use noise::rounding_noise;
pub use quantized::{QuantizedAdd, QuantizedModel, QuantizedOp, QuantizedTokens, QuantizedWeighted};
pub use quantizer::quantize;
pub(crate) use quantizer::quantize_layerwise;
pub(crate) use real_layer::real_layer;
pub use scale_rounding::rounded_scales;
pub use scheme::{WeightForm, WeightScheme};
pub(crate) use second_order::MAX_FAN_IN;
pub use setting::{FixedPoint, InputCoding, InputMoments, LayerOverride, Precision, Setting, WeightRounding};
pub use statistics::InputStatistics;

//! From a float model and a setting to a network of integers.

mod bounds;
mod calibration;
mod faint;
mod input;
mod quantized;
mod quantizer;
mod real_layer;
pub mod scheme;
mod second_order;
mod setting;
mod statistics;

pub use calibration::Calibration;
pub use input::input_integers;
pub use quantized::{
    LOIHI_BITS, LOIHI_INPUT_SHIFT, MembraneWord, QuantizedAdd, QuantizedLoihi, QuantizedModel,
    QuantizedNeuron, QuantizedOp, QuantizedTokens, QuantizedWeighted,
};
pub use quantizer::{per_channel, quantize, quantize_layerwise};
pub use real_layer::real_layer;
pub use scheme::{WeightForm, WeightScheme};
pub use second_order::MAX_FAN_IN;
pub use setting::{FixedPoint, InputCoding, LayerOverride, Precision, Setting, Wanted, WeightRounding};
pub use statistics::InputStatistics;

use pyo3::prelude::*;
use spiq::quant::{FixedPoint, LayerOverride, Precision, WeightRounding, WeightScheme};

use crate::error::plain;

/// How a network is quantized.
#[pyclass(frozen, module = "spiq._spiq")]
pub struct Setting(pub spiq::quant::Setting);

#[pymethods]
impl Setting {
    /// A shorthand, a built-in setting, or that of a file.
    #[staticmethod]
    fn load(py: Python, spec: &str) -> PyResult<Self> {
        spiq::quant::Setting::load(spec).map(Self).map_err(|e| plain(py, &e))
    }

    /// What `text` says.
    #[staticmethod]
    fn parse(py: Python, text: &str, path: &str) -> PyResult<Self> {
        spiq::quant::Setting::parse(text, path).map(Self).map_err(|e| plain(py, &e))
    }

    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// The text of its file; nothing for the float network.
    fn to_ron(&self) -> Option<String> {
        self.0.to_ron()
    }

    /// The setting for a network whose weights were trained on their grids: the largest weight says the scale, each
    /// weight is rounded by itself, and what ranges would be calibrated for is said, by layer. Nothing for the float
    /// network.
    fn trained(&self, fraction_bits: Vec<(String, u32)>, residual_fraction_bits: u32) -> Option<Self> {
        let Precision::Fixed(fixed) = &self.0.precision else { return None };
        let layer = |(pattern, layer): &(String, LayerOverride)| {
            let weights = layer.weights.map(WeightScheme::unclipped);
            (pattern.clone(), LayerOverride { weights, rounding: None, ..*layer })
        };
        let mut trained: FixedPoint = fixed.clone();
        trained.weights = fixed.weights.unclipped();
        trained.residual_fraction_bits = Some(residual_fraction_bits);
        trained.rounding = WeightRounding::Nearest;
        (trained.bias_correction, trained.rate_matching) = (false, false);
        trained.layers = fixed.layers.iter().map(layer).collect();
        // An override that spoke of rounding alone says nothing any more.
        trained.layers.retain(|(_, layer)| *layer != LayerOverride::default());
        let bits = |bits| LayerOverride { fraction_bits: Some(bits), ..LayerOverride::default() };
        trained.layers.extend(fraction_bits.into_iter().map(|(name, f)| (name, bits(f))));
        Some(Self(spiq::quant::Setting { name: self.0.name.clone(), precision: Precision::Fixed(trained) }))
    }
}

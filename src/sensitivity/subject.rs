use std::sync::Arc;

use crate::error::{Error, Result};
use crate::evaluate::{CALIBRATION_IMAGES, Calibrated, collect_statistics};
use crate::exec::Backend;
use crate::model::{DataSet, Model, Network, NodeId, Op, Sample};
use crate::quant::{
    Calibration, FixedPoint, InputMoments, LayerOverride, Precision, QuantizedModel, Setting,
};

/// Calibration images that measures look at, at most.
const BATCH: usize = 64;

/// What one layer may become: other weights, or other membranes of the neurons up to the next layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The shorthand.
    pub name: String,
    layer: LayerOverride,
}

impl Choice {
    /// Parses `4`, which is `w4`, a shorthand of weights such as `pot3` or `w3+gptq`, or `u4`: membranes of 4 bits.
    ///
    /// # Errors
    /// If it is none, or says more than how weights become codes.
    pub fn parse(text: &str) -> Result<Self> {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let name = if plain { format!("w{text}") } else { text.to_owned() };
        let refuse = || {
            let message = "is no choice of weights or membranes, as 4, pot3, w3+gptq or u4";
            Error::mismatch(format!("--bits: {text:?} {message}"))
        };
        if let Some(bits) = text.strip_prefix('u') {
            let bits: u32 = bits.parse().ok().filter(|bits| (2..=32).contains(bits)).ok_or_else(refuse)?;
            let layer = LayerOverride { membrane_bits: Some(bits), ..LayerOverride::default() };
            return Ok(Self { name: format!("u{bits}"), layer });
        }
        let Precision::Fixed(fixed) = Setting::from_shorthand(&name)?.ok_or_else(refuse)?.precision else {
            return Err(refuse());
        };
        let layer = LayerOverride {
            weights: Some(fixed.weights),
            rounding: Some(fixed.rounding),
            ..LayerOverride::default()
        };
        let says_more = name.contains('u') || fixed.bias_correction || fixed.rate_matching;
        if says_more { Err(refuse()) } else { Ok(Self { name, layer }) }
    }

    /// True for membranes.
    pub fn is_of_membranes(&self) -> bool {
        self.layer.membrane_bits.is_some()
    }
}

/// The base setting with one layer, or the membranes behind it, changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The weight layer.
    pub node: NodeId,
    /// Name of the layer.
    pub layer: String,
    /// Index of its choice.
    pub choice: usize,
    /// The whole setting.
    pub setting: FixedPoint,
}

/// A network, its base setting, and every way to change one layer of it.
pub struct Subject {
    base: FixedPoint,
    choices: Vec<Choice>,
    candidates: Vec<Candidate>,
    calibrated: Calibrated,
    batch: Vec<Sample>,
    images: Vec<Sample>,
    labels: Vec<u32>,
    engine: Backend,
}

impl Subject {
    /// Reads and calibrates: ranges and measures on the first validation images of `data`, accuracy on up to
    /// `limit` of those behind them, or of all where there are no more. Test images are not looked at.
    ///
    /// # Errors
    /// If images are not what the model looks at, or the data have no validation part.
    pub fn new(
        model: Arc<Model>,
        data: &DataSet,
        base: FixedPoint,
        choices: Vec<Choice>,
        limit: usize,
    ) -> Result<Self> {
        let held_out = data.validation_of("a measure of sensitivity looks at")?;
        let all = held_out.len();
        let first = if all > CALIBRATION_IMAGES { CALIBRATION_IMAGES } else { 0 };
        let measured = first..all.min(first + limit);
        let candidates = candidates(&model, &base, &choices);
        let calibrated = Calibrated::new(model, data, held_out, &|| ())?;
        for setting in std::iter::once(&base).chain(candidates.iter().map(|candidate| &candidate.setting)) {
            calibrated.prepare(setting)?;
        }
        let samples = |range: std::ops::Range<usize>| range.map(|i| held_out.sample(i)).collect();
        let batch: Result<_> = samples(0..all.min(CALIBRATION_IMAGES).min(BATCH));
        let (batch, images): (_, Result<_>) = (batch?, samples(measured.clone()));
        let labels = held_out.labels[measured].to_vec();
        let engine = Backend::default();
        let images = images?;
        Ok(Self { base, choices, candidates, calibrated, batch, images, labels, engine })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        self.calibrated.model()
    }

    /// The setting of all layers but one.
    pub fn base(&self) -> &FixedPoint {
        &self.base
    }

    /// What each layer may become.
    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// Every layer with every choice, layer by layer.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Calibration images that measures look at.
    pub fn batch(&self) -> &[Sample] {
        &self.batch
    }

    /// Images that accuracy is measured on.
    pub fn images(&self) -> &[Sample] {
        &self.images
    }

    /// Classes of the images.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// What executes integers.
    pub fn engine(&self) -> Backend {
        self.engine
    }

    /// The network of integers that `setting` makes.
    ///
    /// # Errors
    /// If it does not fit the model.
    pub fn quantize(&self, setting: &FixedPoint) -> Result<QuantizedModel> {
        self.calibrated.quantize(setting)
    }

    /// What the inputs of every weight layer do on the calibration images.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn statistics(&self, wanted: InputMoments) -> Result<Calibration> {
        let model = self.model();
        let mut known = Calibration::new(model.network.nodes.len());
        let all = |_: &str| Some(wanted);
        collect_statistics(model, self.calibrated.validation().images(), self.base.input, &all, &mut known)?;
        Ok(known)
    }
}

/// Every layer with every choice, layer by layer.
pub(super) fn candidates(model: &Model, base: &FixedPoint, choices: &[Choice]) -> Vec<Candidate> {
    let layers = model.network.weighted();
    let candidates = layers.flat_map(|(node, layer, _)| {
        let names = move |what: &Choice| {
            if what.is_of_membranes() {
                neurons_behind(&model.network, node)
            } else {
                vec![layer.name.as_str()]
            }
        };
        let candidate = move |(choice, what): (usize, &Choice)| Candidate {
            node,
            layer: layer.name.clone(),
            choice,
            setting: names(what).into_iter().fold(base.clone(), |s, name| s.with_layer(name, what.layer)),
        };
        choices.iter().enumerate().map(candidate)
    });
    candidates.collect()
}

/// Names of the neurons between weight layer `id` and the next one.
fn neurons_behind(network: &Network, id: NodeId) -> Vec<&str> {
    let behind = network.nodes[id.index() + 1..].iter();
    let unit = behind.take_while(|node| !matches!(node.op, Op::Weighted(_)));
    unit.filter(|node| matches!(node.op, Op::Neuron(_))).map(|node| node.name.as_str()).collect()
}

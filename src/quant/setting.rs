use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::KeptIntegers;
use super::scheme::WeightScheme;
use crate::check::{ACCUMULATOR_BITS, FRACTION_BITS, MEMBRANE_BITS, in_range};
use crate::error::{Error, Fault, Result};
use crate::files::{Folder, MAX_WEIGHTS};
use crate::model::{Model, Network, Node, Op};
use crate::name::{matches, plain_number};
use crate::num::{Accumulator, LevelSet};
use crate::ron_file::{parse_ron, to_ron};

/// A quantization setting: what a user chooses per network, and per layer where wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// What reports call it.
    pub name: String,
    /// Float or fixed point.
    pub precision: Precision,
}

/// Number system of a setting.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Precision {
    /// The float network.
    Float32,
    /// Fixed point.
    Fixed(FixedPoint),
}

/// A fixed-point setting, as `models/settings/*.ron` spell it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "Setting")]
pub struct FixedPoint {
    /// What messages call it: a file, or a shorthand.
    #[serde(skip)]
    path: String,
    /// What reports call it.
    #[serde(deserialize_with = "crate::name::title")]
    name: String,
    /// Weights of every layer that `layers` does not name.
    pub weights: WeightScheme,
    /// Bits of a membrane potential, 2..=32.
    pub membrane_bits: u32,
    /// Bits of the residual stream, 4..=24.
    pub residual_bits: u32,
    /// Fraction bits of the residual stream, 0..=24; without, as many as leave room for twice the
    /// calibrated magnitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residual_fraction_bits: Option<u32>,
    /// What the integers of an image are.
    #[serde(default)]
    pub input: InputCoding,
    /// Accumulators of every weight layer that `layers` does not name; without, as wide as proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accumulator: Option<Accumulator>,
    /// Bits of activations between two weight layers without a neuron between, 4..=16.
    #[serde(default = "default_activation_bits")]
    pub activation_bits: u32,
    /// How weights become codes in every layer that `layers` does not name.
    #[serde(default)]
    pub rounding: WeightRounding,
    /// True for biases that make up for the mean error of the rounded weights on calibration images.
    #[serde(default)]
    pub bias_correction: bool,
    /// True for thresholds, per channel, with which neurons fire as often on calibration images as those of the
    /// float network.
    #[serde(default)]
    pub rate_matching: bool,
    /// Overrides by name, or by prefix with a `*` at the end; the last that matches wins.
    #[serde(default)]
    pub layers: Vec<(String, LayerOverride)>,
    /// Files beside this one: the integers that calibration or training made of models at this setting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    integers: Vec<String>,
    /// What those files hold.
    #[serde(skip)]
    kept: Vec<Kept>,
}

/// Integers of a setting; one whose fields were changed since has no use for them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kept {
    of: FixedPoint,
    integers: Arc<KeptIntegers>,
}

/// How weights become codes, at the scale and among the levels of their scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum WeightRounding {
    /// Each weight by itself.
    #[default]
    Nearest,
    /// Weights of an output together, so that its error on calibration images is small. A scale that is searched
    /// (`Mse`, powers of two) is the best for that error, too. Schemes that do not round to nearest are left alone.
    SecondOrder,
}

/// What a layer's integers depend on beside ranges: what its inputs did on calibration images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InputMoments {
    /// The mean of every input.
    Means,
    /// The mean of every input, and the mean products of any two.
    Products,
}

/// What the integers of an image are; event counts and integers are used as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum InputCoding {
    /// Pixel minus zero point: the image is not rounded at all.
    #[default]
    ZeroPoint,
    /// The normalized pixel on a fixed-point grid.
    Fixed {
        /// Word width, 2..=16.
        bits: u32,
        /// Bits behind the binary point, 0..=16.
        frac: u32,
    },
}

fn default_activation_bits() -> u32 {
    16
}

/// What a layer has of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "Layer", default)]
pub struct LayerOverride {
    /// Weights, of a weight layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightScheme>,
    /// Membrane bits, of a neuron layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membrane_bits: Option<u32>,
    /// Fraction bits of the pre-activation, of a weight layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fraction_bits: Option<u32>,
    /// Accumulator, of a weight layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accumulator: Option<Accumulator>,
    /// Rounding, of a weight layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounding: Option<WeightRounding>,
}

impl Precision {
    /// This precision without its name in messages and reports: the integers stay.
    pub(crate) fn unnamed(&self) -> Self {
        match self {
            Self::Float32 => Self::Float32,
            Self::Fixed(fixed) => Self::Fixed(FixedPoint { kept: fixed.kept.clone(), ..fixed.as_asked() }),
        }
    }
}

impl Setting {
    /// A shorthand (`fp32`, `w8`, `w4u8`, `pot3`, `floor8`, `int8`, `apot4`), the name of a default setting file, or
    /// the path of one.
    pub fn load(spec: &str) -> Result<Self> {
        if let Some(setting) = Self::from_shorthand(spec)? {
            return Ok(setting);
        }
        let (folder, file) = Folder::locate("models/settings", spec).map_err(|e| {
            let meant = meant(spec).map_or_else(String::new, |meant| format!("is {meant} meant? "));
            Error::mismatch(format!("{e}; {meant}{}", shorthands()))
        })?;
        let mut setting = Self::parse(&folder.read_text(&file)?, &folder.path(&file))?;
        if let Precision::Fixed(fixed) = &mut setting.precision {
            fixed.read_integers(&folder)?;
        }
        Ok(setting)
    }

    /// The setting that `spec` is a shorthand of, if it is one.
    ///
    /// # Errors
    /// If its numbers make no sense.
    pub fn from_shorthand(spec: &str) -> Result<Option<Self>> {
        let precision = match FixedPoint::from_shorthand(spec) {
            Some(fixed) => {
                fixed.check().map_err(|fault| fault.at(spec))?;
                Precision::Fixed(fixed)
            }
            None if spec == "fp32" => Precision::Float32,
            None => return Ok(None),
        };
        Ok(Some(Self { name: spec.to_owned(), precision }))
    }

    /// Parses and checks the text of a setting file, without the files of integers that it names; `path` is for
    /// messages.
    ///
    /// # Errors
    /// If it is no setting, or its numbers make no sense.
    pub fn parse(text: &str, path: &str) -> Result<Self> {
        Self::of(FixedPoint { path: path.to_owned(), ..parse_ron(text, path)? })
    }

    /// A fixed-point setting that was put together.
    ///
    /// # Errors
    /// If its numbers make no sense.
    pub fn of(fixed: FixedPoint) -> Result<Self> {
        fixed.check().map_err(|fault| fault.at(&fixed.path))?;
        Ok(Self { name: fixed.name.clone(), precision: Precision::Fixed(fixed) })
    }

    /// The text of a setting file that says the same; `None` for the float network, which has none.
    pub fn to_ron(&self) -> Option<String> {
        match &self.precision {
            Precision::Float32 => None,
            Precision::Fixed(fixed) => Some(to_ron(fixed, 3)),
        }
    }
}

impl FixedPoint {
    /// `<scheme><bits>[u<membrane bits>][+mse][+gptq][+bias][+rate]`, the scheme as
    /// [`WeightScheme::from_shorthand`] reads it.
    fn from_shorthand(spec: &str) -> Option<Self> {
        let (name, (spec, options)) =
            (spec, spec.split_once('+').map_or((spec, None), |(s, o)| (s, Some(o))));
        let options = Options::parse(options)?;
        let (word, membrane) = spec.rsplit_once('u').unwrap_or((spec, "16"));
        let weights = WeightScheme::from_shorthand(word, options.mse)?;
        Some(Self {
            rounding: options.rounding,
            bias_correction: options.bias_correction,
            rate_matching: options.rate_matching,
            ..Self::uniform(name, weights, plain_number(membrane)?)
        })
    }

    /// A setting with these weights and membranes in every layer, and what a file that says no more means; messages
    /// and reports call it `name`.
    pub fn uniform(name: &str, weights: WeightScheme, membrane_bits: u32) -> Self {
        Self {
            path: name.to_owned(),
            name: name.to_owned(),
            weights,
            membrane_bits,
            residual_bits: 16,
            residual_fraction_bits: None,
            input: InputCoding::ZeroPoint,
            accumulator: None,
            activation_bits: default_activation_bits(),
            rounding: WeightRounding::Nearest,
            bias_correction: false,
            rate_matching: false,
            layers: Vec::new(),
            integers: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// The setting with the integers of `file`, which stands beside it.
    pub fn keeping(&self, file: &str) -> Self {
        Self { integers: vec![file.to_owned()], kept: Vec::new(), ..self.clone() }
    }

    /// Reads the files of integers that it names in `folder`.
    fn read_integers(&mut self, folder: &Folder) -> Result<()> {
        let read = |file: &String| {
            let path = folder.path(file);
            let integers = KeptIntegers::parse(&folder.read(file, MAX_WEIGHTS)?, &path)?;
            let of: Self = parse_ron(integers.setting(), &format!("{path}: setting"))?;
            Ok(Kept { of: of.as_asked(), integers: Arc::new(integers) })
        };
        self.kept = self.integers.iter().map(read).collect::<Result<_>>()?;
        Ok(())
    }

    /// The integers that are kept of `model` at this setting, as it is now.
    pub fn kept_of(&self, model: &Model) -> Option<&KeptIntegers> {
        let is_own = |kept: &&Kept| kept.integers.are_of(model) && kept.of == self.as_asked();
        self.kept.iter().find(is_own).map(|kept| &*kept.integers)
    }

    /// What a reader must know of the integers that are kept, or not, of `model`.
    pub fn kept_note(&self, model: &Model) -> Option<String> {
        match (self.kept_of(model), &self.integers[..]) {
            (Some(kept), _) => Some(format!("integers are those of {}", kept.path())),
            (None, []) => None,
            (None, [first, ..]) => {
                Some(format!("{first} is of another model or setting: integers are made anew"))
            }
        }
    }

    /// What it asks for: without what it is called, and what is kept of it.
    pub(crate) fn as_asked(&self) -> Self {
        let (path, name, integers, kept) = Default::default();
        Self { path, name, integers, kept, ..self.clone() }
    }

    /// Text of the setting without what is kept of it, for a file of integers.
    pub(crate) fn asked_text(&self) -> String {
        let (integers, kept) = Default::default();
        to_ron(&Self { integers, kept, ..self.clone() }, 3)
    }

    fn check(&self) -> Result<(), Fault> {
        in_range("membrane_bits", self.membrane_bits, &MEMBRANE_BITS)?;
        in_range("residual_bits", self.residual_bits, &(4..=24))?;
        in_range("residual_fraction_bits", self.residual_fraction_bits.unwrap_or(0), &(0..=24))?;
        in_range("activation_bits", self.activation_bits, &(4..=16))?;
        if let InputCoding::Fixed { bits, frac } = self.input {
            in_range("input: bits", bits, &(2..=16))?;
            in_range("input: frac", frac, &(0..=16))?;
        }
        let accumulator_bits = |declared: Option<Accumulator>| declared.map_or(32, |a| a.bits);
        in_range("accumulator: bits", accumulator_bits(self.accumulator), &ACCUMULATOR_BITS)?;
        self.weights.check().map_err(|m| Fault::new("weights", m))?;
        for (pattern, layer) in &self.layers {
            let field = |name: &str| format!("layers: {pattern}: {name}");
            if let Some(weights) = &layer.weights {
                weights.check().map_err(|m| Fault::new(field("weights"), m))?;
            }
            in_range(field("membrane_bits"), layer.membrane_bits.unwrap_or(16), &MEMBRANE_BITS)?;
            in_range(field("fraction_bits"), layer.fraction_bits.unwrap_or(0), &FRACTION_BITS)?;
            in_range(field("accumulator: bits"), accumulator_bits(layer.accumulator), &ACCUMULATOR_BITS)?;
        }
        Ok(())
    }

    /// This setting, with what `layer` says for the layer `name`.
    pub fn with_layer(&self, name: &str, layer: LayerOverride) -> Self {
        let mut setting = self.clone();
        setting.layers.push((name.to_owned(), layer));
        setting
    }

    /// Refuses an override that matches no layer, or none that it says something of.
    pub fn check_names(&self, network: &Network) -> Result<()> {
        for (pattern, layer) in &self.layers {
            let says = |node: &Node| match node.op {
                Op::Weighted(_) => {
                    layer.weights.is_some()
                        || layer.fraction_bits.is_some()
                        || layer.accumulator.is_some()
                        || layer.rounding.is_some()
                }
                Op::Neuron(_) => layer.membrane_bits.is_some(),
                _ => false,
            };
            if !network.nodes.iter().any(|node| matches(pattern, &node.name) && says(node)) {
                let message = "matches no layer of the model that this override could change";
                return Err(Error::field(&self.path, format!("layers: {pattern}"), message));
            }
        }
        Ok(())
    }

    /// Weights of the layer `name`.
    pub fn weights_of(&self, name: &str) -> WeightScheme {
        self.last_override(name, |layer| layer.weights).unwrap_or(self.weights)
    }

    /// Membrane bits of the neuron layer `name`.
    pub fn membrane_bits_of(&self, name: &str) -> u32 {
        self.last_override(name, |layer| layer.membrane_bits).unwrap_or(self.membrane_bits)
    }

    /// Fraction bits of the layer `name`, if the setting fixes them.
    pub(crate) fn fraction_bits_of(&self, name: &str) -> Option<u32> {
        self.last_override(name, |layer| layer.fraction_bits)
    }

    /// The declared accumulator of the layer `name`, if the setting has one.
    pub fn accumulator_of(&self, name: &str) -> Option<Accumulator> {
        self.last_override(name, |layer| layer.accumulator).or(self.accumulator)
    }

    /// Rounding of the weights of the layer `name`.
    pub(crate) fn rounding_of(&self, name: &str) -> WeightRounding {
        self.last_override(name, |layer| layer.rounding).unwrap_or(self.rounding)
    }

    /// What the integers of the weight layer `name` need to know of its inputs, if anything.
    pub(crate) fn wanted_of(&self, name: &str) -> Option<InputMoments> {
        let scheme = self.weights_of(name);
        match self.rounding_of(name) {
            WeightRounding::SecondOrder if scheme.rounds_to_nearest() => Some(InputMoments::Products),
            _ => (self.bias_correction && !scheme.is_exact()).then_some(InputMoments::Means),
        }
    }

    /// True if integers of `model` depend on more than ranges, and are not kept.
    pub fn needs_images(&self, model: &Model) -> bool {
        let wants = |node: &Node| self.wanted_of(&node.name).is_some();
        let depends = self.rate_matching || model.network.weighted().any(|(_, node, _)| wants(node));
        depends && self.kept_of(model).is_none()
    }

    fn last_override<T>(&self, name: &str, get: impl Fn(&LayerOverride) -> Option<T>) -> Option<T> {
        self.layers
            .iter()
            .rev()
            .filter(|(pattern, _)| matches(pattern, name))
            .find_map(|(_, layer)| get(layer))
    }
}

/// What one may write after `--quant` that names no file.
fn shorthands() -> String {
    let sets = LevelSet::ALL.iter().map(|set| {
        let [first, last] = [*set.widths().start(), *set.widths().end()].map(|bits| set.shorthand(bits));
        if first == last { first } else { format!("{first} to {last}") }
    });
    format!(
        "shorthands are fp32, w2 to w16, pot2 to pot5, floor2 to floor16, int2 to int16 (weights that are integers \
         already), {}, each with u2 to u32 for membrane bits, as in w4u8, and any of +mse, +gptq, +bias, +rate, in this \
         order",
        sets.collect::<Vec<_>>().join(", ")
    )
}

/// The shorthand with the numbers of `spec` and the scheme that its letters tell: `w8` for `8bit`, `INT-8` or `W8`,
/// `w4u8` for `w4a8`.
fn meant(spec: &str) -> Option<String> {
    let spec = spec.to_ascii_lowercase();
    let numbers: Vec<&str> =
        spec.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty()).collect();
    let scheme = ["pot", "floor"].into_iter().find(|scheme| spec.contains(scheme)).unwrap_or("w");
    let candidate = match numbers[..] {
        _ if spec.starts_with('f') && scheme == "w" => "fp32".to_owned(),
        [bits] => format!("{scheme}{bits}"),
        [bits, membrane] => format!("{scheme}{bits}u{membrane}"),
        _ => return None,
    };
    matches!(Setting::from_shorthand(&candidate), Ok(Some(_))).then_some(candidate)
}

/// What a shorthand adds, in this order and each at most once.
#[derive(Default)]
struct Options {
    mse: bool,
    rounding: WeightRounding,
    bias_correction: bool,
    rate_matching: bool,
}

impl Options {
    fn parse(options: Option<&str>) -> Option<Self> {
        let mut found = Self::default();
        let mut rest = options.into_iter().flat_map(|options| options.split('+')).peekable();
        let mut next = |name: &str| rest.next_if(|option| *option == name).is_some();
        found.mse = next("mse");
        if next("gptq") {
            found.rounding = WeightRounding::SecondOrder;
        }
        found.bias_correction = next("bias");
        found.rate_matching = next("rate");
        rest.next().is_none().then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scheme::Clip;
    use super::*;

    fn fixed(spec: &str) -> FixedPoint {
        match Setting::load(spec).unwrap().precision {
            Precision::Fixed(fixed) => fixed,
            Precision::Float32 => panic!("{spec} is float"),
        }
    }

    #[test]
    fn shorthands() {
        assert_eq!((fixed("w4u8").weights.bits(), fixed("w4u8").membrane_bits), (4, 8));
        assert_eq!((fixed("w8").weights.bits(), fixed("w8").membrane_bits), (8, 16));
        assert!(matches!(fixed("pot3").weights, WeightScheme::PowerOfTwo { bits: 3, .. }));
        assert!(matches!(fixed("floor5").weights, WeightScheme::UnitFloor { bits: 5 }));
        assert_eq!(Setting::load("fp32").unwrap().precision, Precision::Float32);
    }

    /// What is written reads as what it was, up to what messages call it.
    #[test]
    fn settings_survive_being_written() {
        let overridden = "Setting(name: \"x\", weights: Uniform(bits: 4, scale: Pow2, granularity: Layer, \
            clip: Mse), membrane_bits: 8, residual_bits: 12, residual_fraction_bits: 3, input: Fixed(bits: 5, frac: 2), \
            accumulator: (bits: 20, overflow: Wrap), bias_correction: true, layers: [(\"a*\", Layer(membrane_bits: 5)), \
            (\"head\", Layer(weights: UnitFloor(bits: 3), rounding: SecondOrder))])";
        let built_in = ["mixed", "w2-calibrated", "w4u8", "pot3", "floor8", "int8", "w3+mse+gptq+bias+rate"];
        let settings = built_in.map(|spec| Setting::load(spec).unwrap());
        for setting in settings.into_iter().chain([Setting::parse(overridden, "x.ron").unwrap()]) {
            let text = setting.to_ron().unwrap();
            let Precision::Fixed(fixed) = setting.precision else { panic!("{} is float", setting.name) };
            let again = Setting::parse(&text, &fixed.path).unwrap();
            // Files of integers are read with the folder, not with the text.
            assert_eq!(again.precision, Precision::Fixed(FixedPoint { kept: Vec::new(), ..fixed }), "{text}");
        }
        assert_eq!(Setting::load("fp32").unwrap().to_ron(), None);
    }

    #[test]
    fn options_of_shorthands() {
        let all = fixed("w3u8+mse+gptq+bias+rate");
        assert!(matches!(all.weights, WeightScheme::Uniform { bits: 3, clip: Clip::Mse, .. }));
        assert_eq!((all.membrane_bits, all.rounding), (8, WeightRounding::SecondOrder));
        assert!(all.bias_correction && all.rate_matching);
        let none = fixed("w3");
        assert_eq!((none.rounding, none.wanted_of("x")), (WeightRounding::Nearest, None));
        let wanted = |spec: &str| fixed(spec).wanted_of("x");
        assert_eq!(wanted("floor8+gptq+bias"), Some(InputMoments::Means));
        assert_eq!(wanted("pot3+gptq"), Some(InputMoments::Products));
        assert_eq!(["int8+gptq+bias", "w3+rate"].map(wanted), [None, None]);
        // One order, each once, and clipping only where there is a choice.
        for spec in ["w3+bias+gptq", "w3+bias+bias", "pot3+mse", "floor8+mse", "w3+", "w3+all", "fp32+bias"] {
            assert!(Setting::load(spec).is_err(), "{spec}");
        }
    }

    #[test]
    fn the_last_override_that_matches_wins() {
        let text = r#"Setting(name: "s", weights: UnitFloor(bits: 8), membrane_bits: 16, residual_bits: 16, layers: [
            ("block.*", Layer(weights: UnitFloor(bits: 4), membrane_bits: 8)),
            ("block.1.*", Layer(weights: UnitFloor(bits: 2))),
        ])"#;
        let Precision::Fixed(s) = Setting::parse(text, "s.ron").unwrap().precision else { panic!() };
        assert_eq!(["stem", "block.0.x", "block.1.x"].map(|n| s.weights_of(n).bits()), [8, 4, 2]);
        assert_eq!(["stem", "block.0.x", "block.1.x"].map(|n| s.membrane_bits_of(n)), [16, 8, 8]);
    }

    #[test]
    fn refuses_widths_that_make_no_sense() {
        let message = |spec: &str| Setting::load(spec).unwrap_err().to_string();
        assert_eq!(message("w1"), "w1: weights: 1 bits are not in 2..=16");
        assert_eq!(message("pot6"), "pot6: weights: 6 bits are not in 2..=5");
        assert_eq!(message("w4u99"), "w4u99: membrane_bits: 99 is not in 2..=32");
    }

    #[test]
    fn words_that_are_nearly_shorthands() {
        for (spec, expected) in [
            ("8bit", Some("w8")),
            ("W4", Some("w4")),
            ("4", Some("w4")),
            ("INT8", Some("w8")),
            ("uint4", Some("w4")),
            ("w4a8", Some("w4u8")),
            ("W4U8", Some("w4u8")),
            ("PoT-3", Some("pot3")),
            ("floor 8", Some("floor8")),
            ("fp16", Some("fp32")),
            ("float", Some("fp32")),
            ("w40", None),
            ("mixd", None),
            ("1.5.2", None),
            ("99999999999", None),
        ] {
            assert_eq!(meant(spec).as_deref(), expected, "{spec}");
        }
        let message = Setting::load("8bit").unwrap_err().to_string();
        assert!(message.contains("; is w8 meant? shorthands are fp32, w2 to w16"), "{message}");
    }
}

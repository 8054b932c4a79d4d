//! The integers that calibration or training made of a network, kept in a file beside the setting that they are of:
//! whoever loads it needs neither images nor minutes.

use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::scheme::WeightScheme;
use super::{QuantizedModel, QuantizedOp};
use crate::error::{Error, Result};
use crate::files::sha256;
use crate::model::{Model, Node};
use crate::ron_file::{parse_ron, to_ron};

/// What the metadata of a file stands under.
const KEY: &str = "spiq";
/// The one version that is written and read.
const VERSION: u32 = 1;
/// No potential reaches further: bounds are below 2^46, and there are at most 64 timesteps.
const MAX_THRESHOLD: u64 = 1 << 53;
/// The tensor of ranges.
const RANGES: &str = "ranges";

/// Integers of one setting and one checkpoint.
#[derive(Debug, Clone)]
pub struct KeptIntegers {
    /// For messages.
    path: String,
    /// SHA-256 of the file.
    sha256: String,
    /// [`Model::identity`].
    model_sha256: String,
    /// Text of the setting.
    setting: String,
    /// Per node, the largest magnitude that it yielded on calibration images.
    ranges: Vec<f64>,
    layers: BTreeMap<String, LayerIntegers>,
    /// Per neuron layer: per channel, or one for all.
    thresholds: BTreeMap<String, Vec<i64>>,
}

/// Integers of one weight layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerIntegers {
    /// `[out][in / groups][tap]`.
    pub codes: Vec<i32>,
    /// `[out]`, at `fraction_bits`.
    pub bias: Vec<i64>,
    /// Bits that a sum of codes is shifted by.
    pub fraction_bits: u32,
    /// `[out]`: the value of one step of the shifted sum.
    pub lsb: Vec<f64>,
    /// Base of the levels, where the layer chose one.
    pub base: Option<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    version: u32,
    model_sha256: String,
    setting: String,
}

/// Files of equal bytes are equal.
impl PartialEq for KeptIntegers {
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}

impl Eq for KeptIntegers {}

impl Hash for KeptIntegers {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sha256.hash(state);
    }
}

impl KeptIntegers {
    /// Bytes of a safetensors file with the integers that the setting whose text is `setting` made of `model`, whose
    /// nodes have these `ranges`: `docs/formats.md` lists its tensors.
    pub(crate) fn to_bytes(
        model: &Model,
        setting: &str,
        ranges: &[f64],
        quantized: &QuantizedModel,
    ) -> Vec<u8> {
        let mut tensors: Vec<(String, Dtype, Vec<u8>)> =
            vec![(RANGES.to_owned(), Dtype::F64, floats(ranges))];
        for (node, op) in model.network.nodes.iter().zip(quantized.ops()) {
            let mut add =
                |what: &str, dtype, bytes| tensors.push((format!("{}.{what}", node.name), dtype, bytes));
            match op {
                QuantizedOp::Weighted(op) => {
                    let (dtype, codes) = narrowest(&op.codes);
                    add("codes", dtype, codes);
                    add("bias", Dtype::I64, integers(&op.bias));
                    add("fraction_bits", Dtype::I64, integers(&[i64::from(op.fraction_bits)]));
                    add("lsb", Dtype::F64, floats(&op.lsb));
                    if let Some(base) = op.scheme.base() {
                        add("base", Dtype::I64, integers(&[base.into()]));
                    }
                }
                QuantizedOp::Neuron(op) => add("thresholds", Dtype::I64, integers(&op.thresholds)),
                _ => {}
            }
        }
        let (model_sha256, setting) = (model.identity(), setting.to_owned());
        let about = to_ron(&About { version: VERSION, model_sha256, setting }, 1);
        let views = tensors.iter().map(|(name, dtype, bytes)| {
            let count = bytes.len() / (dtype.bitsize() / 8);
            (name, TensorView::new(*dtype, vec![count], bytes).expect("bytes of the shape"))
        });
        // One entry, so that the order of a hash table decides nothing.
        safetensors::serialize(views, Some(HashMap::from([(KEY.to_owned(), about)])))
            .expect("names are unique")
    }

    /// Reads a file; `path` is for messages.
    ///
    /// # Errors
    /// Names what is not as `docs/formats.md` says.
    pub fn parse(bytes: &[u8], path: &str) -> Result<Self> {
        let wrong = |field: &str, message: String| Error::field(path, field, message);
        let unreadable =
            |e: safetensors::SafeTensorError| wrong("header", format!("not a safetensors file: {e}"));
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(unreadable)?;
        let about = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let about =
            about.ok_or_else(|| wrong("metadata", format!("{KEY}: missing: no integers of a setting")))?;
        let about: About = parse_ron(about, &format!("{path}: metadata: {KEY}"))?;
        if about.version != VERSION {
            let message = format!("{}, and this spiq reads version {VERSION}", about.version);
            return Err(wrong("metadata: version", message));
        }
        let mut kept = Self {
            path: path.to_owned(),
            sha256: sha256([bytes]),
            model_sha256: about.model_sha256,
            setting: about.setting,
            ranges: Vec::new(),
            layers: BTreeMap::new(),
            thresholds: BTreeMap::new(),
        };
        // The library lists tensors in any order.
        let by_name: BTreeMap<&str, TensorView> = tensors.iter().collect();
        for (name, view) in &by_name {
            kept.add(name, view, &by_name).map_err(|message| wrong(name, message))?;
        }
        Ok(kept)
    }

    /// Takes one tensor in; those of a weight layer with its codes.
    fn add(&mut self, name: &str, view: &TensorView, all: &BTreeMap<&str, TensorView>) -> Result<(), String> {
        if name == RANGES {
            self.ranges = to_floats(view)?;
            return match self.ranges.iter().all(|range| *range >= 0.0) {
                true => Ok(()),
                false => Err("a range is below 0".to_owned()),
            };
        }
        let Some((layer, what)) = name.rsplit_once('.') else { return Err("unknown".to_owned()) };
        match what {
            "codes" => {
                let tensor = |what: &str| {
                    let name = format!("{layer}.{what}");
                    all.get(&*name).ok_or_else(|| format!("without {name}"))
                };
                let wide = to_integers(tensor("fraction_bits")?)?;
                let [fraction_bits] = wide[..] else { return Err("more than one fraction_bits".to_owned()) };
                let fraction_bits = u32::try_from(fraction_bits).map_err(|_| "fraction_bits below 0")?;
                let narrow = |code: i64| i32::try_from(code).map_err(|_| format!("{code} is no code"));
                let codes = to_integers(view)?.into_iter().map(narrow).collect::<Result<_, String>>()?;
                let of = |what: &str, message: String| format!("its {what}: {message}");
                let bias = to_integers(tensor("bias")?).map_err(|m| of("bias", m))?;
                let lsb = to_floats(tensor("lsb")?).map_err(|m| of("lsb", m))?;
                if lsb.iter().any(|lsb| *lsb <= 0.0) {
                    return Err("a step of its sums is not above 0".to_owned());
                }
                let base = all.get(&*format!("{layer}.base")).map(base).transpose()?;
                self.layers.insert(layer.to_owned(), LayerIntegers { codes, bias, fraction_bits, lsb, base });
            }
            "thresholds" => {
                self.thresholds.insert(layer.to_owned(), to_integers(view)?);
            }
            "bias" | "lsb" | "fraction_bits" | "base" if all.contains_key(&*format!("{layer}.codes")) => {}
            _ => return Err("unknown".to_owned()),
        }
        Ok(())
    }

    /// Text of the setting that they are of.
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// True if they are of `model`.
    pub fn are_of(&self, model: &Model) -> bool {
        self.model_sha256 == model.identity()
    }

    /// Per node, the largest magnitude that it yielded on calibration images.
    pub fn ranges(&self) -> &[f64] {
        &self.ranges
    }

    /// Refuses integers that are not of the nodes of `model`.
    ///
    /// # Errors
    /// Names the file and the layer.
    pub fn check(&self, model: &Model) -> Result<()> {
        let nodes = model.network.nodes.len();
        if self.ranges.len() != nodes {
            let message = format!("{} of {nodes} nodes", self.ranges.len());
            return Err(Error::field(&self.path, RANGES, message));
        }
        let known = |name: &String| model.network.nodes.iter().any(|node| node.name == *name);
        match self.layers.keys().chain(self.thresholds.keys()).find(|name| !known(name)) {
            Some(name) => Err(Error::field(&self.path, name, "no such layer")),
            None => Ok(()),
        }
    }

    /// Integers of the weight layer `node`, whose codes are levels of `scheme`.
    ///
    /// # Errors
    /// Names the file, the layer and what is not of it.
    pub fn layer(&self, node: &Node, scheme: WeightScheme) -> Result<&LayerIntegers> {
        let wrong = |message: String| Err(Error::field(&self.path, &node.name, message));
        let Some(layer) = self.layers.get(&node.name) else { return wrong("no codes".to_owned()) };
        if layer.lsb.len() != node.shape.channels {
            return wrong(format!("{} steps of {} channels", layer.lsb.len(), node.shape.channels));
        }
        let at_base = scheme.with_base(layer.base.or(scheme.base()));
        if let Err(message) = at_base.check() {
            return wrong(message);
        }
        if !at_base.open_bases().is_empty() {
            return wrong("no base of its levels".to_owned());
        }
        match layer.codes.iter().find(|&&code| !at_base.has_level(code)) {
            Some(code) => wrong(format!("{code} is no level of its {} bits", scheme.bits())),
            None => Ok(layer),
        }
    }

    /// The thresholds of the neuron layer `node`.
    ///
    /// # Errors
    /// Names the file and the layer that has none, or others than it may have.
    pub fn thresholds(&self, node: &Node) -> Result<&[i64]> {
        let wrong = |message: String| Err(Error::field(&self.path, &node.name, message));
        let Some(found) = self.thresholds.get(&node.name) else { return wrong("no thresholds".to_owned()) };
        let channels = node.shape.channels;
        if found.len() != 1 && found.len() != channels {
            return wrong(format!("{} thresholds of {channels} channels", found.len()));
        }
        match found.iter().find(|threshold| threshold.unsigned_abs() > MAX_THRESHOLD) {
            Some(threshold) => wrong(format!("a threshold of {threshold} is beyond 53 bits")),
            None => Ok(found),
        }
    }

    /// For messages.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// The base that a tensor holds.
fn base(view: &TensorView) -> Result<u8, String> {
    let wide = to_integers(view).map_err(|message| format!("its base: {message}"))?;
    match wide[..] {
        [base] => u8::try_from(base).map_err(|_| format!("its base: {base} is none")),
        _ => Err(format!("its base: {} values, expected 1", wide.len())),
    }
}

fn floats(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn integers(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// The fewest bytes that hold all of `codes`.
fn narrowest(codes: &[i32]) -> (Dtype, Vec<u8>) {
    let bytes: Option<Vec<u8>> = codes.iter().map(|&c| i8::try_from(c).ok().map(|c| c as u8)).collect();
    match bytes {
        Some(bytes) => (Dtype::I8, bytes),
        None => (Dtype::I32, codes.iter().flat_map(|c| c.to_le_bytes()).collect()),
    }
}

fn to_floats(view: &TensorView) -> Result<Vec<f64>, String> {
    if view.dtype() != Dtype::F64 {
        return Err(format!("{:?}, expected F64", view.dtype()));
    }
    let values: Vec<f64> =
        view.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight bytes"))).collect();
    if values.iter().all(|x| x.is_finite()) { Ok(values) } else { Err("a value is not finite".to_owned()) }
}

fn to_integers(view: &TensorView) -> Result<Vec<i64>, String> {
    let data = view.data();
    Ok(match view.dtype() {
        Dtype::I8 => data.iter().map(|&b| i64::from(b as i8)).collect(),
        Dtype::I32 => {
            let wide = |b: &[u8]| i64::from(i32::from_le_bytes(b.try_into().expect("four bytes")));
            data.chunks_exact(4).map(wide).collect()
        }
        Dtype::I64 => {
            data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().expect("eight bytes"))).collect()
        }
        other => return Err(format!("{other:?}, expected I8, I32 or I64")),
    })
}

//! The parameters that a network reads from a checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use safetensors::Dtype;

use super::{
    Checkpoint, ClassToken, Decay, LearnedTokens, Network, Node, Op, Parameter, Selection, StoredTensor,
    Weighted, fit, threshold_name,
};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// The parameters of a network by name: finite, of the right shapes.
#[derive(Debug)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor<f32>>,
    /// Per weight layer that is stored as codes, what one is worth: per output channel.
    scales: BTreeMap<String, Vec<f32>>,
    /// The file that they are from, for messages.
    path: String,
    /// What a reader of results must know of them: conversions to single precision, made-up values.
    pub notes: Vec<String>,
}

/// The parameters of one weight layer.
#[derive(Debug)]
pub struct LayerWeights<'a> {
    /// `[out][in / groups][tap]`.
    pub weight: &'a [f32],
    /// `[out]`.
    pub bias: Option<&'a [f32]>,
    /// The normalizations that follow, in order.
    pub norms: Vec<BatchNorm<'a>>,
    /// `[out]`: the factor behind all of that.
    pub layer_scale: Option<&'a [f32]>,
    /// `[out]`: what one code is worth, where the weights are stored as codes.
    pub scales: Option<&'a [f32]>,
}

/// A batch normalization in evaluation mode; every slice is `[out]`.
#[derive(Debug)]
pub struct BatchNorm<'a> {
    /// gamma
    pub weight: &'a [f32],
    /// beta
    pub bias: &'a [f32],
    /// Running mean.
    pub mean: &'a [f32],
    /// Running variance, not negative.
    pub variance: &'a [f32],
}

impl Weights {
    /// Reads a checkpoint that holds what `network` reads; `path` is for messages.
    ///
    /// # Errors
    /// Names every kind of misfit of a checkpoint that is not of this network, or the tensor whose
    /// values make no sense.
    pub fn parse(bytes: &[u8], path: &str, network: &Network) -> Result<Self> {
        Self::parse_selected(bytes, path, network, &Selection::default())
    }

    /// [`Weights::parse`] of the tensors that `selection` takes.
    ///
    /// # Errors
    /// Those of [`Weights::parse`], and if there are no tensors where `selection` looks.
    pub(crate) fn parse_selected(
        bytes: &[u8],
        path: &str,
        network: &Network,
        selection: &Selection,
    ) -> Result<Self> {
        let checkpoint = Checkpoint::open_at(bytes, path, selection.key.as_deref())?.fit_names(network);
        if let Some(misfits) = fit::misfits(&checkpoint, network, selection.ignore_extra) {
            let read = checkpoint.notes.iter().map(|note| format!("; {note}")).collect::<String>();
            return Err(Error::field(path, "tensors", format!("do not fit the model: {misfits}{read}")));
        }
        let mut tensors = BTreeMap::new();
        let mut dtypes = Vec::new();
        let mut integers = BTreeSet::new();
        for parameter in network.parameters() {
            if let Some(stored) = checkpoint.get(&parameter.name) {
                let data = values(stored, &parameter.name)
                    .map_err(|message| Error::field(path, &parameter.name, message))?;
                if INTEGERS.contains(&stored.dtype) {
                    integers.insert(parameter.name.clone());
                }
                tensors.insert(parameter.name, Tensor::new(parameter.shape, data));
                dtypes.push(stored.dtype);
            }
        }
        let mut notes = conversions(dtypes);
        notes.extend(fit::extra_note(&checkpoint, network));
        notes.extend(checkpoint.notes);
        Self { tensors, scales: BTreeMap::new(), path: path.to_owned(), notes }.with_codes(network, &integers)
    }

    /// Weights of `network` that are stored as codes become codes times scales; `integers` are tensors that hold
    /// codes already.
    fn with_codes(mut self, network: &Network, integers: &BTreeSet<String>) -> Result<Self> {
        for (_, node, weighted) in network.weighted() {
            let Some(stored) = &weighted.stored else { continue };
            let name = format!("{}.weight", node.name);
            let scales = stored.parameter(&node.name, weighted.geometry.out_channels);
            let scales = scales.map(|scales| self.tensors[&scales.name].data.as_slice());
            let (weight, fan_in) = (&self.tensors[&name], weighted.geometry.fan_in());
            let found = stored
                .dequantize(&weight.data, fan_in, scales, integers.contains(&name))
                .map_err(|message| Error::field(&self.path, &name, message))?;
            let weight = Tensor::new(weight.shape.clone(), found.weight);
            self.tensors.insert(name, weight);
            self.scales.insert(node.name.clone(), found.scales);
        }
        Ok(self)
    }

    /// Parameters of `network` that the program made, and what a reader of results must know of them.
    ///
    /// # Panics
    /// If weights that are stored as codes have scales that are none.
    pub fn made(network: &Network, tensors: BTreeMap<String, Tensor<f32>>, notes: Vec<String>) -> Self {
        let path = "weights that were made".to_owned();
        let made = Self { tensors, scales: BTreeMap::new(), path, notes };
        made.with_codes(network, &BTreeSet::new()).expect("scales above 0")
    }

    /// Weights of `tensors`, in the place of those that they were made of.
    pub fn with_tensors(&self, tensors: BTreeMap<String, Tensor<f32>>) -> Self {
        Self { tensors, scales: BTreeMap::new(), path: self.path.clone(), notes: self.notes.clone() }
    }

    /// What is wrong with weights that make a network exceed single precision: names the largest of them.
    pub fn overflow(&self, message: &str) -> Error {
        let values =
            self.tensors.iter().flat_map(|(name, tensor)| tensor.data.iter().map(move |x| (name, x)));
        match values.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())) {
            Some((name, value)) => {
                Error::field(&self.path, name, format!("holds {value:e}, the largest of all, and {message}"))
            }
            None => Error::field(&self.path, "tensors", message),
        }
    }

    /// All parameters, in order of their names.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Tensor<f32>)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The values of `parameter`.
    ///
    /// # Panics
    /// If it is not of the network that these weights were read for.
    pub fn values(&self, parameter: &Parameter) -> &[f32] {
        &self.tensors[&parameter.name].data
    }

    /// What multiplies the threshold of the neurons `node`, per channel; `None` where nothing does.
    ///
    /// # Panics
    /// If `node` is not of the network that these weights were read for.
    pub fn thresholds(&self, node: &Node) -> Option<&[f32]> {
        match node.op {
            Op::Neuron(neuron) if neuron.per_channel => Some(&self.tensors[&threshold_name(&node.name)].data),
            _ => None,
        }
    }

    /// The leak of the membranes of `node`, of every channel or one for all.
    ///
    /// # Panics
    /// If `node` is not of the network that these weights were read for.
    pub(crate) fn decays(&self, node: &Node) -> Vec<Decay> {
        self.leaks(node).expect("checked when the weights were read")
    }

    /// Refuses time constants of the membranes of `network` that none can have.
    ///
    /// # Errors
    /// Names the tensor that says one.
    pub(crate) fn check_leaks(&self, network: &Network) -> Result<()> {
        network.nodes.iter().try_for_each(|node| self.leaks(node).map(|_| ()))
    }

    fn leaks(&self, node: &Node) -> Result<Vec<Decay>> {
        let Some(leak) = node.op.leak() else { return Ok(Vec::new()) };
        let Some(parameter) = leak.parameter(&node.name, node.shape.channels) else {
            return Ok(vec![leak.stated()]);
        };
        let values = self.values(&parameter).iter();
        let decays: Result<_, String> = values.map(|&value| leak.decay(value)).collect();
        decays.map_err(|message| Error::field(&self.path, &parameter.name, message))
    }

    /// What the class token `node` brings along.
    ///
    /// # Panics
    /// If `node` is not of the network that these weights were read for.
    pub(crate) fn class_token(&self, node: &Node, token: &ClassToken) -> LearnedTokens {
        let values = |name: &String| self.tensors[name].data.as_slice();
        LearnedTokens::new(values(&node.name), token.positions.as_ref().map(values))
    }

    /// The parameters of the weight layer `node`.
    ///
    /// # Panics
    /// If `node` is not of the network that these weights were read for.
    pub fn layer(&self, node: &Node, weighted: &Weighted) -> LayerWeights<'_> {
        let get = |name: String| self.tensors[&name].data.as_slice();
        let norm = |prefix: &String| BatchNorm {
            weight: get(format!("{prefix}.weight")),
            bias: get(format!("{prefix}.bias")),
            mean: get(format!("{prefix}.running_mean")),
            variance: get(format!("{prefix}.running_var")),
        };
        LayerWeights {
            weight: get(format!("{}.weight", node.name)),
            bias: weighted.bias.then(|| get(format!("{}.bias", node.name))),
            norms: weighted.norms.iter().map(norm).collect(),
            layer_scale: weighted.layer_scale.clone().map(get),
            scales: self.scales.get(&node.name).map(Vec::as_slice),
        }
    }
}

/// Types of codes.
const INTEGERS: [Dtype; 4] = [Dtype::I8, Dtype::U8, Dtype::I16, Dtype::I32];

/// The values of the parameter `name`, which are finite.
fn values(stored: &StoredTensor, name: &str) -> Result<Vec<f32>, String> {
    let values = stored.values()?;
    if let Some(i) = values.iter().position(|x| !x.is_finite()) {
        return Err(format!("value {i} is {}", values[i]));
    }
    if name.ends_with(".running_var") && values.iter().any(|&x| x < 0.0) {
        return Err("a variance is negative".to_owned());
    }
    if name.ends_with(".threshold") && values.iter().any(|&x| x <= 0.0) {
        return Err("a threshold is not positive".to_owned());
    }
    Ok(values)
}

/// One note per type of values that was converted; integers are the same in single precision.
fn conversions(dtypes: Vec<Dtype>) -> Vec<String> {
    let mut counts: BTreeMap<Dtype, usize> = BTreeMap::new();
    dtypes.iter().for_each(|&dtype| *counts.entry(dtype).or_default() += 1);
    let same = |dtype: &Dtype| *dtype == Dtype::F32 || INTEGERS.contains(dtype);
    let converted = counts.iter().filter(|(dtype, _)| !same(dtype));
    let note = |(dtype, &count): (&Dtype, &usize)| {
        if count == dtypes.len() {
            format!("weights converted from {dtype} to F32")
        } else {
            format!("{count} of {} weight tensors converted from {dtype} to F32", dtypes.len())
        }
    };
    converted.map(note).collect()
}

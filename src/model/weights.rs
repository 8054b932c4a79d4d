//! Checkpoints in safetensors, checked against what the network reads.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors};

use super::{Network, Node, Op, Parameter, Weighted};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// The parameters of a network by name: finite, of the right shapes.
#[derive(Debug)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor<f32>>,
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
    /// Reads a safetensors file that holds what `network` reads; `path` is for messages.
    pub fn parse(bytes: &[u8], path: &str, network: &Network) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes)
            .map_err(|e| Error::field(path, "header", format!("not a safetensors file: {e}")))?;
        let wanted = network.parameters();
        check_names(&file, path, &wanted, &network.unused)?;
        let mut tensors = BTreeMap::new();
        for parameter in wanted {
            let tensor = read_tensor(&file, path, &parameter)?;
            tensors.insert(parameter.name, tensor);
        }
        Ok(Self { tensors })
    }

    /// Parameters made up by the program.
    pub fn from_tensors(tensors: BTreeMap<String, Tensor<f32>>) -> Self {
        Self { tensors }
    }

    /// All parameters, in order of their names.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Tensor<f32>)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// What multiplies the threshold of the neurons `node`, per channel; `None` where nothing does.
    ///
    /// # Panics
    /// If `node` is not of the network that these weights were read for.
    pub fn thresholds(&self, node: &Node) -> Option<&[f32]> {
        match node.op {
            Op::Neuron(neuron) if neuron.per_channel => Some(&self.tensors[&node.threshold_name()].data),
            _ => None,
        }
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
        }
    }
}

/// Every missing and every unexpected key in one message.
fn check_names(file: &SafeTensors, path: &str, wanted: &[Parameter], unused: &[Parameter]) -> Result<()> {
    let present = file.names();
    let missing: Vec<_> =
        wanted.iter().map(|p| p.name.as_str()).filter(|n| !present.iter().any(|p| p == n)).collect();
    let known = |name: &str| {
        name.ends_with(".num_batches_tracked") || wanted.iter().chain(unused).any(|p| p.name == name)
    };
    let mut unexpected: Vec<_> = present.iter().filter(|n| !known(n)).map(|n| &**n).collect();
    unexpected.sort();
    let mut problems = Vec::new();
    for (what, names) in [("missing", missing), ("unexpected", unexpected)] {
        if let Some(first) = names.first() {
            let more = if names.len() > 1 { format!(" and {} more", names.len() - 1) } else { String::new() };
            problems.push(format!("{what} {first}{more}"));
        }
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::field(path, "tensors", format!("do not fit the model: {}", problems.join("; ")))),
    }
}

fn read_tensor(file: &SafeTensors, path: &str, parameter: &Parameter) -> Result<Tensor<f32>> {
    let refuse = |message: String| Err(Error::field(path, &parameter.name, message));
    let view = match file.tensor(&parameter.name) {
        Ok(view) => view,
        Err(e) => return refuse(e.to_string()),
    };
    if view.dtype() != Dtype::F32 {
        return refuse(format!("dtype {:?}, expected F32", view.dtype()));
    }
    let mut shape = view.shape().to_vec();
    while shape.len() > parameter.shape.len() && shape.last() == Some(&1) {
        shape.pop();
    }
    let mut expected = parameter.shape.clone();
    expected.resize(shape.len().max(expected.len()), 1);
    if shape != expected {
        return refuse(format!("shape {:?}, expected {:?}", view.shape(), parameter.shape));
    }
    let data: Vec<f32> =
        view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    if let Some(i) = data.iter().position(|x| !x.is_finite()) {
        return refuse(format!("value {i} is {}", data[i]));
    }
    if parameter.name.ends_with(".running_var") && data.iter().any(|&x| x < 0.0) {
        return refuse("a variance is negative".to_owned());
    }
    Ok(Tensor::new(shape, data))
}

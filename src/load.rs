//! Loads models: descriptions, and the weights that they name. Random weights are scaled by what the network does
//! with them, so that this stands above what executes networks.
//!
//! ```
//! let model = spiq::load::model("sdtv1_2-64_fashion")?;
//! assert_eq!(model.network.parameter_count(), 163_650);
//! # Ok::<(), spiq::Error>(())
//! ```

use std::path::Path;

use crate::check::{TIMESTEPS, in_range};
use crate::error::{Error, Result};
use crate::exec::seeded_weights;
use crate::files::{self, Folder, MAX_WEIGHTS, sha256};
use crate::model::{
    Family, Model, ModelDescription, Network, Selection, WeightSource, Weights, fuse, name_lookalikes,
    neurons_assumed,
};

/// Loads `spec`: the name of a default, or a path to a `.ron` file.
///
/// # Errors
/// Names the file, and the position, field or tensor that is wrong.
pub fn model(spec: &str) -> Result<Model> {
    model_with(spec, None, &Selection::default(), None)
}

/// Loads `spec` as [`model`] does. Weights of `checkpoint`, if one is given, replace those that the description
/// names; `selection` says which of its tensors are read. With `timesteps` the network has that many.
///
/// # Errors
/// Those of [`model`], and if `selection` chooses among random weights, or the network cannot have so many timesteps.
pub fn model_with(
    spec: &str,
    checkpoint: Option<&Path>,
    selection: &Selection,
    timesteps: Option<usize>,
) -> Result<Model> {
    let described = ModelDescription::load(spec)?;
    let own = described.0.timesteps;
    let Some(timesteps) = timesteps.filter(|&timesteps| timesteps != own) else {
        return described_model(described, checkpoint, selection);
    };
    let mut model = described_model(at(described, spec, timesteps)?, checkpoint, selection)?;
    let note = format!("runs {timesteps} timesteps; its description has {own}");
    model.weights.notes.push(note);
    Ok(model)
}

type Described = (ModelDescription, Network, Folder);

/// The network of a description that says another number of timesteps.
fn at((description, _, folder): Described, spec: &str, timesteps: usize) -> Result<Described> {
    in_range("timesteps", timesteps, &TIMESTEPS).map_err(|fault| fault.at(spec))?;
    let description = ModelDescription { timesteps, ..description };
    let network = description.network(spec)?;
    Ok((description, network, folder))
}

fn described_model(
    (description, network, folder): Described,
    checkpoint: Option<&Path>,
    selection: &Selection,
) -> Result<Model> {
    // Neurons of built-in weights are known.
    let is_trained_here = checkpoint.is_none() && matches!(folder, Folder::Bundled(_));
    let (bytes, path) = match (checkpoint, &description.weights) {
        (Some(file), _) => (files::read(file, MAX_WEIGHTS)?.into(), file.display().to_string()),
        (None, WeightSource::File(file)) => (folder.read(file, MAX_WEIGHTS)?, folder.path(file)),
        (None, WeightSource::Seeded(_)) if *selection != Selection::default() => {
            return Err(Error::mismatch(format!(
                "--checkpoint-key, --ignore-extra: the weights of {} are random; --weights names a checkpoint",
                description.name
            )));
        }
        (None, &WeightSource::Seeded(seed)) => return random(description, network, seed),
    };
    let model = read_checkpoint(description, network, &bytes, &path, selection)?;
    Ok(if is_trained_here { model } else { with_neurons_noted(model) })
}

/// The model of `description`, whose network is `network`, with random weights of `seed`.
///
/// # Errors
/// If layers that are fused to run do not build apart.
pub fn random(description: ModelDescription, network: Network, seed: u64) -> Result<Model> {
    with_weights(description, network, |description, network| Ok(seeded(description, network, seed)))
}

/// The model of `description`, whose network is `network`, with the weights of the checkpoint `bytes`, as
/// `selection` says; `path` is what messages call it.
///
/// # Errors
/// Names the tensor that is wrong, or how the checkpoint does not fit the network.
pub fn with_checkpoint(
    description: ModelDescription,
    network: Network,
    bytes: &[u8],
    path: &str,
    selection: &Selection,
) -> Result<Model> {
    read_checkpoint(description, network, bytes, path, selection).map(with_neurons_noted)
}

/// `model` with a note of the neurons that its checkpoint does not know; a network that is written out says its own.
fn with_neurons_noted(mut model: Model) -> Model {
    if !matches!(model.description.family, Family::Layers(_)) {
        model.weights.notes.extend(neurons_assumed(&model.network, &model.description.neurons));
    }
    model
}

fn read_checkpoint(
    description: ModelDescription,
    network: Network,
    bytes: &[u8],
    path: &str,
    selection: &Selection,
) -> Result<Model> {
    with_weights(description, network, |description, network| {
        parse(bytes, path, description, network, selection)
    })
}

/// `read` yields the weights of the network as checkpoints hold it, and their hash.
fn with_weights(
    description: ModelDescription,
    network: Network,
    read: impl Fn(&ModelDescription, &Network) -> Result<(Weights, String)>,
) -> Result<Model> {
    let (weights, sha256) = match description.unfused() {
        Some(unfused) => {
            let stored = unfused.network(&description.name)?;
            let (weights, sha256) = read(&unfused, &stored)?;
            (fuse(&stored, &weights, &network), sha256)
        }
        None => read(&description, &network)?,
    };
    weights.check_leaks(&network)?;
    Ok(Model { description, network, weights, sha256 })
}

fn parse(
    bytes: &[u8],
    path: &str,
    description: &ModelDescription,
    network: &Network,
    selection: &Selection,
) -> Result<(Weights, String)> {
    let weights = Weights::parse_selected(bytes, path, network, selection)
        .map_err(|error| name_lookalikes(error, bytes, network, description, selection))?;
    Ok((weights, sha256([bytes])))
}

/// Numbers whose bytes are copied for the hash at a time.
const HASHED_AT_ONCE: usize = 1 << 12;

fn seeded(description: &ModelDescription, network: &Network, seed: u64) -> (Weights, String) {
    let weights = seeded_weights(network, &description.input, seed);
    let bytes = |data: &[f32]| -> Vec<u8> { data.iter().flat_map(|x| x.to_le_bytes()).collect() };
    let data = weights.tensors().flat_map(|(_, tensor)| tensor.data.chunks(HASHED_AT_ONCE));
    let hash = sha256(data.map(bytes));
    (weights, hash)
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::{Dtype, TensorView, serialize};

    use super::*;
    use crate::model::Op;

    const LAYERS: &str = "Model(name: \"x\", family: Layers([Conv(name: \"c\", out_channels: 2, kernel: 1), \
                          Neuron(name: \"c_lif\", leak: Parametric(decay_input: true)), MeanTokens(name: \"m\"), \
                          Linear(name: \"head\", out_features: 2), MeanTimesteps(name: \"t\")]), input: Image(shape: (3, \
                          4, 4), mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], bits: 8), timesteps: 2, classes: 2, \
                          weights: Seeded(1))";

    fn gains(model: &Model) -> Vec<f64> {
        let neuron = model.network.nodes.iter().find(|node| matches!(node.op, Op::Neuron(_))).unwrap();
        model.weights.decays(neuron).into_iter().map(|decay| decay.gain).collect()
    }

    /// `text` with the values `learned` in the tensor `tensor` of its weights.
    fn learned(text: &str, tensor: &str, learned: &[f32]) -> Result<Model> {
        let description = ModelDescription::parse(text, "x").unwrap();
        let network = description.network("x").unwrap();
        let seeded = random(description.clone(), network.clone(), 1).unwrap();
        let bytes = |name: &str, data: &[f32]| -> Vec<u8> {
            let values = if name == tensor { learned } else { data };
            values.iter().flat_map(|x| x.to_le_bytes()).collect()
        };
        let tensors = seeded.weights.tensors();
        let all: Vec<_> = tensors.map(|(name, t)| (name, t.shape.clone(), bytes(name, &t.data))).collect();
        assert!(all.iter().any(|(name, ..)| *name == tensor));
        let views = all
            .iter()
            .map(|(name, shape, bytes)| (*name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
        let file = serialize(views, None).unwrap();
        with_checkpoint(description, network, &file, "file", &Selection::default())
    }

    /// 1 / sigmoid(w) = 1 + e^-w.
    #[test]
    fn a_time_constant_is_read_from_its_checkpoint() {
        let description = ModelDescription::parse(LAYERS, "x").unwrap();
        let network = description.network("x").unwrap();
        assert_eq!(gains(&random(description, network, 1).unwrap()), [2.0]);
        let found = gains(&learned(LAYERS, "c_lif.w", &[2f32.ln()]).unwrap());
        assert!((found[0] - 1.5).abs() < 1e-7, "{found:?}");
        assert_eq!(
            learned(LAYERS, "c_lif.w", &[-12.0]).unwrap_err().to_string(),
            "file: c_lif.w: a time constant tau of 162755.79141900392 is not above 1 and at most 65536"
        );
    }

    /// 1 / (1 - beta), of two channels; without a decay of the input nothing is gained, and betas are clamped.
    #[test]
    fn leaks_of_channels_are_read_from_their_checkpoint() {
        let with = |leak: &str| LAYERS.replace("Parametric(decay_input: true)", leak);
        let tau = with("Parametric(of: Tau, per_channel: true, decay_input: true)");
        assert_eq!(gains(&learned(&tau, "c_lif.tau", &[1.5, 4.0]).unwrap()), [1.5, 4.0]);
        let beta = with("Parametric(of: Beta, per_channel: true, decay_input: true)");
        assert_eq!(gains(&learned(&beta, "c_lif.beta", &[0.5, 0.75]).unwrap()), [2.0, 4.0]);
        let kept = with("Parametric(of: Beta, per_channel: true, decay_input: false)");
        let model = learned(&kept, "c_lif.beta", &[-0.5, 1.5]).unwrap();
        let node = model.network.nodes.iter().find(|node| matches!(node.op, Op::Neuron(_))).unwrap();
        let factors: Vec<f64> = model.weights.decays(node).into_iter().map(|d| d.keep.factor()).collect();
        assert_eq!(factors, [0.0, 1.0]);
        for (text, tensor, message) in [
            (
                &tau,
                "c_lif.tau",
                "file: c_lif.tau: a time constant tau of 1.0 is not above 1 and at most 65536",
            ),
            (&beta, "c_lif.beta", "file: c_lif.beta: a leak that keeps 1.0 decays its input to nothing"),
        ] {
            assert_eq!(learned(text, tensor, &[1.0, 1.0]).unwrap_err().to_string(), message);
        }
    }
}

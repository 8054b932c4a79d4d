use std::path::Path;

use super::seeded::seeded_weights;
use crate::error::{Error, Result};
use crate::files::{self, Folder, MAX_WEIGHTS, sha256};
use crate::model::{
    Family, Model, ModelDescription, Network, Selection, WeightSource, Weights, fuse, name_lookalikes,
    neurons_assumed,
};

impl Model {
    /// Loads `spec`: the name of a default, or a path to a `.ron` file. Seeded weights are made by
    /// running the network once.
    ///
    /// # Errors
    /// Names the file, and the position, field or tensor that is wrong.
    pub fn load(spec: &str) -> Result<Self> {
        Self::load_selected(spec, None, &Selection::default())
    }

    /// As [`Model::load`], with the weights of `checkpoint`, where there is one, for those that the description
    /// names; of a checkpoint, `selection` says which tensors are read.
    ///
    /// # Errors
    /// As [`Model::load`], and if `selection` chooses among random weights.
    pub fn load_selected(spec: &str, checkpoint: Option<&Path>, selection: &Selection) -> Result<Self> {
        let (description, network, folder) = ModelDescription::load(spec)?;
        let loaded = Self::with_weights(description, network, |description, network| {
            let parse = |bytes: &[u8], path: &str| parse(bytes, path, description, network, selection);
            match (checkpoint, &description.weights) {
                (Some(file), _) => parse(&files::read(file, MAX_WEIGHTS)?, &file.display().to_string()),
                (None, WeightSource::File(file)) => {
                    parse(&folder.read(file, MAX_WEIGHTS)?, &folder.path(file))
                }
                (None, WeightSource::Seeded(_)) if *selection != Selection::default() => {
                    Err(Error::mismatch(format!(
                        "--checkpoint-key, --ignore-extra: the weights of {} are random; --weights names a checkpoint",
                        description.name
                    )))
                }
                (None, WeightSource::Seeded(seed)) => Ok(seeded(description, network, *seed)),
            }
        });
        let mut model = loaded?;
        // Of weights that are built in the neurons are known, and a network that is written out says its own.
        let trained_here = checkpoint.is_none() && matches!(folder, Folder::Bundled(_));
        let random = checkpoint.is_none() && matches!(model.description.weights, WeightSource::Seeded(_));
        if !trained_here && !random && !matches!(model.description.family, Family::Layers(_)) {
            model.weights.notes.extend(neurons_assumed(&model.network));
        }
        Ok(model)
    }

    /// `read` yields the weights of the network as checkpoints hold it, and their hash.
    fn with_weights(
        description: ModelDescription,
        network: Network,
        read: impl Fn(&ModelDescription, &Network) -> Result<(Weights, String)>,
    ) -> Result<Self> {
        let (weights, sha256) = match description.unfused() {
            Some(unfused) => {
                let stored = unfused.network(&description.name)?;
                let (weights, sha256) = read(&unfused, &stored)?;
                (fuse(&stored, &weights, &network), sha256)
            }
            None => read(&description, &network)?,
        };
        Ok(Self { description, network, weights, sha256 })
    }
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

fn seeded(description: &ModelDescription, network: &Network, seed: u64) -> (Weights, String) {
    let weights = seeded_weights(network, &description.input, seed);
    let bytes = |data: &[f32]| -> Vec<u8> { data.iter().flat_map(|x| x.to_le_bytes()).collect() };
    let hash = sha256(weights.tensors().map(|(_, tensor)| bytes(&tensor.data)));
    (weights, hash)
}

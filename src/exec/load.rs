use std::path::Path;

use super::seeded::seeded_weights;
use crate::error::Result;
use crate::files::{self, MAX_WEIGHTS, sha256};
use crate::model::{Model, ModelDescription, Network, WeightSource, Weights, fuse, name_lookalikes};

impl Model {
    /// Loads `spec`: the name of a default, or a path to a `.ron` file. Seeded weights are made by
    /// running the network once.
    ///
    /// # Errors
    /// Names the file, and the position, field or tensor that is wrong.
    pub fn load(spec: &str) -> Result<Self> {
        let (description, network, folder) = ModelDescription::load(spec)?;
        Self::with_weights(description, network, |description, network| match &description.weights {
            WeightSource::File(file) => {
                parse(&folder.read(file, MAX_WEIGHTS)?, &folder.path(file), description, network)
            }
            WeightSource::Seeded(seed) => Ok(seeded(description, network, *seed)),
        })
    }

    /// As [`Model::load`], with the weights of `checkpoint` for those that the description names.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load_checkpoint(spec: &str, checkpoint: &Path) -> Result<Self> {
        let (description, network, _) = ModelDescription::load(spec)?;
        let bytes = files::read(checkpoint, MAX_WEIGHTS)?;
        let path = checkpoint.display().to_string();
        Self::with_weights(description, network, |description, network| {
            parse(&bytes, &path, description, network)
        })
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
) -> Result<(Weights, String)> {
    let weights = Weights::parse(bytes, path, network)
        .map_err(|error| name_lookalikes(error, bytes, network, description))?;
    Ok((weights, sha256([bytes])))
}

fn seeded(description: &ModelDescription, network: &Network, seed: u64) -> (Weights, String) {
    let weights = seeded_weights(network, &description.input, seed);
    let bytes = |data: &[f32]| -> Vec<u8> { data.iter().flat_map(|x| x.to_le_bytes()).collect() };
    let hash = sha256(weights.tensors().map(|(_, tensor)| bytes(&tensor.data)));
    (weights, hash)
}

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::cost::Machine;
use crate::error::{Fault, Result};
use crate::evaluate::CALIBRATION_IMAGES;
use crate::files::sha256;
use crate::model::{DataSet, Images, Model, ModelDescription};

/// What the answers of a search depend on beside its request. Descriptions are compared as they are
/// understood: comments, spaces and the order of fields do not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// Version of this program.
    pub version: String,
    /// SHA-256 of the model's family, and of the layers and neurons that it builds.
    pub network_sha256: String,
    /// Timesteps of the model.
    pub timesteps: usize,
    /// Classes of the model.
    pub classes: usize,
    /// SHA-256 of what the model looks at: shape, normalization, bits.
    pub input_sha256: String,
    /// SHA-256 of the weights.
    pub weights_sha256: String,
    /// SHA-256 of the machine with the tables, memories and parts that its description names.
    pub hardware_sha256: String,
    /// SHA-256 of the validation images and their labels, as the network sees them: those that are looked
    /// at, and those that ranges are calibrated on.
    pub validation_sha256: String,
    /// SHA-256 of the test images and their labels, as the network sees them.
    pub test_sha256: String,
}

impl Identity {
    /// The identity of a search that looks at the first `validation` validation images, and runs what it finds on
    /// `test`.
    ///
    /// # Errors
    /// If an image does not decode.
    pub fn of(
        model: &Model,
        machines: &[Machine],
        data: &DataSet,
        validation: usize,
        test: &Images,
    ) -> Result<Self> {
        // The name is what reports call the model, and weights are known by what they are.
        // Neurons are part of the nodes, and so is how weights are stored.
        let ModelDescription { family, input, timesteps, classes, .. } = &model.description;
        let mut seen = data.validation.clone();
        seen.truncate(validation.max(CALIBRATION_IMAGES.min(seen.len())));
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            network_sha256: sha256([format!("{family:?}{:?}", model.network.nodes)]),
            timesteps: *timesteps,
            classes: *classes,
            input_sha256: sha256([format!("{input:?}")]),
            weights_sha256: model.sha256.clone(),
            hardware_sha256: sha256(machines.iter().map(|machine| format!("{machine:?}"))),
            validation_sha256: digest(&seen)?,
            test_sha256: digest(test)?,
        })
    }

    /// Refuses to go on with the log of a search of something else.
    ///
    /// # Errors
    /// Names everything that has changed since `log` was begun.
    pub fn check(&self, log: &Self) -> Result<(), Fault> {
        let number = |what: &str, now: usize, then: usize| {
            (now != then).then(|| format!("{what} ({then} when the search was begun, {now} now)"))
        };
        let text = |what: &str, now: &str, then: &str| (now != then).then(|| what.to_owned());
        let changed = [
            text("the version of spiq", &self.version, &log.version),
            number("timesteps of the model", self.timesteps, log.timesteps),
            number("classes of the model", self.classes, log.classes),
            text("input of the model (shape, mean, std, bits)", &self.input_sha256, &log.input_sha256),
            text("network of the model (layers, neurons)", &self.network_sha256, &log.network_sha256),
            text("weights", &self.weights_sha256, &log.weights_sha256),
            text("hardware (description, tables, memories)", &self.hardware_sha256, &log.hardware_sha256),
            text("validation images", &self.validation_sha256, &log.validation_sha256),
            text("test images", &self.test_sha256, &log.test_sha256),
        ];
        let changed: Vec<String> = changed.into_iter().flatten().collect();
        if changed.is_empty() {
            Ok(())
        } else {
            let list = changed.join(", ");
            Err(Fault::new("identity", format!("not what the search was begun with: {list}")))
        }
    }
}

/// SHA-256 of the digests of all samples with their labels, in order.
fn digest(images: &Images) -> Result<String> {
    let one = |i: usize| {
        let sample = images.sample(i)?;
        let head = format!("{} {} {:?}\n", images.labels[i], sample.frames, sample.shape);
        let values: Vec<u8> = sample.data.iter().flat_map(|value| value.to_le_bytes()).collect();
        Ok(sha256([head.as_bytes(), &values]))
    };
    let digests = (0..images.len()).into_par_iter().map(one).collect::<Result<Vec<String>>>()?;
    Ok(sha256(digests))
}

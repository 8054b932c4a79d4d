use serde::{Deserialize, Serialize};

use super::{Codes, Network, Op, Scale, StoredCodes};
use crate::error::{Error, Result};
use crate::name::matches;

/// What a description says of the weights of a checkpoint; of several entries that name a layer, the last one holds.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename = "Quantized")]
pub struct QuantizedLayers {
    /// Names of weight layers, where one `*` stands for any characters.
    #[serde(default = "every")]
    layers: String,
    codes: Codes,
    #[serde(default)]
    scale: Scale,
    #[serde(default)]
    per_channel: bool,
}

fn every() -> String {
    "*".to_owned()
}

impl QuantizedLayers {
    /// Says of the layers of `network` that it names how their weights are stored.
    ///
    /// # Errors
    /// If it names none, or codes or a scale that cannot be.
    pub fn apply(&self, network: &mut Network) -> Result<()> {
        let Self { codes, scale, per_channel, .. } = self.clone();
        let stored = StoredCodes { codes, scale, per_channel };
        stored.check().map_err(Error::mismatch)?;
        let stored = (codes != Codes::Real).then_some(stored);
        let mut found = false;
        for node in network.nodes.iter_mut().filter(|node| matches(&self.layers, &node.name)) {
            let Op::Weighted(weighted) = &mut node.op else { continue };
            weighted.stored.clone_from(&stored);
            found = true;
        }
        if found {
            Ok(())
        } else {
            Err(Error::mismatch(format!("no weight layer is called {:?}", self.layers)))
        }
    }
}

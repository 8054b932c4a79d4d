use serde::{Deserialize, Deserializer};

use super::{Fire, Leak, Network, Neuron, Op, Reset};
use crate::error::{Error, Result};
use crate::name::matches;

/// What a description says of the neurons of its family: a field that is left out stays as the family has it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename = "Neurons")]
pub struct NeuronOverride {
    /// Names of layers, where one `*` stands for any characters.
    #[serde(default = "every")]
    layers: String,
    #[serde(default)]
    threshold: Option<f64>,
    #[serde(default)]
    per_channel: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    leak: Option<Leak>,
    #[serde(default, deserialize_with = "given")]
    reset: Option<Reset>,
    #[serde(default)]
    fire: Option<Fire>,
}

fn every() -> String {
    "*".to_owned()
}

/// A leak or reset that is written down: `None` is one of them, and no absent value.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl NeuronOverride {
    /// Changes the neurons of `network` that it names.
    ///
    /// # Errors
    /// If it names none, or one that becomes what no neuron can be.
    pub fn apply(&self, network: &mut Network) -> Result<()> {
        let mut found = false;
        for node in network.nodes.iter_mut().filter(|node| self.names(&node.name)) {
            let Op::Neuron(neuron) = &mut node.op else { continue };
            *neuron = self.of(neuron);
            neuron.check(&node.name)?;
            found = true;
        }
        if found {
            Ok(())
        } else {
            Err(Error::mismatch(format!("no layer of neurons with a membrane is called {:?}", self.layers)))
        }
    }

    /// True if it names the layer `name`.
    pub fn names(&self, name: &str) -> bool {
        matches(&self.layers, name)
    }

    fn of(&self, neuron: &Neuron) -> Neuron {
        Neuron {
            threshold: self.threshold.unwrap_or(neuron.threshold),
            per_channel: self.per_channel.unwrap_or(neuron.per_channel),
            leak: self.leak.unwrap_or(neuron.leak),
            reset: self.reset.unwrap_or(neuron.reset),
            fire: self.fire.unwrap_or(neuron.fire),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelDescription;

    fn network(neurons: &str) -> Result<Network> {
        let text = format!(
            "Model(name: \"x\", family: Spikformer(dim: 16, depth: 1, heads: 2, mlp_ratio: 4, pooling: (true, true, \
             true, true), layers: Conv, order: QueryKeyFirst, scale: 0.125), {neurons} input: Image(shape: (3, 32, \
             32), mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], bits: 8), timesteps: 4, classes: 10, weights: \
             Seeded(1))"
        );
        ModelDescription::parse(&text, "x")?.network("x")
    }

    fn neuron(network: &Network, name: &str) -> Neuron {
        let node = network.nodes.iter().find(|node| node.name == name).unwrap();
        if let Op::Neuron(neuron) = node.op { neuron } else { panic!("{node:?}") }
    }

    /// Thresholds of an attention stay 0.5 where only the leak changes, and the last override holds.
    #[test]
    fn what_is_left_out_stays() {
        let family = network("").unwrap();
        let text =
            "neurons: [Neurons(leak: None), Neurons(layers: \"*fc1_lif\", threshold: 2.0, reset: Subtract)],";
        let changed = network(text).unwrap();
        for node in family.nodes.iter().filter(|node| matches!(node.op, Op::Neuron(_))) {
            let expected = Neuron { leak: Leak::None, ..neuron(&family, &node.name) };
            let expected = if node.name.ends_with("fc1_lif") {
                Neuron { threshold: 2.0, reset: Reset::Subtract, ..expected }
            } else {
                expected
            };
            assert_eq!(neuron(&changed, &node.name), expected, "{}", node.name);
        }
        assert_eq!(neuron(&changed, "block.0.attn.attn_lif").threshold, 0.5);
    }

    #[test]
    fn what_no_neuron_can_be_is_refused() {
        let refusal = |neurons: &str| network(&format!("neurons: [{neurons}],")).unwrap_err().to_string();
        assert_eq!(
            [
                "Neurons(layers: \"*mlp.fc1_lif\", threshold: 0.0)",
                "Neurons(layers: \"block.0.attn.q_lif\", leak: Shift(31))",
                "Neurons(layers: \"block.9*\", threshold: 1.0)",
                "Neurons(layers: \"*fc1_lif\", leak: Tau(tau: 1.0, decay_input: true))",
                "Neurons(layers: \"*fc1_lif\", leak: Tau(tau: inf, decay_input: false))",
                "Neurons(layers: \"*fc1_lif\", leak: Beta(1.0))",
                "Neurons(layers: \"*fc1_lif\", reset: To(1.0))",
                "Neurons(layers: \"*fc1_lif\", per_channel: true, reset: To(0.5))",
                "Neurons(layers: \"*fc1_lif\", reset: SubtractAmount(0.0))",
                "Neurons(layers: \"*fc1_lif\", reset: SubtractAmount(inf))",
                "Neurons(layers: \"*fc1_lif\", reset: None, fire: AboveThreshold, leak: Loihi(voltage_decay: 1, \
                 current_decay: 1))",
                "Neurons(layers: \"*fc1_lif\", leak: Loihi(voltage_decay: 1, current_decay: 1))",
            ]
            .map(refusal),
            [
                "x: neurons: layer block.0.mlp.fc1_lif: a threshold of 0.0 is not in 1e-9..=1e9",
                "x: neurons: layer block.0.attn.q_lif: a leak of 2^-31 exceeds 2^-30",
                "x: neurons: no layer of neurons with a membrane is called \"block.9*\"",
                "x: neurons: layer block.0.mlp.fc1_lif: a time constant tau of 1.0 is not above 1 and at most 65536",
                "x: neurons: layer block.0.mlp.fc1_lif: a time constant tau of inf is not above 1 and at most 65536",
                "x: neurons: layer block.0.mlp.fc1_lif: a leak that keeps 1.0 is not from 0 to 65535/65536",
                "x: neurons: layer block.0.mlp.fc1_lif: a reset to 1.0 is not below the threshold, 1.0",
                "x: neurons: layer block.0.mlp.fc1_lif: a reset to 0.5 where each channel has a threshold of its own",
                "x: neurons: layer block.0.mlp.fc1_lif: a reset that subtracts 0.0 is not in 1e-9..=1e9",
                "x: neurons: layer block.0.mlp.fc1_lif: a reset that subtracts inf is not in 1e-9..=1e9",
                "x: neurons: layer block.0.mlp.fc1_lif: a neuron of Loihi resets to 0",
                "x: neurons: layer block.0.mlp.fc1_lif: a neuron of Loihi fires above its threshold",
            ]
        );
    }
}

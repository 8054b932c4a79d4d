//! Notes on the neurons of a network: a state dict holds no threshold, no reset and no time constant of most neurons,
//! so a reader of results has to be told which were assumed.

use super::{Fire, Leak, Network, Neuron, NeuronOverride, Node, Op, Reset};

/// Says which neurons `network` has beside those that its description names; `None` if it has none.
pub fn neurons_assumed(network: &Network, overrides: &[NeuronOverride]) -> Option<String> {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    let is_assumed = |node: &&Node| !overrides.iter().any(|neurons| neurons.names(&node.name));
    let neurons = network.nodes.iter().filter(is_assumed).filter_map(|node| match &node.op {
        Op::Neuron(neuron) => Some(described(neuron)),
        Op::IntegerNeuron(neuron) => {
            Some(format!("integer spikes 0 to {} worth 1/{} each", neuron.max, neuron.norm))
        }
        _ => None,
    });
    for neuron in neurons {
        match kinds.iter_mut().find(|(kind, _)| *kind == neuron) {
            Some((_, count)) => *count += 1,
            None => kinds.push((neuron, 1)),
        }
    }
    let counted = |(kind, count): &(String, usize)| match kinds.len() {
        1 => kind.clone(),
        _ => format!("{kind} ({count} {})", if *count == 1 { "layer" } else { "layers" }),
    };
    let all: Vec<String> = kinds.iter().map(counted).collect();
    (!all.is_empty()).then(|| format!("neurons assumed, since a checkpoint does not say: {}", all.join("; ")))
}

fn described(neuron: &Neuron) -> String {
    let dynamics = match neuron.leak {
        Leak::HalfWithInput => "LIF, tau 2".to_owned(),
        Leak::Tau { tau, decay_input: true } => format!("LIF, tau {tau}"),
        Leak::Tau { tau, decay_input: false } => format!("LIF, tau {tau}, input not decayed"),
        Leak::Parametric { decay_input, per_channel, .. } => {
            let channels = if per_channel { ", by channel" } else { "" };
            let input = if decay_input { "" } else { ", input not decayed" };
            format!("parametric LIF{channels}{input}")
        }
        Leak::Beta(beta) => format!("LIF, membrane times {beta}, input not decayed"),
        Leak::Shift(k) => format!("LIF, membrane times 2^-{k}, input not decayed"),
        Leak::None => "IF".to_owned(),
        Leak::Loihi { voltage_decay, current_decay } => {
            format!("Loihi, decays {voltage_decay}/4096 and {current_decay}/4096")
        }
    };
    let threshold = match (neuron.per_channel, neuron.fire) {
        (true, _) => format!("threshold {} times that of the channel", neuron.threshold),
        (false, Fire::AtThreshold) => format!("threshold {}", neuron.threshold),
        (false, Fire::AboveThreshold) => format!("fires above {}", neuron.threshold),
    };
    let reset = match neuron.reset {
        Reset::Zero => "hard reset to 0".to_owned(),
        Reset::To(value) => format!("hard reset to {value}"),
        Reset::Subtract => "soft reset".to_owned(),
        Reset::SubtractAmount(amount) => format!("soft reset by {amount}"),
        Reset::SubtractDelayed => "soft reset one timestep later".to_owned(),
        Reset::None => "no reset".to_owned(),
    };
    format!("{dynamics}, {threshold}, {reset}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelDescription;

    fn assumed(family: &str) -> Option<String> {
        let text = format!(
            "Model(name: \"x\", family: {family}, input: Image(shape: (3, 32, 32), mean: [0.5, 0.5, 0.5], \
             std: [0.5, 0.5, 0.5], bits: 8), timesteps: 4, classes: 10, weights: Seeded(1))"
        );
        let description = ModelDescription::parse(&text, "x").unwrap();
        neurons_assumed(&description.network("x").unwrap(), &description.neurons)
    }

    /// Stages 0 to 3 of the stem, a shortcut, q, k, v, talking heads and two of the MLP in the block, the head.
    #[test]
    fn kinds_are_counted_by_their_layers() {
        let v1 =
            "SpikeDrivenV1(dim: 16, depth: 1, heads: 8, mlp_ratio: 4, pooling: (true, true, true, true))";
        assert_eq!(
            assumed(v1).unwrap(),
            "neurons assumed, since a checkpoint does not say: LIF, tau 2, threshold 1, hard reset to 0 (11 layers); \
             LIF, tau 2, threshold 0.5, hard reset to 0 (1 layer)"
        );
    }

    #[test]
    fn what_a_description_says_is_not_assumed() {
        let of = |neurons: &str| {
            assumed(&format!(
                "SpikeDrivenV1(dim: 16, depth: 1, heads: 8, mlp_ratio: 4, pooling: (true, true, true, true)), \
                 neurons: [{neurons}]"
            ))
        };
        let others = of("Neurons(layers: \"*talking_heads_lif\", threshold: 0.25)").unwrap();
        assert!(others.ends_with("say: LIF, tau 2, threshold 1, hard reset to 0"), "{others}");
        assert_eq!(of("Neurons(leak: Tau(tau: 1.5, decay_input: true))"), None);
    }

    #[test]
    fn every_part_of_a_neuron_is_named() {
        let of = |neuron: &str| {
            assumed(&format!(
                "Layers([Conv(name: \"c\", out_channels: 2, kernel: 1, bias: true), {neuron}, \
                 Linear(name: \"f\", out_features: 10, flatten: true), MeanTimesteps(name: \"m\")])"
            ))
        };
        let prefix = "neurons assumed, since a checkpoint does not say: ";
        let cases = [
            ("Neuron(name: \"n\", threshold: 96.0)", "LIF, tau 2, threshold 96, hard reset to 0"),
            (
                "Neuron(name: \"n\", threshold: 0.25, leak: Shift(3), reset: Subtract, fire: AboveThreshold)",
                "LIF, membrane times 2^-3, input not decayed, fires above 0.25, soft reset",
            ),
            (
                "Neuron(name: \"n\", threshold: 1.0, per_channel: true, leak: None)",
                "IF, threshold 1 times that of the channel, hard reset to 0",
            ),
        ];
        for (neuron, expected) in cases {
            assert_eq!(of(neuron).unwrap(), format!("{prefix}{expected}"), "{neuron}");
        }
        assert_eq!(assumed("Layers([Linear(name: \"f\", out_features: 10, flatten: true)])"), None);
    }
}

//! Membranes without spikes, whose potentials are read out.

use serde::{Deserialize, Serialize};

use super::{Leak, Parameter};
use crate::error::{Error, Result};

/// A leaky integrator: potential = leak(membrane) + input, of all timesteps one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Readout {
    /// Membrane dynamics, those of Loihi excepted.
    pub leak: Leak,
    /// What becomes of the potentials of all timesteps.
    pub over: ReadoutOver,
}

/// One value of the potentials of all timesteps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum ReadoutOver {
    /// The potential of the last timestep.
    Last,
    /// The mean of the potentials.
    Mean,
    /// The largest.
    Max,
}

impl Readout {
    /// The tensors that the layer `name` reads, named as in a checkpoint.
    pub fn parameters(&self, name: &str, channels: usize) -> Vec<Parameter> {
        self.leak.parameter(name, channels).into_iter().collect()
    }

    /// Refuses what cannot be executed, of the layer `name`.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let refuse = |message: String| Err(Error::mismatch(format!("layer {name}: {message}")));
        match self.leak {
            Leak::Loihi { .. } => refuse("a readout has one membrane, and Loihi's neurons two".to_owned()),
            Leak::Parametric { decay_input: true, per_channel: true, .. } => refuse(
                "a readout whose channels decay their inputs differently has no common step".to_owned(),
            ),
            leak => leak.check().or_else(refuse),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Result;
    use crate::model::{ModelDescription, Network};

    fn network(layers: &str, input: &str) -> Result<(ModelDescription, Network)> {
        let text = format!(
            "Model(name: \"x\", family: Layers([Linear(name: \"fc\", out_features: 3, flatten: true), {layers}]), \
             input: {input}, timesteps: 4, classes: 3, weights: Seeded(1))"
        );
        let description = ModelDescription::parse(&text, "x")?;
        let network = description.network("x")?;
        Ok((description, network))
    }

    const INPUT: &str = "Integers(shape: (1, 2, 2), max: 255, zero_point: 128)";

    #[test]
    fn readouts_and_zero_points_are_written_as_layers() {
        let readout = "Readout(name: \"out\", leak: Parametric(of: Beta, per_channel: true, decay_input: false), \
                       over: Max)";
        let (description, built) = network(readout, INPUT).unwrap();
        let text = description.as_layers(&built);
        assert!(text.contains("zero_point: 128") && text.contains("over: Max"), "{text}");
        let again = ModelDescription::parse(&text, "x").unwrap();
        assert_eq!((again.input.clone(), again.network("x").unwrap()), (description.input, built));
    }

    #[test]
    fn what_no_readout_can_be_is_refused() {
        let readout = |leak: &str| format!("Readout(name: \"out\", leak: {leak}, over: Last)");
        let refusal = |leak: &str| network(&readout(leak), INPUT).unwrap_err().to_string();
        let cases = [
            (
                "Tau(tau: 0.5, decay_input: true)",
                "a time constant tau of 0.5 is not above 1 and at most 65536",
            ),
            ("Beta(1.5)", "a leak that keeps 1.5 is not from 0 to 65535/65536"),
            (
                "Loihi(voltage_decay: 1, current_decay: 1)",
                "a readout has one membrane, and Loihi's neurons two",
            ),
            (
                "Parametric(decay_input: true, per_channel: true)",
                "a readout whose channels decay their inputs differently has no common step",
            ),
        ];
        for (leak, message) in cases {
            let found = refusal(leak);
            assert!(found.contains(&format!("layer out: {message}")), "{found}");
        }
        let beyond = network(&readout("None"), "Integers(shape: (1, 2, 2), max: 9, zero_point: 10)");
        assert!(beyond.unwrap_err().to_string().contains("input.zero_point: 10 is not in 0..=9"));
    }
}

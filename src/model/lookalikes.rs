//! Which built-in models a checkpoint fits that does not fit the model it was given for.

use super::fit::{NAMED, misfits};
use super::{Checkpoint, ModelDescription, Network, Selection};
use crate::error::Error;
use crate::files::Folder;
use crate::name::first_of;

/// `error`, and if the checkpoint `bytes` fits built-in models instead of `network`, which.
pub fn name_lookalikes(
    error: Error,
    bytes: &[u8],
    network: &Network,
    says: &ModelDescription,
    selection: &Selection,
) -> Error {
    let Error::Field { path, field, message } = error else { return error };
    let message = match Checkpoint::open_at(bytes, &path, selection.key.as_deref()) {
        Ok(checkpoint) => {
            let checkpoint = checkpoint.fit_names(network);
            match misfits(&checkpoint, network, selection.ignore_extra) {
                Some(_) => message + &lookalikes(&checkpoint, says, built_in()),
                None => message,
            }
        }
        Err(_) => message,
    };
    Error::Field { path, field, message }
}

/// Built-in models: names and networks.
fn built_in() -> impl Iterator<Item = (String, Network)> {
    let folder = Folder::Bundled("models");
    folder.names("ron").into_iter().filter_map(move |name| {
        let file = format!("{name}.ron");
        let path = folder.path(&file);
        let description = ModelDescription::parse(&folder.read_text(&file).ok()?, &path).ok()?;
        let network = description.network(&path).ok()?;
        Some((description.name, network))
    })
}

/// The end of a message: those of `candidates` that the checkpoint fits.
fn lookalikes(
    checkpoint: &Checkpoint,
    says: &ModelDescription,
    candidates: impl Iterator<Item = (String, Network)>,
) -> String {
    let fitting = candidates.filter(|(_, network)| misfits(checkpoint, network, false).is_none());
    let names: Vec<String> = fitting.map(|(name, _)| name).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(
            "; this looks like the built-in {}, and the model file says {} ({})",
            first_of(&names, NAMED),
            says.name,
            says.family.name()
        )
    }
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::{Dtype, TensorView};

    use super::*;
    use crate::model::Parameter;

    fn described(name: &str, family: &str) -> (ModelDescription, Network) {
        let text = format!(
            "Model(name: {name:?}, family: {family}, input: Image(shape: (3, 32, 32), mean: [0.5, 0.5, 0.5], \
             std: [0.5, 0.5, 0.5], bits: 8), timesteps: 4, classes: 10, weights: File(\"w.pth\"))"
        );
        let description = ModelDescription::parse(&text, name).unwrap();
        let network = description.network(name).unwrap();
        (description, network)
    }

    fn v2(name: &str, last: usize) -> (ModelDescription, Network) {
        let family =
            format!("SpikeDrivenV2(dims: (8, 16, 16, {last}), depths: (1, 1), heads: 8, mlp_ratio: 4)");
        described(name, &family)
    }

    fn v1(name: &str, pooling: &str) -> (ModelDescription, Network) {
        let family = format!("SpikeDrivenV1(dim: 16, depth: 1, heads: 8, mlp_ratio: 4, pooling: {pooling})");
        described(name, &family)
    }

    /// A checkpoint of `network` with every value zero and the shapes that `shape` makes.
    fn checkpoint(network: &Network, shape: impl Fn(&Parameter) -> Vec<usize>) -> Vec<u8> {
        let parameters = network.parameters();
        let zeros = vec![0; 4 * parameters.iter().map(Parameter::len).max().unwrap()];
        let view = |p: &Parameter| TensorView::new(Dtype::F32, shape(p), &zeros[..4 * p.len()]).unwrap();
        safetensors::serialize(parameters.iter().map(|p| (&p.name, view(p))), None).unwrap()
    }

    #[test]
    fn a_checkpoint_of_another_model_is_named() {
        let (small, large) = (v2("small", 16), v2("large", 24));
        let bytes = checkpoint(&large.1, |p| p.shape.clone());
        let opened = Checkpoint::open(&bytes, "w.pth").unwrap();
        assert_eq!(misfits(&opened, &large.1, false), None);
        let misfit = misfits(&opened, &small.1, false).unwrap();
        assert!(
            misfit.starts_with(
                "misshapen downsample4.encode_conv.weight [24, 16, 3, 3] instead of [16, 16, 3, 3], "
            ),
            "{misfit}"
        );
        assert!(misfit.ends_with(" more") && !misfit.contains("missing"), "{misfit}");

        let candidates = || [v1("v1", "(true, true, true, true)"), v2("large", 24)].into_iter();
        let networks = |(description, network): (ModelDescription, Network)| (description.name, network);
        let end = lookalikes(&opened, &small.0, candidates().map(networks));
        assert_eq!(
            end,
            "; this looks like the built-in large, and the model file says small (SpikeDrivenV2)"
        );
        assert_eq!(lookalikes(&opened, &small.0, candidates().map(networks).take(1)), "");
    }

    #[test]
    fn models_that_differ_in_no_parameter_are_all_named() {
        let cifar = v1("cifar", "(false, false, true, true)");
        let twins = ["a", "b", "c", "d"].map(|name| v1(name, "(true, true, true, true)"));
        let bytes = checkpoint(&cifar.1, |p| p.shape.clone());
        let opened = Checkpoint::open(&bytes, "w.pth").unwrap();
        let end =
            lookalikes(&opened, &v2("x", 16).0, twins.into_iter().map(|(d, network)| (d.name, network)));
        assert_eq!(
            end,
            "; this looks like the built-in a, b, c and 1 more, and the model file says x (SpikeDrivenV2)"
        );
    }

    #[test]
    fn trailing_ones_do_not_matter() {
        let (_, network) = v1("v1", "(true, true, true, true)");
        let padded = checkpoint(&network, |p| [p.shape.as_slice(), &[1, 1]].concat());
        assert_eq!(misfits(&Checkpoint::open(&padded, "w.pth").unwrap(), &network, false), None);
        let before = checkpoint(&network, |p| [&[1], p.shape.as_slice()].concat());
        assert!(misfits(&Checkpoint::open(&before, "w.pth").unwrap(), &network, true).is_some());
    }
}

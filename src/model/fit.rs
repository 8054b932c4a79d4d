//! Does a checkpoint hold what a network reads? If not, what is wrong, and which model is it of?

use std::collections::BTreeSet;

use super::checkpoint::{is_counter, shown};
use super::{Checkpoint, ModelDescription, Network, Parameter, Selection};
use crate::error::Error;
use crate::files::Folder;
use crate::name::first_of;

/// Tensors of one kind of misfit, or models, that a message names.
const NAMED: usize = 3;

/// What keeps `checkpoint` from being one of `network`: missing and misshapen tensors, parameters of neurons
/// that are not those of the network, and, unless `ignore_extra`, what no layer reads.
pub fn misfits(checkpoint: &Checkpoint, network: &Network, ignore_extra: bool) -> Option<String> {
    let wanted = network.parameters();
    let missing = wanted.iter().filter(|p| checkpoint.get(&p.name).is_none()).map(|p| &p.name);
    let missing = missing.map(|name| match checkpoint.others().contains(name) {
        true => format!("{name} (no tensor)"),
        false => name.clone(),
    });
    let misshapen = wanted.iter().filter_map(|parameter| misshapen(checkpoint, parameter));
    let Extra { neurons, rest } = extra(checkpoint, network);
    let kinds = [
        ("missing", missing.collect::<Vec<_>>()),
        ("misshapen", misshapen.collect()),
        ("neuron parameters that no neuron of it has,", neurons),
        ("unexpected", if ignore_extra { Vec::new() } else { rest }),
    ];
    let of_a_kind: Vec<_> = kinds.iter().filter(|(_, all)| !all.is_empty()).collect();
    let problems: Vec<_> =
        of_a_kind.iter().map(|(kind, all)| format!("{kind} {}", first_of(all, NAMED))).collect();
    match of_a_kind[..] {
        [] => None,
        [("unexpected", _)] => Some(format!("{}, which --ignore-extra leaves out", problems[0])),
        _ => Some(problems.join("; ")),
    }
}

/// Says which entries of `checkpoint` no layer of `network` reads, if there are any.
pub fn extra_note(checkpoint: &Checkpoint, network: &Network) -> Option<String> {
    let rest = extra(checkpoint, network).rest;
    let unit = if rest.len() == 1 { "entry" } else { "entries" };
    let note = || {
        format!(
            "{} {unit} of the checkpoint that no layer reads left out: {}",
            rest.len(),
            first_of(&rest, NAMED)
        )
    };
    (!rest.is_empty()).then(note)
}

/// Entries of a checkpoint that a network does not know, as messages show them.
struct Extra {
    /// Parameters of neurons: a network that leaves one out is another network.
    neurons: Vec<String>,
    rest: Vec<String>,
}

fn extra(checkpoint: &Checkpoint, network: &Network) -> Extra {
    let wanted = network.parameters();
    let known: BTreeSet<&str> = wanted.iter().chain(&network.unused).map(|p| p.name.as_str()).collect();
    let unknown = |name: &str| !known.contains(name) && !is_counter(name);
    let tensors = checkpoint.iter().map(|(name, _)| (name, shown(name)));
    let others =
        checkpoint.others().iter().map(|name| (name.as_str(), format!("{} (no tensor)", shown(name))));
    let extra = tensors.chain(others).filter(|(name, _)| unknown(name));
    let modules: BTreeSet<&str> =
        network.nodes.iter().filter(|node| node.op.is_neuron()).map(|node| node.name.as_str()).collect();
    let (neurons, rest): (Vec<_>, Vec<_>) = extra.partition(|(name, _)| is_of_neuron(name, &modules));
    let shown = |entries: Vec<(&str, String)>| entries.into_iter().map(|(_, shown)| shown).collect();
    Extra { neurons: shown(neurons), rest: shown(rest) }
}

/// What neurons of SpikingJelly, snnTorch and their like call their parameters and states.
const NEURON_PARAMETERS: [&str; 21] = [
    "decay",
    "graded_spikes_factor",
    "init_tau",
    "leak",
    "mem",
    "membrane",
    "reset_mechanism_val",
    "tau",
    "tau_m",
    "tau_mem",
    "tau_s",
    "tau_syn",
    "thresh",
    "threshold",
    "v",
    "v_reset",
    "v_th",
    "v_threshold",
    "v_thr",
    "vth",
    "w",
];

/// How modules of neurons are called, a number at the end apart.
const NEURON_MODULES: [&str; 6] = ["lif", "_if", "neuron", "node", "spike", "_sn"];

/// True if the tensor `name` belongs to a neuron: one of `modules`, or what is called like one.
fn is_of_neuron(name: &str, modules: &BTreeSet<&str>) -> bool {
    let Some((module, parameter)) = name.rsplit_once('.') else {
        return NEURON_PARAMETERS.contains(&name);
    };
    let called = |part: &str| {
        let part = part.trim_end_matches(|c: char| c.is_ascii_digit());
        ["if", "sn"].contains(&part) || NEURON_MODULES.iter().any(|end| part.ends_with(end))
    };
    let inside = module.match_indices('.').map(|(dot, _)| &module[..dot]).chain([module]);
    NEURON_PARAMETERS.contains(&parameter)
        || module.split('.').any(called)
        || inside.into_iter().any(|outer| modules.contains(outer))
}

/// The tensor of `parameter` with both shapes, where they differ in more than trailing ones: a linear
/// layer and a convolution of 1 x 1 hold the same.
fn misshapen(checkpoint: &Checkpoint, parameter: &Parameter) -> Option<String> {
    let stored = &checkpoint.get(&parameter.name)?.shape;
    let differ = without_ones(stored) != without_ones(&parameter.shape);
    differ.then(|| shown(&format!("{} {stored:?} instead of {:?}", parameter.name, parameter.shape)))
}

fn without_ones(shape: &[usize]) -> &[usize] {
    let length = shape.iter().rposition(|&extent| extent != 1).map_or(0, |last| last + 1);
    &shape[..length]
}

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
    match names.is_empty() {
        true => String::new(),
        false => format!(
            "; this looks like the built-in {}, and the model file says {} ({})",
            first_of(&names, NAMED),
            says.name,
            says.family.name()
        ),
    }
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::{Dtype, TensorView};

    use super::*;

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
        assert_eq!(without_ones(&[1, 2, 1, 1]), [1, 2]);
        assert!(without_ones(&[1]).is_empty());
    }
}

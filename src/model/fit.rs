//! The fit of a checkpoint to a network: which tensors are missing, left over or misshapen.

use std::collections::BTreeSet;

use super::checkpoint::{is_counter, shown};
use super::{Checkpoint, Network, Parameter};
use crate::name::first_of;

/// Tensors of one kind of misfit, or models, that a message names.
pub const NAMED: usize = 3;

/// What keeps `checkpoint` from being one of `network`: missing and misshapen tensors, parameters of neurons
/// that are not those of the network, and, unless `ignore_extra`, what no layer reads.
pub fn misfits(checkpoint: &Checkpoint, network: &Network, ignore_extra: bool) -> Option<String> {
    let wanted = network.parameters();
    let missing = wanted.iter().filter(|p| checkpoint.get(&p.name).is_none()).map(|p| &p.name);
    let missing = missing.map(|name| {
        if checkpoint.others().contains(name) { format!("{name} (no tensor)") } else { name.clone() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_ones_do_not_count() {
        assert_eq!(without_ones(&[1, 2, 1, 1]), [1, 2]);
        assert!(without_ones(&[1]).is_empty());
    }
}

//! Which of the dictionaries of a checkpoint is the state dict. Training loops save several: raw and averaged
//! weights, a teacher, states of optimizers.

use std::collections::BTreeMap;

use super::entries::shown;
use super::objects::{Object, Pickle, Ref};
use crate::name::first_of;

/// Where training scripts put the state dict, in the order of looking; then the top level.
const NESTED: [&str; 5] = ["model", "state_dict", "model_state_dict", "module", "net"];

/// Dictionaries inside one another that are looked into.
const MAX_DEPTH: usize = 8;

/// Bytes of a key that is part of a path.
const MAX_KEY: usize = 128;

/// Dictionaries of tensors that are told apart; no checkpoint has more than a few.
const MAX_CANDIDATES: usize = 1000;

/// Dictionaries that a note names.
const NAMED: usize = 3;

/// A dictionary that holds tensors under names.
#[derive(Debug)]
struct Candidate<'a> {
    /// Keys on the way from the top level, joined by dots.
    path: String,
    /// The last of them.
    entries: &'a [(Ref, Ref)],
    /// Tensors in it.
    tensors: usize,
}

impl Candidate<'_> {
    fn named(&self) -> String {
        match self.path.as_str() {
            "" => "the top level".to_owned(),
            path => shown(path),
        }
    }

    fn counted(&self) -> String {
        let unit = if self.tensors == 1 { "tensor" } else { "tensors" };
        format!("{} ({} {unit})", self.named(), self.tensors)
    }
}

/// The state dict of a pickle.
#[derive(Debug)]
pub struct StateDict<'a> {
    /// Entries of the dict.
    pub entries: &'a [(Ref, Ref)],
    /// What the names of its tensors begin with, which is no part of them: the end of a path that leads beyond
    /// the dictionaries.
    pub prefix: String,
    /// What was taken and what was left, where there was a choice.
    pub note: Option<String>,
}

/// The dictionary at the dotted path `key`, or else the first under a usual name.
///
/// # Errors
/// Says which dictionaries there are, if none is the one.
pub fn find<'a>(pickle: &'a Pickle, key: Option<&str>) -> Result<StateDict<'a>, String> {
    if dict(pickle, pickle.root).is_none() {
        return Err("no dict of tensors".to_owned());
    }
    let candidates = candidates(pickle);
    let at = |path: &str| candidates.iter().position(|candidate| candidate.path == path);
    let (chosen, prefix) = match key {
        Some(key) => at_path(&candidates, pickle, key).ok_or_else(|| {
            format!("no tensors under {}, but under {}", shown(key), listed(&candidates, None))
        })?,
        None => {
            let usual = NESTED.iter().copied().chain([""]).find_map(at);
            let chosen = usual.ok_or_else(|| nothing_usual(&candidates))?;
            (chosen, String::new())
        }
    };
    let note = (candidates.len() > 1).then(|| {
        let read = candidates[chosen].named();
        format!("weights read from {read}; not read: {}", listed(&candidates, Some(chosen)))
    });
    Ok(StateDict { entries: candidates[chosen].entries, prefix, note })
}

fn nothing_usual(candidates: &[Candidate]) -> String {
    let usual = NESTED.join(", ");
    if candidates.is_empty() {
        format!("no tensors at the top level or under {usual}")
    } else {
        format!(
            "no tensors at the top level or under {usual}, but under {}: --checkpoint-key chooses",
            listed(candidates, None)
        )
    }
}

fn dict<'a>(pickle: &'a Pickle, index: Ref) -> Option<&'a [(Ref, Ref)]> {
    match pickle.object(index) {
        Object::Dict(entries) => Some(entries),
        _ => None,
    }
}

/// The entries of a dictionary under names, each name once: of several values the last counts.
pub fn named<'a>(pickle: &'a Pickle, entries: &[(Ref, Ref)]) -> Vec<(&'a str, Ref)> {
    let text = |key: Ref| match pickle.object(key) {
        Object::Text(key) => Some(*key),
        _ => None,
    };
    let mut places = BTreeMap::new();
    let mut named = Vec::new();
    for (key, value) in entries.iter().filter_map(|(key, value)| Some((text(*key)?, *value))) {
        let place = *places.entry(key).or_insert(named.len());
        match named.get_mut(place) {
            Some(entry) => *entry = (key, value),
            None => named.push((key, value)),
        }
    }
    named
}

/// A dictionary on the way from the top level.
struct Step<'a> {
    dict: Ref,
    /// Number of the step before, and the key there; the top level has none.
    from: Option<(usize, &'a str)>,
    depth: usize,
}

fn path(steps: &[Step], mut at: usize) -> String {
    let mut keys = Vec::new();
    while let Some((before, key)) = steps[at].from {
        keys.push(key);
        at = before;
    }
    keys.reverse();
    keys.join(".")
}

/// Every dictionary that holds tensors, in the order of writing, each once.
fn candidates<'a>(pickle: &'a Pickle) -> Vec<Candidate<'a>> {
    let mut found = Vec::new();
    let mut seen = vec![false; pickle.len()];
    let mut steps = vec![Step { dict: pickle.root, from: None, depth: 0 }];
    let mut open = vec![0];
    while let Some(at) = open.pop().filter(|_| found.len() < MAX_CANDIDATES) {
        let Step { dict: index, depth, .. } = steps[at];
        let Some(entries) = dict(pickle, index) else { continue };
        if std::mem::replace(&mut seen[index.0], true) {
            continue;
        }
        let named = named(pickle, entries);
        let tensors = named.iter().filter(|(_, value)| matches!(pickle.object(*value), Object::Tensor(_)));
        let tensors = tensors.count();
        if tensors > 0 {
            found.push(Candidate { path: path(&steps, at), entries, tensors });
        }
        // What lies deeper, or under a longer key, has no path that one would write.
        let inner = named.iter().filter(|(key, value)| {
            depth < MAX_DEPTH && key.len() <= MAX_KEY && dict(pickle, *value).is_some()
        });
        let first = steps.len();
        steps.extend(inner.map(|&(key, dict)| Step { dict, from: Some((at, key)), depth: depth + 1 }));
        open.extend((first..steps.len()).rev());
    }
    found
}

/// The candidate that `key` names, and what of `key` is left as the beginning of its tensors' names.
fn at_path(candidates: &[Candidate], pickle: &Pickle, key: &str) -> Option<(usize, String)> {
    if let Some(whole) = candidates.iter().position(|candidate| candidate.path == key) {
        return Some((whole, String::new()));
    }
    let rest = |candidate: &Candidate| match candidate.path.as_str() {
        "" => Some(format!("{key}.")),
        path => Some(format!("{}.", key.strip_prefix(path)?.strip_prefix('.')?)),
    };
    let begins = |candidate: &Candidate, prefix: &str| {
        candidate.entries.iter().any(|(key, value)| {
            let named = matches!(pickle.object(*key), Object::Text(name) if name.starts_with(prefix));
            named && matches!(pickle.object(*value), Object::Tensor(_))
        })
    };
    candidates.iter().enumerate().find_map(|(i, candidate)| {
        let prefix = rest(candidate)?;
        begins(candidate, &prefix).then_some((i, prefix))
    })
}

/// All but number `without`: the first few, and how many more.
fn listed(candidates: &[Candidate], without: Option<usize>) -> String {
    let others = candidates.iter().enumerate().filter(|(i, _)| Some(*i) != without);
    let others: Vec<String> = others.map(|(_, candidate)| candidate.counted()).collect();
    first_of(&others, NAMED)
}

//! Spikes that were recorded elsewhere, and what they make a network do, in the counters of an executed one.

mod arrays;

use rayon::prelude::*;

use self::arrays::Arrays;
use super::activity::{Activity, NodeActivity, StepActivity, count_outputs, count_products};
use super::live::Live;
use super::patterns::{Pattern, Patterns};
use super::scalar::execute;
use crate::error::{Error, Result};
use crate::files::{self, sha256_of_reader};
use crate::model::{Join, Kind, Network, Node, NodeId, Op};
use crate::name::first_of;
use crate::npz::Npz;
use crate::quant::QuantizedOp;
use crate::tensor::Frames;

/// Missing layers of a kind that a message names before it only counts them.
const NAMED: usize = 8;

/// What the images of a recording make a network do.
#[derive(Debug, Clone, PartialEq)]
pub struct SpikeRecording {
    /// The file, as messages call it.
    pub path: String,
    /// SHA-256 of the file.
    pub sha256: String,
    patterns: Vec<Pattern>,
    /// One per image.
    activity: Vec<Activity>,
}

/// Where the values of a node come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The file holds them.
    Recorded,
    /// The file holds them, and they follow from what the node reads, too.
    Both,
    /// The spikes follow from what the node reads.
    Derived,
    /// From nowhere.
    Unknown,
}

impl SpikeRecording {
    /// Counts what the `.npz` file at `path` makes `network` do, and `patterns` of its spikes. An array has the name
    /// of a weight layer, which reads its values, or of a layer that yields them, and the extents
    /// `[T, C, H, W]` or `[T, images, C, H, W]`; `docs/formats.md` has the rest.
    ///
    /// # Errors
    /// Names the file, and the array that is wrong or the layers that are missing.
    pub fn load(path: &str, network: &Network, patterns: &[Pattern]) -> Result<Self> {
        let sha256 = sha256_of_reader(files::open(path)?).map_err(|e| Error::io(path, e))?;
        let arrays = Arrays::read(Npz::open(path)?, network)?;
        let origins = origins(network, &arrays);
        check_complete(network, &origins, path)?;
        let image = |image| count(network, &arrays, &origins, image, patterns);
        let activity: Vec<Result<Activity>> = (0..arrays.images).into_par_iter().map(image).collect();
        let activity = activity.into_iter().collect::<Result<_>>()?;
        Ok(Self { path: path.to_owned(), sha256, patterns: patterns.to_vec(), activity })
    }

    /// Images that were recorded.
    pub fn images(&self) -> usize {
        self.activity.len()
    }

    /// What each of the images makes the network do, with `patterns`.
    ///
    /// # Errors
    /// If not all of `patterns` were counted.
    pub fn activity(&self, patterns: &[Pattern]) -> Result<&[Activity]> {
        match patterns.iter().find(|pattern| !self.patterns.contains(pattern)) {
            Some(pattern) => {
                Err(Error::mismatch(format!("{}: {pattern:?} of its spikes were not counted", self.path)))
            }
            None => Ok(&self.activity),
        }
    }
}

/// Per node, where its values come from.
fn origins(network: &Network, arrays: &Arrays) -> Vec<Origin> {
    let mut origins = Vec::new();
    // A recording of values of many bits only says whether they are zero: nothing follows from those.
    let mut exact = Vec::new();
    for (id, node) in network.iter() {
        let follows = is_exact(&node.op) && node.inputs.iter().all(|input| exact[input.index()]);
        let origin = match (arrays.has(id), follows) {
            (true, true) if node.kind == Kind::Spikes => Origin::Both,
            (true, _) => Origin::Recorded,
            (false, true) => Origin::Derived,
            (false, false) => Origin::Unknown,
        };
        exact.push(match origin {
            Origin::Recorded => node.kind.largest_count().is_some(),
            Origin::Derived | Origin::Both => true,
            Origin::Unknown => false,
        });
        origins.push(origin);
    }
    origins
}

/// True for operations that yield the same integers at any setting.
fn is_exact(op: &Op) -> bool {
    match op {
        Op::Add(join) => *join == Join::Spikes,
        Op::FirstToken | Op::MeanTokens | Op::MeanTimesteps => true,
        op => op.passes_events(),
    }
}

/// Refuses weight layers whose inputs, and neurons whose spikes, come from nowhere.
fn check_complete(network: &Network, origins: &[Origin], path: &str) -> Result<()> {
    let is_unknown = |id: NodeId| origins[id.index()] == Origin::Unknown;
    let weighted = network.weighted().filter(|(_, node, _)| is_unknown(node.inputs[0]));
    let inputs: Vec<&str> = weighted.map(|(_, node, _)| node.name.as_str()).collect();
    let has_weights = |(_, reader): (NodeId, &Node)| matches!(reader.op, Op::Weighted(_));
    // What a weight layer reads is what the neurons before it yield.
    let neurons = network.iter().filter(|(id, node)| {
        node.op.is_neuron() && is_unknown(*id) && !network.readers(*id).any(has_weights)
    });
    let spikes: Vec<&str> = neurons.map(|(_, node)| node.name.as_str()).collect();
    let missing: Vec<String> = [("what is read by", inputs), ("spikes of", spikes)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what} {}", first_of(&names, NAMED)))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(Error::field(path, "missing", missing.join("; "))) }
}

/// What `image` makes `network` do, and `patterns` of its spikes.
///
/// # Errors
/// If the file says of a layer what does not follow from what it says of others.
fn count(
    network: &Network,
    arrays: &Arrays,
    origins: &[Origin],
    image: usize,
    patterns: &[Pattern],
) -> Result<Activity> {
    let mut live = Live::new(network);
    let mut activity = Activity {
        nodes: network.nodes.iter().map(|node| updates(node, network.timesteps)).collect(),
        patterns: patterns.iter().map(|&pattern| Patterns::new(pattern, network)).collect(),
    };
    for (id, node) in network.iter() {
        let value = match origins[id.index()] {
            Origin::Recorded => arrays.values(id, image),
            Origin::Both => {
                let derived = derive(network, node, &live);
                arrays.check_follows(id, image, &derived)?;
                Some(derived)
            }
            Origin::Derived => Some(derive(network, node, &live)),
            Origin::Unknown => None,
        };
        match value {
            Some(value) => {
                observe(network, id, &value, &mut activity);
                live.finish(id, node, value);
            }
            None => drop(live.release(id, node)),
        }
    }
    Ok(activity)
}

/// What `node` does whatever its values.
fn updates(node: &Node, timesteps: usize) -> NodeActivity {
    let updates = node.op.is_neuron() || matches!(node.op, Op::Readout(_));
    let neuron_updates = if updates { node.shape.values() as u32 } else { 0 };
    let step = StepActivity { neuron_updates, ..StepActivity::default() };
    NodeActivity { steps: vec![step; node.steps(timesteps)] }
}

/// What `node` yields of what it reads.
fn derive(network: &Network, node: &Node, live: &Live<i64>) -> Frames<i64> {
    let inputs: Vec<_> = (0..node.inputs.len()).map(|i| live.input(node, i)).collect();
    execute(network, node, (&QuantizedOp::Exact, &[]), &inputs, &mut |_, _| ()).0
}

/// Counts what node `id` yields, and what the weight layers that read it do.
fn observe(network: &Network, id: NodeId, value: &Frames<i64>, activity: &mut Activity) {
    let node = network.node(id);
    for (reader, behind) in network.readers(id) {
        if let Op::Weighted(weighted) = &behind.op {
            let multi_bit = node.kind != Kind::Spikes;
            activity.nodes[reader.index()] = count_products(value, &weighted.geometry, multi_bit);
        }
    }
    if node.op.passes_events() || node.op.is_neuron() {
        let counted = count_outputs(value).steps.into_iter().map(|step| step.output_events);
        let steps = activity.nodes[id.index()].steps.iter_mut();
        steps.zip(counted).for_each(|(step, events)| step.output_events = events);
    }
    activity.patterns.iter_mut().for_each(|patterns| patterns.observe(network, id, value));
}

//! Runs a model and, where asked to, leaves the spikes of every neuron layer as arrays.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use serde::Serialize;

use super::golden::{has_state, value_type};
use super::npy::{INT64, NpyWriter, UINT8, type_for};
use super::record::{Frame, Outcome, Part, execute, record, record_float};
use crate::error::Result;
use crate::files::sha256;
use crate::model::{Images, Model, Network, NodeId, Op};
use crate::npy;
use crate::output::{OutputFolder, Owner};
use crate::quant::{QuantizedModel, QuantizedOp};

/// What to leave beside spikes and logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DumpRequest {
    /// What neurons keep after every step.
    pub membranes: bool,
    /// X of every weight layer.
    pub accumulators: bool,
}

/// What a run says; `run.json` of a dump.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
    /// Name of the model.
    pub model: String,
    /// Name of the setting.
    pub setting: String,
    /// Name of the data.
    pub data: String,
    /// Timesteps.
    pub timesteps: usize,
    /// Images executed.
    pub images: usize,
    /// Images classified as labelled.
    pub correct: usize,
    /// SHA-256 of the logits, little endian, images in order.
    pub logits_sha256: String,
    /// What a step of the input is worth; 1 for fp32.
    pub input_step: f64,
    /// What a step of the logits is worth; 1 for fp32.
    pub logit_step: f64,
}

/// Names of model, setting and data.
pub type Names<'a> = [&'a str; 3];

/// Runs `images` in integers.
pub fn run(model: &QuantizedModel, names: Names, images: &Images) -> Result<RunSummary> {
    let outcomes = execute(model, images)?;
    Ok(summary(names, model.network(), images, &outcomes, steps(model), |x| x.to_le_bytes().to_vec()))
}

/// Runs `images` in the float network.
pub fn run_float(model: &Model, names: Names, images: &Images) -> Result<RunSummary> {
    let outcomes = record_float(model, images, &|_, _| false, &|_| Ok(()))?;
    Ok(summary(names, &model.network, images, &outcomes, [1.0; 2], |x| x.to_le_bytes().to_vec()))
}

/// Runs `images` in integers, and writes the arrays that `request` asks for to the folder `dir`.
///
/// # Errors
/// If two arrays would share a file, before anything runs, or a file cannot be written.
pub fn dump(
    model: &QuantizedModel,
    names: Names,
    images: &Images,
    request: DumpRequest,
    dir: &Path,
) -> Result<RunSummary> {
    let folder = OutputFolder::new(dir, Owner::Dump)?;
    let arrays = Arrays::new(model.network(), images.len(), &folder, |id| {
        let node = model.network().node(id);
        let mut files = Vec::new();
        if node.op == Op::Input || node.op.is_neuron() {
            files.push((Part::Values, node.name.clone(), value_type(model, id)));
        }
        if request.membranes && has_state(model, id) {
            let dtype = type_for(model.potential_bound(id));
            files.push((Part::Membranes, format!("{}.membrane", node.name), dtype));
        }
        if request.accumulators && matches!(model.op(id), QuantizedOp::Weighted(_)) {
            files.push((Part::Values, format!("{}.accumulator", node.name), value_type(model, id)));
        }
        files
    })?;
    let shape = [images.len(), model.network().classes()];
    let mut logits = NpyWriter::new(folder.create("logits.npy")?, INT64, &shape)?;
    let outcomes = record(model, images, &|id, part| arrays.has(id, part), &|frame| {
        arrays.write(&frame, model.network().node(frame.node).constant)
    })?;
    let summary =
        summary(names, model.network(), images, &outcomes, steps(model), |x| x.to_le_bytes().to_vec());
    for (i, outcome) in outcomes.iter().enumerate() {
        logits.write_at(i * outcome.logits.len(), &outcome.logits)?;
    }
    finish(folder, &summary)?;
    Ok(summary)
}

/// Runs `images` in the float network, and writes its spikes and logits to the folder `dir`.
///
/// # Errors
/// Those of [`dump`].
pub fn dump_float(model: &Model, names: Names, images: &Images, dir: &Path) -> Result<RunSummary> {
    let folder = OutputFolder::new(dir, Owner::Dump)?;
    let arrays = Arrays::new(&model.network, images.len(), &folder, |id| {
        let node = model.network.node(id);
        let files = node.op.is_neuron().then(|| (Part::Values, node.name.clone(), UINT8));
        files.into_iter().collect()
    })?;
    let shape = [images.len(), model.network.classes()];
    let mut logits = NpyWriter::new(folder.create("logits.npy")?, npy::Kind::Float, &shape)?;
    let outcomes = record_float(model, images, &|id, part| arrays.has(id, part), &|frame| {
        arrays.write(&frame, model.network.node(frame.node).constant)
    })?;
    let summary = summary(names, &model.network, images, &outcomes, [1.0; 2], |x| x.to_le_bytes().to_vec());
    for (i, outcome) in outcomes.iter().enumerate() {
        logits.write_floats_at(i * outcome.logits.len(), &outcome.logits)?;
    }
    finish(folder, &summary)?;
    Ok(summary)
}

fn finish(folder: OutputFolder, summary: &RunSummary) -> Result<()> {
    let text = serde_json::to_string_pretty(summary).expect("finite numbers and names");
    folder.write("run.json", text + "\n")?;
    folder.finish()
}

/// The files of a dump.
struct Arrays {
    timesteps: usize,
    images: usize,
    files: BTreeMap<(NodeId, Part), Mutex<NpyWriter>>,
}

impl Arrays {
    /// `files` says which parts of a node are wanted, under which names and types.
    fn new(
        network: &Network,
        images: usize,
        folder: &OutputFolder,
        files: impl Fn(NodeId) -> Vec<(Part, String, npy::Kind)>,
    ) -> Result<Self> {
        let mut all = BTreeMap::new();
        for (id, node) in network.iter() {
            let shape = [network.timesteps, images, node.shape.channels, node.shape.height, node.shape.width];
            for (part, name, dtype) in files(id) {
                let writer = NpyWriter::new(folder.create(&format!("{name}.npy"))?, dtype, &shape)?;
                all.insert((id, part), Mutex::new(writer));
            }
        }
        Ok(Self { timesteps: network.timesteps, images, files: all })
    }

    fn has(&self, id: NodeId, part: Part) -> bool {
        self.files.contains_key(&(id, part))
    }

    /// A value constant in time is written for every timestep.
    fn write(&self, frame: &Frame, constant: bool) -> Result<()> {
        let mut writer = self.files[&(frame.node, frame.part)].lock().expect("no writer panics");
        let timesteps = if constant { 0..self.timesteps } else { frame.t..frame.t + 1 };
        for t in timesteps {
            writer.write_at((t * self.images + frame.image) * frame.values.len(), &frame.values)?;
        }
        Ok(())
    }
}

/// What a step of the input and of the logits is worth.
pub(super) fn steps(model: &QuantizedModel) -> [f64; 2] {
    [model.lsbs()[0][0], model.lsbs().last().map_or(1.0, |lsb| lsb[0])]
}

fn summary<L>(
    names: Names,
    network: &Network,
    images: &Images,
    outcomes: &[Outcome<L>],
    [input_step, logit_step]: [f64; 2],
    bytes: impl Fn(&L) -> Vec<u8>,
) -> RunSummary {
    let logits: Vec<u8> = outcomes.iter().flat_map(|o| &o.logits).flat_map(bytes).collect();
    let right = outcomes.iter().zip(&images.labels).filter(|(o, label)| o.prediction == **label as usize);
    let [model, setting, data] = names.map(str::to_owned);
    RunSummary {
        model,
        setting,
        data,
        timesteps: network.timesteps,
        images: images.len(),
        correct: right.count(),
        logits_sha256: sha256([logits.as_slice()]),
        input_step,
        logit_step,
    }
}

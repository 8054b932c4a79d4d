//! Writes a machine and its layers for a simulator of SystemVerilog.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use super::images::{inputs, spikes, sums, weights};
use super::layer::{DesignLayer, NeuronRule};
use super::machine::{DesignMachine, SUM_BITS};
use super::manifest::{DesignExport, DesignRequest, ExportedLayer, Frames};
use super::operations::{self, PlacedOperation};
use super::predicted::{CauseCycles, predicted};
use super::program::{Placed, fields, last_positions, mem};
use super::table::DesignTable;
use crate::cost::{Machine, MappedWorkload, patterns};
use crate::error::{Error, Result};
use crate::exchange::{Frame, Part, record};
use crate::exec::{Activity, Backend, IntegerExecutor};
use crate::files::sha256;
use crate::hw::Hardware;
use crate::map::{FixedMapping, Input, Layer, Plan, Workload};
use crate::model::{Images, NodeId};
use crate::output::{OutputFolder, Owner};
use crate::quant::QuantizedModel;

/// Files of the design, in the order in which they are compiled.
const SOURCES: [(&str, &str); 21] = [
    ("program.svh", include_str!("../../rtl/design/program.svh")),
    ("sram.sv", include_str!("../../rtl/design/sram.sv")),
    ("two_port_sram.sv", include_str!("../../rtl/design/two_port_sram.sv")),
    ("lif_step.sv", include_str!("../../rtl/design/lif_step.sv")),
    ("weight_code.sv", include_str!("../../rtl/design/weight_code.sv")),
    ("gather.sv", include_str!("../../rtl/design/gather.sv")),
    ("spike_queue.sv", include_str!("../../rtl/design/spike_queue.sv")),
    ("walker.sv", include_str!("../../rtl/design/walker.sv")),
    ("row_arbiter.sv", include_str!("../../rtl/design/row_arbiter.sv")),
    ("row_crossbar.sv", include_str!("../../rtl/design/row_crossbar.sv")),
    ("lanes.sv", include_str!("../../rtl/design/lanes.sv")),
    ("neurons.sv", include_str!("../../rtl/design/neurons.sv")),
    ("sequencer.sv", include_str!("../../rtl/design/sequencer.sv")),
    ("machine.sv", include_str!("../../rtl/design/machine.sv")),
    ("elementwise.svh", include_str!("../../rtl/design/elementwise.svh")),
    ("requantize.sv", include_str!("../../rtl/design/requantize.sv")),
    ("element_lane.sv", include_str!("../../rtl/design/element_lane.sv")),
    ("elementwise.sv", include_str!("../../rtl/design/elementwise.sv")),
    ("tb_elementwise.sv", include_str!("../../rtl/design/tb_elementwise.sv")),
    ("tb_machine.sv", include_str!("../../rtl/design/tb_machine.sv")),
    ("Makefile", include_str!("../../rtl/design/Makefile")),
];

/// Refuses machines that have no RTL.
///
/// # Errors
/// Says which part of `hardware` the design is not.
pub fn check_machine(hardware: &Hardware) -> Result<()> {
    DesignMachine::new(hardware).map(|_| ())
}

/// Writes the machine of `request` as RTL with the layers that it runs, and returns its manifest.
///
/// # Errors
/// If the machine has no RTL, a layer that was asked for does not run on it or none does, or a file cannot be written.
pub fn export_design(request: &DesignRequest, dir: &Path) -> Result<DesignExport> {
    let DesignRequest { model, names, hardware, images, .. } = *request;
    let design = DesignMachine::new(hardware)?;
    let machine = Machine::new(hardware.clone())?;
    let activity = executed(model, &machine, images)?;
    let mapped = mapped(model, &machine, &activity)?;
    let (layers, mut left_out) = chosen(request, &mapped, &design)?;
    let (operations, others) = operations::chosen(request, &mapped, &design, &layers)?;
    left_out.extend(others);
    if layers.is_empty() && operations.is_empty() {
        let reasons: Vec<String> = left_out.iter().map(|(name, why)| format!("{name}: {why}")).collect();
        return Err(Error::mismatch(format!("no layer that the design runs: {}", reasons.join("; "))));
    }
    let frames = recorded(model, images, &layers, &operations)?;
    let timesteps = model.network().timesteps;
    let table = DesignTable::of(layers.iter().map(|(layer, _)| layer));
    let parameters = parameters(&layers, &operations, &design, &table);
    let mut files: Vec<(String, String)> = vec![("design/design.vh".to_owned(), parameters)];
    files.extend(
        SOURCES
            .iter()
            .filter(|(name, _)| *name != "Makefile")
            .map(|&(name, text)| (format!("design/{name}"), text.to_owned())),
    );
    let mut exported = Vec::new();
    for (layer, placed) in &layers {
        files.extend(layer_files(layer, placed, &design, &table, &frames));
        exported.push(ExportedLayer {
            cycles: predicted(layer, &machine, &activity, timesteps),
            ..described(layer, placed, &design)
        });
    }
    let parameter_places = operations::parameter_places(&operations, design.channels);
    for operation in &operations {
        files.extend(operation.files(&design, &frames, parameter_places));
        exported.push(operation.described(&machine, &activity, timesteps));
    }
    let manifest = DesignExport {
        schema: DesignExport::SCHEMA.to_owned(),
        version: 1,
        model: names[0].to_owned(),
        setting: names[1].to_owned(),
        hardware: hardware.name.clone(),
        sha256: sha256(files.iter().flat_map(|(name, text)| [name, text])),
        positions: design.positions,
        channels: design.channels,
        layers: exported,
        left_out,
    };
    write(dir, &manifest, &files)?;
    Ok(manifest)
}

fn write(dir: &Path, manifest: &DesignExport, files: &[(String, String)]) -> Result<()> {
    let folder = OutputFolder::new(dir, Owner::Manifest)?;
    for (name, text) in files {
        folder.write(name, text)?;
    }
    for layer in &manifest.layers {
        folder.write(&format!("{}/export.mem", layer.name), format!("{}\n", manifest.sha256))?;
    }
    let (_, makefile) = SOURCES[SOURCES.len() - 1];
    folder.write("Makefile", makefile)?;
    folder
        .write("manifest.json", serde_json::to_string_pretty(manifest).expect("numbers and names") + "\n")?;
    folder.finish()
}

/// What the image does, with all that the machine asks of its spikes.
fn executed(model: &QuantizedModel, machine: &Machine, images: &Images) -> Result<Activity> {
    if images.len() != 1 {
        return Err(Error::mismatch("--limit: the design runs one image"));
    }
    let executor = IntegerExecutor::new(model, Backend::default());
    let patterns = patterns(std::slice::from_ref(machine), model.network());
    Ok(executor.run_with(&images.sample(0)?, &patterns).activity)
}

/// The best mapping of those that keep outputs, timesteps innermost, as the sequencer runs them.
fn mapped(model: &QuantizedModel, machine: &Machine, activity: &Activity) -> Result<MappedWorkload> {
    let workload = Workload::quantized(model);
    let products = workload.layers.iter().filter(|layer| layer.product.is_some());
    let wishes: String =
        products.map(|layer| format!("{:?}: (dataflow: OutputStationary), ", layer.name)).collect();
    let text = format!("NetworkMapping(timesteps: Innermost, layers: {{{wishes}}})");
    let fixed = FixedMapping::parse(&text, "mapping of the sequencer")?;
    MappedWorkload::best_of(workload, machine, std::slice::from_ref(activity), Some(&fixed))
}

type Chosen<'a> = (Vec<(DesignLayer<'a>, Placed)>, BTreeMap<String, String>);

/// Layers that run, and those that do not with the reason.
fn chosen<'a>(
    request: &DesignRequest<'a>,
    mapped: &'a MappedWorkload,
    design: &DesignMachine,
) -> Result<Chosen<'a>> {
    let all = || mapped.workload.layers.iter().zip(&mapped.plans);
    let is_layer = |name: &String| all().any(|(layer, _)| layer.name == *name);
    let is_node = |name: &String| request.model.network().iter().any(|(_, node)| node.name == *name);
    if let Some(unknown) = request.layers.iter().find(|&name| !is_layer(name) && !is_node(name)) {
        return Err(Error::mismatch(format!("--layers: {unknown}: no such layer")));
    }
    let wanted = |layer: &Layer| {
        layer.product.is_some() && (request.layers.is_empty() || request.layers.contains(&layer.name))
    };
    let (mut layers, mut left_out, mut shared) = (Vec::new(), BTreeMap::new(), None);
    for (layer, plan) in all().filter(|(layer, _)| wanted(layer)) {
        match runs(request.model, layer, plan, design, &mut shared) {
            Ok(runs) => layers.push(runs),
            Err(why) if request.layers.is_empty() => _ = left_out.insert(layer.name.clone(), why),
            Err(why) => return Err(Error::mismatch(format!("--layers: {}: {why}", layer.name))),
        }
    }
    Ok((layers, left_out))
}

/// `layer` on the design, whose neurons are those of the first.
fn runs<'a>(
    model: &'a QuantizedModel,
    layer: &'a Layer,
    plan: &'a Plan,
    design: &DesignMachine,
    shared: &mut Option<NeuronRule>,
) -> Result<(DesignLayer<'a>, Placed), String> {
    let runs = DesignLayer::new(model, layer, plan, design)?;
    let placed = Placed::new(&runs, design, model.network().timesteps)?;
    let rule = shared.or(runs.rule());
    if runs.rule().is_some_and(|own| Some(own) != rule) {
        return Err("neurons that differ from those before".to_owned());
    }
    *shared = rule;
    Ok((runs, placed))
}

/// What goes in and out of `layers`.
fn recorded(
    model: &QuantizedModel,
    images: &Images,
    layers: &[(DesignLayer<'_>, Placed)],
    operations: &[PlacedOperation<'_>],
) -> Result<Frames> {
    let frames = Mutex::new(Frames::new());
    let wanted = |id: NodeId, part: Part| {
        let one = |(layer, _): &(DesignLayer<'_>, Placed)| id == layer.input || id == yields(layer);
        let of_operation = || operations.iter().any(|operation| operation.touches(id));
        part == Part::Values && (layers.iter().any(one) || of_operation())
    };
    record(model, images, &wanted, &|frame: Frame| {
        frames.lock().expect("no writer panics").insert((frame.node, frame.t), frame.values);
        Ok(())
    })?;
    Ok(frames.into_inner().expect("all threads ended"))
}

/// The node whose values the design yields.
fn yields(layer: &DesignLayer) -> NodeId {
    layer.neuron.map_or(layer.product.node, |(neuron, _)| neuron)
}

fn layer_files(
    layer: &DesignLayer,
    placed: &Placed,
    design: &DesignMachine,
    table: &DesignTable,
    frames: &Frames,
) -> [(String, String); 5] {
    let of = |node: NodeId| -> Vec<&[i64]> {
        (0..).map_while(|t| frames.get(&(node, t)).map(Vec::as_slice)).collect()
    };
    let (weights, inputs) = (weights(layer, placed, design), inputs(layer, placed, design, &of(layer.input)));
    let yielded = of(yields(layer));
    let expected = match layer.neuron {
        Some(_) => spikes(layer, placed, design, &yielded).mem(),
        None => sums(layer, design, &yielded),
    };
    let first = placed.output.base / design.channels;
    let about =
        [weights.len(), inputs.len(), first, placed.output.words, placed.rows(layer), layer.channels()];
    let about: String = about.iter().map(|number| format!("{number:08x}\n")).collect();
    let name = |file: &str| format!("{}/{file}.mem", layer.layer.name);
    [
        (name("layer"), about),
        (name("program"), mem(&fields(layer, placed, design, table))),
        (name("weights"), weights.mem()),
        (name("inputs"), inputs.mem()),
        (name("expected"), expected),
    ]
}

/// The entry of the manifest for `layer`, without cycles.
fn described(layer: &DesignLayer, placed: &Placed, design: &DesignMachine) -> ExportedLayer {
    let (outputs, channels) = (layer.product.outputs, layer.channels());
    let frames = placed.frames * placed.repeats;
    ExportedLayer {
        name: layer.layer.name.clone(),
        mapping: format!("{}, tiles of {channels} channels", layer.plan.describe(layer.layer)),
        values: (layer.product.positions * outputs * frames) as u64,
        sums: layer.neuron.is_none(),
        tile_channels: [channels, (outputs - 1) % channels + 1],
        tiles: layer.tiles(),
        last_rows: last_positions(layer, design) * placed.repeats,
        element_bits: None,
        cycles: CauseCycles::default(),
    }
}

/// Parameters of the design: the machine's, and as much of lanes and neurons as the layers use.
fn parameters(
    layers: &[(DesignLayer<'_>, Placed)],
    operations: &[PlacedOperation<'_>],
    design: &DesignMachine,
    table: &DesignTable,
) -> String {
    let any = |test: fn(&DesignLayer) -> bool| usize::from(layers.iter().any(|(layer, _)| test(layer)));
    let serial = layers.iter().map(|(layer, _)| layer.product.input.bits()).max().unwrap_or(1);
    let unused = NeuronRule { shift: 1, soft_reset: false, membrane_bits: 16 };
    let of_layers = layers.iter().find_map(|(layer, _)| layer.rule());
    let of_operations = || operations.iter().find_map(|placed| placed.operation.rule());
    let rule = of_layers.or_else(of_operations).unwrap_or(unused);
    // Maps between layers lie in memories as large as they need: the machine passes them on timestep by timestep.
    let [activations, sums] = operations::memory_words(operations);
    let activations = activations.max(design.activations.words());
    let [blocks, levels] = operations::parameter_places(operations, design.channels);
    let exponent_bits = layers.iter().map(|(layer, _)| layer.exponent_bits()).max().unwrap_or(0);
    let all = [
        ("POSITIONS", design.positions),
        ("CHANNELS", design.channels),
        ("WEIGHT_BANKS", design.weights.banks),
        ("WEIGHT_BANK_WORDS", design.weights.bank_words),
        ("ACTIVATION_BANKS", design.activations.banks),
        ("ACTIVATION_BANK_WORDS", design.activations.bank_words),
        ("OPERATION_WORDS", activations.next_multiple_of(design.activations.banks)),
        ("SUM_BANKS", design.sums.banks),
        ("SUM_WORDS", sums.max(1).next_multiple_of(design.sums.banks)),
        ("PARAMETER_BLOCKS", blocks),
        ("LEVELS", levels),
        ("MAX_WEIGHT_BITS", design.max_weight_bits as usize),
        ("UNIFORM", any(|layer| layer.decoder() == 0)),
        ("POWERS", any(|layer| layer.decoder() == 1)),
        ("EXPONENT_BITS", exponent_bits as usize),
        ("SUM_BITS", SUM_BITS as usize),
        ("SERIAL_BITS", serial as usize),
        ("MEMBRANE_BITS", rule.membrane_bits as usize),
        ("SHIFT", rule.shift as usize),
        ("SOFT_RESET", usize::from(rule.soft_reset)),
    ];
    debug_assert!(layers.iter().all(|(l, _)| l.product.input == Input::Spikes || design.serial));
    let all = all.into_iter().chain(table.parameters());
    let values = all.map(|(name, value)| format!("localparam int {name} = {value};\n"));
    values.chain([table.constant()]).collect()
}

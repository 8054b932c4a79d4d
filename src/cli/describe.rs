use clap::Args;
use serde::Serialize;

use super::fixed::MappingArguments;
use super::mapping::{Mapped, MappingDescription};
use super::print::{print, print_json};
use super::set::SetArguments;
use super::subject::Bounded;
use crate::cost::{self, FootprintBytes};
use crate::error::Result;
use crate::map::Workload;
use crate::model::{Gate, ModelDescription, Network, Node, Op, Operations};
use crate::quant::{QuantizedModel, QuantizedOp};

/// Arguments of `spiq describe`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A built-in model, or the path of a model description; its weights are not read without --quant.
    model: String,
    /// Show the footprint of the network and the proven width of every accumulator at this setting.
    #[arg(long, value_name = "Q")]
    quant: Option<String>,
    /// Where the integers of the setting follow from calibration images: the data whose validation images these
    /// are [default: fashion-mnist where the model looks at such images, or else noise].
    #[arg(long, value_name = "D", requires = "quant")]
    data: Option<String>,
    /// Show the mapping of every layer on this machine, and its area: a built-in one, or the path of a hardware
    /// description.
    #[arg(long, value_name = "H", requires = "quant")]
    hw: Option<String>,
    #[command(flatten)]
    set: SetArguments,
    /// Choose the mapping for the spikes of these rates, in the place of the same rate everywhere.
    #[arg(long, value_name = "R", requires = "hw")]
    rates: Option<String>,
    #[command(flatten)]
    mapping: MappingArguments,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Print a description of the network layer by layer, as a start for one that differs.
    #[arg(long, conflicts_with_all = ["quant", "json"])]
    as_layers: bool,
    /// Print the mapping as a file that --mapping reads, all of it fixed.
    #[arg(long, requires = "hw", conflicts_with_all = ["json", "as_layers"])]
    as_mapping: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Description<'a> {
    name: &'a str,
    family: &'a str,
    parameters: u64,
    unused_parameters: u64,
    neurons: u64,
    timesteps: usize,
    operations_per_timestep: Operations,
    /// What the integers follow from, where they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    calibrated_on: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
    layers: Vec<Layer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mapping: Option<MappingDescription>,
}

/// What the network stores at a setting.
#[derive(Serialize)]
struct Memory {
    setting: String,
    average_weight_bits: f64,
    model_bytes: f64,
    footprint_bytes: FootprintBytes,
    /// Bytes of the network with every operand 32 bits wide.
    footprint_bytes_at_32_bits: FootprintBytes,
}

impl Memory {
    fn of(model: &QuantizedModel, setting: &str) -> Self {
        let workload = Workload::quantized(model);
        let footprint_bytes = cost::footprint_bytes(&workload);
        Self {
            setting: setting.to_owned(),
            average_weight_bits: workload.weight_bits() / workload.weights(),
            model_bytes: footprint_bytes.model(),
            footprint_bytes,
            footprint_bytes_at_32_bits: cost::footprint_bytes(&Workload::float32(model.network())),
        }
    }
}

#[derive(Serialize)]
struct Layer<'a> {
    name: &'a str,
    stage: &'a str,
    block: &'a str,
    kind: &'static str,
    /// Channels, height, width.
    output: [usize; 3],
    parameters: u64,
    neurons: u64,
    operations_per_timestep: u64,
    /// Proven width of the sums of a weight layer, or its declared one where that is less.
    #[serde(skip_serializing_if = "Option::is_none")]
    accumulator_bits: Option<u32>,
}

/// Runs `spiq describe`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let (description, network, _) = ModelDescription::load(&arguments.model)?;
    if arguments.as_layers {
        return print(&description.as_layers(&network));
    }
    let bounded = match &arguments.quant {
        Some(quant) => Some(Bounded::load(&arguments.model, quant, arguments.data.as_deref())?),
        None => None,
    };
    let quantized = bounded.as_ref().map(|bounded| &bounded.model);
    let mapped = match (quantized, arguments.set.of_optional(arguments.hw.as_deref())?) {
        (Some(model), Some(hw)) => Some(mapped(arguments, model, &hw)?),
        _ => None,
    };
    if let Some(mapped) = mapped.as_ref().filter(|_| arguments.as_mapping) {
        return print(&mapped.file());
    }
    let unused = network.unused.iter().map(|p| p.len() as u64).sum();
    let described = Description {
        name: &description.name,
        family: description.family.name(),
        parameters: network.parameter_count(),
        unused_parameters: unused,
        neurons: network.neuron_count(),
        timesteps: network.timesteps,
        operations_per_timestep: network.operations(),
        calibrated_on: bounded.as_ref().and_then(|bounded| bounded.calibrated_on.as_deref()),
        memory: quantized.zip(arguments.quant.as_deref()).map(|(q, name)| Memory::of(q, name)),
        layers: network
            .nodes
            .iter()
            .enumerate()
            .map(|(i, node)| layer(&network, node, quantized.map(|model| (model, i))))
            .collect(),
        mapping: mapped.as_ref().map(MappingDescription::new),
    };
    if arguments.json {
        let json = serde_json::to_string_pretty(&described).expect("integers and names");
        print_json(&format!("{json}\n"))
    } else {
        print(&table(&described))
    }
}

/// The network of `model` on the machine `hw`.
fn mapped(arguments: &Arguments, model: &QuantizedModel, hw: &str) -> Result<Mapped> {
    let fixed = arguments.mapping.fixed()?;
    let workload = Workload::quantized(model).in_batches_of(arguments.mapping.batch()?);
    Mapped::new(model.network(), workload, hw, arguments.rates.as_deref(), fixed.as_ref())
}

fn layer<'a>(network: &Network, node: &'a Node, quantized: Option<(&QuantizedModel, usize)>) -> Layer<'a> {
    let accumulator_bits = quantized.and_then(|(model, i)| match &model.ops()[i] {
        QuantizedOp::Weighted(op) => Some(op.accumulator_bits),
        _ => None,
    });
    let parameters = node.parameters();
    Layer {
        name: &node.name,
        stage: &node.scope.stage,
        block: &node.scope.block,
        kind: kind(&node.op),
        output: [node.shape.channels, node.shape.height, node.shape.width],
        parameters: parameters.iter().filter(|p| p.trained).map(|p| p.len() as u64).sum(),
        neurons: if node.op.is_neuron() { node.shape.values() as u64 } else { 0 },
        operations_per_timestep: network.operations_of(node).total(),
        accumulator_bits,
    }
}

fn kind(op: &Op) -> &'static str {
    match op {
        Op::Input => "input",
        Op::Weighted(weighted) if weighted.linear => "linear",
        Op::Weighted(weighted) if weighted.geometry.groups > 1 => "grouped convolution",
        Op::Weighted(_) => "convolution",
        Op::Neuron(_) => "neuron",
        Op::IntegerNeuron(_) => "integer neuron",
        Op::MaxPool(_) => "max pooling",
        Op::AvgPool(_) => "average pooling",
        Op::Requantize(_) => "requantization",
        Op::Add(_) => "join",
        Op::Gate(Gate::Or) => "OR",
        Op::Gate(Gate::AndNot) => "AND NOT",
        Op::Attention(_) => "attention",
        Op::PlanePool { .. } => "plane pooling",
        Op::Mask => "mask",
        Op::ClassToken(_) => "class token",
        Op::FirstToken => "first token",
        Op::MeanTokens => "mean over positions",
        Op::MeanTimesteps => "mean over timesteps",
        Op::Readout(_) => "leaky readout",
    }
}

fn memory(memory: &Memory) -> String {
    let kib = |bytes: f64| format!("{:.0} KiB", bytes / 1024.0);
    let (at, wide) = (&memory.footprint_bytes, &memory.footprint_bytes_at_32_bits);
    let saving = |part: f64, of: f64| format!("{:.1} % less than at 32 bits", 100.0 * (1.0 - part / of));
    format!(
        "footprint at {:10} {}, {}\n\
         model                   {}, {}\n\
         weights                 {} of {:.2} bits, {}\n\
         membranes               {}\n\
         stream and spike maps   {}\n",
        memory.setting,
        kib(at.total()),
        saving(at.total(), wide.total()),
        kib(at.model()),
        saving(at.model(), wide.model()),
        kib(at.weights),
        memory.average_weight_bits,
        saving(at.weights, wide.weights),
        kib(at.membrane),
        kib(at.residual + at.activations),
    )
}

fn table(described: &Description) -> String {
    let operations = &described.operations_per_timestep;
    let width = described.layers.iter().map(|l| l.name.chars().count()).max().unwrap_or(0);
    let proven = described.layers.iter().any(|l| l.accumulator_bits.is_some());
    let calibration =
        described.calibrated_on.map_or_else(String::new, |on| format!("calibrated on           {on}\n"));
    let mut text = format!(
        "{} ({})\n\n\
         parameters              {}, of which {} are never read\n\
         neurons                 {}\n\
         timesteps               {}\n\
         operations per timestep binary {}, integer {}, real {}, attention {}\n{}\n\
         {:width$}  {:20} {:>16} {:>11} {:>10} {:>13}{}\n",
        described.name,
        described.family,
        described.parameters,
        described.unused_parameters,
        described.neurons,
        described.timesteps,
        operations.binary,
        operations.integer,
        operations.real,
        operations.attention,
        described.memory.as_ref().map_or_else(String::new, memory) + &calibration,
        "layer",
        "kind",
        "output",
        "parameters",
        "neurons",
        "operations",
        if proven { "  accumulator bits" } else { "" },
    );
    for layer in &described.layers {
        let [channels, height, rows] = layer.output;
        let bits = layer.accumulator_bits.map_or_else(String::new, |bits| format!("  {bits:>16}"));
        text += &format!(
            "{:width$}  {:20} {:>16} {:>11} {:>10} {:>13}{bits}\n",
            layer.name,
            layer.kind,
            format!("{channels} x {height} x {rows}"),
            layer.parameters,
            layer.neurons,
            layer.operations_per_timestep,
        );
    }
    text + &described.mapping.as_ref().map_or_else(String::new, |mapping| format!("\n{}", mapping.text()))
}

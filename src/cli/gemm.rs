use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::flags::check_flag;
use super::print::{print, print_json};
use super::set::SetArguments;
use crate::cost::{ArrayTiming, Cycles, EnergyJ, GemmCost, GemmOperands, Machine, best_nest, gemm_cost};
use crate::error::{Error, Fault, Result};
use crate::files::Folder;
use crate::hw::{Edges, Hardware};
use crate::map::{Dataflow, Gemm, Matrix, Nest};

/// Flags of `spiq gemm`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Rows and columns of the array, such as 16x16.
    #[arg(long, value_name = "RxC", allow_hyphen_values = true)]
    array: String,
    /// What stays in the array [default with --hw: what serves its objective best].
    #[arg(long, value_name = "DATAFLOW", required_unless_present_any = ["mapping", "hw"])]
    dataflow: Option<DataflowFlag>,
    /// Rows of inputs and outputs.
    #[arg(short = 'M', value_name = "M")]
    m: u64,
    /// Columns of weights and outputs.
    #[arg(short = 'N', value_name = "N")]
    n: u64,
    /// Products of one sum.
    #[arg(short = 'K', value_name = "K")]
    k: u64,
    /// Width of a weight.
    #[arg(long, value_name = "BITS", default_value_t = 8)]
    weight_bits: u32,
    /// Width of an input; 1 for spikes.
    #[arg(long, value_name = "BITS", default_value_t = 8)]
    input_bits: u32,
    /// Width of an output when its sum is complete [default: that of the sum].
    #[arg(long, value_name = "BITS")]
    output_bits: Option<u32>,
    /// Wait for the memories of this machine, and choose tiles that fit them: a built-in one, or the path
    /// of a hardware description.
    #[arg(long, value_name = "H")]
    hw: Option<String>,
    #[command(flatten)]
    set: SetArguments,
    /// Take the loops of this file in the place of chosen ones.
    #[arg(long, value_name = "FILE", conflicts_with = "dataflow")]
    mapping: Option<String>,
    /// What a ragged tile fills and drains: the full array (SCALE-Sim), or its actual rows and columns
    /// (STONNE, with an overhead of 3).
    #[arg(long, value_name = "RULE", default_value = "full")]
    edges: EdgesFlag,
    /// Cycles of each tile beside what it streams, fills and drains.
    #[arg(long, value_name = "CYCLES", default_value_t = -2, allow_negative_numbers = true)]
    overhead: i32,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// Values of `--dataflow`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum DataflowFlag {
    /// Weight stationary.
    Ws,
    /// Output stationary.
    Os,
    /// Input stationary.
    Is,
}

/// Values of `--edges`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum EdgesFlag {
    /// Those of the whole array.
    Full,
    /// Those of the tile.
    Actual,
}

/// Most elements along one side, and multiplications in all, whose counts stay exact.
const MAX_SIZE: u64 = 1 << 24;
const MAX_OPERATIONS: u64 = 1 << 48;
/// Largest array, as in hardware descriptions.
const MAX_UNITS: u32 = 65_536;

/// A checked request.
struct Request {
    operands: GemmOperands,
    array: ArrayTiming,
    machine: Option<Machine>,
    loops: Loops,
}

/// Where the loops come from.
enum Loops {
    /// A file, by its name.
    Given(Nest, String),
    /// The best of these dataflows.
    Searched(Vec<Dataflow>),
}

/// Runs `spiq gemm`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let request = Request::new(arguments)?;
    let (nest, cost) = request.run()?;
    if arguments.json {
        let report = request.report(&nest, &cost);
        let json = serde_json::to_string_pretty(&report).expect("numbers and names");
        print_json(&format!("{json}\n"))
    } else {
        print(&request.text(&nest, &cost))
    }
}

impl Request {
    fn new(arguments: &Arguments) -> Result<Self> {
        let [rows, columns] = parse_array(&arguments.array)?;
        for (flag, value) in [("-M", arguments.m), ("-N", arguments.n), ("-K", arguments.k)] {
            check_flag(flag, value, 1..=MAX_SIZE)?;
        }
        let gemm = Gemm::new(arguments.m, arguments.n, arguments.k);
        let operations = u128::from(gemm.m) * u128::from(gemm.n) * u128::from(gemm.k);
        if operations > u128::from(MAX_OPERATIONS) {
            return Err(Error::mismatch(format!("-M -N -K: more than {MAX_OPERATIONS} multiplications")));
        }
        let (input_bits, weight_bits) = (arguments.input_bits, arguments.weight_bits);
        check_flag("--input-bits", input_bits, 1..=32)?;
        check_flag("--weight-bits", weight_bits, 1..=32)?;
        check_flag("--overhead", arguments.overhead, -2..=1_000_000)?;
        let mut operands = GemmOperands::new(gemm, input_bits, weight_bits);
        if let Some(bits) = arguments.output_bits {
            check_flag("--output-bits", bits, 1..=operands.sum_bits)?;
            operands.output_bits = bits;
        }
        let edges = match arguments.edges {
            EdgesFlag::Full => Edges::Full,
            EdgesFlag::Actual => Edges::Actual,
        };
        let array = ArrayTiming { rows, columns, edges, overhead_cycles: arguments.overhead };
        let machine =
            arguments.set.of_optional(arguments.hw.as_deref())?.map(|hw| machine(&hw)).transpose()?;
        Ok(Self { operands, array, machine, loops: loops(arguments, &gemm)? })
    }

    fn run(&self) -> Result<(Nest, GemmCost)> {
        let (operands, array, machine) = (&self.operands, &self.array, self.machine.as_ref());
        match (&self.loops, machine) {
            (Loops::Given(nest, path), _) => {
                let cost = gemm_cost(operands, nest, array, machine);
                let cost = cost.map_err(|fault| fault.at(path))?;
                Ok((nest.clone(), cost))
            }
            (Loops::Searched(dataflows), Some(machine)) => best_nest(operands, dataflows, array, machine)
                .map_err(|Fault { field, message }| {
                    let hardware = format!("hardware {}", machine.hardware.name);
                    Error::field(hardware, format!("the smallest tiles: {field}"), message)
                }),
            // Without memories there is nothing to choose.
            (Loops::Searched(dataflows), None) => {
                let units = [array.rows, array.columns].map(u64::from);
                let nest = Nest::systolic(dataflows[0], units, &operands.gemm);
                let cost = gemm_cost(operands, &nest, array, None).expect("made for the array");
                Ok((nest, cost))
            }
        }
    }

    fn report<'a>(&'a self, nest: &'a Nest, cost: &'a GemmCost) -> Report<'a> {
        let (operands, array) = (&self.operands, &self.array);
        Report {
            gemm: SizesOf { m: operands.gemm.m, n: operands.gemm.n, k: operands.gemm.k },
            array: [array.rows, array.columns],
            dataflow: short_name(cost.dataflow),
            bits: BitsOf {
                input: operands.input_bits,
                weight: operands.weight_bits,
                sum: operands.sum_bits,
                output: operands.output_bits,
            },
            hardware: self.machine.as_ref().map(|machine| machine.hardware.name.as_str()),
            multiplications: operands.gemm.operations(),
            folds: cost.folds,
            utilisation: cost.utilisation(),
            cycles: CyclesOf {
                compute: cost.compute_cycles(),
                total: cost.cycles.total(),
                parts: cost.cycles,
            },
            energy_j: self.energy(cost),
            accesses: accesses(nest, cost),
            mapping: nest,
        }
    }

    /// Energy on the machine, if there is one.
    fn energy(&self, cost: &GemmCost) -> Option<EnergyOf> {
        let (machine, dynamic) = self.machine.as_ref().zip(cost.energy_j)?;
        let leakage = machine.leakage_w * machine.seconds(cost.cycles.total());
        Some(EnergyOf { total: dynamic.total() + leakage, dynamic, leakage })
    }

    fn text(&self, nest: &Nest, cost: &GemmCost) -> String {
        let (operands, gemm) = (&self.operands, &self.operands.gemm);
        let mut text = format!(
            "{} x {} by {} x {}, inputs of {} and weights of {} bits, sums of {}\n\
             {} x {} array, {}, {} folds, {:.1} % of the units busy\n\n\
             cycles {:>24.0}, of which the array {:.0}\n",
            gemm.m,
            gemm.k,
            gemm.k,
            gemm.n,
            operands.input_bits,
            operands.weight_bits,
            operands.sum_bits,
            self.array.rows,
            self.array.columns,
            cost.dataflow.name(),
            cost.folds,
            100.0 * cost.utilisation(),
            cost.cycles.total(),
            cost.compute_cycles(),
        );
        for ((_, label), cycles) in Cycles::LABELS.iter().zip(cost.cycles.parts()) {
            if cycles > 0.0 {
                text += &format!("  {label:20} {cycles:>8.0}\n");
            }
        }
        if let Some(energy) = self.energy(cost) {
            text += &format!(
                "\nenergy {:>24.3} µJ, of which leakage {:.3}\n",
                energy.total * 1e6,
                energy.leakage * 1e6
            );
            for ((_, label), joules) in EnergyJ::LABELS.iter().zip(energy.dynamic.parts()) {
                if joules > 0.0 {
                    text += &format!("  {label:20} {:>8.3}\n", joules * 1e6);
                }
            }
        }
        text += &format!(
            "\n{:12}  {:8} {:>14} {:>14} {:>16} {:>16}\n",
            "level", "matrix", "reads", "writes", "bits read", "bits written"
        );
        for (level, (home, counted)) in nest.levels.iter().zip(&cost.counts.levels).enumerate() {
            for &matrix in &home.keeps {
                let (c, bits) = (&counted[matrix as usize], &cost.traffic[level][matrix as usize]);
                text += &format!(
                    "{:12}  {:8} {:>14} {:>14} {:>16.0} {:>16.0}\n",
                    home.name,
                    plural(matrix),
                    c.all_reads(),
                    c.all_writes(),
                    bits.read_bits,
                    bits.written_bits
                );
            }
        }
        text + &format!("\n{nest}")
    }
}

fn parse_array(text: &str) -> Result<[u32; 2]> {
    let wrong = || {
        Error::mismatch(format!(
            "--array: {text:?} is not ROWSxCOLUMNS with both in 1..={MAX_UNITS}, as 16x16"
        ))
    };
    let (rows, columns) = text.split_once('x').ok_or_else(wrong)?;
    let side = |text: &str| match text.parse::<u32>() {
        Ok(units) if (1..=MAX_UNITS).contains(&units) => Ok(units),
        _ => Err(wrong()),
    };
    Ok([side(rows)?, side(columns)?])
}

fn machine(hw: &str) -> Result<Machine> {
    let (hardware, _) = Hardware::load(hw)?;
    if hardware.is_whole_chip() {
        let message = "no array beside memories: SpikeLanes or Systolic have one";
        return Err(Error::field(format!("--hw {hw}"), "units", message));
    }
    if let Some(behind) = hardware.memories.iter().find(|memory| !memory.feeds.is_empty()) {
        let message = "a product of matrices runs from the memories that feed units: this one is behind them";
        return Err(Error::field(format!("--hw {hw}"), format!("memories: {}: feeds", behind.name), message));
    }
    Machine::new(hardware)
}

fn loops(arguments: &Arguments, gemm: &Gemm) -> Result<Loops> {
    if let Some(spec) = &arguments.mapping {
        let path = std::path::Path::new(spec);
        let name =
            path.file_name().ok_or_else(|| Error::mismatch(format!("--mapping: {spec}: not a file")))?;
        let folder = Folder::Disk(path.parent().map_or_else(Default::default, std::path::Path::to_path_buf));
        let text = folder.read_text(&name.to_string_lossy())?;
        return Ok(Loops::Given(Nest::parse(&text, spec, gemm)?, spec.clone()));
    }
    let dataflow = match arguments.dataflow {
        Some(DataflowFlag::Ws) => Dataflow::WeightStationary,
        Some(DataflowFlag::Os) => Dataflow::OutputStationary,
        Some(DataflowFlag::Is) => Dataflow::InputStationary,
        None => return Ok(Loops::Searched(Dataflow::OF_ARRAYS.to_vec())),
    };
    Ok(Loops::Searched(vec![dataflow]))
}

fn short_name(dataflow: Dataflow) -> &'static str {
    match dataflow {
        Dataflow::OutputStationary => "os",
        Dataflow::WeightStationary => "ws",
        Dataflow::InputStationary => "is",
        Dataflow::Sequential => "sequential",
    }
}

fn plural(matrix: Matrix) -> &'static str {
    match matrix {
        Matrix::Inputs => "inputs",
        Matrix::Weights => "weights",
        Matrix::Outputs => "outputs",
    }
}

/// Per level and matrix that it keeps, elements and bits; keys are stable.
fn accesses(nest: &Nest, cost: &GemmCost) -> Value {
    let level = |(i, (home, counted)): (usize, (&crate::map::Level, &[crate::cost::Accesses; 3]))| {
        let matrix = |&m: &Matrix| {
            let (c, bits) = (&counted[m as usize], &cost.traffic[i][m as usize]);
            let value = json!({
                "reads": c.all_reads(),
                "writes": c.all_writes(),
                "read_bits": bits.read_bits as u64,
                "written_bits": bits.written_bits as u64,
                "reads_of_partial_sums": if m == Matrix::Outputs { c.reads } else { 0 },
            });
            (plural(m).trim_end_matches('s').to_owned(), value)
        };
        (home.name.clone(), Value::Object(home.keeps.iter().map(matrix).collect()))
    };
    let levels = nest.levels.iter().zip(&cost.counts.levels).enumerate();
    Value::Object(levels.map(level).collect::<Map<_, _>>())
}

/// What `--json` prints (`docs/cost.md`).
#[derive(Serialize)]
struct Report<'a> {
    gemm: SizesOf,
    /// Rows, columns.
    array: [u32; 2],
    dataflow: &'static str,
    bits: BitsOf,
    hardware: Option<&'a str>,
    multiplications: u64,
    folds: u64,
    utilisation: f64,
    cycles: CyclesOf,
    #[serde(skip_serializing_if = "Option::is_none")]
    energy_j: Option<EnergyOf>,
    accesses: Value,
    mapping: &'a Nest,
}

#[derive(Serialize)]
struct SizesOf {
    m: u64,
    n: u64,
    k: u64,
}

#[derive(Serialize)]
struct BitsOf {
    input: u32,
    weight: u32,
    sum: u32,
    output: u32,
}

#[derive(Serialize)]
struct CyclesOf {
    compute: f64,
    total: f64,
    #[serde(flatten)]
    parts: Cycles,
}

/// As in `report.json`.
#[derive(Serialize)]
struct EnergyOf {
    total: f64,
    dynamic: EnergyJ,
    leakage: f64,
}

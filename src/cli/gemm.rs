use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::flags::check_flag;
use super::print::{print, print_json};
use super::set::SetArguments;
use crate::cost::{ArrayTiming, Cycles, EnergyJ, GemmCost, GemmOperands, Machine, best_nest, gemm_cost};
use crate::error::{Error, Fault, Result};
use crate::files::Folder;
use crate::hw::{Datapath, Edges, Hardware, Unit};
use crate::map::{Dataflow, Gemm, Matrix, Nest};

/// Flags of `spiq gemm`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Rows and columns of the array, such as 16x16 [default with --hw: the systolic arrays of the machine].
    #[arg(long, value_name = "RxC", allow_hyphen_values = true, required_unless_present = "hw")]
    array: Option<String>,
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
    /// What is on chip before the product starts, and stays: it moves neither from off chip nor there.
    #[arg(long, value_name = "MATRICES", value_delimiter = ',', requires = "hw", conflicts_with = "mapping")]
    resident: Vec<MatrixFlag>,
    /// Take the loops of this file in the place of chosen ones.
    #[arg(long, value_name = "FILE", conflicts_with = "dataflow")]
    mapping: Option<String>,
    /// What a ragged tile fills and drains: the full array (SCALE-Sim), or its actual rows and columns
    /// (STONNE, with an overhead of 3).
    #[arg(long, value_name = "RULE", default_value = "full", requires = "array")]
    edges: EdgesFlag,
    /// Cycles of each tile beside what it streams, fills and drains.
    #[arg(long, value_name = "CYCLES", default_value_t = -2, allow_negative_numbers = true, requires = "array")]
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

/// Values of `--resident`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum MatrixFlag {
    /// M x K.
    Inputs,
    /// K x N.
    Weights,
    /// M x N.
    Outputs,
}

/// Values of `--edges`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum EdgesFlag {
    /// Rows and columns of the whole array.
    Full,
    /// Rows and columns of the tile.
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
    /// The array that is asked for, or those of the machine.
    arrays: Vec<NamedArray>,
    machine: Option<Machine>,
    loops: Loops,
}

/// An array, and the dataflows that it is used with.
struct NamedArray {
    /// What the machine calls it.
    name: Option<String>,
    timing: ArrayTiming,
    dataflows: Vec<Dataflow>,
}

/// Where the loops come from.
enum Loops {
    /// A file, by its name.
    Given(Nest, String),
    /// The best where these matrices stay on chip.
    Searched(Vec<Matrix>),
}

/// How a product runs.
struct Outcome<'a> {
    array: &'a NamedArray,
    nest: Nest,
    cost: GemmCost,
}

/// Runs `spiq gemm`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let request = Request::new(arguments)?;
    let outcome = request.run()?;
    if arguments.json {
        let json = serde_json::to_string_pretty(&request.report(&outcome)).expect("numbers and names");
        print_json(&format!("{json}\n"))
    } else {
        print(&request.text(&outcome))
    }
}

impl Request {
    fn new(arguments: &Arguments) -> Result<Self> {
        let operands = operands(arguments)?;
        let machine = arguments.set.of_optional(arguments.hw.as_deref())?;
        let machine = machine.map(|hw| Ok((machine_of(&hw)?, hw))).transpose()?;
        let arrays = arrays(arguments, machine.as_ref())?;
        let loops = loops(arguments, &operands.gemm)?;
        Ok(Self { operands, arrays, machine: machine.map(|(machine, _)| machine), loops })
    }

    /// The best outcome of all arrays, of equals the first.
    fn run(&self) -> Result<Outcome<'_>> {
        let mut best: Option<Outcome<'_>> = None;
        let mut refusal = None;
        for outcome in self.arrays.iter().map(|array| self.run_on(array)) {
            match outcome {
                Ok(outcome) if best.as_ref().is_none_or(|best| self.score(&outcome) < self.score(best)) => {
                    best = Some(outcome);
                }
                Ok(_) => {}
                Err(wrong) => _ = refusal.get_or_insert(wrong),
            }
        }
        best.ok_or_else(|| refusal.expect("an array or a refusal"))
    }

    /// What the machine's objective makes of `outcome`: less is better.
    fn score(&self, Outcome { cost, .. }: &Outcome<'_>) -> f64 {
        let machine = self.machine.as_ref().zip(cost.energy_j);
        machine.map_or(0.0, |(machine, energy)| machine.score(cost.cycles.total(), energy.total()))
    }

    fn run_on<'a>(&'a self, array: &'a NamedArray) -> Result<Outcome<'a>> {
        let (operands, timing, machine) = (&self.operands, &array.timing, self.machine.as_ref());
        let (nest, cost) = match (&self.loops, machine) {
            (Loops::Given(nest, path), _) => {
                let cost = gemm_cost(operands, nest, timing, machine).map_err(|fault| fault.at(path))?;
                (nest.clone(), cost)
            }
            (Loops::Searched(resident), Some(machine)) => {
                best_nest(operands, &array.dataflows, timing, machine, resident).map_err(
                    |Fault { field, message }| {
                        let hardware = format!("hardware {}", machine.hardware.name);
                        Error::field(hardware, format!("the smallest tiles: {field}"), message)
                    },
                )?
            }
            // Without memories there is nothing to choose.
            (Loops::Searched(_), None) => {
                let units = [timing.rows, timing.columns].map(u64::from);
                let nest = Nest::systolic(array.dataflows[0], units, &operands.gemm);
                let cost = gemm_cost(operands, &nest, timing, None).expect("made for the array");
                (nest, cost)
            }
        };
        Ok(Outcome { array, nest, cost })
    }

    fn report<'a>(&'a self, outcome: &'a Outcome<'a>) -> Report<'a> {
        let Outcome { array: NamedArray { name, timing: array, .. }, nest, cost } = outcome;
        let operands = &self.operands;
        Report {
            gemm: SizesOf { m: operands.gemm.m, n: operands.gemm.n, k: operands.gemm.k },
            array: [array.rows, array.columns],
            unit: name.as_deref(),
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

    fn text(&self, Outcome { array, nest, cost }: &Outcome<'_>) -> String {
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
            array.timing.rows,
            array.timing.columns,
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

/// Sizes and widths that are asked for.
fn operands(arguments: &Arguments) -> Result<GemmOperands> {
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
    let mut operands = GemmOperands::new(gemm, input_bits, weight_bits);
    if let Some(bits) = arguments.output_bits {
        check_flag("--output-bits", bits, 1..=operands.sum_bits)?;
        operands.output_bits = bits;
    }
    Ok(operands)
}

/// The machine that `hw` names, if it has memories beside units.
fn machine_of(hw: &str) -> Result<Machine> {
    let (hardware, _) = Hardware::load(hw)?;
    if hardware.is_whole_chip() {
        let message = "no array beside memories: SpikeLanes or Systolic have one";
        return Err(Error::field(format!("--hw {hw}"), "units", message));
    }
    Machine::new(hardware)
}

/// The array that is asked for, or the systolic ones of the machine, which has a name.
fn arrays(arguments: &Arguments, machine: Option<&(Machine, String)>) -> Result<Vec<NamedArray>> {
    let asked = arguments.dataflow.map(Dataflow::from);
    if let Some(array) = &arguments.array {
        let [rows, columns] = parse_array(array)?;
        check_flag("--overhead", arguments.overhead, -2..=1_000_000)?;
        let edges = match arguments.edges {
            EdgesFlag::Full => Edges::Full,
            EdgesFlag::Actual => Edges::Actual,
        };
        let timing = ArrayTiming { rows, columns, edges, overhead_cycles: arguments.overhead };
        let dataflows = asked.map_or(Dataflow::OF_ARRAYS.to_vec(), |dataflow| vec![dataflow]);
        return Ok(vec![NamedArray { name: None, timing, dataflows }]);
    }
    let (machine, hw) = machine.expect("asked for where there is no array");
    let of_machine = |unit: &Unit| {
        let Unit::Systolic(array) = unit else { return None };
        let may = array.layouts().into_iter().map(|layout| Dataflow::from(layout.keeps));
        let dataflows: Vec<_> = may.filter(|&may| asked.is_none_or(|asked| may == asked)).collect();
        let name = Some(array.name.clone());
        Some(NamedArray { name, timing: ArrayTiming::of(array), dataflows })
    };
    let arrays: Vec<_> = machine.hardware.units.iter().filter_map(of_machine).collect();
    let wrong = |message: &str| Error::field(format!("--hw {hw}"), "units", message);
    if arrays.is_empty() {
        return Err(wrong("none is Systolic: --array names the array that its memories feed"));
    }
    let usable: Vec<_> = arrays.into_iter().filter(|array| !array.dataflows.is_empty()).collect();
    if usable.is_empty() { Err(wrong("keeps: no array has the dataflow of --dataflow")) } else { Ok(usable) }
}

impl From<DataflowFlag> for Dataflow {
    fn from(flag: DataflowFlag) -> Self {
        match flag {
            DataflowFlag::Ws => Self::WeightStationary,
            DataflowFlag::Os => Self::OutputStationary,
            DataflowFlag::Is => Self::InputStationary,
        }
    }
}

fn loops(arguments: &Arguments, gemm: &Gemm) -> Result<Loops> {
    let Some(spec) = &arguments.mapping else {
        let resident = arguments.resident.iter().map(|flag| match flag {
            MatrixFlag::Inputs => Matrix::Inputs,
            MatrixFlag::Weights => Matrix::Weights,
            MatrixFlag::Outputs => Matrix::Outputs,
        });
        return Ok(Loops::Searched(resident.collect()));
    };
    let path = std::path::Path::new(spec);
    let name = path.file_name().ok_or_else(|| Error::mismatch(format!("--mapping: {spec}: not a file")))?;
    let folder = Folder::Disk(path.parent().map_or_else(Default::default, std::path::Path::to_path_buf));
    let text = folder.read_text(&name.to_string_lossy())?;
    Ok(Loops::Given(Nest::parse(&text, spec, gemm)?, spec.clone()))
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
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
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

/// Energy, with the fields of `report.json`.
#[derive(Serialize)]
struct EnergyOf {
    total: f64,
    dynamic: EnergyJ,
    leakage: f64,
}

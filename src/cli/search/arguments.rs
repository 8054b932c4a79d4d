//! The flags of `spiq search`, and the request that they make.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Command, FromArgMatches};

use crate::cli::keyword::{keyword, keyword_after};
use crate::cli::model::ModelArguments;
use crate::cli::set::SetArguments;
use crate::cli::threads::ThreadsArguments;
use crate::error::{Error, Fault, Result};
use crate::explore::Space;
use crate::hw::Hardware;
use crate::name::Printable;
use crate::search::{
    BYTES, Budgets, DEFAULT_ACCURACY_DROP, DriftMetric, Granularity, Identity, JOULES, MEMORY_FIGURES,
    Objective, Problem, Request, SECONDS, SQUARE_MILLIMETRES, StrategyName, Units, WATTS, Widths,
    check_accuracy_drop, quantity, short_name,
};

/// Why `memory` is nothing to minimise.
const NO_OBJECTIVE: &str = "it is three figures: --minimize takes model (weights, biases, thresholds, \
    requantizers) or footprint (the model and all state, which memory was), and --max-peak limits what each \
    on-chip memory holds";

/// Flags of `spiq search`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub model: ModelArguments,
    /// A built-in accelerator, or the path of a hardware description.
    #[arg(long, value_name = "H", default_value = "edge-28")]
    pub hw: String,
    #[command(flatten)]
    pub set: SetArguments,
    /// A built-in space, or the path of one (docs/explore.md): the machine is chosen among its machines together with the
    /// bits, and its constraints are budgets; networks, settings and objectives of it do not count here.
    #[arg(long, value_name = "SPACE", conflicts_with_all = ["hw", "set"])]
    pub space: Option<String>,
    /// A built-in data set, or the path of a data description: the search looks at its validation images,
    /// the report at its test images.
    #[arg(long, value_name = "D", default_value = "fashion-mnist")]
    pub data: String,
    /// Use only the first N validation and the first N test images.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Look at only the first N validation images (of those that --limit leaves).
    #[arg(long, value_name = "N")]
    pub validation_images: Option<usize>,
    /// Chance with which the allowed drop of accuracy is kept on unseen images, too: half of the validation images are held
    /// out and decide about what was found; 0 promises nothing [default: 0.95, where there are images enough].
    #[arg(long, value_name = "C", allow_negative_numbers = true)]
    pub confidence: Option<f64>,
    /// A file of budgets, as in Budget(max_footprint: "160KiB", max_accuracy_drop: 0.015).
    #[arg(long, value_name = "FILE")]
    pub budget: Option<String>,
    /// Largest drop of accuracy against the float network, as a fraction [default: 0.015].
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub max_accuracy_drop: Option<f64>,
    /// Largest model (weights, biases, thresholds, requantizers), as in 48KiB.
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub max_model: Option<String>,
    /// Largest footprint (the model, all membranes, the largest stream and spike maps), as in 160KiB.
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub max_footprint: Option<String>,
    /// Most that an on-chip memory of the machine may hold, as in "weight SRAM=64KiB"; once per memory.
    #[arg(long, value_name = "MEMORY=SIZE")]
    pub max_peak: Vec<String>,
    /// What has become of it is said.
    #[arg(long, hide = true, allow_hyphen_values = true)]
    pub max_memory: Option<String>,
    /// Largest energy of an inference, as in 30uJ.
    #[arg(long, value_name = "ENERGY", allow_hyphen_values = true)]
    pub max_energy: Option<String>,
    /// Largest energy divided by time, as in 20mW.
    #[arg(long, value_name = "POWER", allow_hyphen_values = true)]
    pub max_power: Option<String>,
    /// Largest time of an inference, as in 2ms.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub max_latency: Option<String>,
    /// Largest area of the machine, as in 0.5mm2.
    #[arg(long, value_name = "AREA", allow_hyphen_values = true)]
    pub max_area: Option<String>,
    /// What is to be small within the budgets.
    #[arg(long, value_name = "WHAT", default_value = "footprint", value_parser = keyword_after::<Objective>("memory", NO_OBJECTIVE))]
    pub minimize: Objective,
    /// Who looks; several are separated by commas.
    #[arg(long, value_name = "S", default_value = "ilp", value_delimiter = ',', value_parser = keyword::<StrategyName>())]
    pub strategy: Vec<StrategyName>,
    /// Give the papers' strategies scales per channel, membranes and tests that stop when decided.
    #[arg(long)]
    pub accelerated: bool,
    /// Seeds of random choices, separated by commas; strategies without any run once.
    #[arg(long, value_name = "N", default_value = "1", value_delimiter = ',')]
    pub seed: Vec<u64>,
    /// Images that each strategy may execute, in validation sets.
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub max_evaluations: u32,
    /// Seconds that each strategy may take before it verifies what it found; what it finds then depends on the processor.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub max_seconds: Option<f64>,
    /// What is chosen together, where the strategy leaves it open.
    #[arg(long, value_name = "WHAT", default_value = "tensor", value_parser = keyword::<Granularity>())]
    pub granularity: Granularity,
    /// Which drift of membranes the gate of AQ4SViT looks at.
    #[arg(long, value_name = "METRIC", default_value = "relative", value_parser = keyword::<DriftMetric>())]
    pub drift: DriftMetric,
    /// How many times as far as the farthest that kept its accuracy a candidate may drift to pass the gate.
    #[arg(long, value_name = "X", default_value_t = 1.25, allow_negative_numbers = true)]
    pub slack: f64,
    /// Run what the gate rejects, too, and count how often it was wrong.
    #[arg(long)]
    pub audit: bool,
    /// Widths of uniform weights that are tried.
    #[arg(long, value_name = "BITS", default_value = "8,7,6,5,4,3,2", value_delimiter = ',')]
    pub weight_bits: Vec<u32>,
    /// Widths of power-of-two weights that are tried; 0 for none.
    #[arg(long, value_name = "BITS", default_value = "4,3", value_delimiter = ',')]
    pub power_of_two_bits: Vec<u32>,
    /// Further schemes of weights that are tried, by their shorthands: t2, t1.6, b1, apot4, post4,
    /// adalog4, e2m1, mx4.
    #[arg(long, value_name = "SCHEMES", value_delimiter = ',')]
    pub schemes: Vec<String>,
    /// Widths of membranes that are tried.
    #[arg(long, value_name = "BITS", default_value = "16,12,10,8,7,6,5,4,3,2", value_delimiter = ',')]
    pub membrane_bits: Vec<u32>,
    /// Round the weights of an output together, by what its inputs do on calibration images, and match
    /// thresholds to the firing rates of the float network; the papers'
    /// own forms stay as they are.
    #[arg(long)]
    pub calibrated: bool,
    /// Write setting.ron, search.json, settings/, fronts/, plots/ and the log here.
    #[arg(long, value_name = "DIR", default_value = "spiq-search")]
    pub out: PathBuf,
    /// Go on with the search whose log is in this folder; --strategy, --seed and --max-evaluations may name more
    /// than it was begun with.
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
    /// Print search.json instead of a table.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub threads: ThreadsArguments,
    /// Show what one step wider or narrower would bring in each layer of the setting found, and which layers are the
    /// obstacles; with --resume, of a search that is finished, too.
    #[arg(long)]
    pub explain: bool,
    /// Draw no progress bar.
    #[arg(long)]
    pub quiet: bool,
}

/// What was asked for, at `timesteps` if they are not those of the description, without the digests of what is not loaded
/// yet.
pub fn request(arguments: &Arguments, timesteps: Option<usize>) -> Result<Request> {
    let text = |path: &PathBuf| match path.to_str() {
        Some(path) => Ok(path.to_owned()),
        None => Err(Error::mismatch(format!("--weights: {path:?} is not UTF-8, as a log is"))),
    };
    let space = arguments.space.as_ref().map(|spec| Space::load(spec)).transpose()?.map(|(space, _)| space);
    let hardware = match &space {
        Some(space) => space.machines.hardware[0].clone(),
        None => arguments.set.of(&arguments.hw)?,
    };
    Ok(Request {
        model: arguments.model.name.clone(),
        weights: arguments.model.weights.as_ref().map(text).transpose()?,
        selection: arguments.model.selection(),
        timesteps,
        problem: Problem {
            budgets: budgets(arguments, space.as_ref(), &hardware)?,
            objective: arguments.minimize,
            max_evaluations: f64::from(arguments.max_evaluations),
            max_seconds: arguments.max_seconds,
            granularity: arguments.granularity,
            metric: arguments.drift,
            slack: arguments.slack,
            audit: arguments.audit,
        },
        hardware,
        machines: space.map(|space| space.machines),
        data: arguments.data.clone(),
        limit: arguments.limit,
        validation_images: arguments.validation_images,
        confidence: arguments.confidence,
        alternatives: 1,
        widths: Widths {
            uniform: arguments.weight_bits.clone(),
            power_of_two: arguments.power_of_two_bits.iter().copied().filter(|&b| b != 0).collect(),
            schemes: arguments.schemes.clone(),
            membranes: arguments.membrane_bits.clone(),
            calibrated: arguments.calibrated,
        },
        strategies: arguments.strategy.clone(),
        accelerated: arguments.accelerated,
        seeds: arguments.seed.clone(),
        identity: Identity::default(),
    })
}

/// What is asked for without any flag.
pub fn default_request() -> Request {
    let command = Arguments::augment_args(Command::new("search"));
    let matches = command.try_get_matches_from(["search"]).expect("every flag has a default or is optional");
    let arguments = Arguments::from_arg_matches(&matches).expect("defaults are what flags may be");
    request(&arguments, None).expect("defaults make sense")
}

/// Names the flag of a field of a request.
pub fn refuse_flag(fault: Fault) -> Error {
    let flag = short_name(&fault.field).replace('_', "-");
    Error::mismatch(format!("--{flag}: {}", fault.message))
}

/// Budgets of the file, or else of the constraints of `space`, and of flags, which win. `hw` is the machine, or the first
/// of them.
fn budgets(arguments: &Arguments, space: Option<&Space>, hw: &str) -> Result<Budgets> {
    if arguments.max_memory.is_some() {
        return Err(Error::mismatch(format!(
            "--max-memory: {MEMORY_FIGURES}; --max-model, --max-footprint and --max-peak limit them"
        )));
    }
    let mut budgets = match (&arguments.budget, space) {
        (Some(path), _) => budgets_of_file(path, hw)?,
        (None, Some(space)) => space
            .budgets()
            .map_err(|fault| Error::mismatch(format!("--space: {}: {}", fault.field, fault.message)))?,
        (None, None) => Budgets { accuracy_drop: DEFAULT_ACCURACY_DROP, ..Budgets::default() },
    };
    if let Some(drop) = arguments.max_accuracy_drop {
        check_accuracy_drop(drop)
            .map_err(|message| Error::mismatch(format!("--max-accuracy-drop: {message}")))?;
        budgets.accuracy_drop = drop;
    }
    let flags: [(&str, &Option<String>, Units, &mut Option<f64>); 6] = [
        ("model", &arguments.max_model, BYTES, &mut budgets.model_bytes),
        ("footprint", &arguments.max_footprint, BYTES, &mut budgets.footprint_bytes),
        ("energy", &arguments.max_energy, JOULES, &mut budgets.energy_j),
        ("power", &arguments.max_power, WATTS, &mut budgets.power_w),
        ("latency", &arguments.max_latency, SECONDS, &mut budgets.latency_s),
        ("area", &arguments.max_area, SQUARE_MILLIMETRES, &mut budgets.area_mm2),
    ];
    for (name, text, units, budget) in flags {
        if let Some(text) = text {
            let parsed = quantity(text, units);
            *budget = Some(parsed.map_err(|message| Error::mismatch(format!("--max-{name}: {message}")))?);
        }
    }
    budgets.peak_bytes.extend(peaks(&arguments.max_peak)?);
    Ok(budgets)
}

/// Budgets of the file at `path`; of memories, those that the machine `hw` has.
fn budgets_of_file(path: &str, hw: &str) -> Result<Budgets> {
    let budgets = Budgets::load(path)?;
    if !budgets.peak_bytes.is_empty() {
        let known = budgets.check_memories(&Hardware::load(hw)?.0);
        known.map_err(|message| Error::field(path, "max_peak", message))?;
    }
    Ok(budgets)
}

/// Per memory, the size that a flag of `MEMORY=SIZE` gives it.
fn peaks(flags: &[String]) -> Result<BTreeMap<String, f64>> {
    let mut peaks = BTreeMap::new();
    for flag in flags {
        let refused = |message: String| Error::mismatch(format!("--max-peak: {message}"));
        let Some((memory, size)) = flag.rsplit_once('=') else {
            return Err(refused(format!("{flag:?} is no memory with its size, as in \"weight SRAM=64KiB\"")));
        };
        let memory = memory.trim();
        let named = |message| refused(format!("{}: {message}", Printable(memory)));
        let size = quantity(size.trim(), BYTES).map_err(named)?;
        if peaks.insert(memory.to_owned(), size).is_some() {
            return Err(refused(format!("{memory:?} twice")));
        }
    }
    Ok(peaks)
}

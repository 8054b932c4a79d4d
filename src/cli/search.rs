mod interrupt;
mod loaded;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use self::loaded::Loaded;
use super::checkpoint::CheckpointArguments;
use super::{Given, print, print_json};
use crate::cost::Machine;
use crate::error::{Error, Result};
use crate::report;
use crate::search::log::{Log, Logged};
use crate::search::strategies::Name;
use crate::search::{
    BYTES, Budgets, DEFAULT_ACCURACY_DROP, DriftMetric, Fault, Granularity, Identity, JOULES, Objective,
    Problem, Request, SECONDS, SQUARE_MILLIMETRES, Terms, Units, WATTS, Widths, check_drop, quantity,
};

/// The log inside the folder of a search.
const LOG: &str = "log.jsonl";

/// Flags of `spiq search`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A built-in model, or the path of a model description.
    #[arg(long, value_name = "M", default_value = "sdtv1_2-64_fashion")]
    model: String,
    #[command(flatten)]
    checkpoint: CheckpointArguments,
    /// A built-in accelerator, or the path of a hardware description.
    #[arg(long, value_name = "H", default_value = "edge-28")]
    hw: String,
    /// A built-in data set, or the path of a data description: the search looks at its validation images,
    /// the report at its test images.
    #[arg(long, value_name = "D", default_value = "fashion-mnist")]
    data: String,
    /// Use only the first N validation and the first N test images.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Look at only the first N validation images (of those that --limit leaves).
    #[arg(long, value_name = "N")]
    validation_images: Option<usize>,
    /// A file of budgets, as in Budget(max_memory: "48KiB", max_accuracy_drop: 0.015).
    #[arg(long, value_name = "FILE")]
    budget: Option<String>,
    /// Largest drop of accuracy against the float network, as a fraction [default: 0.015].
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    max_accuracy_drop: Option<f64>,
    /// Largest memory, as in 48KiB.
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    max_memory: Option<String>,
    /// Largest energy of an inference, as in 30uJ.
    #[arg(long, value_name = "ENERGY", allow_hyphen_values = true)]
    max_energy: Option<String>,
    /// Largest energy divided by time, as in 20mW.
    #[arg(long, value_name = "POWER", allow_hyphen_values = true)]
    max_power: Option<String>,
    /// Largest time of an inference, as in 2ms.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    max_latency: Option<String>,
    /// Largest area of the machine, as in 0.5mm2.
    #[arg(long, value_name = "AREA", allow_hyphen_values = true)]
    max_area: Option<String>,
    /// What is to be small within the budgets.
    #[arg(long, value_name = "WHAT", default_value = "memory")]
    minimize: Objective,
    /// Who looks; several are separated by commas.
    #[arg(long, value_name = "S", default_value = "ilp", value_delimiter = ',')]
    strategy: Vec<Name>,
    /// Give the papers' strategies scales per channel, membranes and tests that stop when decided.
    #[arg(long)]
    accelerated: bool,
    /// Seeds of random choices, separated by commas; strategies without any run once.
    #[arg(long, value_name = "N", default_value = "1", value_delimiter = ',')]
    seed: Vec<u64>,
    /// Images that each strategy may execute, in validation sets.
    #[arg(long, value_name = "N", default_value_t = 60)]
    max_evaluations: u32,
    /// What is chosen together, where the strategy leaves it open.
    #[arg(long, value_name = "WHAT", default_value = "tensor")]
    granularity: Granularity,
    /// Which drift of membranes the gate of AQ4SViT looks at.
    #[arg(long, value_name = "METRIC", default_value = "relative")]
    drift: DriftMetric,
    /// How many times as far as the farthest that kept its accuracy a candidate may drift to pass the gate.
    #[arg(long, value_name = "X", default_value_t = 1.25, allow_negative_numbers = true)]
    slack: f64,
    /// Run what the gate rejects, too, and count how often it was wrong.
    #[arg(long)]
    audit: bool,
    /// Widths of uniform weights that are tried.
    #[arg(long, value_name = "BITS", default_value = "8,7,6,5,4,3,2", value_delimiter = ',')]
    weight_bits: Vec<u32>,
    /// Widths of power-of-two weights that are tried; 0 for none.
    #[arg(long, value_name = "BITS", default_value = "4,3", value_delimiter = ',')]
    power_of_two_bits: Vec<u32>,
    /// Widths of membranes that are tried.
    #[arg(long, value_name = "BITS", default_value = "16,12,10,8,7,6,5,4,3,2", value_delimiter = ',')]
    membrane_bits: Vec<u32>,
    /// Round the weights of an output together, by what its inputs do on calibration images, and match
    /// thresholds to the firing rates of the float network; the papers'
    /// own forms stay as they are.
    #[arg(long)]
    calibrated: bool,
    /// Write setting.ron, search.json, settings/, fronts/, plots/ and the log here.
    #[arg(long, value_name = "DIR", default_value = "spiq-search")]
    out: PathBuf,
    /// Go on with the search whose log is in this folder; --strategy, --seed and --max-evaluations may name more
    /// than it was begun with.
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    resume: Option<PathBuf>,
    /// Print search.json instead of a table.
    #[arg(long)]
    json: bool,
    /// Threads to run on [default: one per core]; the results do not depend on it.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Draw no progress bar.
    #[arg(long)]
    quiet: bool,
}

/// Flags that a search may be resumed with; all others are part of what it is.
const RESUMED_WITH: [&str; 7] = ["resume", "strategy", "seed", "max_evaluations", "threads", "quiet", "json"];

/// Runs `spiq search`: 0 if budgets are met, 1 if not.
pub fn run(arguments: &Arguments, given: &Given) -> Result<ExitCode> {
    let mut pool = rayon::ThreadPoolBuilder::new();
    if let Some(threads) = arguments.threads {
        if !(1..=1024).contains(&threads) {
            return Err(Error::mismatch(format!("--threads: {threads} is not in 1..=1024")));
        }
        pool = pool.num_threads(threads);
    }
    let pool = pool.build().map_err(|e| Error::mismatch(format!("--threads: {e}")))?;
    pool.install(|| run_here(arguments, given))
}

/// A search that this process alone may go on with.
struct Session {
    request: Request,
    /// What the log was begun with, of one that is resumed.
    resumed: Option<Request>,
    /// What its log knows.
    answers: Vec<Logged>,
    log: Log,
}

impl Session {
    fn begin(arguments: &Arguments) -> Result<Self> {
        let request = request(arguments)?;
        request.check().map_err(refuse_flag)?;
        let log = Log::create(&arguments.out.join(LOG))?;
        Ok(Self { request, resumed: None, answers: Vec::new(), log })
    }

    fn resume(dir: &Path, arguments: &Arguments, given: &Given) -> Result<Self> {
        if let Some(flag) = given.beside(&RESUMED_WITH) {
            return Err(Error::mismatch(format!(
                "{flag}: a search that is resumed keeps its own; with --resume go --strategy, --seed and \
                 --max-evaluations, to extend it, --threads, --quiet and --json"
            )));
        }
        let (contents, log) = Log::resume(&dir.join(LOG))?;
        let mut request = contents.request.clone();
        let Terms { mut strategies, mut seeds, mut max_evaluations } = request.terms();
        if given.has("strategy") {
            strategies.clone_from(&arguments.strategy);
        }
        if given.has("seed") {
            seeds.clone_from(&arguments.seed);
        }
        if given.has("max_evaluations") {
            max_evaluations = f64::from(arguments.max_evaluations);
        }
        request.extend(Terms { strategies, seeds, max_evaluations }).map_err(refuse_flag)?;
        interrupt::keeps(&log);
        Ok(Self { request, resumed: Some(contents.request), answers: contents.answers, log })
    }

    /// Names the fault of a request where it was read.
    fn refuse(&self, fault: Fault) -> Error {
        match &self.resumed {
            Some(_) => Error::field(format!("{}:1", self.log.path().display()), fault.field, fault.message),
            None => refuse_flag(fault),
        }
    }

    /// Refuses to go on with what was found out about something else.
    fn identify(&mut self, identity: Identity) -> Result<()> {
        if let Some(begun) = &self.resumed {
            identity.check(&begun.identity).map_err(|fault| self.refuse(fault))?;
        }
        self.request.identity = identity;
        Ok(())
    }

    /// Writes to the log what is searched, as far as it does not say so.
    fn write(&mut self) -> Result<()> {
        match &self.resumed {
            None => self.log.begin(&self.request)?,
            Some(begun) if self.request != *begun => self.log.extend(self.request.terms())?,
            Some(_) => (),
        }
        interrupt::keeps(&self.log);
        Ok(())
    }
}

fn run_here(arguments: &Arguments, given: &Given) -> Result<ExitCode> {
    interrupt::install()?;
    let mut session = match &arguments.resume {
        Some(dir) => Session::resume(dir, arguments, given)?,
        None => Session::begin(arguments)?,
    };
    let dir = arguments.resume.as_ref().unwrap_or(&arguments.out);
    let loaded = Loaded::new(&session.request, &|fault| session.refuse(fault))?;
    session.identify(loaded.identity()?)?;
    if let Some(message) = beyond_area(&loaded.machine, &session.request.problem.budgets)? {
        eprintln!("error: {message}");
        return Ok(ExitCode::from(1));
    }
    let search = loaded.search(&mut session, arguments.quiet)?;
    session.log.check_place()?;
    interrupt::wait_for(|| report::write_search(&search, &session.request, dir))?;
    match arguments.json {
        true => print_json(&report::search_json(&search, &session.request)?)?,
        false => print(&format!("{}\nWrote {}\n", report::search_table(&search), dir.display()))?,
    }
    Ok(match search.best {
        Some(_) => ExitCode::SUCCESS,
        None => {
            eprintln!("error: {}", report::closest(&search));
            ExitCode::from(1)
        }
    })
}

/// What was asked for, without the digests of what is not loaded yet.
fn request(arguments: &Arguments) -> Result<Request> {
    let text = |path: &PathBuf| match path.to_str() {
        Some(path) => Ok(path.to_owned()),
        None => Err(Error::mismatch(format!("--weights: {path:?} is not UTF-8, as a log is"))),
    };
    Ok(Request {
        model: arguments.model.clone(),
        weights: arguments.checkpoint.weights.as_ref().map(text).transpose()?,
        selection: arguments.checkpoint.selection(),
        hardware: arguments.hw.clone(),
        data: arguments.data.clone(),
        limit: arguments.limit,
        validation_images: arguments.validation_images,
        problem: Problem {
            budgets: budgets(arguments)?,
            objective: arguments.minimize,
            max_evaluations: f64::from(arguments.max_evaluations),
            granularity: arguments.granularity,
            metric: arguments.drift,
            slack: arguments.slack,
            audit: arguments.audit,
        },
        widths: Widths {
            uniform: arguments.weight_bits.clone(),
            power_of_two: arguments.power_of_two_bits.iter().copied().filter(|&b| b != 0).collect(),
            membranes: arguments.membrane_bits.clone(),
            calibrated: arguments.calibrated,
        },
        strategies: arguments.strategy.clone(),
        accelerated: arguments.accelerated,
        seeds: arguments.seed.clone(),
        identity: Identity::default(),
    })
}

/// Names the flag of a field of a request.
fn refuse_flag(fault: Fault) -> Error {
    let flag = match &*fault.field {
        "hardware" => "hw",
        "strategies" => "strategy",
        "seeds" => "seed",
        "widths.uniform" => "weight-bits",
        "widths.power_of_two" => "power-of-two-bits",
        "widths.membranes" => "membrane-bits",
        "problem.max_evaluations" => "max-evaluations",
        "problem.slack" => "slack",
        "problem.budgets.accuracy_drop" => "max-accuracy-drop",
        "problem.budgets.memory_bytes" => "max-memory",
        "problem.budgets.energy_j" => "max-energy",
        "problem.budgets.power_w" => "max-power",
        "problem.budgets.latency_s" => "max-latency",
        "problem.budgets.area_mm2" => "max-area",
        "validation_images" => "validation-images",
        "selection.key" => "checkpoint-key",
        field => field,
    };
    Error::mismatch(format!("--{flag}: {}", fault.message))
}

/// Those of the file, and those of flags, which win.
fn budgets(arguments: &Arguments) -> Result<Budgets> {
    let mut budgets = match &arguments.budget {
        Some(path) => Budgets::load(path)?,
        None => Budgets { accuracy_drop: DEFAULT_ACCURACY_DROP, ..Budgets::default() },
    };
    if let Some(drop) = arguments.max_accuracy_drop {
        check_drop(drop).map_err(|message| Error::mismatch(format!("--max-accuracy-drop: {message}")))?;
        budgets.accuracy_drop = drop;
    }
    let flags: [(&str, &Option<String>, Units, &mut Option<f64>); 5] = [
        ("memory", &arguments.max_memory, BYTES, &mut budgets.memory_bytes),
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
    Ok(budgets)
}

/// The area is a property of the machine: no setting changes it.
fn beyond_area(machine: &Machine, budgets: &Budgets) -> Result<Option<String>> {
    let (name, Some(limit)) = (&machine.hardware.name, budgets.area_mm2) else { return Ok(None) };
    match machine.area_mm2.map(|area| area.total()) {
        None => Err(Error::mismatch(format!("--max-area: the description of {name} does not give its area"))),
        Some(area) if area > limit => {
            let [area, beyond, limit] = [area, area - limit, limit].map(|a| report::with_unit(a, "mm2"));
            Ok(Some(format!("area of {area} is {beyond} beyond {limit}, whatever the setting of {name}")))
        }
        Some(_) => Ok(None),
    }
}

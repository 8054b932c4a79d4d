use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::checkpoint::CheckpointArguments;
use super::{print, print_json, progress};
use crate::cost::Machine;
use crate::error::{Error, Result};
use crate::evaluate::{CALIBRATION_IMAGES, Evaluator};
use crate::exec::Engine;
use crate::hw::Hardware;
use crate::model::{DataSet, Images, Model};
use crate::quant::Setting;
use crate::report;
use crate::search::log::{Entry, Log};
use crate::search::strategies::{Name, named};
use crate::search::{
    BYTES, Budgets, DEFAULT_ACCURACY_DROP, DriftMetric, Figures, Final, Granularity, Identity, JOULES,
    NetworkOracle, Objective, Oracle, Problem, Request, Run, SECONDS, SQUARE_MILLIMETRES, Search, Store,
    Units, WATTS, Widths, check_drop, legal, quantity, run_strategy,
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
    /// Go on with the search whose log is in this folder; it needs no other flags.
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

/// Runs `spiq search`: 0 if budgets are met, 1 if not.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut pool = rayon::ThreadPoolBuilder::new();
    if let Some(threads) = arguments.threads {
        if !(1..=1024).contains(&threads) {
            return Err(Error::mismatch(format!("--threads: {threads} is not in 1..=1024")));
        }
        pool = pool.num_threads(threads);
    }
    let pool = pool.build().map_err(|e| Error::mismatch(format!("--threads: {e}")))?;
    pool.install(|| run_here(arguments))
}

fn run_here(arguments: &Arguments) -> Result<ExitCode> {
    let dir = arguments.resume.as_ref().unwrap_or(&arguments.out);
    let path = dir.join(LOG);
    let (request, resumed) = match &arguments.resume {
        Some(_) => {
            let (request, entries, log) = Log::resume::<Request>(&path)?;
            (request, Some((entries, log)))
        }
        None => (request(arguments)?, None),
    };
    let loaded = Loaded::new(&request)?;
    let request = match &resumed {
        Some(_) => {
            loaded.identity.check(&request.identity, &path.display().to_string())?;
            request
        }
        None => Request { identity: loaded.identity.clone(), ..request },
    };
    if let Some(message) = beyond_area(&loaded.machine, &request.problem.budgets)? {
        eprintln!("error: {message}");
        return Ok(ExitCode::from(1));
    }
    let search = loaded.search(&request, resumed, &path, arguments.quiet)?;
    report::write_search(&search, &request, dir)?;
    match arguments.json {
        true => print_json(&report::search_json(&search, &request)?)?,
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

/// A checked request, without the digests of what is not loaded yet.
fn request(arguments: &Arguments) -> Result<Request> {
    if arguments.max_evaluations == 0 {
        return Err(Error::mismatch("--max-evaluations: 0 is not above 0"));
    }
    if !(1.0..=1000.0).contains(&arguments.slack) {
        return Err(Error::mismatch(format!("--slack: {} is not in 1..=1000", arguments.slack)));
    }
    let text = |path: &PathBuf| path.display().to_string();
    Ok(Request {
        model: arguments.model.clone(),
        weights: arguments.checkpoint.weights.as_ref().map(text),
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
        widths: widths(arguments)?,
        strategies: arguments.strategy.clone(),
        accelerated: arguments.accelerated,
        seeds: arguments.seed.clone(),
        identity: Identity::default(),
    })
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

fn widths(arguments: &Arguments) -> Result<Widths> {
    let check = |flag: &str, bits: &[u32], low: u32, high: u32| match bits
        .iter()
        .find(|&&b| !(low..=high).contains(&b))
    {
        Some(bits) => Err(Error::mismatch(format!("--{flag}: {bits} is not in {low}..={high}"))),
        None => Ok(()),
    };
    let power_of_two: Vec<u32> = arguments.power_of_two_bits.iter().copied().filter(|&b| b != 0).collect();
    check("weight-bits", &arguments.weight_bits, 2, 16)?;
    check("power-of-two-bits", &power_of_two, 2, 5)?;
    check("membrane-bits", &arguments.membrane_bits, 2, 32)?;
    Ok(Widths {
        uniform: arguments.weight_bits.clone(),
        power_of_two,
        membranes: arguments.membrane_bits.clone(),
        calibrated: arguments.calibrated,
    })
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

/// Everything that a request names.
struct Loaded {
    model: Model,
    machine: Machine,
    data: DataSet,
    /// Validation images that are looked at.
    validation: Images,
    /// Test images of the final report.
    test: Images,
    identity: Identity,
}

impl Loaded {
    fn new(request: &Request) -> Result<Self> {
        let (hardware, hardware_sha256) = Hardware::load(&request.hardware)?;
        let weights = request.weights.as_ref().map(Path::new);
        let model = Model::load_selected(&request.model, weights, &request.selection)?;
        let data = DataSet::load_for(&request.data, &model.description)?;
        let mut validation = data.validation_of("a search looks at")?.clone();
        let mut test = data.test.clone();
        if let Some(limit) = request.limit {
            let most = validation.len().max(test.len());
            if !(1..=most).contains(&limit) {
                return Err(Error::mismatch(format!("--limit: {limit} is not in 1..={most}")));
            }
            validation.truncate(limit.min(validation.len()));
            test.truncate(limit.min(test.len()));
        }
        if let Some(count) = request.validation_images {
            let most = validation.len();
            if !(1..=most).contains(&count) {
                return Err(Error::mismatch(format!("--validation-images: {count} is not in 1..={most}")));
            }
            validation.truncate(count);
        }
        let identity = Identity {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            weights_sha256: model.sha256.clone(),
            hardware_sha256,
            validation_sha256: data.validation.sha256()?,
        };
        Ok(Self { machine: Machine::new(hardware)?, model, data, validation, test, identity })
    }

    fn search(
        &self,
        request: &Request,
        resumed: Option<(Vec<Entry>, Log)>,
        path: &Path,
        quiet: bool,
    ) -> Result<Search> {
        let strategies: Vec<_> =
            request.strategies.iter().flat_map(|&name| named(name, request.accelerated)).collect();
        // What cannot be searched is refused before anything long starts.
        for strategy in &strategies {
            strategy.quantizer().space(&self.model.network, &request.widths).check()?;
        }
        let evaluator = self.evaluator(&self.validation, quiet)?;
        let (entries, log) = match resumed {
            Some(resumed) => resumed,
            None => (Vec::new(), Log::create(path, request)?),
        };
        let bar = progress::bar(self.validation.len() as u64, quiet);
        bar.set_message("float");
        let oracle =
            NetworkOracle::new(&self.model, &evaluator, Engine::default(), &self.validation, &|| bar.inc(1))?;
        bar.finish_and_clear();
        let mut store = Store::new(&oracle, entries, Some(log));
        let mut runs = Vec::new();
        for strategy in &strategies {
            let space = strategy.quantizer().space(&self.model.network, &request.widths);
            let space = legal(space, &oracle)?;
            let seeds = if strategy.is_random() { &request.seeds[..] } else { &request.seeds[..1] };
            for &seed in seeds {
                if !quiet {
                    eprintln!("{}, seed {seed}", strategy.name());
                }
                runs.push(run_strategy(strategy.as_ref(), &space, &request.problem, seed, &mut store)?);
            }
        }
        self.report(request, &oracle, runs, quiet)
    }

    /// Runs every setting that was found on the test images, once.
    fn report(
        &self,
        request: &Request,
        oracle: &NetworkOracle,
        runs: Vec<Run>,
        quiet: bool,
    ) -> Result<Search> {
        let evaluator = self.evaluator(&self.test, quiet)?;
        let test_accuracy = evaluator.float_accuracy()?.expect("images are executed");
        let mut finals = Vec::new();
        for run in &runs {
            finals.push(match &run.setting {
                Some(text) => {
                    Some(self.on_test(&evaluator, &Setting::parse(text, &run.strategy)?, test_accuracy)?)
                }
                None => None,
            });
        }
        let objective = |run: &Run| Some(request.problem.objective.of(&run.best.as_ref()?.measured.figures));
        let found = (0..runs.len()).filter_map(|i| Some((objective(&runs[i])?, i)));
        let best = found.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, i)| i);
        Ok(Search {
            model: self.model.description.name.clone(),
            hardware: self.machine.hardware.name.clone(),
            data: self.data.name.clone(),
            images: [self.validation.len(), self.test.len()],
            objective: request.problem.objective,
            accuracy_drop: request.problem.budgets.accuracy_drop,
            reference_accuracy: [oracle.reference_accuracy(), test_accuracy],
            float: oracle.float_figures()?,
            runs,
            finals,
            best,
        })
    }

    fn on_test(&self, evaluator: &Evaluator, setting: &Setting, reference: f64) -> Result<Final> {
        let evaluation = evaluator.evaluate(setting, &|| ())?;
        let accuracy = evaluation.accuracy.expect("images were executed");
        let figures = Figures::from(&evaluation);
        Ok(Final {
            setting: setting.name.clone(),
            accuracy,
            accuracy_drop: reference - accuracy,
            memory_bytes: figures.memory_bytes,
            energy_j: figures.energy_j,
            latency_s: figures.latency_s,
            power_w: figures.power_w,
            average_weight_bits: figures.average_weight_bits,
        })
    }

    fn evaluator<'a>(&'a self, images: &'a Images, quiet: bool) -> Result<Evaluator<'a>> {
        let read = images.len() + self.data.validation.len().min(CALIBRATION_IMAGES);
        let bar = progress::bar(read as u64, quiet);
        bar.set_message("reading");
        let evaluator = Evaluator::new(&self.model, &self.machine, &self.data, images, &|| bar.inc(1))?;
        bar.finish_and_clear();
        Ok(evaluator.keeping_layers())
    }
}

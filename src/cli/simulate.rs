use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{print, progress};
use crate::cost::Machine;
use crate::error::{Error, Result};
use crate::evaluate::{
    ActivitySource, CALIBRATION_IMAGES, DataSummary, Evaluation, Evaluator, HardwareSummary, ModelSummary,
    RatesSummary, Simulation,
};
use crate::exec::{Engine, Isa, Rates};
use crate::hw::Hardware;
use crate::map::FixedMapping;
use crate::model::{DataSet, Model};
use crate::quant::{Precision, Setting};
use crate::report;

/// Settings that are compared when none is asked for.
const DEFAULT_SETTINGS: [&str; 8] = ["fp32", "w8", "w6", "w4", "w3", "pot3", "w4u8", "mixed"];

/// Flags of `spiq simulate`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A built-in model, or the path of a model description.
    #[arg(long, value_name = "M", default_value = "sdtv1_2-64_fashion")]
    model: String,
    /// A checkpoint in the place of the weights that the model description names.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// A built-in accelerator, or the path of a hardware description.
    #[arg(long, value_name = "H", default_value = "edge-28")]
    hw: String,
    /// A setting: fp32, w8, w4, pot3, w4u8 (weights 4, membranes 8), floor8, a built-in setting or
    /// the path of a setting file; may be repeated [default: fp32 w8 w6 w4 w3 pot3 w4u8 mixed].
    #[arg(long, value_name = "Q")]
    quant: Vec<String>,
    /// A built-in data set, the path of a data description, or `noise`: a few synthetic images that
    /// fit any model.
    #[arg(long, value_name = "D", default_value = "fashion-mnist")]
    data: String,
    /// Run only the first N test images.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Execute no images, but charge for the activity that these rates lead one to expect: a table
    /// `layer,rate`, built in or the path of a `.csv` file, as a run writes it into rates/.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "limit"])]
    rates: Option<String>,
    /// Fix the mapping of layers as this file says (docs/cost.md); the rest is chosen.
    #[arg(long, value_name = "FILE")]
    mapping: Option<String>,
    /// Write report.json, settings.csv, layers.csv, rates/ and plots/ here.
    #[arg(long, value_name = "DIR", default_value = "spiq-out")]
    out: PathBuf,
    /// Print the report as JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Threads to run on [default: one per core]; the results do not depend on it.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Kernels that execute the integers; the results do not depend on it [default: the fastest that this
    /// processor has].
    #[arg(long, value_name = "ISA")]
    isa: Option<IsaFlag>,
    /// Draw no progress bar.
    #[arg(long)]
    quiet: bool,
}

/// Values of `--isa`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum IsaFlag {
    /// The specification itself, one operation at a time.
    Scalar,
    /// Kernels for any processor.
    Portable,
    /// Kernels for AVX2.
    Avx2,
    /// Kernels for AVX-512 with VBMI, VNNI and BITALG.
    Avx512,
}

impl IsaFlag {
    fn engine(self) -> Result<Engine> {
        let isa = match self {
            Self::Scalar => return Ok(Engine::Scalar),
            Self::Portable => Isa::Portable,
            Self::Avx2 => Isa::Avx2,
            Self::Avx512 => Isa::Avx512,
        };
        match isa.is_available() {
            true => Ok(Engine::Fast(isa)),
            false => Err(Error::mismatch(format!("--isa: this processor lacks {}", isa.name()))),
        }
    }
}

/// A checked request: everything is loaded, everything fits.
struct Request {
    model: Model,
    machine: Machine,
    hardware_sha256: String,
    activity: Activity,
    settings: Vec<Setting>,
    engine: Engine,
    mapping: Option<FixedMapping>,
}

/// What activity is charged.
enum Activity {
    /// That of executed images.
    Executed(DataSet),
    /// What rates lead one to expect.
    Expected(Rates),
}

/// Runs `spiq simulate`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let request = Request::new(arguments)?;
    report::check_target(&arguments.out)?;
    let mut pool = rayon::ThreadPoolBuilder::new();
    if let Some(threads) = arguments.threads {
        pool = pool.num_threads(threads);
    }
    let pool = pool.build().map_err(|e| Error::mismatch(format!("--threads: {e}")))?;
    let simulation = pool.install(|| request.simulate(arguments))?;
    report::write(&simulation, &arguments.out)?;
    match arguments.json {
        true => print(&report::to_json(&simulation)?),
        false => print(&format!("{}\nWrote {}\n", report::table(&simulation), arguments.out.display())),
    }
}

impl Request {
    fn new(arguments: &Arguments) -> Result<Self> {
        let in_range = |flag: &str, value: Option<usize>, max: usize| match value {
            Some(v) if !(1..=max).contains(&v) => {
                Err(Error::mismatch(format!("--{flag}: {v} is not in 1..={max}")))
            }
            _ => Ok(()),
        };
        in_range("threads", arguments.threads, 1024)?;
        let engine = arguments.isa.map_or(Ok(Engine::default()), IsaFlag::engine)?;
        let names: Vec<&str> = match arguments.quant.is_empty() {
            true => DEFAULT_SETTINGS.to_vec(),
            false => arguments.quant.iter().map(String::as_str).collect(),
        };
        let settings = names.into_iter().map(Setting::load).collect::<Result<Vec<_>>>()?;
        for (i, setting) in settings.iter().enumerate() {
            if settings[..i].iter().any(|other| other.name == setting.name) {
                return Err(Error::mismatch(format!("--quant: two settings are named {}", setting.name)));
            }
        }
        let (hardware, hardware_sha256) = Hardware::load(&arguments.hw)?;
        let model = match &arguments.weights {
            Some(checkpoint) => Model::load_checkpoint(&arguments.model, checkpoint)?,
            None => Model::load(&arguments.model)?,
        };
        let activity = match &arguments.rates {
            Some(rates) => Activity::Expected(Rates::load(rates, &model.network)?),
            None => {
                let mut data = DataSet::load_for(&arguments.data, &model.description)?;
                in_range("limit", arguments.limit, data.test.len())?;
                data.test.truncate(arguments.limit.unwrap_or(data.test.len()));
                Activity::Executed(data)
            }
        };
        let mapping = arguments.mapping.as_ref().map(|file| FixedMapping::load(file)).transpose()?;
        let machine = Machine::new(hardware)?;
        Ok(Self { model, machine, hardware_sha256, activity, settings, engine, mapping })
    }

    fn simulate(&self, arguments: &Arguments) -> Result<Simulation> {
        let source = self.source()?;
        let evaluator = self.evaluator(arguments.quiet)?.with_mapping(self.mapping.clone());
        // What cannot run is refused before anything long starts.
        self.settings.iter().try_for_each(|setting| evaluator.check(setting))?;
        let images = match &self.activity {
            Activity::Executed(data) => data.test.len(),
            Activity::Expected(_) => 0,
        };
        let bar = progress::bar((images * self.settings.len()) as u64, arguments.quiet);
        let mut settings = Vec::new();
        for setting in &self.settings {
            bar.set_message(setting.name.clone());
            settings.push(evaluator.evaluate(setting, &|| bar.inc(1))?);
        }
        let reference =
            match settings.iter().zip(&self.settings).find(|(_, s)| s.precision == Precision::Float32) {
                Some((evaluation, _)) => evaluation.accuracy,
                None => evaluator.float_accuracy()?,
            };
        bar.finish_and_clear();
        for evaluation in &mut settings {
            evaluation.accuracy_drop = reference.zip(evaluation.accuracy).map(|(float, mine)| float - mine);
        }
        Ok(self.summarize(source, settings))
    }

    /// Reads the images, if there are any.
    fn evaluator(&self, quiet: bool) -> Result<Evaluator<'_>> {
        let data = match &self.activity {
            Activity::Executed(data) => data,
            Activity::Expected(rates) => return Evaluator::expecting(&self.model, &self.machine, rates),
        };
        let read = data.test.len() + data.validation.len().min(CALIBRATION_IMAGES);
        let bar = progress::bar(read as u64, quiet);
        bar.set_message("reading");
        let evaluator = Evaluator::new(&self.model, &self.machine, data, &data.test, &|| bar.inc(1))?
            .with_engine(self.engine);
        bar.finish_and_clear();
        Ok(evaluator)
    }

    fn source(&self) -> Result<ActivitySource> {
        Ok(match &self.activity {
            Activity::Executed(data) => ActivitySource::Data(DataSummary {
                name: data.name.clone(),
                images: data.test.len(),
                sha256: data.test.sha256()?,
            }),
            Activity::Expected(rates) => {
                ActivitySource::Rates(RatesSummary { file: rates.path.clone(), sha256: rates.sha256.clone() })
            }
        })
    }

    fn summarize(&self, source: ActivitySource, settings: Vec<Evaluation>) -> Simulation {
        let description = &self.model.description;
        Simulation {
            model: ModelSummary {
                name: description.name.clone(),
                family: description.family.name().to_owned(),
                parameters: self.model.network.parameter_count(),
                notes: self.model.weights.notes.clone(),
                sha256: self.model.sha256.clone(),
            },
            hardware: HardwareSummary {
                name: self.machine.hardware.name.clone(),
                sha256: self.hardware_sha256.clone(),
            },
            source,
            settings,
        }
    }
}

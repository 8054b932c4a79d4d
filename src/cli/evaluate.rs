use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::activity::{self, ActivityArguments};
use super::explore::RunArguments;
use super::flags::check_flag;
use super::model::ModelArguments;
use super::print::print_json;
use super::set::SetArguments;
use crate::cost::Machine;
use crate::error::{Error, Result};
use crate::explore::{Answer, Constraint, Figure, Function};
use crate::hw::{Change, Hardware};
use crate::watch::{Unwatched, Watcher};

/// Flags of `spiq evaluate`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// A built-in accelerator, or the path of a hardware description.
    #[arg(long, value_name = "H", default_value = "edge-28")]
    hw: String,
    #[command(flatten)]
    set: SetArguments,
    /// A setting, built in or the path of a setting file.
    #[arg(long, value_name = "Q", default_value = "w8")]
    quant: String,
    #[command(flatten)]
    activity: ActivityArguments,
    /// Charge the machine for the first N images, and measure accuracy on all [default: all].
    #[arg(long, value_name = "N")]
    charged: Option<usize>,
    /// What is to be small, or large where more is better: a figure as in points.csv; may be repeated.
    #[arg(long, value_name = "FIGURE", default_values = ["energy_j", "latency_s"])]
    objective: Vec<String>,
    /// A limit, as in "area_mm2 <= 1" or "images_per_s >= 30"; may be repeated.
    #[arg(long, value_name = "LIMIT")]
    constraint: Vec<String>,
    /// Print JSON; there is no other form.
    #[arg(long)]
    json: bool,
    /// Read a request of JSON in each line of standard input, as {"quant": "w4", "hw": "edge-28", "set": {"clock_hz":
    /// 5e8}}, and answer each with a line; what a request leaves out is that of the flags.
    #[arg(long)]
    serve: bool,
    #[command(flatten)]
    run: RunArguments,
}

/// A line of `--serve`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Request {
    hw: Option<String>,
    quant: Option<String>,
    /// Values by their paths.
    set: BTreeMap<String, Value>,
}

/// What is printed.
#[derive(Serialize)]
struct Report<'a> {
    setting: &'a str,
    hardware: &'a str,
    hardware_sha256: &'a str,
    /// Why there are no figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a str>,
    /// Figures that are known of the design.
    figures: serde_json::Map<String, Value>,
    /// In the order asked for, so that less is better; nothing where one is not known.
    objectives: Vec<Option<f64>>,
    /// Per limit, how far it is exceeded, as a share of it (of accuracy, the difference); zero where it is kept, and
    /// nothing where the figure is not known.
    constraints: Vec<Option<f64>>,
    /// Whether all limits are kept.
    meets: bool,
}

/// What is asked of each point.
struct Wanted {
    objectives: Vec<Figure>,
    constraints: Vec<Constraint>,
}

impl Wanted {
    fn of(arguments: &Arguments) -> Result<Self> {
        let named = |flag: &str, message: String| Error::mismatch(format!("--{flag}: {message}"));
        let objective = |text: &String| Figure::try_from(text.clone()).map_err(|m| named("objective", m));
        let constraint =
            |text: &String| Constraint::try_from(text.clone()).map_err(|m| named("constraint", m));
        Ok(Self {
            objectives: arguments.objective.iter().map(objective).collect::<Result<_>>()?,
            constraints: arguments.constraint.iter().map(constraint).collect::<Result<_>>()?,
        })
    }

    fn report<'a>(&self, answer: &'a Answer) -> Report<'a> {
        let Answer { setting, hardware, hardware_sha256, figures } = answer;
        let known = |value: f64| value.is_finite().then_some(value);
        let found = figures.as_ref().ok();
        let named = |figures| {
            let value = |figure: Figure| Some((figure.name().to_owned(), known(figure.of(figures))?.into()));
            Figure::ALL.into_iter().filter_map(value).collect()
        };
        let excess = |constraint: &Constraint| known(constraint.excess(found?).unwrap_or(0.0));
        let constraints: Vec<Option<f64>> = self.constraints.iter().map(excess).collect();
        Report {
            setting,
            hardware,
            hardware_sha256,
            refused: figures.as_ref().err().map(String::as_str),
            figures: found.map(named).unwrap_or_default(),
            objectives: self.objectives.iter().map(|figure| known(figure.cost(found?))).collect(),
            meets: found.is_some() && constraints.iter().all(|&excess| excess == Some(0.0)),
            constraints,
        }
    }
}

/// Runs `spiq evaluate`: 0 if all limits are kept, 1 if not or the machine cannot run the network.
pub fn run(arguments: &Arguments) -> Result<u8> {
    let wanted = Wanted::of(arguments)?;
    let hw = arguments.set.of(&arguments.hw)?;
    // Faults of the machine are told before images are read.
    let machine = Machine::new(Hardware::load(&hw)?.0)?;
    arguments.run.run("points", |images, _| {
        let model = Arc::new(arguments.model.load()?);
        let origin = activity::load(&arguments.activity, &model, &[machine])?;
        let all = origin.images();
        arguments.charged.map_or(Ok(()), |charged| check_flag("--charged", charged, 1..=all))?;
        let mut function = Function::new(&model, &origin, arguments.charged.unwrap_or(all), images)?;
        if arguments.serve {
            return serve(&mut function, &wanted, &hw, &arguments.quant);
        }
        let answer = function.at(&hw, &arguments.quant, images)?;
        let report = wanted.report(&answer);
        print_json(&(serde_json::to_string_pretty(&report).expect("names and numbers") + "\n"))?;
        Ok(u8::from(!report.meets))
    })
}

/// Answers line by line; a request that is wrong is answered with an error, and the next one is read.
fn serve(function: &mut Function, wanted: &Wanted, hw: &str, quant: &str) -> Result<u8> {
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line.map_err(|source| Error::io("standard input", source))?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let text = match answer(function, &line, hw, quant, &Unwatched) {
            Ok(answer) => serde_json::to_string(&wanted.report(&answer)),
            Err(error) => serde_json::to_string(&BTreeMap::from([("error", error.to_string())])),
        };
        print_json(&(text.expect("names and numbers") + "\n"))?;
    }
    Ok(0)
}

fn answer(
    function: &mut Function,
    line: &[u8],
    hw: &str,
    quant: &str,
    watcher: &dyn Watcher,
) -> Result<Answer> {
    let request: Request = serde_json::from_slice(line).map_err(|error| Error::Syntax {
        path: "request".to_owned(),
        line: error.line(),
        column: error.column(),
        message: error.to_string(),
    })?;
    let mut spec = request.hw.unwrap_or_else(|| hw.to_owned());
    for (path, value) in &request.set {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        spec += &format!("+{}", Change::parse(&format!("{path}={value}"))?);
    }
    function.at(&spec, request.quant.as_deref().unwrap_or(quant), watcher)
}

use std::path::PathBuf;

use clap::Args;

use super::flags::check_flag;
use super::given::quoted;
use super::print::{print, print_json};
use super::progress::Bars;
use super::threads::ThreadsArguments;
use crate::error::{Error, Result};
use crate::explore::{Exploration, Sample, Space, Study};
use crate::files::sha256;
use crate::output::{self, Owner};
use crate::report;

/// Flags of `spiq explore`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    of: SpaceArguments,
    /// Write report.html, points.csv, fronts.csv, effects.csv, exploration.json and plots/ here.
    #[arg(long, value_name = "DIR", default_value = "spiq-explore")]
    out: PathBuf,
    /// Print exploration.json instead of a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    run: RunArguments,
}

/// Flags that say what is explored.
#[derive(Debug, Args)]
pub struct SpaceArguments {
    /// A built-in space, or the path of a description of one (docs/explore.md).
    space: String,
    /// Evaluate only so many machines: a Latin hypercube of the space.
    #[arg(long, value_name = "N")]
    sample: Option<u64>,
    /// Seed of the sample.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "sample")]
    seed: u64,
}

/// Flags that say how it is run.
#[derive(Debug, Args)]
pub struct RunArguments {
    #[command(flatten)]
    threads: ThreadsArguments,
    /// Draw no progress bar.
    #[arg(long)]
    quiet: bool,
}

/// Most machines of a sample.
const MAX_SAMPLE: u64 = 10_000_000;

impl SpaceArguments {
    /// The space with its text.
    pub fn load(&self) -> Result<(Space, String)> {
        self.sample.map_or(Ok(()), |sample| check_flag("--sample", sample, 1..=MAX_SAMPLE))?;
        Space::load(&self.space)
    }

    /// All that is read of `space`, whose text is `text`.
    pub fn study(&self, space: Space, text: &str, images: &Bars) -> Result<Study> {
        let sample = self.sample.map(|machines| Sample { machines, seed: self.seed });
        let study = Study::new(space, sha256([text.as_bytes()]), sample, images)?;
        Ok(study.run_by(self.command()))
    }

    /// What to type to explore it.
    fn command(&self) -> String {
        let sample = self.sample.map(|machines| format!(" --sample {machines} --seed {}", self.seed));
        format!("spiq explore {}{}", quoted(&self.space), sample.unwrap_or_default())
    }
}

impl RunArguments {
    /// What `run` makes of bars of images and of `what`, on so many threads.
    pub fn run<T: Send>(
        &self,
        what: &'static str,
        run: impl FnOnce(&Bars, &Bars) -> Result<T> + Send,
    ) -> Result<T> {
        self.threads.pool()?.install(|| run(&Bars::new(self.quiet), &Bars::counting(what, self.quiet)))
    }
}

/// Runs `spiq explore`: 0 if points keep all constraints, 1 if not.
pub fn run(arguments: &Arguments) -> Result<u8> {
    let (space, text) = arguments.of.load()?;
    output::check_target(&arguments.out, Owner::Exploration, &["plots"])?;
    let found = arguments.run.run("points", |images, points| {
        Ok(arguments.of.study(space, &text, images)?.explore(images, points))
    })?;
    leave(&found, &arguments.out, arguments.json)
}

/// Writes `found` into `out`, and shows it: 0 if points keep all constraints, 1 if not.
pub fn leave(found: &Exploration, out: &std::path::Path, json: bool) -> Result<u8> {
    report::write_exploration(found, out)?;
    if json {
        print_json(&report::exploration_json(found)?)?;
    } else {
        print(&format!("{}\nWrote {}\n", report::exploration_table(found), out.display()))?;
    }
    Ok(match report::unmet_constraints(found) {
        None => 0,
        Some(message) => {
            eprintln!("error: {}", Error::mismatch(message));
            1
        }
    })
}

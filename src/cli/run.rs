use std::path::PathBuf;

use clap::Args;

use super::print::{print, print_json};
use super::subject::{Subject, SubjectArguments};
use crate::error::{Error, Result};
use crate::exchange::{self, DumpRequest};

/// Arguments of `spiq run`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    subject: SubjectArguments,
    /// Write the spikes of every neuron layer, the input and the logits here, as .npy.
    #[arg(long, value_name = "DIR")]
    dump: Option<PathBuf>,
    /// Write the membranes of every neuron layer too.
    #[arg(long, requires = "dump")]
    dump_membranes: bool,
    /// Write the accumulators of every weight layer too.
    #[arg(long, requires = "dump")]
    dump_accumulators: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `spiq run`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let subject = Subject::load(&arguments.subject, None)?;
    let [model, setting] = subject.names();
    let names = [model, setting, subject.data_name.as_str()];
    let request =
        DumpRequest { membranes: arguments.dump_membranes, accumulators: arguments.dump_accumulators };
    let images = &subject.images;
    let summary = match (subject.quantized()?, &arguments.dump) {
        (Some(quantized), None) => exchange::run(&quantized, names, images),
        (Some(quantized), Some(dir)) => exchange::dump(&quantized, names, images, request, dir),
        (None, None) => exchange::run_float(subject.model(), names, images),
        (None, Some(dir)) if request == DumpRequest::default() => {
            exchange::dump_float(subject.model(), names, images, dir)
        }
        (None, Some(_)) => Err(Error::mismatch(
            "--dump-membranes and --dump-accumulators are of integers: --quant fp32 has none",
        )),
    }?;
    if arguments.json {
        let json = serde_json::to_string_pretty(&summary).expect("finite numbers and names");
        return print_json(&format!("{json}\n"));
    }
    print(&format!(
        "model     {}\nsetting   {}\ndata      {}\naccuracy  {:.2} % ({} of {})\nlogits    sha256 {}\n",
        summary.model,
        summary.setting,
        summary.data,
        100.0 * summary.correct as f64 / summary.images as f64,
        summary.correct,
        summary.images,
        summary.logits_sha256,
    ))
}

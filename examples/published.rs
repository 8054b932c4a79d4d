//! Latencies of published accelerators, predicted from their descriptions, beside what their authors publish.
//!
//! Spikes of these networks are not published. The array of a Spikformer skips no zeros; the rate at which FireFly-T
//! reaches the published frames of one network is its one fitted constant, and predicts those of the other. Writes
//! latency.csv into results/published:
//!
//!     cargo run --release --example published

use std::fmt::Write;
use std::sync::Arc;

use spiq::cost::{Machine, MappedWorkload, patterns};
use spiq::evaluate::Evaluator;
use spiq::exec::Rates;
use spiq::hw::Hardware;
use spiq::load;
use spiq::map::Workload;
use spiq::model::Network;
use spiq::quant::{Precision, Setting};

const FILE: &str = "results/published/latency.csv";
const HEADER: &str =
    "machine,network,setting,part,predicted_ms,published_ms,difference_percent,kind,fitted\n";

type Failure = Box<dyn std::error::Error>;

/// A machine that runs one network at one setting.
struct Case {
    machine: Machine,
    name: &'static str,
    network: Network,
    workload: Workload,
    setting: &'static str,
}

impl Case {
    fn new(hardware: &str, name: &'static str, setting: &'static str) -> Result<Self, Failure> {
        let machine = Machine::new(Hardware::load(hardware)?.0)?;
        let model = Arc::new(load::model(name)?);
        let Precision::Fixed(fixed) = Setting::load(setting)?.precision else { unreachable!("of integers") };
        let rates = Arc::new(Rates::uniform(&model.network, 0.1)?);
        let quantized = Evaluator::expecting(model, rates)?.quantize(&fixed)?;
        let (network, workload) = (quantized.network().clone(), Workload::quantized(&quantized));
        Ok(Self { machine, name, network, workload, setting })
    }

    /// Per layer, its name and its time in milliseconds where every layer spikes at `rate`.
    fn layers_at(&self, rate: f64) -> Result<Vec<(String, f64)>, Failure> {
        let asked = patterns(std::slice::from_ref(&self.machine), &self.network);
        let activity = Rates::uniform(&self.network, rate)?.activity_with(&self.network, &asked);
        let samples = std::slice::from_ref(&activity);
        let mapped = MappedWorkload::best(self.workload.clone(), &self.machine, samples)?;
        let costs = mapped.costs(&self.machine, &activity);
        let milliseconds = costs.iter().map(|cost| self.machine.seconds(cost.cycles.total()) * 1e3);
        Ok(mapped.workload.layers.iter().map(|layer| layer.name.clone()).zip(milliseconds).collect())
    }

    fn all_at(&self, rate: f64) -> Result<f64, Failure> {
        Ok(self.layers_at(rate)?.iter().map(|(_, milliseconds)| milliseconds).sum())
    }

    /// The rate at which an image takes so long, to four digits.
    fn rate_of(&self, milliseconds: f64) -> Result<f64, Failure> {
        let (mut low, mut high) = (0.0, 1.0);
        while high - low > 1e-4 {
            let rate = f64::midpoint(low, high);
            if self.all_at(rate)? < milliseconds { low = rate } else { high = rate }
        }
        Ok(high)
    }

    /// A line of the table.
    fn row(&self, part: &str, milliseconds: [f64; 2], kind: &str, fitted: &str) -> String {
        let [predicted, published] = milliseconds;
        let difference = 100.0 * (predicted / published - 1.0);
        let (hardware, setting) = (&self.machine.hardware.name, self.setting);
        let network = self.name;
        format!(
            "{hardware},{network},{setting},{part},{predicted:.3},{published:.3},{difference:+.1},{kind},{fitted}\n"
        )
    }
}

/// The Spikformer on a Zynq, whose authors publish two parts of its latency.
fn spikformer_fpga(table: &mut String) -> Result<(), Failure> {
    let case = Case::new("spikformer-fpga-16", "spikformer_1-384_cifar10", "w8")?;
    let layers = case.layers_at(0.2)?;
    let milliseconds = |takes: &dyn Fn(&str) -> bool| {
        layers.iter().filter(|(name, _)| takes(name)).map(|(_, milliseconds)| milliseconds).sum::<f64>()
    };
    // The first convolution is on an array of its own and not in the published part.
    let convolution = |name: &str| name.starts_with("patch_embed") && name != "patch_embed.proj_conv";
    let kind = "FPGA: latency; board or simulation not said";
    for (part, predicted, published) in [
        ("convolutions", milliseconds(&convolution), 48.0),
        ("attention and MLP", milliseconds(&|name| name.starts_with("block")), 4.634),
        ("all", milliseconds(&|_| true), 53.0),
    ] {
        table.write_str(&case.row(part, [predicted, published], kind, "nothing"))?;
    }
    Ok(())
}

fn firefly_t(table: &mut String) -> Result<(), Failure> {
    let kind = "FPGA: frames per second, timer or count not said";
    let first = Case::new("firefly-t-16", "spikingformer_4-256_cifar10", "w4")?;
    let (published, others) = (1e3 / 907.0, 1e3 / 630.0);
    let rate = first.rate_of(published)?;
    let fitted = format!("a spike rate of {rate:.3} everywhere");
    table.write_str(&first.row("all", [first.all_at(rate)?, published], kind, &fitted))?;
    let second = Case::new("firefly-t-16", "spikingformer_2-512_cifar100", "w4")?;
    table.write_str(&second.row("all", [second.all_at(rate)?, others], kind, "the rate above"))?;
    Ok(())
}

fn main() -> Result<(), Failure> {
    let mut table = HEADER.to_owned();
    spikformer_fpga(&mut table)?;
    firefly_t(&mut table)?;
    std::fs::create_dir_all("results/published")?;
    std::fs::write(FILE, &table)?;
    print!("{table}");
    Ok(())
}

//! Below which spike rate does a spiking network take less energy than the quantized network that it could be?
//!
//! Yan, Bai, Tang and Wong (arXiv 2409.08290) set a spiking network of T timesteps against one of
//! ceil(log2(T + 1))-bit activations with the same weights, and find that at T = 5 the spiking one has to spike
//! with less than 5.7 % (6.4 % in version 3). This asks our cost model the same, layer by layer, for
//! Spike-driven Transformer v1 2-512 (`results/crossover/network.ron`) on three machines that differ in where data
//! live. Writes crossover.csv and crossover.svg beside it:
//!
//!     cargo run --release --example crossover

use std::fmt::Write;
use std::sync::Arc;

use spiq::cost::{Machine, MappedWorkload};
use spiq::evaluate::Evaluator;
use spiq::exec::{Activity, Rates};
use spiq::hw::Hardware;
use spiq::load;
use spiq::map::{EpilogueKind, Input, Workload};
use spiq::quant::{Precision, QuantizedModel, Setting};

const FOLDER: &str = "results/crossover";
/// Activations of the quantized network: five timesteps tell six levels apart.
const ACTIVATION_BITS: u32 = 3;
/// Fractions of its activations that are not zero.
const DENSITIES: [f64; 2] = [1.0, 0.5];
/// The rate that the paper found.
const PAPER: f64 = 0.057;

/// A machine and what is counted on it.
struct Case {
    name: &'static str,
    machine: Machine,
    /// False where only operations count.
    memories: bool,
}

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let model = Arc::new(load::model(&format!("{FOLDER}/network.ron"))?);
    let setting = Setting::load("w8")?;
    let cases = cases()?;
    let rates = Arc::new(Rates::uniform(&model.network, 0.1)?);
    let Precision::Fixed(fixed) = &setting.precision else { unreachable!("w8 is of integers") };
    let quantized = Evaluator::expecting(Arc::clone(&model), Arc::clone(&rates)).quantize(fixed)?;
    let mut rows = Vec::new();
    for case in &cases {
        for density in DENSITIES {
            let other = ann_energy_j(case, &quantized, density)?;
            let spiking = |rate: f64| snn_energy_j(case, &quantized, rate);
            rows.push((case.name, density, other, crossover(other, spiking)?));
        }
    }
    println!("machine                        activations  quantized uJ  spiking at 5.7 % uJ  crossover %");
    for (name, density, other, rate) in &rows {
        let case = cases.iter().find(|case| case.name == *name).expect("its own");
        let at_paper = snn_energy_j(case, &quantized, PAPER)? * 1e6;
        let rate = rate.map_or("none".to_owned(), |rate| format!("{:.2}", 100.0 * rate));
        println!("{name:30} {density:>11.2} {:>13.2} {at_paper:>20.2} {rate:>12}", other * 1e6);
    }
    println!("\nby what takes it, uJ: {}", PARTS.join(" | "));
    for case in &cases {
        let row = |parts: Parts| parts.map(|part| format!("{:.1}", part * 1e6)).join(" | ");
        for rate in [0.0, PAPER] {
            println!(
                "{}, spiking at {:.1} %: {}",
                case.name,
                rate * 100.0,
                row(snn_parts_j(case, &quantized, rate)?)
            );
        }
        for density in DENSITIES {
            println!(
                "{}, quantized at {density}: {}",
                case.name,
                row(ann_parts_j(case, &quantized, density)?)
            );
        }
    }
    std::fs::write(format!("{FOLDER}/crossover.csv"), table(&cases, &quantized)?)?;
    std::fs::write(format!("{FOLDER}/crossover.svg"), picture(&cases, &quantized)?)?;
    Ok(())
}

/// edge-28 with a multiplier beside each adder, so that both networks have their own datapath.
fn cases() -> Result<Vec<Case>, Failure> {
    let text =
        include_str!("../hw_configs/edge-28.ron").replace("multi_bit: BitSerial", "multi_bit: Multiplier");
    let machine =
        |text: &str| -> Result<Machine, Failure> { Ok(Machine::new(Hardware::parse(text, "edge-28")?)?) };
    let mut large = text.clone();
    for (bytes, more) in [("98304", "16777216"), ("65536", "8388608")] {
        large = large
            .replace(&format!("capacity_bytes: (value: {bytes}"), &format!("capacity_bytes: (value: {more}"));
    }
    Ok(vec![
        Case { name: "operations only", machine: machine(&large)?, memories: false },
        Case { name: "all on chip (32 MiB of SRAM)", machine: machine(&large)?, memories: true },
        Case { name: "edge-28 (224 KiB, LPDDR4)", machine: machine(&text)?, memories: true },
    ])
}

/// Energy by what takes it. That of the DRAM, which sleeps between transfers, is shared by bits.
type Parts = [f64; 7];
const PARTS: [&str; 7] =
    ["operations", "weights", "activations", "sums, state", "DRAM, weights", "DRAM, maps", "leakage"];

fn parts_j(case: &Case, workload: Workload, activity: &Activity) -> Result<Parts, Failure> {
    let mapped = MappedWorkload::best(workload, &case.machine, std::slice::from_ref(activity))?;
    let mut parts = Parts::default();
    for cost in mapped.costs(&case.machine, activity) {
        let e = &cost.energy_j;
        let leakage = case.machine.leakage_w * case.machine.seconds(cost.cycles.total());
        let operations = e.synapse + e.neuron + e.elementwise + e.attention;
        let state = e.partial_sum_memory + e.membrane_memory + e.residual_memory;
        let bits = &cost.traffic_bits;
        let weights = e.dram * bits.weights_written / (bits.dram_read + bits.dram_written).max(1.0);
        let (maps, on_chip) = (e.dram - weights, [e.weight_memory, e.activation_memory, state]);
        let layer = match case.memories {
            true => [operations, on_chip[0], on_chip[1], on_chip[2], weights, maps, leakage],
            false => [operations, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        };
        parts.iter_mut().zip(layer).for_each(|(sum, part)| *sum += part);
    }
    Ok(parts)
}

fn snn_energy_j(case: &Case, model: &QuantizedModel, rate: f64) -> Result<f64, Failure> {
    Ok(snn_parts_j(case, model, rate)?.iter().sum())
}

fn snn_parts_j(case: &Case, model: &QuantizedModel, rate: f64) -> Result<Parts, Failure> {
    let activity = Rates::uniform(model.network(), rate)?.activity(model.network());
    parts_j(case, Workload::quantized(model), &activity)
}

fn ann_energy_j(case: &Case, model: &QuantizedModel, density: f64) -> Result<f64, Failure> {
    Ok(ann_parts_j(case, model, density)?.iter().sum())
}

/// Energies of the layers on activations of [`ACTIVATION_BITS`] in one pass: no timesteps, no membranes; where
/// neurons were, sums are brought onto the grid of activations.
fn ann_parts_j(case: &Case, model: &QuantizedModel, density: f64) -> Result<Parts, Failure> {
    let mut workload = Workload::quantized(model);
    workload.timesteps = 1;
    let bits = ACTIVATION_BITS;
    for layer in &mut workload.layers {
        layer.live_activation_bits *= f64::from(bits);
        if let Some(product) = layer.product.as_mut().filter(|product| product.input == Input::Spikes) {
            product.input = Input::Integers { bits };
            product.accumulator_bits += bits;
        }
        for epilogue in &mut layer.epilogue {
            let spikes = epilogue.stored_bits == 1;
            epilogue.kind = match epilogue.kind {
                EpilogueKind::Neuron { potential_bits, .. } => EpilogueKind::Requantize {
                    from_bits: potential_bits + bits,
                    read_bits: 0,
                    shift: false,
                    residual: false,
                },
                EpilogueKind::Pool { comparisons, bits: 1, inputs } => {
                    EpilogueKind::Pool { comparisons, bits, inputs }
                }
                // Bit plane by bit plane.
                EpilogueKind::SpikeProducts { operations, sums, sum_bits, reads } => {
                    EpilogueKind::SpikeProducts {
                        operations: operations * (bits * bits) as usize,
                        sums: sums * bits as usize,
                        sum_bits: sum_bits + 2 * bits,
                        reads: reads * bits as usize,
                    }
                }
                other => other,
            };
            epilogue.stored_bits = if spikes { bits } else { epilogue.stored_bits };
        }
    }
    let mut activity = Rates::uniform(model.network(), density)?.activity(model.network());
    for node in &mut activity.nodes {
        node.steps.truncate(1);
        for step in &mut node.steps {
            (step.multiplications, step.accumulations) = (step.multiplications + step.accumulations, 0);
        }
    }
    parts_j(case, workload, &activity)
}

/// The rate at which `spiking` takes `other`, if it does so below 1: energy rises with the rate.
fn crossover(other: f64, spiking: impl Fn(f64) -> Result<f64, Failure>) -> Result<Option<f64>, Failure> {
    let (mut low, mut high) = (0.0, 1.0);
    if spiking(low)? > other {
        return Ok(None);
    }
    if spiking(high)? < other {
        return Ok(Some(1.0));
    }
    for _ in 0..20 {
        let middle = (low + high) / 2.0;
        if spiking(middle)? < other { low = middle } else { high = middle }
    }
    Ok(Some(high))
}

/// Rates of the table and the picture: 1 % to 64 %, four to an octave.
fn sweep() -> impl Iterator<Item = f64> {
    (0..=24).map(|i| 0.01 * 2f64.powf(f64::from(i) / 4.0))
}

fn table(cases: &[Case], model: &QuantizedModel) -> Result<String, Failure> {
    let mut text = "machine,network,rate_or_density,energy_j\n".to_owned();
    for case in cases {
        for density in DENSITIES {
            writeln!(
                text,
                "\"{}\",quantized,{density},{:e}",
                case.name,
                ann_energy_j(case, model, density)?
            )?;
        }
        for rate in sweep() {
            writeln!(text, "\"{}\",spiking,{rate:.5},{:e}", case.name, snn_energy_j(case, model, rate)?)?;
        }
    }
    Ok(text)
}

/// Energy of the spiking network relative to the quantized one of half its activations zero, over the rate.
fn picture(cases: &[Case], model: &QuantizedModel) -> Result<String, Failure> {
    const COLOURS: [&str; 3] = ["#0072B2", "#882255", "#E69F00"];
    let (left, top, width, height) = (80.0, 60.0, 640.0, 360.0);
    let x = |rate: f64| left + width * (rate / 0.01).log2() / 6.0;
    // From a quarter to eight times.
    let y = |ratio: f64| top + height * (3.0 - ratio.log2()) / 5.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 500\" font-family=\"DejaVu Sans, sans-serif\" \
         font-size=\"13\">\n<rect width=\"760\" height=\"500\" fill=\"white\"/>\n<text x=\"{left}\" y=\"26\" \
         font-size=\"16\">Energy of the spiking network relative to the quantized one</text>\n<text x=\"{left}\" \
         y=\"46\" fill=\"#5A5A5A\">Spike-driven Transformer v1 2-512, T = 5 against 3-bit activations of density \
         0.5, 8-bit weights</text>\n"
    );
    for rate in [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64] {
        let at = x(rate);
        writeln!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top}\" y2=\"{}\" stroke=\"#E2E2E2\"/>",
            top + height
        )?;
        let (y, percent) = (top + height + 20.0, rate * 100.0);
        writeln!(svg, "<text x=\"{at:.1}\" y=\"{y}\" text-anchor=\"middle\">{percent:.0} %</text>")?;
    }
    for ratio in [0.25, 0.5, 1.0, 2.0, 4.0, 8.0] {
        let at = y(ratio);
        let stroke = if ratio == 1.0 { "#222222" } else { "#E2E2E2" };
        writeln!(
            svg,
            "<line x1=\"{left}\" x2=\"{}\" y1=\"{at}\" y2=\"{at}\" stroke=\"{stroke}\"/>",
            left + width
        )?;
        writeln!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{ratio}</text>", left - 8.0, at + 5.0)?;
    }
    let at = x(PAPER);
    writeln!(
        svg,
        "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top}\" y2=\"{}\" stroke=\"#222222\" stroke-dasharray=\"5 4\"/>\n\
         <text x=\"{:.1}\" y=\"{}\">5.7 %, arXiv 2409.08290</text>",
        top + height,
        at + 6.0,
        top + height - 10.0
    )?;
    writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">Spike rate</text>",
        left + width / 2.0,
        top + height + 45.0
    )?;
    for (i, (case, colour)) in cases.iter().zip(COLOURS).enumerate() {
        let other = ann_energy_j(case, model, 0.5)?;
        let mut points = String::new();
        for rate in sweep() {
            let ratio = snn_energy_j(case, model, rate)? / other;
            if (0.25..=8.0).contains(&ratio) {
                write!(points, "{:.1},{:.1} ", x(rate), y(ratio))?;
            }
        }
        let line = top + 18.0 + 20.0 * i as f64;
        writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"/>\n<line x1=\"{}\" x2=\"{}\" \
             y1=\"{}\" y2=\"{}\" stroke=\"{colour}\" stroke-width=\"2.5\"/>\n<text x=\"{}\" y=\"{line}\">{}</text>",
            points.trim_end(),
            left + 10.0,
            left + 40.0,
            line - 5.0,
            line - 5.0,
            left + 48.0,
            case.name
        )?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

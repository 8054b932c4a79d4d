//! Figures of machines that exist, beside what their descriptions predict.
//!
//! Writes results/published: latency.csv and energy.csv from networks that come with the crate; cycles.csv from a folder
//! of cases, if one is named (`snndse.json`, `odin.json`, `sne_engine.json`, `exspike_layers.json`,
//! `exspike_vgg11.json.gz`, `spikformer_linear.json`, with their spikes); and a picture of all three:
//!
//!     cargo run --release --example published [-- FOLDER]

mod by_rules;
mod cases;
mod cycles;
mod energy;
mod exspike;
mod latency;
mod odin;
mod on_network;
mod picture;
mod sne;
mod snn_dse;
mod spikformer;

use std::fs;

use cases::Failure;
use spiq::hw::{Figure, Quantity};

const RESULTS: &str = "results/published";

fn write(name: &str, figures: &[Figure]) -> Result<(), Failure> {
    let text = Figure::to_csv(figures)?;
    print!("{text}");
    fs::write(format!("{RESULTS}/{name}.csv"), text)?;
    Ok(())
}

fn main() -> Result<(), Failure> {
    fs::create_dir_all(RESULTS)?;
    if let Some(folder) = std::env::args().nth(1) {
        write("cycles", &cycles::figures(&folder)?)?;
    }
    let cycles = Figure::parse(&fs::read_to_string(format!("{RESULTS}/cycles.csv"))?)?;
    let (mut latency, mut energy) = (latency::figures()?, energy::figures()?);
    for figure in by_rules::figures()? {
        if figure.quantity == Quantity::LatencyMs { latency.push(figure) } else { energy.push(figure) }
    }
    write("latency", &latency)?;
    write("energy", &energy)?;
    let all: Vec<Figure> = cycles.into_iter().chain(latency).chain(energy).collect();
    picture::draw(&all, &format!("{RESULTS}/published.svg"))
}

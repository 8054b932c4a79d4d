//! Descriptions and tables of text.

use std::sync::LazyLock;

use spiq::Result;
use spiq::cost::{ArrayTiming, GemmOperands, Machine, MappedWorkload, gemm_cost};
use spiq::error::Error;
use spiq::exec::{Activity, Rates};
use spiq::hw::table::EnergyTable;
use spiq::hw::{Edges, EventTable, Hardware};
use spiq::map::{FixedMapping, Gemm, Nest, Workload};
use spiq::model::{ModelDescription, Network};
use spiq::quant::{Precision, Setting};
use spiq::search::{BYTES, quantity};
use spiq::sensitivity::Choice;

/// A network with a layer of most kinds.
pub static NETWORK: LazyLock<Network> = LazyLock::new(|| {
    let text = include_str!("../corpus/model/layers.ron");
    ModelDescription::parse(text, "layers.ron").unwrap().network("layers.ron").unwrap()
});

/// [`NETWORK`] for a mapper, and what it does.
static WORKLOAD: LazyLock<(Workload, Activity)> = LazyLock::new(|| {
    let rates = Rates::uniform(&NETWORK, 0.25).unwrap();
    (Workload::float32(&NETWORK), rates.activity(&NETWORK))
});

/// Bytes that are no text are refused where a file is read, before any of these parsers.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn build(text: &str) -> Result<()> {
    let network = ModelDescription::parse(text, "input.ron")?.network("input.ron")?;
    let _ = (network.parameters(), network.parameter_count(), network.operations());
    Ok(())
}

pub fn model(bytes: &[u8]) -> Result<()> {
    build(&text(bytes))
}

/// The input is the list of layers, so that nothing is spent on what stands around it.
pub fn layers(bytes: &[u8]) -> Result<()> {
    build(&format!(
        "Model(name: \"m\", family: Layers({}\n), input: Events(shape: (2, 8, 8), max: 3), timesteps: 3, \
         classes: 10, weights: Seeded(1))",
        text(bytes)
    ))
}

pub fn hardware(bytes: &[u8]) -> Result<()> {
    let machine = Machine::new(Hardware::parse(&text(bytes), "input.ron")?)?;
    let (workload, activity) = &*WORKLOAD;
    // A machine need not be able to run this network.
    if let Ok(mapped) = MappedWorkload::best(workload.clone(), &machine, std::slice::from_ref(activity)) {
        mapped.costs(&machine, activity);
    }
    Ok(())
}

pub fn energy_table(bytes: &[u8]) -> Result<()> {
    let table = EnergyTable::parse(&text(bytes), "input.ron")?;
    let _ = [0.0, 1.0, 7.5, 64.0].map(|bits| (table.add_pj(bits), table.multiply_pj(bits, 3.0)));
    Ok(())
}

pub fn event_table(bytes: &[u8]) -> Result<()> {
    let table = EventTable::parse(&text(bytes), "input.ron")?;
    table.multi_bit.pj(8, table.accumulation_pj.value);
    Ok(())
}

pub fn setting(bytes: &[u8]) -> Result<()> {
    let setting = Setting::parse(&text(bytes), "input.ron")?;
    if let Precision::Fixed(fixed) = setting.precision {
        // A setting need not be one of this network.
        let _ = fixed.check_names(&NETWORK);
    }
    Ok(())
}

/// What flags take: a setting, a choice of a layer, a quantity with its unit.
pub fn shorthand(bytes: &[u8]) -> Result<()> {
    let text = text(bytes);
    let _ = Choice::parse(&text);
    let _ = quantity(&text, BYTES);
    Setting::from_shorthand(&text)?.map(drop).ok_or_else(|| Error::mismatch("no shorthand"))
}

pub fn mapping(bytes: &[u8]) -> Result<()> {
    FixedMapping::parse(&text(bytes), "input.ron").map(drop)
}

pub fn gemm_mapping(bytes: &[u8]) -> Result<()> {
    let gemm = Gemm::new(64, 40, 32);
    let nest = Nest::parse(&text(bytes), "input.ron", &gemm)?;
    let array = ArrayTiming { rows: 16, columns: 32, edges: Edges::Full, overhead_cycles: -2 };
    let cost = gemm_cost(&GemmOperands::new(gemm, 8, 8), &nest, &array, None);
    cost.map_err(|fault| fault.at("input.ron")).map(drop)
}

pub fn rates(bytes: &[u8]) -> Result<()> {
    Rates::parse(&text(bytes), "input.csv", &NETWORK)?.activity(&NETWORK);
    Ok(())
}

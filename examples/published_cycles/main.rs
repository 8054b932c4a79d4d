//! Cycles of machines whose RTL is public: what our descriptions predict for stated spikes, beside what the RTL took.
//!
//! Reads a folder of cases (`snndse.json`, `odin.json`, `sne_engine.json`, `exspike_layers.json`,
//! `exspike_vgg11.json.gz`, with their spikes), and writes results/published/cycles.csv:
//!
//!     cargo run --release --example published_cycles -- FOLDER

mod cases;
mod exspike;
mod odin;
mod sne;
mod snn_dse;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use cases::{Failure, unpack};
use serde_json::Value;
use spiq::npy::Array;
use spiq::npz::Npz;

const RESULTS: &str = "results/published";

/// A case, and what became of it.
pub struct Row {
    machine: &'static str,
    case: String,
    published: f64,
    predicted: f64,
    /// What the machine of the case has else than its description, and what is not modelled.
    remark: String,
}

/// The folder of cases.
pub struct Folder(PathBuf);

impl Folder {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn json(&self, name: &str) -> Result<Value, Failure> {
        let bytes = fs::read(self.path(name))?;
        let text = if name.ends_with(".gz") {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text)?;
            text
        } else {
            String::from_utf8(bytes)?
        };
        Ok(serde_json::from_str(&text)?)
    }

    fn array(&self, name: &str) -> Result<Array, Failure> {
        Ok(Npz::open(self.path(name))?.read("spikes")?)
    }

    /// Rows of packed bits, of which the first `bits` of each are used.
    fn packed(&self, name: &str, bits: usize) -> Result<Vec<u8>, Failure> {
        unpack(&self.array(name)?, bits)
    }
}

/// A number of a case.
pub fn number(value: &Value, field: &str) -> Result<usize, Failure> {
    let number = value[field].as_u64().ok_or_else(|| format!("{field}: no number"))?;
    Ok(usize::try_from(number)?)
}

/// A name in a case.
pub fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str, Failure> {
    Ok(value[field].as_str().ok_or_else(|| format!("{field}: no text"))?)
}

/// A list in a case.
pub fn list<'a>(value: &'a Value, field: &str) -> Result<&'a Vec<Value>, Failure> {
    Ok(value[field].as_array().ok_or_else(|| format!("{field}: no list"))?)
}

fn main() -> Result<(), Failure> {
    let folder = std::env::args().nth(1).ok_or("which folder has the cases?")?;
    let folder = Folder(Path::new(&folder).to_path_buf());
    let mut rows = snn_dse::rows(&folder)?;
    rows.extend(odin::rows(&folder)?);
    rows.extend(sne::rows(&folder)?);
    rows.extend(exspike::rows(&folder)?);
    let mut csv = "machine,case,published_cycles,predicted_cycles,difference_percent,remark\n".to_owned();
    for Row { machine, case, published, predicted, remark } in &rows {
        // Parts of cycles add up to whole ones but for their last bits.
        let percent = 100.0 * (predicted.round() - published) / published;
        writeln!(csv, "{machine},{case},{published},{predicted:.0},{percent:.3},{remark}")?;
    }
    print!("{csv}");
    fs::create_dir_all(RESULTS)?;
    fs::write(format!("{RESULTS}/cycles.csv"), csv)?;
    Ok(())
}

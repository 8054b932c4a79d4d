//! Cycles of machines whose RTL is public: what our descriptions predict for stated spikes, beside what the RTL took.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use spiq::hw::{Figure, Quantity};
use spiq::npy::Array;
use spiq::npz::Npz;
use spiq::tensor::Shape;

use crate::cases::{Failure, Recorded, unpack};
use crate::{exspike, odin, sne, snn_dse, spikformer};

/// A case, and what became of it.
#[derive(Default)]
pub struct Row {
    pub machine: &'static str,
    pub case: String,
    pub published: f64,
    pub predicted: f64,
    /// What was fitted, if anything.
    pub constant: &'static str,
    /// True if it was fitted to this case.
    pub fits: bool,
    /// What the machine of the case has else than its description, and what is not modelled.
    pub remark: String,
}

impl From<Row> for Figure {
    fn from(row: Row) -> Self {
        let Row { machine, case, published, predicted, constant, fits, remark } = row;
        Self {
            machine: machine.to_owned(),
            case,
            quantity: Quantity::Cycles,
            // Parts of cycles add up to whole ones but for their last bits.
            predicted: predicted.round(),
            least: None,
            most: None,
            published,
            kind: "RTL, simulated".to_owned(),
            constant: constant.to_owned(),
            fits,
            remark,
            varied: String::new(),
        }
    }
}

/// Cycles of all cases in `folder`.
pub fn figures(folder: &str) -> Result<Vec<Figure>, Failure> {
    let folder = Folder(Path::new(folder).to_path_buf());
    let mut rows = snn_dse::rows(&folder)?;
    rows.extend(odin::rows(&folder)?);
    rows.extend(sne::rows(&folder)?);
    rows.extend(exspike::rows(&folder)?);
    let mut figures: Vec<Figure> = rows.into_iter().map(Figure::from).collect();
    figures.extend(spikformer::figures(&folder)?);
    Ok(figures)
}

/// The folder of cases.
pub struct Folder(PathBuf);

impl Folder {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn json(&self, name: &str) -> Result<Value, Failure> {
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

    pub fn array(&self, name: &str) -> Result<Array, Failure> {
        Ok(Npz::open(self.path(name))?.read("spikes")?)
    }

    /// Rows of packed bits, of which the first `bits` of each are used.
    pub fn packed(&self, name: &str, bits: usize) -> Result<Vec<u8>, Failure> {
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

/// Spikes of `layer` of which a pooling of 2 x 2 makes those of `pooled`: the first of each window. Which others there were
/// is not known.
pub fn unpooled(layer: String, pooled: &Recorded) -> Recorded {
    let Shape { channels, height, width } = pooled.shape;
    let wide =
        |row: &[u8]| row.iter().flat_map(|&spike| [spike, 0]).chain(vec![0; 2 * width]).collect::<Vec<u8>>();
    let values = pooled.values.chunks(width).flat_map(wide).collect();
    Recorded {
        layer,
        timesteps: pooled.timesteps,
        shape: Shape::new(channels, 2 * height, 2 * width),
        values,
    }
}

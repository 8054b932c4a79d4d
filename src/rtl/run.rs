//! What a simulator of the exported design logged, against what it had to yield and the cycles of the cost model.

use std::path::Path;

use serde::Serialize;

use super::machine::SUM_BITS;
use super::manifest::{DesignExport, ExportedLayer};
use super::predicted::CauseCycles;
use crate::error::{Error, Result};
use crate::files::{MAX_LOG, MAX_TEXT, read};

/// A layer that was run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerRun {
    /// Name of the layer.
    pub layer: String,
    /// How it is mapped.
    pub mapping: String,
    /// Integers that were compared.
    pub compared: u64,
    /// Values that differ.
    pub different: u64,
    /// Cycles of the RTL by cause.
    pub rtl: CauseCycles,
    /// Cycles of the cost model by cause.
    pub model: CauseCycles,
    /// Cycles of the RTL as its bench counted them.
    pub counted: Counted,
}

/// What a bench counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Counted {
    /// Of a weight layer.
    Lanes(SimulatedCounts),
    /// Of an operation between weight layers.
    Operation(OperationCounts),
}

/// Counters of the bench of operations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct OperationCounts {
    /// From the start to the last line that is written.
    pub cycles: u64,
    /// Rows of the first operand, one for each tap of a window.
    pub steps: u64,
}

impl Counted {
    fn new(layer: &ExportedLayer) -> Self {
        match layer.element_bits {
            Some(_) => Self::Operation(OperationCounts::default()),
            None => Self::Lanes(SimulatedCounts::default()),
        }
    }

    /// How many counters a log has.
    fn count(&self) -> usize {
        match self {
            Self::Lanes(_) => SimulatedCounts::NAMES.len(),
            Self::Operation(_) => 2,
        }
    }

    fn of_name(&mut self, name: &str) -> Option<&mut u64> {
        match (self, name) {
            (Self::Lanes(counts), _) => counts.of_name(name),
            (Self::Operation(counts), "cycles") => Some(&mut counts.cycles),
            (Self::Operation(counts), "steps") => Some(&mut counts.steps),
            (Self::Operation(_), _) => None,
        }
    }

    /// By the causes of the cost model.
    fn causes(&self, layer: &ExportedLayer, positions: usize) -> CauseCycles {
        match self {
            Self::Lanes(counts) => counts.causes(layer, positions),
            Self::Operation(OperationCounts { cycles, steps }) => CauseCycles {
                neurons: *steps as f64,
                ports: cycles.saturating_sub(*steps) as f64,
                ..CauseCycles::default()
            },
        }
    }
}

/// Counters of the bench: cycles, but for the last two, which count lanes of positions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SimulatedCounts {
    /// The program is fetched.
    pub program: u64,
    /// Parameters of tiles come.
    pub parameters: u64,
    /// Until the first walker of a tile has work.
    pub fill: u64,
    /// Steps of the busiest walker of every wave.
    pub walk: u64,
    /// Waves without any spike.
    pub empty: u64,
    /// No walker has a word of its window yet.
    pub windows: u64,
    /// Rows of weights whose banks others read.
    pub weights: u64,
    /// The neurons are not done with the wave before.
    pub neurons: u64,
    /// From the last step of a tile to its last spikes.
    pub drain: u64,
    /// Steps of all walkers.
    pub steps: u64,
    /// Clocks of walkers that ask for a row and get none.
    pub refusals: u64,
}

impl SimulatedCounts {
    const NAMES: [&'static str; 11] = [
        "program",
        "parameters",
        "fill",
        "walk",
        "empty",
        "windows",
        "weights",
        "neurons",
        "drain",
        "steps",
        "refusals",
    ];

    fn of_name(&mut self, name: &str) -> Option<&mut u64> {
        Some(match name {
            "program" => &mut self.program,
            "parameters" => &mut self.parameters,
            "fill" => &mut self.fill,
            "walk" => &mut self.walk,
            "empty" => &mut self.empty,
            "windows" => &mut self.windows,
            "weights" => &mut self.weights,
            "neurons" => &mut self.neurons,
            "drain" => &mut self.drain,
            "steps" => &mut self.steps,
            "refusals" => &mut self.refusals,
            _ => return None,
        })
    }

    /// By the causes of the cost model.
    fn causes(&self, layer: &ExportedLayer, positions: usize) -> CauseCycles {
        let work = self.steps as f64 / positions as f64;
        // The last wave of each tile has its neurons behind it.
        let behind = (layer.tiles * layer.last_rows) as f64;
        let pipelines = self.program + self.parameters + self.fill + self.empty + self.drain;
        CauseCycles {
            work,
            slowest: self.walk as f64 - work,
            ports: (self.windows + self.weights) as f64,
            fill_drain: pipelines as f64 - behind,
            neurons: self.neurons as f64 + behind,
        }
    }
}

/// Reads the logs that runs of the design in `dir` left, layer by layer.
///
/// # Errors
/// If the folder holds no design, or a log is missing, of another export, or does not end.
pub fn check_runs(dir: &Path) -> Result<(DesignExport, Vec<LayerRun>)> {
    let path = dir.join("manifest.json");
    let bad = |message: String| Error::mismatch(format!("{}: {message}", path.display()));
    let text = read(&path, MAX_TEXT)?;
    let export: DesignExport = serde_json::from_slice(&text).map_err(|e| bad(e.to_string()))?;
    export.check().map_err(bad)?;
    let runs = export.layers.iter().map(|layer| check_layer(dir, &export, layer)).collect::<Result<_>>()?;
    Ok((export, runs))
}

fn check_layer(dir: &Path, export: &DesignExport, layer: &ExportedLayer) -> Result<LayerRun> {
    let path = dir.join(&layer.name).join("run.log");
    let bad = |message: &str| Error::mismatch(format!("{}: {message}", path.display()));
    if !path.exists() {
        return Err(bad("no such log: make runs the design and writes it"));
    }
    let log = String::from_utf8(read(&path, MAX_LOG)?).map_err(|_| bad("it is no text"))?;
    let mut lines = log.lines();
    if lines.next() != Some(&format!("export {}", export.sha256)) {
        return Err(bad("the log of another export"));
    }
    let (mut counted, mut words, mut seen, mut ends) = (Counted::new(layer), Vec::new(), 0, false);
    for line in lines {
        match line.split_once(' ') {
            Some(("word" | "row", word)) => words.push(word),
            Some((name, number)) => {
                let counter = counted.of_name(name).ok_or_else(|| bad(&format!("{line}: no counter")))?;
                *counter = number.parse().map_err(|_| bad(&format!("{line}: no number")))?;
                seen += 1;
            }
            None => ends = line == "end",
        }
    }
    if !ends || seen != counted.count() {
        return Err(bad("the log does not end: the run was cut short"));
    }
    let expected = String::from_utf8(read(dir.join(&layer.name).join("expected.mem"), MAX_LOG)?);
    let expected = expected.map_err(|_| bad("what it had to yield is no text"))?;
    let different = differences(export, layer, &expected, &words);
    Ok(LayerRun {
        layer: layer.name.clone(),
        mapping: layer.mapping.clone(),
        compared: layer.values,
        // Lanes without a channel, and whole lines that are none, count for no more than there is.
        different: different.min(layer.values),
        rtl: counted.causes(layer, export.positions),
        model: layer.cycles,
        counted,
    })
}

/// Integers of `got` that are not those of `expected`. What is missing, or has an unknown digit, differs.
fn differences(export: &DesignExport, layer: &ExportedLayer, expected: &str, got: &[&str]) -> u64 {
    let expected: Vec<&str> = expected.lines().collect();
    let rows_of_tile = expected.len() / layer.tiles.max(1);
    let mut different = expected.len().abs_diff(got.len()) as u64;
    if let Some(bits) = layer.element_bits {
        let rows = expected.chunks(bits).zip(got.chunks(bits));
        return different
            + rows
                .map(|(expected, got)| values_that_differ(expected, got, export.channels, bits))
                .sum::<u64>();
    }
    for (i, (expected, got)) in expected.iter().zip(got).enumerate() {
        different += if layer.sums {
            let last = i / rows_of_tile + 1 == layer.tiles;
            sums_that_differ(expected, got, layer.tile_channels[usize::from(last)])
        } else {
            bits_that_differ(expected, got, export.channels)
        };
    }
    different
}

/// Sums that differ, of the first `channels` numbers from the end of the line.
fn sums_that_differ(expected: &str, got: &str, channels: usize) -> u64 {
    let digits = SUM_BITS as usize / 4;
    if expected.len() != got.len() || !got.is_ascii() {
        return channels as u64;
    }
    let number = |text: &str, i: usize| {
        let end = text.len() - i * digits;
        u64::from_str_radix(text.get(end - digits..end)?, 16).ok()
    };
    let differs = |&i: &usize| number(got, i).is_none() || number(got, i) != number(expected, i);
    (0..channels.min(expected.len() / digits)).filter(differs).count() as u64
}

/// Values of `bits` bits that differ, of `channels` side by side in words of a bit for each channel.
fn values_that_differ(expected: &[&str], got: &[&str], channels: usize, bits: usize) -> u64 {
    let words = |row: &[&str]| -> Vec<Option<u64>> {
        row.iter().map(|word| u64::from_str_radix(word, 16).ok()).collect()
    };
    let (expected, got) = (words(expected), words(got));
    let bit = |words: &[Option<u64>], at: usize| {
        words.get(at / channels).copied().flatten().map(|word| word >> (at % channels) & 1)
    };
    let differs = |channel: &usize| {
        let mut own = channel * bits..(channel + 1) * bits;
        own.any(|at| bit(&got, at).is_none() || bit(&got, at) != bit(&expected, at))
    };
    (0..channels).filter(differs).count() as u64
}

/// Bits that differ, of a word of `bits` bits.
fn bits_that_differ(expected: &str, got: &str, bits: usize) -> u64 {
    let word = |text: &str| u64::from_str_radix(text, 16).ok();
    match (word(expected), word(got)) {
        (Some(expected), Some(got)) => u64::from((expected ^ got).count_ones()),
        _ => bits as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two values of 4 bits in two words of 4 channels: a row of 16 bits has four of them.
    #[test]
    fn values_reach_over_words() {
        let differ = |got: &[&str]| values_that_differ(&["1", "2", "3", "4"], got, 4, 4);
        assert_eq!(differ(&["1", "2", "3", "4"]), 0);
        assert_eq!(differ(&["1", "6", "3", "x"]), 2);
        assert_eq!(differ(&["1", "2", "3"]), 1);
    }

    #[test]
    fn unknown_and_wrong_digits_differ() {
        assert_eq!(bits_that_differ("0f", "0e", 8), 1);
        assert_eq!(bits_that_differ("0f", "xx", 8), 8);
        assert_eq!(sums_that_differ("0000000100000002", "0000000100000002", 2), 0);
        // Channel 0 stands at the end; a second channel that is not used may be anything.
        assert_eq!(sums_that_differ("0000000100000002", "xxxxxxxx00000002", 1), 0);
        assert_eq!(sums_that_differ("0000000100000002", "xxxxxxxx00000003", 2), 2);
    }
}

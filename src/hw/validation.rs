//! Published figures of machines that exist, beside what their descriptions predict.
//!
//! The tables of `results/published` are part of the binary, so what is said of a machine is what was computed last.

use std::collections::BTreeSet;
use std::fmt;

use csv::{Reader, Writer};
use serde::{Deserialize, Serialize};

/// The tables that come with the crate.
const TABLES: [&str; 3] = [
    include_str!("../../results/published/cycles.csv"),
    include_str!("../../results/published/latency.csv"),
    include_str!("../../results/published/energy.csv"),
];

/// A figure that was published, or simulated of published RTL, and what is predicted for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The machine, as its description calls it.
    pub machine: String,
    /// What it runs, and which part of it.
    pub case: String,
    /// What is compared.
    pub quantity: Quantity,
    /// By our description.
    pub predicted: f64,
    /// The least that is predicted within what is not known; absent where no range of that is known.
    pub least: Option<f64>,
    /// The most that is predicted.
    pub most: Option<f64>,
    /// The figure that was published.
    pub published: f64,
    /// What the published figure comes from.
    pub kind: String,
    /// What a constant of the description, or of the case, was fitted to; empty where none was.
    pub constant: String,
    /// True if the constant was fitted to this figure, which is no prediction then.
    pub fits: bool,
    /// What is not known, or not modelled.
    pub remark: String,
    /// What is varied between the least and the most, with its range, and whether that was measured, derived or assumed.
    pub varied: String,
}

/// What is compared, and its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Quantity {
    Cycles,
    LatencyMs,
    EnergyMj,
    PowerMw,
    AreaMm2,
}

/// How well a description predicts what is published of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// What is compared.
    pub quantity: Quantity,
    /// What the published figures come from.
    pub kind: String,
    /// Figures that nothing was fitted to.
    pub predictions: usize,
    /// The least and the largest difference of a prediction, in percent; absent where there is none.
    pub differences_percent: Option<[f64; 2]>,
    /// The least and the largest difference within what is not known; absent where no prediction has a range.
    pub within_percent: Option<[f64; 2]>,
    /// Figures that constants were fitted to.
    pub fits: usize,
    /// Constants that were fitted.
    pub constants: BTreeSet<String>,
}

/// A line of a table.
#[derive(Serialize)]
struct Row<'a> {
    machine: &'a str,
    case: &'a str,
    quantity: Quantity,
    predicted: f64,
    least: Option<f64>,
    most: Option<f64>,
    published: f64,
    difference_percent: String,
    kind: &'a str,
    constant: &'a str,
    fits: bool,
    remark: &'a str,
    varied: &'a str,
}

impl Figure {
    /// Holds `ends` besides what is predicted, where `varied` is as far off as it may be.
    #[must_use]
    pub fn within(mut self, ends: &[f64], varied: &str) -> Self {
        let ends = || ends.iter().copied().chain([self.predicted]);
        (self.least, self.most) = (ends().reduce(f64::min), ends().reduce(f64::max));
        self.varied = varied.to_owned();
        self
    }

    /// Difference of the prediction, relative to what is published.
    pub fn difference_percent(&self) -> f64 {
        self.relative_percent(self.predicted)
    }

    /// The differences of the least and the most that is predicted.
    fn ends_percent(&self) -> [f64; 2] {
        [self.least, self.most].map(|end| self.relative_percent(end.unwrap_or(self.predicted)))
    }

    fn relative_percent(&self, value: f64) -> f64 {
        100.0 * (value / self.published - 1.0)
    }

    /// A table of `figures` with their differences, to three digits behind the point.
    ///
    /// # Errors
    /// None in practice: it is written to memory.
    pub fn to_csv(figures: &[Self]) -> csv::Result<String> {
        let rounded = |value: f64| (value * 1e3).round() / 1e3;
        let mut writer = Writer::from_writer(Vec::new());
        for figure in figures {
            writer.serialize(Row {
                machine: &figure.machine,
                case: &figure.case,
                quantity: figure.quantity,
                predicted: rounded(figure.predicted),
                least: figure.least.map(rounded),
                most: figure.most.map(rounded),
                published: rounded(figure.published),
                difference_percent: format!("{:.3}", figure.difference_percent()),
                kind: &figure.kind,
                constant: &figure.constant,
                fits: figure.fits,
                remark: &figure.remark,
                varied: &figure.varied,
            })?;
        }
        let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
        Ok(String::from_utf8(bytes).expect("text"))
    }

    /// Reads a table that [`Figure::to_csv`] wrote.
    ///
    /// # Errors
    /// Names the line.
    pub fn parse(text: &str) -> csv::Result<Vec<Self>> {
        Reader::from_reader(text.as_bytes()).deserialize().collect()
    }

    /// All that come with the crate.
    pub fn bundled() -> Vec<Self> {
        TABLES.iter().flat_map(|text| Self::parse(text).expect("the bundled tables parse")).collect()
    }
}

impl Agreement {
    /// Agreement with the bundled figures of `machine`, figures of a quantity and kind together.
    pub fn of(machine: &str) -> Vec<Self> {
        Self::among(Figure::bundled().iter().filter(|figure| figure.machine == machine))
    }

    fn among<'a>(figures: impl Iterator<Item = &'a Figure>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for figure in figures {
            let is_of = |own: &Self| own.quantity == figure.quantity && own.kind == figure.kind;
            let at = all.iter().position(is_of).unwrap_or_else(|| {
                all.push(Self::new(figure.quantity, &figure.kind));
                all.len() - 1
            });
            all[at].add(figure);
        }
        all
    }

    fn new(quantity: Quantity, kind: &str) -> Self {
        Self {
            quantity,
            kind: kind.to_owned(),
            predictions: 0,
            differences_percent: None,
            within_percent: None,
            fits: 0,
            constants: BTreeSet::new(),
        }
    }

    fn add(&mut self, figure: &Figure) {
        if !figure.constant.is_empty() {
            self.constants.insert(figure.constant.clone());
        }
        if figure.fits {
            self.fits += 1;
            return;
        }
        let widened = |[least, most]: [f64; 2], by: [f64; 2]| [least.min(by[0]), most.max(by[1])];
        let differs = [figure.difference_percent(); 2];
        // What has no range is as far off as it is.
        if self.within_percent.is_some() || figure.least.is_some() {
            let before = self.within_percent.or(self.differences_percent).unwrap_or(figure.ends_percent());
            self.within_percent = Some(widened(before, figure.ends_percent()));
        }
        self.predictions += 1;
        self.differences_percent = Some(widened(self.differences_percent.unwrap_or(differs), differs));
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cycles => "cycles",
            Self::LatencyMs => "latency",
            Self::EnergyMj => "energy",
            Self::PowerMw => "power",
            Self::AreaMm2 => "area",
        })
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): ", self.quantity, self.kind)?;
        if let Some([least, most]) = self.differences_percent {
            let figures = if self.predictions == 1 { "figure" } else { "figures" };
            write!(f, "{} {figures}, off by ", self.predictions)?;
            // Nobody reads "-0.0 to +0.0".
            if (least * 10.0).round() == (most * 10.0).round() {
                write!(f, "{:+.1} %", most + 0.0)?;
            } else {
                write!(f, "{least:+.1} to {most:+.1} %")?;
            }
        }
        if let Some([least, most]) = self.within_percent {
            write!(f, ", {least:+.1} to {most:+.1} % within what is not known")?;
        }
        if !self.constants.is_empty() {
            let separator = if self.predictions > 0 { "; " } else { "" };
            let constants: Vec<&str> = self.constants.iter().map(String::as_str).collect();
            write!(f, "{separator}fitted: {}", constants.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(predicted: f64, constant: &str, fits: bool) -> Figure {
        Figure {
            machine: "chip".to_owned(),
            case: "a, b".to_owned(),
            quantity: Quantity::LatencyMs,
            predicted,
            least: None,
            most: None,
            published: 2.0,
            kind: "silicon".to_owned(),
            constant: constant.to_owned(),
            fits,
            remark: String::new(),
            varied: String::new(),
        }
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let ranged = figure(2.0, "a rate of 0.1", true).within(&[1.5, 1.75], "1 to 2 (assumed)");
        assert_eq!((ranged.least, ranged.most), (Some(1.5), Some(2.0)));
        let figures = [figure(2.5, "", false), ranged];
        let text = Figure::to_csv(&figures).unwrap();
        assert!(text.contains("chip,\"a, b\",latency_ms,2.5,,,2.0,25.000,silicon,,false,,\n"), "{text}");
        assert!(text.contains(",2.0,1.5,2.0,2.0,0.000,") && text.contains(",1 to 2 (assumed)\n"), "{text}");
        assert_eq!(Figure::parse(&text).unwrap(), figures);
        assert!(Figure::parse(&text.replace("latency_ms", "miles")).is_err());
    }

    #[test]
    fn agreement_by_hand() {
        let all = [figure(2.5, "", false), figure(1.9, "a rate", false), figure(2.0, "a rate", true)];
        let [agreement] = &Agreement::among(all.iter())[..] else { panic!("one") };
        assert_eq!((agreement.predictions, agreement.fits), (2, 1));
        assert_eq!(
            agreement.to_string(),
            "latency (silicon): 2 figures, off by -5.0 to +25.0 %; fitted: a rate"
        );
        // What has a range may be farther off, whichever comes first; what has none is where it is.
        let [wide, other, fitted] = all.clone();
        let wide = wide.within(&[1.8, 2.6], "1 to 2");
        for ranged in [[wide.clone(), other.clone(), fitted.clone()], [fitted, other, wide]] {
            let expected = "latency (silicon): 2 figures, off by -5.0 to +25.0 %, -10.0 to +30.0 % within what is \
                            not known; fitted: a rate";
            assert_eq!(Agreement::among(ranged.iter())[0].to_string(), expected);
        }
        let alone = Agreement::among(all[2..].iter());
        assert_eq!(alone[0].to_string(), "latency (silicon): fitted: a rate");
    }

    /// Every figure is of a machine that there is.
    #[test]
    fn figures_are_of_described_machines() {
        for figure in Figure::bundled() {
            let (hardware, _) = crate::hw::Hardware::load(&figure.machine).unwrap();
            assert_eq!(hardware.name, figure.machine);
            assert!(
                figure.predicted > 0.0 && figure.published > 0.0 && !figure.kind.is_empty(),
                "{figure:?}"
            );
            let ends = [figure.least, figure.most].map(|end| end.unwrap_or(figure.predicted));
            assert!(ends[0] <= figure.predicted && figure.predicted <= ends[1], "{figure:?}");
            assert_eq!(
                figure.least.is_some() && figure.most.is_some(),
                !figure.varied.is_empty(),
                "{figure:?}"
            );
        }
    }
}

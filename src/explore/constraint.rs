use std::fmt;

use serde::{Deserialize, Serialize};

use super::figure::{Figure, Figures};

/// A limit that points are held to, such as `footprint_bytes <= 256KiB` or `images_per_s >= 30`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Constraint {
    /// Figure that is limited.
    pub figure: Figure,
    /// Whether it is the least that is allowed, instead of the most.
    pub is_least: bool,
    /// In base units.
    pub limit: f64,
}

impl Constraint {
    /// How far `figures` are beyond the limit, as a share of it; of shares, and where the limit is zero, the difference
    /// itself. `None` where they keep it; a figure that is not known keeps none.
    pub fn excess(&self, figures: &Figures) -> Option<f64> {
        let value = self.figure.of(figures);
        let beyond = if self.is_least { self.limit - value } else { value - self.limit };
        if beyond <= 0.0 {
            return None;
        }
        let beyond = if beyond.is_nan() { f64::INFINITY } else { beyond };
        let difference = self.figure.is_share() || self.limit == 0.0;
        Some(if difference { beyond } else { beyond / self.limit.abs() })
    }
}

impl TryFrom<String> for Constraint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = [("<=", false), (">=", true)].into_iter().find_map(|(sign, is_least)| {
            text.split_once(sign).map(|(figure, limit)| (figure.trim(), is_least, limit.trim()))
        });
        let Some((figure, is_least, limit)) = parts else {
            return Err(format!("{text:?} is no limit, as in \"footprint_bytes <= 256KiB\""));
        };
        let figure = Figure::try_from(figure.to_owned())?;
        let limit = figure.parse(limit).map_err(|message| format!("{}: {message}", figure.name()))?;
        Ok(Self { figure, is_least, limit })
    }
}

impl From<Constraint> for String {
    fn from(constraint: Constraint) -> Self {
        constraint.to_string()
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_least { ">=" } else { "<=" };
        write!(f, "{} {sign} {:?}", self.figure.name(), self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constraint(text: &str) -> Result<Constraint, String> {
        Constraint::try_from(text.to_owned())
    }

    #[test]
    fn excess_by_hand() {
        let mut figures = [1.0; Figure::ALL.len()];
        let most = constraint("footprint_bytes <= 0.5").unwrap();
        assert_eq!(most.excess(&figures), Some(1.0));
        let least = constraint("images_per_s>=4").unwrap();
        assert_eq!(least.excess(&figures), Some(0.75));
        assert_eq!(constraint("accuracy_drop <= 0.25").unwrap().excess(&figures), Some(0.75));
        assert_eq!(constraint("power_w <= 1").unwrap().excess(&figures), None);
        figures[Figure::AreaMm2 as usize] = f64::NAN;
        assert_eq!(constraint("area_mm2 <= 1").unwrap().excess(&figures), Some(f64::INFINITY));
    }

    #[test]
    fn limits_are_read_and_written() {
        let most = constraint("footprint_bytes <= 256KiB").unwrap();
        assert_eq!(most.to_string(), "footprint_bytes <= 262144.0");
        assert_eq!(constraint(&most.to_string()), Ok(most));
        for text in ["area_mm2 < 1", "area <= 1", "area_mm2 <= wide", ""] {
            assert!(constraint(text).is_err(), "{text}");
        }
    }
}

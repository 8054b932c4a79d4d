use serde::{Deserialize, Serialize};

use crate::evaluate::Evaluation;
use crate::name::nearest;
use crate::search::{BYTES, JOULES, SECONDS, SQUARE_MILLIMETRES, Units, WATTS, quantity};

/// A figure of an evaluation that points are compared by, called as in `points.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Figure {
    /// Share of images that are classified as their labels say.
    Accuracy,
    /// Accuracy of the float network minus that.
    AccuracyDrop,
    /// Bits of a weight, averaged over all.
    AverageWeightBits,
    /// What a file of the network holds.
    ModelBytes,
    /// The model, and all membranes, the largest stream and spike maps.
    FootprintBytes,
    /// Time of an image.
    LatencyS,
    /// Images in a second.
    ImagesPerS,
    /// Dynamic energy and leakage of an image.
    EnergyJ,
    /// Energy times latency.
    EnergyDelayJs,
    /// Energy divided by the time from image to image.
    PowerW,
    /// Area of memories and logic.
    AreaMm2,
    /// Bits to and from off-chip memory.
    DramBits,
}

/// Figures of a point in the order of [`Figure::ALL`]; one that is not known is not a number.
pub type Figures = [f64; Figure::ALL.len()];

impl Figure {
    /// All of them, in the order of columns.
    pub const ALL: [Self; 12] = [
        Self::Accuracy,
        Self::AccuracyDrop,
        Self::AverageWeightBits,
        Self::ModelBytes,
        Self::FootprintBytes,
        Self::LatencyS,
        Self::ImagesPerS,
        Self::EnergyJ,
        Self::EnergyDelayJs,
        Self::PowerW,
        Self::AreaMm2,
        Self::DramBits,
    ];

    /// What files call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::AccuracyDrop => "accuracy_drop",
            Self::AverageWeightBits => "average_weight_bits",
            Self::ModelBytes => "model_bytes",
            Self::FootprintBytes => "footprint_bytes",
            Self::LatencyS => "latency_s",
            Self::ImagesPerS => "images_per_s",
            Self::EnergyJ => "energy_j",
            Self::EnergyDelayJs => "energy_delay_js",
            Self::PowerW => "power_w",
            Self::AreaMm2 => "area_mm2",
            Self::DramBits => "dram_bits",
        }
    }

    /// What a picture calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Accuracy => "Accuracy",
            Self::AccuracyDrop => "Accuracy drop",
            Self::AverageWeightBits => "Bits of a weight",
            Self::ModelBytes => "Model",
            Self::FootprintBytes => "Footprint",
            Self::LatencyS => "Latency",
            Self::ImagesPerS => "Throughput",
            Self::EnergyJ => "Energy per inference",
            Self::EnergyDelayJs => "Energy-delay product",
            Self::PowerW => "Power",
            Self::AreaMm2 => "Area",
            Self::DramBits => "Off-chip traffic",
        }
    }

    /// Base unit of the figure; nothing for shares.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Accuracy | Self::AccuracyDrop => "",
            Self::AverageWeightBits | Self::DramBits => "bit",
            Self::ModelBytes | Self::FootprintBytes => "B",
            Self::LatencyS => "s",
            Self::ImagesPerS => "images/s",
            Self::EnergyJ => "J",
            Self::EnergyDelayJs => "Js",
            Self::PowerW => "W",
            Self::AreaMm2 => "mm2",
        }
    }

    /// Whether more of it is better.
    pub fn is_gain(self) -> bool {
        matches!(self, Self::Accuracy | Self::ImagesPerS)
    }

    /// Whether it is a difference or a share, whose ratios say nothing.
    pub fn is_share(self) -> bool {
        matches!(self, Self::Accuracy | Self::AccuracyDrop)
    }

    /// Value of the figure at a point, so that less is better.
    pub fn cost(self, figures: &Figures) -> f64 {
        let value = self.of(figures);
        if self.is_gain() { -value } else { value }
    }

    /// Value of the figure at a point.
    pub fn of(self, figures: &Figures) -> f64 {
        figures[self as usize]
    }

    /// A limit of it as users write it: in the base unit, or with a unit.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(self, text: &str) -> Result<f64, String> {
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => return Ok(value),
            Ok(_) => return Err(format!("{text} is no number")),
            Err(_) => {}
        }
        let units: Units = match self.unit() {
            "B" => BYTES,
            "J" => JOULES,
            "W" => WATTS,
            "s" => SECONDS,
            "mm2" => SQUARE_MILLIMETRES,
            _ => return Err(format!("{text:?} is no number")),
        };
        quantity(text, units)
    }
}

/// Figures of `evaluation`.
pub fn figures(evaluation: &Evaluation) -> Figures {
    let unknown = f64::NAN;
    let traffic = &evaluation.traffic_bits;
    Figure::ALL.map(|figure| match figure {
        Figure::Accuracy => evaluation.accuracy.unwrap_or(unknown),
        Figure::AccuracyDrop => evaluation.accuracy_drop.unwrap_or(unknown),
        Figure::AverageWeightBits => evaluation.average_weight_bits,
        Figure::ModelBytes => evaluation.footprint_bytes.model(),
        Figure::FootprintBytes => evaluation.footprint_bytes.total(),
        Figure::LatencyS => evaluation.latency_s,
        Figure::ImagesPerS => evaluation.images_per_s(),
        Figure::EnergyJ => evaluation.total_energy_j(),
        Figure::EnergyDelayJs => evaluation.total_energy_j() * evaluation.latency_s,
        Figure::PowerW => evaluation.power_w,
        Figure::AreaMm2 => evaluation.area_mm2.map_or(unknown, |area| area.total()),
        Figure::DramBits => traffic.dram_read + traffic.dram_written,
    })
}

impl TryFrom<String> for Figure {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::ALL.into_iter().find(|figure| figure.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name);
            format!("there is no figure {name:?}; nearest: {}", nearest(&name, &known))
        })
    }
}

impl From<Figure> for String {
    fn from(figure: Figure) -> Self {
        figure.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_where_their_number_says() {
        for (i, figure) in Figure::ALL.into_iter().enumerate() {
            assert_eq!(figure as usize, i);
            assert_eq!(Figure::try_from(figure.name().to_owned()), Ok(figure));
        }
        let message = Figure::try_from("energy".to_owned()).unwrap_err();
        assert!(message.starts_with("there is no figure \"energy\"; nearest: energy_j,"), "{message}");
    }

    #[test]
    fn limits_have_units_or_none() {
        assert_eq!(Figure::FootprintBytes.parse("256KiB"), Ok(262_144.0));
        assert_eq!(Figure::AreaMm2.parse("1.5"), Ok(1.5));
        assert_eq!(Figure::AccuracyDrop.parse("-0.01"), Ok(-0.01));
        assert!(Figure::ImagesPerS.parse("30Hz").is_err() && Figure::PowerW.parse("inf").is_err());
    }
}

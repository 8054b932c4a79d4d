use super::engine::{Engine, Stop};
use super::problem::Widths;
use super::space::Space;
use crate::model::Network;
use crate::quant::WeightScheme;
use crate::quant::scheme::{Clip, Scale, Sharing};

/// How a strategy quantizes and measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantizer {
    /// floor(w 2^(b-1)), weights only: QSViT.
    UnitFloor,
    /// Uniform with one power-of-two scale per layer, weights only: plain fixed point.
    FixedPoint,
    /// Uniform or power of two with one scale per layer, weights only: SpikeHQ.
    Hybrid,
    /// Uniform or power of two with a scale per channel, and membranes.
    PerChannel,
}

/// A way to look for settings.
pub trait Strategy {
    /// Name of the strategy.
    fn name(&self) -> &'static str;

    /// What it quantizes with.
    fn quantizer(&self) -> Quantizer;

    /// True where accuracy tests stop as soon as they are decided.
    fn is_sequential(&self) -> bool {
        self.quantizer() == Quantizer::PerChannel
    }

    /// True where the result depends on the seed.
    fn is_random(&self) -> bool {
        false
    }

    /// Looks; whatever `engine` accepts on the way is remembered.
    ///
    /// # Errors
    /// [`Stop::Exhausted`] when the evaluations are used up, which ends it as well as its own end.
    fn run(&self, engine: &mut Engine) -> Result<(), Stop>;
}

impl Quantizer {
    /// All settings of these widths.
    pub fn space(self, network: &Network, widths: &Widths) -> Space {
        let (scale, granularity, clip) = (Scale::Free, Sharing::Channel, Clip::Max);
        let uniform = |&bits: &u32| match self {
            Self::UnitFloor => WeightScheme::UnitFloor { bits },
            Self::FixedPoint => {
                WeightScheme::Uniform { bits, scale: Scale::Pow2, granularity: Sharing::Layer, clip }
            }
            Self::Hybrid => WeightScheme::Uniform { bits, scale, granularity: Sharing::Layer, clip },
            Self::PerChannel => WeightScheme::Uniform { bits, scale, granularity, clip },
        };
        let power_of_two = |&bits: &u32| match self {
            Self::UnitFloor | Self::FixedPoint => None,
            Self::Hybrid => Some(WeightScheme::PowerOfTwo { bits, scale, granularity: Sharing::Layer }),
            Self::PerChannel => Some(WeightScheme::PowerOfTwo { bits, scale, granularity }),
        };
        let weights: Vec<WeightScheme> = widths
            .uniform
            .iter()
            .map(uniform)
            .chain(widths.power_of_two.iter().filter_map(power_of_two))
            .collect();
        let membranes = match self {
            Self::PerChannel => widths.membranes.clone(),
            // The widest: the papers leave membranes as they are.
            _ => widths.membranes.iter().copied().max().into_iter().collect(),
        };
        let calibrated = widths.calibrated && self == Self::PerChannel;
        Space { calibrated, ..Space::new(network, weights, membranes) }
    }
}

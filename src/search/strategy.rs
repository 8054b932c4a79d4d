use super::engine::{Engine, Stop};
use super::problem::Widths;
use super::space::Space;
use crate::model::Network;
use crate::quant::WeightScheme;

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
    /// `scheme` with the scales that the quantizer has.
    fn shares(self, scheme: WeightScheme) -> WeightScheme {
        match self {
            Self::FixedPoint => scheme.per_layer().with_pow2_scale(),
            Self::Hybrid => scheme.per_layer(),
            Self::UnitFloor | Self::PerChannel => scheme,
        }
    }

    /// All settings of these widths.
    pub fn space(self, network: &Network, widths: &Widths) -> Space {
        let shorthands = |name: &'static str, bits: &[u32]| -> Vec<String> {
            bits.iter().map(|bits| format!("{name}{bits}")).collect()
        };
        let uniform = shorthands(if self == Self::UnitFloor { "floor" } else { "w" }, &widths.uniform);
        let others = match self {
            Self::UnitFloor | Self::FixedPoint => Vec::new(),
            Self::Hybrid | Self::PerChannel => {
                [shorthands("pot", &widths.power_of_two), widths.schemes.clone()].concat()
            }
        };
        let weights: Vec<WeightScheme> = (uniform.iter().chain(&others))
            .filter_map(|shorthand| WeightScheme::from_shorthand(shorthand, false))
            .map(|scheme| self.shares(scheme))
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

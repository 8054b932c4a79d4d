//! One file per strategy, and what several of them share.

mod aq4svit;
mod costs;
mod drops;
pub(super) mod forecast;
mod ilp;
mod knapsack;
mod losses;
mod nsga2;
mod qsvit;
mod random;
mod ratio_greedy;
mod spikehq;
mod surrogate;
mod table;
mod uniform;

pub use knapsack::knapsack;

use super::strategy::Strategy;
use super::strategy_name::{StrategyForm, StrategyName};

/// Candidates that a beam keeps.
const BEAM: usize = 4;

/// The strategies that `name` stands for; `accelerated` gives the papers' the quantizers and tests of the
/// others.
pub fn named(name: StrategyName, accelerated: bool) -> Vec<Box<dyn Strategy>> {
    name.forms(accelerated).into_iter().map(strategy).collect()
}

/// The strategies that `names` stand for, one after the other.
pub fn runs(names: &[StrategyName], accelerated: bool) -> Vec<Box<dyn Strategy>> {
    names.iter().flat_map(|&name| named(name, accelerated)).collect()
}

fn strategy(StrategyForm { name, accelerated }: StrategyForm) -> Box<dyn Strategy> {
    match name {
        StrategyName::Uniform => Box::new(uniform::Uniform),
        StrategyName::Random => Box::new(random::Random),
        StrategyName::Qsvit => Box::new(qsvit::Qsvit { accelerated }),
        StrategyName::Aq4svitGreedy => Box::new(aq4svit::Aq4svit { width: 1, accelerated }),
        StrategyName::Aq4svitBeam => Box::new(aq4svit::Aq4svit { width: BEAM, accelerated }),
        StrategyName::Spikehq => Box::new(spikehq::SpikeHq { accelerated }),
        StrategyName::RatioGreedy => Box::new(ratio_greedy::RatioGreedy),
        StrategyName::Ilp => Box::new(ilp::Ilp),
        StrategyName::Nsga2 => Box::new(nsga2::Nsga2),
        StrategyName::All => unreachable!("forms are of single strategies"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::keyword::Keyword;
    use super::*;

    /// Requests are held to the names of forms, results have those of strategies.
    #[test]
    fn forms_are_called_as_strategies_are() {
        for &name in StrategyName::ALL {
            for accelerated in [false, true] {
                let forms = name.forms(accelerated).into_iter().map(|form| form.to_string());
                let strategies = named(name, accelerated);
                assert!(forms.eq(strategies.iter().map(|strategy| strategy.name().to_owned())), "{name:?}");
            }
        }
        assert_eq!(named(StrategyName::All, false).len(), 13);
    }
}

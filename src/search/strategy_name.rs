use std::fmt;

use super::keyword::{Keyword, keywords};

keywords! {
    /// A strategy by name.
    pub enum StrategyName {
        Uniform = "uniform": "One choice for the whole network.",
        Random = "random": "Random settings.",
        Qsvit = "qsvit": "Group by group, base and fine tuning (QSViT).",
        Aq4svitGreedy = "aq4svit-greedy": "Network, stage, block, one step at a time, behind a gate on membrane drift (AQ4SViT).",
        Aq4svitBeam = "aq4svit-beam": "The same with a beam of four.",
        Spikehq = "spikehq": "Relaxation with Gumbel sampling (SpikeHQ).",
        RatioGreedy = "ratio-greedy": "The best loss per saving, move by move.",
        Ilp = "ilp": "Multiple-choice knapsack over sensitivities, then swaps.",
        Nsga2 = "nsga2": "NSGA-II from the front of the knapsacks.",
        All = "all": "All of them, the papers' in both forms.",
    }
}

/// One strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StrategyForm {
    /// Name of the strategy; not that of all.
    pub name: StrategyName,
    /// True for a paper's with the quantizers and tests of the others.
    pub accelerated: bool,
}

/// Strategies of the papers, which come in two forms.
const PAPERS: [StrategyName; 4] =
    [StrategyName::Qsvit, StrategyName::Aq4svitGreedy, StrategyName::Aq4svitBeam, StrategyName::Spikehq];

impl StrategyName {
    /// The strategies that the name stands for, papers' accelerated or not, or in both forms.
    pub(crate) fn forms(self, accelerated: bool) -> Vec<StrategyForm> {
        if self != Self::All {
            return vec![StrategyForm { name: self, accelerated: accelerated && PAPERS.contains(&self) }];
        }
        let plain = |name| StrategyForm { name, accelerated: false };
        let both = |name| [plain(name), StrategyForm { name, accelerated: true }];
        let baselines = [Self::Uniform, Self::Random].map(plain);
        let ours = [Self::RatioGreedy, Self::Ilp, Self::Nsga2].map(plain);
        baselines.into_iter().chain(PAPERS.into_iter().flat_map(both)).chain(ours).collect()
    }
}

impl StrategyForm {
    /// True where machines are chosen with the bits: the papers' choose bits for one.
    pub(crate) fn chooses_machine(self) -> bool {
        !PAPERS.contains(&self.name)
    }
}

impl fmt::Display for StrategyForm {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let accelerated = if self.accelerated { " accelerated" } else { "" };
        write!(f, "{}{accelerated}", self.name.word())
    }
}

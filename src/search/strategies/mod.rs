//! One file per strategy, and what several of them share.

mod aq4svit;
mod costs;
mod drops;
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

use super::Strategy;
use super::keyword::keywords;

keywords! {
    /// A strategy by name.
    pub enum Name {
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

/// Candidates that a beam keeps.
const BEAM: usize = 4;

/// The strategies that `name` stands for; `accelerated` gives the papers' the quantizers and tests of the
/// others.
pub fn named(name: Name, accelerated: bool) -> Vec<Box<dyn Strategy>> {
    let single = |strategy: Box<dyn Strategy>| vec![strategy];
    match name {
        Name::Uniform => single(Box::new(uniform::Uniform)),
        Name::Random => single(Box::new(random::Random)),
        Name::Qsvit => single(Box::new(qsvit::Qsvit { accelerated })),
        Name::Aq4svitGreedy => single(Box::new(aq4svit::Aq4svit { width: 1, accelerated })),
        Name::Aq4svitBeam => single(Box::new(aq4svit::Aq4svit { width: BEAM, accelerated })),
        Name::Spikehq => single(Box::new(spikehq::SpikeHq { accelerated })),
        Name::RatioGreedy => single(Box::new(ratio_greedy::RatioGreedy)),
        Name::Ilp => single(Box::new(ilp::Ilp)),
        Name::Nsga2 => single(Box::new(nsga2::Nsga2)),
        Name::All => {
            let papers = [Name::Qsvit, Name::Aq4svitGreedy, Name::Aq4svitBeam, Name::Spikehq];
            let both = papers.into_iter().flat_map(|paper| [(paper, false), (paper, true)]);
            let ours = [Name::RatioGreedy, Name::Ilp, Name::Nsga2].map(|name| (name, false));
            let baselines = [Name::Uniform, Name::Random].map(|name| (name, false));
            let all = baselines.into_iter().chain(both).chain(ours);
            all.flat_map(|(name, accelerated)| named(name, accelerated)).collect()
        }
    }
}

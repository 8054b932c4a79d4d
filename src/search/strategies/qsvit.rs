use super::table::ladder;
use crate::search::{Candidate, Engine, Granularity, Knob, Part, Quantizer, Stop, Strategy, Unit};

/// Batches that the accelerated form estimates a group's drop on.
const BATCHES: usize = 2;

/// QSViT: every block is quantized by itself at every width and measured; the base setting takes per block
/// the fewest bits within half of the allowed drop; then the most harmful block is raised until the whole
/// is accurate enough, or else blocks are lowered, the robust and the large first, each until the first
/// violation.
pub struct Qsvit {
    /// With scales per channel, membranes and sequential tests.
    pub accelerated: bool,
}

/// A block on its own.
struct Group {
    knob: Knob,
    /// Levels from wide to narrow.
    ladder: Vec<usize>,
    /// Drop at each, as far as measured.
    drops: Vec<f64>,
    /// Position on the ladder.
    at: usize,
    /// Values of the block: bits that a step down saves, per bit of width.
    size: usize,
}

impl Strategy for Qsvit {
    fn name(&self) -> &'static str {
        if self.accelerated { "qsvit accelerated" } else { "qsvit" }
    }

    fn quantizer(&self) -> Quantizer {
        if self.accelerated { Quantizer::PerChannel } else { Quantizer::UnitFloor }
    }

    fn run(&self, engine: &mut Engine) -> Result<(), Stop> {
        let mut groups = self.measure(engine)?;
        let base = engine.space.widest();
        let candidate = |groups: &[Group]| {
            groups.iter().fold(base.clone(), |c: Candidate, g| c.with(&g.knob, g.ladder[g.at]))
        };
        if engine.test(&candidate(&groups))?.within {
            return lower(engine, &mut groups, &candidate);
        }
        loop {
            let harm = |g: &&mut Group| if g.at > 0 { g.drops[g.at] } else { f64::NEG_INFINITY };
            let worst = groups.iter_mut().max_by(|a, b| harm(a).total_cmp(&harm(b)));
            match worst.filter(|group| group.at > 0) {
                Some(group) => group.at -= 1,
                None => return Ok(()),
            }
            if engine.test(&candidate(&groups))?.within {
                return Ok(());
            }
        }
    }
}

impl Qsvit {
    /// Steps (a) and (b): the drop of each group at each level, until it exceeds half of what is allowed by
    /// more than could be made up for.
    fn measure(&self, engine: &mut Engine) -> Result<Vec<Group>, Stop> {
        let allowed = engine.problem.budgets.accuracy_drop / 2.0;
        let mut groups = Vec::new();
        for knob in engine.space.knobs(Granularity::Block) {
            let ladder = ladder(engine.space, knob.part);
            let (mut drops, mut at) = (vec![0.0], 0);
            for (i, &level) in ladder.iter().enumerate().skip(1) {
                let candidate = engine.space.widest().with(&knob, level);
                let drop = if self.accelerated {
                    engine.sample(&candidate, BATCHES)?.drop()
                } else {
                    engine.test(&candidate)?.sum.drop()
                };
                drops.push(drop);
                if drop > allowed {
                    break;
                }
                at = i;
            }
            let units = knob.units.iter().map(|&u| &engine.space.units[u]);
            let values = |unit: &Unit| match knob.part {
                Part::Weights => unit.weights,
                Part::Membranes => unit.membranes,
            };
            let size = units.map(values).sum();
            groups.push(Group { knob, ladder, drops, at, size });
        }
        Ok(groups)
    }
}

/// Step (c), where the base setting keeps the accuracy: lower until the first violation of each group.
fn lower(
    engine: &mut Engine,
    groups: &mut [Group],
    candidate: &dyn Fn(&[Group]) -> Candidate,
) -> Result<(), Stop> {
    let next_drop = |g: &Group| g.drops.get(g.at + 1).copied().unwrap_or(f64::INFINITY);
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by(|&a, &b| {
        let robust = next_drop(&groups[a]).total_cmp(&next_drop(&groups[b]));
        robust.then(groups[b].size.cmp(&groups[a].size)).then(a.cmp(&b))
    });
    for i in order {
        while groups[i].at + 1 < groups[i].ladder.len() {
            groups[i].at += 1;
            if !engine.test(&candidate(groups))?.within {
                groups[i].at -= 1;
                break;
            }
        }
    }
    Ok(())
}

use crate::search::{Candidate, Engine, Quantizer, Stop, Strategy, is_power_of_two};

/// One choice for the whole network: the cheapest that keeps accuracy and budgets.
pub struct Uniform;

impl Strategy for Uniform {
    fn name(&self) -> &'static str {
        "uniform"
    }

    fn quantizer(&self) -> Quantizer {
        Quantizer::PerChannel
    }

    fn run(&self, engine: &mut Engine) -> Result<(), Stop> {
        scan(engine).map(|_| ())
    }
}

/// The cheapest uniform candidate that keeps the accuracy.
pub fn scan(engine: &mut Engine) -> Result<Option<Candidate>, Stop> {
    let (weights, membranes) = (engine.space.weights.len(), engine.space.membranes.len());
    let levels: Vec<[usize; 2]> = (0..weights).flat_map(|w| (0..membranes).map(move |m| [w, m])).collect();
    let candidates: Vec<_> = levels.iter().map(|&[w, m]| engine.space.uniform(w, m)).collect();
    let costs = engine.costs(&candidates)?;
    let mut order: Vec<usize> = (0..levels.len()).collect();
    order.sort_by(|&a, &b| costs[a].total_cmp(&costs[b]).then(a.cmp(&b)));
    // Levels that lose too much: what is narrower in both, of the same scheme, loses more.
    let mut beyond: Vec<[usize; 2]> = Vec::new();
    let mut within = None;
    let power = |w: usize| is_power_of_two(&engine.space.weights[w]);
    let hopeless = |beyond: &[[usize; 2]], [w, m]: [usize; 2]| {
        beyond.iter().any(|&[bw, bm]| w >= bw && m >= bm && power(w) == power(bw))
    };
    for i in order {
        if hopeless(&beyond, levels[i]) || costs[i].is_infinite() {
            continue;
        }
        let verdict = engine.test(&candidates[i])?;
        if verdict.meets && engine.confirm(&candidates[i])? {
            return Ok(Some(candidates[i].clone()));
        }
        if verdict.within { within = within.or(Some(i)) } else { beyond.push(levels[i]) }
    }
    Ok(within.map(|i| candidates[i].clone()))
}

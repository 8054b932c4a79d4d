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

/// The cheapest uniform candidate that keeps the accuracy, taking for granted that more bits lose no more.
///
/// The widest one that meets the budgets comes first, so that something is found with few evaluations (or the cheapest
/// where none does, which tells what the least is), and then always the one in the middle of those that are cheaper than
/// what was found, and no narrower than what lost too much.
///
/// # Errors
/// [`Stop::Exhausted`] where the evaluations are used up.
pub fn scan(engine: &mut Engine) -> Result<Option<Candidate>, Stop> {
    let mut scan = Scan::new(engine)?;
    while let Some(level) = scan.next() {
        let verdict = engine.test(&scan.candidates[level])?;
        scan.learn(level, verdict.within, verdict.meets);
        while let (None, Some(cheapest)) = (scan.next(), scan.cheapest()) {
            if engine.confirm(&scan.candidates[cheapest])? {
                return Ok(Some(scan.candidates.swap_remove(cheapest)));
            }
            scan.learn(cheapest, false, false);
        }
    }
    Ok(scan.within.map(|level| scan.candidates.swap_remove(level)))
}

/// Uniform candidates, the cheapest first.
struct Scan {
    candidates: Vec<Candidate>,
    /// Levels of weights and of membranes.
    levels: Vec<[usize; 2]>,
    /// True for powers of two.
    power_of_two: Vec<bool>,
    /// Looked at.
    tested: Vec<bool>,
    /// Those that meet everything.
    meet: Vec<usize>,
    /// The first one that keeps the accuracy, and not the budgets.
    within: Option<usize>,
    /// Those that lose too much: what is narrower in both, of the same scheme, loses more.
    beyond: Vec<usize>,
    /// What is looked at first: the widest one of those that meet the budgets, or else the cheapest of all.
    first: usize,
}

impl Scan {
    fn new(engine: &mut Engine) -> Result<Self, Stop> {
        let (weights, membranes) = (engine.space.weights.len(), engine.space.membranes.len());
        let levels = (0..weights).flat_map(|w| (0..membranes).map(move |m| [w, m]));
        let mut all: Vec<([usize; 2], Candidate)> =
            levels.map(|[w, m]| ([w, m], engine.space.uniform(w, m))).collect();
        let candidates: Vec<Candidate> = all.iter().map(|(_, candidate)| candidate.clone()).collect();
        let costs: Vec<f64> = engine.costs(&candidates)?;
        let fits = engine.fit_budgets(&candidates)?;
        let mut order: Vec<usize> = (0..all.len()).filter(|&i| costs[i].is_finite()).collect();
        order.sort_by(|&a, &b| costs[a].total_cmp(&costs[b]).then(a.cmp(&b)));
        all = order.iter().map(|&i| all[i].clone()).collect();
        let levels: Vec<[usize; 2]> = all.iter().map(|(level, _)| *level).collect();
        let fit = (0..all.len()).filter(|&i| fits[order[i]]);
        let first = fit.min_by_key(|&i| levels[i]).unwrap_or(0);
        Ok(Self {
            power_of_two: levels.iter().map(|[w, _]| is_power_of_two(&engine.space.weights[*w])).collect(),
            tested: vec![false; all.len()],
            candidates: all.into_iter().map(|(_, candidate)| candidate).collect(),
            levels,
            meet: Vec::new(),
            within: None,
            beyond: Vec::new(),
            first,
        })
    }

    /// The cheapest one that meets everything.
    fn cheapest(&self) -> Option<usize> {
        self.meet.iter().copied().min()
    }

    fn is_hopeless(&self, i: usize) -> bool {
        let [w, m] = self.levels[i];
        self.beyond.iter().any(|&b| {
            let [bw, bm] = self.levels[b];
            w >= bw && m >= bm && self.power_of_two[i] == self.power_of_two[b]
        })
    }

    /// What to look at next; `None` where nothing is left that may be cheaper.
    fn next(&self) -> Option<usize> {
        if self.tested.get(self.first) == Some(&false) {
            return Some(self.first);
        }
        let end = self.cheapest().into_iter().chain(self.within).min().unwrap_or(self.candidates.len());
        let open: Vec<usize> = (0..end).filter(|&i| !self.tested[i] && !self.is_hopeless(i)).collect();
        open.get(open.len() / 2).copied()
    }

    fn learn(&mut self, i: usize, within: bool, meets: bool) {
        self.tested[i] = true;
        self.meet.retain(|&known| known != i);
        match (within, meets) {
            (_, true) => self.meet.push(i),
            (true, false) => self.within = Some(self.within.map_or(i, |known| known.min(i))),
            (false, false) => self.beyond.push(i),
        }
    }
}

use super::forecast::Forecast;
use crate::quant::scheme::Family;
use crate::search::{Batch, Candidate, Engine, Granularity, Part, Quantizer, Space, Stop, Strategy};

/// Weight and membrane bits that nearly every network keeps most of its accuracy at.
const COMMON_BITS: [u32; 2] = [4, 8];
/// A candidate that keeps the accuracy with a smaller chance is not worth its images.
const HOPELESS: f64 = 0.1;
/// Smallest chance where uniform candidates are only what a search starts from.
const HOPELESS_START: f64 = 0.3;
/// Candidates that are worth this part of the worthiest are worth as much.
const ALIKE: f64 = 0.95;

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
        scan(engine, HOPELESS).map(|_| ())
    }
}

/// The cheapest uniform candidate that keeps the accuracy, taking for granted that more bits lose no more.
///
/// The widest one that meets the budgets comes first, so that something is found with few evaluations (or the cheapest
/// where none does, which tells what the least is), then one of common widths, in whose losses all others are
/// forecast; from there on always the one with the largest saving times the chance that it keeps the accuracy.
///
/// # Errors
/// [`Stop::Exhausted`] where the evaluations are used up.
pub fn start(engine: &mut Engine) -> Result<Option<Candidate>, Stop> {
    scan(engine, HOPELESS_START)
}

/// [`start`] as far as any candidate keeps the accuracy with at least that chance.
fn scan(engine: &mut Engine, least_chance: f64) -> Result<Option<Candidate>, Stop> {
    let mut scan = Scan::new(engine, least_chance)?;
    while let Some(level) = scan.next() {
        let verdict = engine.test(&scan.candidates[level])?;
        scan.learn(engine, level, verdict.within, verdict.meets, verdict.sum)?;
    }
    let found = scan.cheapest().or(scan.within);
    Ok(found.map(|level| scan.candidates.swap_remove(level)))
}

/// Uniform candidates, the cheapest first.
struct Scan {
    candidates: Vec<Candidate>,
    costs: Vec<f64>,
    /// Levels of weights and of membranes.
    levels: Vec<[usize; 2]>,
    /// Families of their weights.
    families: Vec<Family>,
    /// Per candidate, what was seen of it.
    seen: Vec<Option<Batch>>,
    /// Candidates that meet everything.
    meet: Vec<usize>,
    /// The first one that keeps the accuracy, and not the budgets.
    within: Option<usize>,
    /// Candidates that lose too much: what is narrower in both, of the same family, loses more.
    beyond: Vec<usize>,
    /// What is looked at first, in this order: the widest one of those that meet the budgets, or else the cheapest of
    /// all, and the one of common widths.
    first: [usize; 2],
    /// What the others lose, once the first ones ran.
    forecast: Option<Forecast>,
    /// A candidate that keeps the accuracy with a smaller chance is not looked at.
    least_chance: f64,
}

impl Scan {
    fn new(engine: &mut Engine, least_chance: f64) -> Result<Self, Stop> {
        let (weights, membranes) = (engine.space.weights.len(), engine.space.membranes.len());
        let levels = (0..weights).flat_map(|w| (0..membranes).map(move |m| [w, m]));
        let mut all: Vec<([usize; 2], Candidate)> =
            levels.map(|[w, m]| ([w, m], engine.space.uniform(w, m))).collect();
        let apart = |space: &Space, [w, m]: [usize; 2]| {
            let bits = [space.bits(Part::Weights, w), space.bits(Part::Membranes, m)];
            let [weights, membranes] = [0, 1].map(|i| bits[i].abs_diff(COMMON_BITS[i]));
            (space.weights[w].family(), weights, membranes)
        };
        if let Some((_, common)) = all.iter().min_by_key(|(levels, _)| apart(engine.space, *levels)) {
            engine.look_around(common)?;
        }
        let candidates = engine.placed(all.iter().map(|(_, candidate)| candidate.clone()).collect())?;
        all.iter_mut().zip(&candidates).for_each(|((_, own), placed)| own.machine = placed.machine);
        let costs: Vec<f64> = engine.costs(&candidates)?;
        let fits = engine.fit_budgets(&candidates)?;
        let mut order: Vec<usize> = (0..all.len()).filter(|&i| costs[i].is_finite()).collect();
        order.sort_by(|&a, &b| costs[a].total_cmp(&costs[b]).then(a.cmp(&b)));
        all = order.iter().map(|&i| all[i].clone()).collect();
        let levels: Vec<[usize; 2]> = all.iter().map(|(level, _)| *level).collect();
        let fit = (0..all.len()).filter(|&i| fits[order[i]]);
        let widest = fit.min_by_key(|&i| levels[i]).unwrap_or(0);
        let families: Vec<Family> = levels.iter().map(|[w, _]| engine.space.weights[*w].family()).collect();
        let common = (0..all.len()).min_by_key(|&i| apart(engine.space, levels[i])).unwrap_or(0);
        Ok(Self {
            costs: order.iter().map(|&i| costs[i]).collect(),
            seen: vec![None; all.len()],
            candidates: all.into_iter().map(|(_, candidate)| candidate).collect(),
            levels,
            families,
            meet: Vec::new(),
            within: None,
            beyond: Vec::new(),
            first: [widest, common],
            forecast: None,
            least_chance,
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
            w >= bw && m >= bm && self.families[i] == self.families[b]
        })
    }

    /// What to look at next; `None` where nothing is left that may be cheaper.
    fn next(&self) -> Option<usize> {
        if let Some(first) = self.first.into_iter().find(|&i| self.seen.get(i) == Some(&None)) {
            return Some(first);
        }
        let found = self.cheapest().into_iter().chain(self.within).min();
        let end = found.unwrap_or(self.candidates.len());
        let most = self.costs.get(end).or(self.costs.last())?;
        let worth = |i: usize| {
            let chance = self.chance(i);
            (chance >= self.least_chance || found.is_none()).then_some(((most - self.costs[i]) * chance, i))
        };
        let open = (0..end).filter(|&i| self.seen[i].is_none() && !self.is_hopeless(i));
        let worths: Vec<(f64, usize)> = open.filter_map(worth).collect();
        let largest = worths.iter().fold(0.0, |largest: f64, (worth, _)| largest.max(*worth));
        // Whatever is narrower fails with the widest.
        let alike = worths.iter().filter(|(worth, _)| *worth >= ALIKE * largest);
        alike.map(|&(_, i)| i).min_by_key(|&i| (self.levels[i], i))
    }

    /// The chance that candidate number `i` keeps the accuracy.
    fn chance(&self, i: usize) -> f64 {
        self.forecast.as_ref().map_or(1.0, |forecast| forecast.chance(&self.candidates[i]))
    }

    fn learn(
        &mut self,
        engine: &mut Engine,
        i: usize,
        within: bool,
        meets: bool,
        sum: Batch,
    ) -> Result<(), Stop> {
        self.seen[i] = Some(sum);
        match (within, meets) {
            (_, true) => self.meet.push(i),
            (true, false) => self.within = Some(self.within.map_or(i, |known| known.min(i))),
            (false, false) => self.beyond.push(i),
        }
        if let Some(forecast) = &mut self.forecast {
            forecast.learn(engine, &self.candidates[i], &sum);
            forecast.fit();
        } else if i == self.first[1] {
            self.forecast = Some(self.begin_forecast(engine)?);
        }
        Ok(())
    }

    /// In losses of the candidate of common widths, after all that was seen.
    fn begin_forecast(&self, engine: &mut Engine) -> Result<Forecast, Stop> {
        let knobs = engine.space.knobs(Granularity::Network);
        let mut forecast = Forecast::new(engine, knobs, self.candidates[self.first[1]].clone())?;
        for (candidate, sum) in self.candidates.iter().zip(&self.seen) {
            if let Some(sum) = sum {
                forecast.learn(engine, candidate, sum);
            }
        }
        forecast.fit();
        Ok(forecast)
    }
}

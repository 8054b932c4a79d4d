//! The best plans of a layer.

use super::prefetch::Outline;

/// The best plans of a layer by itself, and where its first weights come while the layer before it runs.
#[derive(Debug)]
pub struct Fronts {
    /// By itself.
    pub alone: Front,
    /// Where the load of its first weights hides.
    pub early: Front,
}

impl Fronts {
    /// The front of plans whose first load hides (`early`), or of those whose load does not.
    pub fn of(&self, early: bool) -> &Front {
        if early { &self.early } else { &self.alone }
    }

    /// All best plans.
    pub fn bests(&self) -> impl Iterator<Item = &Best> {
        self.alone.0.iter().chain(&self.early.0)
    }
}

/// The best plan for every size of a buffer for weights that pass through.
#[derive(Debug)]
pub struct Front(Vec<Best>);

/// A plan that is better than all that need no larger buffer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// Number of the plan.
    pub plan: usize,
    /// The buffer that it needs.
    pub buffer_bits: f64,
    /// What it costs.
    pub cost: Outline,
}

impl Front {
    /// The front of plans in their order, by what they cost and the buffers that they need; of equals the first is
    /// the best.
    pub fn new(costs: &[Outline], buffer_bits: &[f64], score: impl Fn(&Outline) -> f64) -> Self {
        let scores: Vec<f64> = costs.iter().map(score).collect();
        let mut order: Vec<usize> = (0..costs.len()).collect();
        let by_score = |&a: &usize, &b: &usize| scores[a].total_cmp(&scores[b]).then(a.cmp(&b));
        order.sort_unstable_by(|a, b| buffer_bits[*a].total_cmp(&buffer_bits[*b]).then(by_score(a, b)));
        let mut front: Vec<Best> = Vec::new();
        for plan in order {
            if front.last().is_none_or(|best| by_score(&plan, &best.plan).is_lt()) {
                front.push(Best { plan, buffer_bits: buffer_bits[plan], cost: costs[plan] });
            }
        }
        Self(front)
    }

    /// The best plan whose weights pass through a buffer of `bits`.
    pub fn best(&self, bits: f64) -> Option<&Best> {
        self.0[..self.0.partition_point(|best| best.buffer_bits <= bits)].last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{Cycles, LayerCost};

    #[test]
    fn what_needs_more_and_saves_nothing_is_left_out() {
        let cost = |ideal: f64| {
            let cycles = Cycles { ideal, ..Cycles::default() };
            Outline::of(&LayerCost { cycles, ..LayerCost::default() })
        };
        let costs = [7.0, 4.0, 4.0, 1.0, 1.0, 9.0].map(cost);
        let front = Front::new(&costs, &[1.0, 3.0, 2.0, 5.0, 5.0, 0.5], |cost| cost.cycles);
        let best = |bits| front.best(bits).map(|best| (best.plan, best.buffer_bits));
        assert_eq!([0.0, 0.5, 1.0].map(best), [None, Some((5, 0.5)), Some((0, 1.0))]);
        // The first of equals is the best, though it needs more.
        assert_eq!([2.0, 3.0].map(best), [Some((2, 2.0)), Some((1, 3.0))]);
        assert_eq!([4.9, 5.0, f64::INFINITY].map(best), [Some((1, 3.0)), Some((3, 5.0)), Some((3, 5.0))]);
    }
}

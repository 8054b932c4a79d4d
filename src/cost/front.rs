//! The best plans of a layer.

use super::LayerCost;

/// The best plan for every size of a buffer for weights that pass through.
#[derive(Debug)]
pub struct Front(Vec<Best>);

/// A plan that is better than all that need no larger buffer.
#[derive(Debug)]
pub struct Best {
    /// Its number.
    pub plan: usize,
    /// The buffer that it needs.
    pub buffer_bits: f64,
    /// What it costs.
    pub cost: LayerCost,
}

impl Front {
    /// Of plans, in their order, with what they cost and the buffers that they need; of equals the first is the best.
    pub fn new(costs: &[LayerCost], buffer_bits: &[f64], score: impl Fn(&LayerCost) -> f64) -> Self {
        let scores: Vec<f64> = costs.iter().map(score).collect();
        let mut order: Vec<usize> = (0..costs.len()).collect();
        let by_score = |&a: &usize, &b: &usize| scores[a].total_cmp(&scores[b]).then(a.cmp(&b));
        order.sort_unstable_by(|a, b| buffer_bits[*a].total_cmp(&buffer_bits[*b]).then(by_score(a, b)));
        let mut front: Vec<Best> = Vec::new();
        for plan in order {
            if front.last().is_none_or(|best| by_score(&plan, &best.plan).is_lt()) {
                let (buffer_bits, cost) = (buffer_bits[plan], costs[plan].clone());
                front.push(Best { plan, buffer_bits, cost });
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
    use crate::cost::Cycles;

    #[test]
    fn what_needs_more_and_saves_nothing_is_left_out() {
        let cost = |&ideal: &f64| LayerCost {
            cycles: Cycles { ideal, ..Cycles::default() },
            ..LayerCost::default()
        };
        // Of two equals that need 5 the first is taken.
        let costs: Vec<LayerCost> = [7.0, 4.0, 4.0, 1.0, 1.0, 9.0].iter().map(cost).collect();
        let front = Front::new(&costs, &[1.0, 3.0, 2.0, 5.0, 5.0, 0.5], |cost| cost.cycles.total());
        let best = |bits| front.best(bits).map(|best| (best.plan, best.buffer_bits));
        assert_eq!([0.0, 0.5, 1.0].map(best), [None, Some((5, 0.5)), Some((0, 1.0))]);
        // Of equals, the first one, though it needs more.
        assert_eq!([2.0, 3.0].map(best), [Some((2, 2.0)), Some((1, 3.0))]);
        assert_eq!([4.9, 5.0, f64::INFINITY].map(best), [Some((1, 3.0)), Some((3, 5.0)), Some((3, 5.0))]);
    }
}

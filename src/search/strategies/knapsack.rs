//! Multiple-choice knapsack by dynamic programming (Kellerer, Pferschy, Pisinger, Knapsack Problems, 2004,
//! section 11.5).

/// Per class, the item that is taken: the least sum of costs with a sum of weights of at most `capacity`.
/// Weights are rounded up to multiples of `capacity / steps`, so the capacity is never exceeded, and the
/// answer is exact where all weights are such multiples. `None` where nothing fits. An item is (cost,
/// weight), weight not negative; what is infinite is never taken.
pub fn knapsack(classes: &[Vec<(f64, f64)>], capacity: f64, steps: usize) -> Option<Vec<usize>> {
    let step = capacity / steps as f64;
    let rounded = |weight: f64| -> Option<usize> {
        if weight <= 0.0 {
            return Some(0);
        }
        // What misses a multiple by a rounding of the division is that multiple.
        let steps_up = (weight / step - 1e-9).ceil();
        (steps_up <= steps as f64).then_some(steps_up.max(0.0) as usize)
    };
    let mut least = vec![f64::INFINITY; steps + 1];
    least[0] = 0.0;
    // Per class and weight, the item taken and the weight before it.
    let mut taken: Vec<Vec<Option<(usize, usize)>>> = Vec::new();
    for class in classes {
        let mut next = vec![f64::INFINITY; steps + 1];
        let mut from = vec![None; steps + 1];
        for (item, &(cost, weight)) in class.iter().enumerate().filter(|(_, (cost, _))| cost.is_finite()) {
            let Some(weight) = rounded(weight) else { continue };
            for before in 0..=steps - weight {
                let sum = least[before] + cost;
                if sum < next[before + weight] {
                    next[before + weight] = sum;
                    from[before + weight] = Some((item, before));
                }
            }
        }
        least = next;
        taken.push(from);
    }
    let best = (0..=steps).min_by(|&a, &b| least[a].total_cmp(&least[b]))?;
    if least[best].is_infinite() {
        return None;
    }
    let mut at = best;
    let mut items = Vec::new();
    for from in taken.iter().rev() {
        let (item, before) = from[at]?;
        items.push(item);
        at = before;
    }
    items.reverse();
    Some(items)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every combination.
    fn brute_force(classes: &[Vec<(f64, f64)>], capacity: f64) -> Option<f64> {
        let mut sums = vec![(0.0, 0.0)];
        for class in classes {
            sums = sums.iter().flat_map(|&(c, w)| class.iter().map(move |&(x, y)| (c + x, w + y))).collect();
        }
        let fitting = sums.into_iter().filter(|&(_, weight)| weight <= capacity).map(|(cost, _)| cost);
        fitting.min_by(f64::total_cmp)
    }

    proptest! {
        #[test]
        fn equals_brute_force_on_whole_weights(
            classes in prop::collection::vec(prop::collection::vec((0..50i32, 0..9u32), 1..5), 1..7),
            capacity in 1..25u32,
        ) {
            let whole = |items: &Vec<(i32, u32)>| -> Vec<(f64, f64)> {
                items.iter().map(|&(cost, weight)| (f64::from(cost), f64::from(weight))).collect()
            };
            let classes: Vec<_> = classes.iter().map(whole).collect();
            let capacity = f64::from(capacity);
            let items = knapsack(&classes, capacity, capacity as usize);
            let sums = items.as_ref().map(|items| {
                let pairs = classes.iter().zip(items).map(|(class, &item)| class[item]);
                pairs.fold((0.0, 0.0), |(c, w), (x, y)| (c + x, w + y))
            });
            prop_assert!(sums.is_none_or(|(_, weight)| weight <= capacity));
            prop_assert_eq!(sums.map(|(cost, _)| cost), brute_force(&classes, capacity));
        }
    }

    #[test]
    fn what_is_infinite_is_never_taken() {
        let classes = vec![vec![(0.0, 0.0), (f64::INFINITY, 0.0), (-1.0, f64::INFINITY)]];
        assert_eq!(knapsack(&classes, 1.0, 10), Some(vec![0]));
    }
}

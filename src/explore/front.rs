//! The Pareto front: points that no other point beats.

/// Points that no other beats, in their order; `costs` has one list per point. A point is beaten by another that
/// costs no more of anything and less of something.
pub fn front(costs: &[Vec<f64>]) -> Vec<usize> {
    let beats = |a: &[f64], b: &[f64]| a != b && a.iter().zip(b).all(|(a, b)| a <= b);
    let mut order: Vec<usize> = (0..costs.len()).collect();
    // What comes later in the alphabet of costs beats nothing that comes before.
    let compare = |a: &f64, b: &f64| a.total_cmp(b);
    order.sort_by(|&i, &j| {
        let differing = costs[i].iter().zip(&costs[j]).map(|(a, b)| compare(a, b));
        differing.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });
    let mut front: Vec<usize> = Vec::new();
    for i in order {
        if !front.iter().rev().any(|&j| beats(&costs[j], &costs[i])) {
            front.push(i);
        }
    }
    front.sort_unstable();
    front
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fronts_by_hand() {
        let costs = [[1.0, 4.0], [2.0, 2.0], [3.0, 3.0], [4.0, 1.0], [2.0, 2.0], [1.0, 5.0]];
        let costs: Vec<Vec<f64>> = costs.iter().map(|c| c.to_vec()).collect();
        assert_eq!(front(&costs), [0, 1, 3, 4]);
        assert_eq!(front(&[]), [0; 0]);
        assert_eq!(front(&[vec![2.0], vec![1.0], vec![1.0]]), [1, 2]);
    }

    proptest! {
        #[test]
        fn a_front_is_what_comparing_all_with_all_leaves(
            costs in (1usize..4).prop_flat_map(|n| prop::collection::vec(prop::collection::vec(0u8..5, n), 0..60))
        ) {
            let costs: Vec<Vec<f64>> =
                costs.into_iter().map(|c| c.into_iter().map(|x| f64::from(x) - 2.0).collect()).collect();
            let is_beaten = |i: usize| costs.iter().any(|other| {
                let no_more = other.iter().zip(&costs[i]).all(|(a, b)| a <= b);
                let less = other.iter().zip(&costs[i]).any(|(a, b)| a < b);
                no_more && less
            });
            let expected: Vec<usize> = (0..costs.len()).filter(|&i| !is_beaten(i)).collect();
            prop_assert_eq!(front(&costs), expected);
        }
    }
}

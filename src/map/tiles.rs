//! Sizes of tiles that are worth a try.
//!
//! They depend on the sizes of a layer alone: lists that memory or precision lengthened could lose a choice
//! where there is more of the one or less of the other.

/// `n`, its half, and so on down to one: whole words, where `n` is one of several.
pub fn halves(n: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(n), |n| (*n > 1).then_some(n / 2))
}

/// ceil(n / 1), ceil(n / 2) and so on down to one, each once: the evenest tile for every number of tiles.
pub fn quotients(n: usize) -> impl Iterator<Item = usize> {
    // The next smaller quotient is that of the fewest parts that are smaller.
    std::iter::successors(Some(n), move |&q| (q > 1).then(|| n.div_ceil(n.div_ceil(q - 1))))
}

/// The evenest tiles of `n` for 1, 2, 3, 4, 6, 9, 13, 26, 52 parts and so on: all of [`quotients`] up to n = 16,
/// and so few beyond that several such lists can be combined.
pub(crate) fn ladder(n: usize) -> impl Iterator<Item = usize> {
    let next = |parts: &usize| Some(parts + if *parts < 13 { (parts / 2).max(1) } else { *parts });
    let mut last = 0;
    std::iter::successors(Some(1), next)
        .take_while(move |parts| parts / 2 < n)
        .map(move |parts| n.div_ceil(parts))
        .filter(move |&size| std::mem::replace(&mut last, size) != size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_by_hand() {
        assert_eq!(halves(20).collect::<Vec<_>>(), [20, 10, 5, 2, 1]);
        // 10 in 1, 2, 3, 4, 5 and 10 parts.
        assert_eq!(quotients(10).collect::<Vec<_>>(), [10, 5, 4, 3, 2, 1]);
        // 100 in 1, 2, 3, 4, 6, 9, 13, 26, 52 and 104 parts.
        assert_eq!(ladder(100).collect::<Vec<_>>(), [100, 50, 34, 25, 17, 12, 8, 4, 2, 1]);
        assert_eq!((ladder(1).collect::<Vec<_>>(), quotients(1).collect::<Vec<_>>()), (vec![1], vec![1]));
    }

    #[test]
    fn quotients_are_all_of_them() {
        for n in 1..200_usize {
            let mut all: Vec<usize> = (1..=n).map(|parts| n.div_ceil(parts)).collect();
            all.dedup();
            assert_eq!(quotients(n).collect::<Vec<_>>(), all);
            let steps: Vec<usize> = ladder(n).collect();
            assert!(steps.iter().all(|size| all.contains(size)) && steps.is_sorted_by(|a, b| a > b));
            assert!(n > 16 || steps == all, "{n}: {steps:?} {all:?}");
        }
    }
}

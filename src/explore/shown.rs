//! What stands for all points where not all can be shown.

use std::collections::{BTreeMap, BTreeSet};

use super::exploration::{Exploration, Outcome};

/// Why points were refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// In words.
    pub why: &'a str,
    /// How many were refused because of it.
    pub points: usize,
    /// The first of them.
    pub first: usize,
}

impl Exploration {
    /// Why points were refused, what was most frequent first. Messages that begin with a machine go on without it, so what
    /// is wrong with many machines is one reason.
    pub fn refusals(&self) -> Vec<Refusal<'_>> {
        let mut found: BTreeMap<&str, Refusal> = BTreeMap::new();
        let of_machine = self.networks.len() * self.settings.len();
        for (machine, outcomes) in self.outcomes.chunks(of_machine.max(1)).enumerate() {
            let first = machine * of_machine;
            let mut changes = None;
            for (i, outcome) in outcomes.iter().enumerate() {
                let Outcome::Refused(why) = outcome else { continue };
                let changes = changes.get_or_insert_with(|| self.changes(first));
                let why = why.split_once(changes.as_str()).map_or(&**why, |(_, rest)| rest);
                let entry = found.entry(why).or_insert(Refusal { why, points: 0, first: first + i });
                entry.points += 1;
            }
        }
        let mut refusals: Vec<Refusal> = found.into_values().collect();
        refusals.sort_by_key(|refusal| (std::cmp::Reverse(refusal.points), refusal.first));
        refusals
    }

    /// What the name of the machine of point number `point` ends with in messages: its changes and a colon; nothing of one
    /// without changes.
    fn changes(&self, point: usize) -> String {
        let place = self.place(point);
        let hardware = self.hardware(&place);
        let changes = &hardware[self.axes[0].levels[place.levels[0]].len()..];
        if changes.is_empty() { String::new() } else { format!("{changes}: ") }
    }

    /// Numbers of points that stand for all, ascending: of fronts about `most_of_fronts`, the ends of each among them, the
    /// best and the nearest, and up to `most_others` of the others.
    pub fn shown(&self, most_of_fronts: usize, most_others: usize) -> Vec<usize> {
        let of_fronts: BTreeSet<usize> =
            self.fronts.iter().flat_map(|front| &front.points).copied().collect();
        let mut shown = if of_fronts.len() <= most_of_fronts {
            of_fronts.clone()
        } else {
            let most = most_of_fronts / self.fronts.len();
            self.fronts.iter().flat_map(|front| spread(&front.points, most)).collect()
        };
        for network in 0..self.networks.len() {
            shown.extend(self.nearest(network).map(|nearest| nearest.point));
            shown.extend(self.space.objectives.iter().filter_map(|&objective| self.best(network, objective)));
        }
        let is_other = |point: &usize| self.figures(*point).is_some() && !of_fronts.contains(point);
        let others: Vec<usize> = (0..self.outcomes.len()).filter(is_other).collect();
        shown.extend(spread(&others, most_others));
        shown.into_iter().collect()
    }

    /// What each level of the axis number `axis` appends to a machine's name for `--hw`.
    pub fn suffixes(&self, axis: usize) -> Vec<String> {
        let suffix = |level: usize| {
            let changes = self.space.machines.changes_of(&self.axes, axis, level);
            changes.iter().map(|change| format!("+{change}")).collect()
        };
        (0..self.axes[axis].levels.len()).map(suffix).collect()
    }
}

/// `most` of `points`, at even distances.
fn spread(points: &[usize], most: usize) -> impl Iterator<Item = usize> {
    evenly(points.len(), most).map(|place| points[place])
}

/// `most` of the numbers below `count`, but no fewer than two, at even distances from the first to the last; all of them
/// if they are no more.
pub(crate) fn evenly(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let taken = count.min(most.max(2));
    (0..taken).map(move |i| if taken == count { i } else { i * (count - 1) / (taken - 1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_kept() {
        let taken = |count, most| evenly(count, most).collect::<Vec<_>>();
        assert_eq!(taken(11, 3), [0, 5, 10]);
        assert_eq!(taken(11, 5), [0, 2, 5, 7, 10]);
        assert_eq!(taken(11, 0), [0, 10]);
        assert_eq!(taken(3, 11), [0, 1, 2]);
        assert_eq!(taken(1, 0), [0]);
        assert_eq!(taken(0, 5), [0; 0]);
    }
}

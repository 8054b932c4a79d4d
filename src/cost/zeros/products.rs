use super::handling::{MovedSums, Walk, Waves, ZeroHandling};
use super::skip::Skip;
use crate::exec::{Pattern, PatternCount};
use crate::hw::table::EnergyTable;
use crate::hw::{Products, Unrolling};

impl Products {
    fn pattern(&self) -> Pattern {
        Pattern::Products { rows: self.rows.value as usize, columns: self.columns.value as usize }
    }

    /// What is left to add; `None` of integers, which are stepped through one by one.
    fn left(&self, waves: &Waves<'_>) -> Option<PatternCount> {
        waves.pattern(self.pattern())
    }
}

impl ZeroHandling for Products {
    fn patterns(&self, _: &Unrolling) -> Vec<Pattern> {
        vec![self.pattern()]
    }

    fn walk(&self, waves: &Waves<'_>) -> Walk {
        let Some(left) = self.left(waves) else { return Skip.walk(waves) };
        let [added, copied, searched] =
            [left.steps, left.copies, left.searches].map(|n| n as f64 * waves.repeat());
        Walk { average: added, busiest: (added + copied).max(searched), weight_rows: added }
    }

    fn operations(&self, waves: &Waves<'_>) -> f64 {
        match self.left(waves) {
            Some(left) => left.steps as f64 * waves.product.group_outputs() as f64 * waves.repeat(),
            None => Skip.operations(waves),
        }
    }

    /// A row is compared with every row of its tile, bit by bit.
    fn search_pj(&self, waves: &Waves<'_>, table: &EnergyTable) -> f64 {
        let searches = self.left(waves).unwrap_or_default().searches as f64 * waves.repeat();
        searches * f64::from(self.rows.value) * f64::from(self.columns.value) * table.and_pj(1.0)
    }

    /// A row reads the sums that it starts from.
    fn moved_sums(&self, waves: &Waves<'_>) -> MovedSums {
        let reuses = self.left(waves).map_or(0.0, |left| left.reuses as f64 * waves.repeat());
        MovedSums { read: reuses, written: 0.0 }
    }
}

use nalgebra::DMatrix;

/// What a weight layer reads, over images, timesteps and output positions: an input patch is all that one
/// output value sees. Of spikes, sums are counts of spikes and products counts of coincidences.
#[derive(Debug, Clone, PartialEq)]
pub struct InputStatistics {
    /// Patches seen.
    pub patches: u64,
    /// Per group of the layer, the sum of each input, in the order of a row of weights.
    pub sums: Vec<Vec<f64>>,
    /// Per group, the sum of the square of each input; of spikes, the same.
    pub squares: Vec<Vec<f64>>,
    /// Per group, the sums of the products of any two inputs; empty where nobody asked for them.
    pub products: Vec<DMatrix<f64>>,
}

impl InputStatistics {
    /// Nothing seen yet by a layer of `groups` groups of `fan_in` inputs each.
    pub fn new(groups: usize, fan_in: usize, with_products: bool) -> Self {
        let products = if with_products { groups } else { 0 };
        Self {
            patches: 0,
            sums: vec![vec![0.0; fan_in]; groups],
            squares: vec![vec![0.0; fan_in]; groups],
            products: vec![DMatrix::zeros(fan_in, fan_in); products],
        }
    }

    /// The mean of every input of `group`.
    pub fn means(&self, group: usize) -> Vec<f64> {
        self.sums[group].iter().map(|sum| sum / self.patches.max(1) as f64).collect()
    }

    /// The mean square of every input of `group`; of spikes, their rate.
    pub(crate) fn mean_squares(&self, group: usize) -> Vec<f64> {
        self.squares[group].iter().map(|sum| sum / self.patches.max(1) as f64).collect()
    }

    /// The mean products of any two inputs of `group`; of their distances from their means if `centred`.
    pub fn moments(&self, group: usize, centred: bool) -> DMatrix<f64> {
        let mut moments = &self.products[group] / self.patches.max(1) as f64;
        if centred {
            let means = self.means(group);
            for (j, mut column) in moments.column_iter_mut().enumerate() {
                column.iter_mut().zip(&means).for_each(|(x, mean)| *x -= mean * means[j]);
            }
        }
        moments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_by_hand() {
        // Two inputs, four patches: the first fires in three, the second in two, both together in one.
        let mut seen = InputStatistics::new(1, 2, true);
        seen.patches = 4;
        seen.sums[0] = vec![3.0, 2.0];
        seen.products[0] = DMatrix::from_row_slice(2, 2, &[3.0, 1.0, 1.0, 2.0]);
        assert_eq!(seen.means(0), [0.75, 0.5]);
        assert_eq!(seen.moments(0, false), DMatrix::from_row_slice(2, 2, &[0.75, 0.25, 0.25, 0.5]));
        let centred = [0.75 - 0.5625, 0.25 - 0.375, 0.25 - 0.375, 0.5 - 0.25];
        assert_eq!(seen.moments(0, true), DMatrix::from_row_slice(2, 2, &centred));
    }
}

//! Accesses of every level of a loop nest, matrix by matrix.
//!
//! A level sends a tile down when the loops around it reach another one; loops over what the matrix does
//! not depend on, inside the innermost loop that it does depend on, use the tile again. The multipliers
//! keep nothing: they take their operands at every step. Tiles of one matrix that several units use at
//! once are read once and multicast; partial sums of units side by side in K are added on their way up.
//! Ragged tiles count with the elements that they have.

use serde::{Deserialize, Serialize};

use crate::map::{Dim, Gemm, Loop, Matrix, Nest};

/// What tools do not agree on. The default is ours, and AccelForge's: the first product of a sum is added
/// to nothing, sums that go up are read, and multipliers take their operands at every step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Convention {
    /// True where the sum before the first product is read, too: M N more reads where sums come back.
    pub reads_first_sum: bool,
    /// True where a sum that moves up is written there and not read here.
    pub drains_free: bool,
    /// True where an operand stays at its multiplier until another one is needed.
    pub operands_held: bool,
}

impl Convention {
    /// Timeloop's.
    pub const TIMELOOP: Self = Self { reads_first_sum: false, drains_free: true, operands_held: false };
    /// ZigZag's.
    pub const ZIGZAG: Self = Self { reads_first_sum: true, drains_free: false, operands_held: true };
}

/// Elements of one matrix that move at one level, in all its instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Accesses {
    /// Read for the level below: operands, and partial sums that come back.
    pub reads: u64,
    /// Written by the level above.
    pub fills: u64,
    /// Sums written by the level below.
    pub updates: u64,
    /// Sums read for the level above.
    pub drains: u64,
}

impl Accesses {
    /// Everything that is read.
    pub fn all_reads(&self) -> u64 {
        self.reads + self.drains
    }

    /// Everything that is written.
    pub fn all_writes(&self) -> u64 {
        self.fills + self.updates
    }
}

/// Accesses per level of a nest and matrix of [`Matrix::ALL`]; a level that does not keep it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Outermost first.
    pub levels: Vec<[Accesses; 3]>,
    /// Steps that the loops take one after the other.
    pub steps: u64,
}

impl Counts {
    /// Accesses of `matrix` at level number `level`.
    pub fn of(&self, level: usize, matrix: Matrix) -> &Accesses {
        &self.levels[level][matrix as usize]
    }
}

/// Counts the accesses of `nest`, which covers `gemm`.
pub fn accesses(nest: &Nest, gemm: &Gemm, convention: Convention) -> Counts {
    let loops: Vec<(usize, Loop)> = nest.loops().collect();
    let mut levels = vec![[Accesses::default(); 3]; nest.levels.len()];
    for matrix in Matrix::ALL {
        let homes: Vec<usize> =
            (0..nest.levels.len()).filter(|&l| nest.levels[l].keeps.contains(&matrix)).collect();
        for (i, &parent) in homes.iter().enumerate() {
            let child = homes.get(i + 1).copied();
            let boundary = Boundary { matrix, loops: &loops, parent, child };
            let (sent, received) = boundary.transfers(gemm, convention);
            let up = matrix == Matrix::Outputs;
            // Elements of the parent's instances, each of which starts from nothing once.
            let first = boundary.instances(gemm, parent) * gemm.elements(matrix);
            let back = match (up, convention.reads_first_sum) {
                (true, true) if sent > first => sent,
                (true, _) => sent - first,
                (false, _) => 0,
            };
            let upper = &mut levels[parent][matrix as usize];
            (upper.reads, upper.updates) = if up { (back, sent) } else { (sent, 0) };
            if let Some(child) = child {
                let lower = &mut levels[child][matrix as usize];
                lower.fills = if up { back } else { received };
                lower.drains = if up && !convention.drains_free { received } else { 0 };
            }
        }
    }
    let steps = Dim::ALL.into_iter().map(|dim| trips(gemm.size(dim), dim, &loops, |l| !l.is_spatial()));
    Counts { levels, steps: steps.product() }
}

/// What passes between two levels that keep a matrix, or between the innermost one and the multipliers.
struct Boundary<'a> {
    matrix: Matrix,
    loops: &'a [(usize, Loop)],
    parent: usize,
    child: Option<usize>,
}

impl Boundary<'_> {
    /// Elements that the parent's instances read or take, and those that the child's get or send.
    fn transfers(&self, gemm: &Gemm, convention: Convention) -> (u64, u64) {
        let above_child = |level: usize| self.child.is_none_or(|child| level < child);
        let around = self.loops.iter().take_while(|(level, _)| above_child(*level)).count();
        let changes = |l: &Loop| !l.is_spatial() && l.extent() > 1 && self.matrix.depends_on(l.dim());
        // Loops around the innermost one that leads to another tile; multipliers take every step.
        let held = self.child.is_some() || (convention.operands_held && self.matrix != Matrix::Outputs);
        let innermost = self.loops[..around].iter().rposition(|(_, l)| changes(l));
        let outer = if held { innermost.map_or(0, |i| i + 1) } else { around };
        let (mut sent, mut received) = (gemm.elements(self.matrix), gemm.elements(self.matrix));
        for dim in Dim::ALL.into_iter().filter(|&d| !self.matrix.depends_on(d)) {
            let of = |position: usize, level: usize, l: &Loop, last: usize| {
                if l.is_spatial() { level < last } else { position < outer }
            };
            let last = self.child.unwrap_or(usize::MAX);
            sent *= self.repeats(gemm, dim, |i, level, l| of(i, level, l, self.parent));
            received *= self.repeats(gemm, dim, |i, level, l| of(i, level, l, last));
        }
        (sent, received)
    }

    fn repeats(&self, gemm: &Gemm, dim: Dim, counted: impl Fn(usize, usize, &Loop) -> bool) -> u64 {
        let marked: Vec<(u64, bool)> = (self.loops.iter().enumerate())
            .filter(|(_, (_, l))| l.dim() == dim)
            .map(|(i, (level, l))| (l.extent(), counted(i, *level, l)))
            .collect();
        steps(gemm.size(dim), &marked)
    }

    /// Instances of level number `level` that keep the same elements.
    fn instances(&self, gemm: &Gemm, level: usize) -> u64 {
        let dims = Dim::ALL.into_iter().filter(|&d| !self.matrix.depends_on(d));
        dims.map(|dim| self.repeats(gemm, dim, |_, l, inner| inner.is_spatial() && l < level)).product()
    }
}

/// Tiles of `size` elements along `dim`, of the loops that are `counted`.
fn trips(size: u64, dim: Dim, loops: &[(usize, Loop)], counted: impl Fn(&Loop) -> bool) -> u64 {
    let of_dim = loops.iter().filter(|(_, l)| l.dim() == dim);
    steps(size, &of_dim.map(|(_, l)| (l.extent(), counted(l))).collect::<Vec<_>>())
}

/// How often the counted ones of nested `loops` (extent, counted) run in all over `size` elements; the
/// others count once, with their first tile, which is the fullest.
fn steps(size: u64, loops: &[(u64, bool)]) -> u64 {
    let Some((&(_, counted), inner)) = loops.split_first() else { return 1 };
    let tile: u64 = inner.iter().map(|(extent, _)| extent).product();
    if !counted {
        return steps(size.min(tile), inner);
    }
    let full: u64 = inner.iter().filter(|(_, counted)| *counted).map(|(extent, _)| extent).product();
    let rest = size % tile;
    size / tile * full + if rest > 0 { steps(rest, inner) } else { 0 }
}

/// Expected share of what passes between level number `level` and the multipliers that a non-zero input
/// needs, with inputs that are independent and not zero with probability `density`: an element that
/// several units use at once passes for the first of them. One for inputs, which have to be looked at,
/// and for levels that feed another one.
pub fn needed_share(nest: &Nest, level: usize, matrix: Matrix, density: f64) -> f64 {
    let feeds_another = nest.levels[level + 1..].iter().any(|below| below.keeps.contains(&matrix));
    if matrix == Matrix::Inputs || feeds_another {
        return 1.0;
    }
    let shared = nest.loops().filter(|(l, inner)| {
        *l >= level
            && inner.is_spatial()
            && !matrix.depends_on(inner.dim())
            && Matrix::Inputs.depends_on(inner.dim())
    });
    let units: u64 = shared.map(|(_, inner)| inner.extent()).product();
    1.0 - (1.0 - density).powf(units as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::{Dataflow, Level};

    /// 4 x 4 by 4 x 4 on 2 x 2, output stationary: for n in 0..2, for m in 0..2, 2 x 2 sums side by side,
    /// for k in 0..4.
    #[test]
    fn two_by_two_by_hand() {
        let gemm = Gemm::new(4, 4, 4);
        let nest = Nest::systolic(Dataflow::OutputStationary, [2, 2], &gemm);
        let counts = accesses(&nest, &gemm, Convention::default());
        assert_eq!(counts.steps, 2 * 2 * 4);
        // Each of 16 inputs is read for either pair of columns, each weight for either pair of rows.
        assert_eq!((counts.of(1, Matrix::Inputs).reads, counts.of(1, Matrix::Weights).reads), (32, 32));
        // 64 products are added to 16 sums, of which 16 to nothing; every sum moves up once.
        let sums = counts.of(2, Matrix::Outputs);
        assert_eq!((sums.updates, sums.reads, sums.drains, sums.fills), (64, 48, 16, 0));
        let on_chip = counts.of(1, Matrix::Outputs);
        assert_eq!((on_chip.updates, on_chip.reads, on_chip.drains), (16, 0, 16));
        assert_eq!((counts.of(0, Matrix::Outputs).updates, counts.of(0, Matrix::Inputs).reads), (16, 16));

        // Weight stationary, 3 x 3 by 3 x 3: two ragged folds of K make 18 updates, 9 of which add to
        // sums that come back.
        let gemm = Gemm::new(3, 3, 3);
        let nest = Nest::systolic(Dataflow::WeightStationary, [2, 2], &gemm);
        let counts = accesses(&nest, &gemm, Convention::default());
        let sums = counts.of(1, Matrix::Outputs);
        assert_eq!((sums.updates, sums.reads, sums.drains), (18, 9, 9));
        assert_eq!((counts.of(1, Matrix::Weights).reads, counts.of(2, Matrix::Weights).reads), (9, 27));
        assert_eq!(counts.of(1, Matrix::Inputs).reads, 18);
        // The tools count these differently, and nothing else.
        let timeloop = accesses(&nest, &gemm, Convention::TIMELOOP);
        assert_eq!((timeloop.of(1, Matrix::Outputs).reads, timeloop.of(1, Matrix::Outputs).drains), (9, 0));
        let zigzag = accesses(&nest, &gemm, Convention::ZIGZAG);
        assert_eq!((zigzag.of(1, Matrix::Outputs).reads, zigzag.of(2, Matrix::Weights).reads), (18, 9));
    }

    #[test]
    fn ragged_tiles_take_the_steps_that_they_have() {
        // 10 elements in tiles of 8, which two units halve: four steps, then two.
        assert_eq!(steps(10, &[(2, true), (2, false), (4, true)]), 6);
        assert_eq!(steps(10, &[(3, true), (4, true)]), 10);
        assert_eq!(steps(10, &[(3, true), (4, false)]), 3);
        assert_eq!(steps(10, &[(5, false), (2, true)]), 2);
    }

    #[test]
    fn a_weight_passes_for_the_first_spike_that_needs_it() {
        let spatial = vec![Loop::For(Dim::N, 4), Loop::For(Dim::K, 4), Loop::Spatial(Dim::M, 2)];
        let level =
            |name: &str, keeps: &[Matrix], loops| Level { name: name.into(), keeps: keeps.into(), loops };
        let nest = Nest {
            levels: vec![
                level("sram", &Matrix::ALL, spatial),
                level("array", &[Matrix::Outputs], vec![Loop::For(Dim::T, 3)]),
            ],
        };
        assert_eq!(needed_share(&nest, 0, Matrix::Weights, 0.25), 1.0 - 0.75 * 0.75);
        assert_eq!(needed_share(&nest, 0, Matrix::Inputs, 0.25), 1.0);
        assert_eq!(
            (needed_share(&nest, 0, Matrix::Outputs, 0.25), needed_share(&nest, 1, Matrix::Outputs, 0.25)),
            (1.0, 0.25)
        );
    }
}

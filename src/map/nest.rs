//! Loop nests of a matrix product: the order of the loops, what runs side by side, and which level keeps
//! which matrix.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Dataflow, Dim, Gemm, Matrix};
use crate::error::{Fault, Result};
use crate::ron_file::parse_ron;

/// One loop over tiles; the last tile may be smaller than the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Loop {
    /// One tile after the other.
    For(Dim, u64),
    /// All tiles at once, on units of their own.
    Spatial(Dim, u64),
}

impl Loop {
    /// What it runs over.
    pub fn dim(self) -> Dim {
        match self {
            Self::For(dim, _) | Self::Spatial(dim, _) => dim,
        }
    }

    /// Tiles.
    pub fn extent(self) -> u64 {
        match self {
            Self::For(_, extent) | Self::Spatial(_, extent) => extent,
        }
    }

    /// True for tiles on units of their own.
    pub fn is_spatial(self) -> bool {
        matches!(self, Self::Spatial(..))
    }
}

/// A memory, or the registers of the array, with the loops over tiles of the level below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// What it is called.
    #[serde(deserialize_with = "crate::name::title")]
    pub name: String,
    /// Matrices of which it holds a tile; the others pass by.
    pub keeps: Vec<Matrix>,
    /// Outermost first.
    #[serde(default)]
    pub loops: Vec<Loop>,
}

/// A loop nest: levels from the outermost to the one beside the multipliers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "Mapping")]
pub struct Nest {
    /// Outermost first.
    pub levels: Vec<Level>,
}

/// What an on-chip memory holds of a product.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// What its level is called.
    pub name: &'a str,
    /// Matrices of which it holds a tile.
    pub keeps: &'a [Matrix],
    /// The tile that it holds, in [steps](Nest::steps) along M, N and K: no smaller than those of memories nearer to
    /// the array.
    pub tile: [u64; 3],
    /// Order in which its tiles come, outermost first; dimensions that are left out have one tile.
    pub order: &'a [Dim],
}

/// Most levels, and loops of all of them, that a file may have.
const MAX_LEVELS: usize = 8;
const MAX_LOOPS: usize = 32;

impl Nest {
    /// The nest of a systolic array that reads everything from one on-chip memory: every matrix comes on
    /// chip once.
    pub fn systolic(dataflow: Dataflow, units: [u64; 2], gemm: &Gemm) -> Self {
        Self::tiled(dataflow, units, gemm, &Self::steps(dataflow, units, gemm), &[])
    }

    /// Steps of an array with `units` (rows, columns) along M, N and K: folds where the dimension lies
    /// along rows or columns, elements where it streams.
    pub fn steps(dataflow: Dataflow, [rows, columns]: [u64; 2], gemm: &Gemm) -> [u64; 3] {
        let axes = dataflow.axes().expect("arrays have axes");
        [Dim::M, Dim::N, Dim::K].map(|dim| match dim {
            _ if dim == axes.rows => gemm.size(dim).div_ceil(rows),
            _ if dim == axes.columns => gemm.size(dim).div_ceil(columns),
            _ => gemm.size(dim),
        })
    }

    /// The nest of a systolic array whose on-chip memory holds tiles of `chip` [steps](Self::steps) along
    /// M, N and K, which come one after the other in the order of `outer`, outermost first; dimensions
    /// that are not in `outer` have one tile.
    pub fn tiled(dataflow: Dataflow, units: [u64; 2], gemm: &Gemm, chip: &[u64; 3], outer: &[Dim]) -> Self {
        let held = Held { name: "sram", keeps: &Matrix::ALL, tile: *chip, order: outer };
        Self::in_levels(dataflow, units, gemm, &[held])
    }

    /// The nest of a systolic array behind several on-chip memories, `held` from the outermost to the one that feeds
    /// the array.
    pub fn in_levels(dataflow: Dataflow, units: [u64; 2], gemm: &Gemm, held: &[Held]) -> Self {
        let axes = dataflow.axes().expect("arrays have axes");
        let steps = Self::steps(dataflow, units, gemm);
        let side_by_side = |dim: Dim, units: u64| Loop::Spatial(dim, gemm.size(dim).min(units));
        let mut tile = held.last().map_or(steps, |innermost| innermost.tile);
        let folds = |dim: Dim| Loop::For(dim, tile[dim as usize]);
        let feeding = vec![
            folds(axes.columns),
            folds(axes.rows),
            side_by_side(axes.rows, units[0]),
            side_by_side(axes.columns, units[1]),
        ];
        let stream = vec![Loop::For(Dim::T, gemm.t), folds(axes.stream)];
        // Loops over the tiles of a level are those of the level around it.
        let mut loops = vec![stream, feeding];
        for (number, level) in held.iter().enumerate().rev() {
            let around = if number > 0 { held[number - 1].tile } else { steps };
            let mut around_it = Vec::new();
            for &dim in level.order {
                let tiles = around[dim as usize].div_ceil(tile[dim as usize]).max(1);
                tile[dim as usize] *= tiles;
                around_it.push(Loop::For(dim, tiles));
            }
            loops.push(around_it);
        }
        let in_array = [axes.stationary];
        let names = std::iter::once(("dram", &Matrix::ALL[..]));
        let names = names.chain(held.iter().map(|level| (level.name, level.keeps)));
        let names = names.chain(std::iter::once(("array", &in_array[..])));
        let level = |((name, keeps), loops): ((&str, &[Matrix]), Vec<Loop>)| {
            let loops = loops.into_iter().filter(|l| l.extent() > 1).collect();
            Level { name: name.to_owned(), keeps: keeps.to_vec(), loops }
        };
        Self { levels: names.zip(loops.into_iter().rev()).map(level).collect() }
    }

    /// Numbers of the levels between the one off chip and the array.
    pub fn on_chip(&self) -> Range<usize> {
        1..self.levels.len().saturating_sub(1)
    }

    /// Numbers of the levels that keep `matrix`, outermost first.
    pub fn homes(&self, matrix: Matrix) -> impl DoubleEndedIterator<Item = usize> + '_ {
        (0..self.levels.len()).filter(move |&level| self.levels[level].keeps.contains(&matrix))
    }

    /// Parses and checks a nest for `gemm`; `path` is for messages.
    ///
    /// # Errors
    /// Position or field of the first thing that is wrong.
    pub fn parse(text: &str, path: &str, gemm: &Gemm) -> Result<Self> {
        let nest: Self = parse_ron(text, path)?;
        nest.check(gemm).map_err(|fault| fault.at(path))?;
        Ok(nest)
    }

    /// All loops from the outermost to the innermost, each with the number of its level.
    pub fn loops(&self) -> impl DoubleEndedIterator<Item = (usize, Loop)> {
        let levels = self.levels.iter().enumerate();
        levels.flat_map(|(i, level)| level.loops.iter().map(move |&l| (i, l)))
    }

    /// Number of the level that feeds the array with `matrix`; the outermost one where no level on chip keeps it.
    pub fn feeds(&self, matrix: Matrix) -> usize {
        self.homes(matrix).rfind(|level| self.on_chip().contains(level)).unwrap_or(0)
    }

    /// True if sums that leave level number `level` lack nothing of `k` products.
    pub(crate) fn sums_are_complete(&self, level: usize, k: u64) -> bool {
        let inside = self.loops().filter(|(l, inner)| *l >= level && inner.dim() == Dim::K);
        inside.map(|(_, inner)| inner.extent()).product::<u64>() >= k
    }

    /// Elements of `matrix` in the largest tile that level number `level` holds.
    pub fn tile(&self, level: usize, matrix: Matrix, gemm: &Gemm) -> u64 {
        let extent = |dim: Dim| {
            let inside = self.loops().filter(|(l, inner)| *l >= level && inner.dim() == dim);
            inside.map(|(_, inner)| inner.extent()).product::<u64>().min(gemm.size(dim))
        };
        Dim::ALL.into_iter().filter(|&d| matrix.depends_on(d)).map(extent).product()
    }

    /// Whether every element of `gemm` is met exactly once, and every matrix has a home; otherwise what
    /// is wrong.
    pub fn check(&self, gemm: &Gemm) -> Result<(), Fault> {
        let wrong = |field: &str, message: String| Err(Fault::new(field.to_owned(), message));
        if self.levels.is_empty() || self.levels.len() > MAX_LEVELS || self.loops().count() > MAX_LOOPS {
            return wrong("levels", format!("expected 1 to {MAX_LEVELS}, and at most {MAX_LOOPS} loops"));
        }
        for (i, level) in self.levels.iter().enumerate() {
            let name = &level.name;
            if self.levels[..i].iter().any(|other| other.name == *name) {
                return wrong("levels: name", format!("{name:?} is given twice"));
            }
            if let Some(zero) = level.loops.iter().find(|l| l.extent() == 0) {
                return wrong(&format!("levels: {name}: loops"), format!("{zero:?} never runs"));
            }
            let twice = |m: &&Matrix| level.keeps.iter().filter(|other| other == m).count() > 1;
            if let Some(matrix) = level.keeps.iter().find(twice) {
                return wrong(&format!("levels: {name}: keeps"), format!("{matrix:?} twice"));
            }
        }
        Matrix::ALL.into_iter().try_for_each(|matrix| self.check_home(matrix, gemm))?;
        Dim::ALL.into_iter().try_for_each(|dim| self.check_cover(dim, gemm.size(dim)))
    }

    /// The outermost level keeps `matrix`, or the first one that does holds all of it: what stays there from before.
    fn check_home(&self, matrix: Matrix, gemm: &Gemm) -> Result<(), Fault> {
        let outermost = &self.levels[0].name;
        let Some(home) = self.homes(matrix).next() else {
            let field = format!("levels: {outermost}: keeps");
            return Err(Fault::new(field, format!("{matrix:?} have no home")));
        };
        let (tile, all) = (self.tile(home, matrix, gemm), gemm.elements(matrix));
        if home == 0 || tile == all {
            return Ok(());
        }
        let field = format!("levels: {}: keeps", self.levels[home].name);
        let message = format!(
            "{matrix:?} are not in {outermost}, so all {all} of them stay here, and a tile is {tile}"
        );
        Err(Fault::new(field, message))
    }

    fn check_cover(&self, dim: Dim, size: u64) -> Result<(), Fault> {
        let mut tile = 1u64;
        for (level, inner) in self.loops().collect::<Vec<_>>().into_iter().rev() {
            if inner.dim() != dim {
                continue;
            }
            let enough = size.div_ceil(tile);
            if inner.extent() > enough {
                let field = format!("levels: {}: loops", self.levels[level].name);
                let message = format!("{inner:?}: {enough} tiles of {tile} cover {dim:?} = {size}");
                return Err(Fault::new(field, message));
            }
            tile = tile.saturating_mul(inner.extent());
        }
        if tile >= size {
            Ok(())
        } else {
            let message =
                format!("the loops over {dim:?} reach {tile}, and the product has {dim:?} = {size}");
            Err(Fault::new("levels: loops", message))
        }
    }
}

/// A loop per line, indented, each level with what it keeps.
impl fmt::Display for Nest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut depth = 0;
        for level in &self.levels {
            let keeps: Vec<String> = level.keeps.iter().map(|m| format!("{m:?}").to_lowercase()).collect();
            let keeps = if keeps.is_empty() { "nothing".to_owned() } else { keeps.join(", ") };
            writeln!(f, "{:12}| keeps {keeps}", level.name)?;
            for inner in &level.loops {
                let how = if inner.is_spatial() { "side by side" } else { "for" };
                let dim = format!("{:?}", inner.dim()).to_lowercase();
                writeln!(f, "{:12}| {:indent$}{how} {dim} in 0..{}", "", "", inner.extent(), indent = depth)?;
                depth += 2;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_stationary_nest_as_text() {
        let gemm = Gemm::new(64, 40, 32);
        let nest = Nest::systolic(Dataflow::WeightStationary, [16, 32], &gemm);
        nest.check(&gemm).unwrap();
        let expected = "\
dram        | keeps inputs, weights, outputs
sram        | keeps inputs, weights, outputs
            | for n in 0..2
            |   for k in 0..2
            |     side by side k in 0..16
            |       side by side n in 0..32
array       | keeps weights
            |         for m in 0..64
";
        assert_eq!(nest.to_string(), expected);
        assert_eq!(Matrix::ALL.map(|m| nest.tile(1, m, &gemm)), [64 * 32, 32 * 40, 64 * 40]);
        assert_eq!(Matrix::ALL.map(|m| nest.tile(2, m, &gemm)), [64, 1, 64]);
    }

    #[test]
    fn files_are_refused_with_the_field() {
        let gemm = Gemm::new(16, 32, 32);
        let with = |loops: &str, keeps: &str| {
            let text = format!(
                "Mapping(levels: [(name: \"dram\", keeps: [{keeps}]), \
                 (name: \"array\", keeps: [Weights], loops: [{loops}])])"
            );
            Nest::parse(&text, "m.ron", &gemm).map_or_else(|e| e.to_string(), |_| "fine".into())
        };
        let all = "Inputs, Weights, Outputs";
        assert_eq!(with("For(N, 32), For(K, 32), For(M, 16)", all), "fine");
        // 5 tiles of 7 cover 32: the last has 4.
        assert_eq!(with("For(N, 5), For(K, 32), For(M, 16), Spatial(N, 7)", all), "fine");
        assert_eq!(
            with("For(N, 6), For(K, 32), For(M, 16), Spatial(N, 7)", all),
            "m.ron: levels: array: loops: For(N, 6): 5 tiles of 7 cover N = 32"
        );
        assert_eq!(
            with("For(N, 32), For(K, 8), For(M, 16)", all),
            "m.ron: levels: loops: the loops over K reach 8, and the product has K = 32"
        );
        assert_eq!(with("For(N, 0)", all), "m.ron: levels: array: loops: For(N, 0) never runs");
        // Weights are in the array from before, all of them; sums are nowhere.
        assert_eq!(with("For(N, 32), For(K, 32), For(M, 16)", "Inputs, Outputs"), "fine");
        assert_eq!(
            with("For(N, 32), For(K, 32), For(M, 16)", "Inputs"),
            "m.ron: levels: dram: keeps: Outputs have no home"
        );
        assert!(with("For(L, 2)", all).starts_with("m.ron:1:"));
    }
}

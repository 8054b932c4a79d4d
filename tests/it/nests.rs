//! Access counts of random loop nests against a walk through every step of their loops.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use spiq::cost::{Accesses, ArrayTiming, Convention, GemmOperands, accesses, gemm_cost};
use spiq::hw::Edges;
use spiq::map::{Dataflow, Dim, Gemm, Level, Loop, Matrix, Nest};

/// A tile: per dimension that the matrix depends on, the first element and the one behind the last.
type Tile = Vec<(u64, u64)>;

/// A matrix, the level that holds a tile of it, and the instance of that level.
type Holder = (usize, usize, Vec<u64>);

/// Counts by walking: every level sends, takes and remembers tiles as the loops reach them.
struct Walk<'a> {
    nest: &'a Nest,
    gemm: &'a Gemm,
    loops: Vec<(usize, Loop)>,
    counts: Vec<[Accesses; 3]>,
    steps: u64,
    /// Per matrix, child level and instance of it, the tile that it holds, and where the loops that lead
    /// to another one stood when it came.
    held: HashMap<Holder, (Tile, Vec<u64>)>,
    /// Sums that an instance of a level has seen, element by element.
    seen: HashSet<(usize, Vec<u64>, Tile)>,
}

impl<'a> Walk<'a> {
    fn new(nest: &'a Nest, gemm: &'a Gemm) -> Self {
        let counts = vec![[Accesses::default(); 3]; nest.levels.len()];
        let (held, seen) = (HashMap::new(), HashSet::new());
        Self { nest, gemm, loops: nest.loops().collect(), counts, steps: 0, held, seen }
    }

    /// Runs the loops one after the other; `at` are the indices of the ones that are not spatial.
    fn run(mut self) -> Self {
        let temporal: Vec<u64> =
            self.loops.iter().map(|(_, l)| if l.is_spatial() { 1 } else { l.extent() }).collect();
        let total: u64 = temporal.iter().product();
        for number in 0..total {
            let mut rest = number;
            let mut at = vec![0; temporal.len()];
            for (i, extent) in temporal.iter().enumerate().rev() {
                (at[i], rest) = (rest % extent, rest / extent);
            }
            self.step(&at);
        }
        // What is still held moves up at the end.
        let left: Vec<_> = self.held.drain().collect();
        for ((matrix, child, place), (tile, _)) in left {
            if matrix == Matrix::Outputs as usize {
                self.send_up(child, &place, &tile);
            }
        }
        self
    }

    /// Instances of everything below the loops before `end`: indices of all loops, the spatial ones in
    /// all ways.
    fn instances(&self, at: &[u64], end: usize) -> Vec<Vec<u64>> {
        let mut all = vec![Vec::new()];
        for (i, (_, l)) in self.loops[..end].iter().enumerate() {
            let choices: Vec<u64> = if l.is_spatial() { (0..l.extent()).collect() } else { vec![at[i]] };
            all = all.iter().flat_map(|p| choices.iter().map(|&c| [&p[..], &[c]].concat())).collect();
        }
        all
    }

    /// Elements of `dim` behind the first `indices.len()` loops.
    fn range(&self, dim: Dim, indices: &[u64]) -> (u64, u64) {
        let (mut start, mut end) = (0, self.gemm.size(dim));
        for (i, &index) in indices.iter().enumerate() {
            if self.loops[i].1.dim() != dim {
                continue;
            }
            let inner = self.loops[i + 1..].iter().filter(|(_, l)| l.dim() == dim);
            let tile: u64 = inner.map(|(_, l)| l.extent()).product();
            start += index * tile;
            end = end.min(start + tile);
        }
        (start, end)
    }

    fn tile(&self, matrix: Matrix, indices: &[u64]) -> Option<Tile> {
        let exists = Dim::ALL.iter().all(|&d| self.range(d, indices).0 < self.range(d, indices).1);
        let dims = Dim::ALL.into_iter().filter(|&d| matrix.depends_on(d));
        exists.then(|| dims.map(|d| self.range(d, indices)).collect())
    }

    /// Indices of the spatial loops before those of level number `level`: one of its instances.
    fn place(&self, level: usize, indices: &[u64]) -> Vec<u64> {
        let mine = self.loops.iter().zip(indices).filter(|((l, inner), _)| *l < level && inner.is_spatial());
        mine.map(|(_, &i)| i).collect()
    }

    fn step(&mut self, at: &[u64]) {
        let end = self.loops.len();
        let works: Vec<Vec<u64>> =
            self.instances(at, end).into_iter().filter(|i| self.tile(Matrix::Inputs, i).is_some()).collect();
        self.steps += u64::from(!works.is_empty());
        for matrix in Matrix::ALL {
            let homes: Vec<usize> = (0..self.nest.levels.len())
                .filter(|&l| self.nest.levels[l].keeps.contains(&matrix))
                .collect();
            for (i, &parent) in homes.iter().enumerate() {
                match homes.get(i + 1) {
                    Some(&child) => self.pass(at, matrix, parent, child),
                    None => self.multiply(&works, matrix, parent),
                }
            }
        }
    }

    /// Tiles that change between two levels.
    fn pass(&mut self, at: &[u64], matrix: Matrix, parent: usize, child: usize) {
        let end = self.loops.iter().take_while(|(level, _)| *level < child).count();
        // What the instances of a parent take at once is read once, or is one sum.
        let mut groups: HashMap<(Vec<u64>, Tile), u64> = HashMap::new();
        let leads = |i: &usize| !self.loops[*i].1.is_spatial() && matrix.depends_on(self.loops[*i].1.dim());
        let stand: Vec<u64> = (0..end).filter(leads).map(|i| at[i]).collect();
        for indices in self.instances(at, end) {
            let tile = self.tile(matrix, &indices);
            let (place, above) = (self.place(child, &indices), self.place(parent, &indices));
            let key = (matrix as usize, child, place.clone());
            // Without work, an instance gives its tile away when the others get another one.
            let stays =
                |(held, stood): &(Tile, Vec<u64>)| tile.as_ref().map_or(*stood == stand, |t| t == held);
            if self.held.get(&key).is_some_and(stays) {
                continue;
            }
            if let Some((held, _)) = self.held.remove(&key)
                && matrix == Matrix::Outputs
            {
                self.send_up(child, &place, &held);
            }
            let Some(tile) = tile else { continue };
            self.held.insert(key, (tile.clone(), stand.clone()));
            *groups.entry((above, tile)).or_default() += 1;
        }
        for ((above, tile), instances) in groups {
            let elements: u64 = tile.iter().map(|(a, b)| b - a).product();
            if matrix == Matrix::Outputs {
                // Sums come back to one of the instances that add to them.
                let back = if self.seen.contains(&(parent, above, tile)) { elements } else { 0 };
                self.counts[parent][matrix as usize].reads += back;
                self.counts[child][matrix as usize].fills += back;
            } else {
                self.counts[parent][matrix as usize].reads += elements;
                self.counts[child][matrix as usize].fills += elements * instances;
            }
        }
    }

    /// Sums of one instance of `child` leave it. Instances of one parent that hold the same sums add them
    /// on the way, so the first of them writes for all.
    fn send_up(&mut self, child: usize, place: &[u64], tile: &Tile) {
        let matrix = Matrix::Outputs as usize;
        let parent =
            (0..child).rev().find(|&l| self.nest.levels[l].keeps.contains(&Matrix::Outputs)).unwrap();
        let above = self.loops.iter().filter(|(l, inner)| *l < parent && inner.is_spatial()).count();
        let elements: u64 = tile.iter().map(|(a, b)| b - a).product();
        self.counts[child][matrix].drains += elements;
        // The loops of this test that stand between them run over K only where they are first: its
        // instance number is the last of the place.
        let first = place[above..]
            .iter()
            .zip(self.spatial_between(parent, child))
            .all(|(&i, dim)| i == 0 || dim != Dim::K);
        if first {
            self.counts[parent][matrix].updates += elements;
            self.seen.insert((parent, place[..above].to_vec(), tile.clone()));
        }
    }

    fn spatial_between(&self, parent: usize, child: usize) -> Vec<Dim> {
        let between = self.loops.iter().filter(|(l, inner)| *l >= parent && *l < child && inner.is_spatial());
        between.map(|(_, l)| l.dim()).collect()
    }

    /// One step of all multipliers that have something to do.
    fn multiply(&mut self, works: &[Vec<u64>], matrix: Matrix, parent: usize) {
        let used: HashSet<(Vec<u64>, Tile)> =
            works.iter().map(|i| (self.place(parent, i), self.tile(matrix, i).unwrap())).collect();
        for (above, tile) in used {
            let counts = &mut self.counts[parent][matrix as usize];
            if matrix == Matrix::Outputs {
                counts.updates += 1;
                counts.reads += u64::from(!self.seen.insert((parent, above, tile)));
            } else {
                counts.reads += 1;
            }
        }
    }
}

/// Loops of one dimension, innermost first, that cover `size` exactly.
fn cover(size: u64, wishes: &[u64]) -> Vec<u64> {
    let mut tile = 1;
    let mut extents = Vec::new();
    for &wish in wishes {
        let enough = size.div_ceil(tile);
        let extent = wish.min(enough).max(1);
        extents.push(extent);
        tile *= extent;
    }
    extents.push(size.div_ceil(tile));
    extents
}

/// Three levels with one or two temporal loops of every dimension at each, in any order, and spatial
/// loops below the second.
fn nest() -> impl Strategy<Value = (Nest, Gemm)> {
    let sizes = (1u64..7, 1u64..7, 1u64..7, 1u64..3);
    let wishes = prop::collection::vec(1u64..4, 12);
    let orders = prop::collection::vec(Just(Dim::ALL.to_vec()).prop_shuffle(), 3);
    let keeps = prop::collection::vec(prop::sample::subsequence(Matrix::ALL.to_vec(), 0..=3), 2);
    (sizes, wishes, orders, keeps).prop_map(|((m, n, k, t), wishes, orders, keeps)| {
        let gemm = Gemm { m, n, k, t };
        // Innermost first: registers, side by side, chip, outside.
        let extents: Vec<Vec<u64>> =
            Dim::ALL.iter().enumerate().map(|(i, &d)| cover(gemm.size(d), &wishes[3 * i..][..3])).collect();
        let temporal = |order: &[Dim], depth: usize| -> Vec<Loop> {
            order.iter().map(|&d| Loop::For(d, extents[d as usize][depth])).collect()
        };
        let spatial = Dim::ALL.iter().map(|&d| Loop::Spatial(d, extents[d as usize][1]));
        let level =
            |name: &str, keeps: &[Matrix], loops| Level { name: name.into(), keeps: keeps.into(), loops };
        let on_chip = temporal(&orders[1], 2).into_iter().chain(spatial).collect();
        let levels = vec![
            level("dram", &Matrix::ALL, temporal(&orders[0], 3)),
            level("sram", &keeps[0], on_chip),
            level("registers", &keeps[1], temporal(&orders[2], 0)),
        ];
        (Nest { levels }, gemm)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_those_of_a_walk((nest, gemm) in nest()) {
        nest.check(&gemm).unwrap();
        let counts = accesses(&nest, &gemm, Convention::default());
        let walk = Walk::new(&nest, &gemm).run();
        prop_assert_eq!(counts.steps, walk.steps);
        for (level, walked) in walk.counts.iter().enumerate() {
            for matrix in Matrix::ALL {
                prop_assert_eq!(
                    counts.of(level, matrix), &walked[matrix as usize], "{} {:?}\n{}", level, matrix, nest
                );
            }
        }
    }

    /// Any nest reads every element, writes and finishes every output once, and a level takes in what it gives away.
    #[test]
    fn nothing_is_lost((nest, gemm) in nest()) {
        let counts = accesses(&nest, &gemm, Convention::default());
        let outside = |m| counts.of(0, m);
        for matrix in [Matrix::Inputs, Matrix::Weights] {
            prop_assert!(outside(matrix).reads >= gemm.elements(matrix));
            prop_assert_eq!(outside(matrix).updates + outside(matrix).fills + outside(matrix).drains, 0);
        }
        let outputs = outside(Matrix::Outputs);
        prop_assert_eq!(outputs.updates - outputs.reads, gemm.elements(Matrix::Outputs));
        for (level, home) in nest.levels.iter().enumerate() {
            for &matrix in &home.keeps {
                let c = counts.of(level, matrix);
                prop_assert!(level == 0 || c.fills + c.updates >= gemm.elements(matrix));
                prop_assert!(level == 0 || c.reads + c.drains >= gemm.elements(matrix));
            }
        }
        for (other, more) in [(Convention::TIMELOOP, false), (Convention::ZIGZAG, true)] {
            let theirs = accesses(&nest, &gemm, other);
            let reads = |c: &spiq::cost::Counts| c.levels.iter().map(|l| l[2].reads).sum::<u64>();
            prop_assert!(reads(&theirs) == reads(&counts) || (more && reads(&theirs) > reads(&counts)));
        }
    }

    /// Parts are not negative, add up to the formulas, and no array is used more than all the time.
    #[test]
    fn arrays_take_the_time_of_their_formulas(
        m in 1u64..200, n in 1u64..200, k in 1u64..200, r in 1u32..40, c in 1u32..40, flow in 0usize..3,
    ) {
        let gemm = Gemm::new(m, n, k);
        let flow = Dataflow::OF_ARRAYS[flow];
        let nest = Nest::systolic(flow, [r, c].map(u64::from), &gemm);
        let operands = GemmOperands::new(gemm, 8, 8);
        let cost = gemm_cost(&operands, &nest, &ArrayTiming::new(r, c), None).unwrap();
        let (rows, columns) = (u64::from(r), u64::from(c));
        let expected = match flow {
            Dataflow::OutputStationary => m.div_ceil(rows) * n.div_ceil(columns) * (rows + columns + k - 2),
            Dataflow::WeightStationary => k.div_ceil(rows) * n.div_ceil(columns) * (2 * rows + columns + m - 2),
            _ => k.div_ceil(rows) * m.div_ceil(columns) * (2 * rows + columns + n - 2),
        };
        prop_assert!((cost.compute_cycles() - expected as f64).abs() < 1e-6 * expected as f64);
        prop_assert!((cost.cycles.total() - expected as f64).abs() < 1e-6 * expected as f64);
        prop_assert!(cost.cycles.parts().iter().all(|&part| part >= -1e-9), "{:?}", cost.cycles);
        prop_assert!(cost.utilisation() <= 1.0);
        // Tile by tile, with the rows and columns that each has.
        let stonne = ArrayTiming { edges: Edges::Actual, overhead_cycles: 3, ..ArrayTiming::new(r, c) };
        let cost = gemm_cost(&operands, &nest, &stonne, None).unwrap();
        let axes = flow.axes().unwrap();
        let tiles = |size: u64, units: u64| (0..size.div_ceil(units)).map(move |i| units.min(size - i * units));
        let passes = if flow == Dataflow::OutputStationary { 1 } else { 2 };
        let (along, across) = (gemm.size(axes.rows), gemm.size(axes.columns));
        let expected: u64 = tiles(along, rows)
            .flat_map(|a| tiles(across, columns).map(move |b| (a, b)))
            .map(|(a, b)| passes * a + b + gemm.size(axes.stream) + 3)
            .sum();
        prop_assert!((cost.compute_cycles() - expected as f64).abs() < 1e-6 * expected as f64);
    }
}

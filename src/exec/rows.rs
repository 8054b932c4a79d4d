//! Rows of weights that the positions of a wave ask for side by side, of which a memory reads those in one cycle whose banks
//! do not meet.

use super::spike_matrix::SpikeMatrix;

/// A wave of positions in front of one memory of weights. Row number r of w words lies in banks r w to r w + w - 1, around
/// all banks. In each cycle every position asks for the row of its next spike; who is asked first moves on by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowShape {
    /// Output positions of a wave, in raster order.
    pub positions: usize,
    /// Banks of the memory, at most 64.
    pub banks: usize,
    /// Words of the widest row: all widths up to it are counted.
    pub most_words: usize,
    /// True if positions that ask for one row read it together.
    pub shares: bool,
}

/// What all waves of a weight layer take, at one width of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowReads {
    /// Cycles until the last position of each wave has its rows.
    pub cycles: u64,
    /// Rows that are read.
    pub reads: u64,
}

impl RowShape {
    /// What the rows of `matrix` take, with rows of 1, 2, 3 ... words. Waves follow each other: for each, its timesteps.
    pub(super) fn count(&self, matrix: &SpikeMatrix) -> Vec<RowReads> {
        let mut ports: Vec<Ports> = (1..=self.most_words).map(|words| Ports::new(*self, words)).collect();
        let mut wave = vec![Vec::new(); self.positions];
        for first in (0..matrix.positions()).step_by(self.positions) {
            for t in 0..matrix.timesteps {
                for (i, rows) in wave.iter_mut().enumerate() {
                    rows.clear();
                    if first + i < matrix.positions() {
                        rows.extend(matrix.active((first + i) * matrix.timesteps + t));
                    }
                }
                ports.iter_mut().for_each(|ports| ports.read(&wave));
            }
        }
        ports.into_iter().map(|ports| ports.total).collect()
    }
}

/// The memory with rows of one width.
struct Ports {
    shape: RowShape,
    words: usize,
    /// Who is asked first.
    turn: usize,
    total: RowReads,
    /// How many rows of the wave each position has.
    done: Vec<usize>,
    /// Rows that are read in this cycle.
    read: Vec<usize>,
}

impl Ports {
    fn new(shape: RowShape, words: usize) -> Self {
        let (done, read) = (vec![0; shape.positions], Vec::with_capacity(shape.positions));
        Self { shape, words: words.min(shape.banks), turn: 0, total: RowReads::default(), done, read }
    }

    /// Reads the rows of one wave, position by position.
    fn read(&mut self, wave: &[Vec<usize>]) {
        self.done.fill(0);
        while self.done.iter().zip(wave).any(|(&done, rows)| done < rows.len()) {
            self.cycle(wave);
            self.total.cycles += 1;
            self.turn = (self.turn + 1) % self.shape.positions;
        }
    }

    fn cycle(&mut self, wave: &[Vec<usize>]) {
        self.read.clear();
        let mut taken = 0;
        for position in (self.turn..self.shape.positions).chain(0..self.turn) {
            let Some(&row) = wave[position].get(self.done[position]) else { continue };
            if !(self.shape.shares && self.read.contains(&row)) {
                let banks = self.banks_of(row);
                if banks & taken != 0 {
                    continue;
                }
                taken |= banks;
                self.read.push(row);
            }
            self.done[position] += 1;
        }
        self.total.reads += self.read.len() as u64;
    }

    /// A bit for each bank that `row` lies in.
    fn banks_of(&self, row: usize) -> u64 {
        let banks = self.shape.banks;
        let side_by_side = ((1_u128 << self.words) - 1) << (row * self.words % banks);
        let all = u64::MAX >> (64 - banks);
        (side_by_side | side_by_side >> banks) as u64 & all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ports(words: usize, shares: bool) -> Ports {
        Ports::new(RowShape { positions: 2, banks: 4, most_words: 4, shares }, words)
    }

    #[test]
    fn rows_lie_around_the_banks() {
        let banks = |words: usize| (0..5).map(|row| ports(words, true).banks_of(row)).collect::<Vec<_>>();
        assert_eq!(banks(1), [0b0001, 0b0010, 0b0100, 0b1000, 0b0001]);
        assert_eq!(banks(2), [0b0011, 0b1100, 0b0011, 0b1100, 0b0011]);
        // Three words of four banks: the second row begins in the last of them.
        assert_eq!(banks(3), [0b0111, 0b1011, 0b1101, 0b1110, 0b0111]);
        assert_eq!(banks(4), [0b1111; 5]);
    }

    /// Two positions: rows 0, 1, 4 and rows 0, 2, 3.
    #[test]
    fn a_wave_by_hand() {
        let read = |words, shares| {
            let mut ports = ports(words, shares);
            ports.read(&[vec![0, 1, 4], vec![0, 2, 3]]);
            [ports.total.cycles, ports.total.reads]
        };
        // One word: row 0 together; 1 and 2; 4 and 3.
        assert_eq!(read(1, true), [3, 5]);
        // Row 0 twice: the first position 0; then it is the second one's turn: 0 beside 1; 4 and 2 in banks 0 and 2; 3.
        assert_eq!(read(1, false), [4, 6]);
        // Two words: row 0 together; 2 and 1 in different halves; 4 and 3.
        assert_eq!(read(2, true), [3, 5]);
        // All banks: one row a cycle, and only row 0 together.
        assert_eq!(read(4, true), [5, 5]);
        assert_eq!(read(4, false), [6, 6]);
    }

    proptest! {
        #[test]
        fn waits_lie_between_no_conflict_and_no_overlap(
            seed: u64, rate in 0.0..0.6f64, positions in 1usize..6, banks in 1usize..65, shares: bool,
        ) {
            let matrix = SpikeMatrix::drawn(11, 2, 70, rate, seed);
            let shape = RowShape { positions, banks, most_words: 8, shares };
            let spikes: u64 = matrix.row_spikes().map(u64::from).sum();
            let blocks = (0..11usize).step_by(positions).flat_map(|first| (0..2).map(move |t| (first, t)));
            let busiest: u64 = blocks
                .map(|(first, t)| {
                    let inside = first..(first + positions).min(11);
                    u64::from(inside.map(|position| matrix.spikes_of(2 * position + t)).max().unwrap())
                })
                .sum();
            for RowReads { cycles, reads } in shape.count(&matrix) {
                prop_assert!(busiest <= cycles && cycles <= reads.max(busiest));
                prop_assert!(reads <= spikes && (shares || reads == spikes));
            }
            let alone = RowShape { positions: 1, ..shape };
            let counted = RowReads { cycles: spikes, reads: spikes };
            prop_assert!(alone.count(&matrix).into_iter().all(|reads| reads == counted));
        }
    }
}

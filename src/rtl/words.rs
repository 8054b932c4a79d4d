//! Bits in the words of a memory, in the order of `$readmemh`.

use std::fmt::Write;

/// Words of a memory, word 0 first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    bits: usize,
    words: Vec<u64>,
}

impl Words {
    /// None yet, of `bits` bits each, 64 at the most.
    pub fn new(bits: usize) -> Self {
        Self { bits, words: Vec::new() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Lengthens the memory to `len` words; new ones are zeros.
    pub fn grow(&mut self, len: usize) {
        self.words.resize(self.words.len().max(len), 0);
    }

    /// Puts the low `width` bits of `value` at bit number `at`, counted over all words.
    pub fn put(&mut self, at: usize, width: usize, value: i64) {
        self.grow((at + width).div_ceil(self.bits));
        for bit in (0..width).filter(|bit| value >> bit & 1 != 0) {
            self.words[(at + bit) / self.bits] |= 1 << ((at + bit) % self.bits);
        }
    }

    /// One word per line.
    pub fn mem(&self) -> String {
        let digits = self.bits.div_ceil(4);
        self.words.iter().fold(String::new(), |mut text, word| {
            let _ = writeln!(text, "{word:0digits$x}");
            text
        })
    }
}

/// Values of `bits` bits side by side in one line, the first one in the lowest bits, which a whole number of digits holds.
pub fn row(values: impl DoubleEndedIterator<Item = i64>, bits: u32) -> String {
    let (digits, mask) = (bits as usize / 4, u64::MAX >> (64 - bits));
    values.rev().map(|value| format!("{:0digits$x}", value as u64 & mask)).collect::<String>() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_fill_words_from_the_lowest() {
        let mut words = Words::new(8);
        words.put(0, 3, -1);
        words.put(6, 4, 0b0101);
        assert_eq!(words.mem(), "47\n01\n");
        words.grow(3);
        assert_eq!((words.len(), words.mem().as_str()), (3, "47\n01\n00\n"));
        assert_eq!(row([1_i64, -2].into_iter(), 8), "fe01\n");
    }
}

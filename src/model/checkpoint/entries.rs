//! What the reader of either format hands over, and how messages show the names in it.

use std::collections::{BTreeMap, BTreeSet};

use super::stored::StoredTensor;

/// What a file holds under the names of one state dict.
#[derive(Debug, Default)]
pub struct Entries<'a> {
    /// Tensors by name.
    pub tensors: BTreeMap<String, StoredTensor<'a>>,
    /// Names of what is no tensor.
    pub others: BTreeSet<String>,
    /// What was read of several state dicts, and what was not.
    pub notes: Vec<String>,
}

/// `name`, which a file made up, as a message shows it: without control characters, and not too long.
pub fn shown(name: &str) -> String {
    const LENGTH: usize = 200;
    name.escape_debug().take(LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_on_one_line() {
        assert_eq!(shown("a\n\u{1b}[2Jb"), r"a\n\u{1b}[2Jb");
        assert_eq!(shown(&"x".repeat(1000)).len(), 200);
    }
}

//! The places of the values in a RON or JSON text, so that one of them can be replaced and the rest stays as it was
//! written, remarks included. Types are none of its business: whoever reads the text checks them.
//!
//! ```
//! use spiq::ron_tree::Tree;
//!
//! let text = "Memory(banks: 4, name: \"weights\")";
//! let tree = Tree::parse(text).expect("one value");
//! assert_eq!(tree.name(), Some("Memory"));
//! assert_eq!(tree.field("name").map(|name| name.spelled(text)), Some("weights"));
//! ```

use std::ops::Range;

/// Brackets inside each other; a text with more is none.
const MAX_DEPTH: usize = 100;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Bytes of the value in the text, its name and brackets included.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// What a [`Tree`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A number, a word or a quoted text.
    Leaf,
    /// What brackets hold: a struct, a variant of an enum, a list, a tuple or a map.
    Branch {
        /// The word before the bracket.
        name: Option<String>,
        /// What is inside.
        items: Vec<Item>,
    },
}

/// An item inside brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What stands before the colon, where there is one, without quotes.
    pub key: Option<String>,
    /// The value.
    pub value: Tree,
}

impl Tree {
    /// The one value that `text` is; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { text, at: 0, depth: 0 };
        let tree = reader.value()?;
        reader.skip_blanks()?;
        (reader.at == text.len()).then_some(tree)
    }

    /// What is inside its brackets; nothing of a leaf.
    pub fn items(&self) -> &[Item] {
        match &self.kind {
            Kind::Leaf => &[],
            Kind::Branch { items, .. } => items,
        }
    }

    /// The word before its bracket.
    pub fn name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Branch { name, .. } => name.as_deref(),
            Kind::Leaf => None,
        }
    }

    /// The value of its field `key`.
    pub fn field(&self, key: &str) -> Option<&Self> {
        self.items().iter().find(|item| item.key.as_deref() == Some(key)).map(|item| &item.value)
    }

    /// How `text`, which it is of, spells it; without the quotes of a quoted text.
    pub fn spelled<'a>(&self, text: &'a str) -> &'a str {
        let spelled = &text[self.span.clone()];
        let inside = spelled.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        inside.unwrap_or(spelled)
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn next(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Blanks and remarks; a remark inside a remark has an end of its own.
    fn skip_blanks(&mut self) -> Option<()> {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            if self.rest().starts_with("//") {
                self.at += self.rest().find('\n').unwrap_or(self.rest().len());
            } else if self.rest().starts_with("/*") {
                self.skip_remark()?;
            } else {
                return Some(());
            }
        }
    }

    fn skip_remark(&mut self) -> Option<()> {
        let mut open = 0;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") || rest.starts_with("*/") {
                open = if rest.starts_with('/') { open + 1 } else { open - 1 };
                self.at += 2;
                if open == 0 {
                    return Some(());
                }
            } else {
                self.at += self.next()?.len_utf8();
            }
        }
    }

    fn value(&mut self) -> Option<Tree> {
        self.skip_blanks()?;
        let start = self.at;
        match self.next()? {
            '(' | '[' | '{' => return self.branch(start, None),
            '"' => self.quoted('"')?,
            '\'' => self.quoted('\'')?,
            'r' if self.rest()[1..].trim_start_matches('#').starts_with('"') => self.raw()?,
            _ => {
                let is_end = |c: char| c.is_whitespace() || "()[]{},:\"'".contains(c);
                let length = self.rest().find(is_end).unwrap_or(self.rest().len());
                let length = self.rest()[..length].find("//").unwrap_or(length);
                if length == 0 {
                    return None;
                }
                self.at += length;
                let end = self.at;
                self.skip_blanks()?;
                if self.next() == Some('(') {
                    let name = self.text[start..end].to_owned();
                    return self.branch(start, Some(name));
                }
                self.at = end;
            }
        }
        Some(Tree { span: start..self.at, kind: Kind::Leaf })
    }

    fn quoted(&mut self, quote: char) -> Option<()> {
        self.at += 1;
        loop {
            let c = self.next()?;
            self.at += c.len_utf8();
            if c == '\\' {
                self.at += self.next()?.len_utf8();
            } else if c == quote {
                return Some(());
            }
        }
    }

    fn raw(&mut self) -> Option<()> {
        let hashes = self.rest()[1..].find('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let start = 2 + hashes;
        self.at += start + self.rest()[start..].find(&end)? + end.len();
        Some(())
    }

    fn branch(&mut self, start: usize, name: Option<String>) -> Option<Tree> {
        let close = match self.next()? {
            '(' => ')',
            '[' => ']',
            _ => '}',
        };
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.skip_blanks()?;
            if self.next()? == close {
                self.at += 1;
                self.depth -= 1;
                return Some(Tree { span: start..self.at, kind: Kind::Branch { name, items } });
            }
            items.push(self.item()?);
            self.skip_blanks()?;
            match self.next()? {
                ',' => self.at += 1,
                c if c == close => {}
                _ => return None,
            }
        }
    }

    fn item(&mut self) -> Option<Item> {
        let value = self.value()?;
        self.skip_blanks()?;
        if self.next() != Some(':') {
            return Some(Item { key: None, value });
        }
        self.at += 1;
        let key = Some(value.spelled(self.text).to_owned());
        Some(Item { key, value: self.value()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "// A machine.\nHardware( /* one /* two */ */ name: \"a (b\", clock: (value: 4e8, source: r#\"x \"y\"\"#),\n  \
         units: [Lanes(lanes: [(Rows, 4), (Columns, 8),]), 'c', Dense], // end )\n)\n";

    #[test]
    fn values_stand_where_they_stand() {
        let tree = Tree::parse(TEXT).unwrap();
        assert_eq!(tree.name(), Some("Hardware"));
        let spelled = |tree: &Tree| tree.spelled(TEXT).to_owned();
        assert_eq!(spelled(tree.field("name").unwrap()), "a (b");
        let clock = tree.field("clock").unwrap();
        assert_eq!(spelled(clock.field("value").unwrap()), "4e8");
        assert_eq!(spelled(clock.field("source").unwrap()), "r#\"x \"y\"\"#");
        let units = tree.field("units").unwrap().items();
        assert_eq!(units.iter().map(|unit| spelled(&unit.value)).collect::<Vec<_>>()[1..], ["'c'", "Dense"]);
        let lanes = units[0].value.field("lanes").unwrap();
        assert_eq!(spelled(&lanes.items()[1].value.items()[1].value), "8");
        assert_eq!(tree.field("speed"), None);
    }

    #[test]
    fn json_has_keys_in_quotes() {
        let text = " {\"units\": [{\"Lanes\": {\"n\": -1.5e3}}], \"s\": \"a\\\"}\"} ";
        let tree = Tree::parse(text).unwrap();
        let lanes = tree.field("units").unwrap().items()[0].value.field("Lanes").unwrap();
        assert_eq!(lanes.field("n").unwrap().spelled(text), "-1.5e3");
    }

    #[test]
    fn what_is_no_single_value_is_none() {
        let deep = "[".repeat(5000);
        for text in ["", "(", "(a: 1))", "1, 2", "(a: 1 b: 2)", "\"", "/* (", "[,]", "(a:)", "r#\"x\"", &deep]
        {
            assert_eq!(Tree::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[ a-c:,()\\[\\]{}\"'/*#r\\\\é\n]{0,40}") {
            if let Some(tree) = Tree::parse(&text) {
                prop_assert!(text.get(tree.span).is_some());
            }
        }
    }
}

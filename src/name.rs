//! Names, checked once where a file is parsed, and text that a terminal may show.
//!
//! A *title* is what reports call a model, a setting, a machine or a memory: one printable line. A *plain*
//! name belongs to a layer: it becomes the name of a file, on any file system.
//!
//! ```
//! use spiq::name::{matches, nearest};
//!
//! assert!(matches("block.*.mlp", "block.1.mlp"));
//! assert!(nearest("w3-calibratd", &["mixed", "w3-calibrated"]).starts_with("w3-calibrated"));
//! ```

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error};

/// Most characters of a name.
pub(crate) const MAX_CHARACTERS: usize = 128;
/// Characters of a name that a message shows.
const SHOWN: usize = 40;

/// Says what is wrong with a title, if anything: it is a printable line of 1 to [`MAX_CHARACTERS`] characters,
/// without blanks around it.
pub(crate) fn check_title(name: &str) -> Result<(), String> {
    check_length(name)?;
    if name != name.trim() || name.chars().any(|c| !is_printable(c)) {
        return Err(format!("{} has blanks around it, or characters that cannot be printed", quoted(name)));
    }
    Ok(())
}

/// Says what is wrong with the name of a layer, if anything: a letter, a digit or `_`, then any of these, `.`
/// and `-`, but for a `.` at the end; ASCII, at most 128 characters.
pub fn check_plain(name: &str) -> Result<(), String> {
    check_length(name)?;
    if is_plain(name) {
        Ok(())
    } else {
        Err(format!(
            "{} is not made of letters, digits, `_`, `.` and `-`, the first no `.` or `-`, the last no `.`",
            quoted(name)
        ))
    }
}

/// True for what [`check_plain`] accepts, however long it is.
pub(crate) fn is_plain(name: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    name.chars().all(inside) && !name.is_empty() && !name.starts_with(['.', '-']) && !name.ends_with('.')
}

fn check_length(name: &str) -> Result<(), String> {
    match name.chars().count() {
        0 => Err("\"\" is empty".to_owned()),
        1..=MAX_CHARACTERS => Ok(()),
        count => {
            Err(format!("{} has {count} characters, at most {MAX_CHARACTERS} are allowed", quoted(name)))
        }
    }
}

fn quoted(name: &str) -> String {
    format!("{:?}", shortened(name, SHOWN))
}

/// Reads a title, for `#[serde(deserialize_with)]`.
///
/// # Errors
/// What [`check_title`] says.
pub(crate) fn title<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(String::deserialize(deserializer)?, check_title)
}

/// Reads the name of a layer, for `#[serde(deserialize_with)]`.
///
/// # Errors
/// What [`check_plain`] says.
pub(crate) fn plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(String::deserialize(deserializer)?, check_plain)
}

/// Reads a list of [`plain`] names.
///
/// # Errors
/// What [`check_plain`] says of the first that is none.
pub(crate) fn plain_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Vec::deserialize(deserializer)?.into_iter().map(|name| checked(name, check_plain)).collect()
}

/// Reads a [`plain`] name that may be left out.
///
/// # Errors
/// What [`check_plain`] says.
pub(crate) fn plain_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)?.map(|name| checked(name, check_plain)).transpose()
}

fn checked<E: Error>(name: String, check: fn(&str) -> Result<(), String>) -> Result<String, E> {
    match check(&name) {
        Ok(()) => Ok(name),
        Err(message) => Err(E::custom(format!("name: {message}"))),
    }
}

/// True for what a terminal shows as it is: no control character, no mark that turns the direction of text, no
/// blank but the space.
pub(crate) fn is_printable(c: char) -> bool {
    // A mark that combines with the letter before it is printable behind one.
    let mut text = [b'a', 0, 0, 0, 0];
    let length = 1 + c.encode_utf8(&mut text[1..]).len();
    let text = std::str::from_utf8(&text[..length]).expect("two characters");
    matches!(c, '"' | '\'' | '\\') || text.escape_debug().count() == 2
}

/// Text whose characters that cannot be printed are escaped as Rust does, such as `\u{1b}` and `\n`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| !is_printable(*c)) {
            write!(f, "{}{}", &rest[..at], c.escape_debug())?;
            rest = &rest[at + c.len_utf8()..];
        }
        f.write_str(rest)
    }
}

/// `text` without its middle, where it has more than `most` characters.
pub(crate) fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    let count = text.chars().count();
    if count <= most {
        return Cow::Borrowed(text);
    }
    let (head, tail) = (2 * most / 3, most / 3);
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - tail).collect();
    Cow::Owned(format!("{start}…{end}"))
}

/// The first `most` of `names`, and how many more there are.
pub(crate) fn first_of(names: &[impl AsRef<str>], most: usize) -> String {
    let first: Vec<&str> = names.iter().take(most).map(AsRef::as_ref).collect();
    let first = first.join(", ");
    match names.len().saturating_sub(most) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// Names in `known` that are spelled most like `name`: the first few, nearest first.
pub fn nearest(name: &str, known: &[&str]) -> String {
    const NAMED: usize = 5;
    let mut known: Vec<(usize, &str)> = known.iter().map(|other| (edits(name, other), *other)).collect();
    known.sort_unstable();
    known.dedup();
    let names: Vec<&str> = known.into_iter().map(|(_, name)| name).take(NAMED).collect();
    names.join(", ")
}

/// Fewest letters to insert, remove or replace that make `a` of `b` (Levenshtein), case aside.
fn edits(a: &str, b: &str) -> usize {
    let [a, b] = [a, b].map(|text| text.chars().flat_map(char::to_lowercase).collect::<Vec<_>>());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// True if `name` is `pattern`, whose first `*` stands for any characters.
pub fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => name.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
        None => name == pattern,
    }
}

/// A number as shorthands spell it: "+4" and "04" would be further spellings of one setting.
pub fn plain_number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_layers_are_names_of_files_anywhere() {
        for name in ["conv1", "block.0.attn.q_lif", "0", "_", "a-b", "n.membrane", "Q", &"x".repeat(128)] {
            assert_eq!(check_plain(name), Ok(()), "{name}");
        }
        let refused = [
            "",
            ".",
            "..",
            "../x",
            "/x",
            "x/y",
            "x\\y",
            "x.",
            ".x",
            "-x",
            "x y",
            "x\n",
            "x:",
            "é",
            "x\u{202e}",
            "=x",
        ];
        for name in refused.into_iter().map(str::to_owned).chain(["x".repeat(129), "x".repeat(70_000)]) {
            let message = check_plain(&name).unwrap_err();
            assert!(message.len() < 200, "{message}");
        }
    }

    #[test]
    fn titles_are_printable_lines() {
        for name in
            ["edge-28 (224 KiB)", "weight SRAM", "modèle", "cafe\u{301}", "a/b", "\"x\"", "図", "=1+1"]
        {
            assert_eq!(check_title(name), Ok(()), "{name}");
        }
        for name in [
            "",
            " ",
            "a ",
            "\ta",
            "a\nb",
            "\u{1b}[31m",
            "\u{202e}x",
            "a\u{200b}b",
            "\u{9b}",
            &"é".repeat(129),
        ] {
            assert!(check_title(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn what_cannot_be_printed_is_escaped() {
        let shown = |text: &str| Printable(text).to_string();
        assert_eq!(shown("a \"b\\c\" é\u{301} µ"), "a \"b\\c\" é\u{301} µ");
        assert_eq!(shown("\u{1b}[31m\r\n\t\u{7f}\u{9b}"), r"\u{1b}[31m\r\n\t\u{7f}\u{9b}");
        // All that turns the direction of text, or takes no room: Unicode's Bidi_Control, and zero widths.
        for c in
            "\u{61c}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\
                  \u{2067}\u{2068}\u{2069}\u{feff}\u{2028}\u{2029}\u{e0041}\u{ad}"
                .chars()
        {
            assert_eq!(shown(&c.to_string()), c.escape_unicode().to_string());
        }
    }

    #[test]
    fn a_few_names_stand_for_many() {
        assert_eq!(first_of(&["a", "b", "c"], 3), "a, b, c");
        assert_eq!(first_of(&["a", "b", "c", "d", "e"].map(str::to_owned), 3), "a, b, c and 2 more");
        assert_eq!(first_of(&[] as &[&str], 3), "");
    }

    #[test]
    fn the_nearest_names_come_first() {
        assert_eq!([("kitten", "sitting"), ("", "abc"), ("Ab", "aB")].map(|(a, b)| edits(a, b)), [3, 3, 0]);
        assert_eq!(nearest("clokc", &["units", "clock", "name", "clock"]), "clock, name, units");
        assert_eq!(nearest("x", &[]), "");
    }

    #[test]
    fn a_pattern_has_a_start_and_an_end() {
        let name = "block.0.attn_lif";
        assert!(
            ["*", name, "block.*", "*attn_lif", "block.*_lif"].iter().all(|pattern| matches(pattern, name))
        );
        assert!(
            ["", "block.", "*attn", "stem.*_lif", "block.0.attn_*attn_lif"]
                .iter()
                .all(|pattern| !matches(pattern, name))
        );
    }

    #[test]
    fn long_texts_lose_their_middle() {
        assert_eq!(shortened("abcdefghi", 9), "abcdefghi");
        assert_eq!(shortened("abcdefghij", 9), "abcdef…hij");
        assert_eq!(shortened("ééééé", 3), "éé…é");
    }

    proptest! {
        #[test]
        fn any_text_becomes_printable(text in any::<String>()) {
            let shown = Printable(&text).to_string();
            prop_assert!(shown.chars().all(is_printable));
            prop_assert_eq!(Printable(&shown).to_string(), shown);
        }
    }
}

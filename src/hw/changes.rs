//! Fields of a description that are changed by their paths, such as `memories.weight SRAM.capacity_bytes=64KiB`.
//!
//! The text of the description is edited where the field stands, and read again: any field can be reached, and what is
//! charged is a description like any other.

use std::fmt;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::name::{MAX_CHARACTERS, nearest, shortened};
use crate::ron_tree::{Kind, Tree};

/// One field with its new value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Names from the top of the description, with dots between them. An entry of a list goes by its `name`, its kind, the
    /// direction that it is for, its number, or `*` for all entries that have the rest of the path.
    pub path: String,
    /// The value as the description would spell it; text needs no quotes.
    pub value: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.path, self.value)
    }
}

/// Whether `text` is one value and nothing beside it.
fn is_value(text: &str) -> bool {
    Tree::parse(text).is_some_and(|tree| tree.span == (0..text.len()))
}

/// What a path leads to.
enum Place<'a> {
    /// A value.
    There(&'a Tree),
    /// The last value of a struct, which does not give this field.
    Absent(&'a Tree, &'a str),
}

impl Change {
    /// Parses `PATH=VALUE`.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self> {
        let (path, value) = text.split_once('=').unwrap_or_default();
        let (path, value) = (path.trim(), value.trim());
        let is_path = !path.is_empty() && !path.ends_with('.');
        if !is_path || value.is_empty() || !is_value(value) && !is_value(&quoted(value)) {
            let message = format!("{text:?} is no PATH=VALUE, as in clock_hz=500e6");
            return Err(Error::mismatch(message));
        }
        Ok(Self { path: path.to_owned(), value: value.to_owned() })
    }

    /// Takes `BASE+PATH=VALUE+PATH=VALUE` apart; a `+` that no path and `=` follow belongs to what is before it.
    ///
    /// # Errors
    /// If a part is none.
    pub fn split(spec: &str) -> Result<(&str, Vec<Self>)> {
        let is_path = |text: &str| {
            let path = text.split_once('=').map(|(path, _)| path);
            path.is_some_and(|path| {
                path.starts_with(|c: char| c.is_alphabetic() || c == '_') && !path.contains('+')
            })
        };
        let mut cuts: Vec<usize> =
            spec.match_indices('+').map(|(at, _)| at).filter(|at| is_path(&spec[at + 1..])).collect();
        let base = cuts.first().map_or(spec, |&at| &spec[..at]);
        cuts.push(spec.len());
        let changes = cuts.windows(2).map(|ends| Self::parse(&spec[ends[0] + 1..ends[1]]));
        Ok((base, changes.collect::<Result<_>>()?))
    }
}

/// `text`, a description in RON or JSON, with all of `changes`, and a name that tells them. `read` says what is wrong with a
/// description.
///
/// # Errors
/// Names the first change whose path leads nowhere, with the nearest names, or whose value is not what its field takes.
pub fn changed(text: &str, changes: &[Change], read: &dyn Fn(&str) -> Result<()>) -> Result<String> {
    let mut after = text.to_owned();
    for change in changes {
        after = applied(&after, change, read)?;
    }
    let named = named(&after, changes);
    if read(&named).is_err() {
        // Which one it was takes longer to find out.
        let mut before = text.to_owned();
        for change in changes {
            before = applied(&before, change, read)?;
            read(&before).map_err(|error| refusal(change, &of_syntax(&error)))?;
        }
    }
    Ok(named)
}

fn refusal(change: &Change, message: &str) -> Error {
    Error::mismatch(format!("{change}: {message}"))
}

/// What is wrong, without a place in a text that the user did not write.
fn of_syntax(error: &Error) -> String {
    match error {
        Error::Syntax { message, .. } => message.clone(),
        Error::Field { field, message, .. } => format!("{field}: {message}"),
        other => other.to_string(),
    }
}

fn named(text: &str, changes: &[Change]) -> String {
    let Some(tree) = Tree::parse(text) else { return text.to_owned() };
    let Some(name) = tree.field("name") else { return text.to_owned() };
    let changes: String = changes.iter().map(|change| format!("+{change}")).collect();
    let title = format!("{}{changes}", name.spelled(text)).replace(['"', '\\'], "'");
    let title = shortened(&title, MAX_CHARACTERS - 1);
    replaced(text, vec![(name.span.clone(), quoted(&title))])
}

/// `text` with one change.
fn applied(text: &str, change: &Change, read: &dyn Fn(&str) -> Result<()>) -> Result<String> {
    // A text that is no tree is refused by whoever reads it.
    let Some(tree) = Tree::parse(text) else { return read(text).map(|()| text.to_owned()) };
    let places = places(text, &tree, &change.path).map_err(|message| refusal(change, &message))?;
    let mut edits = Vec::new();
    for place in places {
        match place {
            Place::There(value) => edits.extend(replacements(text, value, &change.value)),
            Place::Absent(last, field) => return added(text, last, field, change, read),
        }
    }
    Ok(replaced(text, edits))
}

/// Where `path` leads from `tree`.
fn places<'a>(text: &'a str, tree: &'a Tree, path: &'a str) -> Result<Vec<Place<'a>>, String> {
    let tree = inside(tree);
    let Kind::Branch { items, .. } = &tree.kind else {
        return Err(format!("{} has no fields: {path:?} is one too many", tree.spelled(text)));
    };
    let go = |value: &'a Tree, rest: &'a str| match rest {
        "" => Ok(vec![Place::There(value)]),
        rest => places(text, value, rest),
    };
    if let Some(rest) = after("*", path).filter(|_| items.iter().all(|item| item.key.is_none())) {
        let all = items.iter().filter_map(|item| go(&item.value, rest).ok()).flatten();
        let there: Vec<_> = all.filter(|place| matches!(place, Place::There(_))).collect();
        return if there.is_empty() { Err(format!("none of them has {rest:?}")) } else { Ok(there) };
    }
    let mut found: Vec<(&Tree, &str)> = Vec::new();
    let numbers: Vec<String> = (0..items.len()).map(|i| i.to_string()).collect();
    for (item, number) in items.iter().zip(&numbers) {
        let (named, value) = names(text, item);
        let number = item.key.is_none().then_some(number.as_str());
        let rest = named.iter().copied().chain(number).find_map(|name| after(name, path));
        found.extend(rest.map(|rest| (value, rest)));
    }
    match found[..] {
        [(value, rest)] => go(value, rest),
        [] => absent(text, items, path),
        _ => Err(format!("{path:?} is {} of them: their names or numbers tell them apart", found.len())),
    }
}

/// The value behind what JSON and `Some` put around it.
fn inside(tree: &Tree) -> &Tree {
    match (tree.name(), tree.items()) {
        (Some("Some"), [item]) => &item.value,
        (None, [item]) if item.key.as_ref().is_some_and(|key| key.starts_with(char::is_uppercase)) => {
            &item.value
        }
        _ => tree,
    }
}

/// What a path may call `item`, and the value that it leads to then.
fn names<'a>(text: &'a str, item: &'a crate::ron_tree::Item) -> (Vec<&'a str>, &'a Tree) {
    if let Some(key) = &item.key {
        return (vec![key], &item.value);
    }
    let value = &item.value;
    if let (None, [first, second]) = (value.name(), value.items())
        && first.key.is_none()
        && first.value.kind == Kind::Leaf
    {
        return (vec![first.value.spelled(text)], &second.value);
    }
    let of_json = match value.items() {
        [only] if value.name().is_none() => only.key.as_deref(),
        _ => None,
    };
    let name = inside(value).field("name").map(|name| name.spelled(text));
    let leaf = (value.kind == Kind::Leaf).then(|| value.spelled(text));
    (name.into_iter().chain(value.name()).chain(of_json).chain(leaf).collect(), value)
}

/// What follows `name` in `path`, which is empty at its end; `None` where the path does not start with it.
fn after<'a>(name: &str, path: &'a str) -> Option<&'a str> {
    match path.strip_prefix(name)? {
        "" => Some(""),
        rest => rest.strip_prefix('.'),
    }
}

/// A field that a struct with `items` does not give, or nothing.
fn absent<'a>(
    text: &str,
    items: &'a [crate::ron_tree::Item],
    path: &'a str,
) -> Result<Vec<Place<'a>>, String> {
    if let Some(last) = items.last().filter(|last| last.key.is_some() && !path.contains('.')) {
        return Ok(vec![Place::Absent(&last.value, path)]);
    }
    let first = path.split('.').next().unwrap_or(path);
    let known: Vec<&str> = items.iter().flat_map(|item| names(text, item).0).collect();
    Err(unknown(first, &known))
}

fn unknown(name: &str, known: &[&str]) -> String {
    format!("there is no {name:?}; nearest: {}", nearest(name, known))
}

/// How `value` becomes `new`; a figure with a source has its source say so.
fn replacements(text: &str, value: &Tree, new: &str) -> Vec<(Range<usize>, String)> {
    let source = value.field("source").filter(|_| value.items().len() == 2);
    if let (Some(figure), Some(source)) = (value.field("value"), source) {
        if Tree::parse(new).is_some_and(|new| new.field("value").is_some()) {
            return vec![(value.span.clone(), new.to_owned())];
        }
        let remark = format!("set in the place of {}", figure.spelled(text).replace('\\', "/"));
        return vec![
            (figure.span.clone(), spelled_like(text, figure, new)),
            (source.span.clone(), quoted(&remark)),
        ];
    }
    vec![(value.span.clone(), spelled_like(text, value, new))]
}

/// `new` as text where `old` is text, and as a number of bytes where it is a size.
fn spelled_like(text: &str, old: &Tree, new: &str) -> String {
    let old = &text[old.span.clone()];
    let is_text = old.ends_with(['"', '#']);
    if is_text && !new.starts_with('"') || !is_value(new) {
        return quoted(new);
    }
    parse_bytes(new).map_or_else(|| new.to_owned(), |bytes| bytes.to_string())
}

/// Bytes of `64KiB` or `1.5KiB`; `None` for anything else, and where they are not whole.
pub fn parse_bytes(text: &str) -> Option<u64> {
    /// Whole numbers up to here are exact.
    const MOST: f64 = 9_007_199_254_740_992.0;
    let units = [("KiB", 1024.0), ("MiB", 1_048_576.0), ("GiB", 1_073_741_824.0)];
    let (number, factor) = units.iter().find_map(|(u, factor)| Some((text.strip_suffix(u)?, factor)))?;
    let bytes = number.trim().parse::<f64>().ok()? * factor;
    (bytes.fract() == 0.0 && (0.0..=MOST).contains(&bytes)).then_some(bytes as u64)
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// `text` with `field` behind the `last` value of its struct: as it is, as a figure with a source, or as text, whichever
/// the field takes.
fn added(
    text: &str,
    last: &Tree,
    field: &str,
    change: &Change,
    read: &dyn Fn(&str) -> Result<()>,
) -> Result<String> {
    let value = parse_bytes(&change.value).map_or_else(|| change.value.clone(), |bytes| bytes.to_string());
    let is_json = text.trim_start().starts_with('{');
    let value = if is_value(&value) { value } else { quoted(&value) };
    let spellings = if is_json {
        [value.clone(), format!("{{\"value\": {value}, \"source\": \"set\"}}"), quoted(&value)]
    } else {
        [value.clone(), format!("(value: {value}, source: \"set\")"), quoted(&value)]
    };
    let key = if is_json { quoted(field) } else { field.to_owned() };
    let end = last.span.end..last.span.end;
    let mut refused = None;
    for spelling in spellings {
        let with = replaced(text, vec![(end.clone(), format!(", {key}: {spelling}"))]);
        match read(&with) {
            Ok(()) => return Ok(with),
            Err(error) => _ = refused.get_or_insert(error),
        }
    }
    let message = refused.as_ref().map(of_syntax).unwrap_or_default();
    if message.contains(&format!("field named `{field}`"))
        || message.contains(&format!("unknown field `{field}`"))
    {
        let (_, expected) = message.split_once(", expected").unwrap_or_default();
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        return Err(refusal(change, &unknown(field, &known)));
    }
    Err(refusal(change, &message))
}

/// `text` with other bytes in the places of `edits`, which do not overlap.
fn replaced(text: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(span, _)| span.start);
    let mut text = text.to_owned();
    for (span, new) in edits.into_iter().rev() {
        text.replace_range(span, &new);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::parse_bytes;

    #[test]
    fn sizes_are_whole_bytes() {
        let sizes = ["64KiB", "1.5 MiB", "2GiB"].map(parse_bytes);
        assert_eq!(sizes, [Some(65_536), Some(1_572_864), Some(2_147_483_648)]);
        for text in ["64", "0.3KiB", "-1KiB", "99999999GiB", "NaNKiB", "KiB"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }
}

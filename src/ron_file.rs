//! Reads RON text, or JSON, into a type; an error names the file, and the line and the column or the field.
//!
//! ```
//! use spiq::ron_file::{parse_ron, to_ron};
//!
//! let bits: Vec<u32> = parse_ron("[3, 4]", "bits.ron")?;
//! assert_eq!(parse_ron::<Vec<u32>>(&to_ron(&bits, 1), "bits.ron")?, bits);
//! let error = parse_ron::<Vec<u32>>("[3, x]", "bits.ron").unwrap_err();
//! assert!(error.to_string().starts_with("bits.ron:1:"));
//! # Ok::<(), spiq::Error>(())
//! ```

use ron::extensions::Extensions;
use ron::ser::PrettyConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Parses the RON `text` of the file `path` (named only in errors). Text that begins with a brace is JSON, as
/// programs write it: a struct is an object, and so is a variant of an enum with its fields, by its name
/// (`{"A": {"dim": 1}}`); one without fields is a string.
///
/// An optional field takes its bare value: `leakage: 3.0`, not `leakage: Some(3.0)`. Newtypes keep
/// their name, newtype variants of an enum do not repeat it: `family: A(dim: 1)`.
///
/// # Errors
///
/// [`Error::Syntax`] where the text is no RON, a field is unknown, missing or repeated, or a value
/// is of the wrong type; [`Error::Field`] where the fields or values of JSON are not right.
pub fn parse_ron<T: DeserializeOwned>(text: &str, path: &str) -> Result<T> {
    if text.trim_start().starts_with('{') {
        return parse_json(text, path);
    }
    options().from_str(text).map_err(|error| Error::Syntax {
        path: path.to_owned(),
        line: error.span.start.line,
        column: error.span.start.col,
        message: error.code.to_string(),
    })
}

/// `value` as a file that [`parse_ron`] reads; what lies deeper than `depth` shares a line.
///
/// # Panics
/// If `value` has what RON does not write, which no description has.
pub fn to_ron<T: Serialize>(value: &T, depth: usize) -> String {
    let pretty = PrettyConfig::new().struct_names(true).depth_limit(depth).new_line("\n".to_owned());
    let text = options().to_string_pretty(value, pretty).expect("structs of plain values");
    format!("{text}\n")
}

fn options() -> ron::Options {
    let extensions = Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES;
    ron::Options::default().with_default_extension(extensions)
}

fn parse_json<T: DeserializeOwned>(text: &str, path: &str) -> Result<T> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed: T = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let field = match error.path().to_string() {
            root if root == "." => "text".to_owned(),
            field => field,
        };
        json_error(error.inner(), path, Some(field))
    })?;
    deserializer.end().map_err(|error| json_error(&error, path, None))?;
    Ok(parsed)
}

/// Whoever made the text from objects knows its fields and not its lines.
fn json_error(error: &serde_json::Error, path: &str, field: Option<String>) -> Error {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(&*message, |(what, _)| what);
    match field {
        Some(field) if error.is_data() => Error::field(path, field, message),
        _ => Error::Syntax {
            path: path.to_owned(),
            line: error.line(),
            column: error.column(),
            message: message.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Part {
        width: u32,
        note: Option<String>,
    }

    #[test]
    fn an_optional_field_takes_a_bare_value_or_nothing() {
        let with: Part = parse_ron(r#"(width: 8, note: "x")"#, "a.ron").unwrap();
        assert_eq!(with, Part { width: 8, note: Some("x".into()) });
        let without: Part = parse_ron("(width: 8)", "a.ron").unwrap();
        assert_eq!(without, Part { width: 8, note: None });
    }

    #[test]
    fn errors_name_file_line_and_column() {
        let message = |text| parse_ron::<Part>(text, "a.ron").unwrap_err().to_string();
        assert_eq!(
            message("(\n  width: 8,\n  depth: 1,\n)"),
            "a.ron:3:3: Unexpected field named `depth` in `Part`, expected either `width` or `note` instead"
        );
        assert!(message("(\n  width: eight,\n)").starts_with("a.ron:2:10: "));
        assert!(message("(note: \"x\")").starts_with("a.ron:1:"));
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Whole {
        parts: Vec<Choice>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    enum Choice {
        None,
        One(Part),
        Size { bits: u32 },
    }

    #[test]
    fn json_says_what_ron_does() {
        let ron = "(parts: [None, One(width: 8), Size(bits: 3)])";
        let json = r#" {"parts": ["None", {"One": {"width": 8, "note": null}}, {"Size": {"bits": 3}}]}"#;
        assert_eq!(parse_ron::<Whole>(json, "a.json").unwrap(), parse_ron::<Whole>(ron, "a.ron").unwrap());
    }

    #[test]
    fn errors_of_json_name_the_field_or_the_line() {
        let message = |text| parse_ron::<Whole>(text, "a.json").unwrap_err().to_string();
        let unknown = message(r#"{"parts": ["None", {"One": {"width": 8, "depth": 1}}]}"#);
        assert_eq!(unknown, "a.json: parts[1].One.depth: unknown field `depth`, expected `width` or `note`");
        let negative = message(r#"{"parts": [{"Size": {"bits": -3}}]}"#);
        assert!(
            negative.starts_with("a.json: parts[0].Size.bits: invalid value: integer `-3`"),
            "{negative}"
        );
        assert_eq!(message("{}"), "a.json: text: missing field `parts`");
        assert_eq!(message("{\"parts\":\n []"), "a.json:2:3: EOF while parsing an object");
        assert_eq!(message(r#"{"parts": []} x"#), "a.json:1:15: trailing characters");
    }
}

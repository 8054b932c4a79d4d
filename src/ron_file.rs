//! Reads RON text into a type; an error names the file, the line and the column.

use ron::extensions::Extensions;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Parses the RON `text` of the file `path` (named only in errors).
///
/// An optional field takes its bare value: `leakage: 3.0`, not `leakage: Some(3.0)`. Newtypes keep
/// their name, newtype variants of an enum do not repeat it: `family: A(dim: 1)`.
///
/// # Errors
///
/// [`Error::Syntax`] where the text is no RON, a field is unknown, missing or repeated, or a value
/// is of the wrong type.
pub fn parse_ron<T: DeserializeOwned>(text: &str, path: &str) -> Result<T> {
    let extensions = Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES;
    let options = ron::Options::default().with_default_extension(extensions);
    options.from_str(text).map_err(|error| Error::Syntax {
        path: path.to_owned(),
        line: error.span.start.line,
        column: error.span.start.col,
        message: error.code.to_string(),
    })
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
}

//! Flags whose values are words of a list.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::search::Keyword;

/// Reads the word of a `T`; help lists all of them with what they are.
pub fn keyword<T: Keyword>() -> impl TypedValueParser<Value = T> {
    let listed = |choice: &T| PossibleValue::new(choice.word()).help(choice.about().trim_end_matches('.'));
    let found = |word: String| T::ALL.iter().copied().find(|choice| choice.word() == word);
    PossibleValuesParser::new(T::ALL.iter().map(listed))
        .map(move |word| found(word).expect("a word of the list"))
}

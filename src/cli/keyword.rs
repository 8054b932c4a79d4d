//! Flags whose values are words of a list.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::search::Keyword;

/// Reads the word of a `T`; help lists all of them with what they are.
pub fn keyword<T: Keyword>() -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(listed::<T>()).map(|word| found(&word).expect("a word of the list"))
}

/// [`keyword`] after `former` was a word of the list, too; `instead` says what is to be written now.
pub fn keyword_after<T: Keyword>(
    former: &'static str,
    instead: &'static str,
) -> impl TypedValueParser<Value = T> {
    let words = listed::<T>().chain([PossibleValue::new(former).hide(true)]);
    PossibleValuesParser::new(words).try_map(move |word| found(&word).ok_or(instead))
}

/// Every word with what it is.
fn listed<T: Keyword>() -> impl Iterator<Item = PossibleValue> {
    T::ALL.iter().map(|choice| PossibleValue::new(choice.word()).help(choice.about().trim_end_matches('.')))
}

fn found<T: Keyword>(word: &str) -> Option<T> {
    T::ALL.iter().copied().find(|choice| choice.word() == word)
}

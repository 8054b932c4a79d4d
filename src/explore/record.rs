//! What came of an evaluation, as a worker leaves it: a line, and a line with its SHA-256.

use serde::{Deserialize, Serialize};

use super::exploration::Outcome;
use super::figure::Figures;
use crate::files::sha256;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    id: String,
    /// In the order of columns; nothing where a figure is not known.
    figures: Option<Vec<Option<f64>>>,
    /// Why there are none.
    refused: Option<String>,
}

/// The text of the `outcome` of the evaluation `id`.
pub(super) fn sealed(id: &str, outcome: &Outcome) -> String {
    let known = |&value: &f64| value.is_finite().then_some(value);
    let (figures, refused) = match outcome {
        Outcome::Evaluated(figures) => (Some(figures.iter().map(known).collect()), None),
        Outcome::Refused(why) => (None, Some(why.to_string())),
    };
    let record = Record { id: id.to_owned(), figures, refused };
    let line = serde_json::to_string(&record).expect("names and numbers");
    format!("{line}\n{}\n", sha256([&line]))
}

/// The outcome of the evaluation `id` whose text `bytes` are; `None` where they are not what a worker wrote.
pub(super) fn unsealed(id: &str, bytes: &[u8]) -> Option<Outcome> {
    let (line, seal) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
    if seal.strip_suffix('\n')? != sha256([line]) {
        return None;
    }
    let record: Record = serde_json::from_str(line).ok().filter(|record: &Record| record.id == id)?;
    match (record.figures, record.refused) {
        (Some(figures), None) => {
            let figures: Vec<f64> = figures.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect();
            Some(Outcome::Evaluated(Box::new(Figures::try_from(figures).ok()?)))
        }
        (None, Some(why)) => Some(Outcome::Refused(why.into_boxed_str())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::figure::Figure;
    use super::*;

    #[test]
    fn only_what_was_written_is_read() {
        let outcome = Outcome::Refused("no room".into());
        let text = sealed("ab", &outcome);
        assert_eq!(unsealed("ab", text.as_bytes()), Some(outcome));
        assert_eq!(unsealed("ac", text.as_bytes()), None);
        for cut in 0..text.len() {
            assert_eq!(unsealed("ab", &text.as_bytes()[..cut]), None, "{cut}");
            let mut changed = text.clone().into_bytes();
            changed[cut] ^= 1;
            assert_eq!(unsealed("ab", &changed), None, "{cut}");
        }
    }

    proptest! {
        #[test]
        fn figures_come_back_to_the_last_bit(
            figures in prop::collection::vec(any::<f64>(), Figure::ALL.len())
        ) {
            let outcome = Outcome::Evaluated(Box::new(Figures::try_from(figures).unwrap()));
            let text = sealed("ab", &outcome);
            // What is not finite is not known.
            prop_assert_eq!(sealed("ab", &unsealed("ab", text.as_bytes()).unwrap()), text);
        }
    }
}

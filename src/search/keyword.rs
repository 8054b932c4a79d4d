//! What users choose by a word, which flags, files and logs spell alike.

/// A choice of several that have a word each.
pub trait Keyword: Copy + Send + Sync + 'static {
    /// Every choice, in the order in which they are listed.
    const ALL: &'static [Self];

    /// The word for it.
    fn word(self) -> &'static str;

    /// What it is, in a sentence.
    fn about(self) -> &'static str;
}

/// Declares an enum of variants with their words and sentences, which are its documentation, too.
macro_rules! keywords {
    ($(#[$of_all:meta])* pub enum $name:ident {
        $($(#[$of_one:meta])* $variant:ident = $word:literal: $about:literal,)*
    }) => {
        $(#[$of_all])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $(#[doc = $about] $(#[$of_one])* #[serde(rename = $word)] $variant,)*
        }

        impl $crate::search::Keyword for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),*];

            fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)* }
            }
        }
    };
}

pub(super) use keywords;

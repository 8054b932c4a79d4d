//! Which flags a user wrote down.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use os_display::Quotable;

/// Flags that were given, which have their defaults' values or others.
pub struct Given {
    /// Long names of flags, each with the values that it was given, in the order of the command's help.
    flags: Vec<(String, Vec<OsString>)>,
    subcommand: String,
    words: Vec<OsString>,
}

/// `word` as a shell reads it.
pub fn quoted(word: &str) -> String {
    word.maybe_quote().to_string()
}

impl Given {
    /// Flags of the subcommand in `matches`, which `command` parsed of `words`.
    pub fn of(command: &Command, matches: &ArgMatches, words: Vec<OsString>) -> Self {
        let none = || Self { flags: Vec::new(), subcommand: String::new(), words: words.clone() };
        let Some((name, matches)) = matches.subcommand() else { return none() };
        let Some(described) = command.find_subcommand(name) else { return none() };
        let flags = described.get_arguments().filter_map(|flag| {
            let id = flag.get_id();
            // A field of a command may be named otherwise than its flag, and `value_source` knows its own only.
            let is_given = matches.ids().any(|other| other == id)
                && matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
            let values = matches.get_raw(id.as_str()).into_iter().flatten().map(OsString::from).collect();
            is_given.then_some((flag.get_long()?.to_owned(), values))
        });
        let flags = flags.collect();
        Self { flags, subcommand: name.to_owned(), words }
    }

    /// The command as it was written, the program's name first.
    pub fn words(&self) -> &[OsString] {
        &self.words
    }

    /// Whether the flag `--{name}` was given.
    pub fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|(given, _)| given == name)
    }

    /// A flag that was given, with its dashes, and is not one of `names`.
    pub fn beside(&self, names: &[&str]) -> Option<String> {
        let (other, _) = self.flags.iter().find(|(given, _)| !names.contains(&given.as_str()))?;
        Some(format!("--{other}"))
    }

    /// The command with its flags, for a shell, without those whose names are `beside`.
    pub fn command(&self, beside: &[&str]) -> String {
        let flags = self.flags.iter().filter(|(given, _)| !beside.contains(&given.as_str()));
        let words = flags.flat_map(|(given, values)| match &values[..] {
            [] => vec![format!("--{given}")],
            [word] if word == "true" => vec![format!("--{given}")],
            values => values.iter().map(|value| format!("--{given} {}", value.maybe_quote())).collect(),
        });
        ["spiq".to_owned(), self.subcommand.clone()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
    }
}

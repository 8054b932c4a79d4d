//! Which flags a user wrote down.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, Id};
use os_display::Quotable;

/// Flags that were given, which have their defaults' values or others.
pub struct Given {
    /// Ids of flags, each with the values that it was given, in the order of the command's help.
    flags: Vec<(String, Vec<OsString>)>,
    subcommand: String,
    words: Vec<OsString>,
}

impl Given {
    /// Those of the subcommand in `matches`, which `command` parsed of `words`.
    pub fn of(command: &Command, matches: &ArgMatches, words: Vec<OsString>) -> Self {
        let none = || Self { flags: Vec::new(), subcommand: String::new(), words: words.clone() };
        let Some((name, matches)) = matches.subcommand() else { return none() };
        let Some(described) = command.find_subcommand(name) else { return none() };
        // The fields of a command are a group by themselves, which is no flag.
        let ids = described
            .get_arguments()
            .map(clap::Arg::get_id)
            .filter(|id| matches.ids().any(|other| other == *id));
        let is_given = |id: &&Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        let values =
            |id: &Id| matches.get_raw(id.as_str()).into_iter().flatten().map(OsString::from).collect();
        let flags = ids.filter(is_given).map(|id| (id.as_str().to_owned(), values(id))).collect();
        Self { flags, subcommand: name.to_owned(), words }
    }

    /// The command as it was written, the program's name first.
    pub fn words(&self) -> &[OsString] {
        &self.words
    }

    /// Whether the flag of the field `name` was given.
    pub fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|(given, _)| given == name)
    }

    /// A flag that was given and is not that of a field in `names`.
    pub fn beside(&self, names: &[&str]) -> Option<String> {
        let (other, _) = self.flags.iter().find(|(given, _)| !names.contains(&given.as_str()))?;
        Some(dashed(other))
    }

    /// The command with its flags, for a shell, without those of the fields `beside`.
    pub fn command(&self, beside: &[&str]) -> String {
        let flags = self.flags.iter().filter(|(given, _)| !beside.contains(&given.as_str()));
        let words = flags.flat_map(|(given, values)| match &values[..] {
            [] => vec![dashed(given)],
            [word] if word == "true" => vec![dashed(given)],
            values => {
                values.iter().map(|value| format!("{} {}", dashed(given), value.maybe_quote())).collect()
            }
        });
        ["spiq".to_owned(), self.subcommand.clone()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// The flag of a field.
fn dashed(field: &str) -> String {
    format!("--{}", field.replace('_', "-"))
}

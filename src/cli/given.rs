//! Which flags a user wrote down.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, Id};

/// Flags that were given, which have their defaults' values or others.
pub struct Given {
    flags: Vec<String>,
    words: Vec<OsString>,
}

impl Given {
    /// Those of the subcommand in `matches`, which `command` parsed of `words`.
    pub fn of(command: &Command, matches: &ArgMatches, words: Vec<OsString>) -> Self {
        let Some((name, matches)) = matches.subcommand() else { return Self { flags: Vec::new(), words } };
        // The fields of a command are a group by themselves, which is no flag.
        let is_flag = |id: &Id| {
            command.find_subcommand(name).is_some_and(|c| c.get_arguments().any(|a| a.get_id() == id))
        };
        let is_given =
            |id: &&Id| is_flag(id) && matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        let flags = matches.ids().filter(is_given).map(|id| id.as_str().to_owned()).collect();
        Self { flags, words }
    }

    /// The command as it was written, the program's name first.
    pub fn words(&self) -> &[OsString] {
        &self.words
    }

    /// Whether the flag of the field `name` was given.
    pub fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|given| given == name)
    }

    /// A flag that was given and is not that of a field in `names`.
    pub fn beside(&self, names: &[&str]) -> Option<String> {
        let other = self.flags.iter().find(|given| !names.contains(&given.as_str()))?;
        Some(format!("--{}", other.replace('_', "-")))
    }
}

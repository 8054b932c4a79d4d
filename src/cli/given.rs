//! Which flags a user wrote down.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, Id};

/// Flags that were given, which have their defaults' values or others.
pub struct Given(Vec<String>);

impl Given {
    /// Those of the subcommand in `matches`, which `command` parsed.
    pub fn of(command: &Command, matches: &ArgMatches) -> Self {
        let Some((name, matches)) = matches.subcommand() else { return Self(Vec::new()) };
        // The fields of a command are a group by themselves, which is no flag.
        let is_flag = |id: &Id| {
            command.find_subcommand(name).is_some_and(|c| c.get_arguments().any(|a| a.get_id() == id))
        };
        let is_given =
            |id: &&Id| is_flag(id) && matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        Self(matches.ids().filter(is_given).map(|id| id.as_str().to_owned()).collect())
    }

    /// Whether the flag of the field `name` was given.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|given| given == name)
    }

    /// A flag that was given and is not that of a field in `names`.
    pub fn beside(&self, names: &[&str]) -> Option<String> {
        let other = self.0.iter().find(|given| !names.contains(&given.as_str()))?;
        Some(format!("--{}", other.replace('_', "-")))
    }
}

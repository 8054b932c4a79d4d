use clap::{Args, ValueEnum};

use super::print::print;
use crate::error::{Error, Result};
use crate::explore::Space;
use crate::files::Folder;
use crate::hw::{Agreement, Energies, Hardware, table_names};
use crate::model::{ModelDescription, WeightSource};

/// Arguments of `spiq list`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to list.
    what: What,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// Models with their weights.
    Models,
    /// Hardware descriptions.
    Hw,
    /// Operation energy tables.
    Tables,
    /// Setting files.
    Settings,
    /// Data sets.
    Data,
    /// Rates of layers.
    Rates,
    /// Spaces to explore.
    Spaces,
}

/// Runs `spiq list`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let rows: Vec<(String, String)> = match arguments.what {
        What::Models => models()?,
        What::Hw => hardware()?,
        What::Tables => tables()?,
        What::Settings => names("models/settings", "ron"),
        What::Data => names("data/fashion-mnist", "ron"),
        What::Rates => names("models/rates", "csv"),
        What::Spaces => spaces()?,
    };
    if rows.is_empty() {
        return Err(Error::mismatch("nothing is built in: spiq was built without the feature `bundled`"));
    }
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let text: String = rows
        .iter()
        .map(|(name, text)| format!("{}\n", format!("{name:width$}  {text}").trim_end()))
        .collect();
    print(&text)
}

fn names(folder: &'static str, extension: &str) -> Vec<(String, String)> {
    let names = Folder::Bundled(folder).names(extension);
    names.into_iter().map(|name| (name.to_owned(), String::new())).collect()
}

fn models() -> Result<Vec<(String, String)>> {
    let names = Folder::Bundled("models").names("ron").into_iter();
    names
        .map(|name| {
            let (description, network, _) = ModelDescription::load(name)?;
            let (family, weights) = (description.family.name(), weights(&description));
            let text = format!(
                "{family}, {} parameters{weights}, input {}, {} timesteps, {} classes",
                network.parameter_count(),
                network.nodes[0].shape,
                network.timesteps,
                network.classes()
            );
            Ok((name.to_owned(), text))
        })
        .collect()
}

fn weights(description: &ModelDescription) -> String {
    match (&description.trained, &description.weights) {
        (Some(trained), _) => format!(" ({:.2} % of {})", 100.0 * trained.test_accuracy, trained.data),
        (None, WeightSource::Seeded(_)) => " (random weights)".to_owned(),
        (None, WeightSource::File(_)) => String::new(),
    }
}

fn hardware() -> Result<Vec<(String, String)>> {
    let mut rows = Vec::new();
    for name in Folder::Bundled("hw_configs").names("ron") {
        rows.push((name.to_owned(), Hardware::load(name)?.0.description));
        rows.extend(Agreement::of(name).iter().map(|found| (String::new(), format!("  published {found}"))));
    }
    Ok(rows)
}

fn spaces() -> Result<Vec<(String, String)>> {
    let names = Folder::Bundled("hw_configs/spaces").names("ron").into_iter();
    names.map(|name| Ok((name.to_owned(), Space::load(name)?.0.name))).collect()
}

fn tables() -> Result<Vec<(String, String)>> {
    let tables = table_names().into_iter().map(Energies::load);
    tables
        .map(|t| t.map(|t| (t.name().to_owned(), format!("{} nm: {}", t.technology_nm(), t.source()))))
        .collect()
}

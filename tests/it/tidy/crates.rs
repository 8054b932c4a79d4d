//! Which files may know which crate: what a crate is for stays in one place, and can be replaced there.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::{manifest, sources};
use super::tree::{File, Module, Tree};

/// Each crate with the files and folders below `src` that use it.
const CRATES: [(&str, &[&str]); 26] = [
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/completions.rs"]),
    ("clap_mangen", &["cli/man.rs"]),
    ("csv", &["exec/rates.rs", "hw/", "model/data/gesture.rs", "report/", "sensitivity/imported.rs"]),
    ("flate2", &["model/data/idx.rs"]),
    ("half", &["model/checkpoint/stored.rs"]),
    ("indicatif", &["cli/progress.rs"]),
    ("maud", &["report/html/"]),
    ("libjpeg_turbo_rs", &["model/data/pictures/jpeg.rs"]),
    (
        "nalgebra",
        &[
            "evaluate/statistics.rs",
            "model/rep_conv.rs",
            "quant/",
            "search/strategies/",
            "sensitivity/nuclear_norm.rs",
        ],
    ),
    ("os_display", &["cli/given.rs", "cli/search/"]),
    ("plotters", &["report/plots/backend.rs", "report/plots/font.rs"]),
    ("png", &["model/data/pictures/png.rs", "report/plots/backend.rs"]),
    ("rand_chacha", &["exec/", "explore/", "search/"]),
    (
        "rayon",
        &[
            "cli/",
            "cost/",
            "evaluate/",
            "exchange/",
            "exec/",
            "explore/",
            "map/candidates.rs",
            "model/data/",
            "model/fold.rs",
            "quant/",
            "search/",
            "sensitivity/",
        ],
    ),
    // The setting that a search found is written as a file of settings.
    ("ron", &["ron_file.rs", "search/space.rs"]),
    ("safetensors", &["exchange/torch.rs", "model/", "quant/kept.rs"]),
    ("same_file", &["search/log.rs"]),
    // Descriptions and results are read and written in every layer.
    ("serde", &[""]),
    (
        "serde_json",
        &[
            "cli/",
            "exchange/",
            "explore/",
            "hw/constants.rs",
            "report/",
            "ron_file.rs",
            "rtl/",
            "search/log.rs",
        ],
    ),
    ("serde_path_to_error", &["ron_file.rs"]),
    ("sha2", &["files.rs", "model/data/"]),
    ("signal_hook", &["cli/search/interrupt.rs"]),
    ("tempfile", &["output/"]),
    ("thiserror", &["error.rs"]),
    ("zip", &["model/checkpoint/torch_zip.rs", "npz.rs"]),
];

/// The crates that `file` names.
fn crates_of<'a>(tree: &Tree, module: &Module, file: &'a File) -> impl Iterator<Item = &'a str> {
    let named = file.paths.named.iter().filter(|path| path.len() > 1);
    let all = file.paths.uses.iter().map(|u| &u.path).chain(named);
    all.filter(|path| tree.resolve(module, path).is_none()).map(|path| path[0].as_str())
}

#[test]
fn every_crate_stays_where_it_belongs() {
    let allowed = BTreeMap::from(CRATES);
    let tree = Tree::of(&sources());
    let (mut wrong, mut used) = (BTreeSet::new(), BTreeSet::new());
    for (module, file) in &tree.files {
        for name in crates_of(&tree, module, file) {
            let Some(places) = allowed.get(name) else { continue };
            match places.iter().find(|place| file.path.starts_with(**place)) {
                Some(place) => drop(used.insert((name, *place))),
                None => drop(wrong.insert(format!("{}: {name}", file.path))),
            }
        }
    }
    super::assert_none(&Vec::from_iter(wrong), "crates where they do not belong");
    let all = CRATES.iter().flat_map(|(name, places)| places.iter().map(move |place| (*name, *place)));
    let unused: Vec<String> =
        all.filter(|pair| !used.contains(pair)).map(|(name, place)| format!("{name} in {place}")).collect();
    super::assert_none(&unused, "places that CRATES allows and nothing uses");
}

/// A new dependency has to say who may know it.
#[test]
fn every_dependency_has_its_places() {
    let manifest = manifest();
    let sections = ["dependencies", "target.'cfg(unix)'.dependencies"];
    let names: BTreeSet<String> =
        sections.iter().flat_map(|section| super::dependencies(&manifest, section)).collect();
    assert_eq!(names, CRATES.iter().map(|(name, _)| (*name).to_owned()).collect());
}

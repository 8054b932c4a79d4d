//! Every file of the fuzzer's corpus through the parser that it is for.

#[path = "../fuzz/targets/mod.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use targets::{TARGETS, Target};

/// No file of the corpus takes a tenth of it, also where every core is busy.
const TIME: Duration = Duration::from_secs(10);

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus")
}

fn entries(folder: &Path) -> BTreeSet<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// True for a file that is to be refused; any other is to be accepted.
fn is_bad(path: &Path) -> bool {
    path.file_name().unwrap().to_str().unwrap().starts_with("bad-")
}

/// What is wrong with how `target` takes the file, if anything.
fn fault(target: &Target, path: &Path) -> Option<String> {
    let bytes = fs::read(path).unwrap();
    let start = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(&bytes)));
    let took = start.elapsed();
    match outcome {
        Err(_) => Some("panics".to_owned()),
        Ok(_) if took > TIME => Some(format!("takes {took:?}")),
        Ok(Ok(())) if is_bad(path) => Some("is accepted".to_owned()),
        Ok(Err(error)) if !is_bad(path) => Some(format!("is refused: {error}")),
        Ok(Err(error)) if !error.to_string().contains(target.names) => {
            Some(format!("is refused without the name of its file: {error}"))
        }
        Ok(_) => None,
    }
}

#[test]
fn the_corpus_is_accepted_or_refused_as_its_names_say() {
    let mut wrong = Vec::new();
    for target in &TARGETS {
        let files = entries(&corpus().join(target.name));
        let (bad, good): (Vec<_>, Vec<_>) = files.iter().partition(|path| is_bad(path));
        assert!(!bad.is_empty() && !good.is_empty(), "{}: one of either kind at least", target.name);
        let faults =
            files.iter().filter_map(|path| Some(format!("{}: {}", path.display(), fault(target, path)?)));
        wrong.extend(faults);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A folder that no target reads would be forgotten; the corpus stays small enough to be looked at.
#[test]
fn every_folder_of_the_corpus_has_a_target() {
    let folders: BTreeSet<_> = TARGETS.iter().map(|target| corpus().join(target.name)).collect();
    assert_eq!(entries(&corpus()), folders);
    let sizes =
        folders.iter().flat_map(|folder| entries(folder)).map(|path| fs::metadata(path).unwrap().len());
    assert!(sizes.sum::<u64>() < 320_000);
}

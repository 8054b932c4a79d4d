//! Folders of results. Files are staged in a hidden folder inside, and take their places when all are complete,
//! so that a failure leaves an earlier result as it was.
//!
//! `.spiq/OWNER.sha256` lists the files that a command has put there, as `sha256sum` prints them. What an
//! earlier run of that command left and a new one does not write again is removed at the end, if it is still
//! what was written; other commands' files and a user's own stay. The list is renamed into place before the
//! first file and names the old ones and the new ones, and again after the last, with the new ones alone:
//! whenever a run is killed, the next one knows what there may be.
//!
//! ```
//! use std::path::Path;
//! use spiq::output::{Owner, check_target};
//!
//! // Nothing is made: this only says whether a folder of results could be.
//! check_target(Path::new("target/found"), Owner::Search, &["plots"])?;
//! # Ok::<(), spiq::Error>(())
//! ```

mod durable;
mod list;

pub(crate) use self::durable::{is_unfinished, remove_abandoned, write_durably};

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::list::{List, Listed, is_relative};
use crate::error::{Error, Result};
use crate::files::sha256_of_reader;

/// Where lists and staged files are, inside a folder of results.
const INTERNAL: &str = ".spiq";
/// What the names of folders with staged files start with.
const STAGED: &str = "new-";

/// An owner of files in a folder of results. Each has a list of its own there, and removes what is on that alone.
/// Commands that write a file of one name to describe the rest are one owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// `report.json` and what belongs to it.
    Report,
    /// `comparison.json`.
    Comparison,
    /// `sensitivity.json`.
    Sensitivity,
    /// `search.json`.
    Search,
    /// `exploration.json`.
    Exploration,
    /// `plan.jsonl`.
    Plan,
    /// `report.html`, drawn from a file of results that is there.
    Page,
    /// `run.json` and arrays.
    Dump,
    /// `manifest.json` of golden bundles and of stimuli.
    Manifest,
    /// `model.safetensors`.
    Torch,
}

impl Owner {
    fn list(self) -> &'static str {
        match self {
            Self::Report => "report.sha256",
            Self::Comparison => "comparison.sha256",
            Self::Sensitivity => "sensitivity.sha256",
            Self::Search => "search.sha256",
            Self::Exploration => "exploration.sha256",
            Self::Plan => "plan.sha256",
            Self::Page => "page.sha256",
            Self::Dump => "dump.sha256",
            Self::Manifest => "manifest.sha256",
            Self::Torch => "torch.sha256",
        }
    }
}

/// A folder of results that is being written. Dropped before [`OutputFolder::finish`], it leaves nothing.
#[derive(Debug)]
pub struct OutputFolder {
    target: PathBuf,
    owner: Owner,
    staged: PathBuf,
    /// Folders that were made for this one, the innermost first.
    made: Vec<PathBuf>,
    names: Mutex<Names>,
    /// Locked as long as this process lives: what is staged belongs to somebody.
    _alive: Option<File>,
}

/// Names of files, in the order in which they were claimed.
#[derive(Debug, Default)]
struct Names {
    all: Vec<String>,
    /// `all` in lower case, for file systems that tell no case.
    claimed: BTreeSet<String>,
}

/// A file of a folder of results that is being written.
#[derive(Debug)]
pub struct OutputFile {
    /// Where it will be, for messages.
    pub path: String,
    /// Where it is for now.
    pub file: File,
}

/// Refuses a `target` that [`OutputFolder`] could not write to, nor to its `folders`, before anything long
/// starts; makes nothing.
///
/// # Errors
/// The first folder above that exists is none, or nothing can be written there, or the list of `owner` there is
/// none.
pub fn check_target(target: &Path, owner: Owner, folders: &[&str]) -> Result<()> {
    for folder in std::iter::once(target.to_owned()).chain(folders.iter().map(|name| target.join(name))) {
        let existing = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
        tempfile::tempfile_in(existing).map_err(|source| Error::io(existing, source))?;
    }
    List::read(&target.join(INTERNAL).join(owner.list())).map(|_| ())
}

impl OutputFolder {
    /// Prepares `target`, which need not exist, and removes what killed runs have staged there.
    ///
    /// # Errors
    /// If nothing can be written there, or the list of `owner` there is none.
    pub fn new(target: &Path, owner: Owner) -> Result<Self> {
        let missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let made = target.ancestors().take_while(missing).map(Path::to_owned).collect();
        let failed = |source| Error::io(target, source);
        if target.exists() && !target.is_dir() {
            return Err(failed(ErrorKind::NotADirectory.into()));
        }
        fs::create_dir_all(target).map_err(failed)?;
        let guard = lock(target);
        let internal = target.join(INTERNAL);
        make_folder(&internal)?;
        if guard.is_some() {
            remove_dead(&internal);
        }
        let staged = tempfile::Builder::new().prefix(STAGED).tempdir_in(&internal).map_err(failed)?.keep();
        let (alive, names) = (lock(&staged), Mutex::default());
        drop(guard);
        let folder = Self { target: target.to_owned(), owner, staged, made, names, _alive: alive };
        List::read(&folder.list_path())?;
        Ok(folder)
    }

    /// A new file `name`, a relative path of plain names.
    ///
    /// # Errors
    /// If it is none, if another file of this folder has that name, case aside, or if it cannot be made.
    pub fn create(&self, name: &str) -> Result<OutputFile> {
        let place = self.target.join(name);
        self.claim(name)?;
        let failed = |source| Error::io(&place, source);
        if place.is_dir() {
            return Err(failed(ErrorKind::IsADirectory.into()));
        }
        let staged = self.staged.join(name);
        let folder = staged.parent().unwrap_or(&self.staged);
        let file = fs::create_dir_all(folder).and_then(|()| File::create_new(&staged)).map_err(failed)?;
        Ok(OutputFile { path: place.display().to_string(), file })
    }

    /// Writes the file `name`.
    ///
    /// # Errors
    /// Those of [`OutputFolder::create`], or if there is no room.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let OutputFile { path, mut file } = self.create(name)?;
        file.write_all(content.as_ref()).map_err(|source| Error::io(path, source))
    }

    /// SHA-256 of the staged file `name`, as hexadecimal.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn sha256(&self, name: &str) -> Result<String> {
        let hash = File::open(self.staged.join(name)).and_then(sha256_of_reader);
        hash.map_err(|source| Error::io(self.target.join(name), source))
    }

    /// Puts every file in its place, in the order in which they were made, and then removes what an earlier run
    /// left.
    ///
    /// # Errors
    /// If a file cannot be put in its place.
    pub fn finish(self) -> Result<()> {
        let names = std::mem::take(&mut *self.names()).all;
        let listed = |name: String| Ok(Listed { sha256: self.sha256(&name)?, name });
        let new = List(names.into_iter().map(listed).collect::<Result<_>>()?);
        let _guard = lock(&self.target);
        let old = List::read(&self.list_path())?;
        self.make_folders(&new)?;
        self.put_list(&old.followed_by(&new))?;
        // On a file system that tells no case, a file whose name differs in case alone is a new one.
        let (stale_case, stale): (Vec<_>, Vec<_>) = old
            .0
            .iter()
            .filter(|file| !new.has(&file.name))
            .partition(|file| new.has_spelling_of(&file.name));
        stale_case.into_iter().try_for_each(|file| file.remove_from(&self.target))?;
        for Listed { name, .. } in &new.0 {
            let place = self.target.join(name);
            fs::rename(self.staged.join(name), &place).map_err(|source| Error::io(place, source))?;
        }
        stale.into_iter().try_for_each(|file| file.remove_from(&self.target))?;
        self.put_list(&new)
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list_path(&self) -> PathBuf {
        self.target.join(INTERNAL).join(self.owner.list())
    }

    /// No two files share a name, nor is one a folder of another.
    fn claim(&self, name: &str) -> Result<()> {
        let refuse = |message: &str| {
            let folder = self.target.display().to_string();
            Err(Error::field(folder, format!("{name:?}"), message))
        };
        if !is_relative(name) {
            return refuse("no name of a file in this folder");
        }
        let mut names = self.names();
        let spelled = name.to_ascii_lowercase();
        let above = spelled.match_indices('/').map(|(end, _)| &spelled[..end]);
        let inside = format!("{spelled}/");
        let below = names.claimed.range(inside.clone()..).next().filter(|other| other.starts_with(&inside));
        if below.is_some() || above.chain([spelled.as_str()]).any(|other| names.claimed.contains(other)) {
            return refuse("two results have this name, case aside");
        }
        names.claimed.insert(spelled);
        names.all.push(name.to_owned());
        Ok(())
    }

    /// Makes the folders of `files`, and finds out whether files can be put there.
    fn make_folders(&self, files: &List) -> Result<()> {
        let names =
            files.0.iter().flat_map(|file| file.name.match_indices('/').map(|(end, _)| &file.name[..end]));
        for folder in names.collect::<BTreeSet<_>>() {
            make_folder(&self.target.join(folder))?;
        }
        Ok(())
    }

    fn put_list(&self, list: &List) -> Result<()> {
        let (place, staged) = (self.list_path(), self.staged.join(self.owner.list()));
        let put = || fs::write(&staged, list.to_string()).and_then(|()| fs::rename(&staged, &place));
        put().map_err(|source| Error::io(&place, source))
    }
}

impl Drop for OutputFolder {
    /// Folders that hold something cannot be removed and stay.
    fn drop(&mut self) {
        let _guard = lock(&self.target);
        let _ = fs::remove_dir_all(&self.staged);
        let _ = fs::remove_dir(self.target.join(INTERNAL));
        self.made.iter().for_each(|folder| drop(fs::remove_dir(folder)));
    }
}

/// An exclusive lock of `folder`, waited for; `None` where the system or the file system locks no folders.
fn lock(folder: &Path) -> Option<File> {
    let folder = File::open(folder).ok()?;
    folder.lock().ok()?;
    Some(folder)
}

/// Makes `folder` unless it is there, and refuses a link in its place.
fn make_folder(folder: &Path) -> Result<()> {
    let made = match fs::create_dir(folder) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => match folder.symlink_metadata() {
            Ok(found) if found.is_dir() => tempfile::tempfile_in(folder).map(|_| ()),
            Ok(_) => Err(ErrorKind::NotADirectory.into()),
            Err(e) => Err(e),
        },
        made => made,
    };
    made.map_err(|source| Error::io(folder, source))
}

/// Removes what processes staged that no longer live.
fn remove_dead(internal: &Path) {
    let entries = fs::read_dir(internal).into_iter().flatten().flatten();
    let is_staged = |entry: &fs::DirEntry| {
        entry.file_type().is_ok_and(|kind| kind.is_dir())
            && entry.file_name().to_str().is_some_and(|name| name.starts_with(STAGED))
    };
    for folder in entries.filter(is_staged).map(|entry| entry.path()) {
        if File::open(&folder).is_ok_and(|handle| handle.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

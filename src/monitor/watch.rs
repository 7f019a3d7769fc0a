use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::library::{Library, LibraryError};
use crate::canary::definition::Canary;
use crate::canary::load::Fault;
use crate::runner::script::ScriptPlace;

/// Watches a folder of canary files by the content of everything in it.
#[derive(Debug)]
pub(super) struct FolderWatch {
    folder: PathBuf,
    scripts: ScriptPlace,
    fingerprint: Option<blake3::Hash>,
    known: BTreeMap<Arc<str>, Arc<Canary>>,
}

/// What changed in the folder.
#[derive(Debug, Default)]
pub(super) struct FolderChange {
    /// Canaries that are new or whose files changed.
    pub(super) changed: Vec<Arc<Canary>>,
    /// Canaries that are gone.
    pub(super) gone: Vec<Arc<str>>,
    /// What is wrong with files. A canary that was fine before stays as it was.
    pub(super) faults: Vec<Fault>,
}

/// BOUND: what is larger is no canary file, and a change of its size shows that it changed.
const HASHED_BYTES_MAX: u64 = 1024 * 1024;
/// BOUND: deeper folders are not watched, nor are links, which could lead in circles.
const DEPTH_MAX: usize = 32;

impl FolderWatch {
    pub(super) fn new(folder: PathBuf, scripts: ScriptPlace) -> Self {
        Self { folder, scripts, fingerprint: None, known: BTreeMap::new() }
    }

    /// Looks once; `None` when nothing changed since the last look. Reads files: not for a runtime
    /// thread.
    ///
    /// Errors: the folder is gone or cannot be listed; what was known stays known.
    pub(super) fn look(&mut self) -> Result<Option<FolderChange>, LibraryError> {
        let mut hasher = blake3::Hasher::new();
        hash_folder(&self.folder, DEPTH_MAX, &mut hasher);
        let fingerprint = hasher.finalize();
        if self.fingerprint == Some(fingerprint) {
            return Ok(None);
        }
        let library = Library::read(std::slice::from_ref(&self.folder), &self.scripts)?;
        self.fingerprint = Some(fingerprint);
        Ok(Some(self.take(library)))
    }

    fn take(&mut self, library: Library) -> FolderChange {
        let broken: BTreeSet<&str> = library.faults.iter().map(|fault| fault.file.name()).collect();
        let mut change = FolderChange::default();
        let mut now = BTreeMap::new();
        for canary in library.canaries {
            let name = Arc::clone(&canary.name);
            // Imports are part of a canary, so a canary whose own file is the same may differ.
            change.changed.push(Arc::clone(&canary));
            now.insert(name, canary);
        }
        for (name, canary) in &self.known {
            if now.contains_key(name) {
                continue;
            }
            // A broken edit keeps the last good version.
            if broken.contains(canary.source.name()) {
                now.insert(Arc::clone(name), Arc::clone(canary));
            } else {
                change.gone.push(Arc::clone(name));
            }
        }
        self.known = now;
        change.faults = library.faults;
        change
    }
}

/// Hashes names and contents in a stable order. What cannot be read is hashed as such.
fn hash_folder(folder: &Path, depth: usize, hasher: &mut blake3::Hasher) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let Ok(kind) = std::fs::symlink_metadata(&path) else { continue };
        let name = path.as_os_str().as_encoded_bytes();
        hasher.update(&name.len().to_le_bytes()).update(name);
        hasher.update(&kind.len().to_le_bytes());
        if kind.is_dir() && depth > 0 {
            hash_folder(&path, depth - 1, hasher);
        } else if kind.is_file() && kind.len() <= HASHED_BYTES_MAX {
            hasher.update(&std::fs::read(&path).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(name: &str, status: u32) -> String {
        format!(
            "canary: {name}\nsteps:\n  - step: s\n    http: {{ get: 'http://a/' }}\n    \
             expect: {{ status: {status} }}\n"
        )
    }

    fn names(change: &FolderChange) -> (Vec<&str>, Vec<&str>, usize) {
        let changed = change.changed.iter().map(|canary| &*canary.name).collect();
        let gone = change.gone.iter().map(|name| &**name).collect();
        (changed, gone, change.faults.len())
    }

    #[test]
    fn a_folder_is_read_again_only_when_something_in_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        std::fs::write(&file, canary("a", 200)).unwrap();
        let mut watch = FolderWatch::new(folder.path().to_owned(), ScriptPlace::Here);
        assert_eq!(names(&watch.look().unwrap().unwrap()), (vec!["a"], vec![], 0));
        assert!(watch.look().unwrap().is_none());
        std::fs::write(&file, canary("a", 201)).unwrap();
        assert_eq!(names(&watch.look().unwrap().unwrap()), (vec!["a"], vec![], 0));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(names(&watch.look().unwrap().unwrap()), (vec![], vec!["a"], 0));
    }

    #[test]
    fn a_broken_edit_keeps_the_last_good_version_and_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        std::fs::write(&file, canary("a", 200)).unwrap();
        let mut watch = FolderWatch::new(folder.path().to_owned(), ScriptPlace::Here);
        watch.look().unwrap();
        std::fs::write(&file, "canary: a\nstepps: []\n").unwrap();
        let change = watch.look().unwrap().unwrap();
        assert!(change.gone.is_empty());
        assert!(!change.faults.is_empty());
        // Mended: the canary is there again without ever having been gone.
        std::fs::write(&file, canary("a", 200)).unwrap();
        assert_eq!(names(&watch.look().unwrap().unwrap()), (vec!["a"], vec![], 0));
    }

    #[test]
    fn a_folder_that_goes_away_takes_nothing_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("canaries");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(inside.join("a.yaml"), canary("a", 200)).unwrap();
        let mut watch = FolderWatch::new(inside.clone(), ScriptPlace::Here);
        watch.look().unwrap();
        std::fs::remove_dir_all(&inside).unwrap();
        assert!(watch.look().is_err());
        assert_eq!(watch.known.len(), 1);
    }
}

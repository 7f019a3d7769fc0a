//! The canaries that files and folders hold: found, read, checked.
//!
//! Main type: [`Library`]. This is the one loader, for `check`, `run` and `serve` alike, so that a
//! file cannot be one thing to one of them and another to the next.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use thiserror::Error;

use crate::canary::definition::Canary;
use crate::canary::load::{Fault, ImportError, Imports, load};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::runner::script::{self, ScriptPlace};

/// BOUND: a longer canary file is a mistake or an attack; it is refused unread.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// BOUND: a folder tree with more files is not a folder of canaries.
const FILES_MAX: usize = 100_000;
/// What is in folders of this name is there to be used by canaries; it holds none.
const SHARED_FOLDER: &str = "shared";

/// What a set of files and folders holds.
#[derive(Clone, Debug, Default)]
pub struct Library {
    /// Canaries that can be run, in the order of their files.
    pub canaries: Vec<Arc<Canary>>,
    /// What is wrong with the other files, in the same order.
    pub faults: Vec<Fault>,
    /// What a person should look at although the canary can be run.
    pub warnings: Vec<Fault>,
    /// How many files were read.
    pub files: usize,
}

/// Why files could not be found.
#[derive(Debug, Error)]
pub enum LibraryError {
    /// Nothing is there.
    #[error("cannot find {}", .path.display())]
    NotFound {
        /// As given.
        path: PathBuf,
    },
    /// A folder does not show what it holds.
    #[error("cannot list {}", .path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A folder holds more files than a folder of canaries can.
    #[error("{} holds more than {FILES_MAX} canary files", .path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
}

impl Library {
    /// Reads what `paths` name: files as they are, folders with all that is in them. Finding out
    /// what a script says about itself runs its code, which is done in `scripts`.
    ///
    /// Errors: a path that cannot be found or listed. What is wrong inside a file is in
    /// [`Library::faults`].
    pub fn read(paths: &[PathBuf], scripts: &ScriptPlace) -> Result<Self, LibraryError> {
        let mut library = Self::default();
        for path in canary_files(paths)? {
            library.read_file(&path, scripts);
        }
        library.refuse_namesakes();
        Ok(library)
    }

    fn read_file(&mut self, path: &Path, scripts: &ScriptPlace) {
        self.files += 1;
        let name = path.display().to_string();
        let text = match read_text(path) {
            Ok(text) => text,
            Err(reason) => {
                let file = SourceFile::new(name, "");
                let diagnostic = Diagnostic::file_error("unreadable-file", reason);
                return self.faults.push(Fault { file, diagnostic });
            }
        };
        let file = SourceFile::new(name, text);
        let folder = path.parent().unwrap_or(Path::new(""));
        let loaded = match is_script(path) {
            true => script::load(&file, folder, &Folder(folder), scripts),
            false => load(&file, folder, &Folder(folder)),
        };
        match loaded {
            Ok(loaded) => {
                self.canaries.push(Arc::new(loaded.canary));
                self.warnings.extend(loaded.warnings);
            }
            Err(faults) => self.faults.extend(faults),
        }
    }

    /// Two canaries of one name would share their metrics, alarms and baselines.
    fn refuse_namesakes(&mut self) {
        let mut first: BTreeMap<Arc<str>, String> = BTreeMap::new();
        let mut faults = Vec::new();
        self.canaries.retain(|canary| {
            let name = canary.source.name().to_owned();
            let Some(taken) = first.get(&canary.name) else {
                first.insert(Arc::clone(&canary.name), name);
                return true;
            };
            let message = format!("`{}` is also the name of the canary in {taken}", canary.name);
            let diagnostic = Diagnostic::file_error("duplicate-canary", message)
                .help("give one of them another name");
            faults.push(Fault { file: canary.source.clone(), diagnostic });
            false
        });
        self.faults.extend(faults);
    }
}

/// The canary files that `paths` name, in order: what a path names comes sorted by name.
///
/// Hidden files, links to folders and folders called `shared` are passed over.
pub fn canary_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, LibraryError> {
    let mut found = Vec::new();
    for path in paths {
        match fs::metadata(path) {
            Ok(kind) if kind.is_dir() => list(path, &mut found)?,
            Ok(_) => found.push(path.clone()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LibraryError::NotFound { path: path.clone() });
            }
            Err(source) => return Err(LibraryError::List { path: path.clone(), source }),
        }
    }
    Ok(found)
}

fn list(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), LibraryError> {
    let fault = |source| LibraryError::List { path: folder.to_owned(), source };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        entries.push((entry.file_name(), entry.file_type().map_err(fault)?));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, kind) in entries {
        let path = folder.join(&name);
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        if kind.is_dir() && name != SHARED_FOLDER {
            list(&path, found)?;
        } else if !kind.is_dir() && is_canary_file(&path) {
            found.push(path);
        }
        if found.len() > FILES_MAX {
            return Err(LibraryError::TooMany { path: folder.to_owned() });
        }
    }
    Ok(())
}

fn is_canary_file(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml" | "lua" | "luau"))
}

fn is_script(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("lua" | "luau"))
}

fn read_text(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    read_bounded(file)
}

fn read_bounded(file: File) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    let length = read.map_err(|error| error.to_string())?;
    if length as u64 > FILE_BYTES_MAX {
        return Err(format!("a canary file is at most {FILE_BYTES_MAX} bytes long"));
    }
    String::from_utf8(bytes).map_err(|error| error.utf8_error().to_string())
}

/// Files inside one folder, and nothing that a `..` or a link on the way leads out to.
#[derive(Clone, Copy, Debug)]
struct Folder<'a>(&'a Path);

impl Imports for Folder<'_> {
    fn read(&self, path: &str) -> Result<SourceFile, ImportError> {
        let shown = self.0.join(path).display().to_string();
        let unreadable = |reason: String| ImportError::Unreadable { reason };
        let root = if self.0.as_os_str().is_empty() { Path::new(".") } else { self.0 };
        let folder = rustix::fs::openat(CWD, root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| unreadable(error.to_string()))?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let file = rustix::fs::openat2(folder.as_fd(), path, flags, Mode::empty(), inside);
        let file = file.map_err(|error| match error {
            rustix::io::Errno::NOENT => ImportError::NotFound,
            rustix::io::Errno::XDEV | rustix::io::Errno::LOOP => ImportError::Outside,
            other => unreadable(other.to_string()),
        })?;
        let text = read_bounded(file.into()).map_err(unreadable)?;
        Ok(SourceFile::new(shown, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn a_folder_gives_its_canary_files_by_name_and_passes_over_what_is_shared_or_hidden() {
        let names = ["b.yaml", "a/c.lua", "a/shared/x.yaml", ".h.yaml", "note.txt", "d.yml"];
        let folder = folder(&names.map(|name| (name, "")));
        let found = canary_files(&[folder.path().to_owned()]).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|path| path.strip_prefix(folder.path()).unwrap().to_str().unwrap())
            .collect();
        assert_eq!(found, ["a/c.lua", "b.yaml", "d.yml"]);
        let missing = canary_files(&[folder.path().join("nowhere")]).unwrap_err();
        assert!(matches!(missing, LibraryError::NotFound { .. }), "{missing}");
    }

    #[test]
    fn an_import_cannot_leave_its_folder_by_dots_or_by_links() {
        let folder = folder(&[("in/a.yaml", "here"), ("secret.yaml", "there")]);
        std::os::unix::fs::symlink("../secret.yaml", folder.path().join("in/link.yaml")).unwrap();
        let inside = folder.path().join("in");
        let imports = Folder(&inside);
        assert_eq!(imports.read("a.yaml").unwrap().text(), "here");
        assert_eq!(imports.read("b.yaml").unwrap_err(), ImportError::NotFound);
        for path in ["../secret.yaml", "link.yaml", "/etc/passwd"] {
            assert_eq!(imports.read(path).unwrap_err(), ImportError::Outside, "{path}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_a_fault_of_that_file_only() {
        let folder = folder(&[("big.yaml", &"x".repeat(1024 * 1024 + 1))]);
        fs::write(folder.path().join("bytes.yaml"), [0xff, 0xfe]).unwrap();
        let library = Library::read(&[folder.path().to_owned()], &ScriptPlace::Here).unwrap();
        let codes: Vec<_> = library.faults.iter().map(|fault| fault.diagnostic.code).collect();
        assert_eq!(codes, ["unreadable-file", "unreadable-file"]);
        assert_eq!(library.files, 2);
    }

    #[test]
    fn the_second_canary_of_a_name_is_refused() {
        let text = "canary: twin\nsteps:\n  - step: s\n    http: { get: 'http://a/' }\n";
        let folder = folder(&[("a.yaml", text), ("b.yaml", text)]);
        let library = Library::read(&[folder.path().to_owned()], &ScriptPlace::Here).unwrap();
        assert_eq!(library.canaries.len(), 1);
        assert_eq!(library.faults[0].diagnostic.code, "duplicate-canary");
        assert!(library.faults[0].file.name().ends_with("b.yaml"));
    }
}

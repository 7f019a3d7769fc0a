use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::error::OpenError;

/// The newest format of a data folder that this build reads and writes.
const FORMAT: u32 = 2;
const FORMAT_PREFIX: &str = "coalmine data folder, format ";

/// A data folder's paths.
///
/// Names in it: `format` (one line), `lock`, `wal.db`, `catalog.db`, `segments/`, `artifacts/`,
/// `buckets/`, `quarantine/`. This type is the only one that makes them.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    directory: PathBuf,
}

/// Keeps other processes out of a data folder while it lives. A kill lets go of it too.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl Folder {
    /// Opens or makes the folder, and locks it.
    ///
    /// Errors: whatever it is refused for, the folder stays as it was.
    pub(super) fn open(directory: &Path) -> Result<(Self, FolderLock), OpenError> {
        // ORDER: look, lock, then write. A folder of a newer format or one in use is left alone,
        // down to its timestamps.
        let format = read_format(directory)?;
        if format.is_none() {
            make(directory)?;
        }
        let lock = lock(directory)?;
        // A folder of an older format is of this one from here on: older builds refuse what is
        // written to it.
        if format != Some(FORMAT) {
            write_format(directory).map_err(at(&directory.join("format")))?;
        }
        let folder = Self { directory: directory.into() };
        for inner in [folder.segments(), folder.artifacts(), folder.buckets(), folder.quarantine()]
        {
            fs::create_dir_all(&inner).map_err(at(&inner))?;
        }
        Ok((folder, lock))
    }

    pub(super) fn ingest_log(&self) -> PathBuf {
        self.directory.join("wal.db")
    }

    pub(super) fn catalog(&self) -> PathBuf {
        self.directory.join("catalog.db")
    }

    pub(super) fn segments(&self) -> PathBuf {
        self.directory.join("segments")
    }

    pub(super) fn artifacts(&self) -> PathBuf {
        self.directory.join("artifacts")
    }

    pub(super) fn buckets(&self) -> PathBuf {
        self.directory.join("buckets")
    }

    pub(super) fn quarantine(&self) -> PathBuf {
        self.directory.join("quarantine")
    }

    /// Free and total bytes of the disk it lies on.
    pub(super) fn space(&self) -> io::Result<(u64, u64)> {
        let stat = rustix::fs::statvfs(&self.directory)?;
        Ok((
            stat.f_bavail.saturating_mul(stat.f_frsize),
            stat.f_blocks.saturating_mul(stat.f_frsize),
        ))
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> OpenError + use<> {
    let path = path.to_path_buf();
    move |source| OpenError::Folder { path: path.clone(), source }
}

/// The format of the folder; `None` when it is absent or empty.
fn read_format(directory: &Path) -> Result<Option<u32>, OpenError> {
    let path = directory.join("format");
    match fs::read_to_string(&path) {
        Ok(text) => {
            let number = text.trim_end().strip_prefix(FORMAT_PREFIX).and_then(|n| n.parse().ok());
            let Some(found) = number else {
                return Err(OpenError::NotOurs { directory: directory.into() });
            };
            if found > FORMAT {
                let directory = directory.into();
                return Err(OpenError::TooNew { directory, found, newest: FORMAT });
            }
            Ok(Some(found))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // `lock` alone is left by a first start that was killed before its first write.
            let foreign = |entry: io::Result<fs::DirEntry>| {
                entry.is_ok_and(|entry| {
                    !["lock", "format.new"].iter().any(|n| entry.file_name() == *n)
                })
            };
            if fs::read_dir(directory).is_ok_and(|mut entries| entries.any(foreign)) {
                return Err(OpenError::NotOurs { directory: directory.into() });
            }
            Ok(None)
        }
        Err(source) => Err(OpenError::Folder { path, source }),
    }
}

fn make(directory: &Path) -> Result<(), OpenError> {
    fs::create_dir_all(directory).map_err(at(directory))?;
    let chmod = rustix::fs::chmod(directory, rustix::fs::Mode::RWXU);
    chmod.map_err(|errno| at(directory)(errno.into()))?;
    Ok(())
}

fn lock(directory: &Path) -> Result<FolderLock, OpenError> {
    let path = directory.join("lock");
    // An existing lock file is opened for reading: trying the lock must not touch it.
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            File::create(&path).map_err(at(&path))?
        }
        Err(source) => return Err(OpenError::Folder { path, source }),
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(FolderLock { _file: file }),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(OpenError::Locked { directory: directory.into() })
        }
        Err(errno) => Err(OpenError::Folder { path, source: errno.into() }),
    }
}

fn write_format(directory: &Path) -> io::Result<()> {
    // ORDER: bytes, then the name, then the folder, so that the line is whole or absent.
    let (new, kept) = (directory.join("format.new"), directory.join("format"));
    let mut file = File::create(&new)?;
    writeln!(file, "{FORMAT_PREFIX}{FORMAT}")?;
    file.sync_all()?;
    fs::rename(&new, &kept)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(directory: &Path) -> Vec<(PathBuf, std::time::SystemTime)> {
        let mut entries: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.path(), entry.metadata().unwrap().modified().unwrap()))
            .collect();
        entries.sort();
        entries
    }

    #[test]
    fn a_second_opener_is_refused_and_changes_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let first = Folder::open(temp.path()).unwrap();
        let before = listing(temp.path());
        let error = Folder::open(temp.path()).unwrap_err();
        assert!(matches!(error, OpenError::Locked { .. }), "{error}");
        assert_eq!(listing(temp.path()), before);
        drop(first);
        Folder::open(temp.path()).unwrap();
    }

    #[test]
    fn a_newer_format_is_refused_by_name_and_nothing_changes() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("format"), "coalmine data folder, format 3\n").unwrap();
        let before = listing(temp.path());
        let error = Folder::open(temp.path()).unwrap_err();
        let text = error.to_string();
        assert!(text.ends_with("has format 3, this build reads up to 2"), "{text}");
        assert_eq!(listing(temp.path()), before);
    }

    #[test]
    fn a_folder_of_other_files_is_not_taken_over() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("thesis.tex"), "").unwrap();
        let error = Folder::open(temp.path()).unwrap_err();
        assert!(matches!(error, OpenError::NotOurs { .. }), "{error}");
        assert_eq!(listing(temp.path()).len(), 1);
    }
}

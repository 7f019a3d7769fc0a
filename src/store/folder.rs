use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::error::OpenError;

/// The newest format of a data folder that this build reads and writes.
pub(super) const FORMAT: u32 = 2;
/// By which a catalog is known as ours: `coal`, big-endian.
pub(super) const CATALOG_ID: i32 = 0x636f_616c;
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
        if format == Found::Nothing {
            make(directory)?;
        }
        let lock = lock(directory)?;
        let folder = Self { directory: directory.into() };
        let path = directory.join("format");
        if format == Found::Damaged {
            fs::create_dir_all(folder.quarantine()).map_err(at(&folder.quarantine()))?;
            tracing::error!(path = %path.display(), "damaged file is set aside and written anew");
            set_aside(&path, &folder.quarantine()).map_err(at(&path))?;
        }
        // A folder of an older format is of this one from here on: older builds refuse what is
        // written to it.
        if format != Found::Whole {
            write_format(directory).map_err(at(&path))?;
        }
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

/// What there is of a data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// It is absent or empty.
    Nothing,
    /// One of an older format, which this build reads.
    Older,
    /// One of this format.
    Whole,
    /// One that this build reads, as its catalog says: the line of its format is damaged.
    Damaged,
}

fn read_format(directory: &Path) -> Result<Found, OpenError> {
    let path = directory.join("format");
    let number = match fs::read(&path) {
        Ok(text) => format_of_line(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(OpenError::Folder { path, source }),
    };
    if let Some(found) = number {
        let whole = if found == FORMAT { Found::Whole } else { Found::Older };
        return known(directory, found).map(|()| whole);
    }
    if let Some(found) = format_of_catalog(&directory.join("catalog.db")) {
        return known(directory, found).map(|()| Found::Damaged);
    }
    // `lock` alone is left by a first start that was killed before its first write.
    let foreign = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| !["lock", "format.new"].iter().any(|n| entry.file_name() == *n))
    };
    if fs::read_dir(directory).is_ok_and(|mut entries| entries.any(foreign)) {
        return Err(OpenError::NotOurs { directory: directory.into() });
    }
    Ok(Found::Nothing)
}

fn known(directory: &Path, found: u32) -> Result<(), OpenError> {
    if found > FORMAT {
        return Err(OpenError::TooNew { directory: directory.into(), found, newest: FORMAT });
    }
    Ok(())
}

fn format_of_line(line: &[u8]) -> Option<u32> {
    let line = std::str::from_utf8(line).ok()?;
    let number = line.strip_suffix('\n')?.strip_prefix(FORMAT_PREFIX)?.parse().ok();
    number.filter(|format| *format > 0)
}

/// The format that a catalog carries in its header, for when the line is damaged.
///
/// Source: SQLite's file format, "Application ID" and "User Version Number".
fn format_of_catalog(catalog: &Path) -> Option<u32> {
    let mut header = [0; 72];
    File::open(catalog).and_then(|mut file| file.read_exact(&mut header)).ok()?;
    let field = |at: usize| header.get(at..at + 4)?.try_into().ok().map(i32::from_be_bytes);
    (field(68)? == CATALOG_ID).then(|| field(60)).flatten().and_then(|n| n.try_into().ok())
}

/// Moves a damaged file away, so that it can still be looked at; one that is absent is no error.
pub(super) fn set_aside(path: &Path, quarantine: &Path) -> io::Result<()> {
    let Some(name) = path.file_name() else { return Ok(()) };
    let kept = (0u32..).map(|n| quarantine.join(format!("{n}-{}", name.to_string_lossy())));
    let Some(kept) = kept.into_iter().find(|kept| !kept.exists()) else { return Ok(()) };
    match fs::rename(path, kept) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
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
    fn a_damaged_format_line_is_set_aside_and_the_catalog_vouches_for_the_folder() {
        let temp = tempfile::tempdir().unwrap();
        let (format, catalog) = (temp.path().join("format"), temp.path().join("catalog.db"));
        drop(Folder::open(temp.path()).unwrap());
        drop(super::super::catalog::Catalog::open(&catalog).unwrap());
        for damaged in [&b"coalmine data folder, fo"[..], b"coalmine data folder, format 0\n", b""]
        {
            fs::write(&format, damaged).unwrap();
            drop(Folder::open(temp.path()).unwrap());
            assert_eq!(fs::read_to_string(&format).unwrap(), "coalmine data folder, format 2\n");
        }
        assert_eq!(fs::read(temp.path().join("quarantine/1-format")).unwrap().len(), 31);

        fs::write(&format, "coal").unwrap();
        let connection = rusqlite::Connection::open(&catalog).unwrap();
        connection.pragma_update(None, "user_version", 3).unwrap();
        drop(connection);
        let error = Folder::open(temp.path()).unwrap_err();
        assert!(matches!(error, OpenError::TooNew { found: 3, .. }), "{error}");
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

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::store::folder::set_aside;

/// A copy of the catalog beside it, as whole as the moment it was made.
fn backup_path(catalog: &Path) -> PathBuf {
    catalog.with_extension("backup.db")
}

/// Puts the copy in the place of a damaged catalog, which is kept in `quarantine`. Blocking.
///
/// The copy is made before each trim of the ingest log and before objects are deleted, so copy, log
/// and objects together hold everything. Before the first copy the log alone does: then an empty
/// catalog is begun, and the replay fills it.
pub(in crate::store) fn restore(path: &Path, quarantine: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        set_aside(Path::new(&beside), quarantine)?;
    }
    match fs::copy(backup_path(path), path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether an error means that the catalog is not what was written.
pub(in crate::store) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    let is_page = matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase));
    // A row whose text is no text, or whose account is no account, was not written by us.
    let is_value = matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
    );
    is_page || is_value
}

/// Copies the catalog as it is now, beside its writer. Blocking.
///
/// ORDER: the copy is whole and on the disk before it takes the place of the last one.
pub(in crate::store) fn copy(path: &Path) -> rusqlite::Result<()> {
    let (new, kept) = (path.with_extension("backup.new"), backup_path(path));
    let failed = |source: io::Error| {
        let message = format!("cannot copy the catalog: {source}");
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(10), Some(message))
    };
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.execute("vacuum into ?1", [new.to_string_lossy()])?;
    File::open(&new).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(&new, &kept).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

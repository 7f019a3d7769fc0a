//! Where the shots of a run are found: a folder, a zip archive, a report.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::report::{EmbeddedShot, embedded_shots};
use crate::visual::{ShotRecord, ShotRecordFault};

/// BOUND: a picture, a sidecar or a record is no longer.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// BOUND: a report is no longer; one with pictures in it is long.
const REPORT_BYTES_MAX: u64 = 1 << 30;
/// BOUND: a run of a suite leaves fewer files.
const FILES_MAX: usize = 200_000;
/// Folders within folders that are searched.
const DEPTH_MAX: usize = 16;

/// What a run left.
#[derive(Debug)]
pub(super) enum Source {
    Disk,
    Zip(Box<ZipArchive<BufReader<File>>>),
    Html(Vec<EmbeddedShot>),
}

/// A shot that was found, and where its files are.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) record: ShotRecord,
    pub(super) place: Place,
}

/// Where the files of one shot are.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Folder(PathBuf),
    /// What stands before the file's name in the archive.
    Archive(String),
    Report(usize),
}

/// Which file of a shot.
#[derive(Clone, Copy, Debug)]
pub(super) enum ShotFile {
    Screenshot,
    Baseline,
    Sidecar,
}

/// Why the shots of a run cannot be had.
#[derive(Debug, Error)]
pub(super) enum SourceError {
    #[error("cannot read {}", .path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is no zip archive that can be read", .path.display())]
    Archive {
        path: PathBuf,
        #[source]
        source: ZipError,
    },
    #[error("{} is neither a folder, a zip archive nor a report", .path.display())]
    Unknown { path: PathBuf },
    #[error("cannot use {place}")]
    Record {
        place: String,
        #[source]
        source: ShotRecordFault,
    },
    #[error("{} names {count} pictures whose files are not here", .path.display())]
    Absent { path: PathBuf, count: usize },
    #[error("{} holds more than {FILES_MAX} files", .path.display())]
    TooMany { path: PathBuf },
}

impl Source {
    /// Finds every shot of a run at `path`.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Found>), SourceError> {
        let read = |source| SourceError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(read)?.is_dir() {
            return Ok((Self::Disk, in_folder(path)?));
        }
        let mut file = BufReader::new(File::open(path).map_err(read)?);
        let start = file.fill_buf().map_err(read)?;
        let start = String::from_utf8_lossy(start.get(..start.len().min(64)).unwrap_or_default());
        let start = start.trim_start().to_ascii_lowercase();
        if start.starts_with("pk") {
            in_archive(path, file)
        } else if start.starts_with("<!doctype html") {
            let mut html = String::new();
            file.take(REPORT_BYTES_MAX).read_to_string(&mut html).map_err(read)?;
            let shots = embedded_shots(&html).map_err(|source| SourceError::Record {
                place: path.display().to_string(),
                source,
            })?;
            let found = shots
                .iter()
                .enumerate()
                .map(|(at, shot)| Found { record: shot.record.clone(), place: Place::Report(at) });
            let found = found.collect();
            Ok((Self::Html(shots), found))
        } else if start.starts_with('{') {
            Ok((Self::Disk, in_json_report(path, file)?))
        } else {
            Err(SourceError::Unknown { path: path.to_owned() })
        }
    }

    /// Reads a file of a shot; `None` where the run left none of that kind.
    pub(super) fn read(
        &mut self,
        shot: &Found,
        file: ShotFile,
    ) -> Result<Option<Vec<u8>>, SourceError> {
        let files = &shot.record.files;
        let name = match file {
            ShotFile::Screenshot => Some(&files.screenshot),
            ShotFile::Baseline => files.baseline.as_ref(),
            ShotFile::Sidecar => files.sidecar.as_ref(),
        };
        let Some(name) = name else { return Ok(None) };
        match (self, &shot.place) {
            (Self::Zip(archive), Place::Archive(prefix)) => {
                let path = format!("{prefix}{name}");
                entry(archive, &path).map(Some)
            }
            (Self::Html(shots), Place::Report(at)) => {
                Ok(shots.get(*at).and_then(|shot| match file {
                    ShotFile::Screenshot => Some(shot.screenshot.clone()),
                    ShotFile::Baseline => shot.baseline.clone(),
                    ShotFile::Sidecar => shot.sidecar.clone().map(String::into_bytes),
                }))
            }
            (_, Place::Folder(folder)) => bounded(&folder.join(name)).map(Some),
            _ => Ok(None),
        }
    }
}

fn is_record(name: &str) -> bool {
    name.ends_with(ShotRecord::SUFFIX)
}

fn bounded(path: &Path) -> Result<Vec<u8>, SourceError> {
    let read = || -> io::Result<Vec<u8>> {
        // A link in a downloaded folder may lead to what nobody wants in a repository.
        if std::fs::symlink_metadata(path)?.file_type().is_symlink() {
            return Err(io::Error::other("it is a link"));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    };
    read().map_err(|source| SourceError::Read { path: path.to_owned(), source })
}

fn parse(json: &[u8], place: impl FnOnce() -> String) -> Result<ShotRecord, SourceError> {
    ShotRecord::parse(json).map_err(|source| SourceError::Record { place: place(), source })
}

fn in_folder(root: &Path) -> Result<Vec<Found>, SourceError> {
    let mut found = Vec::new();
    let mut files = 0_usize;
    let mut pending = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = pending.pop() {
        let list = || -> io::Result<Vec<(PathBuf, bool)>> {
            let entries = std::fs::read_dir(&folder)?;
            let each = |entry: io::Result<std::fs::DirEntry>| {
                let entry = entry?;
                Ok((entry.path(), entry.file_type()?.is_dir()))
            };
            entries.map(each).collect()
        };
        let read = |source| SourceError::Read { path: folder.clone(), source };
        for (path, is_folder) in list().map_err(read)? {
            files += 1;
            if files > FILES_MAX {
                return Err(SourceError::TooMany { path: root.to_owned() });
            }
            if is_folder && depth < DEPTH_MAX {
                pending.push((path, depth + 1));
            } else if is_record(&path.to_string_lossy()) {
                let record = parse(&bounded(&path)?, || path.display().to_string())?;
                found.push(Found { record, place: Place::Folder(folder.clone()) });
            }
        }
    }
    Ok(found)
}

fn in_archive(path: &Path, file: BufReader<File>) -> Result<(Source, Vec<Found>), SourceError> {
    let broken = |source| SourceError::Archive { path: path.to_owned(), source };
    let mut archive = ZipArchive::new(file).map_err(broken)?;
    if archive.len() > FILES_MAX {
        return Err(SourceError::TooMany { path: path.to_owned() });
    }
    // Names that are no text name none of our files.
    let names = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned()));
    let names: Vec<String> = names.filter(|name| is_record(name)).collect();
    let mut found = Vec::new();
    for name in names {
        let record = parse(&entry(&mut archive, &name)?, || name.clone())?;
        let prefix = name.rfind('/').and_then(|at| name.get(..=at)).unwrap_or_default();
        found.push(Found { record, place: Place::Archive(prefix.to_owned()) });
    }
    Ok((Source::Zip(Box::new(archive)), found))
}

fn entry(archive: &mut ZipArchive<BufReader<File>>, name: &str) -> Result<Vec<u8>, SourceError> {
    let path = || PathBuf::from(name);
    let entry =
        archive.by_name(name).map_err(|source| SourceError::Archive { path: path(), source })?;
    let mut bytes = Vec::new();
    // Counted as it is inflated: what the archive says about sizes is not believed.
    let read = entry.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    let read = read.and_then(|_| match bytes.len() as u64 > FILE_BYTES_MAX {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(()),
    });
    read.map_err(|source| SourceError::Read { path: path(), source })?;
    Ok(bytes)
}

/// The records that a JSON report names, where they are: from here, or from the report's folder.
fn in_json_report(path: &Path, file: BufReader<File>) -> Result<Vec<Found>, SourceError> {
    let read = |source| SourceError::Read { path: path.to_owned(), source };
    let mut found = Vec::new();
    let mut absent = 0;
    for line in file.take(REPORT_BYTES_MAX).lines() {
        let line: serde_json::Value =
            serde_json::from_str(&line.map_err(read)?).unwrap_or_default();
        let artifacts = line.get("artifacts").and_then(|list| list.as_array());
        for artifact in artifacts.into_iter().flatten() {
            let text = |key: &str| artifact.get(key).and_then(|value| value.as_str());
            let (Some("shot-record"), Some(name)) = (text("kind"), text("name")) else { continue };
            let beside = path.parent().unwrap_or(Path::new("")).join(name);
            let places = [PathBuf::from(name), beside];
            let Some(record_path) = places.into_iter().find(|path| path.exists()) else {
                absent += 1;
                continue;
            };
            let record = parse(&bounded(&record_path)?, || name.to_owned())?;
            let folder = record_path.parent().unwrap_or(Path::new("")).to_owned();
            found.push(Found { record, place: Place::Folder(folder) });
        }
    }
    if absent > 0 {
        return Err(SourceError::Absent { path: path.to_owned(), count: absent });
    }
    Ok(found)
}

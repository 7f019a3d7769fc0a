use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ExitStatus;
use super::fatal::Fatal;
use crate::visual::Sidecar;

/// A picture's file larger than this is not read: no picture within the limits is.
const FILE_BYTES_MAX: u64 = 300 << 20;

/// A sidecar larger than this is not read.
const SIDECAR_BYTES_MAX: u64 = 32 << 20;

/// Folders within folders that are searched.
const DEPTH_MAX: usize = 16;

/// Pictures to compare, by name: two files, or the files of two folders.
#[derive(Debug)]
pub(super) struct Pictures {
    pairs: BTreeMap<String, (Option<PictureFile>, Option<PictureFile>)>,
    are_folders: bool,
}

/// One file that should hold a picture.
#[derive(Clone, Debug)]
pub(super) struct PictureFile(PathBuf);

impl Pictures {
    /// Finds what is to be compared.
    pub(super) fn find(baseline: &Path, actual: &Path) -> Result<Self, Fatal> {
        match (kind(baseline)?, kind(actual)?) {
            (Kind::File, Kind::File) => {
                let name = actual.file_name().unwrap_or(actual.as_os_str());
                let file = |path: &Path| Some(PictureFile(path.to_owned()));
                let files = (file(baseline), file(actual));
                let pairs = BTreeMap::from([(name.to_string_lossy().into_owned(), files)]);
                Ok(Self { pairs, are_folders: false })
            }
            (Kind::Folder, Kind::Folder) => {
                let mut pairs: BTreeMap<String, (Option<PictureFile>, Option<PictureFile>)> =
                    BTreeMap::new();
                for (name, file) in pictures_in(baseline)? {
                    pairs.entry(name).or_default().0 = Some(file);
                }
                for (name, file) in pictures_in(actual)? {
                    pairs.entry(name).or_default().1 = Some(file);
                }
                if pairs.is_empty() {
                    let message = "neither folder holds a picture";
                    return Err(Fatal::new(ExitStatus::Usage, message)
                        .hint("pictures are files that end in .png, .jpg, .jpeg or .webp"));
                }
                Ok(Self { pairs, are_folders: true })
            }
            _ => Err(Fatal::new(ExitStatus::Usage, "cannot compare a picture with a folder")
                .hint("give two pictures or two folders")),
        }
    }

    pub(super) const fn are_folders(&self) -> bool {
        self.are_folders
    }

    /// Name, baseline and actual file of each picture, by name.
    pub(super) fn pairs(
        &self,
    ) -> impl Iterator<Item = (&str, Option<&PictureFile>, Option<&PictureFile>)> {
        self.pairs.iter().map(|(name, (old, new))| (name.as_str(), old.as_ref(), new.as_ref()))
    }
}

enum Kind {
    File,
    Folder,
}

fn kind(path: &Path) -> Result<Kind, Fatal> {
    let found = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    Ok(if found.is_dir() { Kind::Folder } else { Kind::File })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fatal {
    Fatal::new(ExitStatus::Usage, format!("cannot read {}", path.display())).because(error)
}

/// Every picture in a folder and the folders in it, with its path from there. Links to folders
/// are not followed: they may lead in circles.
fn pictures_in(folder: &Path) -> Result<Vec<(String, PictureFile)>, Fatal> {
    let mut found = Vec::new();
    let mut pending = vec![(folder.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = pending.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(&folder, &error))?;
            let kind = entry.file_type().map_err(|error| unreadable(&entry.path(), &error))?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if kind.is_dir() && depth < DEPTH_MAX {
                pending.push((entry.path(), format!("{name}/"), depth + 1));
            } else if !kind.is_dir() && is_picture(&entry.path()) {
                found.push((name, PictureFile(entry.path())));
            }
        }
    }
    Ok(found)
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    ["png", "jpg", "jpeg", "webp"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

impl PictureFile {
    /// Reads it; the fault says which file and why.
    pub(super) fn read(&self) -> Result<Vec<u8>, String> {
        bounded(&self.0, FILE_BYTES_MAX)
            .map_err(|error| format!("cannot read {}: {error}", self.0.display()))
    }

    /// The sidecar beside it, where there is one that can be read.
    pub(super) fn sidecar(&self) -> Option<Sidecar> {
        let bytes = bounded(&self.0.with_extension("dom.json"), SIDECAR_BYTES_MAX).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

fn bounded(path: &Path, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let file = std::fs::File::open(path)?;
    let size = file.metadata()?.len();
    if size > bytes_max {
        return Err(std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            format!("it is {size} bytes long; the limit is {bytes_max}"),
        ));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

//! The folder of approved pictures, on the disk.
//!
//! Main type: [`BaselineFolder`]. What lies in it is committed by people, strangers among them, so
//! no link in it is followed, neither to read nor to write.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use thiserror::Error;

use super::files::{CanaryFileError, read_beneath};
use crate::visual::{
    ApprovedShot, BaselineName, BaselineRecord, Decision, PictureFault, PixelHash, Rejections,
    Sidecar,
};

/// A baseline's picture and its record may be so large.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The folder of approved pictures. It need not exist before something is approved.
#[derive(Clone, Debug)]
pub struct BaselineFolder {
    root: PathBuf,
}

/// A baseline as it lies on the disk.
#[derive(Clone, Debug)]
pub struct StoredBaseline {
    /// The picture's file.
    pub picture: Bytes,
    /// The record beside it; pictures that people put there have none.
    pub record: Option<BaselineRecord>,
    /// The page's words when it was approved.
    pub sidecar: Option<Sidecar>,
}

/// A baseline could not be written.
#[derive(Debug, Error)]
pub enum BaselineError {
    /// The shot is no picture.
    #[error("the shot is no picture that can be kept")]
    Picture(#[source] PictureFault),
    /// A link is on the way: it may lead anywhere.
    #[error("`{path}` leads out of the folder of baselines")]
    Outside {
        /// Relative to the folder.
        path: String,
    },
    /// The system refused.
    #[error("cannot write `{path}`")]
    Write {
        /// Relative to the folder.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl BaselineFolder {
    /// The folder at `root`.
    pub const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Reads one file of it; `None` where there is none. Blocks.
    pub fn read(&self, path: &str) -> Result<Option<Bytes>, CanaryFileError> {
        match read_beneath(&self.root, path.into(), FILE_BYTES_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(CanaryFileError::Read { source, .. })
                if source.kind() == io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the baseline of a name; `None` where there is none. Blocks.
    ///
    /// A record or sidecar that cannot be understood says nothing; the picture still does.
    pub fn stored(&self, name: &BaselineName) -> Result<Option<StoredBaseline>, CanaryFileError> {
        let Some(picture) = self.read(&name.picture())? else { return Ok(None) };
        let record = self.read(&name.record())?;
        let record = record.and_then(|json| serde_json::from_slice(&json).ok());
        let sidecar = self.read(&name.sidecar())?;
        let sidecar = sidecar.and_then(|json| serde_json::from_slice(&json).ok());
        Ok(Some(StoredBaseline { picture, record, sidecar }))
    }

    /// Who rejected which picture of a name. Blocks.
    pub fn rejections(&self, name: &BaselineName) -> Result<Rejections, CanaryFileError> {
        let json = self.read(&name.rejections())?;
        Ok(json.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default())
    }

    /// Makes a shot the baseline of its name. Blocks.
    ///
    /// What was accepted as noise of the picture before is forgotten: it was noise of that one.
    pub fn approve(
        &self,
        name: &BaselineName,
        shot: &ApprovedShot<'_>,
    ) -> Result<(), BaselineError> {
        let files = shot.files(name).map_err(BaselineError::Picture)?;
        if shot.sidecar.is_none() {
            self.remove(&name.sidecar())?;
        }
        for (path, bytes) in files {
            self.write(&path, &bytes)?;
        }
        Ok(())
    }

    /// Accepts these pixels as noise of a baseline: they pass from now on. Blocks.
    pub fn tolerate(
        &self,
        name: &BaselineName,
        mut record: BaselineRecord,
        pixels: PixelHash,
    ) -> Result<(), BaselineError> {
        record.tolerated.insert(pixels);
        self.write(&name.record(), &json(&record))
    }

    /// Keeps that somebody did not want these pixels. Blocks.
    pub fn reject(
        &self,
        name: &BaselineName,
        (mut rejections, pixels): (Rejections, PixelHash),
        decision: Decision,
    ) -> Result<(), BaselineError> {
        rejections.rejected.insert(pixels, decision);
        self.write(&name.rejections(), &json(&rejections))
    }

    /// Forgets that somebody did not want these pixels. Blocks.
    pub fn forgive(
        &self,
        name: &BaselineName,
        (mut rejections, pixels): (Rejections, PixelHash),
    ) -> Result<(), BaselineError> {
        if rejections.rejected.remove(&pixels).is_none() {
            return Ok(());
        }
        if rejections.rejected.is_empty() {
            return self.remove(&name.rejections());
        }
        self.write(&name.rejections(), &json(&rejections))
    }

    /// Removes a baseline with everything beside it. Blocks.
    pub fn delete(&self, name: &BaselineName) -> Result<(), BaselineError> {
        for path in [name.record(), name.sidecar(), name.rejections(), name.picture()] {
            self.remove(&path)?;
        }
        Ok(())
    }

    /// The names of all baselines, in order. Files that are none are passed over. Blocks.
    pub fn names(&self) -> io::Result<Vec<BaselineName>> {
        let entries = match std::fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for folder in entries {
            let folder = folder?;
            if !folder.file_type()?.is_dir() {
                continue;
            }
            let canary = folder.file_name().to_string_lossy().into_owned();
            for file in std::fs::read_dir(folder.path())? {
                let file = file?.file_name();
                names.extend(format!("{canary}/{}", file.to_string_lossy()).parse());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Writes one file beneath the folder, under a name of its own first, so that nobody reads half
    /// of it.
    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), BaselineError> {
        let written = || -> io::Result<()> {
            let (folder, file) = path.split_once('/').unwrap_or(("", path));
            std::fs::create_dir_all(&self.root)?;
            match std::fs::create_dir(self.root.join(folder)) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            let folder = self.open_folder(folder)?;
            let unfinished = format!("{file}.new");
            match rustix::fs::unlinkat(&folder, &unfinished, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let mode = Mode::from_raw_mode(0o644);
            let mut out = File::from(rustix::fs::openat(&folder, &unfinished, flags, mode)?);
            out.write_all(bytes)?;
            out.sync_all()?;
            rustix::fs::renameat(&folder, &unfinished, &folder, file)?;
            Ok(())
        };
        written().map_err(|source| refused(path, source))
    }

    fn remove(&self, path: &str) -> Result<(), BaselineError> {
        let removed = || -> io::Result<()> {
            let (folder, file) = path.split_once('/').unwrap_or(("", path));
            rustix::fs::unlinkat(self.open_folder(folder)?, file, AtFlags::empty())?;
            Ok(())
        };
        match removed() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refused(path, error)),
            _ => Ok(()),
        }
    }

    fn open_folder(&self, name: &str) -> io::Result<rustix::fd::OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, &self.root, flags, Mode::empty())?;
        let beneath =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        Ok(rustix::fs::openat2(&root, name, flags, Mode::empty(), beneath)?)
    }
}

fn refused(path: &str, source: io::Error) -> BaselineError {
    let path = path.to_owned();
    let left = [Errno::XDEV, Errno::LOOP];
    match source.raw_os_error() {
        Some(code) if left.iter().any(|errno| errno.raw_os_error() == code) => {
            BaselineError::Outside { path }
        }
        _ => BaselineError::Write { path, source },
    }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::visual::{Environment, Theme, pixel_hash};

    fn environment() -> Environment {
        Environment {
            browser: "chromium".to_owned(),
            browser_major: 156,
            platform: "linux-x86_64".to_owned(),
            fonts: "1f2e".to_owned(),
            scale_percent: 100,
            theme: Theme::Light,
            capture: "cdp-fast".to_owned(),
        }
    }

    fn png() -> Vec<u8> {
        let mut png = io::Cursor::new(Vec::new());
        let image = image::RgbImage::from_pixel(8, 8, [9; 3].into());
        image.write_to(&mut png, image::ImageFormat::Png).unwrap();
        png.into_inner()
    }

    fn decision() -> Decision {
        let at = "2026-11-24T00:00:00Z".to_owned();
        Decision { by: "Ann".to_owned(), why: "new header".to_owned(), at, run: None }
    }

    fn name() -> BaselineName {
        "shop/results@8x8.png".parse().unwrap()
    }

    fn approve(folder: &BaselineFolder) -> Result<(), BaselineError> {
        let (png, environment, decision) = (png(), environment(), decision());
        let shot = ApprovedShot {
            capture: &png,
            environment: &environment,
            sidecar: None,
            approval: Some(&decision),
        };
        folder.approve(&name(), &shot)
    }

    #[test]
    fn an_approved_shot_is_found_again_with_who_and_why() {
        let root = tempfile::tempdir().unwrap();
        let folder = BaselineFolder::new(root.path().join("not/yet/there"));
        assert!(folder.stored(&name()).unwrap().is_none() && folder.names().unwrap().is_empty());
        approve(&folder).unwrap();
        let stored = folder.stored(&name()).unwrap().unwrap();
        assert_eq!(stored.record.unwrap().approval, Some(decision()));
        assert_eq!(folder.names().unwrap(), [name()]);
        folder.delete(&name()).unwrap();
        assert!(folder.names().unwrap().is_empty());
    }

    #[test]
    fn a_rejection_is_kept_until_the_picture_is_approved_after_all() {
        let root = tempfile::tempdir().unwrap();
        let folder = BaselineFolder::new(root.path().to_owned());
        let pixels = pixel_hash(&png()).unwrap();
        let kept = || folder.rejections(&name()).unwrap();
        folder.reject(&name(), (kept(), pixels), decision()).unwrap();
        assert_eq!(kept().rejected.get(&pixels), Some(&decision()));
        folder.forgive(&name(), (kept(), pixels)).unwrap();
        assert_eq!(kept(), Rejections::default());
        assert!(!root.path().join(name().rejections()).exists());
    }

    #[test]
    fn no_link_in_the_folder_is_followed_when_writing() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = BaselineFolder::new(root.path().to_owned());
        std::os::unix::fs::symlink(outside.path(), root.path().join("shop")).unwrap();
        assert!(matches!(approve(&folder), Err(BaselineError::Outside { .. })));
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
        std::fs::remove_file(root.path().join("shop")).unwrap();
        let (victim, trap) = (outside.path().join("victim"), root.path().join("shop"));
        std::fs::write(&victim, "untouched").unwrap();
        std::fs::create_dir(&trap).unwrap();
        for file in ["results@8x8.png", "results@8x8.png.new", "results@8x8.json"] {
            std::os::unix::fs::symlink(&victim, trap.join(file)).unwrap();
        }
        approve(&folder).unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "untouched");
    }
}

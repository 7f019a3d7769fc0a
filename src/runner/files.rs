//! Files that a canary may read: those inside its own folder.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use thiserror::Error;

/// Why a file of a canary cannot be read.
#[derive(Debug, Error)]
pub enum CanaryFileError {
    /// It does not lie inside the canary's folder, or a link is on the way.
    #[error("`{}` is not inside the canary's folder", .path.display())]
    Outside {
        /// As the canary names it.
        path: PathBuf,
    },
    /// It is not a plain file.
    #[error("`{}` is not a plain file", .path.display())]
    NotAFile {
        /// As the canary names it.
        path: PathBuf,
    },
    /// It is longer than allowed.
    #[error("`{}` is longer than {bytes_max} bytes", .path.display())]
    TooLarge {
        /// As the canary names it.
        path: PathBuf,
        /// Bytes allowed.
        bytes_max: u64,
    },
    /// The system refused.
    #[error("cannot read `{}`", .path.display())]
    Read {
        /// As the canary names it.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl CanaryFileError {
    /// Whether the canary asked for what it must not have.
    pub const fn is_policy(&self) -> bool {
        matches!(self, Self::Outside { .. })
    }
}

/// Reads a file inside `folder`, off the runtime's threads.
///
/// The kernel resolves the path beneath the folder: neither `..` nor a link, committed to a
/// repository or swapped in while we look, leads out.
/// Errors: `Outside`, `NotAFile`, `TooLarge`, `Read`.
pub(super) async fn read_inside(
    folder: &Path,
    path: &Path,
    bytes_max: u64,
) -> Result<Bytes, CanaryFileError> {
    let (folder, path) = (folder.to_owned(), path.to_owned());
    let failed = path.clone();
    let read = tokio::task::spawn_blocking(move || read_beneath(&folder, path, bytes_max)).await;
    read.unwrap_or_else(|cancelled| {
        Err(CanaryFileError::Read { path: failed, source: io::Error::other(cancelled) })
    })
}

/// The same, on this thread.
pub(super) fn read_beneath(
    folder: &Path,
    path: PathBuf,
    bytes_max: u64,
) -> Result<Bytes, CanaryFileError> {
    use rustix::io::Errno;
    let system =
        |path: &Path, source: io::Error| CanaryFileError::Read { path: path.to_owned(), source };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, folder, flags, Mode::empty())
        .map_err(|error| system(&path, error.into()))?;
    // NONBLOCK: opening a pipe must not wait for its writer.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let file = match rustix::fs::openat2(&root, &path, flags, Mode::empty(), beneath) {
        Ok(file) => std::fs::File::from(file),
        Err(Errno::XDEV | Errno::LOOP) => return Err(CanaryFileError::Outside { path }),
        Err(error) => return Err(system(&path, error.into())),
    };
    let metadata = file.metadata().map_err(|error| system(&path, error))?;
    if !metadata.is_file() {
        return Err(CanaryFileError::NotAFile { path });
    }
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(|error| system(&path, error))?;
    if bytes.len() as u64 > bytes_max {
        return Err(CanaryFileError::TooLarge { path, bytes_max });
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(folder: &Path, path: &str) -> Result<Bytes, CanaryFileError> {
        read_inside(folder, Path::new(path), 10).await
    }

    #[tokio::test]
    async fn only_plain_files_inside_the_folder_are_read() {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("canaries");
        std::fs::create_dir_all(folder.join("data")).unwrap();
        std::fs::write(outside.path().join("secret"), "secret").unwrap();
        std::fs::write(folder.join("data/body.txt"), "body").unwrap();
        std::fs::write(folder.join("long"), "01234567890").unwrap();
        std::os::unix::fs::symlink("../secret", folder.join("link")).unwrap();
        std::os::unix::fs::symlink("/proc/self/environ", folder.join("environ")).unwrap();
        std::os::unix::fs::symlink("..", folder.join("up")).unwrap();

        assert_eq!(read(&folder, "data/body.txt").await.unwrap(), "body");
        assert_eq!(read(&folder, "data/../data/body.txt").await.unwrap(), "body");
        let absolute = outside.path().join("secret");
        for path in
            ["../secret", "data/../../secret", "link", "environ", "up/secret", "/etc/passwd"]
                .into_iter()
                .chain(absolute.to_str())
        {
            let refused = read(&folder, path).await.unwrap_err();
            assert!(refused.is_policy(), "{path}: {refused:?}");
        }
        let refused = read(&folder, "data").await.unwrap_err();
        assert!(matches!(refused, CanaryFileError::NotAFile { .. }), "{refused:?}");
        let refused = read(&folder, "long").await.unwrap_err();
        assert!(matches!(refused, CanaryFileError::TooLarge { bytes_max: 10, .. }), "{refused:?}");
        let refused = read(&folder, "absent").await.unwrap_err();
        assert!(matches!(refused, CanaryFileError::Read { .. }), "{refused:?}");
    }
}

use std::io;
use std::path::{Path, PathBuf};

use crate::canary::report::RunReport;
use crate::visual::ShotRecord;

/// Writes the files that runs left into a folder, one folder a canary.
#[derive(Debug)]
pub(super) struct ArtifactFolder {
    root: PathBuf,
}

impl ArtifactFolder {
    pub(super) const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Writes the run's files and puts their paths into its report, so that every kind of report
    /// names files that can be opened.
    pub(super) fn keep(&self, run: &mut RunReport) -> io::Result<()> {
        let folder = self.root.join(folder_name(run));
        forget_shots(&folder)?;
        if run.artifacts.is_empty() {
            return Ok(());
        }
        std::fs::create_dir_all(&folder)?;
        for artifact in &mut run.artifacts {
            let path = folder.join(safe(&artifact.name));
            std::fs::write(&path, &artifact.bytes)?;
            artifact.name = path.display().to_string();
        }
        for step in run.attempts.iter_mut().flat_map(|attempt| &mut attempt.steps) {
            for name in step.pictures.iter_mut().flat_map(|picture| &mut picture.artifacts) {
                *name = folder.join(safe(name)).display().to_string();
            }
        }
        Ok(())
    }
}

/// Removes the records of shots of an earlier run: what is left to decide is what this run saw.
fn forget_shots(folder: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(ShotRecord::SUFFIX) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// `shop-search`, or `shop-search-currency=eur` for one run of a matrix.
fn folder_name(run: &RunReport) -> PathBuf {
    let mut name = run.canary.to_string();
    for (key, value) in &run.parameters {
        name = format!("{name}-{key}={value}");
    }
    safe(&name).into()
}

/// A name that is one part of a path, whatever it came from.
fn safe(name: &str) -> String {
    const LENGTH_MAX: usize = 120;
    let keeps = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '=' | '@');
    let name: String =
        name.chars().map(|c| if keeps(c) { c } else { '_' }).take(LENGTH_MAX).collect();
    if name.starts_with('.') || Path::new(&name).file_name().is_none() {
        return format!("_{name}");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_the_folder() {
        for (name, kept) in [
            ("results.diff.png", "results.diff.png"),
            ("../../etc/passwd", "_.._.._etc_passwd"),
            ("..", "_.."),
            ("", "_"),
            ("a/b\0c", "a_b_c"),
        ] {
            assert_eq!(safe(name), kept, "{name:?}");
        }
    }
}

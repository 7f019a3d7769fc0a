//! A canary file to a [`Canary`], or to every fault in it at once.

use std::path::Path;

use thiserror::Error;

use super::definition::Canary;
use super::{document, validate};

use crate::diagnostic::{Diagnostic, SourceFile};

/// A diagnostic with the file it is about: a canary may use others.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The file.
    pub file: SourceFile,
    /// What is wrong in it.
    pub diagnostic: Diagnostic,
}

/// A canary that can be run, and what a person should look at all the same.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The canary.
    pub canary: Canary,
    /// Diagnostics that are no errors.
    pub warnings: Vec<Fault>,
}

/// Reads the files that a canary file names. Implemented by whoever may touch the disk.
pub trait Imports {
    /// The file at `path`, which is relative to the canary's folder, has no `..` that climbs out of
    /// it, and is written with `/`.
    ///
    /// Errors: as said by [`ImportError`]; symbolic links that leave the folder are among them.
    fn read(&self, path: &str) -> Result<SourceFile, ImportError>;
}

/// Why a file that a canary names could not be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ImportError {
    /// There is no such file.
    #[error("there is no such file")]
    NotFound,
    /// It lies outside of what may be read.
    #[error("it lies outside of the canary's folder")]
    Outside,
    /// It is there and cannot be read.
    #[error("it cannot be read: {reason}")]
    Unreadable {
        /// What the system says.
        reason: String,
    },
}

/// Imports for texts that have no folder: nothing can be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoImports;

impl Imports for NoImports {
    fn read(&self, _path: &str) -> Result<SourceFile, ImportError> {
        Err(ImportError::NotFound)
    }
}

/// Reads one YAML canary file.
///
/// Errors: every fault of the file and of the files it uses, in the order of their places; syntax
/// faults hide the rest of their file.
pub fn load(file: &SourceFile, folder: &Path, imports: &dyn Imports) -> Result<Loaded, Vec<Fault>> {
    let of_file = |diagnostic| Fault { file: file.clone(), diagnostic };
    let root = document::parse(file)
        .map_err(|faults| faults.into_iter().map(of_file).collect::<Vec<_>>())?;
    validate::canary(&root, file, folder, imports)
}

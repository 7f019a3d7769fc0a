use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use super::codec::Fault;

/// Why a data folder cannot be opened. Nothing in it has been changed, but for `Database`.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("data folder {} is in use by another process", .directory.display())]
    Locked {
        /// The folder.
        directory: PathBuf,
    },
    /// A newer build wrote it.
    #[error(
        "data folder {} has format {found}, this build reads up to {newest}",
        .directory.display()
    )]
    TooNew {
        /// The folder.
        directory: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that this build reads.
        newest: u32,
    },
    /// There are files, but none of ours.
    #[error("folder {} is not empty and not a data folder", .directory.display())]
    NotOurs {
        /// The folder.
        directory: PathBuf,
    },
    /// The folder or a file in it cannot be used.
    #[error("cannot use {}", .path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A database cannot be opened or read.
    #[error("cannot open database {}", .path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The folder of segments cannot be opened.
    #[error("cannot open the segments of {}", .directory.display())]
    Segments {
        /// The folder.
        directory: PathBuf,
        /// Why.
        #[source]
        source: object_store::Error,
    },
}

/// Why a batch was not taken. After every variant but `Stopped` the store holds nothing of it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AppendError {
    /// Too many appends are waiting; try again soon.
    #[error("store is busy")]
    Busy,
    /// The disk is nearly full; heals by itself once there is space.
    #[error("store is read-only: disk is nearly full")]
    ReadOnly,
    /// The store was closed, or a write failed in a way that forbids another. The batch may be
    /// found after a restart.
    #[error("store has stopped")]
    Stopped,
    /// A batch larger than one may be.
    #[error("batch of {bytes} bytes is larger than {bytes_max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest.
        bytes_max: usize,
    },
    /// It names metrics that are new, and there are as many as there may be.
    #[error("store has {series_max} metrics, the most it may have")]
    TooManySeries {
        /// How many metrics there may be.
        series_max: usize,
    },
    /// What was to be made exists.
    #[error("{kind} {name} exists")]
    Conflict {
        /// The kind of resource.
        kind: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
    /// What was to be changed does not exist.
    #[error("{kind} {name} does not exist")]
    Missing {
        /// The kind of resource.
        kind: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
    /// A body that JSON cannot hold, such as a map with keys that are no texts.
    #[error("{kind} {name} cannot be written as JSON")]
    Body {
        /// The kind of resource.
        kind: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
}

/// Why something could not be read. No partial answer is given.
#[derive(Debug, Error)]
pub enum ReadError {
    /// A segment cannot be fetched.
    #[error("cannot read segment {path}")]
    Segment {
        /// Its path under the segments' root.
        path: Arc<str>,
        /// Why.
        #[source]
        source: object_store::Error,
    },
    /// A segment is not what was written.
    #[error("segment {path} is damaged in row group {row_group}")]
    Damaged {
        /// Its path under the segments' root.
        path: Arc<str>,
        /// Where.
        row_group: usize,
        /// How.
        #[source]
        source: Fault,
    },
    /// The catalog cannot be read.
    #[error("cannot read the catalog")]
    Catalog(#[source] rusqlite::Error),
    /// A stored document is not of the type that was asked for.
    #[error("{kind} {name} is not of the type asked for")]
    Body {
        /// The kind of resource.
        kind: Arc<str>,
        /// Its name.
        name: Arc<str>,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A log group or stream that does not exist.
    #[error("{kind} {name} does not exist")]
    Missing {
        /// `log group` or `log stream`.
        kind: &'static str,
        /// Its name.
        name: Arc<str>,
    },
    /// A page token that this store did not make.
    #[error("page token is not valid")]
    Token,
    /// The store is closing.
    #[error("store has stopped")]
    Stopped,
}

/// Why recent data did not move to segments, or segments were not rewritten. Nothing was lost.
#[derive(Debug, Error)]
pub enum UpkeepError {
    /// A segment cannot be written or deleted.
    #[error("cannot write segment {path}")]
    Segment {
        /// Its path under the segments' root.
        path: Arc<str>,
        /// Why.
        #[source]
        source: object_store::Error,
    },
    /// Rows cannot be made into Parquet.
    #[error("cannot encode a segment")]
    Encode(#[source] parquet::errors::ParquetError),
    /// A segment that is to be rewritten cannot be read.
    #[error("cannot rewrite a segment")]
    Read(#[from] ReadError),
    /// The catalog did not take the change.
    #[error("cannot commit to the catalog")]
    Commit(#[source] AppendError),
}

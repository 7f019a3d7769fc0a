use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::super::error::AppendError;
use super::super::handle::Store;
use super::super::resource::ResourceChanges;
use crate::telemetry::{Scope, TelemetryBatch};
use crate::time::Timestamp;

/// Resources of this kind note when an artifact was last put.
pub(in crate::store) const ARTIFACT_KIND: &str = "artifact";

/// Files that runs leave, by the hash of their content.
#[derive(Clone, Copy, Debug)]
pub struct Artifacts<'a>(pub(in crate::store) &'a Store);

/// Names an artifact: the BLAKE3 hash of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArtifactId([u8; 32]);

/// A text that is no artifact id.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("an artifact id is 64 hex digits")]
pub struct ArtifactIdError;

/// Why an artifact was not kept or not given.
#[derive(Debug, Error)]
pub enum ArtifactError {
    /// The disk did not take or give it.
    #[error("cannot keep artifact {id}")]
    Object {
        /// Its id.
        id: ArtifactId,
        /// Why.
        #[source]
        source: object_store::Error,
    },
    /// Its bytes are not those that were put.
    #[error("artifact {id} is damaged")]
    Damaged {
        /// Its id.
        id: ArtifactId,
    },
    /// The store did not take the note of it.
    #[error("cannot note artifact {id}")]
    Append {
        /// Its id.
        id: ArtifactId,
        /// Why.
        #[source]
        source: AppendError,
    },
}

/// What is noted of an artifact.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::store) struct ArtifactNote {
    pub(in crate::store) bytes: usize,
    pub(in crate::store) last_put: Timestamp,
}

impl Artifacts<'_> {
    /// Keeps bytes under their hash. What is put again counts as new for its retention.
    ///
    /// Errors: `Append` with `ReadOnly` while the disk is nearly full.
    pub async fn put(self, bytes: Bytes) -> Result<ArtifactId, ArtifactError> {
        let id = ArtifactId(*blake3::hash(&bytes).as_bytes());
        let shared = &self.0.shared;
        let append = |source| ArtifactError::Append { id, source };
        if shared.is_read_only() {
            return Err(append(AppendError::ReadOnly));
        }
        // ORDER: noted, then written. A note without its file is swept with the note; a file
        // without a note would stay for ever.
        let note = ArtifactNote { bytes: bytes.len(), last_put: shared.clock.now() };
        let changes = ResourceChanges::new().put(ARTIFACT_KIND, &id.to_string(), &note);
        let batch = TelemetryBatch::new(Scope::default());
        self.0.append_with(batch, changes.map_err(append)?).await.map_err(append)?;
        let object = shared.artifacts.create(&id.path(), bytes).await;
        object.map_err(|source| ArtifactError::Object { id, source })?;
        Ok(id)
    }

    /// The bytes of an artifact; `None` when there is none or it expired.
    ///
    /// Errors: `Damaged` when the bytes do not have the hash they are named by.
    pub async fn get(self, id: ArtifactId) -> Result<Option<Bytes>, ArtifactError> {
        let found = self.0.shared.artifacts.get(&id.path()).await;
        let Some(bytes) = found.map_err(|source| ArtifactError::Object { id, source })? else {
            return Ok(None);
        };
        if blake3::hash(&bytes).as_bytes() != &id.0 {
            return Err(ArtifactError::Damaged { id });
        }
        Ok(Some(bytes))
    }
}

impl ArtifactId {
    /// Where the object lies: a folder by the first byte keeps folders small.
    pub(in crate::store) fn path(self) -> String {
        let digits = self.to_string();
        let (folder, _) = digits.split_at_checked(2).unwrap_or(("00", ""));
        format!("{folder}/{digits}")
    }
}

impl fmt::Display for ArtifactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ArtifactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ArtifactId {
    type Err = ArtifactIdError;

    fn from_str(text: &str) -> Result<Self, ArtifactIdError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_not_hex| ArtifactIdError)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for ArtifactId {
    type Error = ArtifactIdError;

    fn try_from(text: String) -> Result<Self, ArtifactIdError> {
        text.parse()
    }
}

impl From<ArtifactId> for String {
    fn from(id: ArtifactId) -> Self {
        id.to_string()
    }
}

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

/// Named, immutable objects: segments, artifacts, or what is in buckets.
#[derive(Clone, Debug)]
pub(in crate::store) struct Objects {
    store: Arc<dyn ObjectStore>,
}

impl Objects {
    /// Objects as files under `root`; a put returns when the disk has bytes, name and folder.
    pub(in crate::store) fn in_folder(root: &Path) -> object_store::Result<Self> {
        let store = LocalFileSystem::new_with_prefix(root)?.with_fsync(true);
        Ok(Self { store: Arc::new(store) })
    }

    /// Writes a new object; one that exists already is left as it is.
    pub(in crate::store) async fn create(
        &self,
        path: &str,
        bytes: Bytes,
    ) -> object_store::Result<()> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let payload = PutPayload::from_bytes(bytes);
        match self.store.put_opts(&ObjectPath::from(path), payload, options).await {
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(in crate::store) async fn range(
        &self,
        path: &str,
        range: std::ops::Range<u64>,
    ) -> object_store::Result<Bytes> {
        self.store.get_range(&ObjectPath::from(path), range).await
    }

    /// The whole object; `None` when there is none.
    pub(in crate::store) async fn get(&self, path: &str) -> object_store::Result<Option<Bytes>> {
        match self.store.get(&ObjectPath::from(path)).await {
            Ok(found) => found.bytes().await.map(Some),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes an object; one that is gone already is no error.
    pub(in crate::store) async fn delete(&self, path: &str) -> object_store::Result<()> {
        match self.store.delete(&ObjectPath::from(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The path of every object.
    pub(in crate::store) async fn list(&self) -> object_store::Result<Vec<String>> {
        self.store.list(None).map_ok(|object| object.location.to_string()).try_collect().await
    }
}

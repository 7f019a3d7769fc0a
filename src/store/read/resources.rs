use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::catalog::{CatalogReader, Document, RowsQuery};
use super::super::error::{AppendError, ReadError};
use super::super::handle::Store;
use super::super::lsn::Lsn;
use super::super::resource::{ResourceChanges, SortKey};
use crate::telemetry::{Scope, TelemetryBatch};

/// Typed documents of the store, by scope, kind and name; and rows under a name, by sort key.
#[derive(Clone, Copy, Debug)]
pub struct Resources<'a>(pub(in crate::store) &'a Store);

/// Which resources of a kind to list, by name.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// Those that start so.
    pub prefix: &'a str,
    /// Those after this name.
    pub after: Option<&'a str>,
    /// At most so many.
    pub limit: usize,
}

impl Page<'_> {
    /// Every one.
    pub const ALL: Page<'static> = Page { prefix: "", after: None, limit: usize::MAX };
}

/// Which end of the rows comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOrder {
    /// By rising sort keys.
    OldestFirst,
    /// By falling sort keys.
    NewestFirst,
}

/// Which rows of a name to read.
#[derive(Clone, Debug)]
pub struct RowPage {
    /// Rows at or after this key; `None` is no bound.
    pub from: Option<SortKey>,
    /// Rows before this key; `None` is no bound.
    pub before: Option<SortKey>,
    /// Which end comes first.
    pub order: RowOrder,
    /// At most so many.
    pub limit: usize,
}

impl RowPage {
    /// The `limit` newest rows.
    pub const fn newest(limit: usize) -> Self {
        Self { from: None, before: None, order: RowOrder::NewestFirst, limit }
    }
}

impl Resources<'_> {
    /// Makes or replaces a resource.
    ///
    /// Errors: as `Store::append`, and `Body` when JSON cannot hold `body`.
    pub async fn put(
        self,
        scope: &Scope,
        kind: &str,
        name: &str,
        body: &impl Serialize,
    ) -> Result<Lsn, AppendError> {
        let changes = ResourceChanges::new().put(kind, name, body)?;
        self.apply(scope, changes).await
    }

    /// Deletes a resource, if there is one; its rows stay.
    ///
    /// Errors: as `Store::append`.
    pub async fn delete(self, scope: &Scope, kind: &str, name: &str) -> Result<Lsn, AppendError> {
        self.apply(scope, ResourceChanges::new().delete(kind, name)).await
    }

    /// Takes all changes or none.
    ///
    /// Errors: as `Store::append_with`.
    pub async fn apply(self, scope: &Scope, changes: ResourceChanges) -> Result<Lsn, AppendError> {
        self.0.append_with(TelemetryBatch::new(scope.clone()), changes).await
    }

    /// The resource of a name.
    ///
    /// Errors: `Body` when it is not a `T`.
    pub async fn get<T: DeserializeOwned>(
        self,
        scope: &Scope,
        kind: &str,
        name: &str,
    ) -> Result<Option<T>, ReadError> {
        let key = (scope.clone(), kind.to_owned(), name.to_owned());
        let read = move |catalog: &CatalogReader| catalog.document(&key.0, &key.1, &key.2);
        let found = self.read(read).await?;
        found.map(|document| body(kind, &document)).transpose()
    }

    /// Resources of a kind by name.
    ///
    /// Errors: `Body` when one is not a `T`.
    pub async fn list<T: DeserializeOwned>(
        self,
        scope: &Scope,
        kind: &str,
        page: &Page<'_>,
    ) -> Result<Vec<(String, T)>, ReadError> {
        let key = (scope.clone(), kind.to_owned(), page.prefix.to_owned());
        let (after, limit) = (page.after.map(str::to_owned), page.limit);
        let read = move |catalog: &CatalogReader| {
            catalog.list(&key.0, &key.1, (&key.2, after.as_deref()), limit)
        };
        let found = self.read(read).await?;
        let named = found.into_iter().map(|document| {
            let body = body(kind, &document)?;
            Ok((document.name, body))
        });
        named.collect()
    }

    /// Every resource of a kind, in every scope.
    ///
    /// Errors: `Body` when one is not a `T`.
    pub async fn everywhere<T: DeserializeOwned>(
        self,
        kind: &str,
    ) -> Result<Vec<(Scope, String, T)>, ReadError> {
        let wanted = kind.to_owned();
        let found = self.read(move |catalog: &CatalogReader| catalog.everywhere(&wanted)).await?;
        let named = found.into_iter().map(|(scope, document)| {
            let body = body(kind, &document)?;
            Ok((scope, document.name, body))
        });
        named.collect()
    }

    /// Scopes that have a resource of a kind.
    ///
    /// Errors: as every read of the catalog.
    pub async fn scopes(self, kind: &str) -> Result<Vec<Scope>, ReadError> {
        let kind = kind.to_owned();
        self.read(move |catalog: &CatalogReader| catalog.scopes(&kind)).await
    }

    /// Names that have rows of a kind, also of resources that are gone.
    ///
    /// Errors: as every read of the catalog.
    pub async fn row_names(self, scope: &Scope, kind: &str) -> Result<Vec<String>, ReadError> {
        let key = (scope.clone(), kind.to_owned());
        self.read(move |catalog: &CatalogReader| catalog.row_names(&key.0, &key.1)).await
    }

    /// Rows of a name.
    ///
    /// Errors: `Body` when one is not a `T`.
    pub async fn rows<T: DeserializeOwned>(
        self,
        scope: &Scope,
        kind: &str,
        name: &str,
        page: &RowPage,
    ) -> Result<Vec<(SortKey, T)>, ReadError> {
        let key = (scope.clone(), kind.to_owned(), name.to_owned());
        let text = |key: &Option<SortKey>| key.as_ref().map(|key| key.as_str().to_owned());
        let query = RowsQuery {
            from: text(&page.from).unwrap_or_default(),
            before: text(&page.before),
            newest_first: page.order == RowOrder::NewestFirst,
            limit: page.limit,
        };
        let read = move |catalog: &CatalogReader| catalog.rows(&key.0, (&key.1, &key.2), &query);
        let found = self.read(read).await?;
        let sorted = found
            .into_iter()
            .map(|document| Ok((SortKey::from_text(&document.sort), body(kind, &document)?)));
        sorted.collect()
    }

    async fn read<T: Send + 'static>(
        self,
        read: impl FnOnce(&CatalogReader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        let catalog = self.0.shared.catalog.clone();
        let read = tokio::task::spawn_blocking(move || read(&catalog)).await;
        read.map_err(|_gone| ReadError::Stopped)?.map_err(ReadError::Catalog)
    }
}

fn body<T: DeserializeOwned>(kind: &str, document: &Document) -> Result<T, ReadError> {
    serde_json::from_str(&document.body).map_err(|source| ReadError::Body {
        kind: kind.into(),
        name: document.name.as_str().into(),
        source,
    })
}

use std::sync::Arc;

use super::document::{AWS_EVENTS, Schema, SchemaKind, SchemaVersion, Tags};
use super::registries::check_own;
use super::service_events;
use crate::bus::handle::BusHandle;
use crate::bus::kind;
use crate::bus::refusal::{BusError, RefusalKind};
use crate::store::{AppendError, Page, ResourceChanges};
use crate::telemetry::Scope;

/// So many versions a schema may have.
///
/// Source: EventBridge User Guide, "Amazon EventBridge quotas", Schema versions.
pub(super) const VERSIONS_MAX: usize = 100;

/// What a schema is made or changed with.
#[derive(Clone, Debug, Default)]
pub struct SchemaChange {
    /// The language, and what it says.
    pub content: Option<(SchemaKind, Arc<str>)>,
    /// What it is for.
    pub description: Option<String>,
    /// Its tags; looked at only when it is made.
    pub tags: Tags,
}

/// Which version of a schema is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionOf<'a> {
    /// Its latest.
    Latest,
    /// That of this number, as a client writes it.
    Number(&'a str),
}

impl BusHandle {
    /// A schema.
    ///
    /// Errors: `NotFound`.
    pub async fn schema(
        &self,
        scope: &Scope,
        registry: &str,
        name: &str,
    ) -> Result<Schema, BusError> {
        self.discovery.settle().await;
        self.kept_schema(scope, registry, name).await
    }

    /// A schema, without waiting for what discoverers still look at.
    pub(super) async fn kept_schema(
        &self,
        scope: &Scope,
        registry: &str,
        name: &str,
    ) -> Result<Schema, BusError> {
        if registry == AWS_EVENTS {
            let found = service_events::all().into_iter().find(|(schema, _)| &*schema.name == name);
            return found.map(|(schema, _)| schema).ok_or_else(|| absent(registry, name));
        }
        let key = format!("{registry}/{name}");
        let found = self.store.resources().get(scope, kind::SCHEMA, &key).await?;
        found.ok_or_else(|| absent(registry, name))
    }

    /// A version of a schema.
    ///
    /// Errors: `NotFound`.
    pub async fn schema_version(
        &self,
        scope: &Scope,
        schema: &Schema,
        version: VersionOf<'_>,
    ) -> Result<SchemaVersion, BusError> {
        let missing = |number: &str| {
            let why = format!("Schema version {number} of {} does not exist.", schema.name);
            RefusalKind::NotFound.because(why)
        };
        let number = match version {
            VersionOf::Latest => schema.latest(),
            VersionOf::Number(text) => text.parse().map_err(|_word| missing(text))?,
        };
        let found = if &*schema.registry == AWS_EVENTS {
            let found = service_events::all().into_iter().find(|(own, _)| own.name == schema.name);
            found.map(|(_, version)| version).filter(|version| version.number == number)
        } else {
            let key = schema.version_key(number);
            self.store.resources().get(scope, kind::SCHEMA_VERSION, &key).await?
        };
        found.ok_or_else(|| missing(&number.to_string()))
    }

    /// The schemas of a registry, by name.
    ///
    /// Errors: `NotFound` for the registry.
    pub async fn schemas(&self, scope: &Scope, registry: &str) -> Result<Vec<Schema>, BusError> {
        self.discovery.settle().await;
        self.registry(scope, registry).await?;
        if registry == AWS_EVENTS {
            return Ok(service_events::all().into_iter().map(|(schema, _)| schema).collect());
        }
        let prefix = format!("{registry}/");
        let page = Page { prefix: &prefix, ..Page::ALL };
        let found = self.store.resources().list(scope, kind::SCHEMA, &page).await?;
        Ok(found.into_iter().map(|(_, schema)| schema).collect())
    }

    /// Makes a schema with its first version.
    ///
    /// Errors: `NotFound` for the registry, `AlreadyExists`, `AccessDenied`.
    pub async fn create_schema(
        &self,
        scope: &Scope,
        (registry, name): (Arc<str>, Arc<str>),
        change: SchemaChange,
    ) -> Result<(Schema, SchemaVersion), BusError> {
        check_own(&registry)?;
        self.registry(scope, &registry).await?;
        let SchemaChange { content, description, tags } = change;
        let Some((kind, content)) = content else {
            return Err(RefusalKind::Invalid.because("A schema has content."));
        };
        let now = self.clock.now();
        let (versions, newest, modified, shape) = (vec![1], 1, now, None);
        let schema =
            Schema { registry, name, kind, description, tags, modified, versions, newest, shape };
        let version = SchemaVersion { number: 1, kind, content, created: now };
        let changes = ResourceChanges::new().put_new(kind::SCHEMA, &schema.key(), &schema)?;
        let changes = changes.put(kind::SCHEMA_VERSION, &schema.version_key(1), &version)?;
        match self.store.resources().apply(scope, changes).await {
            Ok(_) => Ok((schema, version)),
            Err(AppendError::Conflict { .. }) => {
                let why = format!(
                    "Schema with name {} already exists in registry {}.",
                    schema.name, schema.registry
                );
                Err(RefusalKind::AlreadyExists.because(why))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Changes a schema; content that is not that of the latest version makes a new one.
    ///
    /// Errors: `NotFound`, `AccessDenied`, `LimitExceeded` at 100 versions.
    pub async fn update_schema(
        &self,
        scope: &Scope,
        (registry, name): (&str, &str),
        change: SchemaChange,
    ) -> Result<(Schema, SchemaVersion), BusError> {
        check_own(registry)?;
        self.discovery.settle().await;
        let _turn = self.turn.acquire().await;
        let mut schema = self.kept_schema(scope, registry, name).await?;
        let mut version = self.schema_version(scope, &schema, VersionOf::Latest).await?;
        schema.description = change.description.or(schema.description);
        schema.modified = self.clock.now();
        let mut changes = ResourceChanges::new();
        if let Some((kind, content)) = change.content
            && (kind != version.kind || content != version.content)
        {
            version = add_version(&mut schema, kind, content)?;
            // What a person wrote is not what events were merged into.
            schema.shape = None;
            let key = schema.version_key(version.number);
            changes = changes.put(kind::SCHEMA_VERSION, &key, &version)?;
        }
        changes = changes.put(kind::SCHEMA, &schema.key(), &schema)?;
        self.store.resources().apply(scope, changes).await?;
        self.discovery.forget();
        Ok((schema, version))
    }

    /// Deletes a schema and its versions.
    ///
    /// Errors: `NotFound`, `AccessDenied`.
    pub async fn delete_schema(
        &self,
        scope: &Scope,
        registry: &str,
        name: &str,
    ) -> Result<(), BusError> {
        check_own(registry)?;
        self.discovery.settle().await;
        let _turn = self.turn.acquire().await;
        let schema = self.kept_schema(scope, registry, name).await?;
        let mut changes = ResourceChanges::new().delete(kind::SCHEMA, &schema.key());
        for number in &schema.versions {
            changes = changes.delete(kind::SCHEMA_VERSION, &schema.version_key(*number));
        }
        self.store.resources().apply(scope, changes).await?;
        self.discovery.forget();
        Ok(())
    }

    /// Deletes one of several versions of a schema.
    ///
    /// Errors: `NotFound`, `AccessDenied`, `Invalid` for the only one.
    pub async fn delete_schema_version(
        &self,
        scope: &Scope,
        (registry, name): (&str, &str),
        version: &str,
    ) -> Result<(), BusError> {
        check_own(registry)?;
        self.discovery.settle().await;
        let _turn = self.turn.acquire().await;
        let mut schema = self.kept_schema(scope, registry, name).await?;
        let gone = self.schema_version(scope, &schema, VersionOf::Number(version)).await?;
        if schema.versions.len() == 1 {
            let why = format!("Version {version} is the only one of {name}; delete the schema.");
            return Err(RefusalKind::Invalid.because(why));
        }
        let key = schema.version_key(gone.number);
        schema.versions.retain(|number| *number != gone.number);
        let latest = self.schema_version(scope, &schema, VersionOf::Latest).await?;
        schema.kind = latest.kind;
        schema.shape = None;
        let changes = ResourceChanges::new().delete(kind::SCHEMA_VERSION, &key);
        let changes = changes.put(kind::SCHEMA, &schema.key(), &schema)?;
        self.store.resources().apply(scope, changes).await?;
        self.discovery.forget();
        Ok(())
    }
}

/// The next version of a schema, made when the schema was last changed.
///
/// Errors: `LimitExceeded`.
pub(super) fn add_version(
    schema: &mut Schema,
    kind: SchemaKind,
    content: Arc<str>,
) -> Result<SchemaVersion, BusError> {
    if schema.versions.len() >= VERSIONS_MAX {
        let why = format!("{} has {VERSIONS_MAX} versions, the most it may.", schema.name);
        return Err(RefusalKind::LimitExceeded.because(why));
    }
    schema.newest += 1;
    schema.versions.push(schema.newest);
    schema.kind = kind;
    Ok(SchemaVersion { number: schema.newest, kind, content, created: schema.modified })
}

fn absent(registry: &str, name: &str) -> BusError {
    RefusalKind::NotFound
        .because(format!("Schema with name {name} does not exist in registry {registry}."))
}

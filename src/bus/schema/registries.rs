use serde_json::Value;

use super::document::{AWS_EVENTS, Registry, Tags};
use crate::bus::handle::{BusHandle, in_arn};
use crate::bus::kind;
use crate::bus::refusal::{BusError, RefusalKind};
use crate::store::{AppendError, Page, ResourceChanges};
use crate::telemetry::Scope;

impl BusHandle {
    /// A registry; that of services is always there.
    ///
    /// Errors: `NotFound`.
    pub async fn registry(&self, scope: &Scope, name: &str) -> Result<Registry, BusError> {
        if name == AWS_EVENTS {
            let description = Some("Schemas of the events that services send.".to_owned());
            return Ok(Registry { description, ..Registry::default() });
        }
        let found = self.store.resources().get(scope, kind::SCHEMA_REGISTRY, name).await?;
        found.ok_or_else(|| {
            let why = format!("Registry with name {name} does not exist.");
            RefusalKind::NotFound.because(why)
        })
    }

    /// The registries of the caller, by name, without that of services.
    ///
    /// Errors: the store's.
    pub async fn registries(&self, scope: &Scope) -> Result<Vec<(String, Registry)>, BusError> {
        Ok(self.store.resources().list(scope, kind::SCHEMA_REGISTRY, &Page::ALL).await?)
    }

    /// Makes a registry.
    ///
    /// Errors: `AlreadyExists`.
    pub async fn create_registry(
        &self,
        scope: &Scope,
        name: &str,
        registry: &Registry,
    ) -> Result<(), BusError> {
        let changes = ResourceChanges::new().put_new(kind::SCHEMA_REGISTRY, name, registry)?;
        match self.store.resources().apply(scope, changes).await {
            Ok(_) => Ok(()),
            Err(AppendError::Conflict { .. }) => {
                let why = format!("Registry with name {name} already exists.");
                Err(RefusalKind::AlreadyExists.because(why))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Changes a registry.
    ///
    /// Errors: `NotFound`, `AccessDenied` for that of services, and what `change` says.
    pub async fn change_registry(
        &self,
        scope: &Scope,
        name: &str,
        change: impl FnOnce(&mut Registry) -> Result<(), BusError>,
    ) -> Result<Registry, BusError> {
        check_own(name)?;
        let _turn = self.turn.acquire().await;
        let mut registry = self.registry(scope, name).await?;
        change(&mut registry)?;
        self.store.resources().put(scope, kind::SCHEMA_REGISTRY, name, &registry).await?;
        Ok(registry)
    }

    /// Deletes a registry without schemas.
    ///
    /// Errors: `NotFound`, `AccessDenied` for that of services, `Invalid` while it has schemas.
    pub async fn delete_registry(&self, scope: &Scope, name: &str) -> Result<(), BusError> {
        check_own(name)?;
        let _turn = self.turn.acquire().await;
        self.registry(scope, name).await?;
        let prefix = format!("{name}/");
        let page = Page { prefix: &prefix, limit: 1, ..Page::ALL };
        let held = self.store.resources().list::<Value>(scope, kind::SCHEMA, &page).await?;
        if !held.is_empty() {
            let why = format!("Registry {name} holds schemas; delete them first.");
            return Err(RefusalKind::Invalid.because(why));
        }
        self.store.resources().delete(scope, kind::SCHEMA_REGISTRY, name).await?;
        Ok(())
    }

    /// The tags of a registry, a schema or a discoverer.
    ///
    /// Errors: `NotFound`, `Invalid` for another ARN.
    pub async fn schema_tags(&self, scope: &Scope, arn: &str) -> Result<Tags, BusError> {
        match Tagged::of(scope, arn)? {
            Tagged::Registry(name) => Ok(self.registry(scope, name).await?.tags),
            Tagged::Discoverer(id) => Ok(self.discoverer(scope, id).await?.tags),
            Tagged::Schema(registry, name) => Ok(self.schema(scope, registry, name).await?.tags),
        }
    }

    /// Changes the tags of a registry, a schema or a discoverer.
    ///
    /// Errors: `NotFound`, `Invalid` for another ARN.
    pub async fn change_schema_tags(
        &self,
        scope: &Scope,
        arn: &str,
        change: impl FnOnce(&mut Tags),
    ) -> Result<(), BusError> {
        match Tagged::of(scope, arn)? {
            Tagged::Registry(name) => {
                let change = |registry: &mut Registry| {
                    change(&mut registry.tags);
                    Ok(())
                };
                self.change_registry(scope, name, change).await?;
            }
            Tagged::Discoverer(id) => {
                self.change_discoverer(scope, id, |found| change(&mut found.tags)).await?;
            }
            Tagged::Schema(registry, name) => {
                self.discovery.settle().await;
                let _turn = self.turn.acquire().await;
                let mut schema = self.kept_schema(scope, registry, name).await?;
                change(&mut schema.tags);
                self.store.resources().put(scope, kind::SCHEMA, &schema.key(), &schema).await?;
            }
        }
        Ok(())
    }
}

/// What has tags.
enum Tagged<'a> {
    Registry(&'a str),
    Schema(&'a str, &'a str),
    Discoverer(&'a str),
}

impl<'a> Tagged<'a> {
    fn of(scope: &Scope, arn: &'a str) -> Result<Self, BusError> {
        let own = in_arn(arn, "schemas").filter(|(owner, _)| owner == scope);
        let parts = own.and_then(|(_, resource)| resource.split_once('/'));
        let tagged = parts.and_then(|(kind, name)| match kind {
            "registry" => Some(Self::Registry(name)),
            "discoverer" => Some(Self::Discoverer(name)),
            "schema" => name.split_once('/').map(|(registry, name)| Self::Schema(registry, name)),
            _ => None,
        });
        tagged.ok_or_else(|| {
            let why = format!("{arn} is the ARN of no registry, schema or discoverer.");
            RefusalKind::Invalid.because(why)
        })
    }
}

/// Refuses to change the registry of services.
pub(super) fn check_own(registry: &str) -> Result<(), BusError> {
    if registry == AWS_EVENTS {
        let why = format!("The registry {AWS_EVENTS} cannot be changed.");
        return Err(RefusalKind::AccessDenied.because(why));
    }
    Ok(())
}

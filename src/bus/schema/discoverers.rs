use super::document::{DISCOVERED, Discoverer, Registry};
use crate::bus::handle::BusHandle;
use crate::bus::kind;
use crate::bus::refusal::{BusError, RefusalKind};
use crate::store::{Page, ResourceChanges};
use crate::telemetry::Scope;

impl BusHandle {
    /// A discoverer.
    ///
    /// Errors: `NotFound`.
    pub async fn discoverer(&self, scope: &Scope, id: &str) -> Result<Discoverer, BusError> {
        let found = self.store.resources().get(scope, kind::DISCOVERER, id).await?;
        found.ok_or_else(|| {
            let why = format!("Discoverer with id {id} does not exist.");
            RefusalKind::NotFound.because(why)
        })
    }

    /// The discoverers of a scope, by id.
    ///
    /// Errors: the store's.
    pub async fn discoverers(&self, scope: &Scope) -> Result<Vec<Discoverer>, BusError> {
        let found = self.store.resources().list(scope, kind::DISCOVERER, &Page::ALL).await?;
        Ok(found.into_iter().map(|(_, discoverer)| discoverer).collect())
    }

    /// Makes a discoverer, which looks at what comes after this answers.
    ///
    /// Errors: `NotFound` for the bus, `AlreadyExists` when the bus has one.
    pub async fn create_discoverer(
        &self,
        scope: &Scope,
        discoverer: &Discoverer,
    ) -> Result<(), BusError> {
        self.bus(scope, &discoverer.bus).await?;
        let _turn = self.turn.acquire().await;
        let others = self.discoverers(scope).await?;
        if others.iter().any(|other| other.bus == discoverer.bus) {
            let why = format!("Event bus {} has a discoverer already.", discoverer.bus);
            return Err(RefusalKind::AlreadyExists.because(why));
        }
        let resources = self.store.resources();
        let mut changes = ResourceChanges::new();
        if resources.get::<Registry>(scope, kind::SCHEMA_REGISTRY, DISCOVERED).await?.is_none() {
            let registry = Registry {
                description: Some("Schemas that discoverers found.".to_owned()),
                ..Registry::default()
            };
            changes = changes.put(kind::SCHEMA_REGISTRY, DISCOVERED, &registry)?;
        }
        changes = changes.put(kind::DISCOVERER, &discoverer.id, discoverer)?;
        resources.apply(scope, changes).await?;
        self.discovery.watch(scope, &discoverer.bus, discoverer.is_started);
        Ok(())
    }

    /// Changes a discoverer.
    ///
    /// Errors: `NotFound`.
    pub async fn change_discoverer(
        &self,
        scope: &Scope,
        id: &str,
        change: impl FnOnce(&mut Discoverer),
    ) -> Result<Discoverer, BusError> {
        let _turn = self.turn.acquire().await;
        let mut discoverer = self.discoverer(scope, id).await?;
        change(&mut discoverer);
        self.store.resources().put(scope, kind::DISCOVERER, id, &discoverer).await?;
        self.discovery.watch(scope, &discoverer.bus, discoverer.is_started);
        Ok(discoverer)
    }

    /// Deletes a discoverer; what it found stays.
    ///
    /// Errors: `NotFound`.
    pub async fn delete_discoverer(&self, scope: &Scope, id: &str) -> Result<(), BusError> {
        let _turn = self.turn.acquire().await;
        let discoverer = self.discoverer(scope, id).await?;
        self.discovery.watch(scope, &discoverer.bus, false);
        self.store.resources().delete(scope, kind::DISCOVERER, id).await?;
        Ok(())
    }
}

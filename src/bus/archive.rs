//! Archives, and what they hold.
//!
//! An archive copies nothing: events are in the store anyway, so it is a view of them, from the
//! append on after which it was made. How long the store keeps events bounds what it can hold.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::handle::BusHandle;
use super::kind;
use super::refusal::{BusError, RefusalKind};
use super::rule::read_pattern;
use crate::pattern::EventPattern;
use crate::store::{AppendError, EventPosition, Page, ReadError, ResourceChanges};
use crate::telemetry::{Event, Scope};
use crate::time::{TimeRange, Timestamp};

/// So many events are read at a time.
const READ_AT_ONCE: usize = 1_000;

/// An archive of a bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// Its name.
    pub name: Arc<str>,
    /// The bus.
    pub bus: Arc<str>,
    /// What it is for.
    pub description: Option<String>,
    /// How many days it holds an event; zero is for ever.
    pub retention_days: i64,
    /// Taken on trust.
    pub kms_key_identifier: Option<String>,
    /// Which events it took from which append on, oldest first.
    pub eras: Vec<Era>,
    /// When it was made.
    pub created: Timestamp,
}

/// Which events an archive took from an append on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Era {
    /// After this append.
    pub after: u64,
    /// Those of this pattern; all of them without one.
    pub pattern: Option<Arc<str>>,
}

/// One page of what an archive holds.
pub(super) struct Held {
    pub(super) events: Vec<Arc<Event>>,
    pub(super) next: Option<EventPosition>,
}

impl Archive {
    /// Its ARN.
    pub fn arn(&self, scope: &Scope) -> String {
        scope.arn("events", format_args!("archive/{}", self.name))
    }

    /// The pattern in force.
    pub fn pattern(&self) -> Option<&Arc<str>> {
        self.eras.last().and_then(|era| era.pattern.as_ref())
    }

    /// The eras with their patterns read.
    pub(super) fn compiled(&self) -> Vec<(u64, Option<EventPattern>)> {
        let read = |era: &Era| {
            let pattern = era.pattern.as_deref().and_then(|text| EventPattern::parse(text).ok());
            (era.after, pattern)
        };
        self.eras.iter().map(read).collect()
    }
}

impl BusHandle {
    /// An archive.
    ///
    /// Errors: `NotFound`.
    pub async fn archive(&self, scope: &Scope, name: &str) -> Result<Archive, BusError> {
        let found = self.store.resources().get(scope, kind::ARCHIVE, name).await?;
        found
            .ok_or_else(|| RefusalKind::NotFound.because(format!("Archive {name} does not exist.")))
    }

    /// The archives of a scope, by name.
    ///
    /// Errors: the store's.
    pub async fn archives(&self, scope: &Scope) -> Result<Vec<Archive>, BusError> {
        let found = self.store.resources().list(scope, kind::ARCHIVE, &Page::ALL).await?;
        Ok(found.into_iter().map(|(_, archive)| archive).collect())
    }

    /// Makes an archive; it holds events that come from now on.
    ///
    /// Errors: `AlreadyExists`, `NotFound` for the bus, `InvalidPattern`.
    pub async fn create_archive(
        &self,
        scope: &Scope,
        mut archive: Archive,
        pattern: Option<Arc<str>>,
    ) -> Result<Archive, BusError> {
        self.bus(scope, &archive.bus).await?;
        archive.eras = vec![self.era(pattern)?];
        let name = Arc::clone(&archive.name);
        let changes = ResourceChanges::new().put_new(kind::ARCHIVE, &name, &archive)?;
        match self.store.resources().apply(scope, changes).await {
            Ok(_) => Ok(archive),
            Err(AppendError::Conflict { .. }) => {
                let why = format!("Archive {name} already exists.");
                Err(RefusalKind::AlreadyExists.because(why))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Changes an archive; another pattern holds for events that come from now on.
    ///
    /// Errors: `NotFound`, `InvalidPattern`.
    pub async fn change_archive(
        &self,
        scope: &Scope,
        name: &str,
        pattern: Option<Arc<str>>,
        change: impl FnOnce(&mut Archive),
    ) -> Result<Archive, BusError> {
        let _turn = self.turn.acquire().await;
        let mut archive = self.archive(scope, name).await?;
        change(&mut archive);
        if pattern.is_some() && archive.pattern() != pattern.as_ref() {
            archive.eras.push(self.era(pattern)?);
        }
        self.store.resources().put(scope, kind::ARCHIVE, name, &archive).await?;
        Ok(archive)
    }

    fn era(&self, pattern: Option<Arc<str>>) -> Result<Era, BusError> {
        if let Some(pattern) = &pattern {
            read_pattern(pattern)?;
        }
        let after = self.store.watch().borrow().get();
        Ok(Era { after, pattern })
    }

    /// Deletes an archive.
    ///
    /// Errors: `NotFound`.
    pub async fn delete_archive(&self, scope: &Scope, name: &str) -> Result<(), BusError> {
        let _turn = self.turn.acquire().await;
        self.archive(scope, name).await?;
        self.store.resources().delete(scope, kind::ARCHIVE, name).await?;
        Ok(())
    }

    /// How many events an archive holds, and their bytes.
    ///
    /// Errors: the store's.
    pub async fn archive_size(
        &self,
        scope: &Scope,
        archive: &Archive,
    ) -> Result<(u64, u64), BusError> {
        let (mut count, mut bytes, mut next) = (0, 0, None);
        loop {
            let held = self.held(scope, archive, TimeRange::ALL, next.as_ref()).await?;
            for event in &held.events {
                count += 1;
                bytes += event.envelope(scope).to_string().len() as u64;
            }
            next = held.next;
            if next.is_none() {
                return Ok((count, bytes));
            }
        }
    }

    /// A page of the events of an archive, by time.
    pub(super) async fn held(
        &self,
        scope: &Scope,
        archive: &Archive,
        mut range: TimeRange,
        after: Option<&EventPosition>,
    ) -> Result<Held, ReadError> {
        if archive.retention_days > 0 {
            let days = u64::try_from(archive.retention_days).unwrap_or(0);
            let oldest = self.clock.now().minus(Duration::from_secs(days * 86_400));
            range.start = range.start.max(oldest);
        }
        let bus = (scope, &*archive.bus);
        let found = self.store.events().find(bus, range, after, READ_AT_ONCE).await?;
        let eras = archive.compiled();
        let is_held = |(event, arrival): &(Arc<Event>, crate::store::Lsn)| {
            let era = eras.iter().rev().find(|(after, _)| arrival.get() > *after);
            match era {
                None => false,
                Some((_, None)) => true,
                Some((_, Some(pattern))) => pattern.matches(&event.envelope(scope)),
            }
        };
        let pairs = found.events.into_iter().zip(found.arrivals).filter(is_held);
        Ok(Held { events: pairs.map(|(event, _)| event).collect(), next: found.next })
    }
}

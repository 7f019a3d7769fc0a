use std::sync::{Arc, PoisonError};

use super::document::Trail;
use super::handle::{TrailError, TrailHandle};
use crate::monitor::kind;
use crate::telemetry::Scope;

/// Source: CloudTrail User Guide, "Quotas in AWS CloudTrail": trails of a region.
const TRAILS_MAX: usize = 5;

impl TrailHandle {
    /// Makes a trail; it takes nothing until it is started.
    ///
    /// Errors: `Exists`, `TooMany`.
    pub async fn create(&self, home: &Scope, trail: Trail) -> Result<Arc<Trail>, TrailError> {
        let _turn = self.turn.acquire().await;
        if self.get(home, &trail.name).is_ok() {
            return Err(TrailError::Exists);
        }
        if self.of(home).len() >= TRAILS_MAX {
            return Err(TrailError::TooMany { trails_max: TRAILS_MAX });
        }
        self.keep(home, trail).await
    }

    /// Changes a trail.
    ///
    /// Errors: `Missing`.
    pub async fn change(
        &self,
        home: &Scope,
        name: &str,
        change: impl FnOnce(&mut Trail),
    ) -> Result<Arc<Trail>, TrailError> {
        let _turn = self.turn.acquire().await;
        let mut trail = Trail::clone(&*self.get(home, name)?);
        change(&mut trail);
        self.keep(home, trail).await
    }

    /// Has a trail take records from now on.
    ///
    /// Errors: `Missing`.
    pub async fn start(&self, home: &Scope, name: &str) -> Result<(), TrailError> {
        let now = self.clock.now();
        let started = self.change(home, name, |trail| {
            if !trail.state.is_logging {
                trail.state.is_logging = true;
                trail.state.started = Some(now);
                trail.state.delivered_until = Some(now);
                trail.state.regions.clear();
            }
        });
        started.await?;
        Ok(())
    }

    /// Delivers what a trail took, with a last digest, and has it take no more.
    ///
    /// Errors: `Missing`; a delivery that fails is told in the trail's state.
    pub async fn stop(&self, home: &Scope, name: &str) -> Result<(), TrailError> {
        let _turn = self.turn.acquire().await;
        let trail = self.get(home, name)?;
        if trail.state.is_logging {
            let now = self.clock.now();
            let mut trail = self.delivered(home, Trail::clone(&trail), now).await;
            trail = self.digested(home, trail, now).await;
            trail.state.is_logging = false;
            trail.state.stopped = Some(now);
            self.keep(home, trail).await?;
        }
        Ok(())
    }

    /// Deletes a trail, after what it took is delivered; its files stay.
    ///
    /// Errors: `Missing`.
    pub async fn delete(&self, home: &Scope, name: &str) -> Result<(), TrailError> {
        self.stop(home, name).await?;
        let _turn = self.turn.acquire().await;
        self.store.resources().delete(home, kind::TRAIL, name).await?;
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        book.trails.remove(&(home.clone(), name.into()));
        drop(book);
        self.changed.notify_one();
        Ok(())
    }
}

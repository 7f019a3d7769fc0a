use std::sync::Arc;

use super::declared_alarms;
use super::scheduler::Scheduler;
use super::silence::silence_alarm;
use super::timetable::Timing;
use crate::canary::definition::Canary;
use crate::monitor::alarms::CanaryRest;
use crate::monitor::run_row::CanaryState;

/// What came of pausing a canary or putting it on its schedule again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switched {
    /// It is so from now on.
    Done,
    /// It was so already.
    Already,
    /// It has no schedule.
    NoSchedule,
    /// There is no such canary.
    Unknown,
}

impl Scheduler {
    /// Takes a canary off its schedule: what runs goes on, what waits is dropped, its alarms rest.
    /// It stays off over restarts and edits of its file.
    pub(super) async fn pause(&mut self, name: &Arc<str>) -> Switched {
        let Some(canary) = self.canaries.get(name).cloned() else { return Switched::Unknown };
        match &canary.schedule {
            None => return Switched::NoSchedule,
            Some(_) if self.is_paused(name) => return Switched::Already,
            Some(_) => {}
        }
        self.timetable.remove(name);
        self.admission.forget(name);
        self.switch(&canary, CanaryState::Stopped).await;
        tracing::info!(canary = %name, "canary paused");
        Switched::Done
    }

    /// Puts a canary on its schedule again and runs it; what was due meanwhile is not owed.
    pub(super) async fn resume(&mut self, name: &Arc<str>) -> Switched {
        let Some(canary) = self.canaries.get(name).cloned() else { return Switched::Unknown };
        let Some(schedule) = &canary.schedule else { return Switched::NoSchedule };
        if !self.is_paused(name) {
            return Switched::Already;
        }
        self.switch(&canary, CanaryState::Running).await;
        let now = self.reading();
        self.timetable.add(name, Timing::from(schedule), Some(now.wall), now);
        self.run_now(name);
        tracing::info!(canary = %name, "canary put on its schedule again");
        Switched::Done
    }

    pub(super) fn is_paused(&self, name: &Arc<str>) -> bool {
        self.parts.rows.get(name).is_some_and(|row| row.paused)
    }

    async fn switch(&mut self, canary: &Canary, state: CanaryState) {
        let now = self.parts.clock.now();
        if let Some(row) = self.parts.rows.get_mut(&canary.name) {
            row.paused = state == CanaryState::Stopped;
            row.state = state;
            *(if row.paused { &mut row.stopped } else { &mut row.started }) = Some(now);
            let row = row.clone();
            self.parts.recorder.canary(&row).await;
        }
        self.declare(canary).await;
    }

    /// Tells the alarms what the canary's file declares, and when they rest.
    pub(super) async fn declare(&self, canary: &Canary) {
        let now = self.parts.clock.now();
        let scope = &self.parts.settings.scope;
        let mut alarms = declared_alarms(canary, scope, now);
        alarms.extend(silence_alarm(canary, scope, now));
        let row = self.parts.rows.get(&canary.name);
        let scheduled = row.and_then(|row| row.started).unwrap_or(now);
        let rest = CanaryRest {
            scheduled: Some(scheduled).filter(|_| !self.is_paused(&canary.name)),
            maintenance: canary.maintenance.clone(),
        };
        self.parts.alarms.declare((scope, &canary.name), alarms, Some(rest)).await;
    }
}

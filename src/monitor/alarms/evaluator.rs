use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::announce::Announcer;
use super::book::{AlarmBook, AlarmKey, Subject};
use super::command::AlarmCommand;
use super::pass::{Change, Pass};
use super::rest::CanaryRest;
use super::window::evaluation_window;
use crate::alarm::{AlarmOrigin, HistoryItem, StateTransition, evaluate, state_change_event};
use crate::monitor::deliver::NewRow;
use crate::monitor::kind;
use crate::store::{AppendError, ResourceChanges, SortKey, Store};
use crate::telemetry::{Scope, TelemetryBatch};
use crate::time::{Clock, Timestamp};

/// What alarms are evaluated with, and the one place that changes their states.
#[derive(Debug)]
pub(in crate::monitor) struct Evaluator {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) book: Arc<RwLock<AlarmBook>>,
    pub(super) announcer: Announcer,
    pub(super) outbox: mpsc::Sender<NewRow>,
    pub(super) started: Timestamp,
    /// Alarms whose state was set by hand since their last boundary; new data leaves them alone.
    pub(super) forced: BTreeSet<AlarmKey>,
    /// When the alarms of canary files rest, by the canary.
    pub(super) rests: HashMap<AlarmKey, CanaryRest>,
}

/// Alarms are looked at on boundaries of this width; the finest cadence.
const BOUNDARY_SECS: i64 = 10;
/// The wall clock is read at least this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// New data is looked at once in this while at most; data of our own runs at once.
const FRESH_EVERY: Duration = Duration::from_secs(1);
/// BOUND: with more alarms than this, new data waits for the next boundary, as in AWS.
const FRESH_ALARMS_MAX: usize = 5_000;
/// BOUND: so many changes are stored in one append.
const CHANGES_AN_APPEND: usize = 500;
/// How long an alarm's history is kept.
///
/// Source: CloudWatch API Reference, `DescribeAlarmHistory`.
const HISTORY_KEPT_FOR: Duration = Duration::from_secs(30 * 86_400);

impl Evaluator {
    /// Evaluates on boundaries, on new data and on command, until `stop`.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<AlarmCommand>,
        stop: CancellationToken,
    ) {
        let mut appended = self.store.watch();
        let mut last_boundary = self.clock.now().as_secs().div_euclid(BOUNDARY_SECS);
        let mut looked_at_fresh = self.clock.monotonic();
        let mut is_fresh = false;
        loop {
            let since_fresh = self.clock.monotonic().since(looked_at_fresh);
            let wait = if is_fresh { FRESH_EVERY.saturating_sub(since_fresh) } else { LOOK_EVERY };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(command) = commands.recv() => self.obey(command).await,
                Ok(()) = appended.changed(), if !is_fresh => {
                    appended.mark_unchanged();
                    is_fresh = true;
                }
                () = tokio::time::sleep(wait.min(self.to_boundary())) => {}
            }
            let now = self.clock.now();
            let boundary = now.as_secs().div_euclid(BOUNDARY_SECS);
            if boundary != last_boundary {
                last_boundary = boundary;
                self.boundary(Timestamp::from_secs(boundary * BOUNDARY_SECS)).await;
            }
            if is_fresh && self.clock.monotonic().since(looked_at_fresh) >= FRESH_EVERY {
                is_fresh = false;
                looked_at_fresh = self.clock.monotonic();
                self.look_at_fresh_data(now).await;
            }
        }
        // Whoever waits for an answer is told that there will be none: the channel closes.
    }

    fn to_boundary(&self) -> Duration {
        let into = self.clock.now().as_millis().rem_euclid(BOUNDARY_SECS * 1_000);
        Duration::from_millis(u64::try_from(BOUNDARY_SECS * 1_000 - into).unwrap_or(1_000))
    }

    /// Evaluates every alarm whose cadence has a boundary here.
    pub(super) async fn boundary(&mut self, boundary: Timestamp) {
        let is_due = |subject: &Subject| match &subject.alarm.origin {
            AlarmOrigin::Api => true,
            AlarmOrigin::CanaryFile { canary } => {
                // Before its file is read nobody knows whether it rests.
                let rest = self.rests.get(&(subject.scope.clone(), Arc::clone(canary)));
                let times = (self.started, boundary);
                rest.is_some_and(|rest| rest.lets_judge(&subject.alarm, times))
            }
        };
        let mut subjects = self.book().due_at(boundary);
        subjects.retain(is_due);
        for subject in &subjects {
            self.forced.remove(&(subject.scope.clone(), Arc::clone(&subject.alarm.name)));
        }
        self.evaluate(subjects, boundary).await;
        let due = self.book().suppressions_due(boundary);
        if !due.is_empty() {
            let changes = {
                let book = self.book();
                let mut pass = Pass::new(&book, boundary);
                due.iter().for_each(|key| pass.suppressor(key));
                pass.into_changes()
            };
            self.commit(changes, boundary).await;
        }
        self.end_mutes(boundary).await;
        self.send_due_messages(boundary).await;
    }

    /// Tells what a dwell held back, and reminds.
    async fn send_due_messages(&mut self, at: Timestamp) {
        let changes = {
            let book = self.book();
            let due = book.messages_due(at);
            let mut pass = Pass::new(&book, at);
            due.iter().for_each(|key| pass.message_due(key));
            pass.into_changes()
        };
        if !changes.is_empty() {
            self.commit(changes, at).await;
        }
    }

    async fn look_at_fresh_data(&mut self, now: Timestamp) {
        let mut subjects = {
            let book = self.book();
            if book.len() > FRESH_ALARMS_MAX {
                return;
            }
            book.subjects(|alarm| alarm.origin == AlarmOrigin::Api)
        };
        // COMPAT: a state set by hand stays until the alarm's own next evaluation, as in AWS.
        subjects.retain(|subject| {
            let key = (subject.scope.clone(), Arc::clone(&subject.alarm.name));
            !self.forced.contains(&key)
        });
        self.evaluate(subjects, now).await;
    }

    /// Evaluates metric alarms, and stores and announces what changed.
    pub(super) async fn evaluate(&mut self, subjects: Vec<Subject>, at: Timestamp) {
        let mut transitions: Vec<(AlarmKey, StateTransition)> = Vec::new();
        for subject in subjects {
            let Subject { scope, alarm, state, plan } = &subject;
            let read = evaluation_window(&self.store, scope, alarm, plan.as_deref(), at).await;
            let window = match read {
                Ok(window) => window,
                Err(error) => {
                    tracing::warn!(alarm = %alarm.name, %error, "cannot evaluate an alarm");
                    continue;
                }
            };
            let evaluation = evaluate(alarm, &window, *state);
            if evaluation.state == *state {
                continue;
            }
            let key = (scope.clone(), Arc::clone(&alarm.name));
            let texts = || {
                let reason = evaluation.reason(alarm, &window);
                (reason, Some(evaluation.reason_data(alarm, &window, at)))
            };
            let current = self.book().get(&key).map(|known| known.condition.state.clone());
            let transition = current.and_then(|c| c.transition(evaluation.state, at, texts));
            transitions.extend(transition.map(|transition| (key, transition)));
        }
        if transitions.is_empty() {
            return;
        }
        let changes = {
            let book = self.book();
            let mut pass = Pass::new(&book, at);
            for (key, transition) in transitions {
                pass.transition(&key, transition);
            }
            pass.into_changes()
        };
        self.commit(changes, at).await;
    }

    /// Makes changes durable, then visible, then known to the deliverer.
    ///
    /// A change that cannot be stored is not made: the next evaluation finds it again.
    pub(super) async fn commit(&mut self, changes: Vec<Change>, at: Timestamp) {
        let mut by_scope: BTreeMap<Scope, Vec<Change>> = BTreeMap::new();
        for change in changes {
            by_scope.entry(change.key.0.clone()).or_default().push(change);
        }
        for (scope, changes) in by_scope {
            for part in changes.chunks(CHANGES_AN_APPEND) {
                if let Err(error) = self.commit_part(&scope, part, at).await {
                    tracing::warn!(%error, changes = part.len(), "cannot store alarm states");
                    return;
                }
            }
        }
    }

    async fn commit_part(
        &mut self,
        scope: &Scope,
        changes: &[Change],
        at: Timestamp,
    ) -> Result<(), AppendError> {
        let mut batch = TelemetryBatch::new(scope.clone());
        let mut rows = Vec::new();
        let mut resources = ResourceChanges::new();
        for change in changes {
            let name = &*change.key.1;
            resources = resources.put(kind::ALARM_STATE, name, &change.condition)?;
            if let Some(transition) = &change.transition {
                let suppression = change.condition.suppression;
                let mut event = state_change_event(scope, change.alarm(), transition, suppression);
                if let (Some(mute), Some(detail)) = (&change.mute, event.detail.as_object_mut()) {
                    detail.insert("muteDetail".to_owned(), mute.detail(scope));
                }
                batch.events.push(event);
                let item = HistoryItem::state_update(change.alarm(), transition);
                let sort =
                    SortKey::at(item.timestamp, format_args!("{:012}", transition.to.sequence));
                let forgotten = SortKey::start_of(at.minus(HISTORY_KEPT_FOR));
                resources = resources
                    .put_row(kind::ALARM_HISTORY, name, sort, &item)?
                    .delete_rows_before(kind::ALARM_HISTORY, name, forgotten);
            }
            let announcement = self.announcer.announce(change);
            for (number, item) in announcement.refused.iter().enumerate() {
                let suffix = format_args!("{:012}-{number}", change.state().sequence);
                let sort = SortKey::at(item.timestamp, suffix);
                resources = resources.put_row(kind::ALARM_HISTORY, name, sort, item)?;
            }
            for row in announcement.rows {
                resources = resources.put(kind::OUTBOX, &row.name(), &row)?;
                rows.push(row);
            }
        }
        // ORDER: states, history and outbox are one append, done before anything is sent. A crash
        // can repeat a notification (it carries an idempotency key) but cannot lose one.
        self.store.append_with(batch, resources).await?;
        {
            let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
            for change in changes {
                book.set_condition(&change.key, change.condition.clone());
            }
        }
        for change in changes.iter().filter(|change| change.transition.is_some()) {
            let state = change.state();
            tracing::info!(alarm = %change.key.1, state = %state.value, "alarm changed its state");
        }
        for row in rows {
            // The deliverer is gone only when everything stops; the row is in the outbox.
            self.outbox.send((scope.clone(), row)).await.unwrap_or(());
        }
        Ok(())
    }

    pub(super) fn book(&self) -> RwLockReadGuard<'_, AlarmBook> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }
}

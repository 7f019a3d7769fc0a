use std::collections::BTreeMap;

use super::OutboxRow;
use super::queue::{Lane, Queue};
use crate::monitor::kind;
use crate::store::{Page, ReadError, Store};
use crate::telemetry::Scope;

/// What the outbox holds beyond the rows in memory.
///
/// A receiver that is gone for a week must not fill the memory: the queue holds at most
/// [`ROWS_MAX`] rows, and the rest is read in pages, in the order of its names, as it empties.
#[derive(Debug)]
pub(in crate::monitor) struct Backlog {
    /// Scopes with rows that are not in memory: those whose names sort after this one.
    behind: BTreeMap<Scope, String>,
    rows_max: usize,
}

/// BOUND: so many rows are held in memory; some 2 KiB each.
const ROWS_MAX: usize = 4_096;
/// So many rows are read at once.
const PAGE: usize = 512;

impl Backlog {
    /// Everything that an earlier life of the process left, none of it read yet.
    ///
    /// Errors: as the store's reads.
    pub(in crate::monitor) async fn of(store: &Store) -> Result<Self, ReadError> {
        let scopes = store.resources().scopes(kind::OUTBOX).await?;
        let behind = scopes.into_iter().map(|scope| (scope, String::new())).collect();
        Ok(Self { behind, rows_max: ROWS_MAX })
    }

    /// Takes a row that was just stored.
    pub(super) fn take(&mut self, queue: &mut Queue, scope: &Scope, row: OutboxRow) {
        let name = row.name();
        match self.behind.get(scope) {
            // A later page has it.
            Some(read_up_to) if name > *read_up_to => {}
            Some(_) => queue.push(Lane::of(scope, &row), row),
            None if queue.len() < self.rows_max => queue.push(Lane::of(scope, &row), row),
            None => {
                // The page begins before this row; rows that are in memory already are known.
                let before = name.split_once('-').map_or("", |(instant, _)| instant);
                self.behind.insert(scope.clone(), before.to_owned());
            }
        }
    }

    /// Reads on when there is room.
    pub(super) async fn refill(&mut self, store: &Store, queue: &mut Queue) {
        while queue.len() <= self.rows_max / 2
            && let Some((scope, after)) = self.behind.pop_first()
        {
            let page = Page { after: Some(&after), limit: PAGE, ..Page::ALL };
            let read = store.resources().list::<OutboxRow>(&scope, kind::OUTBOX, &page).await;
            let rows = match read {
                Ok(rows) => rows,
                Err(error) => {
                    tracing::error!(%error, "cannot read the outbox");
                    self.behind.insert(scope, after);
                    return;
                }
            };
            let last = rows.last().map(|(name, _)| name.clone());
            let is_whole_page = rows.len() == PAGE;
            for (_, row) in rows {
                queue.push(Lane::of(&scope, &row), row);
            }
            if let Some(last) = last.filter(|_| is_whole_page) {
                self.behind.insert(scope, last);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempfile::TempDir;

    use super::*;
    use crate::alarm::AlarmType;
    use crate::notify::Notification;
    use crate::store::{ResourceChanges, StoreSettings};
    use crate::task::TaskGroup;
    use crate::time::{Clock, Monotonic, SystemClock, Timestamp};

    fn row(number: u64) -> OutboxRow {
        let at = Timestamp::from_secs(1_700_000_000 + i64::try_from(number).unwrap());
        let alarm = format!("alarm-{}", number % 7).into();
        OutboxRow {
            channel: "oncall".into(),
            resource: "arn".into(),
            alarm_type: AlarmType::MetricAlarm,
            sequence: number,
            notification: Notification { alarm, at, ..Notification::example() },
            text: None,
            attempts: 0,
            last_fault: None,
        }
    }

    /// More rows than memory may hold, some from an earlier life, some new: each comes once, those
    /// of an alarm in order, and never are more in memory than allowed.
    #[tokio::test]
    async fn a_long_outbox_passes_through_little_memory_in_order() {
        let folder = TempDir::new().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let tasks = TaskGroup::new();
        let settings = StoreSettings::new(folder.path());
        let store = Store::open(settings, clock, &tasks).await.unwrap();
        let scope = Scope::default();
        let keep = async |number: u64| {
            let row = row(number);
            let changes = ResourceChanges::new().put(kind::OUTBOX, &row.name(), &row).unwrap();
            store.resources().apply(&scope, changes).await.unwrap();
            row
        };
        for number in 0..1_200 {
            keep(number).await;
        }
        let mut backlog = Backlog { rows_max: 1_000, ..Backlog::of(&store).await.unwrap() };
        let mut queue = Queue::default();
        let now = Monotonic::from(tokio::time::Instant::now());
        let (mut seen, mut most, mut next) = (Vec::new(), 0, 1_200);
        loop {
            backlog.refill(&store, &mut queue).await;
            // New rows come three times as fast as they leave, for a while.
            for _ in 0..3 {
                if next < 2_400 {
                    let row = keep(next).await;
                    backlog.take(&mut queue, &scope, row);
                    next += 1;
                }
            }
            most = most.max(queue.len());
            let Some((lane, row)) = queue.take(now) else { break };
            seen.push((row.notification.alarm.to_string(), row.sequence));
            store.resources().delete(&scope, kind::OUTBOX, &row.name()).await.unwrap();
            queue.done(lane);
        }
        assert_eq!(seen.len(), 2_400);
        assert!(most <= 1_000 + PAGE, "{most} rows in memory");
        for alarm in 0..7 {
            let name = format!("alarm-{alarm}");
            let of_alarm: Vec<u64> =
                seen.iter().filter(|(known, _)| *known == name).map(|(_, n)| *n).collect();
            assert!(of_alarm.is_sorted(), "{name}: {of_alarm:?}");
        }
        store.close().await.unwrap();
    }
}

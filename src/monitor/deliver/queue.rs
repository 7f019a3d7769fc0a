use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::OutboxRow;
use crate::telemetry::Scope;
use crate::time::Monotonic;

/// One alarm's notifications to one channel; they are delivered in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    pub(super) scope: Scope,
    pub(super) alarm: Arc<str>,
    pub(super) channel: Arc<str>,
}

impl Lane {
    pub(super) fn of(scope: &Scope, row: &OutboxRow) -> Self {
        Self {
            scope: scope.clone(),
            alarm: Arc::clone(&row.notification.alarm),
            channel: Arc::clone(&row.channel),
        }
    }
}

/// What is still to be delivered, and when. At most one row of a lane is under way, so that a later
/// one cannot overtake it.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lanes: BTreeMap<Lane, VecDeque<OutboxRow>>,
    ready: VecDeque<Lane>,
    waiting: BTreeSet<(Monotonic, Lane)>,
    /// Rows that are in some lane, so that none is taken twice.
    known: HashSet<(Scope, String)>,
}

impl Queue {
    /// Adds a row behind those of its lane, unless it is there already.
    pub(super) fn push(&mut self, lane: Lane, row: OutboxRow) {
        if !self.known.insert((lane.scope.clone(), row.name())) {
            return;
        }
        let rows = self.lanes.entry(lane.clone()).or_default();
        rows.push_back(row);
        if rows.len() == 1 {
            self.ready.push_back(lane);
        }
    }

    /// The next row to deliver now; its lane is under way until `done` or `again`.
    pub(super) fn take(&mut self, now: Monotonic) -> Option<(Lane, OutboxRow)> {
        while self.waiting.first().is_some_and(|(at, _)| *at <= now) {
            self.ready.extend(self.waiting.pop_first().map(|(_, lane)| lane));
        }
        let lane = self.ready.pop_front()?;
        let row = self.lanes.get(&lane)?.front()?.clone();
        Some((lane, row))
    }

    /// The row under way is done with; the lane goes on with the next one.
    pub(super) fn done(&mut self, lane: Lane) {
        let Some(rows) = self.lanes.get_mut(&lane) else { return };
        if let Some(row) = rows.pop_front() {
            self.known.remove(&(lane.scope.clone(), row.name()));
        }
        if rows.is_empty() {
            self.lanes.remove(&lane);
        } else {
            self.ready.push_back(lane);
        }
    }

    /// The row under way is tried again at `at`, as `row`.
    pub(super) fn again(&mut self, lane: Lane, row: OutboxRow, at: Monotonic) {
        if let Some(first) = self.lanes.get_mut(&lane).and_then(VecDeque::front_mut) {
            *first = row;
            self.waiting.insert((at, lane));
        }
    }

    /// How long nothing is due; `None` when only the end of a delivery can change that.
    pub(super) fn wait(&self, now: Monotonic) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        self.waiting.first().map(|(at, _)| at.since(now))
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::AlarmType;
    use crate::notify::Notification;

    fn row(alarm: &str, sequence: u64) -> (Lane, OutboxRow) {
        let row = OutboxRow {
            channel: "oncall".into(),
            resource: "arn".into(),
            alarm_type: AlarmType::MetricAlarm,
            sequence,
            notification: Notification { alarm: alarm.into(), ..Notification::example() },
            text: None,
            attempts: 0,
            last_fault: None,
        };
        (Lane::of(&Scope::default(), &row), row)
    }

    fn taken(queue: &mut Queue, now: Monotonic) -> Vec<(Lane, u64)> {
        std::iter::from_fn(|| queue.take(now)).map(|(lane, row)| (lane, row.sequence)).collect()
    }

    #[test]
    fn a_row_waits_for_the_one_before_it_and_for_no_other_alarm() {
        let now = Monotonic::from(tokio::time::Instant::now());
        let mut queue = Queue::default();
        for (lane, row) in [row("a", 1), row("a", 2), row("b", 1)] {
            queue.push(lane, row);
        }
        let first = taken(&mut queue, now);
        let names: Vec<_> = first.iter().map(|(lane, n)| (&*lane.alarm, *n)).collect();
        assert_eq!(names, [("a", 1), ("b", 1)]);
        queue.done(first[0].0.clone());
        let next: Vec<u64> = taken(&mut queue, now).into_iter().map(|(_, n)| n).collect();
        assert_eq!(next, [2]);
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn a_row_that_is_tried_again_keeps_its_place() {
        let now = Monotonic::from(tokio::time::Instant::now());
        let later = now.plus(Duration::from_secs(5));
        let mut queue = Queue::default();
        for (lane, row) in [row("a", 1), row("a", 2)] {
            queue.push(lane, row);
        }
        let (lane, mut tried) = queue.take(now).unwrap();
        tried.attempts = 1;
        queue.again(lane, tried, later);
        assert_eq!(taken(&mut queue, now), []);
        assert_eq!(queue.wait(now), Some(Duration::from_secs(5)));
        let (_, row) = queue.take(later).unwrap();
        assert_eq!((row.sequence, row.attempts), (1, 1));
    }
}

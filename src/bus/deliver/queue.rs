use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::{Delivery, Owed};
use crate::telemetry::Scope;
use crate::time::Monotonic;

/// One receiver of a scope.
type Lane = (Scope, Arc<str>);

/// What is to be delivered, by receiver: one that is slow or gone holds up no other.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    lanes: BTreeMap<Lane, LaneState>,
    /// Receivers that have something to be delivered now, in turn.
    ready: VecDeque<Lane>,
    later: BTreeSet<(Monotonic, u64)>,
    later_rows: BTreeMap<u64, Owed>,
    next: u64,
}

#[derive(Debug, Default)]
struct LaneState {
    rows: VecDeque<Arc<Delivery>>,
    under_way: usize,
    is_listed: bool,
}

impl Waiting {
    /// Adds a delivery that can be made now.
    pub(super) fn push(&mut self, scope: Scope, delivery: Arc<Delivery>) {
        let lane = (scope, Arc::clone(delivery.to.name()));
        let state = self.lanes.entry(lane.clone()).or_default();
        state.rows.push_back(delivery);
        if !std::mem::replace(&mut state.is_listed, true) {
            self.ready.push_back(lane);
        }
    }

    /// Adds a delivery that is to be made at `at`.
    pub(super) fn again(&mut self, scope: Scope, delivery: Arc<Delivery>, at: Monotonic) {
        self.next += 1;
        self.later.insert((at, self.next));
        self.later_rows.insert(self.next, (scope, delivery));
    }

    /// The next delivery to make; not more than `each` of a receiver are under way at once.
    pub(super) fn take(&mut self, now: Monotonic, each: usize) -> Option<Owed> {
        while let Some((at, row)) = self.later.first().copied()
            && at <= now
        {
            self.later.pop_first();
            if let Some((scope, delivery)) = self.later_rows.remove(&row) {
                self.push(scope, delivery);
            }
        }
        loop {
            let lane = self.ready.pop_front()?;
            let Some(state) = self.lanes.get_mut(&lane) else { continue };
            state.is_listed = false;
            if state.under_way >= each {
                continue;
            }
            let Some(delivery) = state.rows.pop_front() else { continue };
            state.under_way += 1;
            if !state.rows.is_empty() && state.under_way < each {
                state.is_listed = true;
                self.ready.push_back(lane.clone());
            }
            return Some((lane.0, delivery));
        }
    }

    /// A delivery under way has ended, well or not.
    pub(super) fn done(&mut self, scope: &Scope, delivery: &Delivery) {
        let lane = (scope.clone(), Arc::clone(delivery.to.name()));
        let Some(state) = self.lanes.get_mut(&lane) else { return };
        state.under_way = state.under_way.saturating_sub(1);
        if state.rows.is_empty() {
            if state.under_way == 0 {
                self.lanes.remove(&lane);
            }
        } else if !std::mem::replace(&mut state.is_listed, true) {
            self.ready.push_back(lane);
        }
    }

    /// How long nothing is due; `None` when only the end of a delivery can change that.
    pub(super) fn wait(&self, now: Monotonic) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        self.later.first().map(|(at, _)| at.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::deliver::Receiver;
    use crate::bus::rule::{RetrySettings, Target};
    use crate::time::Timestamp;

    fn delivery(arn: &str, id: &str) -> Arc<Delivery> {
        let target = Target { arn: arn.into(), ..Target::default() };
        Arc::new(Delivery {
            id: id.into(),
            came: Timestamp::EPOCH,
            payload: "{}".into(),
            event: None,
            to: Receiver::Target(Box::new(target)),
            owner: "rule".into(),
            dead_letter: None,
            retry: RetrySettings::default(),
            attempts: 0,
            fault: None,
        })
    }

    fn taken(waiting: &mut Waiting, now: Monotonic) -> Vec<String> {
        let next = std::iter::from_fn(|| waiting.take(now, 2));
        next.map(|(_, delivery)| delivery.id.to_string()).collect()
    }

    #[test]
    fn a_receiver_with_enough_under_way_holds_up_no_other() {
        let now = Monotonic::from(tokio::time::Instant::now());
        let mut waiting = Waiting::default();
        let scope = Scope::default();
        for (arn, id) in [("a", "1"), ("a", "2"), ("a", "3"), ("b", "4")] {
            waiting.push(scope.clone(), delivery(arn, id));
        }
        assert_eq!(taken(&mut waiting, now), ["1", "4", "2"]);
        waiting.done(&scope, &delivery("a", "1"));
        assert_eq!(taken(&mut waiting, now), ["3"]);
        assert_eq!(waiting.wait(now), None);
    }

    #[test]
    fn a_delivery_that_failed_waits_its_time() {
        let now = Monotonic::from(tokio::time::Instant::now());
        let mut waiting = Waiting::default();
        let later = now.plus(Duration::from_secs(3));
        waiting.again(Scope::default(), delivery("a", "1"), later);
        assert!(taken(&mut waiting, now).is_empty());
        assert_eq!(waiting.wait(now), Some(Duration::from_secs(3)));
        assert_eq!(taken(&mut waiting, later), ["1"]);
    }
}

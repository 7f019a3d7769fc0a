use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::canary::definition::OverlapPolicy;
use crate::time::Timestamp;

/// Why a run that was due does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::monitor) enum SkipReason {
    /// The last one still runs, and the canary does not allow two.
    Overlap,
    /// Every run slot is taken and enough runs wait already.
    Capacity,
    /// A maintenance window is open.
    Maintenance,
}

impl SkipReason {
    pub(in crate::monitor) const fn as_str(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::Capacity => "capacity",
            Self::Maintenance => "maintenance",
        }
    }
}

/// What is to be done about a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::monitor) enum Order {
    /// Start it.
    Start { canary: Arc<str>, slot: Timestamp },
    /// Record that it was skipped.
    Skip { canary: Arc<str>, slot: Timestamp, reason: SkipReason },
    /// Tell the canary's running runs to stop.
    Cancel { canary: Arc<str> },
}

/// Decides which due runs start: overlap policies and the bounded number of run slots.
#[derive(Debug)]
pub(in crate::monitor) struct Admission {
    slots: usize,
    running: usize,
    canaries: BTreeMap<Arc<str>, Lane>,
    /// Runs that wait for a run slot, oldest first.
    waiting: VecDeque<(Arc<str>, Timestamp)>,
}

/// The runs of one canary.
#[derive(Debug, Default)]
struct Lane {
    running: u32,
    /// Runs that wait for a run slot.
    waiting: u32,
    /// The run that waits for the running one to end.
    queued: Option<Timestamp>,
}

/// BOUND: so many runs wait for a run slot; further ones are skipped.
const WAITING_MAX: usize = 1_000;

impl Admission {
    /// Admission to `slots` run slots.
    pub(in crate::monitor) fn new(slots: usize) -> Self {
        Self { slots, running: 0, canaries: BTreeMap::new(), waiting: VecDeque::new() }
    }

    /// How many runs run.
    #[cfg(test)]
    pub(in crate::monitor) const fn running(&self) -> usize {
        self.running
    }

    /// A run is due.
    pub(in crate::monitor) fn due(
        &mut self,
        canary: &Arc<str>,
        policy: OverlapPolicy,
        slot: Timestamp,
    ) -> Vec<Order> {
        let lane = self.canaries.entry(Arc::clone(canary)).or_default();
        let active = lane.running + lane.waiting;
        let skip = |slot, reason| Order::Skip { canary: Arc::clone(canary), slot, reason };
        match policy {
            OverlapPolicy::Allow(most) if active < most.max(1) => self.admit(canary, slot),
            _ if active == 0 => self.admit(canary, slot),
            OverlapPolicy::Queue if lane.queued.is_none() => {
                lane.queued = Some(slot);
                Vec::new()
            }
            OverlapPolicy::Cancel => {
                // The newest due run replaces one that still waits for the cancelled run's end.
                let replaced = lane.queued.replace(slot);
                let skipped = replaced.map(|slot| skip(slot, SkipReason::Overlap));
                let cancel = Order::Cancel { canary: Arc::clone(canary) };
                skipped.into_iter().chain([cancel]).collect()
            }
            OverlapPolicy::Skip | OverlapPolicy::Queue | OverlapPolicy::Allow(_) => {
                vec![skip(slot, SkipReason::Overlap)]
            }
        }
    }

    /// A run has ended.
    pub(in crate::monitor) fn finished(&mut self, canary: &Arc<str>) -> Vec<Order> {
        self.running = self.running.saturating_sub(1);
        let queued = self.canaries.get_mut(canary).and_then(|lane| {
            lane.running = lane.running.saturating_sub(1);
            if lane.running == 0 { lane.queued.take() } else { None }
        });
        let mut orders = Vec::new();
        if let Some(slot) = queued {
            orders.extend(self.admit(canary, slot));
        }
        while self.running < self.slots
            && let Some((canary, slot)) = self.waiting.pop_front()
        {
            if let Some(lane) = self.canaries.get_mut(&canary) {
                lane.waiting = lane.waiting.saturating_sub(1);
            }
            orders.push(self.start(&canary, slot));
        }
        self.canaries.retain(|_, lane| lane.running + lane.waiting > 0 || lane.queued.is_some());
        orders
    }

    /// A canary is gone: what waits of it is dropped, what runs ends by itself.
    pub(in crate::monitor) fn forget(&mut self, canary: &Arc<str>) {
        self.waiting.retain(|(waiting, _)| waiting != canary);
        if let Some(lane) = self.canaries.get_mut(canary) {
            lane.queued = None;
            lane.waiting = 0;
        }
    }

    fn admit(&mut self, canary: &Arc<str>, slot: Timestamp) -> Vec<Order> {
        if self.running < self.slots {
            return vec![self.start(canary, slot)];
        }
        if self.waiting.len() >= WAITING_MAX {
            let (canary, reason) = (Arc::clone(canary), SkipReason::Capacity);
            return vec![Order::Skip { canary, slot, reason }];
        }
        self.canaries.entry(Arc::clone(canary)).or_default().waiting += 1;
        self.waiting.push_back((Arc::clone(canary), slot));
        Vec::new()
    }

    fn start(&mut self, canary: &Arc<str>, slot: Timestamp) -> Order {
        self.running += 1;
        self.canaries.entry(Arc::clone(canary)).or_default().running += 1;
        Order::Start { canary: Arc::clone(canary), slot }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A canary is due each second and each of its runs takes three and a half; cancelled ones end
    /// after a tenth. Counts starts, skips and cancellations over twenty due runs.
    fn play(policy: OverlapPolicy, slots: usize) -> (usize, usize, usize) {
        let mut admission = Admission::new(slots);
        let canary: Arc<str> = "a".into();
        let (mut starts, mut skips, mut cancels) = (0, 0, 0);
        let mut ends: Vec<i64> = Vec::new();
        for tenth in 0..200 {
            let mut orders = Vec::new();
            while let Some(at) = ends.iter().position(|end| *end <= tenth) {
                ends.remove(at);
                orders.extend(admission.finished(&canary));
            }
            if tenth % 10 == 0 {
                orders.extend(admission.due(&canary, policy, Timestamp::from_millis(tenth * 100)));
            }
            for order in orders {
                match order {
                    Order::Start { .. } => {
                        starts += 1;
                        ends.push(tenth + 35);
                    }
                    Order::Skip { .. } => skips += 1,
                    Order::Cancel { .. } => {
                        cancels += 1;
                        ends = vec![tenth + 1];
                    }
                }
            }
            assert!(admission.running() <= slots);
        }
        (starts, skips, cancels)
    }

    #[test]
    fn each_overlap_policy_starts_and_skips_exactly_what_it_says() {
        for (policy, starts, skips, cancels) in [
            // Starts at 0, 4, 8, 12, 16; the three due in between are skipped.
            (OverlapPolicy::Skip, 5, 15, 0),
            // Starts at 0, 3.5, 7, 10.5, 14, 17.5; one waits at the end.
            (OverlapPolicy::Queue, 6, 13, 0),
            // Each due run ends the one before and starts a tenth later.
            (OverlapPolicy::Cancel, 20, 0, 19),
            // Two of every four: 0, 1, 4, 5, 8, 9, ...
            (OverlapPolicy::Allow(2), 10, 10, 0),
            (OverlapPolicy::Allow(4), 20, 0, 0),
        ] {
            assert_eq!(play(policy, 10), (starts, skips, cancels), "{policy:?}");
        }
    }

    #[test]
    fn runs_wait_for_a_slot_in_the_order_they_were_due() {
        let mut admission = Admission::new(1);
        let names: Vec<Arc<str>> = ["a", "b", "c"].into_iter().map(Into::into).collect();
        let slot = Timestamp::EPOCH;
        let mut started = Vec::new();
        for name in &names {
            started.extend(admission.due(name, OverlapPolicy::Skip, slot));
        }
        for name in &names {
            started.extend(admission.finished(name));
        }
        let expected: Vec<Order> =
            names.iter().map(|n| Order::Start { canary: Arc::clone(n), slot }).collect();
        assert_eq!(started, expected);
    }

    #[test]
    fn a_full_queue_skips_and_says_why() {
        let mut admission = Admission::new(0);
        let mut last = Vec::new();
        for number in 0..=WAITING_MAX {
            let name: Arc<str> = format!("c{number}").into();
            last = admission.due(&name, OverlapPolicy::Skip, Timestamp::EPOCH);
        }
        let [Order::Skip { reason: SkipReason::Capacity, .. }] = last.as_slice() else {
            panic!("{last:?}")
        };
    }
}

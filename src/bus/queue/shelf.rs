use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::Message;
use crate::time::Timestamp;

/// How long a second message of one deduplication id counts as the first.
const DEDUPLICATION_MILLIS: i64 = 5 * 60 * 1000;

/// What is known in memory of a queue's messages: where each is, not what it says.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    known: BTreeMap<u64, Known>,
    /// Those that can be received now, in order.
    ready: BTreeSet<u64>,
    /// Those that can be received later: delayed, or in flight.
    hidden: BTreeSet<(Timestamp, u64)>,
    /// Groups with a message in flight, and how many.
    busy: HashMap<Arc<str>, usize>,
    /// Deduplication ids of the last minutes.
    seen: HashMap<Arc<str>, (Timestamp, Arc<str>, u64)>,
    order_of_seen: VecDeque<(Timestamp, Arc<str>)>,
    last: u64,
}

#[derive(Clone, Debug)]
struct Known {
    sent: Timestamp,
    /// Hidden until then.
    until: Option<Timestamp>,
    in_flight: bool,
    group: Option<Arc<str>>,
    receives: u32,
    first_received: Option<Timestamp>,
    /// Tells the handles of one receive from those of another.
    receipt: u32,
}

/// A message that was taken to be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) sequence: u64,
    pub(super) receives: u32,
    pub(super) first_received: Timestamp,
    pub(super) receipt: u32,
}

/// How many messages there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) ready: usize,
    pub(super) in_flight: usize,
    pub(super) delayed: usize,
}

impl Shelf {
    /// The sequence number of the next message; it grows with time, also over restarts.
    pub(super) fn next_sequence(&mut self, now: Timestamp) -> u64 {
        let by_time = u64::try_from(now.as_millis()).unwrap_or(0).saturating_mul(1_000_000);
        self.last = by_time.max(self.last + 1);
        self.last
    }

    /// Adds a message that is stored.
    pub(super) fn add(&mut self, message: &Message, now: Timestamp) {
        let sequence = message.sequence;
        let until = (message.due > now).then_some(message.due);
        match until {
            Some(until) => drop(self.hidden.insert((until, sequence))),
            None => drop(self.ready.insert(sequence)),
        }
        self.last = self.last.max(sequence);
        let known = Known {
            sent: message.sent,
            until,
            in_flight: false,
            group: message.group.clone(),
            receives: 0,
            first_received: None,
            receipt: 0,
        };
        self.known.insert(sequence, known);
        if let Some(id) = &message.deduplication {
            self.note(id, message);
        }
    }

    fn note(&mut self, id: &Arc<str>, message: &Message) {
        let entry = (message.sent, Arc::clone(&message.id), message.sequence);
        self.seen.insert(Arc::clone(id), entry);
        self.order_of_seen.push_back((message.sent, Arc::clone(id)));
    }

    /// The message that one with this deduplication id repeats.
    pub(super) fn repeated(&mut self, id: &str, now: Timestamp) -> Option<(Arc<str>, u64)> {
        while let Some((at, old)) = self.order_of_seen.front()
            && now.millis_since(*at) > DEDUPLICATION_MILLIS
        {
            if self.seen.get(old).is_some_and(|(seen, ..)| seen == at) {
                self.seen.remove(old);
            }
            self.order_of_seen.pop_front();
        }
        let (_, message, sequence) = self.seen.get(id)?;
        Some((Arc::clone(message), *sequence))
    }

    /// Takes up to `limit` messages and hides them until `until`.
    pub(super) fn take(&mut self, limit: usize, now: Timestamp, until: Timestamp) -> Vec<Taken> {
        self.wake(now);
        let mut taken = Vec::new();
        let mut skipped: BTreeSet<Arc<str>> = BTreeSet::new();
        let mut from = 0;
        while taken.len() < limit
            && let Some(sequence) = self.ready.range(from..).next().copied()
        {
            from = sequence + 1;
            let Some(known) = self.known.get_mut(&sequence) else { continue };
            if let Some(group) = &known.group {
                // A group with a message in flight waits; one receive may take several of it.
                let is_busy = self.busy.contains_key(group) && !skipped.contains(group);
                if is_busy {
                    continue;
                }
                skipped.insert(Arc::clone(group));
                *self.busy.entry(Arc::clone(group)).or_default() += 1;
            }
            known.receives += 1;
            known.receipt += 1;
            known.in_flight = true;
            known.until = Some(until);
            let first_received = *known.first_received.get_or_insert(now);
            let (receives, receipt) = (known.receives, known.receipt);
            self.ready.remove(&sequence);
            self.hidden.insert((until, sequence));
            taken.push(Taken { sequence, receives, first_received, receipt });
        }
        taken
    }

    /// Makes hidden messages ready whose time has come.
    fn wake(&mut self, now: Timestamp) {
        while let Some((until, sequence)) = self.hidden.first().copied()
            && until <= now
        {
            self.hidden.pop_first();
            self.show(sequence);
        }
    }

    fn show(&mut self, sequence: u64) {
        let Some(known) = self.known.get_mut(&sequence) else { return };
        known.until = None;
        if std::mem::take(&mut known.in_flight)
            && let Some(group) = known.group.clone()
        {
            self.release(&group);
        }
        self.ready.insert(sequence);
    }

    fn release(&mut self, group: &Arc<str>) {
        if let Some(count) = self.busy.get_mut(group) {
            *count -= 1;
            if *count == 0 {
                self.busy.remove(group);
            }
        }
    }

    /// Hides a message in flight until another time; says whether it was in flight.
    pub(super) fn change(&mut self, sequence: u64, now: Timestamp, until: Timestamp) -> bool {
        self.wake(now);
        let Some(known) = self.known.get_mut(&sequence).filter(|known| known.in_flight) else {
            return false;
        };
        let old = known.until.replace(until);
        self.hidden.remove(&(old.unwrap_or_default(), sequence));
        if until <= now {
            self.show(sequence);
        } else {
            self.hidden.insert((until, sequence));
        }
        true
    }

    /// Whether a message is there.
    pub(super) fn has(&self, sequence: u64) -> bool {
        self.known.contains_key(&sequence)
    }

    /// Forgets a message.
    pub(super) fn remove(&mut self, sequence: u64) {
        let Some(known) = self.known.remove(&sequence) else { return };
        self.ready.remove(&sequence);
        if let Some(until) = known.until {
            self.hidden.remove(&(until, sequence));
        }
        if known.in_flight
            && let Some(group) = &known.group
        {
            self.release(group);
        }
    }

    /// Forgets every message; ids that were seen stay seen.
    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.ready.clear();
        self.hidden.clear();
        self.busy.clear();
    }

    /// Messages sent before `oldest`.
    pub(super) fn older_than(&self, oldest: Timestamp) -> Vec<u64> {
        let old = self.known.iter().take_while(|(_, known)| known.sent < oldest);
        old.map(|(sequence, _)| *sequence).collect()
    }

    /// When the next hidden message can be received.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.hidden.first().map(|(until, _)| *until)
    }

    /// How many messages there are.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// How many messages there are, by where they are.
    pub(super) fn counts(&mut self, now: Timestamp) -> Counts {
        self.wake(now);
        let in_flight = self.known.values().filter(|known| known.in_flight).count();
        let delayed = self.hidden.len() - in_flight;
        Counts { ready: self.ready.len(), in_flight, delayed }
    }
}

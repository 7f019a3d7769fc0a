use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::super::error::ReadError;
use super::super::handle::Store;
use super::super::lsn::{Arrival, Lsn};
use super::super::recent::EventKey;
use super::super::segment::{EventTable, event_key};
use super::rows;
use crate::telemetry::{Event, Scope};
use crate::time::TimeRange;

/// Events of the store.
#[derive(Clone, Copy, Debug)]
pub struct Events<'a>(pub(in crate::store) &'a Store);

/// The place of an event in its bus, to go on from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPosition(EventKey);

/// One page of events.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundEvents {
    /// The events, by time.
    pub events: Vec<Arc<Event>>,
    /// The append that each came with.
    pub arrivals: Vec<Lsn>,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<EventPosition>,
}

impl Events<'_> {
    /// Events of a bus by time: those of `range` after `after`.
    ///
    /// Errors: `Damaged` when a segment fails its checksum; no partial answer is given.
    /// Cancel safety: yes; reads only.
    pub async fn find(
        self,
        (scope, bus): (&Scope, &str),
        range: TimeRange,
        after: Option<&EventPosition>,
        limit: usize,
    ) -> Result<FoundEvents, ReadError> {
        let key = |at, arrival| EventKey { scope: scope.clone(), bus: bus.into(), at, arrival };
        let mut found: BTreeMap<EventKey, Arc<Event>> = BTreeMap::new();
        if range.is_empty() {
            return Ok(FoundEvents { events: Vec::new(), arrivals: Vec::new(), next: None });
        }
        let first = key(range.start, Arrival::default());
        let end = key(range.end, Arrival::default());
        let start = match after {
            Some(EventPosition(after)) if *after >= first => Bound::Excluded(after.clone()),
            _ => Bound::Included(first.clone()),
        };
        let after = after.map_or(&first, |EventPosition(after)| after.max(&first));
        if *after >= end {
            return Ok(FoundEvents { events: Vec::new(), arrivals: Vec::new(), next: None });
        }
        let (shared, view) = (&self.0.shared, self.0.shared.view());
        let bounds = (start, Bound::Excluded(end));
        // One more than asked for tells whether there is a next page.
        let wanted = limit.saturating_add(1);
        for generation in view.generations() {
            let recent = generation.events();
            let rows = recent.range(bounds.clone()).take(wanted);
            found.extend(rows.map(|(key, event)| (key.clone(), Arc::clone(event))));
        }
        let last = range.end.plus_millis(-1);
        let place = event_key(scope, bus);
        rows::<EventTable>(
            shared,
            &view,
            &place,
            |part| part.may_touch(after.at, last),
            |row| {
                use std::ops::RangeBounds;
                if bounds.contains(&row.key) {
                    found.insert(row.key, row.event);
                    // The page is the first few; what lies beyond need not be held.
                    if found.len() > wanted.saturating_mul(2) {
                        while found.len() > wanted {
                            found.pop_last();
                        }
                    }
                }
            },
        )
        .await?;
        let next = found.keys().nth(limit.saturating_sub(1)).cloned().map(EventPosition);
        let next = next.filter(|_| found.len() > limit);
        let arrivals = found.keys().take(limit).map(|key| key.arrival.lsn).collect();
        Ok(FoundEvents { events: found.into_values().take(limit).collect(), arrivals, next })
    }
}

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeBounds;
use std::sync::Arc;

use crate::store::lsn::Arrival;
use crate::telemetry::{Scope, TraceId};
use crate::time::Timestamp;

/// Orders the lines of a group: by time, then by arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) struct LogKey {
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) arrival: Arrival,
}

/// One line, without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct LogLine {
    pub(in crate::store) stream: u64,
    pub(in crate::store) received: Timestamp,
    pub(in crate::store) message: Arc<str>,
}

impl LogLine {
    pub(super) fn new(stream: u64, received: Timestamp, message: &str) -> Self {
        Self { stream, received, message: message.into() }
    }
}

/// Lines by group.
#[derive(Debug, Default)]
pub(in crate::store) struct LogTail {
    groups: HashMap<u64, BTreeMap<LogKey, LogLine>>,
}

impl LogTail {
    pub(super) fn insert(&mut self, group: u64, key: LogKey, line: LogLine) {
        self.groups.entry(group).or_default().insert(key, line);
    }

    pub(super) fn forget(&mut self, group: u64, stream: Option<u64>) {
        match stream {
            None => {
                self.groups.remove(&group);
            }
            Some(stream) => {
                if let Some(lines) = self.groups.get_mut(&group) {
                    lines.retain(|_, line| line.stream != stream);
                }
            }
        }
    }

    pub(in crate::store) fn range(
        &self,
        group: u64,
        range: impl RangeBounds<LogKey>,
    ) -> impl DoubleEndedIterator<Item = (&LogKey, &LogLine)> {
        self.groups.get(&group).into_iter().flat_map(move |lines| {
            lines.range((range.start_bound().cloned(), range.end_bound().cloned()))
        })
    }

    pub(in crate::store) fn groups(
        &self,
    ) -> impl Iterator<Item = (u64, &BTreeMap<LogKey, LogLine>)> {
        self.groups.iter().map(|(group, lines)| (*group, lines))
    }

    /// Bytes of the lines of `group`, as CloudWatch counts them.
    pub(in crate::store) fn bytes(&self, group: u64) -> u64 {
        let lines = self.groups.get(&group).into_iter().flat_map(BTreeMap::values);
        lines.map(|line| line.message.len() as u64 + super::super::LOG_EVENT_OVERHEAD).sum()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct TraceKey {
    pub(in crate::store) scope: Scope,
    pub(in crate::store) trace: TraceId,
    pub(in crate::store) arrival: Arrival,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct EventKey {
    pub(in crate::store) scope: Scope,
    pub(in crate::store) bus: Arc<str>,
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) arrival: Arrival,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct AuditKey {
    pub(in crate::store) scope: Scope,
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) arrival: Arrival,
}

/// Rows by their key.
#[derive(Debug)]
pub(in crate::store) struct Ordered<K, R> {
    rows: BTreeMap<K, Arc<R>>,
}

impl<K, R> Default for Ordered<K, R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new() }
    }
}

impl<K: Ord, R: Clone> Ordered<K, R> {
    pub(super) fn extend<'a>(&mut self, rows: impl Iterator<Item = (K, &'a R)>)
    where
        R: 'a,
    {
        self.rows.extend(rows.map(|(key, row)| (key, Arc::new(row.clone()))));
    }

    pub(in crate::store) fn range(
        &self,
        range: impl RangeBounds<K>,
    ) -> impl DoubleEndedIterator<Item = (&K, &Arc<R>)> {
        self.rows.range(range)
    }

    pub(in crate::store) fn iter(&self) -> impl Iterator<Item = (&K, &Arc<R>)> {
        self.rows.iter()
    }
}

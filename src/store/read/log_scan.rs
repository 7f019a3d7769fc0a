use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::error::ReadError;
use super::super::recent::{LogKey, LogLine};
use super::super::segment::{LogTable, Segment, Table, log_key};
use super::super::state::{Shared, View};
use super::logs::Direction;

/// Lines taken from recent data in one go, so that its lock is held for microseconds.
pub(super) const RECENT_LINES: usize = 2048;

/// Reads the lines of one group in order, from recent data and segments, no more than is asked.
///
/// Row groups wait, sorted by time, until a line that they might precede is due.
pub(super) struct LogScan<'a> {
    shared: &'a Shared,
    view: View,
    group: u64,
    /// Names of the streams that are wanted, by id; lines of deleted streams are in none.
    streams: HashMap<u64, Arc<str>>,
    /// Inclusive.
    lo: LogKey,
    /// Exclusive.
    hi: LogKey,
    direction: Direction,
    /// Row groups that were not read, the next one last.
    waiting: Vec<(Arc<Segment>, usize)>,
    /// Up to where recent data was read; `None` once it is all read.
    recent: Option<LogKey>,
    pending: BTreeMap<LogKey, LogLine>,
}

/// The key right after `key`.
pub(super) fn after(key: LogKey) -> LogKey {
    let mut next = key;
    next.arrival.ordinal = next.arrival.ordinal.saturating_add(1);
    next
}

impl<'a> LogScan<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        (group, streams): (u64, HashMap<u64, Arc<str>>),
        (lo, hi): (LogKey, LogKey),
        direction: Direction,
    ) -> Self {
        let view = shared.view();
        let key = log_key(group);
        let mut waiting: Vec<(Arc<Segment>, usize)> = Vec::new();
        for live in view.of_table(LogTable::NAME) {
            for (number, part) in live.segment.parts.iter().enumerate() {
                if lo < hi && part.may_hold(&key) && part.may_touch(lo.at, hi.at) {
                    waiting.push((Arc::clone(&live.segment), number));
                }
            }
        }
        let first = |(segment, n): &(Arc<Segment>, usize)| segment.parts.get(*n).map(|p| p.first);
        let last = |(segment, n): &(Arc<Segment>, usize)| segment.parts.get(*n).map(|p| p.last);
        let recent = match direction {
            Direction::OldestFirst => {
                waiting.sort_by_key(|part| std::cmp::Reverse(first(part)));
                lo
            }
            Direction::NewestFirst => {
                waiting.sort_by_key(last);
                hi
            }
        };
        let (recent, pending) = ((lo < hi).then_some(recent), BTreeMap::new());
        Self { shared, view, group, streams, lo, hi, direction, waiting, recent, pending }
    }

    /// The next line, with its stream's name.
    pub(super) async fn next(&mut self) -> Result<Option<(LogKey, Arc<str>, LogLine)>, ReadError> {
        loop {
            self.fill().await?;
            let due = match self.direction {
                Direction::OldestFirst => self.pending.pop_first(),
                Direction::NewestFirst => self.pending.pop_last(),
            };
            let Some((key, line)) = due else { return Ok(None) };
            if let Some(stream) = self.streams.get(&line.stream) {
                return Ok(Some((key, Arc::clone(stream), line)));
            }
        }
    }

    /// Reads until no unread line can precede the one that is due.
    async fn fill(&mut self) -> Result<(), ReadError> {
        loop {
            if self.recent.is_some_and(|read_to| self.may_precede(read_to)) {
                self.read_recent();
                continue;
            }
            let may_precede = self.waiting.last().is_some_and(|(segment, number)| {
                segment.parts.get(*number).is_some_and(|part| match self.direction {
                    Direction::OldestFirst => {
                        self.pending.first_key_value().is_none_or(|(due, _)| part.first <= due.at)
                    }
                    Direction::NewestFirst => {
                        self.pending.last_key_value().is_none_or(|(due, _)| part.last >= due.at)
                    }
                })
            });
            if !may_precede {
                return Ok(());
            }
            if let Some((segment, number)) = self.waiting.pop() {
                let rows = segment.read::<LogTable>(&self.shared.segments, number).await?;
                let wanted = |key: &LogKey| self.lo <= *key && *key < self.hi;
                let mine = rows.into_iter().filter(|row| row.group == self.group);
                let lines = mine.filter(|row| wanted(&row.key)).map(|row| (row.key, row.line));
                self.pending.extend(lines);
            }
        }
    }

    fn may_precede(&self, read_to: LogKey) -> bool {
        match self.direction {
            Direction::OldestFirst => {
                self.pending.first_key_value().is_none_or(|(due, _)| read_to <= *due)
            }
            Direction::NewestFirst => {
                self.pending.last_key_value().is_none_or(|(due, _)| *due < read_to)
            }
        }
    }

    fn read_recent(&mut self) {
        let Some(read_to) = self.recent.take() else { return };
        for generation in self.view.generations() {
            let logs = generation.logs();
            let mut taken = 0;
            let mut keep = |(key, line): (&LogKey, &LogLine)| {
                self.pending.insert(*key, line.clone());
                taken += 1;
                *key
            };
            let reached = match self.direction {
                Direction::OldestFirst => {
                    let lines = logs.range(self.group, read_to..self.hi);
                    lines.take(RECENT_LINES).map(&mut keep).last().map(after)
                }
                Direction::NewestFirst => {
                    let lines = logs.range(self.group, self.lo..read_to).rev();
                    lines.take(RECENT_LINES).map(&mut keep).last()
                }
            };
            // Only a generation that was cut short has more; the nearest cut is where to go on.
            let more = reached.filter(|_| taken == RECENT_LINES);
            self.recent = match (self.recent, more, self.direction) {
                (None, more, _) => more,
                (known, None, _) => known,
                (Some(a), Some(b), Direction::OldestFirst) => Some(a.min(b)),
                (Some(a), Some(b), Direction::NewestFirst) => Some(a.max(b)),
            };
        }
    }
}

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::ast::{Command, Expression, Item};
use super::execute::{LIMIT_DEFAULT, ROWS_MAX};
use super::row::Row;
use super::{Context, InsightsError, Query};
use crate::time::Timestamp;

/// Raw rows, the newest ones when only those are wanted.
#[derive(Debug)]
pub(super) struct Rows {
    kept: BinaryHeap<Reverse<Kept>>,
    /// At most this many, the newest; or any, for `limit any`.
    most: usize,
    any: bool,
    sequence: u64,
}

/// A row that outlives its record, ordered by time.
#[derive(Debug)]
struct Kept {
    at: Reverse<u64>,
    timestamp: crate::time::Timestamp,
    row: Row<'static>,
}

impl Rows {
    pub(super) fn new(query: &Query, streamed: usize, context: &Context) -> Self {
        let later = query.commands.get(streamed..).unwrap_or_default();
        let keeps_time = !query.commands.iter().take(streamed).any(computes_time);
        let keeps_order = |command: &Command| match command {
            Command::Limit { .. } => true,
            command => keeps_time && is_newest_first(command),
        };
        let only_limits = later.iter().all(keeps_order);
        let limit = later.iter().rev().find_map(|command| match command {
            Command::Limit { count, any } => Some((*count, *any)),
            _ => None,
        });
        let (count, any) = limit.unwrap_or((context.limit.unwrap_or(LIMIT_DEFAULT), false));
        let most = if only_limits { count } else { usize::MAX };
        Self { kept: BinaryHeap::new(), most, any: any && only_limits, sequence: 0 }
    }

    /// Whether only some of the rows are kept.
    pub(super) const fn is_bounded(&self) -> bool {
        self.most < usize::MAX
    }

    /// Whether no record of this instant or an older one can get in any more.
    pub(super) fn has_enough_after(&self, at: Timestamp) -> bool {
        let is_full = self.kept.len() >= self.most;
        let is_older = || self.kept.peek().is_none_or(|Reverse(oldest)| oldest.timestamp > at);
        is_full && (self.any || is_older())
    }

    pub(super) fn add(&mut self, row: Row<'_>, context: &Context) -> Result<(), InsightsError> {
        let timestamp = row.record().map_or(context.now, |record| record.timestamp);
        self.sequence += 1;
        if self.kept.len() >= self.most {
            let precedes = |oldest: &Kept| match timestamp.cmp(&oldest.timestamp) {
                Ordering::Equal => pointer_of(&row) < pointer_of(&oldest.row),
                order => order.is_gt(),
            };
            if self.any || !self.kept.peek().is_some_and(|Reverse(oldest)| precedes(oldest)) {
                return Ok(());
            }
            self.kept.pop();
        }
        if self.kept.len() >= ROWS_MAX {
            return Err(InsightsError::TooLarge { limit: ROWS_MAX, what: "rows" });
        }
        let at = Reverse(self.sequence);
        self.kept.push(Reverse(Kept { at, timestamp, row: row.into_owned() }));
        Ok(())
    }

    /// Newest first; of one instant, in the order of arrival, then as they were fed.
    pub(super) fn finish(self) -> Vec<Row<'static>> {
        let mut kept: Vec<Kept> = self.kept.into_iter().map(|Reverse(kept)| kept).collect();
        kept.sort_by(|a, b| b.cmp(a));
        kept.into_iter().map(|kept| kept.row).collect()
    }
}

impl Ord for Kept {
    fn cmp(&self, other: &Self) -> Ordering {
        let arrival = || pointer_of(&other.row).cmp(&pointer_of(&self.row));
        self.timestamp.cmp(&other.timestamp).then_with(arrival).then(self.at.cmp(&other.at))
    }
}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Kept {}

fn pointer_of(row: &Row<'_>) -> Option<String> {
    row.record().map(|record| record.pointer.0.to_string())
}

/// `sort @timestamp desc`, the order that raw rows have anyway.
fn is_newest_first(command: &Command) -> bool {
    let Command::Sort(keys) = command else { return false };
    let [key] = keys.as_slice() else { return false };
    key.descending && matches!(&key.expression, Expression::Field(name) if &**name == "@timestamp")
}

fn computes_time(command: &Command) -> bool {
    // A plain `@timestamp` among the fields is the record's own.
    let is_own = |item: &Item| matches!(&item.expression, Expression::Field(n) if *n == item.name);
    let is_time = |item: &Item| &*item.name == "@timestamp" && !is_own(item);
    match command {
        Command::Fields(items) | Command::Display(items) => items.iter().any(is_time),
        Command::Parse(parse) => parse.names.iter().any(|(_, name)| &**name == "@timestamp"),
        Command::Unnest { into, .. } => &**into == "@timestamp",
        _ => false,
    }
}

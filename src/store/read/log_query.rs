use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::super::error::ReadError;
use super::super::recent::LogKey;
use super::super::segment::{LogTable, Segment, Table, log_key};
use super::super::state::View;
use super::log_block::{Block, Examined, RecentLines};
use super::log_scan::{RECENT_LINES, after};
use super::log_wanted::{LineMask, Wanted};
use super::logs::{Logs, StreamSelection};
use crate::query::insights::{Context, Execution, InsightsError, Outcome, Query};
use crate::telemetry::Scope;
use crate::time::Timestamp;

/// Row groups that are decoded while an earlier one is fed to the query.
const AHEAD: usize = 2;
/// What a line takes beside its text, as segments count.
const LINE_OVERHEAD: u64 = 26;

/// One group of a query.
#[derive(Clone, Debug)]
pub struct QueriedGroup {
    /// Its name.
    pub name: Arc<str>,
    /// What pointers to its lines start with; the line's id follows.
    pub pointer_start: String,
    /// What hides parts of its lines.
    pub mask: Option<LineMask>,
}

impl Logs<'_> {
    /// Runs an Insights query over the lines of groups.
    ///
    /// Filters at the front of the query are tried on columns, without making lines of them; a
    /// query for the newest lines stops where no older one can get in.
    /// Errors: `Missing` without one of the groups; `Damaged`, then nothing is answered.
    /// Cancel safety: yes; reads only, and stops within one row group.
    pub async fn query(
        self,
        scope: &Scope,
        groups: &[QueriedGroup],
        query: &Query,
        context: Context,
    ) -> Result<Result<Outcome, InsightsError>, ReadError> {
        let mut execution = query.start(context);
        let discovered =
            |name: &Arc<str>| name.strip_prefix('@').is_none_or(|n| n.starts_with('@'));
        let own = |name: Arc<str>| match name.strip_prefix('@') {
            Some(own) if own.starts_with('@') => Arc::from(own),
            _ => name,
        };
        let fields: Vec<Arc<str>> =
            query.field_names().into_iter().filter(discovered).map(own).collect();
        for group in groups {
            let place = self.place(scope, &group.name, StreamSelection::All)?;
            let (lo, hi) = place.bounds(context.range);
            let (id, streams) = place.streams();
            let wanted = Arc::new(Wanted {
                group: id,
                log: format!("{}:{}", scope.account, group.name),
                streams,
                lo,
                hi,
                fields: fields.clone(),
                admission: query.admission(context),
                pointer_start: group.pointer_start.clone(),
                mask: group.mask.clone(),
            });
            match self.feed(execution, &wanted).await? {
                Ok(fed) => execution = fed,
                Err(refused) => return Ok(Err(refused)),
            }
        }
        let finish = tokio::task::spawn_blocking(move || execution.finish());
        finish.await.map_err(|_gone| ReadError::Stopped)
    }

    async fn feed(
        self,
        execution: Execution,
        wanted: &Arc<Wanted>,
    ) -> Result<Result<Execution, InsightsError>, ReadError> {
        if wanted.lo >= wanted.hi {
            return Ok(Ok(execution));
        }
        let view = self.0.shared.view();
        // Newest first, recent data comes before segments; else the other way round.
        if execution.wants_newest_first() {
            match feed_recent(execution, &view, wanted).await? {
                Ok(fed) => self.feed_segments(fed, &view, wanted).await,
                refused => Ok(refused),
            }
        } else {
            match self.feed_segments(execution, &view, wanted).await? {
                Ok(fed) => feed_recent(fed, &view, wanted).await,
                refused => Ok(refused),
            }
        }
    }

    async fn feed_segments(
        self,
        mut execution: Execution,
        view: &View,
        wanted: &Arc<Wanted>,
    ) -> Result<Result<Execution, InsightsError>, ReadError> {
        let newest_first = execution.wants_newest_first();
        let objects = &self.0.shared.segments;
        let examine = |(segment, number): (Arc<Segment>, usize)| {
            let wanted = Arc::clone(wanted);
            async move {
                let part = segment.parts.get(number);
                let last = part.map_or(Timestamp::EPOCH, |part| part.last);
                let overhead = part.map_or(0, |part| part.rows * LINE_OVERHEAD);
                let raw = part.map_or(0, |part| part.raw_bytes.saturating_sub(overhead));
                let examine = move |part| Examined::segment(part, raw, &wanted);
                let examined = segment.decode(objects, number, examine).await;
                examined.map(|examined| (segment, number, last, examined))
            }
        };
        let mut examined =
            stream::iter(parts(view, wanted, newest_first)).map(examine).buffered(AHEAD);
        while let Some(found) = examined.next().await {
            let (segment, number, last, found) = found?;
            if newest_first && !execution.wants(last) {
                break;
            }
            match feed_block(execution, found, wanted, newest_first).await? {
                Ok(Ok(fed)) => execution = fed,
                Ok(Err(refused)) => return Ok(Err(refused)),
                Err(fault) => return Err(segment.damaged(number, fault)),
            }
        }
        Ok(Ok(execution))
    }
}

/// The row groups that may hold wanted lines, in the order in which they are read.
fn parts(view: &View, wanted: &Wanted, newest_first: bool) -> Vec<(Arc<Segment>, usize)> {
    let key = log_key(wanted.group);
    let mut parts = Vec::new();
    for live in view.of_table(LogTable::NAME) {
        for (number, part) in live.segment.parts.iter().enumerate() {
            if part.may_hold(&key) && part.may_touch(wanted.lo.at, wanted.hi.at) {
                parts.push((part.first, part.last, (Arc::clone(&live.segment), number)));
            }
        }
    }
    if newest_first {
        parts.sort_by_key(|(_, last, _)| std::cmp::Reverse(*last));
    } else {
        parts.sort_by_key(|(first, ..)| *first);
    }
    parts.into_iter().map(|(.., part)| part).collect()
}

async fn feed_block(
    mut execution: Execution,
    found: Examined,
    wanted: &Arc<Wanted>,
    newest_first: bool,
) -> Result<Result<Result<Execution, InsightsError>, super::super::codec::Fault>, ReadError> {
    execution.note_scanned(found.lines, found.bytes);
    let is_empty = match &found.block {
        Block::Recent(lines) => lines.is_empty(),
        Block::Segment(_, rows) => rows.is_empty(),
    };
    if is_empty {
        return Ok(Ok(Ok(execution)));
    }
    let wanted = Arc::clone(wanted);
    let feed = move || {
        let fed = found
            .block
            .for_each(&wanted, newest_first, |record| execution.push_admitted(record))?;
        Ok(fed.map(|()| execution))
    };
    tokio::task::spawn_blocking(feed).await.map_err(|_gone| ReadError::Stopped)
}

/// Feeds recent data piece by piece, so that its lock is held for microseconds.
async fn feed_recent(
    mut execution: Execution,
    view: &View,
    wanted: &Arc<Wanted>,
) -> Result<Result<Execution, InsightsError>, ReadError> {
    let newest_first = execution.wants_newest_first();
    let mut generations: VecDeque<_> = view.generations().cloned().collect();
    if newest_first {
        generations.make_contiguous().reverse();
    }
    for generation in generations {
        let (mut lo, mut hi) = (wanted.lo, wanted.hi);
        loop {
            let piece: RecentLines = {
                let logs = generation.logs();
                let lines = logs.range(wanted.group, lo..hi);
                let own =
                    |(key, line): (&LogKey, &_)| (*key, super::super::recent::LogLine::clone(line));
                if newest_first {
                    lines.rev().take(RECENT_LINES).map(own).collect()
                } else {
                    lines.take(RECENT_LINES).map(own).collect()
                }
            };
            let Some((edge, _)) = piece.last() else { break };
            let edge = *edge;
            if newest_first {
                hi = edge;
            } else {
                lo = after(edge);
            }
            let examined = {
                let wanted = Arc::clone(wanted);
                let examine = move || Examined::recent(piece, &wanted);
                tokio::task::spawn_blocking(examine).await.map_err(|_gone| ReadError::Stopped)?
            };
            // The piece lies in the order of reading already.
            match feed_block(execution, examined, wanted, false).await? {
                Ok(Ok(fed)) => execution = fed,
                Ok(Err(refused)) => return Ok(Err(refused)),
                Err(_no_column) => return Err(ReadError::Stopped),
            }
            if newest_first && !execution.wants(edge.at) {
                break;
            }
        }
    }
    Ok(Ok(execution))
}

//! Which traces a call is about.

use std::time::Duration;

use super::INVALID_REQUEST;
use super::group;
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::query::trace::{Trace, TraceFacts, TraceFilter};
use crate::telemetry::TraceId;
use crate::time::{TimeRange, Timestamp};

/// Source: X-Ray API Reference, BatchGetTraces.
const TRACE_IDS_MAX: usize = 5;
/// A trace whose id and start are further apart has an id that is not made from the time.
const ID_AND_START_APART_MAX: Duration = Duration::from_secs(6 * 3600);

/// The ids as they are written.
pub(super) fn trace_ids(texts: &[String]) -> Answer<Vec<TraceId>> {
    if texts.len() > TRACE_IDS_MAX {
        let why = format!("Too many trace ids: {}; at most {TRACE_IDS_MAX}", texts.len());
        return Err(INVALID_REQUEST.because(why));
    }
    let read = |text: &String| {
        let invalid = |_bad| INVALID_REQUEST.because(format!("Invalid trace id: {text}"));
        TraceId::parse(text).map_err(invalid)
    };
    texts.iter().map(read).collect()
}

/// Refuses a token of an operation that answers with one page only.
pub(super) fn check_one_page(operation: &str, token: Option<&str>) -> Answer<()> {
    match page::open::<()>(operation, token) {
        Ok(None) => Ok(()),
        _ => Err(INVALID_REQUEST.because("Invalid NextToken.")),
    }
}

/// A range that is no longer than it may be.
pub(super) fn range(start: Timestamp, end: Timestamp, hours_max: u32) -> Answer<TimeRange> {
    if start >= end {
        return Err(INVALID_REQUEST.because("StartTime must be before EndTime."));
    }
    if end.millis_since(start) > i64::from(hours_max) * 3_600_000 {
        let why = format!("The time range must not be longer than {hours_max} hours.");
        return Err(INVALID_REQUEST.because(why));
    }
    Ok(TimeRange::new(start, end))
}

/// An expression, with the groups that it refers to put in.
pub(super) async fn filter(call: &Call, expression: Option<&str>) -> Answer<TraceFilter> {
    let source = expression.unwrap_or_default();
    let invalid = |error| INVALID_REQUEST.because(format!("Invalid filter expression: {error}"));
    let mut filter = TraceFilter::parse(source).map_err(invalid)?;
    for reference in filter.groups() {
        let group = group::by_reference(call, &reference).await?;
        // A group's own expression refers to no other; that is checked when it is made.
        let inner = group.filter_expression.unwrap_or_default();
        filter = filter.with_group(&reference, &TraceFilter::parse(&inner).map_err(invalid)?);
    }
    Ok(filter)
}

/// A trace, put together.
pub(super) struct Read {
    pub(super) trace: Trace,
    pub(super) facts: TraceFacts,
    pub(super) documents: usize,
}

/// Traces that have to do with `range`, newest first: a little more than any reading of "in range".
pub(super) async fn near(call: &Call, range: TimeRange) -> Answer<Vec<Read>> {
    let wide = TimeRange::new(
        range.start.minus(ID_AND_START_APART_MAX),
        range.end.plus(ID_AND_START_APART_MAX),
    );
    let found = call.state().store.traces().summaries(call.scope(), wide).await?;
    let read = move || -> Vec<Read> {
        let mut traces: Vec<Read> = found
            .iter()
            .map(|found| {
                let segments = found.segments.iter().map(AsRef::as_ref);
                let trace = Trace::assemble(found.id, segments);
                let (facts, documents) = (trace.facts(), found.segments.len());
                Read { trace, facts, documents }
            })
            .collect();
        traces.sort_by_key(|read| std::cmp::Reverse(read.place()));
        traces
    };
    // Documents are parsed here: too long for a thread that answers others too.
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|_gone| crate::api::fault::INTERNAL.because("the traces could not be read"))
}

impl Read {
    /// Where it stands among others: by start, then by id.
    pub(super) fn place(&self) -> (i64, TraceId) {
        (Timestamp::from_secs_f64(self.facts.start).as_millis(), self.trace.id)
    }

    /// The instant that its id is made from; its start where the id is not made from the time.
    ///
    /// Differs: AWS looks at the id alone; ids of W3C clients are random there.
    pub(super) fn id_time(&self) -> Timestamp {
        let [a, b, c, d, ..] = *self.trace.id.as_bytes();
        let named = Timestamp::from_secs(i64::from(u32::from_be_bytes([a, b, c, d])));
        let start = Timestamp::from_secs_f64(self.facts.start);
        let apart = named.millis_since(start).unsigned_abs();
        let is_time = u128::from(apart) <= ID_AND_START_APART_MAX.as_millis();
        if is_time { named } else { start }
    }

    /// Whether a segment was under way in `range`.
    pub(super) fn is_active_in(&self, range: TimeRange) -> bool {
        self.trace.segments.iter().any(|segment| {
            let (start, end) = (segment.start, segment.end.unwrap_or(f64::INFINITY));
            start < range.end.as_secs_f64() && end >= range.start.as_secs_f64()
        })
    }

    /// The last instant in `range` at which a segment began or ended.
    pub(super) fn event_in(&self, range: TimeRange) -> Option<Timestamp> {
        let instants = self.trace.segments.iter().flat_map(|segment| {
            [Some(segment.start), segment.end].into_iter().flatten().map(Timestamp::from_secs_f64)
        });
        instants.filter(|at| range.contains(*at)).max()
    }

    /// Whether a segment ended in `range`.
    pub(super) fn ends_in(&self, range: TimeRange) -> bool {
        let ends = self.trace.segments.iter().filter_map(|segment| segment.end);
        ends.map(Timestamp::from_secs_f64).any(|at| range.contains(at))
    }
}

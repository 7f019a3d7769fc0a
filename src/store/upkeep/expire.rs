use super::super::catalog::SegmentChange;
use super::super::counters::add;
use super::super::directory::Directory;
use super::super::error::UpkeepError;
use super::super::handle::Store;
use super::super::segment::{
    AuditTable, EventTable, LogTable, MetricTable, Part, Segment, Table, TraceTable, log_key,
};
use super::super::settings::Retention;
use super::super::state::View;
use super::super::writer::{Command, Commit};
use crate::time::Timestamp;

/// Forgets segments of which every row is past its retention.
pub(super) async fn run(store: &Store) -> Result<(), UpkeepError> {
    let shared = &store.shared;
    let now = shared.clock.now();
    let view = shared.view();
    let expired: Vec<String> = {
        let directory = shared.directory();
        let is_expired = |segment: &Segment| {
            is_segment_expired(segment, &shared.settings.retention, &directory, now)
        };
        let segments = view.segments.iter().map(|live| &live.segment);
        segments.filter(|s| is_expired(s)).map(|segment| segment.row.path.clone()).collect()
    };
    if expired.is_empty() {
        return Ok(());
    }
    let count = expired.len() as u64;
    let gone = expired.clone();
    let publish = Box::new(move |view: &mut View| {
        let stays = |path: &String| !gone.contains(path);
        let segments = view.segments.iter().filter(|live| stays(&live.segment.row.path));
        view.segments = segments.cloned().collect::<Vec<_>>().into();
    });
    let change = SegmentChange { remove: expired, removed_at: now, ..SegmentChange::default() };
    let commit = |answer| Command::Commit(Box::new(Commit { change, publish, answer }));
    store.ask(commit).await.map_err(UpkeepError::Commit)?;
    add(&shared.counting.segments_expired, count);
    Ok(())
}

fn is_segment_expired(
    segment: &Segment,
    retention: &Retention,
    directory: &Directory,
    now: Timestamp,
) -> bool {
    let kept = match segment.row.table.as_str() {
        MetricTable::NAME => retention.metrics_by_hour,
        TraceTable::NAME => retention.traces,
        EventTable::NAME => retention.events,
        AuditTable::NAME => retention.audit,
        LogTable::NAME => {
            return segment.parts.iter().all(|part| is_log_part_expired(part, directory, now));
        }
        _ => return false,
    };
    age_from(segment) < now.minus(kept)
}

/// What the age of a segment's data is counted from. Back-filled data counts from when it came:
/// it was sent to be kept.
pub(super) fn age_from(segment: &Segment) -> Timestamp {
    segment.row.last.max(segment.row.created)
}

/// Whether no line of a row group can be read any more: its groups are gone, or cut it off.
pub(super) fn is_log_part_expired(part: &Part, directory: &Directory, now: Timestamp) -> bool {
    !directory.all().any(|group| {
        let key = log_key(group.id);
        part.key_lo <= key && key <= part.key_hi && group.cutoff(now) <= part.last
    })
}

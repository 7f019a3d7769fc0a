use std::ops::Bound;
use std::sync::Arc;

use super::super::codec::LogChange;
use super::super::directory::{Group, Stream};
use super::super::error::AppendError;
use super::super::lsn::Lsn;
use super::super::segment::{LogTable, Table, log_key};
use super::super::state::View;
use super::logs::Logs;
use crate::telemetry::Scope;
use crate::time::Timestamp;

/// A log group. What else belongs to one (tags, class, filters) are resources of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogGroup {
    /// Its name.
    pub name: Arc<str>,
    /// When it was made.
    pub created: Timestamp,
    /// How long its lines are kept; `None` is forever.
    pub retention_days: Option<u32>,
    /// Bytes of its lines, as CloudWatch counts them; what expired counts until it is rewritten.
    pub stored_bytes: u64,
}

/// A log stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStream {
    /// Its name.
    pub name: Arc<str>,
    /// When it was made.
    pub created: Timestamp,
    /// The earliest timestamp of a line; `None` before the first.
    pub first_event: Option<Timestamp>,
    /// The latest timestamp of a line.
    pub last_event: Option<Timestamp>,
    /// When the last line came.
    pub last_ingestion: Option<Timestamp>,
}

impl LogStream {
    fn of(name: &Arc<str>, stream: &Stream) -> Self {
        Self {
            name: Arc::clone(name),
            created: stream.created,
            first_event: stream.first_event,
            last_event: stream.last_event,
            last_ingestion: stream.last_ingestion,
        }
    }
}

impl Logs<'_> {
    /// Makes a group.
    ///
    /// Errors: `Conflict` when there is one of that name.
    pub async fn create_group(self, scope: &Scope, group: &str) -> Result<Lsn, AppendError> {
        self.0.change_logs(scope, LogChange::CreateGroup { group: group.into() }).await
    }

    /// Deletes a group with its streams and lines, at once and for good.
    ///
    /// Errors: `Missing` when there is none.
    pub async fn delete_group(self, scope: &Scope, group: &str) -> Result<Lsn, AppendError> {
        self.0.change_logs(scope, LogChange::DeleteGroup { group: group.into() }).await
    }

    /// Makes a stream.
    ///
    /// Errors: `Missing` without the group, `Conflict` when there is a stream of that name.
    pub async fn create_stream(
        self,
        scope: &Scope,
        group: &str,
        stream: &str,
    ) -> Result<Lsn, AppendError> {
        let (group, stream) = (group.into(), stream.into());
        self.0.change_logs(scope, LogChange::CreateStream { group, stream }).await
    }

    /// Deletes a stream with its lines, at once and for good.
    ///
    /// Errors: `Missing` when there is none.
    pub async fn delete_stream(
        self,
        scope: &Scope,
        group: &str,
        stream: &str,
    ) -> Result<Lsn, AppendError> {
        let (group, stream) = (group.into(), stream.into());
        self.0.change_logs(scope, LogChange::DeleteStream { group, stream }).await
    }

    /// Sets how many days lines are kept; `None` keeps them.
    ///
    /// Lines past the new retention are gone when this returns, and a longer one set later does
    /// not bring them back.
    /// Errors: `Missing` without the group.
    pub async fn set_retention(
        self,
        scope: &Scope,
        group: &str,
        days: Option<u32>,
    ) -> Result<Lsn, AppendError> {
        let group = group.into();
        self.0.change_logs(scope, LogChange::SetRetention { group, days }).await
    }

    /// The group of a name.
    pub fn group(self, scope: &Scope, name: &str) -> Option<LogGroup> {
        let view = self.0.shared.view();
        let directory = self.0.shared.directory();
        directory.group(scope, name).map(|group| log_group(&view, &name.into(), group))
    }

    /// Groups by name: those after `after` that start with `prefix`.
    pub fn groups(
        self,
        scope: &Scope,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<LogGroup> {
        let view = self.0.shared.view();
        let directory = self.0.shared.directory();
        let groups = directory.groups(scope, prefix, after).take(limit);
        groups.map(|(name, group)| log_group(&view, name, group)).collect()
    }

    /// The stream of a name.
    pub fn stream(self, scope: &Scope, group: &str, name: &str) -> Option<LogStream> {
        let directory = self.0.shared.directory();
        let (name, stream) = directory.group(scope, group)?.streams.get_key_value(name)?;
        Some(LogStream::of(name, stream))
    }

    /// Streams of a group by name: those after `after` that start with `prefix`. A group that does
    /// not exist has none.
    pub fn streams(
        self,
        (scope, group): (&Scope, &str),
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<LogStream> {
        let directory = self.0.shared.directory();
        let Some(group) = directory.group(scope, group) else { return Vec::new() };
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let streams = group.streams.range::<str, _>((start, Bound::Unbounded));
        let named = streams.take_while(|(name, _)| name.starts_with(prefix)).take(limit);
        named.map(|(name, stream)| LogStream::of(name, stream)).collect()
    }
}

fn log_group(view: &View, name: &Arc<str>, group: &Group) -> LogGroup {
    let recent: u64 = view.generations().map(|recent| recent.logs().bytes(group.id)).sum();
    let key = log_key(group.id);
    // A row group can hold lines of several groups; it counts for those it is bounded by.
    let flushed: u64 = view
        .of_table(LogTable::NAME)
        .flat_map(|live| &live.segment.parts)
        .filter(|part| part.key_lo == key || part.key_hi == key)
        .map(|part| part.raw_bytes)
        .sum();
    LogGroup {
        name: Arc::clone(name),
        created: group.created,
        retention_days: group.retention_days,
        stored_bytes: recent + flushed,
    }
}

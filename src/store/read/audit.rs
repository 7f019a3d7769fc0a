use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::error::ReadError;
use super::super::handle::Store;
use super::super::lsn::Arrival;
use super::super::recent::AuditKey;
use super::super::segment::{AuditTable, Key};
use super::rows;
use crate::telemetry::{AuditRecord, Scope};
use crate::time::TimeRange;

/// Audit records of the store.
#[derive(Clone, Copy, Debug)]
pub struct Audit<'a>(pub(in crate::store) &'a Store);

/// What audit records are looked up by.
///
/// Source: CloudTrail API Reference, `LookupAttribute`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditAttribute {
    /// The record's id.
    EventId(Arc<str>),
    /// The operation.
    EventName(Arc<str>),
    /// Whether it only read.
    ReadOnly(bool),
    /// Who called.
    Username(Arc<str>),
    /// The type of a resource concerned.
    ResourceType(Arc<str>),
    /// The name of a resource concerned.
    ResourceName(Arc<str>),
    /// The service.
    EventSource(Arc<str>),
    /// With which key.
    AccessKeyId(Arc<str>),
}

/// The place of a record, to go on from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditPosition(AuditKey);

/// What to look up.
#[derive(Clone, Debug)]
pub struct AuditQuery<'a> {
    /// What the records have; `None` is anything.
    pub attribute: Option<AuditAttribute>,
    /// When they were made.
    pub range: TimeRange,
    /// The last record of the page before.
    pub after: Option<&'a AuditPosition>,
    /// At most so many.
    pub limit: usize,
}

impl Audit<'_> {
    /// Records that match, newest first, each with its place.
    ///
    /// Errors: `Damaged` when a segment fails its checksum; no partial answer is given.
    /// Cancel safety: yes; reads only.
    pub async fn lookup(
        self,
        scope: &Scope,
        query: &AuditQuery<'_>,
    ) -> Result<Vec<(AuditPosition, Arc<AuditRecord>)>, ReadError> {
        let key = |at| AuditKey { scope: scope.clone(), at, arrival: Arrival::default() };
        let (first, range_end) = (key(query.range.start), key(query.range.end));
        let end = match query.after {
            Some(AuditPosition(after)) => after.min(&range_end).clone(),
            None => range_end,
        };
        let mut found: BTreeMap<AuditKey, Arc<AuditRecord>> = BTreeMap::new();
        if first >= end {
            return Ok(Vec::new());
        }
        let matches = |record: &AuditRecord| {
            query.attribute.as_ref().is_none_or(|attribute| attribute.matches(record))
        };
        let (shared, view) = (&self.0.shared, self.0.shared.view());
        let bounds = first.clone()..end.clone();
        for generation in view.generations() {
            let recent = generation.audit();
            let rows = recent.range(bounds.clone()).rev().filter(|(_, record)| matches(record));
            let rows = rows.take(query.limit);
            found.extend(rows.map(|(key, record)| (key.clone(), Arc::clone(record))));
        }
        let place = Key::of_scope(scope);
        let wanted = |part: &super::Part| part.may_touch(first.at, end.at);
        rows::<AuditTable>(shared, &view, &place, wanted, |row| {
            if bounds.contains(&row.key) && matches(&row.record) {
                found.insert(row.key, row.record);
                while found.len() > query.limit {
                    found.pop_first();
                }
            }
        })
        .await?;
        let newest = found.into_iter().rev().take(query.limit);
        Ok(newest.map(|(key, record)| (AuditPosition(key), record)).collect())
    }
}

impl AuditAttribute {
    fn matches(&self, record: &AuditRecord) -> bool {
        match self {
            Self::EventId(id) => *id == record.event_id,
            Self::EventName(name) => *name == record.event_name,
            Self::ReadOnly(read_only) => *read_only == record.read_only,
            Self::Username(name) => Some(name) == record.username.as_ref(),
            Self::ResourceType(wanted) => record.resources.iter().any(|(kind, _)| kind == wanted),
            Self::ResourceName(wanted) => record.resources.iter().any(|(_, name)| name == wanted),
            Self::EventSource(source) => *source == record.event_source,
            Self::AccessKeyId(id) => Some(id) == record.access_key_id.as_ref(),
        }
    }
}

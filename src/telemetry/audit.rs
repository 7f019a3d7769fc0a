use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::time::Timestamp;

/// Whether a call changed or read resources, or touched data inside one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuditKind {
    /// A call on resources.
    Management,
    /// A call on the data inside a resource.
    Data,
}

/// One API call, in CloudTrail's shape.
///
/// Source: CloudTrail User Guide, "CloudTrail record contents". `record` is the whole document;
/// the fields beside it are what LookupEvents searches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Unique id.
    pub event_id: Arc<str>,
    /// When the call was made.
    pub event_time: Timestamp,
    /// The operation: `PutMetricAlarm`.
    pub event_name: Arc<str>,
    /// The service: `monitoring.amazonaws.com`.
    pub event_source: Arc<str>,
    /// Who called.
    pub username: Option<Arc<str>>,
    /// With which key.
    pub access_key_id: Option<Arc<str>>,
    /// Whether it only read.
    pub read_only: bool,
    /// Management or data.
    pub kind: AuditKind,
    /// `(type, name)` of the resources concerned.
    pub resources: Vec<(Arc<str>, Arc<str>)>,
    /// The whole CloudTrail record.
    pub record: Value,
}

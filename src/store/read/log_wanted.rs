use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::super::recent::LogKey;
use super::logs::LogEventId;
use crate::query::insights::{Admission, Body, Pointer, Record};
use crate::time::Timestamp;

/// What a query wants of one group.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) group: u64,
    /// `account:group`.
    pub(super) log: String,
    /// Names of the group's streams; lines of deleted ones are in none.
    pub(super) streams: HashMap<u64, Arc<str>>,
    /// Inclusive.
    pub(super) lo: LogKey,
    /// Exclusive.
    pub(super) hi: LogKey,
    /// The discovered fields that the query looks at.
    pub(super) fields: Vec<Arc<str>>,
    pub(super) admission: Admission,
    /// What pointers to its lines start with.
    pub(super) pointer_start: String,
    /// What hides parts of its lines: then only whole, masked lines are looked at.
    pub(super) mask: Option<LineMask>,
}

/// Hides parts of a line that was received at an instant.
#[derive(Clone)]
pub struct LineMask(Arc<Masking>);

type Masking = dyn Fn(Timestamp, &str) -> String + Send + Sync;

impl LineMask {
    /// A mask that a function makes.
    pub fn new(mask: impl Fn(Timestamp, &str) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(mask))
    }
}

impl fmt::Debug for LineMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LineMask")
    }
}

impl Wanted {
    /// The text as who asks may see it.
    pub(super) fn masked<'t>(&self, received: Timestamp, text: Cow<'t, str>) -> Cow<'t, str> {
        match &self.mask {
            Some(mask) => Cow::Owned((mask.0)(received, &text)),
            None => text,
        }
    }
}

/// The pointer to a line.
pub(super) struct PointedAt<'w>(pub(super) &'w Wanted, pub(super) LogKey);

impl fmt::Display for PointedAt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.pointer_start, LogEventId(self.1))
    }
}

/// A line as a query takes it.
pub(super) fn record<'a>(
    wanted: &'a Wanted,
    (timestamp, ingestion_time, stream): (Timestamp, Timestamp, &'a str),
    body: &'a dyn Body,
    id: &'a PointedAt<'a>,
) -> Record<'a> {
    Record { timestamp, ingestion_time, body, log: &wanted.log, stream, pointer: Pointer(id) }
}

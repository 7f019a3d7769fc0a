use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::error::AppendError;
use crate::time::Timestamp;

/// Orders the rows of one resource: by time, then by text. Runs and histories have rows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SortKey(Arc<str>);

impl SortKey {
    /// The key of a row that belongs to `at`; `suffix` tells rows of one instant apart.
    pub fn at(at: Timestamp, suffix: impl fmt::Display) -> Self {
        // Flipping the sign bit makes text order the order of signed numbers.
        let sortable = at.as_millis().cast_unsigned() ^ (1 << 63);
        Self(format!("{sortable:016x}-{suffix}").into())
    }

    /// The key that sorts before every row of `at` and after every row before it.
    pub fn start_of(at: Timestamp) -> Self {
        let sortable = at.as_millis().cast_unsigned() ^ (1 << 63);
        Self(format!("{sortable:016x}").into())
    }

    /// The key that `as_str` gave.
    pub fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    /// The instant that the row belongs to; `None` for a key that no instant made.
    pub fn instant(&self) -> Option<Timestamp> {
        let sortable = u64::from_str_radix(self.0.get(..16)?, 16).ok()?;
        Some(Timestamp::from_millis((sortable ^ (1 << 63)).cast_signed()))
    }

    /// The key as text, for page tokens.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A kind, a name, and for rows a sort key; the scope stands around it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ResourceKey {
    pub(super) kind: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) sort: Option<SortKey>,
}

impl ResourceKey {
    pub(super) fn sort_text(&self) -> &str {
        self.sort.as_ref().map_or("", SortKey::as_str)
    }
}

/// What must hold for a change to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Always,
    Absent,
    Present,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ResourceChange {
    Put { key: ResourceKey, body: Arc<str>, condition: Condition },
    Delete { key: ResourceKey, condition: Condition },
    DeleteRowsBefore { kind: Arc<str>, name: Arc<str>, before: SortKey },
    DeleteRows { kind: Arc<str>, name: Arc<str> },
}

impl ResourceChange {
    pub(super) fn condition(&self) -> Option<(&ResourceKey, Condition)> {
        match self {
            Self::Put { key, condition, .. } | Self::Delete { key, condition } => {
                (*condition != Condition::Always).then_some((key, *condition))
            }
            Self::DeleteRowsBefore { .. } | Self::DeleteRows { .. } => None,
        }
    }

    pub(super) const fn only_frees_space(&self) -> bool {
        !matches!(self, Self::Put { .. })
    }
}

/// Changes to resources that are taken together with one another and with a batch, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceChanges(pub(super) Vec<ResourceChange>);

impl ResourceChanges {
    /// No changes.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes or replaces a resource.
    ///
    /// Errors: `Body` when JSON cannot hold `body`.
    pub fn put(self, kind: &str, name: &str, body: &impl Serialize) -> Result<Self, AppendError> {
        self.put_when(key(kind, name, None), body, Condition::Always)
    }

    /// Makes a resource; the append fails with `Conflict` when there is one.
    ///
    /// Errors: `Body` when JSON cannot hold `body`.
    pub fn put_new(
        self,
        kind: &str,
        name: &str,
        body: &impl Serialize,
    ) -> Result<Self, AppendError> {
        self.put_when(key(kind, name, None), body, Condition::Absent)
    }

    /// Replaces a resource; the append fails with `Missing` when there is none.
    ///
    /// Errors: `Body` when JSON cannot hold `body`.
    pub fn replace(
        self,
        kind: &str,
        name: &str,
        body: &impl Serialize,
    ) -> Result<Self, AppendError> {
        self.put_when(key(kind, name, None), body, Condition::Present)
    }

    /// Makes or replaces a row of a resource; the resource itself need not exist.
    ///
    /// Errors: `Body` when JSON cannot hold `body`.
    pub fn put_row(
        self,
        kind: &str,
        name: &str,
        sort: SortKey,
        body: &impl Serialize,
    ) -> Result<Self, AppendError> {
        self.put_when(key(kind, name, Some(sort)), body, Condition::Always)
    }

    /// Deletes a resource, if there is one; its rows stay.
    #[must_use]
    pub fn delete(self, kind: &str, name: &str) -> Self {
        let key = key(kind, name, None);
        self.with(ResourceChange::Delete { key, condition: Condition::Always })
    }

    /// Deletes a resource; the append fails with `Missing` when there is none.
    #[must_use]
    pub fn delete_existing(self, kind: &str, name: &str) -> Self {
        let key = key(kind, name, None);
        self.with(ResourceChange::Delete { key, condition: Condition::Present })
    }

    /// Deletes one row, if there is one.
    #[must_use]
    pub fn delete_row(self, kind: &str, name: &str, sort: SortKey) -> Self {
        let key = key(kind, name, Some(sort));
        self.with(ResourceChange::Delete { key, condition: Condition::Always })
    }

    /// Deletes every row of `name`.
    #[must_use]
    pub fn delete_rows(self, kind: &str, name: &str) -> Self {
        self.with(ResourceChange::DeleteRows { kind: kind.into(), name: name.into() })
    }

    /// Deletes every row of `name` that sorts before `before`.
    #[must_use]
    pub fn delete_rows_before(self, kind: &str, name: &str, before: SortKey) -> Self {
        let (kind, name) = (kind.into(), name.into());
        self.with(ResourceChange::DeleteRowsBefore { kind, name, before })
    }

    fn put_when(
        self,
        key: ResourceKey,
        body: &impl Serialize,
        condition: Condition,
    ) -> Result<Self, AppendError> {
        let Ok(body) = serde_json::to_string(body) else {
            return Err(AppendError::Body { kind: key.kind, name: key.name });
        };
        Ok(self.with(ResourceChange::Put { key, body: body.into(), condition }))
    }

    fn with(mut self, change: ResourceChange) -> Self {
        self.0.push(change);
        self
    }
}

fn key(kind: &str, name: &str, sort: Option<SortKey>) -> ResourceKey {
    ResourceKey { kind: kind.into(), name: name.into(), sort }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sort_keys_are_ordered_by_time_also_before_1970() {
        let key = |millis| SortKey::at(Timestamp::from_millis(millis), "z");
        let keys = [key(i64::MIN), key(-1), key(0), key(1), key(1_767_323_045_678), key(i64::MAX)];
        assert!(keys.is_sorted());
        let zero = Timestamp::from_millis(0);
        assert!(key(-1) < SortKey::start_of(zero) && SortKey::start_of(zero) < key(0));
        assert_eq!(key(-1).instant(), Some(Timestamp::from_millis(-1)));
        assert_eq!(SortKey::from_text("x").instant(), None);
    }
}

use std::fmt;

/// The number of an appended batch: 1 for the first, without gaps among acknowledged ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(u64);

impl Lsn {
    /// Before every batch.
    pub const ZERO: Self = Self(0);

    /// The batch of this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The batch `n` after this one.
    pub(super) const fn plus(self, n: u64) -> Self {
        Self(self.0.saturating_add(n))
    }

    /// As SQLite keeps it.
    pub(super) fn to_sql(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// As SQLite kept it.
    pub(super) fn from_sql(number: i64) -> Self {
        Self(u64::try_from(number).unwrap_or(0))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The place of one item in the order of arrival: its batch, then its place inside the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Arrival {
    pub(super) lsn: Lsn,
    pub(super) ordinal: u32,
}

impl Arrival {
    /// After every item.
    pub(super) const LAST: Self = Self { lsn: Lsn::new(u64::MAX), ordinal: u32::MAX };
}

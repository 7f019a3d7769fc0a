/// What of a request was not taken, for its partial success.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rejected {
    /// How many.
    pub(super) count: i64,
    /// Why the first was not; also a warning about what was taken.
    pub(super) why: Option<&'static str>,
}

impl Rejected {
    /// Counts some.
    pub(super) fn add(&mut self, count: i64, why: &'static str) {
        self.count += count;
        self.warn(why);
    }

    /// Says something about what was taken.
    pub(super) fn warn(&mut self, why: &'static str) {
        self.why.get_or_insert(why);
    }

    /// Whether there is nothing to say.
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0 && self.why.is_none()
    }
}

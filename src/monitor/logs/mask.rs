use std::borrow::Cow;
use std::sync::Arc;

use crate::query::masking::Mask;
use crate::time::Timestamp;

/// What data protection policies mask in the events of one group.
///
/// Source: CloudWatch Logs User Guide: only what is ingested while there is a policy is masked.
#[derive(Clone, Debug, Default)]
pub struct LogMask {
    policies: Vec<(Timestamp, Arc<Mask>)>,
}

impl LogMask {
    /// The masks of a group and of its account, each since it has been there.
    pub(super) fn new(policies: impl IntoIterator<Item = (Timestamp, Arc<Mask>)>) -> Self {
        Self { policies: policies.into_iter().collect() }
    }

    /// Nothing is masked.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether nothing is masked.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// The text of an event that was taken at `ingested`, as one without the right to see more
    /// sees it.
    pub fn apply<'t>(&self, ingested: Timestamp, text: &'t str) -> Cow<'t, str> {
        let due = self.policies.iter().filter(|(since, _)| *since <= ingested);
        due.fold(Cow::Borrowed(text), |text, (_, mask)| match text {
            Cow::Borrowed(text) => mask.apply(text),
            Cow::Owned(text) => Cow::Owned(mask.apply(&text).into_owned()),
        })
    }

    /// The same for a shared text, which is given back as it is when nothing is masked.
    pub fn shared(&self, ingested: Timestamp, text: &Arc<str>) -> Arc<str> {
        match self.apply(ingested, text) {
            Cow::Borrowed(_) => Arc::clone(text),
            Cow::Owned(masked) => masked.into(),
        }
    }
}

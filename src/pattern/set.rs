use std::fmt;

use serde_json::Value;

use super::EventPattern;
use super::index::{Index, Slot};

/// Many patterns, each with a key, matched together.
///
/// An index names the few patterns that an event may match by one telling condition of each; those
/// are then matched in full. Patterns without such a condition (only `exists: false` or `$or`) are
/// tried on every event.
#[derive(Clone)]
pub struct PatternSet<K> {
    patterns: Vec<(K, EventPattern)>,
    index: Index,
    always: Vec<Slot>,
}

impl<K> Default for PatternSet<K> {
    fn default() -> Self {
        Self { patterns: Vec::new(), index: Index::default(), always: Vec::new() }
    }
}

impl<K: fmt::Debug> fmt::Debug for PatternSet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.patterns.iter().map(|(key, _)| key)).finish()
    }
}

impl<K> FromIterator<(K, EventPattern)> for PatternSet<K> {
    fn from_iter<I: IntoIterator<Item = (K, EventPattern)>>(patterns: I) -> Self {
        let mut set = Self { patterns: patterns.into_iter().collect(), ..Self::default() };
        for (slot, (_, pattern)) in (0..).zip(&set.patterns) {
            if !set.index.insert(&pattern.root, slot) {
                set.always.push(slot);
            }
        }
        set
    }
}

impl<K> PatternSet<K> {
    /// The keys of the patterns that an event matches, in the order they were given.
    pub fn matching(&self, event: &Value) -> Vec<&K> {
        let mut candidates = self.always.clone();
        self.index.candidates(event, &mut candidates);
        candidates.sort_unstable();
        candidates.dedup();
        let pattern = |slot: &Slot| self.patterns.get(usize::try_from(*slot).ok()?);
        let matched = candidates.iter().filter_map(pattern).filter(|(_, p)| p.matches(event));
        matched.map(|(key, _)| key).collect()
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.patterns.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }
}

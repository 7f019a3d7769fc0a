use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::{Dimensions, StandardUnit, StorageResolution};

/// What stands beside value and time in a datum, and is the same each time it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct SpelledMetric {
    /// The metric's name.
    pub metric_name: Arc<str>,
    /// The exact set of dimensions.
    pub dimensions: Dimensions,
    /// In which unit.
    pub unit: StandardUnit,
    /// How finely it is kept.
    pub storage_resolution: StorageResolution,
}

/// Metrics by the bytes that senders write them with.
///
/// A sender writes a metric the same way each time, so that reading it is one look-up; what was
/// kept had been read and checked in full. One table serves one wire form.
#[derive(Debug, Default)]
pub struct Spellings {
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_hash: HashMap<u64, (Box<[u8]>, SpelledMetric), BuildHasherDefault<Hashed>>,
    bytes: usize,
}

/// BOUND: past so many bytes of spellings the table begins anew.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// What an entry takes beside its bytes.
const ENTRY_BYTES: usize = 200;

impl Spellings {
    /// Looks for many spellings under one lock.
    pub fn look(&self) -> Look<'_> {
        Look(self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps what spellings mean.
    pub fn keep(&self, spelled: Vec<(Vec<u8>, SpelledMetric)>) {
        if spelled.is_empty() {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for (bytes, metric) in spelled {
            if known.bytes > BYTES_MAX {
                *known = Known::default();
            }
            let hash = xxhash_rust::xxh3::xxh3_64(&bytes);
            known.bytes += bytes.len() + ENTRY_BYTES;
            // Of two spellings with one hash the later is kept; both are read right.
            known.by_hash.insert(hash, (bytes.into(), metric));
        }
    }
}

/// The spellings of one moment.
#[derive(Debug)]
pub struct Look<'s>(RwLockReadGuard<'s, Known>);

impl Look<'_> {
    /// What is spelled so.
    pub fn find(&self, bytes: &[u8]) -> Option<&SpelledMetric> {
        let (spelled, metric) = self.0.by_hash.get(&xxhash_rust::xxh3::xxh3_64(bytes))?;
        (**spelled == *bytes).then_some(metric)
    }
}

/// Takes a hash as it is.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, _bytes: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str) -> SpelledMetric {
        SpelledMetric {
            metric_name: name.into(),
            dimensions: Dimensions::none(),
            unit: StandardUnit::None,
            storage_resolution: StorageResolution::Standard,
        }
    }

    #[test]
    fn a_spelling_is_found_by_all_of_its_bytes() {
        let spellings = Spellings::default();
        spellings.keep(vec![(b"one".to_vec(), metric("a")), (b"two".to_vec(), metric("b"))]);
        let look = spellings.look();
        assert_eq!(look.find(b"one"), Some(&metric("a")));
        assert_eq!(look.find(b"two"), Some(&metric("b")));
        assert_eq!(look.find(b"on"), None);
    }

    #[test]
    fn a_table_that_is_full_begins_anew() {
        let spellings = Spellings::default();
        let long = |n: u8| (vec![n; BYTES_MAX / 4], metric("m"));
        (0..20).for_each(|n| spellings.keep(vec![long(n)]));
        assert!(spellings.look().0.bytes <= BYTES_MAX * 2);
        assert!(spellings.look().find(&long(19).0).is_some());
        assert!(spellings.look().find(&long(0).0).is_none());
    }
}

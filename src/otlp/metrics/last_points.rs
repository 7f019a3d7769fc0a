use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// What was last seen of a series that counts since its process began.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::otlp) struct Point {
    /// When its process began to count; 0 when that was not said.
    pub(super) start_nanos: u64,
    pub(super) time_nanos: u64,
    pub(super) count: u64,
    pub(super) sum: f64,
    /// Bucket counts of a histogram, by the bucket's number.
    pub(super) buckets: Vec<(i64, u64)>,
    pub(super) grid: Grid,
}

/// What the numbers of buckets mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::otlp) enum Grid {
    /// There are none.
    None,
    /// Places in a list of bounds, of which this is the hash.
    Bounds(u64),
    /// Powers of a base.
    Scale(i32),
}

/// Names a series.
pub(in crate::otlp) type SeriesKey = u128;

/// Points that are to be kept once their request is durable.
pub(in crate::otlp) type Pending = HashMap<SeriesKey, Point>;

/// The last point of every series that counts since its process began.
///
/// BOUND: two generations of `GENERATION_MAX` series; a series that was in neither for so long
/// begins anew, which costs it one point.
#[derive(Debug, Default)]
pub(in crate::otlp) struct LastPoints {
    generations: Mutex<(HashMap<SeriesKey, Point>, HashMap<SeriesKey, Point>)>,
}

const GENERATION_MAX: usize = 200_000;

impl LastPoints {
    /// The last point of a series.
    pub(super) fn get(&self, key: SeriesKey) -> Option<Point> {
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let (new, old) = &*generations;
        new.get(&key).or_else(|| old.get(&key)).cloned()
    }

    /// Keeps what a durable request said; an older point never replaces a newer one.
    pub(in crate::otlp) fn keep(&self, points: Pending) {
        if points.is_empty() {
            return;
        }
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let (new, old) = &mut *generations;
        for (key, point) in points {
            let held = new.get(&key).or_else(|| old.get(&key));
            if held.is_none_or(|held| held.time_nanos <= point.time_nanos) {
                new.insert(key, point);
            }
        }
        if new.len() >= GENERATION_MAX {
            *old = std::mem::take(new);
        }
    }
}

use std::sync::atomic::{AtomicU64, Ordering};

/// Whether a counter only grows, or says how things are now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterKind {
    /// It only grows.
    Total,
    /// It is how things are now.
    Now,
}

macro_rules! counters {
    ($($kind:ident { $($(#[doc = $doc:literal])+ $name:ident,)+ })+) => {
        /// What the store did since it was opened.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
        pub struct Counters {
            $($($(#[doc = $doc])+ pub $name: u64,)+)+
        }

        impl Counters {
            /// Each one: its name, what it says, of which kind it is, and its value.
            pub fn each(&self) -> Vec<(&'static str, &'static str, CounterKind, u64)> {
                vec![$($((
                    stringify!($name), concat!($($doc),+), CounterKind::$kind, self.$name,
                ),)+)+]
            }
        }

        /// The counters as they are counted.
        #[derive(Debug, Default)]
        pub(super) struct Counting {
            $($(pub(super) $name: AtomicU64,)+)+
        }

        impl Counting {
            pub(super) fn read(&self) -> Counters {
                Counters { $($($name: self.$name.load(Ordering::Relaxed),)+)+ }
            }
        }
    };
}

counters! {
    Total {
        /// Batches that were acknowledged.
        batches_accepted,
        /// Batches that had been taken before and counted once.
        batches_repeated,
        /// Batches refused because a condition did not hold or they were too large.
        batches_rejected,
        /// Batches refused because too many were waiting.
        batches_throttled,
        /// Batches refused because the disk was nearly full.
        batches_refused_read_only,
        /// Commits of the ingest log; many batches share one.
        commits,
        /// Bytes that the ingest log took.
        ingest_bytes,
        /// Blocks of the ingest log that could not be read when the store was opened.
        blocks_damaged,
        /// Flushes of recent data to segments.
        flushes,
        /// Flushes and rewrites that failed; they are tried again.
        upkeep_failures,
        /// Segments that became one with others.
        segments_compacted,
        /// Segments that were dropped because all of their rows were past their retention.
        segments_expired,
        /// Objects that were deleted.
        objects_swept,
    }
    Now {
        /// 1 while the disk is nearly full, 0 otherwise.
        read_only,
        /// Segments that are live.
        segments,
        /// Bytes of the live segments.
        segment_bytes,
        /// Bytes of recent data that no segment holds.
        recent_bytes,
    }
}

pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

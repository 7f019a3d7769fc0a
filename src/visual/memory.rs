//! Memory for pixels, taken in one piece: page by page it costs as much as inflating into it.

use std::ops::{Deref, DerefMut};

use memmap2::{MmapMut, MmapOptions};

/// Smaller pictures stay on the heap.
const LARGE: usize = 4 << 20;

/// Bytes that can be written.
#[derive(Debug)]
pub(super) enum Memory {
    /// Of the allocator.
    Heap(Vec<u8>),
    /// Mapped for this picture alone; no file is behind it.
    Mapped(MmapMut),
}

impl Memory {
    /// Takes zeroed memory.
    ///
    /// Large pages would be quicker still on an idle machine, and slower by far on one whose
    /// memory is in pieces: the system then moves pages about until it has one.
    pub(super) fn zeroed(length: usize) -> Self {
        if length >= LARGE
            && let Ok(mapped) = MmapOptions::new().len(length).populate().map_anon()
        {
            return Self::Mapped(mapped);
        }
        Self::Heap(vec![0; length])
    }
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Heap(bytes) => bytes,
            Self::Mapped(bytes) => bytes,
        }
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Heap(bytes) => bytes,
            Self::Mapped(bytes) => bytes,
        }
    }
}

//! Which part of the actual picture is compared with which part of the baseline.

use super::changed::{Bitmap, CELL};
use super::pair::Pair;
use super::shape::Rect;

/// A rectangle of the actual picture, and how far its content moved since the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patch {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    /// Where its left top corner lies in the baseline.
    pub(super) baseline_x: usize,
    pub(super) baseline_y: usize,
}

impl Patch {
    /// A patch of content that did not move.
    pub(super) fn unmoved(rect: Rect) -> Self {
        let (x, y) = (rect.x as usize, rect.y as usize);
        let (width, height) = (rect.width as usize, rect.height as usize);
        Self { x, y, width, height, baseline_x: x, baseline_y: y }
    }

    pub(super) fn right(&self) -> usize {
        self.x + self.width
    }

    pub(super) fn bottom(&self) -> usize {
        self.y + self.height
    }

    pub(super) fn area(&self) -> Rect {
        Rect::of(self.x, self.y, self.width, self.height)
    }

    /// Pixels to the right by which the content moved.
    pub(super) fn dx(&self) -> isize {
        self.x.cast_signed() - self.baseline_x.cast_signed()
    }

    /// Pixels down by which the content moved.
    pub(super) fn dy(&self) -> isize {
        self.y.cast_signed() - self.baseline_y.cast_signed()
    }

    /// The rectangle of the baseline that it is compared with.
    pub(super) fn in_baseline(&self) -> Rect {
        Rect::of(self.baseline_x, self.baseline_y, self.width, self.height)
    }

    /// The two byte ranges of row `y` (of the actual picture) that are compared.
    pub(super) fn rows<'a>(&self, pair: &'a Pair, y: usize) -> (&'a [u8], &'a [u8]) {
        let channels = pair.actual.channels;
        let from_y = self.baseline_y + (y - self.y);
        let cut = |row: &'a [u8], x: usize| {
            row.get(x * channels..(x + self.width) * channels).unwrap_or_default()
        };
        (cut(pair.baseline.row(from_y), self.baseline_x), cut(pair.actual.row(y), self.x))
    }

    /// Marks the pixels of row `y` that differ.
    pub(super) fn mark_row(&self, pair: &Pair, y: usize, changed: &mut Bitmap) {
        let (baseline, actual) = self.rows(pair, y);
        match pair.actual.channels {
            3 => mark::<3>(baseline, actual, self.x, changed.row_mut(y)),
            _ => mark::<4>(baseline, actual, self.x, changed.row_mut(y)),
        }
    }
}

fn mark<const N: usize>(baseline: &[u8], actual: &[u8], x: usize, bits: &mut [u8]) {
    let pixels = |row| <[u8]>::as_chunks::<N>(row).0;
    // The first pixels up to a whole cell, then cell by cell: most cells are equal.
    let head = (CELL - x % CELL) % CELL;
    let (baseline, actual) = (pixels(baseline), pixels(actual));
    let split = head.min(actual.len()).min(baseline.len());
    let (baseline_head, baseline) = baseline.split_at(split);
    let (actual_head, actual) = actual.split_at(split);
    let mut set = |x: usize, differing: u8| {
        if let Some(byte) = bits.get_mut(x / CELL) {
            *byte |= differing;
        }
    };
    set(x, differing(baseline_head, actual_head) >> (x % CELL));
    let cells = baseline.chunks(CELL).zip(actual.chunks(CELL));
    for (cell, (baseline, actual)) in cells.enumerate() {
        if baseline != actual {
            set(x + head + cell * CELL, differing(baseline, actual));
        }
    }
}

/// One bit per pixel of up to eight, the first in the highest bit.
fn differing<const N: usize>(baseline: &[[u8; N]], actual: &[[u8; N]]) -> u8 {
    let mut bits = 0;
    for (place, (baseline, actual)) in baseline.iter().zip(actual).enumerate() {
        if baseline != actual {
            bits |= 0x80_u8.checked_shr(u32::try_from(place).unwrap_or(u32::MAX)).unwrap_or(0);
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_marked_wherever_the_patch_begins() {
        for x in 0..20 {
            for differing_at in 0..30 {
                let baseline = [[0_u8; 3]; 30].concat();
                let mut actual = baseline.clone();
                actual[differing_at * 3 + 1] = 1;
                let mut changed = Bitmap::new(64, 1);
                mark::<3>(&baseline, &actual, x, changed.row_mut(0));
                assert_eq!(changed.count(), 1);
                assert!(changed.is_set(x + differing_at, 0), "{x} {differing_at}");
            }
        }
    }
}

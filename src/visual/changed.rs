//! One bit per pixel: which ones differ. Eight pixels are one byte, as in a 1-bit PNG.

use super::shape::Rect;

/// Pixels on one side of a cell; a cell's row is one byte of the bitmap.
pub(super) const CELL: usize = 8;

/// A picture of one bit per pixel, rows padded to whole bytes, leftmost pixel in the highest bit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bitmap {
    pub(super) width: usize,
    pub(super) height: usize,
    bytes: Vec<u8>,
}

impl Bitmap {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, height, bytes: vec![0; width.div_ceil(CELL) * height] }
    }

    /// Bytes of one row.
    pub(super) fn stride(&self) -> usize {
        self.width.div_ceil(CELL)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn row(&self, y: usize) -> &[u8] {
        self.bytes.get(y * self.stride()..(y + 1) * self.stride()).unwrap_or_default()
    }

    pub(super) fn row_mut(&mut self, y: usize) -> &mut [u8] {
        let stride = self.stride();
        self.bytes.get_mut(y * stride..(y + 1) * stride).unwrap_or_default()
    }

    /// The eight pixels of row `y` in cell column `cell`.
    pub(super) fn byte(&self, cell: usize, y: usize) -> u8 {
        self.row(y).get(cell).copied().unwrap_or(0)
    }

    pub(super) fn is_set(&self, x: usize, y: usize) -> bool {
        self.byte(x / CELL, y) & (0x80 >> (x % CELL)) != 0
    }

    pub(super) fn set(&mut self, x: usize, y: usize) {
        if let Some(byte) = self.row_mut(y).get_mut(x / CELL) {
            *byte |= 0x80 >> (x % CELL);
        }
    }

    /// Sets every pixel of a rectangle, as far as it lies inside.
    pub(super) fn fill(&mut self, rect: Rect) {
        self.each_byte(rect, |byte, inside| *byte |= inside);
    }

    /// Clears every pixel of a rectangle.
    pub(super) fn clear(&mut self, rect: Rect) {
        self.each_byte(rect, |byte, inside| *byte &= !inside);
    }

    /// Calls `change` with each byte that a rectangle touches, and which of its bits lie inside.
    fn each_byte(&mut self, rect: Rect, change: impl Fn(&mut u8, u8)) {
        let (from, to) = (rect.x as usize, (rect.right() as usize).min(self.width));
        for y in rect.y as usize..(rect.bottom() as usize).min(self.height) {
            for (cell, byte) in self.row_mut(y).iter_mut().enumerate().skip(from / CELL) {
                if cell * CELL >= to {
                    break;
                }
                change(byte, inside(cell, from, to));
            }
        }
    }

    /// How many pixels are set.
    pub(super) fn count(&self) -> u64 {
        self.bytes.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }

    /// How many pixels of row `y` are set in columns `from..to`.
    pub(super) fn count_in_row(&self, y: usize, from: usize, to: usize) -> usize {
        let counted = |cell| (self.byte(cell, y) & inside(cell, from, to)).count_ones() as usize;
        (from / CELL..to.div_ceil(CELL)).map(counted).sum()
    }
}

/// Which bits of a cell lie in columns `from..to`.
fn inside(cell: usize, from: usize, to: usize) -> u8 {
    let first = cell * CELL;
    let left = 0xff_u8.checked_shr(shift(from.saturating_sub(first))).unwrap_or(0);
    let right = 0xff_u8.checked_shl(shift((first + CELL).saturating_sub(to))).unwrap_or(0);
    left & right
}

fn shift(bits: usize) -> u32 {
    u32::try_from(bits).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_counted_between_any_two_columns() {
        let mut bitmap = Bitmap::new(20, 1);
        [0, 7, 8, 13, 19].into_iter().for_each(|x| bitmap.set(x, 0));
        assert_eq!(bitmap.count(), 5);
        assert_eq!(bitmap.count_in_row(0, 0, 20), 5);
        assert_eq!(bitmap.count_in_row(0, 1, 13), 2);
        assert_eq!(bitmap.count_in_row(0, 13, 14), 1);
        assert!(bitmap.is_set(13, 0) && !bitmap.is_set(14, 0));
        bitmap.clear(Rect::of(7, 0, 7, 1));
        assert_eq!(bitmap.count(), 2);
        bitmap.fill(Rect::of(6, 0, 99, 9));
        assert_eq!(bitmap.count(), 1 + 14);
    }
}

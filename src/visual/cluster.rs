//! Groups cells of evidence that touch into clusters.

use super::changed::{Bitmap, CELL};
use super::evidence::{Cell, Evidence};
use super::shape::Rect;

/// Cells that touch, with their evidence summed.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) cells: Vec<(usize, usize)>,
    pub(super) sum: Cell,
    /// The box around its changed pixels.
    pub(super) area: Rect,
}

/// Finds clusters of cells in which something visible changed, from top to bottom.
pub(super) fn clusters(evidence: &Evidence, changed: &Bitmap) -> Vec<Cluster> {
    let mut seen = vec![false; evidence.columns * evidence.rows];
    let mut found = Vec::new();
    for row in 0..evidence.rows {
        for column in 0..evidence.columns {
            if is_open(evidence, &mut seen, column, row) {
                found.push(flood(evidence, changed, &mut seen, (column, row)));
            }
        }
    }
    found
}

/// True, once, for a cell with a visible change.
fn is_open(evidence: &Evidence, seen: &mut [bool], column: usize, row: usize) -> bool {
    let visible = evidence.cell(column, row).is_some_and(|cell| cell.visible > 0);
    let Some(seen) = seen.get_mut(row * evidence.columns + column) else { return false };
    visible && !std::mem::replace(seen, true)
}

fn flood(
    evidence: &Evidence,
    changed: &Bitmap,
    seen: &mut [bool],
    start: (usize, usize),
) -> Cluster {
    let mut cells = vec![start];
    let mut sum = Cell::default();
    let mut next = 0;
    while let Some(&(column, row)) = cells.get(next) {
        next += 1;
        sum += evidence.cell(column, row).copied().unwrap_or_default();
        for near_row in row.saturating_sub(1)..=row + 1 {
            for near in column.saturating_sub(1)..=column + 1 {
                if is_open(evidence, seen, near, near_row) {
                    cells.push((near, near_row));
                }
            }
        }
    }
    Cluster { area: bounds(&cells, changed), sum, cells }
}

/// The box around the changed pixels of some cells.
fn bounds(cells: &[(usize, usize)], changed: &Bitmap) -> Rect {
    let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
    for (column, row) in cells {
        for y in row * CELL..((row + 1) * CELL).min(changed.height) {
            let byte = changed.byte(*column, y);
            if byte != 0 {
                left = left.min(column * CELL + byte.leading_zeros() as usize);
                right = right.max((column + 1) * CELL - byte.trailing_zeros() as usize);
                top = top.min(y);
                bottom = bottom.max(y + 1);
            }
        }
    }
    if left > right {
        return Rect::default();
    }
    Rect::of(left, top, right - left, bottom - top)
}

//! What speaks for and against a visible change, per cell of 8 x 8 pixels.
//!
//! The main type is [`Cell`]: sums that add up, so that a cluster's evidence is that of its cells.

use std::ops::AddAssign;

use super::changed::{Bitmap, CELL};
use super::oklab::{Lab, length};
use super::pair::Pair;
use super::patch::Patch;
use super::window::{RUN_CELLS_MAX, Window};

/// Differences below this (two levels of grey) are rounding, not drawing.
pub(super) const VISIBLE: f32 = 0.7;

/// The evidence of some pixels.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cell {
    /// Pixels that are not identical.
    pub(super) changed: u32,
    /// Pixels that differ by more than rounding.
    pub(super) visible: u32,
    /// Pixels whose colour lies clearly outside what is near on the other side.
    pub(super) foreign: u32,
    /// Sum of differences over changed pixels.
    pub(super) distance: f32,
    /// Largest difference.
    pub(super) distance_max: f32,
    /// Sum of differences with their direction; opposite ones cancel.
    pub(super) signed: Lab,
    /// Sum of the parts of differences that lie outside the range near by on the other side.
    pub(super) excess: f32,
    /// Pixels that differ by a large part of the contrast around them.
    pub(super) strong: u32,
    /// How well one small move explains the differences.
    pub(super) motion: Motion,
    /// By how much whole pixels were already moved before these were compared.
    pub(super) shift: (isize, isize),
}

impl AddAssign for Cell {
    fn add_assign(&mut self, other: Self) {
        self.changed += other.changed;
        self.visible += other.visible;
        self.foreign += other.foreign;
        self.distance += other.distance;
        self.distance_max = self.distance_max.max(other.distance_max);
        self.signed.iter_mut().zip(other.signed).for_each(|(sum, part)| *sum += part);
        self.excess += other.excess;
        self.strong += other.strong;
        self.motion += other.motion;
        self.shift = other.shift;
    }
}

impl Cell {
    /// 1 when all differences point the same way (a new colour), 0 when they cancel (a move).
    pub(super) fn coherence(&self) -> f32 {
        length(self.signed) / self.distance.max(f32::MIN_POSITIVE)
    }

    /// Counts one changed pixel.
    pub(super) fn count(&mut self, pixel: Pixel) {
        let Pixel { difference, contrast, excess } = pixel;
        let size = length(difference);
        self.changed += 1;
        self.distance += size;
        self.distance_max = self.distance_max.max(size);
        self.signed.iter_mut().zip(difference).for_each(|(sum, part)| *sum += part);
        if size < VISIBLE {
            return;
        }
        self.visible += 1;
        self.excess += excess;
        self.strong += u32::from(size > STRONG_SHARE * contrast.max(CONTRAST_MIN));
        self.foreign += u32::from(excess > FOREIGN_MIN && excess > FOREIGN_SHARE * contrast);
    }

    /// Mean difference of the changed pixels.
    pub(super) fn mean(&self) -> f32 {
        self.distance / (self.changed.max(1) as f32)
    }
}

/// What is known of one changed pixel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pixel {
    /// Its colour now minus its colour before.
    pub(super) difference: Lab,
    /// The larger contrast around it, of the two sides.
    pub(super) contrast: f32,
    /// How far it lies outside the colours around it on the other side.
    pub(super) excess: f32,
}

/// A pixel is foreign when it lies outside the other side's range by this much...
const FOREIGN_MIN: f32 = 4.0;

/// ... and by this share of the contrast around it.
const FOREIGN_SHARE: f32 = 0.4;

/// Contrast below this is taken for this: a faint edge needs a clear difference too.
const CONTRAST_MIN: f32 = 18.0;

/// A pixel differs strongly from this share of the contrast around it.
const STRONG_SHARE: f32 = 0.5;

/// Normal equations of the least squares fit `difference = -(u, v) * gradient`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Motion {
    xx: f32,
    xy: f32,
    yy: f32,
    xd: f32,
    yd: f32,
    energy: f32,
}

impl AddAssign for Motion {
    fn add_assign(&mut self, other: Self) {
        self.xx += other.xx;
        self.xy += other.xy;
        self.yy += other.yy;
        self.xd += other.xd;
        self.yd += other.yd;
        self.energy += other.energy;
    }
}

/// A small move of content, and the share of the differences that it explains.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Move {
    pub(super) dx: f32,
    pub(super) dy: f32,
    pub(super) explained: f32,
}

impl Motion {
    /// From sums of gradient and difference products: xx, xy, yy, xd, yd, dd.
    pub(super) fn from_sums([xx, xy, yy, xd, yd, energy]: [f32; 6]) -> Self {
        Self { xx, xy, yy, xd, yd, energy }
    }

    /// The best fitting move.
    pub(super) fn fit(&self) -> Move {
        // A trace of damping keeps directions without any gradient at rest.
        let damping = 1e-4 * (self.xx + self.yy) + f32::MIN_POSITIVE;
        let (xx, yy) = (self.xx + damping, self.yy + damping);
        let determinant = xx * yy - self.xy * self.xy;
        if determinant <= 0.0 || self.energy <= 0.0 {
            return Move::default();
        }
        let dx = -(yy * self.xd - self.xy * self.yd) / determinant;
        let dy = -(xx * self.yd - self.xy * self.xd) / determinant;
        Move { dx, dy, explained: -(dx * self.xd + dy * self.yd) / self.energy }
    }
}

/// The evidence of a picture, by cell.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) columns: usize,
    pub(super) rows: usize,
    places: Vec<u32>,
    cells: Vec<Cell>,
}

/// A cell without evidence.
const NOTHING: u32 = u32::MAX;

impl Evidence {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let (columns, rows) = (width.div_ceil(CELL), height.div_ceil(CELL));
        Self { columns, rows, places: vec![NOTHING; columns * rows], cells: Vec::new() }
    }

    /// The evidence of one cell, if there is any.
    pub(super) fn cell(&self, column: usize, row: usize) -> Option<&Cell> {
        if column >= self.columns {
            return None;
        }
        let place = *self.places.get(row * self.columns + column)?;
        self.cells.get(place as usize)
    }

    fn add(&mut self, column: usize, row: usize, cell: Cell) {
        let Some(place) = self.places.get_mut(row * self.columns + column) else { return };
        match self.cells.get_mut(*place as usize) {
            Some(found) => *found += cell,
            None => {
                *place = u32::try_from(self.cells.len()).unwrap_or(NOTHING);
                self.cells.push(cell);
            }
        }
    }

    /// Weighs every changed pixel of one patch.
    pub(super) fn weigh(&mut self, pair: &Pair, patch: &Patch, changed: &Bitmap) {
        if patch.width == 0 || patch.height == 0 {
            return;
        }
        for row in patch.y / CELL..=(patch.bottom() - 1) / CELL {
            let mut run = 0;
            let last = (patch.right() - 1) / CELL;
            for column in patch.x / CELL..=last + 1 {
                let counts = column <= last && is_changed(patch, changed, column, row);
                run += usize::from(counts);
                if run > 0 && (!counts || run == RUN_CELLS_MAX) {
                    let first = column + usize::from(counts) - run;
                    let window = Window::load(pair, patch, (first, run), row);
                    for (place, cell) in window.weigh(patch, changed).into_iter().enumerate() {
                        self.add(first + place, row, cell);
                    }
                    run = 0;
                }
            }
        }
    }
}

fn is_changed(patch: &Patch, changed: &Bitmap, column: usize, row: usize) -> bool {
    let rows = (row * CELL).max(patch.y)..((row + 1) * CELL).min(patch.bottom());
    let (from, to) = (column * CELL, (column + 1) * CELL);
    let (from, to) = (from.max(patch.x), to.min(patch.right()));
    rows.into_iter().any(|y| changed.byte(column, y) != 0 && changed.count_in_row(y, from, to) > 0)
}

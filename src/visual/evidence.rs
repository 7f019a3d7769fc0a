//! What speaks for and against a visible change, per cell of 8 x 8 pixels.
//!
//! The main type is [`Cell`]: sums that add up, so that a cluster's evidence is that of its cells.

use std::ops::AddAssign;

use super::changed::{Bitmap, CELL};
use super::oklab::{Lab, difference, lab, length};
use super::pair::Pair;
use super::patch::Patch;

/// Differences below this (two levels of grey) are rounding, not drawing.
pub(super) const VISIBLE: f32 = 0.8;

/// Cells that are looked at in one go; bounds the memory of a window.
const RUN_CELLS_MAX: usize = 32;

/// Pixels outside a run that its pixels are compared with.
const MARGIN: usize = 1;

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
    /// Largest of them.
    pub(super) excess_max: f32,
    /// Sum of local contrast over changed pixels.
    pub(super) contrast: f32,
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
        self.excess_max = self.excess_max.max(other.excess_max);
        self.contrast += other.contrast;
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

    /// Mean difference of the changed pixels.
    pub(super) fn mean(&self) -> f32 {
        self.distance / (self.changed.max(1) as f32)
    }
}

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
    fn add(&mut self, gradient_x: Lab, gradient_y: Lab, difference: Lab) {
        for ((x, y), d) in gradient_x.into_iter().zip(gradient_y).zip(difference) {
            self.xx += x * x;
            self.xy += x * y;
            self.yy += y * y;
            self.xd += x * d;
            self.yd += y * d;
            self.energy += d * d;
        }
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
                    for place in 0..run {
                        let cell = window.weigh(place, patch, changed);
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

/// The colours of a run of cells on both sides, with a margin.
#[derive(Debug)]
struct Window {
    x: usize,
    y: usize,
    stride: usize,
    baseline: Vec<Lab>,
    actual: Vec<Lab>,
}

impl Window {
    fn load(pair: &Pair, patch: &Patch, (first, cells): (usize, usize), row: usize) -> Self {
        let stride = cells * CELL + 2 * MARGIN;
        let (x, y) = (first * CELL, row * CELL);
        let size = stride * (CELL + 2 * MARGIN);
        let (mut baseline, mut actual) = (Vec::with_capacity(size), Vec::with_capacity(size));
        let mut last = ([0; 3], lab([0; 3]));
        let mut colour = |rgb: [u8; 3]| {
            if rgb != last.0 {
                last = (rgb, lab(rgb));
            }
            last.1
        };
        let margin = MARGIN.cast_signed();
        for down in 0..CELL + 2 * MARGIN {
            let at_y = y.cast_signed() + down.cast_signed() - margin;
            for along in 0..stride {
                let at_x = x.cast_signed() + along.cast_signed() - margin;
                baseline.push(colour(pair.baseline.seen(at_x - patch.dx(), at_y - patch.dy())));
                actual.push(colour(pair.actual.seen(at_x, at_y)));
            }
        }
        Self { x, y, stride, baseline, actual }
    }

    /// The evidence of the cell at `place` in the run.
    fn weigh(&self, place: usize, patch: &Patch, changed: &Bitmap) -> Cell {
        let mut cell = Cell { shift: (patch.dx(), patch.dy()), ..Cell::default() };
        for down in 0..CELL {
            let y = self.y + down;
            if y < patch.y || y >= patch.bottom() {
                continue;
            }
            for along in place * CELL..(place + 1) * CELL {
                let x = self.x + along;
                if x < patch.x || x >= patch.right() {
                    continue;
                }
                let at = (down + MARGIN) * self.stride + along + MARGIN;
                let (Some(near), Some(near_actual)) = (
                    Near::of(&self.baseline, at, self.stride),
                    Near::of(&self.actual, at, self.stride),
                ) else {
                    continue;
                };
                let d = difference(near.centre, near_actual.centre);
                let mean = |side: fn(&Near) -> Lab| {
                    let (a, b) = (side(&near), side(&near_actual));
                    [0, 1, 2].map(|part: usize| {
                        f32::midpoint(
                            a.get(part).copied().unwrap_or(0.0),
                            b.get(part).copied().unwrap_or(0.0),
                        )
                    })
                };
                cell.motion.add(mean(Near::slope_x), mean(Near::slope_y), d);
                if changed.is_set(x, y) {
                    cell.count(&near, &near_actual, d);
                }
            }
        }
        cell
    }
}

impl Cell {
    fn count(&mut self, baseline: &Near, actual: &Near, d: Lab) {
        let size = length(d);
        self.changed += 1;
        self.distance += size;
        self.distance_max = self.distance_max.max(size);
        self.signed.iter_mut().zip(d).for_each(|(sum, part)| *sum += part);
        if size < VISIBLE {
            return;
        }
        self.visible += 1;
        let (low, high) = baseline.range();
        let (actual_low, actual_high) = actual.range();
        let contrast =
            length(difference(low, high)).max(length(difference(actual_low, actual_high)));
        let excess = outside(actual.centre, low, high).max(outside(
            baseline.centre,
            actual_low,
            actual_high,
        ));
        self.excess += excess;
        self.excess_max = self.excess_max.max(excess);
        self.contrast += contrast;
        self.strong += u32::from(is_strong(size, contrast));
        if excess > FOREIGN_MIN && excess > FOREIGN_SHARE * contrast {
            self.foreign += 1;
        }
    }
}

/// A pixel is foreign when it lies outside the other side's range by this much...
const FOREIGN_MIN: f32 = 4.0;

/// ... and by this share of the contrast around it.
const FOREIGN_SHARE: f32 = 0.4;

/// Contrast below this is taken for this: a faint edge needs a clear difference too.
const CONTRAST_MIN: f32 = 18.0;

/// A pixel differs strongly from this share of the contrast around it.
const STRONG_SHARE: f32 = 0.5;

fn is_strong(difference: f32, contrast: f32) -> bool {
    difference > STRONG_SHARE * contrast.max(CONTRAST_MIN)
}

/// How far a colour lies outside a range.
fn outside(colour: Lab, low: Lab, high: Lab) -> f32 {
    let mut out = [0.0; 3];
    for (((out, value), low), high) in out.iter_mut().zip(colour).zip(low).zip(high) {
        *out = (value - high).max(low - value).max(0.0);
    }
    length(out)
}

/// A pixel and its eight neighbours on one side.
struct Near {
    rows: [[Lab; 3]; 3],
    centre: Lab,
}

impl Near {
    fn of(colours: &[Lab], at: usize, stride: usize) -> Option<Self> {
        let row = |middle: usize| colours.get(middle - 1..middle + 2)?.first_chunk::<3>().copied();
        let rows = [row(at - stride)?, row(at)?, row(at + stride)?];
        let [_, [_, centre, _], _] = rows;
        Some(Self { rows, centre })
    }

    fn range(&self) -> (Lab, Lab) {
        let (mut low, mut high) = (self.centre, self.centre);
        for colour in self.rows.iter().flatten() {
            for ((low, high), value) in low.iter_mut().zip(&mut high).zip(colour) {
                *low = low.min(*value);
                *high = high.max(*value);
            }
        }
        (low, high)
    }

    fn slope_x(&self) -> Lab {
        let [_, [left, _, right], _] = self.rows;
        difference(left, right).map(|part| part / 2.0)
    }

    fn slope_y(&self) -> Lab {
        let [[_, above, _], _, [_, below, _]] = self.rows;
        difference(above, below).map(|part| part / 2.0)
    }
}

//! The colours of a run of cells on both sides, plane by plane, and what follows from them.
//!
//! Everything here is computed for whole rows of numbers at a time, without branches: compilers
//! turn that into vector instructions.

use super::changed::{Bitmap, CELL};
use super::evidence::{Cell, Motion, Pixel};
use super::oklab::lab;
use super::pair::Pair;
use super::patch::Patch;
use super::raster::Raster;

/// Cells that are looked at in one go; bounds the memory of a window.
pub(super) const RUN_CELLS_MAX: usize = 8;

/// Pixels outside a run that its pixels are compared with.
const MARGIN: usize = 1;

/// Most pixels in a row of a window.
const STRIDE_MAX: usize = RUN_CELLS_MAX * CELL + 2 * MARGIN;

/// Rows of a window.
const ROWS: usize = CELL + 2 * MARGIN;

/// One number per pixel of a row.
type Row = [f32; STRIDE_MAX];

/// A run of cells on both sides, with a margin.
#[derive(Debug)]
pub(super) struct Window {
    x: usize,
    y: usize,
    cells: usize,
    baseline: Side,
    actual: Side,
}

/// Lightness and the two colour axes of one side, by row.
#[derive(Debug)]
struct Side {
    rows: Box<[[Row; 3]; ROWS]>,
}

impl Side {
    fn load(raster: &Raster, (left, top): (isize, isize), length: usize) -> Self {
        let mut rows = Box::new([[[0.0; STRIDE_MAX]; 3]; ROWS]);
        let mut last = ([0; 3], lab([0; 3]));
        let mut seen = [[0; 3]; STRIDE_MAX];
        let seen = seen.get_mut(..length).unwrap_or_default();
        for (row, y) in rows.iter_mut().zip(top..) {
            let [lightness, green_red, blue_yellow] = row;
            let places = lightness.iter_mut().zip(green_red).zip(blue_yellow);
            raster.seen_row(left, y, seen);
            for (((l, a), b), rgb) in places.zip(&*seen) {
                if *rgb != last.0 {
                    last = (*rgb, lab(*rgb));
                }
                [*l, *a, *b] = last.1;
            }
        }
        Self { rows }
    }

    /// One plane of a row and of the rows above and below it.
    fn around(&self, row: usize, plane: usize) -> Option<[&Row; 3]> {
        let [above, here, below] = self.rows.get(row..row + 3)? else { return None };
        Some([above.get(plane)?, here.get(plane)?, below.get(plane)?])
    }
}

/// What is known of the pixels of one row, by column.
struct Facts {
    difference: [Row; 3],
    excess_of_baseline: Row,
    excess_of_actual: Row,
    contrast_of_baseline: Row,
    contrast_of_actual: Row,
}

impl Window {
    /// Loads `cells` cells from column `first` of a row of cells.
    pub(super) fn load(
        pair: &Pair,
        patch: &Patch,
        (first, cells): (usize, usize),
        row: usize,
    ) -> Self {
        let (x, y) = (first * CELL, row * CELL);
        let margin = MARGIN.cast_signed();
        let (left, top) = (x.cast_signed() - margin, y.cast_signed() - margin);
        let length = cells * CELL + 2 * MARGIN;
        let from = (left - patch.dx(), top - patch.dy());
        Self {
            x,
            y,
            cells,
            baseline: Side::load(&pair.baseline, from, length),
            actual: Side::load(&pair.actual, (left, top), length),
        }
    }

    /// The evidence of each cell, of those pixels that lie in the patch.
    pub(super) fn weigh(&self, patch: &Patch, changed: &Bitmap) -> Vec<Cell> {
        let shift = (patch.dx(), patch.dy());
        let mut cells = vec![Cell { shift, ..Cell::default() }; self.cells];
        let mut sums = vec![[[0.0; CELL]; 6]; self.cells];
        let weights = self.weights(patch);
        for down in 0..CELL {
            let y = self.y + down;
            if y < patch.y || y >= patch.bottom() {
                continue;
            }
            let facts = self.facts(down, &weights, &mut sums);
            let bits = changed.row(y).get(self.x / CELL..).unwrap_or_default();
            for (place, (cell, bits)) in cells.iter_mut().zip(bits).enumerate() {
                if *bits == 0 {
                    continue;
                }
                for along in (0..CELL).filter(|along| bits & (0x80 >> along) != 0) {
                    let at = place * CELL + along + MARGIN;
                    if weights.get(at).is_some_and(|weight| *weight > 0.0) {
                        cell.count(facts.pixel(at));
                    }
                }
            }
        }
        for (cell, sums) in cells.iter_mut().zip(sums) {
            cell.motion = Motion::from_sums(sums.map(|lanes| lanes.iter().sum()));
        }
        cells
    }

    /// 1 for columns in the patch, 0 for others.
    fn weights(&self, patch: &Patch) -> Row {
        let mut weights = [0.0; STRIDE_MAX];
        for (at, weight) in weights.iter_mut().enumerate().skip(MARGIN) {
            let x = self.x + at - MARGIN;
            *weight = f32::from(u8::from(x >= patch.x && x < patch.right()));
        }
        weights
    }

    fn facts(&self, down: usize, weights: &Row, sums: &mut [[[f32; CELL]; 6]]) -> Facts {
        let mut facts = Facts::none();
        let planes = (0..3).zip(&mut facts.difference);
        for (plane, difference) in planes {
            let (Some(old), Some(new)) =
                (self.baseline.around(down, plane), self.actual.around(down, plane))
            else {
                continue;
            };
            let [_, old_here, _] = old;
            let [_, new_here, _] = new;
            for ((difference, old), new) in difference.iter_mut().zip(old_here).zip(new_here) {
                *difference = new - old;
            }
            let (old_range, new_range) = (Range::of(old), Range::of(new));
            new_range.measure(
                old_here,
                &mut facts.excess_of_baseline,
                &mut facts.contrast_of_actual,
            );
            old_range.measure(
                new_here,
                &mut facts.excess_of_actual,
                &mut facts.contrast_of_baseline,
            );
            let slopes = Slopes::of(old, new, weights);
            slopes.add(difference, sums);
        }
        facts
    }
}

impl Facts {
    fn none() -> Self {
        let row = [0.0; STRIDE_MAX];
        Self {
            difference: [row; 3],
            excess_of_baseline: row,
            excess_of_actual: row,
            contrast_of_baseline: row,
            contrast_of_actual: row,
        }
    }

    fn pixel(&self, at: usize) -> Pixel {
        let value = |row: &Row| row.get(at).copied().unwrap_or(0.0);
        let larger = |a: &Row, b: &Row| value(a).max(value(b)).sqrt();
        let [l, a, b] = &self.difference;
        Pixel {
            difference: [value(l), value(a), value(b)],
            contrast: larger(&self.contrast_of_baseline, &self.contrast_of_actual),
            excess: larger(&self.excess_of_baseline, &self.excess_of_actual),
        }
    }
}

/// The least and the largest of the nine numbers around each pixel.
struct Range {
    low: Row,
    high: Row,
}

fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

impl Range {
    fn of([above, here, below]: [&Row; 3]) -> Self {
        let (mut low, mut high) = ([0.0; STRIDE_MAX], [0.0; STRIDE_MAX]);
        let inputs = above.iter().zip(here).zip(below);
        for ((low, high), ((a, b), c)) in low.iter_mut().zip(&mut high).zip(inputs) {
            *low = smaller(smaller(*a, *b), *c);
            *high = larger(larger(*a, *b), *c);
        }
        Self { low: spread(&low, smaller), high: spread(&high, larger) }
    }

    /// Adds the square of how far `values` lie outside, and of how wide the range is.
    fn measure(&self, values: &Row, excess: &mut Row, contrast: &mut Row) {
        let ranges = self.low.iter().zip(&self.high);
        let sums = excess.iter_mut().zip(contrast);
        for ((value, (low, high)), (excess, contrast)) in values.iter().zip(ranges).zip(sums) {
            let outside = larger(larger(value - high, low - value), 0.0);
            *excess += outside * outside;
            *contrast += (high - low) * (high - low);
        }
    }
}

/// Combines each number with those left and right of it.
fn spread(row: &Row, combine: fn(f32, f32) -> f32) -> Row {
    let mut out = [0.0; STRIDE_MAX];
    let (middle, right) = (row.get(1..).unwrap_or_default(), row.get(2..).unwrap_or_default());
    let places = out.get_mut(1..).unwrap_or_default();
    for (out, ((left, middle), right)) in places.iter_mut().zip(row.iter().zip(middle).zip(right)) {
        *out = combine(combine(*left, *middle), *right);
    }
    out
}

/// How steeply the mean of both sides rises to the right and down, zero outside the patch.
struct Slopes {
    right: Row,
    down: Row,
    weights: Row,
}

impl Slopes {
    fn of(old: [&Row; 3], new: [&Row; 3], weights: &Row) -> Self {
        let mut mean = [0.0; STRIDE_MAX];
        let ([old_above, old_here, old_below], [new_above, new_here, new_below]) = (old, new);
        for ((mean, old), new) in mean.iter_mut().zip(old_here).zip(new_here) {
            *mean = (old + new) / 4.0;
        }
        let mut right = [0.0; STRIDE_MAX];
        let after = mean.get(2..).unwrap_or_default();
        let places = right.get_mut(1..).unwrap_or_default().iter_mut();
        let weighted = weights.get(1..).unwrap_or_default();
        for ((out, weight), (before, after)) in places.zip(weighted).zip(mean.iter().zip(after)) {
            *out = (after - before) * weight;
        }
        let mut down = [0.0; STRIDE_MAX];
        let above = old_above.iter().zip(new_above);
        let below = old_below.iter().zip(new_below);
        for (((out, weight), (a, b)), (c, d)) in down.iter_mut().zip(weights).zip(above).zip(below)
        {
            *out = (c + d - a - b) / 4.0 * weight;
        }
        Self { right, down, weights: *weights }
    }

    /// Adds the products of slopes and differences to the sums of each cell, lane by lane.
    fn add(&self, difference: &Row, sums: &mut [[[f32; CELL]; 6]]) {
        let cells = |row: &'_ Row| -> Vec<[f32; CELL]> {
            row.get(MARGIN..).unwrap_or_default().as_chunks::<CELL>().0.to_vec()
        };
        let slopes = cells(&self.right).into_iter().zip(cells(&self.down));
        let inputs = cells(difference).into_iter().zip(cells(&self.weights));
        for ([xx, xy, yy, xd, yd, dd], ((right, down), (difference, weights))) in
            sums.iter_mut().zip(slopes.zip(inputs))
        {
            for lane in 0..CELL {
                let at = |row: &[f32; CELL]| row.get(lane).copied().unwrap_or(0.0);
                let (x, y, d) = (at(&right), at(&down), at(&difference) * at(&weights));
                let products = [x * x, x * y, y * y, x * d, y * d, d * d];
                let lanes = [&mut *xx, &mut *xy, &mut *yy, &mut *xd, &mut *yd, &mut *dd];
                for (sum, product) in lanes.into_iter().zip(products) {
                    if let Some(sum) = sum.get_mut(lane) {
                        *sum += product;
                    }
                }
            }
        }
    }
}

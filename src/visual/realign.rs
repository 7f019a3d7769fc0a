//! Finds content that moved as it is, so that one inserted row does not turn a page red.
//!
//! Works like an XY cut: the changed part is split into columns and rows of changes, and each part
//! is aligned by hashes of its lines, along whichever axis explains it.

use std::cmp::Ordering;

use xxhash_rust::xxh3::xxh3_64;

use super::align::{Run, align};
use super::changed::{Bitmap, CELL};
use super::oklab::{distance, lab};
use super::pair::Pair;
use super::patch::Patch;
use super::raster::Raster;
use super::shape::Rect;

/// How the changes of an area are explained by moves.
#[derive(Debug, Default)]
pub(super) struct Alignment {
    /// Parts that pair up, moved or not, whose pixels may still differ.
    pub(super) patches: Vec<Patch>,
    /// Parts that only one side has.
    pub(super) bands: Vec<Band>,
    /// Parts that are the same and moved.
    pub(super) moved: Vec<Patch>,
}

/// Rows or columns that only one side has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Band {
    pub(super) side: Only,
    pub(super) actual: Rect,
    pub(super) baseline: Rect,
    /// It shows more than one colour, or another one than its neighbourhood.
    pub(super) shows_something: bool,
}

/// Which side has a band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Only {
    Baseline,
    Actual,
}

/// Along which axis lines are put in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    /// Lines are rows; content moved up or down.
    Rows,
    /// Lines are columns; content moved left or right.
    Columns,
}

/// A move must explain this many times the pixels that it leaves unexplained.
const GAIN_MIN: u64 = 2;

/// Fewer changed pixels are left to the motion fit.
const PIXELS_MIN: u64 = 48;

/// What one differing step along a line of an unpaired band weighs in pixels.
const STEP_WEIGHT: u64 = 4;

/// Aligns two rectangles of one width (for rows) or height (for columns).
///
/// `before`: pixels that differ when nothing is moved. `None` when no move explains enough.
pub(super) fn align_rects(
    pair: &Pair,
    (baseline, actual): (Rect, Rect),
    axis: Axis,
    before: u64,
) -> Option<Alignment> {
    if before < PIXELS_MIN {
        return None;
    }
    let step = actual.height as usize / SAMPLES;
    if axis == Axis::Columns && step > 1 {
        let sampled = |raster, rect| Lines::sampled(raster, rect, step);
        aligned(&sampled(&pair.baseline, baseline), &sampled(&pair.actual, actual))?;
    }
    let old = Lines::of(&pair.baseline, baseline, axis);
    let new = Lines::of(&pair.actual, actual, axis);
    let runs = aligned(&old, &new)?;
    let mut aligner =
        Aligner { pair, baseline, actual, axis, found: Alignment::default(), cost: 0, before };
    let mut at = (0, 0);
    let end = Run { baseline: old.hashes.len(), actual: new.hashes.len(), length: 0 };
    for run in runs.into_iter().chain([end]) {
        aligner.gap((at.0, run.baseline), (at.1, run.actual), (&old, &new));
        if aligner.is_lost() {
            return None;
        }
        if run.length > 0 {
            aligner.keep(run, &new);
        }
        at = (run.baseline + run.length, run.actual + run.length);
    }
    let large: usize = aligner.found.moved.iter().map(|patch| lines_of(patch, axis)).sum();
    let explains_much = aligner.cost * GAIN_MIN <= before;
    (explains_much || large >= LARGE_MOVE).then_some(aligner.found)
}

/// So many lines that are the same elsewhere are no accident.
const LARGE_MOVE: usize = 24;

fn lines_of(patch: &Patch, axis: Axis) -> usize {
    match axis {
        Axis::Rows => patch.height,
        Axis::Columns => patch.width,
    }
}

/// Pixels of a column that are hashed before whole columns are.
const SAMPLES: usize = 48;

/// The lines that are the same, when enough of those that show something moved.
fn aligned(old: &Lines<'_>, new: &Lines<'_>) -> Option<Vec<Run>> {
    let runs = align(&old.hashes, &new.hashes);
    let mut moved = 0;
    for run in runs.iter().filter(|run| run.baseline != run.actual) {
        let lines = run.actual..run.actual + run.length;
        moved += lines.filter(|line| new.steps(*line) > 0).take(LINES_MIN).count();
        if moved >= LINES_MIN {
            return Some(runs);
        }
    }
    None
}

/// Fewer lines than this that moved are no evidence.
const LINES_MIN: usize = 4;

/// Hashes of the lines of a rectangle.
struct Lines<'a> {
    raster: &'a Raster,
    rect: Rect,
    axis: Axis,
    hashes: Vec<u64>,
}

impl<'a> Lines<'a> {
    /// Hashes whole lines.
    fn of(raster: &'a Raster, rect: Rect, axis: Axis) -> Self {
        let rows = rect.y..rect.bottom();
        let hashes = match axis {
            Axis::Rows => rows.map(|y| xxh3_64(cut(raster, rect, y))).collect(),
            Axis::Columns => columns(raster, rect, rows),
        };
        Self { raster, rect, axis, hashes }
    }

    /// Hashes a few pixels of each column: columns that are equal have equal samples.
    fn sampled(raster: &'a Raster, rect: Rect, step: usize) -> Self {
        let hashes = columns(raster, rect, (rect.y..rect.bottom()).step_by(step));
        Self { raster, rect, axis: Axis::Columns, hashes }
    }

    /// True when some of these lines show more than one colour.
    fn show_something(&self, from: usize, length: usize) -> bool {
        (from..from + length).any(|line| self.steps(line) > 0)
    }

    /// How often the colour changes along a line.
    fn steps(&self, line: usize) -> u64 {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let channels = self.raster.channels;
        match self.axis {
            Axis::Rows => {
                let pixels = cut(self.raster, self.rect, self.rect.y + line);
                let shifted = pixels.get(channels..).unwrap_or_default();
                differing_pixels(pixels, shifted, channels)
            }
            Axis::Columns => {
                let column = Rect { x: self.rect.x + line, width: 1, ..self.rect };
                let pixel = |y: u32| cut(self.raster, column, y);
                (column.y + 1..column.bottom()).filter(|y| pixel(*y) != pixel(*y - 1)).count()
                    as u64
            }
        }
    }
}

/// Hashes columns, over some rows.
fn columns(raster: &Raster, rect: Rect, rows: impl Iterator<Item = u32>) -> Vec<u64> {
    let mut hashes = vec![0_u64; rect.width as usize];
    let mix = |hash: &mut u64, value: u64| {
        *hash = (hash.rotate_left(23) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    };
    for y in rows {
        let row = cut(raster, rect, y);
        if raster.channels == 3 {
            for (hash, &[red, green, blue]) in hashes.iter_mut().zip(row.as_chunks::<3>().0) {
                mix(hash, u64::from(u32::from_le_bytes([red, green, blue, 1])));
            }
        } else {
            for (hash, pixel) in hashes.iter_mut().zip(row.as_chunks::<4>().0) {
                mix(hash, u64::from(u32::from_le_bytes(*pixel)) | 1 << 32);
            }
        }
    }
    hashes
}

/// How many pixels of two rows differ.
fn differing_pixels(baseline: &[u8], actual: &[u8], channels: usize) -> u64 {
    fn count<const N: usize>(baseline: &[u8], actual: &[u8]) -> u64 {
        let pixels = baseline.as_chunks::<N>().0.iter().zip(actual.as_chunks::<N>().0);
        pixels.filter(|(baseline, actual)| baseline != actual).count() as u64
    }
    match channels {
        3 => count::<3>(baseline, actual),
        _ => count::<4>(baseline, actual),
    }
}

/// True when a part of a picture is not a mere repetition of the line before or after it.
fn shows_something(raster: &Raster, part: Rect, axis: Axis) -> bool {
    let (left, top) = (part.x.cast_signed() as isize, part.y.cast_signed() as isize);
    let (right, bottom) = (left + part.width as isize, top + part.height as isize);
    let differs = |beside: isize| {
        (top..bottom).any(|y| {
            (left..right).any(|x| {
                let (near_x, near_y) = match axis {
                    Axis::Rows => (x, beside),
                    Axis::Columns => (beside, y),
                };
                let (here, near) = (raster.seen(x, y), raster.seen(near_x, near_y));
                here != near && distance(lab(here), lab(near)) > REPETITION_MAX
            })
        })
    };
    match axis {
        Axis::Rows => differs(top - 1) && differs(bottom),
        Axis::Columns => differs(left - 1) && differs(right),
    }
}

/// Largest difference between two lines that repeat each other, as in a shadow.
const REPETITION_MAX: f32 = 2.5;

/// Row `y` of a raster between the sides of a rectangle.
fn cut(raster: &Raster, rect: Rect, y: u32) -> &[u8] {
    let range = rect.x as usize * raster.channels..rect.right() as usize * raster.channels;
    raster.row(y as usize).get(range).unwrap_or_default()
}

struct Aligner<'a> {
    pair: &'a Pair,
    baseline: Rect,
    actual: Rect,
    axis: Axis,
    found: Alignment,
    /// Pixels that differ when nothing is moved.
    before: u64,
    /// Pixels that are left unexplained.
    cost: u64,
}

impl Aligner<'_> {
    /// True when more than three quarters are unexplained already.
    fn is_lost(&self) -> bool {
        self.cost * 4 > self.before * 3
    }

    /// A part of one side, by its lines.
    fn part(&self, whole: Rect, from: usize, to: usize) -> Rect {
        let (x, y) = (whole.x as usize, whole.y as usize);
        match self.axis {
            Axis::Rows => Rect::of(x, y + from, whole.width as usize, to - from),
            Axis::Columns => Rect::of(x + from, y, to - from, whole.height as usize),
        }
    }

    fn patch(&self, baseline: usize, actual: usize, length: usize) -> Patch {
        let from = self.part(self.baseline, baseline, baseline + length);
        let mut patch = Patch::unmoved(self.part(self.actual, actual, actual + length));
        (patch.baseline_x, patch.baseline_y) = (from.x as usize, from.y as usize);
        // The sides may differ across the axis too; only the common part pairs up.
        patch.width = patch.width.min(from.width as usize);
        patch.height = patch.height.min(from.height as usize);
        patch
    }

    fn keep(&mut self, run: Run, lines: &Lines<'_>) {
        let patch = self.patch(run.baseline, run.actual, run.length);
        let moved = patch.dx() != 0 || patch.dy() != 0;
        if moved && lines.show_something(run.actual, run.length) {
            self.found.moved.push(patch);
        }
    }

    /// Pairs up what lies between two runs, and reports what one side has more of.
    fn gap(&mut self, old: (usize, usize), new: (usize, usize), lines: (&Lines<'_>, &Lines<'_>)) {
        let (old_length, new_length) = (old.1 - old.0, new.1 - new.0);
        let paired = old_length.min(new_length);
        let head = self.patch(old.0, new.0, paired);
        let tail = self.patch(old.1 - paired, new.1 - paired, paired);
        let (head_cost, tail_cost) = (differing(self.pair, &head), differing(self.pair, &tail));
        let at_head = head_cost <= tail_cost;
        if paired > 0 {
            self.cost += head_cost.min(tail_cost);
            self.found.patches.push(if at_head { head } else { tail });
        }
        let rest = |(from, to): (usize, usize)| match at_head {
            true => (from + paired, to),
            false => (from, to - paired),
        };
        let (old, new) = (rest(old), rest(new));
        let (actual, baseline) =
            (self.part(self.actual, new.0, new.1), self.part(self.baseline, old.0, old.1));
        let (side, (from, to), lines, raster, part) = match old_length.cmp(&new_length) {
            Ordering::Equal => return,
            Ordering::Greater => (Only::Baseline, old, lines.0, &self.pair.baseline, baseline),
            Ordering::Less => (Only::Actual, new, lines.1, &self.pair.actual, actual),
        };
        self.cost += (to - from) as u64;
        if self.is_lost() {
            return;
        }
        let shows_something = shows_something(raster, part, self.axis);
        if shows_something {
            for line in from..to {
                self.cost += lines.steps(line) * STEP_WEIGHT;
                if self.is_lost() {
                    return;
                }
            }
        }
        self.found.bands.push(Band { side, actual, baseline, shows_something });
    }
}

/// How many pixels of a patch differ.
fn differing(pair: &Pair, patch: &Patch) -> u64 {
    let row = |y| {
        let (baseline, actual) = patch.rows(pair, y);
        differing_pixels(baseline, actual, pair.actual.channels)
    };
    (patch.y..patch.bottom()).map(row).sum()
}

/// Parts of a patch's changes that are far from each other along one axis.
pub(super) fn split(changed: &Bitmap, area: Rect, axis: Axis) -> Vec<Rect> {
    let lines = match axis {
        Axis::Rows => rows_changed(changed, area),
        Axis::Columns => columns_changed(changed, area),
    };
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for (at, _) in lines.iter().enumerate().filter(|(_, changed)| **changed) {
        match parts.last_mut() {
            Some(last) if at <= last.1 + SPLIT_GAP => last.1 = at + 1,
            _ => parts.push((at, at + 1)),
        }
    }
    let part = |(from, to): (usize, usize)| match axis {
        Axis::Rows => {
            Rect::of(area.x as usize, area.y as usize + from, area.width as usize, to - from)
        }
        Axis::Columns => {
            Rect::of(area.x as usize + from, area.y as usize, to - from, area.height as usize)
        }
    };
    parts.into_iter().map(part).map(|part| tightened(changed, part, axis)).collect()
}

/// Unchanged lines between two parts.
const SPLIT_GAP: usize = 2 * CELL;

fn rows_changed(changed: &Bitmap, area: Rect) -> Vec<bool> {
    let (from, to) = (area.x as usize, area.right() as usize);
    let is_changed = |y: u32| changed.count_in_row(y as usize, from, to) > 0;
    (area.y..area.bottom()).map(is_changed).collect()
}

fn columns_changed(changed: &Bitmap, area: Rect) -> Vec<bool> {
    let (first, last) = (area.x as usize / CELL, (area.right() as usize).div_ceil(CELL));
    let mut bytes = vec![0_u8; last - first];
    for y in area.y as usize..area.bottom() as usize {
        let row = changed.row(y).get(first..last).unwrap_or_default();
        bytes.iter_mut().zip(row).for_each(|(sum, byte)| *sum |= byte);
    }
    let is_changed = |x: u32| {
        let byte = bytes.get(x as usize / CELL - first).copied().unwrap_or(0);
        byte & (0x80 >> (x as usize % CELL)) != 0
    };
    (area.x..area.right()).map(is_changed).collect()
}

/// The part without unchanged lines across the axis.
fn tightened(changed: &Bitmap, part: Rect, axis: Axis) -> Rect {
    let lines = match axis {
        Axis::Rows => columns_changed(changed, part),
        Axis::Columns => rows_changed(changed, part),
    };
    let first = lines.iter().position(|changed| *changed).unwrap_or(0);
    let end = lines.iter().rposition(|changed| *changed).map_or(first, |last| last + 1);
    let (x, y) = (part.x as usize, part.y as usize);
    match axis {
        Axis::Rows => Rect::of(x + first, y, end - first, part.height as usize),
        Axis::Columns => Rect::of(x, y + first, part.width as usize, end - first),
    }
}

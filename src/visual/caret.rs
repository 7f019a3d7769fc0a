//! Text carets: the bar that blinks where somebody types.
//!
//! Captures of ours hide it; a picture that another program took may hold one in either phase.

use super::cluster::Cluster;
use super::oklab::{distance, lab};
use super::pair::Pair;
use super::raster::Raster;
use super::shape::Rect;

/// The sides of a caret in CSS pixels: one or two wide, as high as a line.
const WIDTH_MAX: usize = 2;
const HEIGHT: std::ops::RangeInclusive<usize> = 10..=40;

/// A caret has the colour of text.
const CONTRAST_MIN: f32 = 25.0;

/// One part in so many of it may already be covered by a letter beside it.
const COVERED_SHARE: u64 = 8;

/// True when all that a cluster shows is a caret that is on one side only.
pub(super) fn is_caret(cluster: &Cluster, pair: &Pair, scale: usize) -> bool {
    let area = cluster.area;
    let (width, height) = (area.width as usize, area.height as usize);
    let is_bar = (1..=WIDTH_MAX * scale).contains(&width)
        && (HEIGHT.start() * scale..=HEIGHT.end() * scale).contains(&height);
    let pixels = u64::from(area.width) * u64::from(area.height);
    let covered = pixels.saturating_sub(u64::from(cluster.sum.changed));
    is_bar
        && cluster.sum.shift == (0, 0)
        && covered * COVERED_SHARE <= pixels
        && (is_drawn(&pair.actual, &pair.baseline, area)
            || is_drawn(&pair.baseline, &pair.actual, area))
}

/// True when `here` has one colour all over the bar, and `there` none like it beside it.
fn is_drawn(here: &Raster, there: &Raster, area: Rect) -> bool {
    let (left, top) = (area.x.cast_signed() as isize, area.y.cast_signed() as isize);
    let (right, bottom) = (left + area.width as isize, top + area.height as isize);
    let ink = here.seen(left, top);
    let mut is_even = true;
    for y in top..bottom {
        is_even &= (left..right).all(|x| here.seen(x, y) == ink);
    }
    let ends = [(left, top - 1), (left, bottom)];
    let stands_free = ends.iter().all(|(x, y)| here.seen(*x, *y) != ink);
    let ground = there.seen(left, top);
    is_even && stands_free && distance(lab(ink), lab(ground)) >= CONTRAST_MIN
}

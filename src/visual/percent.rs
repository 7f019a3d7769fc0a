//! Counts pixels that visibly differ and are not anti-aliasing, as most tools do.
//!
//! Source: V. Vysniauskas, "Anti-aliased Pixel and Intensity Slope Detector" (2009), the rule of
//! pixelmatch and odiff. Differs: colours are compared on OKLab, not on YIQ.

use super::changed::Bitmap;
use super::comparison::{Comparison, Outcome, PageVerdict};
use super::error::PictureError;
use super::oklab::{distance, lab};
use super::options::CompareOptions;
use super::pair::Pair;
use super::raster::Raster;
use super::shape::{Mask, Rect};

/// Differences below this are not counted; a person just sees 2.
const DIFFERENCE_MIN: f32 = 2.0;

/// Compares two pictures by the share of pixels that differ.
pub(super) fn compare(
    mut pair: Pair,
    options: &CompareOptions,
) -> Result<Comparison, PictureError> {
    let mask = Mask::new(&options.ignore, &options.only);
    pair.settle_all()?;
    pair.paint(&mask)?;
    let mut result = Comparison::same(options.mode, pair.actual_size());
    result.baseline = pair.baseline_size();
    let common = pair.common();
    let beyond = beyond(&pair);
    result.compared_pixels = super::perceptual::compared(&pair, &mask) + beyond;
    result.differing_pixels = beyond;
    let mut bits = Bitmap::new(pair.actual.width, pair.actual.height);
    for y in 0..common.height as usize {
        for x in 0..common.width as usize {
            let (x, y) = (x.cast_signed(), y.cast_signed());
            let (old, new) = (pair.baseline.seen(x, y), pair.actual.seen(x, y));
            if old == new {
                continue;
            }
            result.differing_pixels += 1;
            let visible = distance(lab(old), lab(new)) >= DIFFERENCE_MIN;
            if visible && !is_smoothing(&pair, common, x, y) {
                bits.set(x.cast_unsigned(), y.cast_unsigned());
            }
        }
    }
    result.changed_pixels = bits.count() + beyond;
    result.percent = super::perceptual::percent(result.changed_pixels, result.compared_pixels);
    result.score = 1.0 - result.percent / 100.0;
    let failed = result.percent > options.max_diff.unwrap_or(0.0);
    (result.verdict, result.outcome) = match (result.differing_pixels, failed) {
        (0, _) => (PageVerdict::Same, Outcome::Passed),
        (_, false) => (PageVerdict::Noise, Outcome::Passed),
        (_, true) => (PageVerdict::Changed, Outcome::Failed),
    };
    result.mask = bits;
    Ok(result)
}

/// Pixels that only one side has.
fn beyond(pair: &Pair) -> u64 {
    let Rect { width, height, .. } = pair.common();
    let common = u64::from(width) * u64::from(height);
    (pair.baseline_size().pixels() - common).max(pair.actual_size().pixels() - common)
}

/// True when a pixel is the soft edge of a shape, on either side.
fn is_smoothing(pair: &Pair, common: Rect, x: isize, y: isize) -> bool {
    let (baseline, actual) = (&pair.baseline, &pair.actual);
    is_slope(baseline, actual, common, (x, y)) || is_slope(actual, baseline, common, (x, y))
}

/// True when a pixel lies between a darker and a brighter neighbour, and one of these two lies in
/// an even area on both sides.
fn is_slope(here: &Raster, there: &Raster, common: Rect, (x, y): (isize, isize)) -> bool {
    let [centre, ..] = lab(here.seen(x, y));
    let mut equal = usize::from(is_at_border(common, x, y));
    let (mut darkest, mut brightest) = ((0.0, (x, y)), (0.0, (x, y)));
    for (near_x, near_y) in neighbours(common, x, y) {
        let [lightness, ..] = lab(here.seen(near_x, near_y));
        let step = lightness - centre;
        if step.abs() < f32::EPSILON {
            equal += 1;
            if equal > EQUAL_MAX {
                return false;
            }
        } else if step < darkest.0 {
            darkest = (step, (near_x, near_y));
        } else if step > brightest.0 {
            brightest = (step, (near_x, near_y));
        }
    }
    let both_even = |at| is_even(here, common, at) && is_even(there, common, at);
    darkest.0 < 0.0 && brightest.0 > 0.0 && (both_even(darkest.1) || both_even(brightest.1))
}

/// A pixel with more equal neighbours than this is no slope.
const EQUAL_MAX: usize = 2;

/// True when at least three neighbours have the same colour.
fn is_even(raster: &Raster, common: Rect, (x, y): (isize, isize)) -> bool {
    let centre = raster.seen(x, y);
    let same = neighbours(common, x, y).filter(|(x, y)| raster.seen(*x, *y) == centre).count();
    same + usize::from(is_at_border(common, x, y)) > EQUAL_MAX
}

fn is_at_border(common: Rect, x: isize, y: isize) -> bool {
    let (right, bottom) = (common.width as usize - 1, common.height as usize - 1);
    x == 0 || y == 0 || x.cast_unsigned() == right || y.cast_unsigned() == bottom
}

/// The up to eight neighbours inside the common part.
fn neighbours(common: Rect, x: isize, y: isize) -> impl Iterator<Item = (isize, isize)> {
    let (width, height) = ((common.width as usize), (common.height as usize));
    (y - 1..=y + 1)
        .flat_map(move |near_y| (x - 1..=x + 1).map(move |near_x| (near_x, near_y)))
        .filter(move |at| *at != (x, y))
        .filter(move |(x, y)| *x >= 0 && *y >= 0)
        .filter(move |(x, y)| x.cast_unsigned() < width && y.cast_unsigned() < height)
}

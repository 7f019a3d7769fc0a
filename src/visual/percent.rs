//! Counts pixels that visibly differ and are not anti-aliasing, as most tools do.
//!
//! Source: V. Vysniauskas, "Anti-aliased Pixel and Intensity Slope Detector" (2009), the rule of
//! pixelmatch and odiff. Differs: colours are compared on OKLab, not on YIQ.

use xxhash_rust::xxh3::Xxh3;

use super::changed::Bitmap;
use super::comparison::{Comparison, Outcome, PageVerdict};
use super::error::PictureError;
use super::oklab::{distance, lab};
use super::options::CompareOptions;
use super::pair::Pair;
use super::raster::Raster;
use super::realign::{Axis, split};
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
    result.change_id = (result.verdict == PageVerdict::Changed).then(|| change_id(&pair, &bits));
    result.mask = bits;
    Ok(result)
}

/// Names the change that the marked pixels show, wherever on a page they lie: areas of cells that
/// touch, each by what it was and what it is, whatever their order.
fn change_id(pair: &Pair, marked: &Bitmap) -> String {
    let mut prints: Vec<u128> = areas(marked)
        .into_iter()
        .map(|area| {
            let mut hasher = Xxh3::new();
            pair.baseline.hash_into(area, &mut hasher);
            pair.actual.hash_into(area, &mut hasher);
            hasher.digest128()
        })
        .collect();
    prints.sort_unstable();
    prints.dedup();
    let mut all = Xxh3::new();
    for side in [pair.baseline_size(), pair.actual_size()] {
        // What only one side has belongs to the change too.
        if pair.baseline_size() != pair.actual_size() {
            all.update(&side.width.to_le_bytes());
            all.update(&side.height.to_le_bytes());
        }
    }
    prints.iter().for_each(|print| all.update(&print.to_le_bytes()));
    format!("{:032x}", all.digest128())
}

/// Boxes around marked pixels that are near each other, inside both pictures.
fn areas(marked: &Bitmap) -> Vec<Rect> {
    let mut pending = vec![Rect::of(0, 0, marked.width, marked.height)];
    let mut found = Vec::new();
    while let Some(area) = pending.pop() {
        let columns = split(marked, area, Axis::Columns);
        let parts: Vec<Rect> =
            columns.iter().flat_map(|part| split(marked, *part, Axis::Rows)).collect();
        match parts.as_slice() {
            [] => {}
            [one] => found.push(*one),
            many => pending.extend(many),
        }
    }
    found
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

#[cfg(test)]
mod tests {
    use crate::visual::encode::{Canvas, Filter, Pixels};
    use crate::visual::{CompareOptions, Mode, compare};

    /// A white page with a box at a place.
    fn page(place: Option<(usize, usize)>, ink: u8) -> Vec<u8> {
        let (width, height) = (200, 120);
        let mut pixels = vec![255; width * height * 3];
        for (x, y) in place.into_iter().flat_map(|(left, top)| {
            (top..top + 9).flat_map(move |y| (left..left + 20).map(move |x| (x, y)))
        }) {
            pixels[(y * width + x) * 3..][..3].fill(ink);
        }
        Canvas { width, height, pixels: Pixels::Rgb(pixels) }.png(Filter::None, 1)
    }

    #[test]
    fn the_same_change_elsewhere_has_the_same_name_in_percent_too() {
        let options = CompareOptions { mode: Mode::Percent, ..CompareOptions::default() };
        let id = |place, ink| {
            compare(&page(None, 0), &page(Some(place), ink), &options).unwrap().change_id
        };
        let one = id((30, 40), 0);
        assert!(one.is_some());
        assert_eq!(one, id((120, 81), 0));
        assert_ne!(one, id((30, 40), 90));
        assert_eq!(compare(&page(None, 0), &page(None, 0), &options).unwrap().change_id, None);
    }
}

//! Whole-picture scores: structural similarity, with or without the error of the colours.

use image::{GrayImage, RgbImage};

use super::comparison::{Comparison, Outcome, PageVerdict};
use super::error::{PictureError, PictureFault, Side};
use super::options::{CompareOptions, Mode};
use super::pair::Pair;
use super::raster::Raster;
use super::shape::Mask;

/// Percent by which a score may fall below 1 when nothing is said.
const MAX_DIFF: f64 = 1.0;

/// Compares two pictures by a score of their common part.
///
/// A part that only one side has scores nothing: the score is that of the common part, times its
/// share of the larger picture.
pub(super) fn compare(
    mut pair: Pair,
    options: &CompareOptions,
) -> Result<Comparison, PictureError> {
    let mask = Mask::new(&options.ignore, &options.only);
    pair.settle_all()?;
    pair.paint(&mask)?;
    let mut result = Comparison::same(options.mode, pair.actual_size());
    result.baseline = pair.baseline_size();
    result.compared_pixels = super::perceptual::compared(&pair, &mask);
    result.score =
        score(&pair, options.mode).map_err(|fault| PictureError { side: Side::Actual, fault })?;
    result.percent = (1.0 - result.score) * 100.0;
    let failed = result.percent > options.max_diff.unwrap_or(MAX_DIFF);
    (result.verdict, result.outcome) = match failed {
        true => (PageVerdict::Changed, Outcome::Failed),
        false if result.score >= 1.0 => (PageVerdict::Same, Outcome::Passed),
        false => (PageVerdict::Noise, Outcome::Passed),
    };
    Ok(result)
}

fn score(pair: &Pair, mode: Mode) -> Result<f64, PictureFault> {
    let common = pair.common();
    let crop = |raster: &Raster| {
        let rows = (0..common.height as usize)
            .flat_map(|y| raster.row(y).chunks_exact(raster.channels).take(common.width as usize));
        let packed: Vec<u8> = rows.flat_map(super::raster::seen).collect();
        RgbImage::from_raw(common.width, common.height, packed).unwrap_or_default()
    };
    let (baseline, actual) = (crop(&pair.baseline), crop(&pair.actual));
    let similarity = match mode {
        Mode::Hybrid => image_compare::rgb_hybrid_compare(&baseline, &actual),
        _ => image_compare::gray_similarity_structure(
            &image_compare::Algorithm::MSSIMSimple,
            &grey(&baseline),
            &grey(&actual),
        ),
    };
    let similarity = similarity.map_err(|_| {
        let [width, height] = [common.width, common.height].map(u64::from);
        PictureFault::Empty { width, height }
    })?;
    let whole = pair.baseline_size().pixels().max(pair.actual_size().pixels());
    let part = u64::from(common.width) * u64::from(common.height);
    Ok(similarity.score * super::perceptual::percent(part, whole) / 100.0)
}

fn grey(picture: &RgbImage) -> GrayImage {
    image::imageops::grayscale(picture)
}

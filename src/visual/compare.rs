//! The one entry: earliest exit first, then the mode that was asked for.

use super::comparison::{Comparison, Outcome, PageVerdict, Size};
use super::container::{PngContainer, is_png};
use super::error::{PictureError, PictureFault, Side};
use super::options::{CompareOptions, Mode, PixelHash};
use super::pair::Pair;
use super::percent;
use super::perceptual;
use super::raster::Raster;
use super::score;
use super::shape::Mask;

/// Compares two pictures (PNG, JPEG or WebP).
///
/// Order: equal bytes, equal stored rows, tolerated pixels, then areas by verdict or a score.
/// Errors: a picture that is damaged, animated or over the limits, with the side it is on.
pub fn compare(
    baseline: &[u8],
    actual: &[u8],
    options: &CompareOptions,
) -> Result<Comparison, PictureError> {
    if baseline == actual {
        let size = size_of(actual).map_err(Side::Actual.blame())?;
        return Ok(Comparison::same(options.mode, size));
    }
    let mut pair = Pair::open(baseline, actual)?;
    if !options.tolerated.is_empty() {
        let mask = Mask::new(&options.ignore, &options.only);
        let hash = pair.actual.pixel_hash(&mask).map_err(Side::Actual.blame())?.into();
        if options.tolerated.contains(&hash) {
            return Ok(tolerated(&pair, options.mode, hash));
        }
    }
    match options.mode {
        Mode::Perceptual => perceptual::compare(pair, options),
        Mode::Percent => percent::compare(pair, options),
        Mode::Ssim | Mode::Hybrid => score::compare(pair, options),
    }
}

/// A hash of what is seen of a picture, for [`CompareOptions::tolerated`] where nothing is masked.
pub fn pixel_hash(picture: &[u8]) -> Result<PixelHash, PictureFault> {
    looked_at_hash(picture, &CompareOptions::default())
}

/// A hash of what a comparison looks at: what masks hide changes nothing about it.
pub fn looked_at_hash(picture: &[u8], options: &CompareOptions) -> Result<PixelHash, PictureFault> {
    let mask = Mask::new(&options.ignore, &options.only);
    Ok(Raster::open(picture)?.pixel_hash(&mask)?.into())
}

/// The sides of a picture, with its container checked but no pixel decoded where it is a PNG.
pub fn size_of(picture: &[u8]) -> Result<Size, PictureFault> {
    let (width, height) = match is_png(picture) {
        true => PngContainer::open(picture).map(|png| (png.width, png.height))?,
        false => Raster::open(picture).map(|raster| (raster.width, raster.height))?,
    };
    let side = |length| u32::try_from(length).unwrap_or(u32::MAX);
    Ok(Size { width: side(width), height: side(height) })
}

fn tolerated(pair: &Pair, mode: Mode, hash: PixelHash) -> Comparison {
    Comparison {
        verdict: PageVerdict::Tolerated,
        outcome: Outcome::Passed,
        baseline: pair.baseline_size(),
        pixel_hash: Some(hash),
        ..Comparison::same(mode, pair.actual_size())
    }
}

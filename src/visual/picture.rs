//! Difference pictures: a small mask for a report to lay over, and one to look at.

use super::changed::{Bitmap, CELL};
use super::comparison::{Comparison, Region, RegionVerdict};
use super::encode::{Canvas, Filter, Pixels, QUICK};
use super::error::PictureFault;
use super::raster::Raster;
use super::shape::Rect;

/// What is counted as changed, laid over a picture.
const MARK: [u8; 3] = [255, 0, 96];

/// The frame around an area that moved.
const MOVED: [u8; 3] = [37, 99, 235];

/// The frame around an area that is noise.
const QUIET: [u8; 3] = [160, 160, 160];

/// Writes the changed pixels as a 1-bit PNG: marked ones opaque, the others transparent.
///
/// It is a few kilobytes and costs next to nothing, so that it can be kept with every failure.
pub fn mask_png(comparison: &Comparison) -> Vec<u8> {
    let mask = &comparison.mask;
    let [red, green, blue] = MARK;
    let palette = vec![[0, 0, 0, 0], [red, green, blue, u8::MAX]];
    let pixels = Pixels::Indexed { depth: 1, rows: mask.bytes().to_vec(), palette };
    Canvas { width: mask.width, height: mask.height, pixels }.png(Filter::None, QUICK)
}

/// Draws the actual picture faded to grey, with changed pixels and the frames of areas on top.
pub fn difference_png(actual: &[u8], comparison: &Comparison) -> Result<Vec<u8>, PictureFault> {
    let mut raster = Raster::open(actual)?;
    raster.settle_all()?;
    let (width, height) = (raster.width, raster.height);
    let mut sheet = Sheet { width, inks: faded(&raster, &comparison.mask) };
    for region in comparison.regions.iter().rev() {
        sheet.frame(region.area, Ink::of(region));
    }
    // One byte a pixel instead of three: writing the picture is most of the work.
    let greys = (u8::MAX - GREYS..u8::MAX).map(|grey| [grey, grey, grey]);
    let colours = greys.chain([MARK, MOVED, QUIET]);
    let palette = colours.map(|[red, green, blue]| [red, green, blue, u8::MAX]).collect();
    let pixels = Pixels::Indexed { depth: 8, rows: sheet.inks, palette };
    Ok(Canvas { width, height, pixels }.png(Filter::None, QUICK))
}

/// Shades of grey, the lightest of all, that a faded picture is drawn in.
const GREYS: u8 = 64;

/// What frames and marks are drawn in; places in the palette after the greys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Ink {
    Mark = GREYS,
    Moved,
    Quiet,
}

impl Ink {
    fn of(region: &Region) -> Self {
        match region.verdict {
            RegionVerdict::Noise => Self::Quiet,
            RegionVerdict::Moved { .. } => Self::Moved,
            _ if region.is_blank => Self::Moved,
            _ => Self::Mark,
        }
    }
}

fn faded(raster: &Raster, mask: &Bitmap) -> Vec<u8> {
    let mut inks = Vec::with_capacity(raster.width * raster.height);
    for y in 0..raster.height {
        let from = inks.len();
        let pixels = raster.row(y).chunks_exact(raster.channels);
        inks.extend(pixels.map(|pixel| faint(super::raster::seen(pixel))));
        let marked = mask.row(y).iter().enumerate().filter(|(_, byte)| **byte != 0);
        for x in marked.flat_map(|(cell, _)| cell * CELL..(cell + 1) * CELL) {
            if let (true, Some(ink)) = (mask.is_set(x, y), inks.get_mut(from + x)) {
                *ink = Ink::Mark as u8;
            }
        }
    }
    inks
}

/// The shade of grey for a colour.
fn faint(rgb: [u8; 3]) -> u8 {
    let [red, green, blue] = rgb.map(u32::from);
    let lightness = (red * 306 + green * 601 + blue * 117) / 1024;
    u8::try_from(lightness / 4).unwrap_or(GREYS).min(GREYS - 1)
}

struct Sheet {
    width: usize,
    inks: Vec<u8>,
}

impl Sheet {
    /// Draws a frame just outside an area.
    fn frame(&mut self, area: Rect, ink: Ink) {
        let (left, top) =
            ((area.x as usize).saturating_sub(2), (area.y as usize).saturating_sub(2));
        let (right, bottom) = (area.right() as usize + 1, area.bottom() as usize + 1);
        for x in left..=right {
            self.dot(x, top, ink);
            self.dot(x, bottom, ink);
        }
        for y in top..=bottom {
            self.dot(left, y, ink);
            self.dot(right, y, ink);
        }
    }

    fn dot(&mut self, x: usize, y: usize, ink: Ink) {
        if x < self.width
            && let Some(pixel) = self.inks.get_mut(y * self.width + x)
        {
            *pixel = ink as u8;
        }
    }
}

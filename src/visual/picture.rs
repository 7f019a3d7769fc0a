//! Difference pictures: a small mask for a report to lay over, and one to look at.

use super::changed::Bitmap;
use super::comparison::{Comparison, RegionVerdict};
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
    let mut sheet = Sheet { width, rgb: faded(&raster, &comparison.mask) };
    for region in comparison.regions.iter().rev() {
        let colour = match region.verdict {
            RegionVerdict::Noise => QUIET,
            RegionVerdict::Moved { .. } => MOVED,
            _ => MARK,
        };
        sheet.frame(region.area, colour);
    }
    let canvas = Canvas { width, height, pixels: Pixels::Rgb(sheet.rgb) };
    Ok(canvas.png(Filter::Up, QUICK))
}

fn faded(raster: &Raster, mask: &Bitmap) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(raster.width * raster.height * 3);
    for y in 0..raster.height {
        for (x, pixel) in raster.row(y).chunks_exact(raster.channels).enumerate() {
            if mask.is_set(x, y) {
                rgb.extend(MARK);
            } else {
                rgb.extend([faint_grey(super::raster::seen(pixel)); 3]);
            }
        }
    }
    rgb
}

/// The lightness of a colour, three quarters of the way to white.
fn faint_grey(rgb: [u8; 3]) -> u8 {
    let [red, green, blue] = rgb.map(u32::from);
    let grey = (red * 299 + green * 587 + blue * 114) / 1000;
    u8::try_from(191 + grey / 4).unwrap_or(u8::MAX)
}

struct Sheet {
    width: usize,
    rgb: Vec<u8>,
}

impl Sheet {
    /// Draws a frame just outside an area.
    fn frame(&mut self, area: Rect, colour: [u8; 3]) {
        let (left, top) =
            ((area.x as usize).saturating_sub(2), (area.y as usize).saturating_sub(2));
        let (right, bottom) = (area.right() as usize + 1, area.bottom() as usize + 1);
        for x in left..=right {
            self.dot(x, top, colour);
            self.dot(x, bottom, colour);
        }
        for y in top..=bottom {
            self.dot(left, y, colour);
            self.dot(right, y, colour);
        }
    }

    fn dot(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        if x < self.width
            && let Some(pixel) = self.rgb.as_chunks_mut::<3>().0.get_mut(y * self.width + x)
        {
            *pixel = colour;
        }
    }
}

//! Two decoded pictures side by side: which rows differ, and painting what is not looked at.

use super::comparison::Size;
use super::error::{PictureError, PictureFault, Side};
use super::raster::Raster;
use super::shape::{Mask, Rect};

/// Both pictures of a comparison, with the same number of channels.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) baseline: Raster,
    pub(super) actual: Raster,
}

impl Pair {
    pub(super) fn open(baseline: &[u8], actual: &[u8]) -> Result<Self, PictureError> {
        let (blame_baseline, blame_actual) = (Side::Baseline.blame(), Side::Actual.blame());
        let mut baseline = Raster::open(baseline).map_err(&blame_baseline)?;
        let mut actual = Raster::open(actual).map_err(&blame_actual)?;
        if baseline.channels != actual.channels {
            baseline = baseline.with_alpha().map_err(&blame_baseline)?;
            actual = actual.with_alpha().map_err(&blame_actual)?;
        }
        Ok(Self { baseline, actual })
    }

    pub(super) fn baseline_size(&self) -> Size {
        size(&self.baseline)
    }

    pub(super) fn actual_size(&self) -> Size {
        size(&self.actual)
    }

    /// The part that both pictures have.
    pub(super) fn common(&self) -> Rect {
        let width = self.baseline.width.min(self.actual.width);
        Rect::of(0, 0, width, self.baseline.height.min(self.actual.height))
    }

    /// Undoes the filters of one row on both sides.
    pub(super) fn settle(&mut self, y: usize) -> Result<(), PictureError> {
        settled(y, &mut self.baseline, Side::Baseline, Raster::settle)?;
        settled(y, &mut self.actual, Side::Actual, Raster::settle)
    }

    /// Undoes all filters on both sides.
    pub(super) fn settle_all(&mut self) -> Result<(), PictureError> {
        self.baseline.settle_all().map_err(Side::Baseline.blame())?;
        self.actual.settle_all().map_err(Side::Actual.blame())
    }

    /// The rows of two pictures of one width whose pixels differ; they are settled afterwards.
    ///
    /// A row whose stored bytes are equal, filter included, has equal pixels when the row above
    /// has: the pixels need not be known for that.
    pub(super) fn unequal_rows(&mut self) -> Result<Vec<usize>, PictureError> {
        let mut unequal = Vec::new();
        let mut above_is_equal = true;
        for y in 0..self.common().height as usize {
            if !(above_is_equal && self.baseline.stored(y) == self.actual.stored(y)) {
                self.settle(y)?;
                above_is_equal = self.baseline.row(y) == self.actual.row(y);
            }
            if !above_is_equal {
                unequal.push(y);
            }
        }
        Ok(unequal)
    }

    /// Paints what the mask hides in the same colour on both sides.
    pub(super) fn paint(&mut self, mask: &Mask<'_>) -> Result<(), PictureError> {
        if mask.is_empty() {
            return Ok(());
        }
        self.settle_all()?;
        for raster in [&mut self.baseline, &mut self.actual] {
            let channels = raster.channels;
            for y in 0..raster.height {
                for (from, to) in mask.hidden(y, raster.width) {
                    let row = raster.row_mut(y);
                    row.get_mut(from * channels..to * channels).unwrap_or_default().fill(u8::MAX);
                }
            }
        }
        Ok(())
    }
}

fn settled(
    y: usize,
    raster: &mut Raster,
    side: Side,
    settle: fn(&mut Raster, usize) -> Result<(), PictureFault>,
) -> Result<(), PictureError> {
    settle(raster, y).map_err(side.blame())
}

fn size(raster: &Raster) -> Size {
    let Rect { width, height, .. } = Rect::of(0, 0, raster.width, raster.height);
    Size { width, height }
}

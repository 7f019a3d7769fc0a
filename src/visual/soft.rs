//! What is soft: content that lies at most one CSS pixel from where it was.
//!
//! Main type: [`Softness`]. A picture says nothing about its scale, so that two pixels may be one
//! CSS pixel; where nobody says it either, it is read from the straight edges of the page.

use super::oklab::{Lab, difference, lab, length};
use super::options::CompareOptions;
use super::pair::Pair;
use super::raster::Raster;
use super::realign::{Band, Only};
use super::shape::Rect;

/// How far content may move and be called soft.
#[derive(Clone, Copy, Debug)]
pub(super) struct Softness {
    /// Pixels of one CSS pixel.
    pub(super) pixels: usize,
}

/// A fitted move up to this part of a pixel further is soft: rounding moves text that far.
const FIT_SLACK: f32 = 0.5;

impl Softness {
    /// As the options say.
    pub(super) fn told(options: &CompareOptions) -> Option<Self> {
        let pixels = (options.scale_percent? as usize).div_ceil(100);
        Some(Self { pixels: pixels.clamp(1, SCALE_MAX) })
    }

    /// As both pictures look. Their rows must be settled.
    pub(super) fn seen(pair: &Pair) -> Self {
        Self { pixels: scale_of(&pair.baseline).min(scale_of(&pair.actual)) }
    }

    /// True for whole pixels within one CSS pixel.
    pub(super) fn holds(&self, (dx, dy): (isize, isize)) -> bool {
        dx.unsigned_abs().max(dy.unsigned_abs()) <= self.pixels
    }

    /// True for a fitted move within one CSS pixel.
    #[expect(clippy::cast_precision_loss, reason = "a scale is at most 4")]
    pub(super) fn holds_fit(&self, (dx, dy): (f32, f32)) -> bool {
        dx.abs().max(dy.abs()) <= self.pixels as f32 + FIT_SLACK
    }

    /// True for lines that came or went at the edge of something that moved by so little: all that
    /// they show lies just beside them on the other side.
    pub(super) fn holds_band(&self, pair: &Pair, band: &Band) -> bool {
        let (part, place, here, there) = match band.side {
            Only::Actual => (band.actual, band.baseline, &pair.actual, &pair.baseline),
            Only::Baseline => (band.baseline, band.actual, &pair.baseline, &pair.actual),
        };
        if part.width.min(part.height) as usize > self.pixels {
            return false;
        }
        let shift = (offset(place.x, part.x), offset(place.y, part.y));
        let mut foreign = 0;
        for (x, y) in places(part) {
            let seen = lab(here.seen(x, y));
            let nearby = Nearby::of(there, (x + shift.0, y + shift.1), self.pixels.cast_signed());
            foreign += u32::from(nearby.excludes(seen));
            if foreign > FOREIGN_MAX {
                return false;
            }
        }
        true
    }
}

/// Pixels of a band that may show something new, as corners of letters do.
const FOREIGN_MAX: u32 = 2;

/// A larger scale than any screen has.
pub(super) const SCALE_MAX: usize = 4;

fn offset(to: u32, from: u32) -> isize {
    to.cast_signed() as isize - from.cast_signed() as isize
}

fn places(part: Rect) -> impl Iterator<Item = (isize, isize)> {
    let (left, right) = (part.x.cast_signed() as isize, part.right().cast_signed() as isize);
    let (top, bottom) = (part.y.cast_signed() as isize, part.bottom().cast_signed() as isize);
    (top..bottom).flat_map(move |y| (left..right).map(move |x| (x, y)))
}

/// The least and the largest of the colours around a place, and at it.
struct Nearby {
    low: Lab,
    high: Lab,
}

impl Nearby {
    fn of(raster: &Raster, (x, y): (isize, isize), radius: isize) -> Self {
        let first = lab(raster.seen(x, y));
        let mut nearby = Self { low: first, high: first };
        for near_y in y - radius..=y + radius {
            for near_x in x - radius..=x + radius {
                let colour = lab(raster.seen(near_x, near_y));
                for ((low, high), value) in nearby.low.iter_mut().zip(&mut nearby.high).zip(colour)
                {
                    *low = low.min(value);
                    *high = high.max(value);
                }
            }
        }
        nearby
    }

    /// True when a colour lies clearly outside, by the contrast that is there.
    fn excludes(&self, colour: Lab) -> bool {
        let outside = |(value, (low, high)): (f32, (f32, f32))| (value - high).max(low - value);
        let bounds = self.low.into_iter().zip(self.high);
        let excess = colour.into_iter().zip(bounds).map(|axis| outside(axis).max(0.0).powi(2));
        let excess = excess.sum::<f32>().sqrt();
        excess > EXCESS_MIN && excess > EXCESS_SHARE * length(difference(self.low, self.high))
    }
}

/// What lies outside by less than this, or by a smaller share of the contrast, is rounding.
const EXCESS_MIN: f32 = 3.0;
const EXCESS_SHARE: f32 = 0.4;

/// Pixels of one CSS pixel, as far as the page's own lines tell.
///
/// At a scale of two nearly every straight edge lies on an even row, or, where lines are drawn
/// between rows as in charts, nearly every thin line is still an even number of rows thick.
fn scale_of(raster: &Raster) -> usize {
    let edges = Edges::of(raster);
    SCALES_SOUGHT.into_iter().find(|scale| edges.fit(*scale)).unwrap_or(1)
}

const SCALES_SOUGHT: [usize; 2] = [3, 2];

/// Where straight edges of a page lie, and how thick its thin lines are, in rows.
#[derive(Debug, Default)]
struct Edges {
    places: Vec<usize>,
    thin: Vec<usize>,
}

/// Rows with an edge, and thin lines, from which they say something.
const PLACES_MIN: usize = 12;
const THIN_MIN: usize = 8;

/// Percent of the edges that must lie on the grid; pictures and fractions lie anywhere.
const ON_GRID_PERCENT: usize = 92;

/// Percent of the thin lines that must be as thick as the grid is.
const THICK_PERCENT: usize = 75;

/// Percent of the edges that lie on the grid where the thickness of lines decides.
const MOST_PERCENT: usize = 60;

/// A line of more rows is an area.
const THIN_MAX: usize = 6;

impl Edges {
    fn of(raster: &Raster) -> Self {
        let mut edges = Self::default();
        let step = raster.channels * STRETCH;
        let mut last = vec![0; raster.width / STRETCH];
        let is_even = |stretch: &[u8]| {
            stretch
                .iter()
                .zip(stretch.iter().skip(raster.channels))
                .all(|(left, right)| left == right)
        };
        for y in 1..raster.height {
            let (above, here) = (raster.row(y - 1), raster.row(y));
            if above == here {
                continue;
            }
            let stretches = above.chunks_exact(step).zip(here.chunks_exact(step));
            let mut thickness = None;
            let mut is_edge = false;
            for ((above, here), last) in stretches.zip(&mut last) {
                if above != here && is_even(above) && is_even(here) {
                    thickness = thickness.or(Some(y - *last));
                    is_edge = true;
                    *last = y;
                }
            }
            edges.places.extend(is_edge.then_some(y));
            edges.thin.extend(thickness.filter(|rows| *rows <= THIN_MAX));
        }
        edges
    }

    fn fit(&self, scale: usize) -> bool {
        let share = |rows: &[usize]| {
            let fitting = rows.iter().filter(|rows| rows.is_multiple_of(scale)).count();
            fitting * 100 / rows.len().max(1)
        };
        let (places, thin) = (share(&self.places), share(&self.thin));
        let by_place = self.places.len() >= PLACES_MIN && places >= ON_GRID_PERCENT;
        let by_lines = self.thin.len() >= THIN_MIN && thin >= THICK_PERCENT;
        by_place || by_lines && places >= MOST_PERCENT
    }
}

/// Pixels of a straight stretch.
const STRETCH: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::visual::encode::{Canvas, Filter, Pixels};

    /// A page of boxes with borders, whose lines are `scale` pixels wide.
    fn page(scale: usize) -> Raster {
        let (width, height) = (120, 60 * scale);
        let row = |y: usize| match (y / scale) % 7 {
            0 => [90; 3],
            1..=3 => [230; 3],
            _ => [255; 3],
        };
        let pixels = (0..height).flat_map(|y| row(y).repeat(width)).collect();
        let png = Canvas { width, height, pixels: Pixels::Rgb(pixels) }.png(Filter::None, 1);
        let mut raster = Raster::open(&png).unwrap();
        raster.settle_all().unwrap();
        raster
    }

    #[test]
    fn the_scale_of_a_page_is_read_from_its_edges() {
        assert_eq!([1, 2, 3].map(|scale| scale_of(&page(scale))), [1, 2, 3]);
    }

    #[test]
    fn a_line_that_lies_beside_itself_is_soft_and_a_new_one_is_not() {
        let raster = page(1);
        let pair = Pair { baseline: page(1), actual: raster };
        let band = |from: u32, to: u32| Band {
            side: Only::Actual,
            actual: Rect { x: 0, y: to, width: 120, height: 1 },
            baseline: Rect { x: 0, y: from, width: 120, height: 0 },
            shows_something: true,
        };
        let softness = Softness { pixels: 1 };
        assert!(softness.holds_band(&pair, &band(8, 7)), "a dark line next to where one is");
        assert!(!softness.holds_band(&pair, &band(10, 7)), "a dark line where none is");
        assert!(softness.holds((1, -1)) && !softness.holds((2, 0)));
    }
}

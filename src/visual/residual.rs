//! What is left of a cluster's differences when its content is moved back by a part of a pixel.

use super::changed::CELL;
use super::cluster::Cluster;
use super::evidence::{Evidence, Move};
use super::oklab::{Lab, difference, lab, length};
use super::pair::Pair;
use super::raster::Raster;

/// Differences that a small move leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Residual {
    /// Pixels that differ by a large part of the contrast around them, even so.
    pub(super) strong: u32,
    /// Largest difference as a share of the contrast around it.
    pub(super) peak: f32,
}

/// Moves each side half of the way towards the other, so that both are blurred alike, and
/// measures what still differs.
pub(super) fn residual(pair: &Pair, cluster: &Cluster, evidence: &Evidence, by: Move) -> Residual {
    let mut found = Residual::default();
    let half = (by.dx / 2.0, by.dy / 2.0);
    for (column, row) in &cluster.cells {
        let shift = evidence.cell(*column, *row).map_or((0, 0), |cell| cell.shift);
        let at = (column * CELL, row * CELL);
        let back = Block::load(&pair.baseline, at, shift, (-half.0, -half.1));
        let forth = Block::load(&pair.actual, at, (0, 0), half);
        for place in 0..CELL * CELL {
            let (x, y) = (place % CELL + 1, place / CELL + 1);
            let left = length(difference(back.at(x, y), forth.at(x, y)));
            if left > PEAK_MIN {
                let contrast = back.contrast(x, y).max(forth.contrast(x, y)).max(CONTRAST_MIN);
                found.peak = found.peak.max(left / contrast);
                found.strong += u32::from(left > STRONG_SHARE * contrast);
            }
        }
    }
    found
}

/// Smaller differences are not worth the division.
const PEAK_MIN: f32 = 4.0;

/// Contrast below this is taken for this.
const CONTRAST_MIN: f32 = 18.0;

/// A pixel differs strongly from this share of the contrast around it; rounding to pixels leaves
/// up to 0.7 on thin stems, another letter at least 0.95.
const STRONG_SHARE: f32 = 0.75;

/// Colours of one cell and one pixel around it, sampled between pixels.
struct Block {
    colours: [[Lab; SIDE]; SIDE],
}

const SIDE: usize = CELL + 2;

impl Block {
    /// Samples `raster` at whole positions minus `shift` plus `offset`.
    fn load(
        raster: &Raster,
        at: (usize, usize),
        shift: (isize, isize),
        offset: (f32, f32),
    ) -> Self {
        let (whole_x, part_x) = split(offset.0);
        let (whole_y, part_y) = split(offset.1);
        let left = at.0.cast_signed() - shift.0 + whole_x - 1;
        let top = at.1.cast_signed() - shift.1 + whole_y - 1;
        let mut exact = [[[0.0; 3]; SIDE + 1]; SIDE + 1];
        for (row, y) in exact.iter_mut().zip(top..) {
            for (colour, x) in row.iter_mut().zip(left..) {
                *colour = lab(raster.seen(x, y));
            }
        }
        let mut colours = [[[0.0; 3]; SIDE]; SIDE];
        for (out, pair) in colours.iter_mut().zip(exact.windows(2)) {
            let [above, below] = pair else { continue };
            for (out, (above, below)) in out.iter_mut().zip(above.windows(2).zip(below.windows(2)))
            {
                let ([a, b], [c, d]) = (above, below) else { continue };
                *out = mix(mix(*a, *b, part_x), mix(*c, *d, part_x), part_y);
            }
        }
        Self { colours }
    }

    fn at(&self, x: usize, y: usize) -> Lab {
        self.colours.get(y).and_then(|row| row.get(x)).copied().unwrap_or_default()
    }

    fn contrast(&self, x: usize, y: usize) -> f32 {
        let (mut low, mut high) = (self.at(x, y), self.at(x, y));
        for near_y in y - 1..=y + 1 {
            for near_x in x - 1..=x + 1 {
                for ((low, high), value) in
                    low.iter_mut().zip(&mut high).zip(self.at(near_x, near_y))
                {
                    *low = low.min(value);
                    *high = high.max(value);
                }
            }
        }
        length(difference(low, high))
    }
}

/// A distance as whole pixels and the part that is left.
#[expect(clippy::cast_possible_truncation, reason = "moves are of a few pixels")]
fn split(distance: f32) -> (isize, f32) {
    (distance.floor() as isize, distance - distance.floor())
}

fn mix(a: Lab, b: Lab, share: f32) -> Lab {
    let ([a0, a1, a2], [b0, b1, b2]) = (a, b);
    let mix = |a: f32, b: f32| a + (b - a) * share;
    [mix(a0, b0), mix(a1, b1), mix(a2, b2)]
}

//! The verdict of a cluster: the only place that knows where noise ends.
//!
//! The numbers were set on `scripts/labelled_pairs.py --set tune` and are to be judged on pages
//! that they were not set on.

use super::cluster::Cluster;
use super::comparison::RegionVerdict;
use super::evidence::{Cell, Evidence, Move};
use super::options::Sensitivity;
use super::pair::Pair;
use super::residual::residual;

/// Where noise ends.
#[derive(Clone, Copy, Debug)]
struct Thresholds {
    /// Mean difference from which an even change of colour is seen: three levels of grey.
    tint: f32,
    /// Largest difference from which a shape that no move explains is seen, if not by contrast.
    shape: f32,
}

impl Thresholds {
    fn of(sensitivity: Sensitivity) -> Self {
        match sensitivity {
            Sensitivity::Strict => Self { tint: 0.45, shape: 6.0 },
            Sensitivity::Normal | Sensitivity::Layout => Self { tint: 0.72, shape: f32::INFINITY },
        }
    }
}

/// Share of the differences that a move must explain to be considered.
const MOVE_EXPLAINS_MIN: f32 = 0.35;

/// Share from which a move explains even differences that all point one way, as along one edge.
const MOVE_IS_LIKELY: f32 = 0.5;

/// Longest move that the linear fit can tell.
const MOVE_MAX: f32 = 3.0;

/// Moves shorter than this are how text and curves are rounded to pixels.
const MOVE_IS_NOISE: f32 = 0.6;

/// A cluster whose differences all point one way by this much has a new colour.
const COHERENT: f32 = 0.85;

/// Pixels that must have a new colour.
const NEW_COLOUR_PIXELS_MIN: u32 = 12;

/// Mean excess from which a colour is new: along an edge drawn otherwise it is near by.
const NEW_COLOUR_EXCESS_MIN: f32 = 0.3;

/// Cells with an even new colour that must be in a cluster of several colours.
const EVEN_CELLS_MIN: usize = 3;

/// One in so many cells of the cluster must be such.
const EVEN_CELLS_SHARE: usize = 10;

/// Pixels of a cell that must be changed to call it even.
const EVEN_PIXELS_MIN: u32 = 48;

/// Coherence of a cell that is even.
const EVEN: f32 = 0.95;

/// Pixels, mean excess and largest difference that make a change of several colours at once, such
/// as another opacity; edges drawn otherwise stay near to what was there.
const MIXED: (u32, f32, f32) = (24, 1.6, 2.5);

/// A move that explains less than this is none.
const STILL: f32 = 0.1;

/// Differences of a move cancel; those of several colours do not quite.
const MIXED_COHERENCE: f32 = 0.25;

/// Fewer strong differences than this must be of nearly black on nearly white.
const STRONG_MIN: u32 = 4;

/// What those few must differ by.
const STARK: f32 = 24.0;

/// Foreign pixels that make a faint shape.
const FOREIGN_MIN: u32 = 3;

/// Decides what happened in a cluster.
pub(super) fn judge(
    cluster: &Cluster,
    evidence: &Evidence,
    pair: &Pair,
    sensitivity: Sensitivity,
) -> RegionVerdict {
    let thresholds = Thresholds::of(sensitivity);
    let sum = &cluster.sum;
    let fit = sum.motion.fit();
    let recoloured = is_recoloured(sum, thresholds) && fit.explained < MOVE_IS_LIKELY;
    if recoloured || has_even_cells(cluster, evidence, thresholds) {
        return if sum.strong > 0 && sum.coherence() < COHERENT {
            RegionVerdict::Content
        } else {
            RegionVerdict::Colour
        };
    }
    if is_considered(fit) {
        return match residual(pair, cluster, evidence, fit).strong {
            0 if sum.strong == 0 => RegionVerdict::Noise,
            0 => moved(fit),
            _ => RegionVerdict::Content,
        };
    }
    if is_redrawn(sum) {
        return RegionVerdict::Noise;
    }
    let faint_shape = is_faint_shape(sum);
    let is_strong = sum.strong >= STRONG_MIN || sum.strong > 0 && sum.distance_max >= STARK;
    if is_strong && sum.strong >= WARPED_MIN && sum.foreign * WARPED_RATIO < sum.strong {
        RegionVerdict::Warped
    } else if is_strong || faint_shape || sum.distance_max >= thresholds.shape {
        RegionVerdict::Content
    } else if is_mixed(sum, fit) {
        RegionVerdict::Colour
    } else {
        RegionVerdict::Noise
    }
}

/// True when all that was drawn is still there, a pixel beside itself at most, as much to one side
/// as to the other: thin slanted lines of another rasteriser.
fn is_redrawn(sum: &Cell) -> bool {
    stays_near(sum) && sum.coherence() < CANCELS
}

/// True when no pixel shows what is not next to it on the other side.
pub(super) fn stays_near(sum: &Cell) -> bool {
    sum.foreign == 0 && sum.excess <= EXCESS_OF_ROUNDING * sum.visible as f32
}

/// Coherence below which differences cancel.
const CANCELS: f32 = 0.1;

/// Mean excess that rounding leaves.
const EXCESS_OF_ROUNDING: f32 = 0.02;

/// True when pixels show what is not near them on the other side: most of them, or, as at the
/// corners of a faint frame, a good part of a change that is all new.
fn is_faint_shape(sum: &Cell) -> bool {
    let (pixels, excess) = FAINT_CORNER;
    let is_corner = sum.foreign >= pixels && sum.excess >= excess * sum.visible as f32;
    sum.foreign >= FOREIGN_MIN && sum.foreign * 2 > sum.visible || is_corner
}

/// Foreign pixels and mean excess of a faint shape whose edges are the rest of it.
const FAINT_CORNER: (u32, f32) = (5, 1.5);

/// True when colours changed in several directions, and nothing moved at all.
fn is_mixed(sum: &Cell, fit: Move) -> bool {
    let (pixels, excess, difference) = MIXED;
    fit.explained < STILL
        && sum.coherence() >= MIXED_COHERENCE
        && sum.visible >= pixels
        && sum.excess >= excess * sum.visible as f32
        && sum.distance_max >= difference
}

/// Fewer strong differences than this are one letter, not a way of drawing.
const WARPED_MIN: u32 = 60;

/// Strong differences per foreign pixel from which shapes were redrawn, not replaced.
const WARPED_RATIO: u32 = 20;

fn is_considered(fit: Move) -> bool {
    fit.explained >= MOVE_EXPLAINS_MIN && fit.dx.abs().max(fit.dy.abs()) <= MOVE_MAX
}

fn moved(fit: Move) -> RegionVerdict {
    if fit.dx.abs().max(fit.dy.abs()) <= MOVE_IS_NOISE {
        return RegionVerdict::Noise;
    }
    let tenth = |distance: f32| (distance * 10.0).round() / 10.0;
    RegionVerdict::Moved { dx: tenth(fit.dx), dy: tenth(fit.dy) }
}

fn is_recoloured(sum: &Cell, thresholds: Thresholds) -> bool {
    let is_new = sum.excess >= NEW_COLOUR_EXCESS_MIN * sum.visible as f32;
    is_new
        && sum.coherence() >= COHERENT
        && sum.mean() >= thresholds.tint
        && sum.changed >= NEW_COLOUR_PIXELS_MIN
}

fn has_even_cells(cluster: &Cluster, evidence: &Evidence, thresholds: Thresholds) -> bool {
    let is_even = |cell: &&Cell| {
        cell.changed >= EVEN_PIXELS_MIN
            && cell.coherence() >= EVEN
            && cell.mean() >= thresholds.tint
    };
    let cells = cluster.cells.iter().filter_map(|(x, y)| evidence.cell(*x, *y));
    cells.filter(is_even).count() >= EVEN_CELLS_MIN.max(cluster.cells.len() / EVEN_CELLS_SHARE)
}

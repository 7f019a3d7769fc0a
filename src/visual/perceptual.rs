//! The perceptual comparison: rows, moves, evidence, clusters, verdicts.

use std::collections::BTreeSet;

use xxhash_rust::xxh3::Xxh3;

use super::caret::is_caret;
use super::changed::{Bitmap, CELL};
use super::cluster::{Cluster, clusters};
use super::comparison::{Comparison, PageVerdict, Region, RegionVerdict};
use super::error::PictureError;
use super::evidence::Evidence;
use super::judge::{judge, stays_near};
use super::options::{CompareOptions, Sensitivity};
use super::pair::Pair;
use super::patch::Patch;
use super::realign::{Alignment, Axis, Band, Only, align_rects, split};
use super::shape::{Mask, Rect};
use super::soft::{SCALE_MAX, Softness};

/// A page is aligned as a whole when at least one of so many rows differs, or its size does.
const WHOLE_PAGE_SHARE: usize = 4;

/// Parts with no longer side than this are left to the motion fit.
const PART_MIN: u32 = 12;

/// Carets of one page: it has one focus, which may have moved.
const CARETS_MAX: usize = 2;

/// How often a part is cut further to find what moved in it.
const CUTS_MAX: usize = 3;

/// Compares two pictures area by area.
pub(super) fn compare(pair: Pair, options: &CompareOptions) -> Result<Comparison, PictureError> {
    let mut work = Work::new(pair);
    let mask = Mask::new(&options.ignore, &options.only);
    work.pair.paint(&mask)?;
    let unequal = work.mark()?;
    let sizes_differ = work.pair.baseline_size() != work.pair.actual_size();
    let mut result = Comparison::same(options.mode, work.pair.actual_size());
    result.baseline = work.pair.baseline_size();
    result.compared_pixels = compared(&work.pair, &mask);
    result.differing_pixels = work.differing_pixels();
    if result.differing_pixels == 0 {
        return Ok(result);
    }
    if sizes_differ || unequal.len() * WHOLE_PAGE_SHARE >= work.pair.actual.height {
        work.pair.settle_all()?;
        work.align_page();
        work.is_aligned = true;
    }
    work.explain_moves()?;
    work.weigh();
    work.conclude(options, &mut result)?;
    Ok(result)
}

/// How many pixels are looked at.
pub(super) fn compared(pair: &Pair, mask: &Mask<'_>) -> u64 {
    let size = pair.actual_size();
    if mask.is_empty() {
        return size.pixels();
    }
    let hidden = |y| mask.hidden(y, pair.actual.width).iter().map(|(from, to)| to - from).sum();
    let hidden: usize = (0..pair.actual.height).map(|y| -> usize { hidden(y) }).sum();
    size.pixels() - hidden as u64
}

/// What is known while a comparison runs.
struct Work {
    pair: Pair,
    changed: Bitmap,
    /// Parts whose differing pixels are marked and still to be weighed.
    patches: Vec<Patch>,
    bands: Vec<Band>,
    moved: Vec<Patch>,
    evidence: Evidence,
    /// The page was aligned as a whole, or could not be.
    is_aligned: bool,
}

impl Work {
    fn new(pair: Pair) -> Self {
        let (width, height) = (pair.actual.width, pair.actual.height);
        Self {
            patches: vec![Patch::unmoved(pair.common())],
            changed: Bitmap::new(width, height),
            evidence: Evidence::new(width, height),
            bands: Vec::new(),
            moved: Vec::new(),
            is_aligned: false,
            pair,
        }
    }

    /// Marks the pixels that differ in place; returns the rows that have some.
    fn mark(&mut self) -> Result<Vec<usize>, PictureError> {
        let whole = Patch::unmoved(self.pair.common());
        let unequal = if self.pair.baseline.width == self.pair.actual.width {
            self.pair.unequal_rows()?
        } else {
            self.pair.settle_all()?;
            (0..whole.height).collect()
        };
        for y in &unequal {
            whole.mark_row(&self.pair, *y, &mut self.changed);
        }
        // Neighbours of changed pixels are looked at too.
        let mut settled = 0;
        for y in &unequal {
            let first = (y / CELL * CELL).saturating_sub(1).max(settled);
            let end = ((y / CELL + 1) * CELL + 1).min(whole.height);
            for near in first..end {
                self.pair.settle(near)?;
            }
            settled = settled.max(end);
        }
        Ok(unequal)
    }

    /// Pixels that are not identical in place; what only one side has differs.
    fn differing_pixels(&self) -> u64 {
        let common = self.pair.common();
        let common = u64::from(common.width) * u64::from(common.height);
        let extra = |size: super::Size| size.pixels() - common;
        let sizes = (self.pair.baseline_size(), self.pair.actual_size());
        self.changed.count() + extra(sizes.0).max(extra(sizes.1))
    }

    /// Aligns the page as a whole; where that explains nothing, what is outside the common part
    /// was inserted or removed at the ends.
    fn align_page(&mut self) {
        let whole = |size: super::Size| Rect { x: 0, y: 0, width: size.width, height: size.height };
        let baseline = whole(self.pair.baseline_size());
        let actual = whole(self.pair.actual_size());
        let common = self.pair.common();
        let cut = |rect: Rect| Rect { width: common.width, ..rect };
        let before = self.differing_pixels();
        let mut bands = Vec::new();
        ends(baseline.width, actual.width, &mut bands, |from, width| Rect {
            x: from,
            width,
            ..if actual.width > baseline.width { actual } else { baseline }
        });
        let found = align_rects(&self.pair, (cut(baseline), cut(actual)), Axis::Rows, before);
        if let Some(found) = found {
            self.bands.extend(bands);
            self.changed = Bitmap::new(self.changed.width, self.changed.height);
            self.patches.clear();
            self.accept(found);
            return;
        }
        let cut = |rect: Rect| Rect { height: common.height, ..rect };
        let mut below = Vec::new();
        ends(baseline.height, actual.height, &mut below, |from, height| Rect {
            y: from,
            height,
            ..if actual.height > baseline.height { actual } else { baseline }
        });
        let found = align_rects(&self.pair, (cut(baseline), cut(actual)), Axis::Columns, before);
        self.bands.extend(below);
        match found {
            Some(found) => {
                self.changed = Bitmap::new(self.changed.width, self.changed.height);
                self.patches.clear();
                self.accept(found);
            }
            None => self.bands.extend(bands),
        }
    }

    fn accept(&mut self, found: Alignment) {
        for patch in &found.patches {
            for y in patch.y..patch.bottom() {
                patch.mark_row(&self.pair, y, &mut self.changed);
            }
        }
        self.patches.extend(found.patches);
        self.bands.extend(found.bands);
        self.moved.extend(found.moved);
    }

    /// Takes out of each patch what only moved, and leaves what must be weighed.
    fn explain_moves(&mut self) -> Result<(), PictureError> {
        let mut pending: Vec<(Patch, usize)> =
            std::mem::take(&mut self.patches).into_iter().map(|patch| (patch, 0)).collect();
        while let Some((patch, cuts)) = pending.pop() {
            let mut parts = vec![patch.area()];
            let mut tried = BTreeSet::new();
            let mut explained = Vec::new();
            for axis in [Axis::Columns, Axis::Rows, Axis::Columns].into_iter().take(CUTS_MAX) {
                let mut rest = Vec::new();
                parts = parts.iter().flat_map(|part| split(&self.changed, *part, axis)).collect();
                for part in parts {
                    let is_new = tried.insert((part.x, part.y, part.width, part.height));
                    match if is_new { self.explain(&patch, part)? } else { None } {
                        Some(found) => explained.push((part, found)),
                        None => rest.push(part),
                    }
                }
                parts = rest;
            }
            for (part, _) in &explained {
                self.changed.clear(*part);
            }
            // ORDER: the patch is weighed before its explained parts are marked anew, because
            // those lie in it and pair up with other places of the baseline.
            self.evidence.weigh(&self.pair, &patch, &self.changed);
            for (_, found) in explained {
                let inner = found.patches.clone();
                self.accept(Alignment { patches: Vec::new(), ..found });
                for patch in inner {
                    for y in patch.y..patch.bottom() {
                        patch.mark_row(&self.pair, y, &mut self.changed);
                    }
                    if cuts < CUTS_MAX {
                        pending.push((patch, cuts + 1));
                    } else {
                        self.patches.push(patch);
                    }
                }
            }
        }
        Ok(())
    }

    /// Tries to explain one part of a patch by moves, down or up first, then sideways.
    fn explain(&mut self, patch: &Patch, part: Rect) -> Result<Option<Alignment>, PictureError> {
        let mut pixels = 0;
        for y in part.y as usize..part.bottom() as usize {
            let counted = self.changed.count_in_row(y, part.x as usize, part.right() as usize);
            pixels += counted as u64;
        }
        let size = |rect: Rect| u64::from(rect.width) * u64::from(rect.height);
        // What is nearly the whole page was tried as the whole page.
        let was_tried = self.is_aligned && size(part) * 5 > size(self.pair.common()) * 4;
        if pixels == 0 || was_tried || part.height.max(part.width) < PART_MIN {
            return Ok(None);
        }
        for axis in [Axis::Rows, Axis::Columns] {
            let (baseline, actual) = with_context(patch, part, axis);
            for y in actual.y.min(baseline.y)..actual.bottom().max(baseline.bottom()) {
                self.pair.settle(y as usize)?;
            }
            if let Some(found) = align_rects(&self.pair, (baseline, actual), axis, pixels) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn weigh(&mut self) {
        for patch in &self.patches {
            self.evidence.weigh(&self.pair, patch, &self.changed);
        }
    }

    /// Judges what was found.
    fn conclude(
        &mut self,
        options: &CompareOptions,
        result: &mut Comparison,
    ) -> Result<(), PictureError> {
        let clusters = clusters(&self.evidence, &self.changed);
        let mut mask = Bitmap::new(self.changed.width, self.changed.height);
        let softness = self.softness(&clusters, options)?;
        let mut carets = 0;
        for cluster in &clusters {
            let mut verdict = judge(cluster, &self.evidence, &self.pair, options.sensitivity);
            if self.is_caret(cluster, verdict, softness, options) && carets < CARETS_MAX {
                carets += 1;
                verdict = RegionVerdict::Noise;
            }
            if let Some(moved) = self.rest_of_move(cluster, verdict, softness) {
                verdict = moved;
            }
            if verdict != RegionVerdict::Noise {
                copy_cells(cluster, &self.changed, &mut mask);
            }
            result.regions.push(region(cluster, verdict));
        }
        for band in &self.bands {
            if band.shows_something {
                mask.fill(band.actual);
            }
            result.regions.push(band_region(band));
        }
        result.regions.extend(self.moved.iter().map(moved_region));
        result.regions.sort_by_key(|region| std::cmp::Reverse(weight(region)));
        result.verdict = self.page_verdict(&result.regions, softness);
        result.changed_pixels = mask.count();
        result.percent = percent(result.changed_pixels, result.compared_pixels);
        result.score = 1.0 - result.percent / 100.0;
        result.change_id = change_id(&self.pair, &result.regions);
        result.decide(options);
        result.mask = mask;
        Ok(())
    }

    /// How far things may move; thin lines that came and went with such a move show nothing new.
    fn softness(
        &mut self,
        clusters: &[Cluster],
        options: &CompareOptions,
    ) -> Result<Softness, PictureError> {
        let softness = match Softness::told(options) {
            Some(softness) => softness,
            None if self.depends_on_scale(clusters) => {
                self.pair.settle_all()?;
                Softness::seen(&self.pair)
            }
            None => Softness { pixels: 1 },
        };
        let only_soft = |patch: &Patch| softness.holds((patch.dx(), patch.dy()));
        if self.moved.iter().any(only_soft) {
            for band in self.bands.iter_mut().filter(|band| band.shows_something) {
                band.shows_something = !softness.holds_band(&self.pair, band);
            }
        }
        Ok(softness)
    }

    /// True when it matters how many pixels one CSS pixel has: something moved by a few, or is a
    /// bar as a caret is.
    fn depends_on_scale(&self, clusters: &[Cluster]) -> bool {
        let is_few = |patch: &Patch| {
            let distance = patch.dx().unsigned_abs().max(patch.dy().unsigned_abs());
            (2..=SCALE_MAX).contains(&distance)
        };
        let is_open = |cluster: &Cluster| {
            let fit = cluster.sum.motion.fit();
            fit.explained > 0.0 && !Softness { pixels: 1 }.holds_fit((fit.dx, fit.dy))
                || cluster.area.width as usize <= 2 * SCALE_MAX
        };
        self.moved.iter().any(is_few) || clusters.iter().any(is_open)
    }

    /// The soft move beside a cluster that is but the edge of what moved.
    #[expect(clippy::cast_precision_loss, reason = "a soft move is of a few pixels")]
    fn rest_of_move(
        &self,
        cluster: &Cluster,
        verdict: RegionVerdict,
        softness: Softness,
    ) -> Option<RegionVerdict> {
        let near = cluster.area.grown(u32::try_from(CELL).unwrap_or(0));
        let is_beside = |patch: &&Patch| {
            softness.holds((patch.dx(), patch.dy())) && patch.area().overlap(near) > 0
        };
        let is_open = verdict != RegionVerdict::Noise && stays_near(&cluster.sum);
        let patch = self.moved.iter().find(is_beside).filter(|_| is_open)?;
        Some(RegionVerdict::Moved { dx: patch.dx() as f32, dy: patch.dy() as f32 })
    }

    /// True for a text caret, which is there in one of two phases.
    fn is_caret(
        &self,
        cluster: &Cluster,
        verdict: RegionVerdict,
        softness: Softness,
        options: &CompareOptions,
    ) -> bool {
        verdict != RegionVerdict::Noise
            && options.sensitivity != Sensitivity::Strict
            && is_caret(cluster, &self.pair, softness.pixels)
    }

    fn page_verdict(&self, regions: &[Region], softness: Softness) -> PageVerdict {
        let bands = self.bands.iter().map(|band| {
            let lines = band.actual.width.min(band.actual.height)
                + band.baseline.width.min(band.baseline.height);
            match band {
                _ if band.shows_something => PageVerdict::Changed,
                _ if lines as usize <= softness.pixels => PageVerdict::Soft,
                _ => PageVerdict::Shift,
            }
        });
        let moves = self.moved.iter().map(|patch| match softness.holds((patch.dx(), patch.dy())) {
            true => PageVerdict::Soft,
            false => PageVerdict::Shift,
        });
        let clusters = regions.iter().map(|region| match region.verdict {
            RegionVerdict::Noise | RegionVerdict::Inserted | RegionVerdict::Removed => {
                PageVerdict::Noise
            }
            RegionVerdict::Moved { dx, dy } if softness.holds_fit((dx, dy)) => PageVerdict::Soft,
            RegionVerdict::Moved { .. } => PageVerdict::Shift,
            _ => PageVerdict::Changed,
        });
        bands.chain(moves).chain(clusters).max().unwrap_or(PageVerdict::Noise)
    }
}

/// A part of a patch with an unchanged line before and after it, on both sides.
fn with_context(patch: &Patch, part: Rect, axis: Axis) -> (Rect, Rect) {
    let (area, mut actual) = (patch.area(), part);
    match axis {
        Axis::Rows => {
            actual.y = part.y.saturating_sub(1).max(area.y);
            actual.height = (part.bottom() + 1).min(area.bottom()) - actual.y;
        }
        Axis::Columns => {
            actual.x = part.x.saturating_sub(1).max(area.x);
            actual.width = (part.right() + 1).min(area.right()) - actual.x;
        }
    }
    let origin = patch.in_baseline();
    let (x, y) = (origin.x + (actual.x - area.x), origin.y + (actual.y - area.y));
    (Rect { x, y, ..actual }, actual)
}

/// What lies beyond the shorter of two sides, as a band.
fn ends(baseline: u32, actual: u32, bands: &mut Vec<Band>, cut: impl Fn(u32, u32) -> Rect) {
    let (shorter, longer) = (baseline.min(actual), baseline.max(actual));
    if shorter == longer {
        return;
    }
    let full = cut(shorter, longer - shorter);
    let empty = cut(shorter, 0);
    let side = if actual > baseline { Only::Actual } else { Only::Baseline };
    let (actual, baseline) = match side {
        Only::Actual => (full, empty),
        Only::Baseline => (empty, full),
    };
    bands.push(Band { side, actual, baseline, shows_something: true });
}

fn copy_cells(cluster: &Cluster, from: &Bitmap, to: &mut Bitmap) {
    for (column, row) in &cluster.cells {
        for y in row * CELL..((row + 1) * CELL).min(from.height) {
            if let Some(byte) = to.row_mut(y).get_mut(*column) {
                *byte |= from.byte(*column, y);
            }
        }
    }
}

fn region(cluster: &Cluster, verdict: RegionVerdict) -> Region {
    Region {
        area: cluster.area,
        baseline: cluster.area,
        verdict,
        is_blank: false,
        pixels: u64::from(cluster.sum.changed),
        difference: cluster.sum.distance_max,
        owner: None,
    }
}

fn band_region(band: &Band) -> Region {
    let (verdict, part) = match band.side {
        Only::Actual => (RegionVerdict::Inserted, band.actual),
        Only::Baseline => (RegionVerdict::Removed, band.baseline),
    };
    Region {
        area: band.actual,
        baseline: band.baseline,
        verdict,
        is_blank: !band.shows_something,
        pixels: u64::from(part.width) * u64::from(part.height),
        difference: 0.0,
        owner: None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "sides are at most 16384")]
fn moved_region(patch: &Patch) -> Region {
    Region {
        area: patch.area(),
        baseline: patch.in_baseline(),
        verdict: RegionVerdict::Moved { dx: patch.dx() as f32, dy: patch.dy() as f32 },
        is_blank: false,
        pixels: 0,
        difference: 0.0,
        owner: None,
    }
}

/// Names the change that some areas show, wherever they lie. What only moved is left out.
fn change_id(pair: &Pair, regions: &[Region]) -> Option<String> {
    let shown = |region: &&Region| {
        let only_moved = matches!(region.verdict, RegionVerdict::Moved { .. });
        !region.is_blank && !only_moved && region.verdict != RegionVerdict::Noise
    };
    let mut prints: Vec<u128> = regions
        .iter()
        .filter(shown)
        .map(|region| {
            let mut hasher = Xxh3::new();
            pair.baseline.hash_into(region.baseline, &mut hasher);
            pair.actual.hash_into(region.area, &mut hasher);
            hasher.digest128()
        })
        .collect();
    prints.sort_unstable();
    prints.dedup();
    let mut all = Xxh3::new();
    prints.iter().for_each(|print| all.update(&print.to_le_bytes()));
    (!prints.is_empty()).then(|| format!("{:032x}", all.digest128()))
}

/// Importance of a region in a list.
fn weight(region: &Region) -> (u8, u64) {
    let kind = match region.verdict {
        _ if region.is_blank => 1,
        RegionVerdict::Content
        | RegionVerdict::Inserted
        | RegionVerdict::Removed
        | RegionVerdict::Warped => 3,
        RegionVerdict::Colour => 2,
        RegionVerdict::Moved { .. } => 1,
        RegionVerdict::Noise => 0,
    };
    (kind, region.pixels)
}

#[expect(clippy::cast_precision_loss, reason = "pixel counts are far below 2^52")]
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

//! What a comparison says: numbers, areas with a verdict each, and one verdict for the page.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::changed::Bitmap;
use super::options::{CompareOptions, Mode, PixelHash};
use super::shape::Rect;
use super::sidecar::PageChanges;

/// The result of comparing two pictures.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// What happened to the page as a whole.
    pub verdict: PageVerdict,
    /// Whether that passes under the options given.
    pub outcome: Outcome,
    /// What was measured.
    pub mode: Mode,
    /// Size of the approved picture.
    pub baseline: Size,
    /// Size of the picture taken now.
    pub actual: Size,
    /// Pixels that were looked at; masks are left out.
    pub compared_pixels: u64,
    /// Pixels that are not identical in place.
    pub differing_pixels: u64,
    /// Pixels that count: in perceptual mode those of areas that are not noise.
    pub changed_pixels: u64,
    /// `changed_pixels` in percent of `compared_pixels`.
    pub percent: f64,
    /// 1 for the same, towards 0 for nothing in common.
    pub score: f64,
    /// Areas in which the pictures differ, most important first.
    pub regions: Vec<Region>,
    /// The same for the very same change elsewhere: on another page, or in another place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_id: Option<String>,
    /// Hash of the actual picture's pixels, when they had to be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixel_hash: Option<PixelHash>,
    /// What the sidecars of both pages differ in, where there were some.
    #[serde(skip_serializing_if = "PageChanges::is_empty")]
    pub page: PageChanges,
    #[serde(skip)]
    pub(super) mask: Bitmap,
}

impl Comparison {
    /// True unless the outcome is a failure.
    pub fn passes(&self) -> bool {
        self.outcome != Outcome::Failed
    }

    /// One line for people: what happened, how much, and to how many areas.
    pub fn summary(&self) -> String {
        if self.mode == Mode::Ssim || self.mode == Mode::Hybrid {
            return format!("{} score {:.4}", self.mode, self.score);
        }
        let mut parts = vec![self.verdict.to_string()];
        if self.baseline != self.actual {
            parts.push(format!("{} became {}", self.baseline, self.actual));
        }
        if self.changed_pixels > 0 {
            parts.push(format!("{} pixels ({:.3} %)", self.changed_pixels, self.percent));
        }
        let counted = self.regions.iter().filter(|region| region.verdict != RegionVerdict::Noise);
        let mut kinds: Vec<(&str, usize)> = Vec::new();
        for name in counted.map(|region| region.verdict.name()) {
            match kinds.iter_mut().find(|(kind, _)| *kind == name) {
                Some((_, count)) => *count += 1,
                None => kinds.push((name, 1)),
            }
        }
        if !kinds.is_empty() {
            let kinds: Vec<String> =
                kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            parts.push(kinds.join(", "));
        }
        parts.join("; ")
    }

    /// Decides the outcome of a comparison by areas.
    pub(super) fn decide(&mut self, options: &CompareOptions) {
        let structural = self.baseline != self.actual
            || self.regions.iter().any(|region| region.verdict.is_structural());
        self.outcome = options.sensitivity.outcome(self.verdict, structural);
        // What moved is not counted as changed, but who sets a limit does not expect a move.
        let differing = super::perceptual::percent(self.differing_pixels, self.compared_pixels);
        let percent = if structural { differing } else { self.percent };
        let few = options.max_diff.is_some_and(|limit| percent <= limit);
        if self.outcome == Outcome::Failed && few && self.baseline == self.actual {
            self.outcome = Outcome::Warned;
        }
    }

    pub(super) fn same(mode: Mode, size: Size) -> Self {
        Self {
            verdict: PageVerdict::Same,
            outcome: Outcome::Passed,
            mode,
            baseline: size,
            actual: size,
            compared_pixels: size.pixels(),
            differing_pixels: 0,
            changed_pixels: 0,
            percent: 0.0,
            score: 1.0,
            regions: Vec::new(),
            change_id: None,
            pixel_hash: None,
            page: PageChanges::default(),
            mask: Bitmap::new(size.width as usize, size.height as usize),
        }
    }
}

/// Sides of a picture in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

impl Size {
    /// Number of pixels.
    pub fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}x{}", self.width, self.height)
    }
}

/// What happened to a page, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PageVerdict {
    /// Every pixel is the same.
    Same,
    /// These very pixels were accepted before.
    Tolerated,
    /// It differs as two renderings of one page differ.
    Noise,
    /// Something moved by at most one pixel.
    Soft,
    /// Something moved further; what it shows is the same.
    Shift,
    /// It shows something else.
    Changed,
}

impl fmt::Display for PageVerdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Same => "same",
            Self::Tolerated => "tolerated",
            Self::Noise => "noise",
            Self::Soft => "soft",
            Self::Shift => "shift",
            Self::Changed => "changed",
        })
    }
}

/// Whether a comparison passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing to say.
    Passed,
    /// It passes, and a person may want to look.
    Warned,
    /// It fails.
    Failed,
}

/// One area in which the pictures differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// Where it lies in the actual picture; of zero height or width where something was removed.
    pub area: Rect,
    /// Where it lies in the baseline.
    pub baseline: Rect,
    /// What happened there.
    #[serde(flatten)]
    pub verdict: RegionVerdict,
    /// It shows nothing of its own: space, or lines like those beside it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_blank: bool,
    /// Pixels that differ in it.
    pub pixels: u64,
    /// Largest difference in it, 0 to about 100; 2 is just visible.
    pub difference: f32,
    /// Selector of the element that owns it, where a sidecar names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// What happened in one area.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "verdict")]
pub enum RegionVerdict {
    /// It shows something else.
    Content,
    /// Its colour changed, its shapes did not.
    Colour,
    /// It lies elsewhere, by so many pixels to the right and down.
    Moved {
        /// Pixels to the right.
        dx: f32,
        /// Pixels down.
        dy: f32,
    },
    /// Its shapes are drawn differently: another weight, slant or size.
    Warped,
    /// Rows or columns that the baseline does not have.
    Inserted,
    /// Rows or columns that only the baseline has.
    Removed,
    /// As two renderings of the same thing differ.
    Noise,
}

impl RegionVerdict {
    /// True when something was moved, added or removed.
    pub(super) fn is_structural(&self) -> bool {
        match self {
            Self::Inserted | Self::Removed => true,
            Self::Moved { dx, dy } => dx.abs().max(dy.abs()) > 1.0,
            _ => false,
        }
    }

    /// One word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Colour => "colour",
            Self::Moved { .. } => "moved",
            Self::Warped => "warped",
            Self::Inserted => "inserted",
            Self::Removed => "removed",
            Self::Noise => "noise",
        }
    }
}

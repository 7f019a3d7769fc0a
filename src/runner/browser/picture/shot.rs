use bytes::Bytes;

use crate::runner::browser::page::Selector;
use crate::visual::{Environment, Rect, Size};

/// What to take a picture of.
#[derive(Clone, Debug, Default)]
pub struct ShotRequest {
    /// How much of the page.
    pub extent: ShotExtent,
    /// Elements that are not to be compared; every match is masked.
    pub ignore: Vec<Selector>,
    /// Rectangles that are not to be compared, in CSS pixels of the picture: x, y, width, height.
    pub ignore_rectangles: Vec<[u32; 4]>,
}

/// How much of a page is in a picture.
#[derive(Clone, Debug, Default)]
pub enum ShotExtent {
    /// What the window shows.
    #[default]
    Viewport,
    /// The whole page.
    FullPage,
    /// One element.
    Element(Selector),
}

/// A picture and what is needed to compare it.
#[derive(Clone, Debug)]
pub struct Shot {
    /// The picture.
    pub png: Bytes,
    /// Areas that are not to be compared, in pixels of the picture.
    pub ignore: Vec<Rect>,
    /// The viewport, in CSS pixels; part of a baseline's name.
    pub viewport: Size,
    /// What the picture depends on beside the page.
    pub environment: Environment,
    /// Text runs and boxes of the page as JSON, in CSS pixels of the picture; see `sidecar.js`.
    pub sidecar: Bytes,
    /// What kept moving, when no two pictures in a row were the same; then this is the last one.
    pub unsteady: Vec<String>,
}

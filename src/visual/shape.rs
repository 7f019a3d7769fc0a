//! Areas of a picture, and the mask made of those to ignore and those to look at.

use serde::{Deserialize, Serialize};

/// A rectangle in pixels of the picture, from its top left corner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Pixels to the right.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl Rect {
    /// A rectangle from positions that are known to lie within a picture.
    pub(super) fn of(x: usize, y: usize, width: usize, height: usize) -> Self {
        let side = |value| u32::try_from(value).unwrap_or(u32::MAX);
        Self { x: side(x), y: side(y), width: side(width), height: side(height) }
    }

    /// First column right of it.
    pub fn right(self) -> u32 {
        self.x.saturating_add(self.width)
    }

    /// First row below it.
    pub fn bottom(self) -> u32 {
        self.y.saturating_add(self.height)
    }

    /// The same with a margin on every side, as far as there are pixels.
    pub(super) fn grown(self, margin: u32) -> Self {
        let (x, y) = (self.x.saturating_sub(margin), self.y.saturating_sub(margin));
        let (right, bottom) = (self.right() + margin, self.bottom() + margin);
        Self { x, y, width: right - x, height: bottom - y }
    }

    /// Number of pixels that it shares with another.
    pub fn overlap(self, other: Self) -> u64 {
        let across = |start: u32, end: u32| u64::from(end.saturating_sub(start));
        across(self.x.max(other.x), self.right().min(other.right()))
            * across(self.y.max(other.y), self.bottom().min(other.bottom()))
    }
}

/// An area that is ignored, or the only one looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Shape {
    /// A rectangle; the box of a selector arrives as one.
    Rect(Rect),
    /// A closed polygon; a pixel belongs to it when its centre does (even-odd rule).
    Polygon {
        /// Corners in order, as `[x, y]`.
        points: Vec<[f32; 2]>,
    },
}

impl Shape {
    /// The parts of row `y` that the shape covers, as column ranges in order.
    fn spans(&self, y: usize, width: usize) -> Vec<(usize, usize)> {
        match self {
            Self::Rect(rect) => {
                let inside = (rect.y as usize..rect.bottom() as usize).contains(&y);
                let span = ((rect.x as usize).min(width), (rect.right() as usize).min(width));
                if inside && span.0 < span.1 { vec![span] } else { Vec::new() }
            }
            Self::Polygon { points } => polygon_spans(points, y, width),
        }
    }
}

fn polygon_spans(points: &[[f32; 2]], y: usize, width: usize) -> Vec<(usize, usize)> {
    let centre = y as f32 + 0.5;
    let mut crossings: Vec<f32> = points
        .iter()
        .zip(points.iter().cycle().skip(1))
        .filter(|([_, from], [_, to])| (*from <= centre) != (*to <= centre))
        .map(|([from_x, from_y], [to_x, to_y])| {
            from_x + (centre - from_y) / (to_y - from_y) * (to_x - from_x)
        })
        .collect();
    crossings.sort_by(f32::total_cmp);
    // The first pixel whose centre lies at or right of the crossing.
    let column = |x: f32| (0..width).len().min(ceil_to_column(x - 0.5));
    crossings
        .as_chunks::<2>()
        .0
        .iter()
        .map(|&[from, to]| (column(from), column(to)))
        .filter(|(from, to)| from < to)
        .collect()
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to zero and to any picture's width")]
#[expect(clippy::cast_sign_loss, reason = "clamped to zero and to any picture's width")]
fn ceil_to_column(x: f32) -> usize {
    x.ceil().clamp(0.0, 65_536.0) as usize
}

/// Which pixels are looked at.
#[derive(Debug)]
pub(super) struct Mask<'a> {
    ignore: &'a [Shape],
    only: &'a [Shape],
}

impl<'a> Mask<'a> {
    pub(super) fn new(ignore: &'a [Shape], only: &'a [Shape]) -> Self {
        Self { ignore, only }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ignore.is_empty() && self.only.is_empty()
    }

    /// The parts of row `y` that are not looked at, in order and without overlap.
    pub(super) fn hidden(&self, y: usize, width: usize) -> Vec<(usize, usize)> {
        let mut hidden: Vec<_> =
            self.ignore.iter().flat_map(|shape| shape.spans(y, width)).collect();
        if !self.only.is_empty() {
            let kept: Vec<_> = self.only.iter().flat_map(|shape| shape.spans(y, width)).collect();
            let mut next = 0;
            for (from, to) in merged(kept) {
                hidden.push((next, from));
                next = to;
            }
            hidden.push((next, width));
        }
        merged(hidden)
    }
}

fn merged(mut spans: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    spans.retain(|(from, to)| from < to);
    spans.sort_unstable();
    let mut out: Vec<(usize, usize)> = Vec::with_capacity(spans.len());
    for (from, to) in spans {
        match out.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => out.push((from, to)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(ignore: &[Shape], only: &[Shape], y: usize) -> Vec<(usize, usize)> {
        Mask::new(ignore, only).hidden(y, 10)
    }

    #[test]
    fn overlapping_rectangles_hide_one_span() {
        let shapes = [Shape::Rect(Rect::of(1, 0, 4, 2)), Shape::Rect(Rect::of(3, 1, 4, 2))];
        assert_eq!(hidden(&shapes, &[], 0), [(1, 5)]);
        assert_eq!(hidden(&shapes, &[], 1), [(1, 7)]);
        assert_eq!(hidden(&shapes, &[], 9), []);
    }

    #[test]
    fn an_inverse_mask_hides_everything_else() {
        let only = [Shape::Rect(Rect::of(2, 0, 3, 1))];
        assert_eq!(hidden(&[], &only, 0), [(0, 2), (5, 10)]);
        assert_eq!(hidden(&[], &only, 1), [(0, 10)]);
    }

    #[test]
    fn a_polygon_hides_pixels_whose_centre_it_holds() {
        let triangle = [Shape::Polygon { points: vec![[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]] }];
        assert_eq!(hidden(&triangle, &[], 0), [(0, 7)]);
        assert_eq!(hidden(&triangle, &[], 6), [(0, 1)]);
        assert_eq!(hidden(&triangle, &[], 8), []);
    }

    #[test]
    fn rectangles_and_polygons_read_from_one_list() {
        let read: Vec<Shape> = serde_json::from_str(
            r#"[{"x":1,"y":2,"width":3,"height":4},{"points":[[0,0],[1,0],[1,1]]}]"#,
        )
        .unwrap();
        assert_eq!(read[0], Shape::Rect(Rect::of(1, 2, 3, 4)));
        assert!(matches!(&read[1], Shape::Polygon { points } if points.len() == 3));
    }
}

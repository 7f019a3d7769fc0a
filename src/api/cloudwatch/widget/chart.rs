use std::io::Cursor;

use chrono::{DateTime, Utc};
use image::{ImageFormat, Rgb, RgbImage};

use super::font;
use super::parse::{Legend, Look, Widget};
use crate::time::Timestamp;

/// What a widget's lines are drawn from.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) widget: Widget,
    pub(super) lines: Vec<Line>,
}

/// One line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) label: String,
    pub(super) points: Vec<(Timestamp, f64)>,
    pub(super) look: Look,
}

/// Colours of lines that have none of their own.
const PALETTE: [[u8; 3]; 10] = [
    [0x1f, 0x77, 0xb4],
    [0xff, 0x7f, 0x0e],
    [0x2c, 0xa0, 0x2c],
    [0xd6, 0x27, 0x28],
    [0x94, 0x67, 0xbd],
    [0x8c, 0x56, 0x4b],
    [0xe3, 0x77, 0xc2],
    [0x7f, 0x7f, 0x7f],
    [0xbc, 0xbd, 0x22],
    [0x17, 0xbe, 0xcf],
];
const ANNOTATION: [u8; 3] = [0xd6, 0x27, 0x28];
const LETTER_WIDTH: f64 = 6.0;
const LETTER_HEIGHT: f64 = 9.0;
const LEGEND_ROW: f64 = 14.0;

/// Where the lines are drawn, in pixels.
#[derive(Clone, Copy, Debug)]
struct Plot {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

/// A scale of values: from where to where, and where its marks are.
#[derive(Clone, Debug)]
struct Scale {
    low: f64,
    high: f64,
    step: f64,
}

struct Canvas {
    image: RgbImage,
    ink: [u8; 3],
    faint: [u8; 3],
}

impl Chart {
    /// Draws the chart; `None` when it cannot be encoded.
    pub(super) fn png(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.draw().write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).ok()?;
        Some(bytes)
    }

    fn draw(&self) -> RgbImage {
        let widget = &self.widget;
        let (paper, ink, faint) = match widget.dark {
            false => ([0xff; 3], [0x33; 3], [0xe4; 3]),
            true => ([0x16, 0x1e, 0x2d], [0xd5, 0xdb, 0xdb], [0x34, 0x3f, 0x52]),
        };
        let image = RgbImage::from_pixel(widget.width, widget.height, Rgb(paper));
        let mut canvas = Canvas { image, ink, faint };
        let lines = self.heights();
        let scales = [false, true].map(|right| self.scale(&lines, right));
        let has_right = self.lines.iter().any(|line| line.look.right);
        let plot = self.plot(has_right, &scales);
        canvas.text((plot.left, 6.0), &widget.title, (canvas.ink, 1.0));
        self.axes(&mut canvas, plot, (&scales, has_right));
        for (index, line) in self.lines.iter().enumerate() {
            let [left, right] = &scales;
            let scale = if line.look.right { right } else { left };
            let points = lines.get(index).map(Vec::as_slice).unwrap_or_default();
            self.line(&mut canvas, plot, (scale, points), self.color(index));
        }
        self.annotations(&mut canvas, plot, &scales);
        self.legend(&mut canvas, plot);
        canvas.image
    }

    fn color(&self, index: usize) -> [u8; 3] {
        let own = self.lines.get(index).and_then(|line| line.look.color);
        let palette = || PALETTE.iter().cycle().nth(index % PALETTE.len()).copied();
        own.or_else(palette).unwrap_or(ANNOTATION)
    }

    /// The points as they are drawn: stacked, each line stands on those before it.
    fn heights(&self) -> Vec<Vec<(Timestamp, f64)>> {
        let mut below: std::collections::BTreeMap<Timestamp, f64> = Default::default();
        let drawn = |line: &Line| {
            let point = |(at, value): &(Timestamp, f64)| {
                if !self.widget.stacked {
                    return (*at, *value);
                }
                let height = below.entry(*at).or_default();
                *height += value;
                (*at, *height)
            };
            line.points.iter().map(point).collect()
        };
        self.lines.iter().map(drawn).collect()
    }

    fn scale(&self, lines: &[Vec<(Timestamp, f64)>], right: bool) -> Scale {
        let [left_axis, right_axis] = &self.widget.axes;
        let axis = if right { right_axis } else { left_axis };
        let own = self.lines.iter().zip(lines).filter(|(line, _)| line.look.right == right);
        let values = own.flat_map(|(_, points)| points.iter().map(|(_, value)| *value));
        let marked = self.widget.horizontal.iter().map(|line| line.value).filter(|_| !right);
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.chain(marked).filter(|value| value.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if low == high {
            let room = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            (low, high) = (low - room, high + room);
        }
        let step = step(high - low);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        Scale { low: axis.min.unwrap_or(low), high: axis.max.unwrap_or(high), step }
    }

    fn plot(&self, has_right: bool, scales: &[Scale; 2]) -> Plot {
        let widget = &self.widget;
        let width_of = |scale: &Scale| {
            let widest = scale.marks().iter().map(|mark| shown(*mark).len()).max().unwrap_or(1);
            real(widest) * LETTER_WIDTH + 12.0
        };
        let [left_scale, right_scale] = scales;
        let legend_rows = real(self.lines.len().min(6)) * LEGEND_ROW;
        let (beside, below) = match widget.legend {
            Legend::Bottom => (0.0, legend_rows + 4.0),
            Legend::Right => (f64::from(widget.width) * 0.28, 0.0),
            Legend::Hidden => (0.0, 0.0),
        };
        let right = if has_right { width_of(right_scale) } else { 14.0 };
        Plot {
            left: width_of(left_scale),
            top: 32.0,
            right: f64::from(widget.width) - right - beside,
            bottom: f64::from(widget.height) - 22.0 - below,
        }
    }

    fn axes(&self, canvas: &mut Canvas, plot: Plot, (scales, has_right): (&[Scale; 2], bool)) {
        let (ink, faint) = (canvas.ink, canvas.faint);
        let [left, right] = scales;
        for mark in left.marks() {
            let y = crisp(plot.y(left, mark));
            canvas.line((plot.left, y), (plot.right, y), (faint, 1.0));
            let text = shown(mark);
            let x = plot.left - 6.0 - real(text.len()) * LETTER_WIDTH;
            canvas.text((x, y - 3.0), &text, (ink, 1.0));
        }
        if has_right {
            for mark in right.marks() {
                canvas.text(
                    (plot.right + 6.0, plot.y(right, mark) - 3.0),
                    &shown(mark),
                    (ink, 1.0),
                );
            }
        }
        let [left_axis, right_axis] = &self.widget.axes;
        canvas.text((4.0, 14.0), &left_axis.label, (ink, 1.0));
        let end = plot.right - real(right_axis.label.len()) * LETTER_WIDTH;
        canvas.text((end, 14.0), &right_axis.label, (ink, 1.0));
        let foot = crisp(plot.bottom);
        canvas.line((plot.left, foot), (plot.right, foot), (ink, 1.0));
        for at in self.instants() {
            let x = crisp(self.x(plot, at));
            canvas.line((x, plot.bottom), (x, plot.bottom + 4.0), (ink, 1.0));
            let text = self.instant(at);
            let x = x - real(text.len()) * LETTER_WIDTH / 2.0;
            canvas.text((x, plot.bottom + 8.0), &text, (ink, 1.0));
        }
    }

    /// Round instants to mark, about six of them.
    fn instants(&self) -> Vec<Timestamp> {
        const STEPS: [i64; 13] = [
            60, 300, 600, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
            2_592_000,
        ];
        let (start, end) = (self.widget.start.as_secs(), self.widget.end.as_secs());
        let fits = |step: &&i64| (end - start) / **step <= 7;
        let step = STEPS.iter().find(fits).copied().unwrap_or((end - start) / 6).max(1);
        let first = start.div_euclid(step) + 1;
        (first..).map(|n| n * step).take_while(|at| *at <= end).map(Timestamp::from_secs).collect()
    }

    fn instant(&self, at: Timestamp) -> String {
        let is_long = self.widget.end.as_secs() - self.widget.start.as_secs() > 2 * 86_400;
        let format = if is_long { "%m/%d" } else { "%H:%M" };
        let time = DateTime::<Utc>::from_timestamp_millis(at.as_millis());
        time.map(|time| time.format(format).to_string()).unwrap_or_default()
    }

    fn x(&self, plot: Plot, at: Timestamp) -> f64 {
        let (start, end) = (self.widget.start.as_millis(), self.widget.end.as_millis());
        let share = millis(at.as_millis() - start) / millis(end - start);
        plot.left + share * (plot.right - plot.left)
    }

    fn line(
        &self,
        canvas: &mut Canvas,
        plot: Plot,
        (scale, points): (&Scale, &[(Timestamp, f64)]),
        color: [u8; 3],
    ) {
        let place = |(at, value): &(Timestamp, f64)| (self.x(plot, *at), plot.y(scale, *value));
        let places = points.iter().filter(|(_, value)| value.is_finite()).map(place);
        let places = places.collect::<Vec<_>>();
        for pair in places.windows(2) {
            if let [from, to] = pair {
                canvas.line(*from, *to, (color, 2.0));
            }
        }
        // A point with no neighbour would not be seen, and few points are better seen as such.
        if places.len() <= 40 {
            for (x, y) in places {
                canvas.dot((x, y), (color, 2.5));
            }
        }
    }

    fn annotations(&self, canvas: &mut Canvas, plot: Plot, scales: &[Scale; 2]) {
        let [left, _right] = scales;
        for line in &self.widget.horizontal {
            let (y, color) = (crisp(plot.y(left, line.value)), line.color.unwrap_or(ANNOTATION));
            canvas.line((plot.left, y), (plot.right, y), (color, 1.5));
            let x = plot.right - real(line.label.len()) * LETTER_WIDTH - 4.0;
            canvas.text((x, y - LETTER_HEIGHT - 2.0), &line.label, (color, 1.0));
        }
        for line in &self.widget.vertical {
            let (x, color) = (crisp(self.x(plot, line.at)), line.color.unwrap_or(ANNOTATION));
            if (plot.left..=plot.right).contains(&x) {
                canvas.line((x, plot.top), (x, plot.bottom), (color, 1.5));
                canvas.text((x + 4.0, plot.top + 2.0), &line.label, (color, 1.0));
            }
        }
    }

    fn legend(&self, canvas: &mut Canvas, plot: Plot) {
        let (x, y) = match self.widget.legend {
            Legend::Hidden => return,
            Legend::Bottom => (plot.left, plot.bottom + 26.0),
            Legend::Right => (f64::from(self.widget.width) * 0.74, plot.top),
        };
        let rows = match self.widget.legend {
            Legend::Bottom => 6,
            _ => usize::MAX,
        };
        for (index, line) in self.lines.iter().enumerate().take(rows) {
            let y = y + real(index) * LEGEND_ROW;
            let (color, ink) = (self.color(index), canvas.ink);
            canvas.line((x, y + 3.0), (x + 12.0, y + 3.0), (color, 4.0));
            canvas.text((x + 18.0, y), &line.label, (ink, 1.0));
        }
    }
}

impl Plot {
    fn y(&self, scale: &Scale, value: f64) -> f64 {
        let share = (value - scale.low) / (scale.high - scale.low);
        let y = self.bottom - share * (self.bottom - self.top);
        y.clamp(self.top - 2.0, self.bottom + 2.0)
    }
}

impl Scale {
    fn marks(&self) -> Vec<f64> {
        const MARKS_MAX: u32 = 12;
        let first = (self.low / self.step).ceil();
        let marks = (0..MARKS_MAX).map(|n| (first + f64::from(n)) * self.step);
        marks.take_while(|mark| *mark <= self.high + self.step * 1e-9).collect()
    }
}

/// A round distance between marks, for about five of them.
fn step(span: f64) -> f64 {
    let rough = span / 5.0;
    let magnitude = 10_f64.powf(rough.log10().floor());
    let round = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|round| round * magnitude >= rough);
    round.unwrap_or(10.0) * magnitude
}

/// A value as a person writes it: at most four digits and a letter for its thousands.
fn shown(value: f64) -> String {
    const LETTERS: [(f64, &str); 4] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let found = LETTERS.iter().find(|(size, _)| value.abs() >= *size);
    let (size, letter) = found.copied().unwrap_or((1.0, ""));
    let text = format!("{:.3}", value / size);
    let short = text.trim_end_matches('0').trim_end_matches('.');
    format!("{}{letter}", if short == "-0" { "0" } else { short })
}

fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "a pixel is far wider than a lost millisecond")]
fn millis(value: i64) -> f64 {
    value as f64
}

/// The middle of the pixel at `place`: an upright line there has its colour, not half of it twice.
fn crisp(place: f64) -> f64 {
    place.floor() + 0.5
}

impl Canvas {
    fn line(&mut self, from: (f64, f64), to: (f64, f64), (color, width): ([u8; 3], f64)) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        let grown = width / 2.0 + 1.0;
        let (left, right) = (from.0.min(to.0) - grown, from.0.max(to.0) + grown);
        let (top, bottom) = (from.1.min(to.1) - grown, from.1.max(to.1) + grown);
        for y in pixels(top, bottom, self.image.height()) {
            for x in pixels(left, right, self.image.width()) {
                let (px, py) = (f64::from(x) + 0.5 - from.0, f64::from(y) + 0.5 - from.1);
                let along =
                    if length > 0.0 { (px * dx + py * dy) / (length * length) } else { 0.0 };
                let along = along.clamp(0.0, 1.0);
                let distance = (px - along * dx).hypot(py - along * dy);
                self.blend(x, y, (color, (width / 2.0 + 0.5 - distance).clamp(0.0, 1.0)));
            }
        }
    }

    fn dot(&mut self, at: (f64, f64), (color, radius): ([u8; 3], f64)) {
        self.line(at, at, (color, radius * 2.0));
    }

    fn text(&mut self, at: (f64, f64), text: &str, (color, share): ([u8; 3], f64)) {
        let mut left = at.0.round();
        for letter in text.chars() {
            for (column, bits) in (0_u8..).zip(font::columns(letter)) {
                for row in (0_u8..8).filter(|row| bits >> row & 1 == 1) {
                    let (x, y) = (left + f64::from(column), at.1.round() + f64::from(row));
                    for y in pixels(y, y, self.image.height()) {
                        for x in pixels(x, x, self.image.width()) {
                            self.blend(x, y, (color, share));
                        }
                    }
                }
            }
            left += LETTER_WIDTH;
        }
    }

    fn blend(&mut self, x: u32, y: u32, (color, share): ([u8; 3], f64)) {
        let Some(Rgb(pixel)) = self.image.get_pixel_mut_checked(x, y) else { return };
        for (under, over) in pixel.iter_mut().zip(color) {
            let mixed = f64::from(*under) * (1.0 - share) + f64::from(over) * share;
            *under = byte(mixed);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what a byte holds"
)]
fn byte(value: f64) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// The whole pixels from one place to another that are on the canvas.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the canvas, which has at most 2000 pixels a side"
)]
fn pixels(from: f64, to: f64, side: u32) -> std::ops::Range<u32> {
    let last = f64::from(side);
    if !(from < last && to >= 0.0) {
        return 0..0;
    }
    (from.floor().clamp(0.0, last) as u32)..((to.floor() + 1.0).clamp(0.0, last) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_values_short() {
        assert_eq!(step(10.0), 2.0);
        assert_eq!(step(0.03), 0.01);
        assert_eq!(step(1200.0), 250.0);
        for (value, text) in [
            (0.0, "0"),
            (-0.0001, "0"),
            (0.25, "0.25"),
            (12.0, "12"),
            (1500.0, "1.5k"),
            (-2e6, "-2M"),
            (3e9, "3G"),
        ] {
            assert_eq!(shown(value), text);
        }
    }

    #[test]
    fn lines_marks_and_annotations_leave_their_colours() {
        let text = r##"{"metrics": [["N", "m"]], "width": 200, "height": 150, "start":
            "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z", "annotations":
            {"horizontal": [{"value": 5, "color": "#00ff00"}]}}"##;
        let widget = Widget::parse(text, Timestamp::EPOCH).unwrap();
        let start = widget.start;
        let points = (0_u8..10).map(|n| (start.plus_millis(i64::from(n) * 300_000), f64::from(n)));
        let look = Look { color: Some([255, 0, 0]), right: false };
        let line = Line { label: "m".to_owned(), points: points.collect(), look };
        let chart = Chart { widget, lines: vec![line] };
        let image = chart.draw();
        for color in [[255, 0, 0], [0, 255, 0], [0x33; 3], [0xe4; 3], [0xff; 3]] {
            assert!(image.pixels().any(|Rgb(pixel)| *pixel == color), "{color:?}");
        }
        assert!(chart.png().unwrap().starts_with(b"\x89PNG"));
    }
}

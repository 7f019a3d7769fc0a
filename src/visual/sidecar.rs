//! What a page said besides its pixels: text runs, boxes and their style, compared exactly.
//!
//! Pixels alone take a 3 for an 8 at some size and tolerance; a [`Sidecar`] does not. It also
//! knows which element owns a place. Taking one from a page is the browser's business.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::align::align;
use super::comparison::{Comparison, PageVerdict, Region, RegionVerdict, Size};
use super::options::CompareOptions;
use super::shape::{Mask, Rect};

/// The texts and boxes of a page. Places are in CSS pixels from the picture's top left corner.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sidecar {
    /// The form of this document.
    pub version: u32,
    /// Width and height of the picture in CSS pixels.
    pub size: [f64; 2],
    /// Visible texts, in the order of the document.
    #[serde(default)]
    pub texts: Vec<TextRun>,
    /// Elements that draw something themselves, outer ones before inner ones.
    #[serde(default)]
    pub boxes: Vec<ElementBox>,
}

/// One text node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextRun {
    /// What it says, with runs of white space made one space.
    pub text: String,
    /// Left, top, width and height.
    #[serde(rename = "box")]
    pub place: [f64; 4],
    /// The selector of the element that it stands in.
    pub owner: String,
    /// Computed properties: colour, font, decoration.
    #[serde(default)]
    pub looks: BTreeMap<String, String>,
}

/// One element with a background, border, shadow or picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ElementBox {
    /// Left, top, width and height of its border box.
    #[serde(rename = "box")]
    pub place: [f64; 4],
    /// A selector that finds it.
    pub owner: String,
    /// Computed properties: background, border, opacity; the value of a field.
    #[serde(flatten)]
    pub looks: BTreeMap<String, String>,
}

/// The property of a field that is a text.
const VALUE: &str = "value";

/// How the texts and styles of two pages differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PageChanges {
    /// Texts that changed, came or went.
    pub texts: Vec<TextChange>,
    /// Properties of elements that are on both pages.
    pub styles: Vec<StyleChange>,
}

impl PageChanges {
    /// True when nothing changed.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.styles.is_empty()
    }
}

/// One text that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextChange {
    /// How.
    pub kind: TextChangeKind,
    /// The selector of the element it stands in.
    pub owner: String,
    /// What it said; empty where it was added.
    pub baseline: String,
    /// What it says; empty where it was removed.
    pub actual: String,
    /// Where it stands, or stood, in CSS pixels.
    pub place: [f64; 4],
}

/// How a text changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextChangeKind {
    /// It says something else.
    Changed,
    /// It differs only in digits, as dates, counts and ids do.
    Digits,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
}

/// One property that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StyleChange {
    /// The element.
    pub selector: String,
    /// `color`, `font-weight`.
    pub property: String,
    /// The value before.
    pub baseline: String,
    /// The value now.
    pub actual: String,
    /// Where the element is now, in CSS pixels.
    pub place: [f64; 4],
}

/// Compares two sidecars. Where a text or an element merely moved, nothing is reported.
pub fn compare_sidecars(baseline: &Sidecar, actual: &Sidecar) -> PageChanges {
    let mut changes = PageChanges {
        texts: compare_texts(&baseline.texts, &actual.texts),
        styles: compare_looks(baseline, actual),
    };
    let (values, styles) = changes.styles.into_iter().partition(|change| change.property == VALUE);
    changes.styles = styles;
    let values: Vec<StyleChange> = values;
    changes.texts.extend(values.into_iter().map(|change| TextChange {
        kind: kind(&change.baseline, &change.actual),
        owner: change.selector,
        baseline: change.baseline,
        actual: change.actual,
        place: change.place,
    }));
    changes
}

fn compare_texts(baseline: &[TextRun], actual: &[TextRun]) -> Vec<TextChange> {
    let hash = |run: &TextRun| {
        let mut hasher = DefaultHasher::new();
        (&run.owner, &run.text).hash(&mut hasher);
        hasher.finish()
    };
    let old: Vec<u64> = baseline.iter().map(hash).collect();
    let new: Vec<u64> = actual.iter().map(hash).collect();
    let mut changes = Vec::new();
    let mut at = (0, 0);
    let runs = align(&old, &new).into_iter().map(|run| (run.baseline, run.actual, run.length));
    for (old_at, new_at, length) in runs.chain([(old.len(), new.len(), 0)]) {
        let gone = baseline.get(at.0..old_at).unwrap_or_default();
        let come = actual.get(at.1..new_at).unwrap_or_default();
        pair_up(gone, come, &mut changes);
        at = (old_at + length, new_at + length);
    }
    changes
}

/// Pairs texts of one element that went and came at the same place in the document.
fn pair_up(gone: &[TextRun], come: &[TextRun], changes: &mut Vec<TextChange>) {
    let mut left: Vec<&TextRun> = gone.iter().collect();
    for run in come {
        let same = left.iter().position(|old| old.owner == run.owner && old.text == run.text);
        let place = same.or_else(|| left.iter().position(|old| old.owner == run.owner));
        let old = place.map(|place| left.remove(place));
        if old.is_some_and(|old| old.text == run.text) {
            continue;
        }
        let kind = old.map_or(TextChangeKind::Added, |old| kind(&old.text, &run.text));
        changes.push(TextChange {
            kind,
            owner: run.owner.clone(),
            baseline: old.map(|old| old.text.clone()).unwrap_or_default(),
            actual: run.text.clone(),
            place: run.place,
        });
    }
    changes.extend(left.into_iter().map(|run| TextChange {
        kind: TextChangeKind::Removed,
        owner: run.owner.clone(),
        baseline: run.text.clone(),
        actual: String::new(),
        place: run.place,
    }));
}

/// How one text became another.
fn kind(baseline: &str, actual: &str) -> TextChangeKind {
    match without_digits(baseline) == without_digits(actual) {
        true => TextChangeKind::Digits,
        false => TextChangeKind::Changed,
    }
}

fn without_digits(text: &str) -> String {
    let mut shape = String::with_capacity(text.len());
    for letter in text.chars() {
        let letter = if letter.is_ascii_digit() { '0' } else { letter };
        if !(letter == '0' && shape.ends_with('0')) {
            shape.push(letter);
        }
    }
    shape
}

/// Compares the looks of elements that are on both pages.
fn compare_looks(baseline: &Sidecar, actual: &Sidecar) -> Vec<StyleChange> {
    let old: HashMap<&str, &BTreeMap<String, String>> = looks(baseline).collect();
    let places = actual.boxes.iter().map(|found| (found.owner.as_str(), found.place));
    let places = actual.texts.iter().map(|run| (run.owner.as_str(), run.place)).chain(places);
    let places: HashMap<&str, [f64; 4]> = places.collect();
    let mut changes = Vec::new();
    let mut told = HashSet::new();
    for (owner, looks) in looks(actual) {
        let Some(before) = old.get(owner) else { continue };
        for (property, value) in looks {
            let Some(was) = before.get(property).filter(|was| *was != value) else { continue };
            if told.insert((owner, property)) {
                changes.push(StyleChange {
                    selector: owner.to_owned(),
                    property: property.clone(),
                    baseline: was.clone(),
                    actual: value.clone(),
                    place: places.get(owner).copied().unwrap_or_default(),
                });
            }
        }
    }
    changes
}

fn looks(sidecar: &Sidecar) -> impl Iterator<Item = (&str, &BTreeMap<String, String>)> {
    let texts = sidecar.texts.iter().map(|run| (run.owner.as_str(), &run.looks));
    texts.chain(sidecar.boxes.iter().map(|found| (found.owner.as_str(), &found.looks)))
}

impl Sidecar {
    /// The selector of the smallest element or text that holds a place of the picture.
    pub fn owner(&self, area: Rect, picture: Size) -> Option<&str> {
        let area = Rect { width: area.width.max(1), height: area.height.max(1), ..area };
        let size = |rect: Rect| u64::from(rect.width) * u64::from(rect.height);
        let boxes = self.boxes.iter().map(|found| (found.place, &found.owner));
        let texts = self.texts.iter().map(|run| (run.place, &run.owner));
        boxes
            .chain(texts)
            .map(|(place, owner)| (self.in_pixels(place, picture), owner))
            // Edges and shadows stand out of their element a little.
            .filter(|(place, _)| place.overlap(area) * 10 >= size(area) * HELD_TENTHS_MIN)
            .min_by_key(|(place, _)| size(*place))
            .map(|(_, owner)| owner.as_str())
    }

    /// A place in pixels of the picture.
    fn in_pixels(&self, [left, top, width, height]: [f64; 4], picture: Size) -> Rect {
        let [sidecar_width, _] = self.size;
        let scale =
            if sidecar_width > 0.0 { f64::from(picture.width) / sidecar_width } else { 1.0 };
        let (x, y) = (pixel((left * scale).floor()), pixel((top * scale).floor()));
        let right = pixel(((left + width) * scale).ceil());
        let bottom = pixel(((top + height) * scale).ceil());
        Rect { x, y, width: right - x.min(right), height: bottom - y.min(bottom) }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to any picture's side")]
#[expect(clippy::cast_sign_loss, reason = "clamped to zero")]
fn pixel(length: f64) -> u32 {
    length.clamp(0.0, 65_535.0) as u32
}

/// An element owns a place when it holds this many tenths of it.
const HELD_TENTHS_MIN: u64 = 7;

impl Comparison {
    /// Adds what the sidecars know: the owner of each area, and the texts and styles that changed.
    ///
    /// A text that changed where the pixels differ at all is a change of content, however small
    /// its type is. What masks hide stays hidden; texts that moved are no change.
    pub fn add_sidecars(
        &mut self,
        (baseline, actual): (&Sidecar, &Sidecar),
        options: &CompareOptions,
    ) {
        for region in &mut self.regions {
            let owner = match region.verdict {
                RegionVerdict::Removed => baseline.owner(region.baseline, self.baseline),
                _ => actual.owner(region.area, self.actual),
            };
            region.owner = owner.map(str::to_owned);
        }
        let mut page = compare_sidecars(baseline, actual);
        let mask = Mask::new(&options.ignore, &options.only);
        let place = |change: &TextChange| match change.kind {
            TextChangeKind::Removed => baseline.in_pixels(change.place, self.baseline),
            _ => actual.in_pixels(change.place, self.actual),
        };
        page.texts.retain(|change| !is_hidden(&mask, place(change), self.actual.width as usize));
        let places: Vec<Rect> = page.texts.iter().map(place).collect();
        for (change, area) in page.texts.iter().zip(places) {
            self.raise(change, area);
        }
        let raised = self.regions.iter().any(|region| region.verdict == RegionVerdict::Content);
        if raised && self.verdict < PageVerdict::Changed && self.verdict > PageVerdict::Tolerated {
            self.verdict = PageVerdict::Changed;
        }
        self.decide(options);
        self.page = page;
    }

    /// Makes the noise at a changed text content.
    fn raise(&mut self, change: &TextChange, area: Rect) {
        let touches = |region: &&mut Region| {
            region.verdict == RegionVerdict::Noise && region.area.overlap(area) > 0
        };
        for region in self.regions.iter_mut().filter(touches) {
            region.verdict = RegionVerdict::Content;
            region.owner = Some(change.owner.clone());
            self.changed_pixels += region.pixels;
            self.mask.fill(region.area);
        }
        self.percent = super::perceptual::percent(self.changed_pixels, self.compared_pixels);
    }
}

/// True when the middle row of an area is hidden from end to end.
fn is_hidden(mask: &Mask<'_>, area: Rect, width: usize) -> bool {
    let y = (area.y + area.height / 2) as usize;
    let (from, to) = (area.x as usize, (area.right() as usize).min(width));
    mask.hidden(y, width).iter().any(|(start, end)| *start <= from && to <= *end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(owner: &str, text: &str, y: f64) -> TextRun {
        let place = [10.0, y, 60.0, 14.0];
        TextRun { text: text.to_owned(), place, owner: owner.to_owned(), looks: BTreeMap::new() }
    }

    fn page(texts: Vec<TextRun>) -> Sidecar {
        Sidecar { version: 1, size: [96.0, 48.0], texts, boxes: Vec::new() }
    }

    fn changes(baseline: Vec<TextRun>, actual: Vec<TextRun>) -> Vec<String> {
        let changes = compare_sidecars(&page(baseline), &page(actual)).texts;
        let line = |change: TextChange| {
            format!("{:?} {}: {} -> {}", change.kind, change.owner, change.baseline, change.actual)
        };
        changes.into_iter().map(line).collect()
    }

    #[test]
    fn texts_that_moved_are_no_change() {
        let old = vec![run("h1", "Lamps", 10.0), run("p", "12 left", 30.0)];
        let new = vec![run("h1", "Lamps", 40.0), run("p", "12 left", 60.0)];
        assert_eq!(changes(old, new), Vec::<String>::new());
    }

    #[test]
    fn a_changed_an_added_and_a_removed_text_are_told_apart() {
        let old = vec![run("h1", "Lamps", 0.0), run("p", "12 left", 20.0), run("a", "Buy", 40.0)];
        let new = vec![run("h1", "Lamp", 0.0), run("p", "9 left", 20.0), run("b", "Sold", 40.0)];
        assert_eq!(
            changes(old, new),
            [
                "Changed h1: Lamps -> Lamp",
                "Digits p: 12 left -> 9 left",
                "Added b:  -> Sold",
                "Removed a: Buy -> "
            ]
        );
    }

    fn sidecar(json: &str) -> Sidecar {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_style_change_names_the_property_and_a_field_its_text() {
        let page = |looks: &str| {
            let place = r#""box": [0, 0, 40, 20]"#;
            sidecar(&format!(
                r##"{{"version": 1, "size": [100, 100],
                    "boxes": [{{{place}, "owner": "#buy", {looks}}}]}}"##
            ))
        };
        let changes = compare_sidecars(
            &page(r#""background": "red", "value": "12""#),
            &page(r#""background": "blue", "value": "13""#),
        );
        assert_eq!(changes.styles.len(), 1);
        let style = &changes.styles[0];
        assert_eq!((style.property.as_str(), style.actual.as_str()), ("background", "blue"));
        assert_eq!(changes.texts.len(), 1);
        assert_eq!(changes.texts[0].kind, TextChangeKind::Digits);
    }

    #[test]
    fn the_smallest_element_that_holds_a_place_owns_it() {
        let page = sidecar(
            r##"{"version": 1, "size": [200, 200], "boxes": [
                {"box": [0, 0, 200, 200], "owner": "body", "opacity": "1"},
                {"box": [10.5, 10.5, 80, 80], "owner": "#card", "opacity": "1"}]}"##,
        );
        let owner = |x, y, side, width| {
            page.owner(Rect::of(x, y, side, side), Size { width, height: width })
        };
        assert_eq!(owner(9, 9, 30, 200), Some("#card"));
        assert_eq!(owner(100, 100, 5, 200), Some("body"));
        assert_eq!(owner(100, 100, 5, 400), Some("#card"), "two pixels a CSS pixel");
        assert_eq!(owner(300, 0, 5, 200), None);
    }

    #[test]
    fn a_text_that_changed_makes_noise_content() {
        let faint = |levels: &[u8]| {
            let mut image = image::RgbImage::from_pixel(96, 48, [200; 3].into());
            for (at, level) in (20..).zip(levels) {
                image.put_pixel(at, 20, [*level; 3].into());
            }
            let mut png = std::io::Cursor::new(Vec::new());
            image.write_to(&mut png, image::ImageFormat::Png).unwrap();
            png.into_inner()
        };
        let options = CompareOptions::default();
        let (old, new) = (faint(&[190, 205, 192, 204]), faint(&[204, 192, 205, 190]));
        let mut comparison = super::super::compare(&old, &new, &options).unwrap();
        assert_eq!(comparison.verdict, PageVerdict::Noise);
        let (old, new) = (page(vec![run("td", "3", 10.0)]), page(vec![run("td", "8", 10.0)]));
        comparison.add_sidecars((&old, &new), &options);
        assert_eq!(comparison.verdict, PageVerdict::Changed);
        assert!(!comparison.passes());
        assert_eq!(comparison.regions[0].owner.as_deref(), Some("td"));
    }
}

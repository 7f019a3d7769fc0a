use super::fields::Fields;
use super::locator::locator;
use super::page_shapes;
use super::predicate::parse_quantity;
use super::reader::Reader;
use crate::canary::assertion::Quantity;
use crate::canary::document::{Entry, Node};
use crate::canary::page::{
    PictureComparison, PictureSensitivity, ScreenshotAction, ScreenshotExtent,
};
use crate::diagnostic::Diagnostic;

/// The ways to judge a picture; at most one of them.
const JUDGES: &[&str] = &["sensitivity", "max_diff", "ssim", "hybrid"];

/// Reads a screenshot: its name, or a map.
pub(super) fn screenshot(entry: &Entry, reader: &mut Reader<'_>) -> Option<ScreenshotAction> {
    let node = &entry.value;
    if node.as_map().is_none() {
        return Some(ScreenshotAction {
            name: name(node, reader)?,
            extent: ScreenshotExtent::default(),
            ignore: Vec::new(),
            ignore_rectangles: Vec::new(),
            comparison: PictureComparison::default(),
        });
    }
    let fields = Fields::of(node, entry.key_span, &page_shapes::SCREENSHOT, reader)?;
    let name = fields.node("name").and_then(|node| name(node, reader));
    let extent = extent(&fields, reader);
    let mut ignore = Vec::new();
    if let Some(node) = fields.node("ignore") {
        for item in reader.one_or_many(node) {
            ignore.extend(locator(item, reader));
        }
    }
    let mut ignore_rectangles = Vec::new();
    if let Some(node) = fields.node("ignore_rectangles") {
        for item in reader.list(node).unwrap_or(&[]) {
            ignore_rectangles.extend(rectangle(item, reader));
        }
    }
    let comparison = comparison(&fields, reader);
    Some(ScreenshotAction { name: name?, extent, ignore, ignore_rectangles, comparison })
}

/// The name is part of a path.
fn name(node: &Node, reader: &mut Reader<'_>) -> Option<std::sync::Arc<str>> {
    let name = reader.text(node)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    let usable = !name.is_empty() && name.len() <= 80 && !name.starts_with('.');
    if !usable || !name.chars().all(fits) {
        let message = format!("`{name}` cannot be the name of a screenshot");
        let fault = Diagnostic::error("screenshot-name", message, node.span);
        reader.push(fault.help("a name is 1 to 80 letters, digits, spaces, `-`, `_` and `.`"));
        return None;
    }
    Some(name)
}

fn extent(fields: &Fields<'_>, reader: &mut Reader<'_>) -> ScreenshotExtent {
    let full = fields.node("full_page").and_then(|node| reader.boolean(node));
    let element = fields.node("element").and_then(|node| locator(node, reader));
    match (full, element) {
        (Some(true), Some(_)) => {
            let message = "a screenshot is of the full page or of one element, not of both";
            reader.error("conflicting-keys", message, fields.span);
            ScreenshotExtent::FullPage
        }
        (Some(true), None) => ScreenshotExtent::FullPage,
        (_, Some(element)) => ScreenshotExtent::Element(element),
        _ => ScreenshotExtent::Viewport,
    }
}

fn rectangle(node: &Node, reader: &mut Reader<'_>) -> Option<[u32; 4]> {
    let sides: Vec<_> =
        reader.list(node)?.iter().map(|side| reader.integer(side, 0..=100_000)).collect();
    let sides: Vec<u32> = sides.into_iter().collect::<Option<_>>()?;
    let rectangle = sides.try_into().ok();
    if rectangle.is_none() {
        reader.error("wrong-type", "a rectangle is [x, y, width, height]", node.span);
    }
    rectangle
}

fn comparison(fields: &Fields<'_>, reader: &mut Reader<'_>) -> PictureComparison {
    let mut given = JUDGES.iter().filter_map(|key| fields.entry(key));
    let Some(first) = given.next() else { return PictureComparison::default() };
    if let Some(second) = given.next() {
        let message = format!("a picture is judged by `{}` or `{}`", first.key, second.key);
        let fault = Diagnostic::error("conflicting-keys", message, second.key_span);
        reader.push(fault.also(first.key_span, "the other one is here"));
    }
    let node = &first.value;
    let judged = match first.key.as_str() {
        "sensitivity" => {
            let words = [
                ("strict", PictureSensitivity::Strict),
                ("normal", PictureSensitivity::Normal),
                ("layout", PictureSensitivity::Layout),
            ];
            reader.choice(node, &words).map(PictureComparison::Perceptual)
        }
        "max_diff" => share(node, reader).map(PictureComparison::MaxDiff),
        "ssim" => score(node, reader).map(PictureComparison::Ssim),
        _ => score(node, reader).map(PictureComparison::Hybrid),
    };
    judged.unwrap_or_default()
}

/// A share in percent: `0.1%`, or the fraction 0.001.
fn share(node: &Node, reader: &mut Reader<'_>) -> Option<f64> {
    let text = reader.text(node)?;
    let percent = match parse_quantity(&text) {
        Some(Quantity::Percent(percent)) => Some(percent),
        Some(Quantity::Number(fraction)) => Some(fraction * 100.0),
        _ => None,
    };
    let inside = percent.filter(|percent| (0.0..=100.0).contains(percent));
    if inside.is_none() {
        let message = format!("`{text}` is no share of pixels");
        let fault = Diagnostic::error("quantity", message, node.span);
        reader.push(fault.help("write 0.1%, or the fraction 0.001"));
    }
    inside
}

fn score(node: &Node, reader: &mut Reader<'_>) -> Option<f64> {
    let score = reader.number(node)?;
    if !(0.0..=1.0).contains(&score) {
        reader.error("out-of-range", "a score lies between 0 and 1", node.span);
        return None;
    }
    Some(score)
}

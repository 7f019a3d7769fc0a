use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Float64Array, Int64Array, StringArray};
use arrow_schema::Field;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::shape::{Cut, Shape};

/// The column of whole lines; null where the line is cut.
pub(in crate::store) const MESSAGE: &str = "message";
/// The column of shapes; null where the line is whole.
pub(in crate::store) const SHAPE: &str = "shape";
/// What the names of columns of fields begin with.
pub(in crate::store) const FIELD_PREFIX: &str = "$.";
/// Where a column of numbers says how they were written.
pub(super) const FORM: &str = "coalmine.form";
/// Numbers that always have a point: `35.0`.
pub(super) const FORM_POINT: &str = "point";
/// Numbers that have a point when they need one: `35`.
pub(super) const FORM_SHORT: &str = "short";

/// BOUND: lines of further shapes or fields stay whole.
const SHAPES_MAX: usize = 1000;
const FIELDS_MAX: usize = 100;
/// A column repeats itself when its first values do.
const SAMPLE: usize = 2048;

/// The columns of lines: whole texts, and for JSON the shape and a column for each field.
///
/// A line is cut only where shape and fields give it back byte for byte.
pub(super) fn columns(lines: &[&str]) -> Vec<(Field, ArrayRef)> {
    let mut shredder = Shredder::default();
    let mut cut = Cut::default();
    let whole: Vec<Option<&str>> =
        lines.iter().map(|line| shredder.take(line, &mut cut).then_some(*line)).collect();
    let mut columns = vec![text_column(MESSAGE, whole)];
    if !shredder.fields.is_empty() || shredder.rows.iter().any(Option::is_some) {
        let shapes = shredder
            .rows
            .iter()
            .map(|shape| shape.and_then(|number| shredder.shapes.get(number)).map(String::as_str));
        columns.push(dictionary_column(SHAPE, shapes));
        let length = lines.len();
        for field in shredder.fields {
            columns.push(field.into_column(length));
        }
    }
    columns
}

#[derive(Default)]
struct Shredder<'l> {
    /// By text: the shape's number, or `None` for one whose lines stay whole.
    known: HashMap<String, Option<usize>, Xxh3DefaultBuilder>,
    shapes: Vec<String>,
    /// By shape: the field and form of each hole.
    slots: Vec<Vec<(usize, bool)>>,
    by_path: HashMap<String, usize>,
    fields: Vec<FieldValues<'l>>,
    /// By line: its shape.
    rows: Vec<Option<usize>>,
}

/// The values of one field, by line.
struct FieldValues<'l> {
    path: String,
    values: Vec<Option<&'l str>>,
    has_quoted: bool,
}

impl<'l> Shredder<'l> {
    /// Takes a line in; says whether it stays whole.
    fn take(&mut self, line: &'l str, cut: &mut Cut) -> bool {
        let row = self.rows.len();
        let shape = if cut.cut(line) { self.shape(&cut.shape) } else { None };
        self.rows.push(shape);
        let Some(slots) = shape.and_then(|number| self.slots.get(number)) else { return true };
        for ((field, is_quoted), hole) in slots.iter().zip(&cut.holes) {
            let Some(field) = self.fields.get_mut(*field) else { continue };
            field.has_quoted |= is_quoted;
            field.set(row, line, hole);
        }
        false
    }

    fn shape(&mut self, text: &str) -> Option<usize> {
        if let Some(known) = self.known.get(text) {
            return *known;
        }
        let number = self.add(text);
        if self.known.len() < SHAPES_MAX * 4 {
            self.known.insert(text.to_owned(), number);
        }
        number
    }

    fn add(&mut self, text: &str) -> Option<usize> {
        let shape = Shape::read(text)?;
        let new = shape.slots.iter().filter(|slot| !self.by_path.contains_key(&slot.path)).count();
        if self.shapes.len() >= SHAPES_MAX || self.fields.len() + new > FIELDS_MAX {
            return None;
        }
        let mut slots = Vec::with_capacity(shape.slots.len());
        for slot in shape.slots {
            let next = self.fields.len();
            let field = *self.by_path.entry(slot.path.clone()).or_insert(next);
            if field == next {
                let values = Vec::new();
                self.fields.push(FieldValues { path: slot.path, values, has_quoted: false });
            }
            slots.push((field, slot.is_quoted));
        }
        self.slots.push(slots);
        self.shapes.push(text.to_owned());
        Some(self.shapes.len() - 1)
    }
}

impl<'l> FieldValues<'l> {
    fn set(&mut self, row: usize, line: &'l str, hole: &Range<usize>) {
        self.values.resize(row, None);
        self.values.push(line.get(hole.clone()));
    }

    fn into_column(mut self, length: usize) -> (Field, ArrayRef) {
        self.values.resize(length, None);
        let name = format!("{FIELD_PREFIX}{}", self.path);
        if !self.has_quoted {
            if let Some(column) = integers(&name, &self.values) {
                return column;
            }
            for form in [FORM_POINT, FORM_SHORT] {
                if let Some(column) = reals(&name, &self.values, form) {
                    return column;
                }
            }
        }
        let sample: Vec<&str> = self.values.iter().flatten().take(SAMPLE).copied().collect();
        let distinct = sample.iter().collect::<HashSet<_>>().len();
        if distinct * 2 < sample.len() {
            dictionary_column(&name, self.values.iter().copied())
        } else {
            text_column(&name, self.values)
        }
    }
}

fn text_column(name: &str, values: Vec<Option<&str>>) -> (Field, ArrayRef) {
    let array: ArrayRef = Arc::new(values.into_iter().collect::<StringArray>());
    (Field::new(name, array.data_type().clone(), true), array)
}

fn dictionary_column<'a>(
    name: &str,
    values: impl Iterator<Item = Option<&'a str>>,
) -> (Field, ArrayRef) {
    let array: ArrayRef = Arc::new(values.collect::<DictionaryArray<Int32Type>>());
    (Field::new(name, array.data_type().clone(), true), array)
}

/// A column of whole numbers, when each is written as we would write it.
fn integers(name: &str, values: &[Option<&str>]) -> Option<(Field, ArrayRef)> {
    let mut text = String::new();
    let mut number = |token: &str| {
        let number: i64 = token.parse().ok()?;
        write_integer(&mut text, number);
        (text == token).then_some(number)
    };
    let numbers =
        values.iter().map(|token| token.map(&mut number).map_or(Some(None), |n| n.map(Some)));
    let array: ArrayRef = Arc::new(numbers.collect::<Option<Int64Array>>()?);
    Some((Field::new(name, array.data_type().clone(), true), array))
}

/// A column of numbers, when each is written as we would write it.
fn reals(name: &str, values: &[Option<&str>], form: &str) -> Option<(Field, ArrayRef)> {
    let mut text = String::new();
    let mut number = |token: &str| {
        // The same reading as of the whole line: it may differ from others in the last bit.
        let number: f64 = serde_json::from_str(token).ok()?;
        text.clear();
        write_real(&mut text, number, form);
        // Larger whole numbers are read as integers, which a float does not hold.
        let is_held = form == FORM_POINT || number.fract() != 0.0 || number.abs() < 9e15;
        (is_held && text == token).then_some(number)
    };
    let numbers =
        values.iter().map(|token| token.map(&mut number).map_or(Some(None), |n| n.map(Some)));
    let array: ArrayRef = Arc::new(numbers.collect::<Option<Float64Array>>()?);
    let field = Field::new(name, array.data_type().clone(), true);
    let form = HashMap::from([(FORM.to_owned(), form.to_owned())]);
    Some((field.with_metadata(form), array))
}

fn write_integer(text: &mut String, number: i64) {
    use std::fmt::Write;
    text.clear();
    // Writing to a text cannot fail.
    let _written = write!(text, "{number}");
}

/// Adds a number in one of the two forms.
pub(super) fn write_real(text: &mut String, number: f64, form: &str) {
    use std::fmt::Write;
    let _written =
        if form == FORM_POINT { write!(text, "{number:?}") } else { write!(text, "{number}") };
}

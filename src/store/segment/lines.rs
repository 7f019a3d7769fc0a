use std::borrow::Cow;
use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow_schema::{DataType, Schema};

use super::shape::Shape;
use super::shred::{FIELD_PREFIX, FORM, FORM_POINT, FORM_SHORT, MESSAGE, SHAPE, write_real};
use crate::query::insights::Field;
use crate::store::codec::Fault;

/// The values of one field of many lines.
#[derive(Clone, Debug)]
pub(in crate::store) enum Values {
    Texts(StringArray),
    /// Texts that repeat themselves: numbers, and what each stands for.
    Coded(DictionaryArray<Int32Type>, StringArray),
    Integers(Int64Array),
    Reals(Float64Array, &'static str),
}

impl Values {
    /// The values of a column; `form` is what its schema says of numbers.
    pub(in crate::store) fn read(array: &ArrayRef, form: Option<&str>) -> Result<Self, Fault> {
        Ok(match array.data_type() {
            DataType::Utf8 => Self::Texts(array.as_string::<i32>().clone()),
            DataType::Dictionary(..) => {
                let coded = array.as_dictionary_opt::<Int32Type>().ok_or(Fault::Value)?;
                let texts = coded.values().as_string_opt::<i32>().ok_or(Fault::Value)?;
                Self::Coded(coded.clone(), texts.clone())
            }
            DataType::Int64 => Self::Integers(array.as_primitive::<Int64Type>().clone()),
            DataType::Float64 => {
                let form = if form == Some(FORM_POINT) { FORM_POINT } else { FORM_SHORT };
                Self::Reals(array.as_primitive::<Float64Type>().clone(), form)
            }
            _ => return Err(Fault::Value),
        })
    }

    /// A number as its text is read: without a point it is a whole one.
    #[expect(clippy::cast_possible_truncation, reason = "columns hold no larger whole numbers")]
    pub(in crate::store) fn real(number: f64, form: &str) -> Field<'static> {
        let is_whole = form == FORM_SHORT && number.fract() == 0.0;
        // A negative zero is read as a float.
        if is_whole && !(number == 0.0 && number.is_sign_negative()) {
            return Field::Integer(number as i64);
        }
        Field::Real(number)
    }

    /// The code of a row among the texts of `Coded`.
    pub(in crate::store) fn code(coded: &DictionaryArray<Int32Type>, row: usize) -> Option<usize> {
        coded.keys().is_valid(row).then(|| usize::try_from(coded.keys().value(row)).ok()).flatten()
    }

    /// The text of a row, when it holds texts.
    pub(in crate::store) fn text(&self, row: usize) -> Option<&str> {
        match self {
            Self::Texts(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::Coded(coded, texts) => {
                let code = Self::code(coded, row)?;
                (code < texts.len()).then(|| texts.value(code))
            }
            Self::Integers(_) | Self::Reals(..) => None,
        }
    }

    fn write(&self, row: usize, line: &mut String) -> Option<()> {
        match self {
            Self::Integers(numbers) => {
                // Writing to a text cannot fail.
                numbers.is_valid(row).then(|| write!(line, "{}", numbers.value(row)).ok())?
            }
            Self::Reals(numbers, form) => {
                numbers.is_valid(row).then(|| write_real(line, numbers.value(row), form))
            }
            texts => texts.text(row).map(|text| line.push_str(text)),
        }
    }
}

/// Shapes of the lines of one row group.
#[derive(Debug)]
pub(in crate::store) struct Shapes {
    coded: DictionaryArray<Int32Type>,
    pub(in crate::store) texts: StringArray,
    read: Vec<Shape>,
}

impl Shapes {
    pub(in crate::store) fn read(array: &ArrayRef) -> Result<Self, Fault> {
        let Values::Coded(coded, texts) = Values::read(array, None)? else {
            return Err(Fault::Value);
        };
        let read = texts.iter().map(|text| Shape::read(text.unwrap_or_default()));
        let read = read.collect::<Option<Vec<_>>>().ok_or(Fault::Value)?;
        Ok(Self { coded, texts, read })
    }

    /// The number of the shape of a line; `None` for a whole one.
    pub(in crate::store) fn code(&self, row: usize) -> Option<usize> {
        Values::code(&self.coded, row)
    }

    pub(in crate::store) fn all(&self) -> &[Shape] {
        &self.read
    }

    /// Writes the line of a row out of its shape and fields.
    pub(in crate::store) fn write<'v>(
        &self,
        row: usize,
        line: &mut String,
        values: impl Fn(&str) -> Option<&'v Values>,
    ) -> Result<(), Fault> {
        let shape = self.code(row).and_then(|code| self.read.get(code)).ok_or(Fault::Value)?;
        let mut pieces = shape.pieces.iter();
        line.push_str(pieces.next().map_or("", String::as_str));
        for (slot, piece) in shape.slots.iter().zip(pieces) {
            let values = values(&slot.path).ok_or(Fault::Value)?;
            values.write(row, line).ok_or(Fault::Value)?;
            line.push_str(piece);
        }
        Ok(())
    }
}

/// The whole lines of a batch, cut ones put back.
pub(super) struct WholeLines {
    whole: StringArray,
    shapes: Option<Shapes>,
    fields: Vec<(String, Values)>,
}

impl WholeLines {
    pub(super) fn read(batch: &RecordBatch) -> Result<Self, Fault> {
        let whole = batch.column_by_name(MESSAGE).ok_or(Fault::Value)?;
        let whole = whole.as_string_opt::<i32>().ok_or(Fault::Value)?.clone();
        let shapes = batch.column_by_name(SHAPE).map(Shapes::read).transpose()?;
        let mut fields = Vec::new();
        let schema = batch.schema();
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            if let Some(path) = field.name().strip_prefix(FIELD_PREFIX) {
                let form = form_of(&schema, field.name());
                fields.push((path.to_owned(), Values::read(array, form)?));
            }
        }
        Ok(Self { whole, shapes, fields })
    }

    pub(super) fn line(&self, row: usize) -> Result<Cow<'_, str>, Fault> {
        if self.whole.is_valid(row) {
            return Ok(Cow::Borrowed(self.whole.value(row)));
        }
        let mut line = String::new();
        let shapes = self.shapes.as_ref().ok_or(Fault::Value)?;
        let find =
            |path: &str| self.fields.iter().find(|(own, _)| own == path).map(|(_, values)| values);
        shapes.write(row, &mut line, find)?;
        Ok(Cow::Owned(line))
    }
}

/// How the numbers of a column are written.
pub(in crate::store) fn form_of<'s>(schema: &'s Schema, column: &str) -> Option<&'s str> {
    let (_, field) = schema.column_with_name(column)?;
    field.metadata().get(FORM).map(String::as_str)
}

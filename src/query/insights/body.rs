use std::borrow::Cow;
use std::fmt;

/// What a record says: its text and, where they are kept apart from it, its fields.
pub trait Body: fmt::Debug + Sync {
    /// The whole text.
    fn text(&self) -> Cow<'_, str>;

    /// What discovery finds at a path, when that is known without reading the text.
    fn field(&self, path: &str) -> Field<'_>;
}

/// A field of a record as the text wrote it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    /// Only the text can tell.
    Unknown,
    /// The record has no such field.
    Absent,
    /// What stands between the quotes of a JSON string, escapes as they were written.
    Quoted(&'a str),
    /// Any other JSON, as it was written.
    Bare(&'a str),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Real(f64),
}

impl Body for &str {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }

    fn field(&self, _path: &str) -> Field<'_> {
        Field::Unknown
    }
}

impl Body for String {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }

    fn field(&self, _path: &str) -> Field<'_> {
        Field::Unknown
    }
}

/// What `@ptr` shows; written out only where it is shown.
#[derive(Clone, Copy)]
pub struct Pointer<'a>(pub &'a (dyn fmt::Display + Sync));

impl fmt::Debug for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0, f)
    }
}

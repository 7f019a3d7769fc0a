use std::ops::Range;

use serde_json::Value as Json;

/// Stands in a shape where a value was cut out. Valid JSON holds no such byte.
pub(super) const HOLE: char = '\u{1a}';
/// Deeper objects are left whole.
const DEPTH_MAX: usize = 8;
/// Longer lines are left whole.
const LINE_MAX: usize = 16 * 1024;
/// Discovery stops at this many fields, so a line of more is left whole.
const FIELDS_MAX: usize = 200;

/// Cuts lines of JSON into their shape and the values in it; reused for its memory.
///
/// Put back in order, the values give the line byte for byte. What is cut is surely a JSON object;
/// what is in doubt (escapes in keys, odd numbers, deep nesting) is not cut.
#[derive(Debug, Default)]
pub(super) struct Cut {
    /// The line with a hole for each value.
    pub(super) shape: String,
    /// The values in order, as places in the line.
    pub(super) holes: Vec<Range<usize>>,
    copied: usize,
}

impl Cut {
    /// Cuts a line; `false` when it must stay whole.
    pub(super) fn cut(&mut self, line: &str) -> bool {
        self.shape.clear();
        self.holes.clear();
        self.copied = 0;
        if line.len() > LINE_MAX || !line.starts_with('{') {
            return false;
        }
        let mut cursor = Cursor { line, at: 0 };
        if self.object(&mut cursor, 0).is_none() || cursor.at != line.len() {
            return false;
        }
        self.shape.push_str(line.get(self.copied..).unwrap_or_default());
        self.holes.len() <= FIELDS_MAX
    }

    fn object(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        cursor.take(b'{')?;
        cursor.skip_space();
        if cursor.peek()? == b'}' {
            return cursor.take(b'}');
        }
        loop {
            cursor.skip_space();
            let key = cursor.string()?;
            if cursor.line.get(key)?.contains('\\') {
                return None;
            }
            cursor.skip_space();
            cursor.take(b':')?;
            cursor.skip_space();
            self.value(cursor, depth)?;
            cursor.skip_space();
            if cursor.peek()? == b'}' {
                return cursor.take(b'}');
            }
            cursor.take(b',')?;
        }
    }

    fn value(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Option<()> {
        let hole = match cursor.peek()? {
            b'{' => return self.object(cursor, depth + 1),
            b'"' => {
                let inner = cursor.string()?;
                let text = cursor.line.get(inner.clone())?;
                let token = cursor.line.get(inner.start - 1..=inner.end)?;
                let is_plain = !text.contains('\\');
                if !is_plain && serde_json::from_str::<String>(token).is_err() {
                    return None;
                }
                inner
            }
            b'[' => cursor.array()?,
            _ => cursor.bare()?,
        };
        self.shape.push_str(cursor.line.get(self.copied..hole.start)?);
        self.shape.push(HOLE);
        self.copied = hole.end;
        self.holes.push(hole);
        Some(())
    }
}

struct Cursor<'l> {
    line: &'l str,
    at: usize,
}

impl Cursor<'_> {
    fn rest(&self) -> &[u8] {
        self.line.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn skip_space(&mut self) {
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += self.rest().iter().take_while(is_space).count();
    }

    /// What stands between the quotes of a string.
    fn string(&mut self) -> Option<Range<usize>> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            let found = memchr::memchr2(b'"', b'\\', self.rest())?;
            let is_end = self.rest().get(found) == Some(&b'"');
            self.at += found + if is_end { 1 } else { 2 };
            if is_end {
                let inner = start..self.at - 1;
                let has_control = self.line.as_bytes().get(inner.clone())?.iter().any(|b| *b < 32);
                return (!has_control).then_some(inner);
            }
        }
    }

    /// A whole array, valid as JSON.
    fn array(&mut self) -> Option<Range<usize>> {
        let (start, mut depth) = (self.at, 0);
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth > 32 {
                return None;
            }
            if depth == 0 {
                let token = self.line.get(start..self.at)?;
                serde_json::from_str::<serde::de::IgnoredAny>(token).ok()?;
                return Some(start..self.at);
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn bare(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let is_part = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.');
        self.at += self.rest().iter().take_while(is_part).count();
        let token = self.line.get(start..self.at)?;
        let is_short_number = token.len() < 18
            && !(token.starts_with('0') && token.len() > 1)
            && token.bytes().all(|byte| byte.is_ascii_digit())
            && !token.is_empty();
        let is_valid = is_short_number || serde_json::from_str::<Json>(token).is_ok();
        is_valid.then_some(start..self.at)
    }
}

/// One shape, read: what stands between its holes and which field each hole is.
#[derive(Debug)]
pub(in crate::store) struct Shape {
    pub(super) pieces: Vec<String>,
    pub(super) slots: Vec<Slot>,
    /// Paths of the objects in it.
    objects: Vec<String>,
}

/// One hole of a shape.
#[derive(Clone, Debug)]
pub(in crate::store) struct Slot {
    pub(super) path: String,
    pub(super) is_quoted: bool,
}

/// Where a shape has a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Place {
    Absent,
    /// It is an object, or inside of a list: only the text can tell.
    Inside,
    Slot {
        is_quoted: bool,
    },
}

impl Shape {
    /// Reads a shape; `None` when its fields cannot be told apart by their paths.
    pub(super) fn read(shape: &str) -> Option<Self> {
        let pieces: Vec<String> = shape.split(HOLE).map(str::to_owned).collect();
        let mut filled = String::with_capacity(shape.len());
        for (number, piece) in pieces.iter().enumerate() {
            if number > 0 {
                filled.push(if filled.ends_with('"') { 'x' } else { '0' });
            }
            filled.push_str(piece);
        }
        let root: Json = serde_json::from_str(&filled).ok()?;
        let mut read = Self { pieces, slots: Vec::new(), objects: Vec::new() };
        read.walk(&root, "")?;
        let is_whole = read.slots.len() + 1 == read.pieces.len();
        is_whole.then_some(read)
    }

    fn walk(&mut self, node: &Json, path: &str) -> Option<()> {
        let Json::Object(members) = node else {
            self.slots.push(Slot { path: path.to_owned(), is_quoted: node.is_string() });
            return Some(());
        };
        for (key, below) in members {
            // A dot in a key would make two fields of one path.
            if key.is_empty() || key.contains('.') {
                return None;
            }
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            if below.is_object() {
                self.objects.push(path.clone());
            }
            self.walk(below, &path)?;
        }
        Some(())
    }

    /// Where a field stands.
    pub(in crate::store) fn place(&self, path: &str) -> Place {
        let is_below =
            |path: &str, of: &str| path.strip_prefix(of).is_some_and(|rest| rest.starts_with('.'));
        for slot in &self.slots {
            if slot.path == path {
                return Place::Slot { is_quoted: slot.is_quoted };
            }
            if is_below(path, &slot.path) {
                return Place::Inside;
            }
        }
        let is_object = self.objects.iter().any(|object| object == path);
        if is_object { Place::Inside } else { Place::Absent }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn put_back(line: &str) -> Option<String> {
        let mut cut = Cut::default();
        if !cut.cut(line) {
            return None;
        }
        let mut pieces = cut.shape.split(HOLE);
        let mut whole = pieces.next().unwrap().to_owned();
        for (hole, piece) in cut.holes.iter().zip(pieces) {
            whole.push_str(&line[hole.clone()]);
            whole.push_str(piece);
        }
        Some(whole)
    }

    #[test]
    fn objects_are_cut_and_anything_doubtful_stays_whole() {
        for line in [
            r#"{"a":1,"b":"x","c":{"d":true,"e":[1,"]"]},"f":"q\"uote","g":-1.5e3,"h":null}"#,
            r#"{ "a" : "" , "b" : 0.10 }"#,
            "{}",
        ] {
            assert_eq!(put_back(line).as_deref(), Some(line), "{line}");
        }
        for line in [
            "plain",
            "",
            "[1]",
            " {}",
            "{} ",
            "{\"a\":1",
            "{\"a\":01}",
            "{\"a\":1e999}",
            "{\"a\":\"\u{1}\"}",
            "{\"a\":tru}",
            "{\"a\":\"\\x\"}",
            "{\"a\":[1,]}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":}",
            "{\"a\\u0062\":1}",
        ] {
            assert_eq!(put_back(line), None, "{line}");
        }
    }

    #[test]
    fn a_shape_tells_where_fields_are() {
        let mut cut = Cut::default();
        assert!(cut.cut(r#"{"a":{"b":1,"n":{}},"list":[{"x":1}],"s":"t"}"#));
        let shape = Shape::read(&cut.shape).unwrap();
        for (path, place) in [
            ("a.b", Place::Slot { is_quoted: false }),
            ("s", Place::Slot { is_quoted: true }),
            ("a", Place::Inside),
            ("a.n", Place::Inside),
            ("list.0.x", Place::Inside),
            ("list", Place::Slot { is_quoted: false }),
            ("a.c", Place::Absent),
            ("b", Place::Absent),
        ] {
            assert_eq!(shape.place(path), place, "{path}");
        }
        for (line, is_read) in
            [(r#"{"a":1,"a":2}"#, false), (r#"{"a.b":1}"#, false), (r#"{"a":1}"#, true)]
        {
            assert!(cut.cut(line));
            assert_eq!(Shape::read(&cut.shape).is_some(), is_read, "{line}");
        }
    }

    proptest! {
        #[test]
        fn what_is_cut_is_json_and_comes_back(line in "[{}\\[\\]\",:0-9a-e.\\\\ -]{0,40}") {
            if let Some(whole) = put_back(&line) {
                prop_assert_eq!(&whole, &line);
                prop_assert!(serde_json::from_str::<Json>(&line).is_ok());
            }
        }
    }
}

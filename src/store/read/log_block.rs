use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMillisecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch, StringArray};
use memchr::memmem::Finder;

use super::super::codec::Fault;
use super::super::lsn::{Arrival, Lsn};
use super::super::recent::{LogKey, LogLine};
use super::super::segment::{
    FIELD_PREFIX, MESSAGE, PartReader, Place, SHAPE, Shapes, Values, form_of,
};
use super::log_wanted::{PointedAt, Wanted, record};
use crate::query::insights::{Body, Condition, Field, Pointer, Record};
use crate::time::Timestamp;

/// Lines of recent data.
pub(super) type RecentLines = Vec<(LogKey, LogLine)>;

/// Lines that passed a query's first filters, where they were found.
#[derive(Debug)]
pub(super) enum Block {
    Recent(Vec<(LogKey, Arc<str>, LogLine)>),
    Segment(Box<SegmentLines>, Vec<usize>),
}

/// A block and what was looked at to get it.
#[derive(Debug)]
pub(super) struct Examined {
    pub(super) block: Block,
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

impl Examined {
    /// Filters lines of recent data.
    pub(super) fn recent(lines: RecentLines, wanted: &Wanted) -> Self {
        let named = lines.into_iter().filter_map(|(key, line)| {
            wanted.streams.get(&line.stream).map(|stream| (key, Arc::clone(stream), line))
        });
        let mut kept: Vec<(LogKey, Arc<str>, LogLine)> = named.collect();
        let bytes = kept.iter().map(|(.., line)| line.message.len() as u64).sum();
        let lines = kept.len() as u64;
        for (.., line) in &mut kept {
            if let Cow::Owned(masked) = wanted.masked(line.received, Cow::Borrowed(&line.message)) {
                line.message = masked.into();
            }
        }
        let texts = wanted.admission.conditions().iter().filter_map(Condition::text);
        let needles: Vec<Finder<'_>> =
            texts.filter(|text| is_told_by_its_bytes(text)).map(Finder::new).collect();
        kept.retain(|(key, stream, line)| {
            if !needles.iter().all(|needle| may_hold(&line.message, needle)) {
                return false;
            }
            let (id, body) = (PointedAt(wanted, *key), &*line.message);
            let facts = (key.at, line.received, &**stream);
            wanted.admission.admits(&record(wanted, facts, &body, &id))
        });
        Self { block: Block::Recent(kept), lines, bytes }
    }

    /// Filters the lines of one row group, column by column.
    pub(super) fn segment(
        part: PartReader,
        raw_bytes: u64,
        wanted: &Wanted,
    ) -> Result<Self, Fault> {
        let (lines, mut rows) = SegmentLines::open(part, wanted)?;
        let (all, read) = (lines.part.rows.max(1) as u64, rows.len() as u64);
        for condition in wanted.admission.conditions() {
            if rows.is_empty() {
                break;
            }
            lines.filter(wanted, condition, &mut rows)?;
        }
        // Rows are of about one size, and those outside of the range were not looked at.
        let bytes = raw_bytes / all * read;
        Ok(Self { block: Block::Segment(Box::new(lines), rows), lines: read, bytes })
    }
}

/// Whether a field can be this text only in lines that hold its bytes, or an escape.
///
/// The text of an object or a list need not be written as the line writes it.
fn is_told_by_its_bytes(text: &str) -> bool {
    !text.is_empty() && !text.contains(['{', '[', '"', '\\'])
}

fn may_hold(line: &str, needle: &Finder<'_>) -> bool {
    needle.find(line.as_bytes()).is_some() || memchr::memchr(b'\\', line.as_bytes()).is_some()
}

impl Block {
    /// Hands every line to `visit`, in order or backwards.
    pub(super) fn for_each<E>(
        &self,
        wanted: &Wanted,
        backwards: bool,
        mut visit: impl FnMut(&Record<'_>) -> Result<(), E>,
    ) -> Result<Result<(), E>, Fault> {
        let count = match self {
            Self::Recent(lines) => lines.len(),
            Self::Segment(_, rows) => rows.len(),
        };
        for number in 0..count {
            let number = if backwards { count - 1 - number } else { number };
            let done = match self {
                Self::Recent(lines) => {
                    let Some((key, stream, line)) = lines.get(number) else { break };
                    let (id, body) = (PointedAt(wanted, *key), &*line.message);
                    let facts = (key.at, line.received, &**stream);
                    visit(&record(wanted, facts, &body, &id))
                }
                Self::Segment(lines, rows) => {
                    let Some(row) = rows.get(number) else { break };
                    lines.with_record(wanted, *row, &mut visit)?
                }
            };
            if done.is_err() {
                return Ok(done);
            }
        }
        if let Self::Segment(lines, _) = self
            && let Some(fault) = lines.fault.get()
        {
            return Err(*fault);
        }
        Ok(Ok(()))
    }
}

/// Lines of one row group; columns are decoded when they are first asked for.
pub(super) struct SegmentLines {
    part: PartReader,
    own: RecordBatch,
    order: OnceLock<Result<RecordBatch, Fault>>,
    whole: OnceLock<Result<StringArray, Fault>>,
    shapes: Option<Shapes>,
    /// By the number of its column.
    fields: Vec<(String, OnceLock<Result<Values, Fault>>)>,
    /// For each wanted field, where each shape has it and the number of its column.
    places: Vec<(Vec<Place>, Option<usize>)>,
    /// A column that could not be decoded: then nothing of this block may be used.
    fault: OnceLock<Fault>,
}

impl fmt::Debug for SegmentLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentLines").field("rows", &self.part.rows).finish_non_exhaustive()
    }
}

impl SegmentLines {
    /// Opens a row group; gives the rows of it that are wanted.
    fn open(part: PartReader, wanted: &Wanted) -> Result<(Self, Vec<usize>), Fault> {
        let own = part.columns(Some(&["group_id", "stream_id", "timestamp", "ingestion_time"]))?;
        let has_shapes = part.schema().column_with_name(SHAPE).is_some();
        let shapes = has_shapes.then(|| {
            let batch = part.columns(Some(&[SHAPE]))?;
            Shapes::read(batch.columns().first().ok_or(Fault::Value)?)
        });
        let shapes = shapes.transpose()?;
        let names = part.schema().fields().iter().map(|field| field.name());
        let fields: Vec<(String, OnceLock<_>)> = names
            .filter_map(|name| name.strip_prefix(FIELD_PREFIX))
            .map(|path| (path.to_owned(), OnceLock::new()))
            .collect();
        let place = |name: &Arc<str>| {
            let shapes = shapes.iter().flat_map(|shapes| shapes.all());
            let column = fields.iter().position(|(path, _)| **path == **name);
            (shapes.map(|shape| shape.place(name)).collect(), column)
        };
        let places = wanted.fields.iter().map(place).collect();
        let (order, whole, fault) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        let lines = Self { part, own, order, whole, shapes, fields, places, fault };
        let rows = lines.wanted_rows(wanted)?;
        Ok((lines, rows))
    }

    fn wanted_rows(&self, wanted: &Wanted) -> Result<Vec<usize>, Fault> {
        let groups = numbers(&self.own, "group_id")?;
        let streams = numbers(&self.own, "stream_id")?;
        let times = self.times()?;
        let (lo, hi) = (wanted.lo.at.as_millis(), wanted.hi.at.as_millis());
        let mut last_stream = None;
        let is_wanted = |row: &usize| {
            let (at, stream) = (times.value(*row), streams.value(*row));
            if groups.value(*row) != wanted.group || at < lo || at >= hi {
                return false;
            }
            let known = match last_stream {
                Some((last, known)) if last == stream => known,
                _ => wanted.streams.contains_key(&stream),
            };
            last_stream = Some((stream, known));
            known
        };
        Ok((0..self.part.rows).filter(is_wanted).collect())
    }

    fn times(&self) -> Result<&arrow_array::TimestampMillisecondArray, Fault> {
        let column = self.own.column_by_name("timestamp").ok_or(Fault::Value)?;
        column.as_primitive_opt::<TimestampMillisecondType>().ok_or(Fault::Value)
    }

    /// Keeps the rows that meet a condition.
    fn filter(
        &self,
        wanted: &Wanted,
        condition: &Condition,
        rows: &mut Vec<usize>,
    ) -> Result<(), Fault> {
        if wanted.mask.is_some() {
            return self.filter_by_record(wanted, condition, rows);
        }
        if let Some(name) = condition.field()
            && let Some(at) = wanted.fields.iter().position(|field| **field == *name)
        {
            return self.filter_by_field(wanted, (condition, at), rows);
        }
        if let Some(needle) = condition.needle()
            && is_inside_values(needle)
        {
            return self.filter_by_needle(needle, rows);
        }
        self.filter_by_record(wanted, condition, rows)
    }

    fn filter_by_record(
        &self,
        wanted: &Wanted,
        condition: &Condition,
        rows: &mut Vec<usize>,
    ) -> Result<(), Fault> {
        let mut fault = None;
        rows.retain(|row| {
            let holds = self
                .with_record(wanted, *row, &mut |record| wanted.admission.holds(condition, record));
            holds.unwrap_or_else(|found| {
                fault = Some(found);
                false
            })
        });
        fault.map_or(Ok(()), Err)
    }

    /// Tries a condition on one field: once for each value that repeats itself.
    fn filter_by_field(
        &self,
        wanted: &Wanted,
        (condition, at): (&Condition, usize),
        rows: &mut Vec<usize>,
    ) -> Result<(), Fault> {
        let (Some(shapes), Some((places, column))) = (&self.shapes, self.places.get(at)) else {
            return self.filter_by_record(wanted, condition, rows);
        };
        let values = column.map(|column| self.values(column)).transpose()?;
        let holds = |field: Field<'_>| holds_for(wanted, condition, field);
        let is_absent_held = holds(Field::Absent);
        let mut tried = Tried::default();
        let (mut kept, mut others) = (Vec::new(), Vec::new());
        for row in rows.iter().copied() {
            let place = shapes.code(row).and_then(|code| places.get(code));
            let is_held = match (place, values) {
                (Some(Place::Absent), _) => is_absent_held,
                (Some(Place::Slot { is_quoted }), Some(values)) => {
                    tried.holds(values, (row, *is_quoted), condition.text(), holds)
                }
                _ => {
                    others.push(row);
                    continue;
                }
            };
            if is_held {
                kept.push(row);
            }
        }
        self.filter_by_record(wanted, condition, &mut others)?;
        *rows = kept;
        if !others.is_empty() {
            rows.append(&mut others);
            rows.sort_unstable();
        }
        Ok(())
    }

    /// Keeps the rows whose text holds a needle that lies inside of a shape or of one value.
    fn filter_by_needle(&self, needle: &str, rows: &mut Vec<usize>) -> Result<(), Fault> {
        let finder = Finder::new(needle);
        let finds = |text: &str| finder.find(text.as_bytes()).is_some();
        let shapes = self.shapes.as_ref();
        let in_shape: Vec<bool> = shapes
            .map(|shapes| shapes.texts.iter().map(|text| text.is_some_and(finds)).collect())
            .unwrap_or_default();
        let mut is_found = vec![false; self.part.rows];
        let has_whole = rows.iter().any(|row| shapes.and_then(|s| s.code(*row)).is_none());
        let whole = if has_whole { Some(self.whole()?) } else { None };
        for row in rows.iter() {
            let found = match shapes.and_then(|shapes| shapes.code(*row)) {
                Some(code) => in_shape.get(code).copied().unwrap_or_default(),
                None => whole.is_some_and(|whole| whole.is_valid(*row) && finds(whole.value(*row))),
            };
            if let Some(slot) = is_found.get_mut(*row) {
                *slot = found;
            }
        }
        for column in 0..self.fields.len() {
            let values = self.values(column)?;
            let coded: Vec<bool> = match values {
                Values::Coded(_, texts) => texts.iter().map(|t| t.is_some_and(finds)).collect(),
                _ => Vec::new(),
            };
            for row in rows.iter() {
                let Some(slot) = is_found.get_mut(*row).filter(|found| !**found) else { continue };
                *slot = match values {
                    Values::Texts(texts) => texts.is_valid(*row) && finds(texts.value(*row)),
                    Values::Coded(codes, _) => Values::code(codes, *row)
                        .is_some_and(|code| coded.get(code).copied().unwrap_or_default()),
                    // A needle that is looked for here is no part of a number.
                    Values::Integers(_) | Values::Reals(..) => false,
                };
            }
        }
        rows.retain(|row| is_found.get(*row).copied().unwrap_or_default());
        Ok(())
    }

    fn with_record<R>(
        &self,
        wanted: &Wanted,
        row: usize,
        visit: &mut impl FnMut(&Record<'_>) -> R,
    ) -> Result<R, Fault> {
        let streams = numbers(&self.own, "stream_id")?;
        let stream = wanted.streams.get(&streams.value(row)).ok_or(Fault::Value)?;
        let received = self.own.column_by_name("ingestion_time").ok_or(Fault::Value)?;
        let received = received.as_primitive_opt::<TimestampMillisecondType>();
        let received = Timestamp::from_millis(received.ok_or(Fault::Value)?.value(row));
        let at = Timestamp::from_millis(self.times()?.value(row));
        let id = SegmentLineId { lines: self, wanted, at, row };
        let line = Line { lines: self, wanted, received, row };
        Ok(visit(&Record {
            timestamp: at,
            ingestion_time: received,
            body: &line,
            log: &wanted.log,
            stream,
            pointer: Pointer(&id),
        }))
    }

    fn values(&self, column: usize) -> Result<&Values, Fault> {
        let (path, values) = self.fields.get(column).ok_or(Fault::Value)?;
        let read = || {
            let name = format!("{FIELD_PREFIX}{path}");
            let batch = self.part.columns(Some(&[&name]))?;
            let array = batch.columns().first().ok_or(Fault::Value)?;
            Values::read(array, form_of(self.part.schema(), &name))
        };
        values.get_or_init(read).as_ref().map_err(|fault| *fault)
    }

    fn whole(&self) -> Result<&StringArray, Fault> {
        let read = || {
            let batch = self.part.columns(Some(&[MESSAGE]))?;
            let array = batch.columns().first().ok_or(Fault::Value)?;
            array.as_string_opt::<i32>().cloned().ok_or(Fault::Value)
        };
        self.whole.get_or_init(read).as_ref().map_err(|fault| *fault)
    }

    fn arrival(&self, row: usize) -> Result<Arrival, Fault> {
        let order = self.order.get_or_init(|| self.part.columns(Some(&["lsn", "ordinal"])));
        let order = order.as_ref().map_err(|fault| *fault)?;
        let ordinal = order.column_by_name("ordinal").ok_or(Fault::Value)?;
        let ordinal = ordinal.as_primitive_opt::<UInt32Type>().ok_or(Fault::Value)?.value(row);
        Ok(Arrival { lsn: Lsn::new(numbers(order, "lsn")?.value(row)), ordinal })
    }

    /// The text of a row, cut ones put back.
    fn text(&self, row: usize) -> Result<Cow<'_, str>, Fault> {
        match &self.shapes {
            Some(shapes) if shapes.code(row).is_some() => {
                let mut line = String::new();
                let find = |path: &str| {
                    let column = self.fields.iter().position(|(own, _)| own == path)?;
                    self.values(column).ok()
                };
                shapes.write(row, &mut line, find)?;
                Ok(Cow::Owned(line))
            }
            _ => {
                let whole = self.whole()?;
                if !whole.is_valid(row) {
                    return Err(Fault::Value);
                }
                Ok(Cow::Borrowed(whole.value(row)))
            }
        }
    }

    fn field(&self, wanted: &Wanted, row: usize, path: &str) -> Result<Field<'_>, Fault> {
        let Some(shapes) = &self.shapes else { return Ok(Field::Unknown) };
        let Some(code) = shapes.code(row) else { return Ok(Field::Unknown) };
        let at = wanted.fields.iter().position(|field| **field == *path);
        let Some((places, column)) = at.and_then(|at| self.places.get(at)) else {
            return Ok(Field::Unknown);
        };
        Ok(match (places.get(code), column) {
            (Some(Place::Absent), _) => Field::Absent,
            (Some(Place::Slot { is_quoted }), Some(column)) => {
                field_of(self.values(*column)?, row, *is_quoted)
            }
            _ => Field::Unknown,
        })
    }

    fn or_fault<T>(&self, outcome: Result<T, Fault>, otherwise: T) -> T {
        outcome.unwrap_or_else(|fault| {
            let _first = self.fault.set(fault);
            otherwise
        })
    }
}

fn numbers<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b arrow_array::UInt64Array, Fault> {
    let column = batch.column_by_name(name).ok_or(Fault::Value)?;
    column.as_primitive_opt::<UInt64Type>().ok_or(Fault::Value)
}

fn field_of(values: &Values, row: usize, is_quoted: bool) -> Field<'_> {
    match values {
        Values::Integers(numbers) => Field::Integer(numbers.value(row)),
        Values::Reals(numbers, form) => Values::real(numbers.value(row), form),
        texts => match texts.text(row) {
            Some(text) if is_quoted => Field::Quoted(text),
            Some(text) => Field::Bare(text),
            None => Field::Unknown,
        },
    }
}

/// Whether every occurrence of a needle in a cut line lies inside of its shape or of one value.
///
/// A value between quotes ends at them, so a needle without one cannot reach into it from outside;
/// and what lies outside of quotes is made of these few characters.
fn is_inside_values(needle: &str) -> bool {
    let is_bare = |c: char| {
        c.is_ascii_digit() || c.is_ascii_whitespace() || "+-.eEtruefalsn:,{}[]".contains(c)
    };
    !needle.contains(['"', '\u{1a}']) && !needle.chars().all(is_bare)
}

/// What a condition said of values that it was tried on.
#[derive(Default)]
struct Tried {
    /// By code, then whether the value stands between quotes.
    coded: Vec<[Option<bool>; 2]>,
    integers: HashMap<i64, bool>,
}

impl Tried {
    fn holds(
        &mut self,
        values: &Values,
        (row, is_quoted): (usize, bool),
        equal_to: Option<&str>,
        holds: impl Fn(Field<'_>) -> bool,
    ) -> bool {
        /// BOUND: further values are tried each time.
        const INTEGERS_MAX: usize = 10_000;
        match (values, equal_to) {
            (Values::Coded(codes, texts), _) => {
                self.coded.resize(texts.len(), [None; 2]);
                let slot = Values::code(codes, row).and_then(|code| self.coded.get_mut(code));
                let Some(slot) = slot.and_then(|slot| slot.get_mut(usize::from(is_quoted))) else {
                    return holds(field_of(values, row, is_quoted));
                };
                *slot.get_or_insert_with(|| holds(field_of(values, row, is_quoted)))
            }
            (Values::Integers(numbers), _) => {
                let number = numbers.value(row);
                if let Some(held) = self.integers.get(&number) {
                    return *held;
                }
                let held = holds(Field::Integer(number));
                if self.integers.len() < INTEGERS_MAX {
                    self.integers.insert(number, held);
                }
                held
            }
            (Values::Texts(texts), Some(text)) if is_quoted => {
                let value = texts.value(row);
                value == text || (value.contains('\\') && holds(Field::Quoted(value)))
            }
            _ => holds(field_of(values, row, is_quoted)),
        }
    }
}

fn holds_for(wanted: &Wanted, condition: &Condition, field: Field<'_>) -> bool {
    let body = OneField(field);
    let nowhere = LogKey { at: Timestamp::EPOCH, arrival: Arrival::default() };
    let facts = (Timestamp::EPOCH, Timestamp::EPOCH, "");
    wanted.admission.holds(condition, &record(wanted, facts, &body, &PointedAt(wanted, nowhere)))
}

/// A record of which only one field is ever asked.
#[derive(Debug)]
struct OneField<'f>(Field<'f>);

impl Body for OneField<'_> {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn field(&self, _path: &str) -> Field<'_> {
        self.0
    }
}

/// One line of a row group.
#[derive(Debug)]
struct Line<'l> {
    lines: &'l SegmentLines,
    wanted: &'l Wanted,
    received: Timestamp,
    row: usize,
}

impl Body for Line<'_> {
    fn text(&self) -> Cow<'_, str> {
        let text = self.lines.or_fault(self.lines.text(self.row), Cow::Borrowed(""));
        self.wanted.masked(self.received, text)
    }

    fn field(&self, path: &str) -> Field<'_> {
        if self.wanted.mask.is_some() {
            return Field::Unknown;
        }
        self.lines.or_fault(self.lines.field(self.wanted, self.row, path), Field::Unknown)
    }
}

struct SegmentLineId<'l> {
    lines: &'l SegmentLines,
    wanted: &'l Wanted,
    at: Timestamp,
    row: usize,
}

impl fmt::Display for SegmentLineId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrival = self.lines.or_fault(self.lines.arrival(self.row), Arrival::default());
        PointedAt(self.wanted, LogKey { at: self.at, arrival }).fmt(f)
    }
}

//! Runs a query: records in, rows out.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value as Json;

use super::ast::{Command, Expression, Item, SortKey};
use super::evaluate::Scope;
use super::groups::Groups;
use super::raw::Rows;
use super::row::{Record, Row};
use super::shape;
use super::similar::Patterns;
use super::value::Value;
use super::{Context, InsightsError, Query};
use crate::time::Timestamp;

/// Rows and groups held at once.
pub(super) const ROWS_MAX: usize = 1_000_000;
/// Source: StartQuery, rows without a limit.
pub(super) const LIMIT_DEFAULT: usize = 10_000;

/// What a query gives back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Rows of `(field, value)`; fields without a value are left out.
    pub rows: Vec<Vec<(String, String)>>,
    /// Records fed.
    pub records_scanned: u64,
    /// Records that passed the filters.
    pub records_matched: u64,
    /// Bytes of their messages.
    pub bytes_scanned: u64,
}

/// A running query.
#[derive(Debug)]
pub struct Execution {
    query: Arc<Query>,
    context: Context,
    /// The commands before this one work on one record at a time.
    streamed: usize,
    sink: Sink,
    outcome: Outcome,
}

/// What becomes of the records that pass the streamed commands.
#[derive(Debug)]
enum Sink {
    Groups(Groups),
    Patterns(Patterns),
    Rows(Rows),
}

impl Query {
    /// Starts a run.
    pub fn start(&self, context: Context) -> Execution {
        let streams = |command: &Command| {
            matches!(
                command,
                Command::Fields(_)
                    | Command::Display(_)
                    | Command::Filter(_)
                    | Command::Parse(_)
                    | Command::Unnest { .. }
            )
        };
        let streamed = self.commands.iter().take_while(|command| streams(command)).count();
        let sink = match self.commands.get(streamed) {
            Some(Command::Stats(_)) => Sink::Groups(Groups::default()),
            Some(Command::Pattern(_)) => Sink::Patterns(Patterns::default()),
            _ => Sink::Rows(Rows::new(self, streamed, &context)),
        };
        Execution {
            query: Arc::new(self.clone()),
            context,
            streamed,
            sink,
            outcome: Outcome::default(),
        }
    }
}

impl Execution {
    /// Takes one record in.
    ///
    /// Errors: `TooLarge` when more rows, groups or values would be held than memory allows.
    pub fn push(&mut self, record: &Record<'_>) -> Result<(), InsightsError> {
        self.note_scanned(1, u64::try_from(record.body.text().len()).unwrap_or(0));
        self.take(0, record)
    }

    /// Takes one record in that passed [`Query::admission`]; `note_scanned` counts it.
    ///
    /// Errors: as of `push`.
    pub fn push_admitted(&mut self, record: &Record<'_>) -> Result<(), InsightsError> {
        self.take(self.query.leading_filters(), record)
    }

    /// Counts records that were looked at.
    pub const fn note_scanned(&mut self, records: u64, bytes: u64) {
        self.outcome.records_scanned += records;
        self.outcome.bytes_scanned += bytes;
    }

    /// Whether records should come newest first: then it may soon want no more.
    pub const fn wants_newest_first(&self) -> bool {
        matches!(&self.sink, Sink::Rows(rows) if rows.is_bounded())
    }

    /// Whether a record of this instant or an older one can still change the result.
    pub fn wants(&self, at: Timestamp) -> bool {
        !matches!(&self.sink, Sink::Rows(rows) if rows.has_enough_after(at))
    }

    fn take(&mut self, from: usize, record: &Record<'_>) -> Result<(), InsightsError> {
        let mut matched = false;
        self.stream(from, Row::of_record(record), &mut matched)?;
        self.outcome.records_matched += u64::from(matched);
        Ok(())
    }

    fn stream(
        &mut self,
        from: usize,
        mut row: Row<'_>,
        matched: &mut bool,
    ) -> Result<(), InsightsError> {
        let query = Arc::clone(&self.query);
        for (at, command) in query.commands.iter().enumerate().take(self.streamed).skip(from) {
            match command {
                Command::Unnest { list, into } => {
                    let items = match Scope::of(&row, &self.context).value(list) {
                        Value::Json(json) => match &*json {
                            Json::Array(items) => items.iter().map(Value::of_json).collect(),
                            _ => vec![Value::Json(json)],
                        },
                        other => vec![other],
                    };
                    for item in items {
                        let mut row = row.clone();
                        row.set(into, item);
                        self.stream(at + 1, row, matched)?;
                    }
                    return Ok(());
                }
                command => {
                    if !apply(command, &mut row, &self.context) {
                        return Ok(());
                    }
                }
            }
        }
        *matched = true;
        match (&mut self.sink, query.commands.get(self.streamed)) {
            (Sink::Groups(groups), Some(Command::Stats(stats))) => {
                groups.add(stats, &row, &self.context)
            }
            (Sink::Patterns(patterns), Some(Command::Pattern(text))) => {
                let text = Scope::of(&row, &self.context).value(text);
                patterns.add(&text.as_text().unwrap_or_default())
            }
            (Sink::Rows(rows), _) => rows.add(row, &self.context),
            (Sink::Groups(_) | Sink::Patterns(_), _) => Ok(()),
        }
    }

    /// Runs the commands that need all rows and gives the result.
    pub fn finish(self) -> Result<Outcome, InsightsError> {
        let Self { query, context, streamed, sink, mut outcome } = self;
        let mut table = match (sink, query.commands.get(streamed)) {
            (Sink::Groups(groups), Some(Command::Stats(stats))) => groups.finish(stats, &context),
            (Sink::Patterns(patterns), _) => Table::aggregated(patterns.finish()),
            (Sink::Rows(rows), _) => Table::raw(rows.finish()),
            (Sink::Groups(_), _) => Table::default(),
        };
        let consumed = usize::from(table.aggregated);
        let mut limit = context.limit.unwrap_or(LIMIT_DEFAULT);
        let mut columns = columns_of(query.commands.get(..streamed).unwrap_or_default());
        for command in query.commands.iter().skip(streamed + consumed) {
            match command {
                Command::Limit { count, .. } => limit = *count,
                command => table.apply(command, &context, &mut columns)?,
            }
        }
        table.rows.truncate(limit);
        outcome.rows = table.show(&columns);
        Ok(outcome)
    }
}

/// Applies a command that looks at one row; `false` drops the row.
fn apply(command: &Command, row: &mut Row<'_>, context: &Context) -> bool {
    match command {
        Command::Filter(condition) => return Scope::of(row, context).holds(condition),
        Command::Fields(items) | Command::Display(items) => {
            for item in items {
                // A plain field is looked up when it is shown.
                if !matches!(&item.expression, Expression::Field(name) if *name == item.name) {
                    let value = Scope::of(row, context).value(&item.expression);
                    row.set(&item.name, value);
                }
            }
        }
        Command::Parse(parse) => {
            let text = Scope::of(row, context).value(&parse.from);
            let text = text.as_text();
            let captures = text.as_deref().and_then(|text| parse.regex.captures(text));
            for (group, name) in &parse.names {
                let part = captures.as_ref().and_then(|captures| captures.get(*group));
                row.set(name, part.map_or(Value::Null, |part| Value::text(part.as_str())));
            }
        }
        _ => {}
    }
    true
}

/// The columns that a result shows: the last `display`, else all of `fields`.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    fields: Vec<Arc<str>>,
    display: Option<Vec<Arc<str>>>,
}

fn columns_of(commands: &[Command]) -> Columns {
    let mut columns = Columns::default();
    commands.iter().for_each(|command| columns.note(command));
    columns
}

impl Columns {
    fn note(&mut self, command: &Command) {
        let names = |items: &[Item]| items.iter().map(|item| Arc::clone(&item.name)).collect();
        match command {
            Command::Display(items) => self.display = Some(names(items)),
            Command::Fields(items) => {
                for item in items {
                    if !self.fields.contains(&item.name) {
                        self.fields.push(Arc::clone(&item.name));
                    }
                }
            }
            // A parse command adds its fields to what is shown.
            Command::Parse(parse) if !self.fields.is_empty() => {
                self.fields.extend(parse.names.iter().map(|(_, name)| Arc::clone(name)));
            }
            _ => {}
        }
    }
}

/// Finished rows, on which the later commands work.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) rows: Vec<Row<'static>>,
    pub(super) aggregated: bool,
}

impl Table {
    pub(super) const fn aggregated(rows: Vec<Row<'static>>) -> Self {
        Self { rows, aggregated: true }
    }

    const fn raw(rows: Vec<Row<'static>>) -> Self {
        Self { rows, aggregated: false }
    }

    fn apply(
        &mut self,
        command: &Command,
        context: &Context,
        columns: &mut Columns,
    ) -> Result<(), InsightsError> {
        match command {
            Command::Sort(keys) => sort(&mut self.rows, keys, context),
            Command::Dedup(fields) => dedup(&mut self.rows, fields),
            Command::Stats(stats) => {
                let mut groups = Groups::default();
                for row in &self.rows {
                    groups.add(stats, row, context)?;
                }
                *self = groups.finish(stats, context);
                *columns = Columns::default();
            }
            Command::Pattern(text) => {
                let mut patterns = Patterns::default();
                for row in &self.rows {
                    let text = Scope::of(row, context).value(text);
                    patterns.add(&text.as_text().unwrap_or_default())?;
                }
                *self = Self::aggregated(patterns.finish());
                *columns = Columns::default();
            }
            Command::Unnest { list, into } => {
                let rows = std::mem::take(&mut self.rows);
                for row in rows {
                    let items = match Scope::of(&row, context).value(list) {
                        Value::Json(json) => json.as_array().map_or_else(Vec::new, |items| {
                            items.iter().map(Value::of_json).collect()
                        }),
                        other => vec![other],
                    };
                    for item in items {
                        let mut row = row.clone();
                        row.set(into, item);
                        self.rows.push(row);
                    }
                }
            }
            Command::Shape(shape) => shape::apply(shape, self, context),
            command => {
                columns.note(command);
                self.rows.retain_mut(|row| apply(command, row, context));
            }
        }
        if self.rows.len() > ROWS_MAX {
            return Err(InsightsError::TooLarge { limit: ROWS_MAX, what: "rows" });
        }
        Ok(())
    }

    fn show(&self, columns: &Columns) -> Vec<Vec<(String, String)>> {
        self.rows.iter().map(|row| show_row(row, columns, self.aggregated)).collect()
    }
}

fn show_row(row: &Row<'_>, columns: &Columns, aggregated: bool) -> Vec<(String, String)> {
    let default: [Arc<str>; 2] = ["@timestamp".into(), "@message".into()];
    let all: Vec<Arc<str>> = row.computed().iter().map(|(name, _)| Arc::clone(name)).collect();
    let names: &[Arc<str>] = match &columns.display {
        Some(names) => names,
        None if aggregated => &all,
        None if columns.fields.is_empty() => &default,
        None => &columns.fields,
    };
    let present = names.iter().map(|name| (name, row.get(name))).filter(|(_, v)| !v.is_null());
    let mut shown: Vec<(String, String)> =
        present.map(|(name, value)| (name.to_string(), value.shown())).collect();
    if !aggregated && !names.iter().any(|name| &**name == "@ptr") {
        shown.push(("@ptr".to_owned(), row.get("@ptr").shown()));
    }
    shown
}

fn sort(rows: &mut [Row<'static>], keys: &[SortKey], context: &Context) {
    rows.sort_by_cached_key(|row| {
        let scope = Scope::of(row, context);
        keys.iter()
            .map(|key| (scope.value(&key.expression), key.descending))
            .map(Ordered)
            .collect::<Vec<_>>()
    });
}

/// A sort key: nulls last in both directions, everything else in natural order.
struct Ordered((Value, bool));

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> Ordering {
        let (Self((a, descending)), Self((b, _))) = (self, other);
        match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) if *descending => b.natural(a),
            (false, false) => a.natural(b),
        }
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}

fn dedup(rows: &mut Vec<Row<'static>>, fields: &[Arc<str>]) {
    let mut seen = HashSet::new();
    rows.retain(|row| {
        let key: Option<Vec<String>> = fields
            .iter()
            .map(|field| Some(row.get(field)).filter(|v| !v.is_null()).map(|v| v.shown()))
            .collect();
        // A row that lacks a key is no duplicate of anything.
        key.is_none_or(|key| seen.insert(key))
    });
}

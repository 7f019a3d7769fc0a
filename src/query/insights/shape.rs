//! Commands that reshape finished rows.
//!
//! Source: CloudWatch Logs User Guide, "Supported commands", row-shaping commands.

use std::collections::HashMap;
use std::sync::Arc;

use super::Context;
use super::ast::Shape;
use super::execute::Table;
use super::period::Period;
use super::row::Row;
use super::value::Value;
use crate::time::Timestamp;

/// Reshapes `table`.
pub(super) fn apply(shape: &Shape, table: &mut Table, context: &Context) {
    let rows = &mut table.rows;
    match shape {
        Shape::AddTotals { name, fields, row, column } => {
            add_totals(rows, (name, fields), *row, *column);
        }
        Shape::Accumulate { field, name } => {
            let mut sum = 0.0;
            for row in rows {
                if let Some(number) = row.get(field).number() {
                    sum += number;
                    row.set(name, Value::Number(sum));
                }
            }
        }
        Shape::AutoRegress { field, name, first, last } => {
            let before: Vec<Value> = rows.iter().map(|row| row.get(field)).collect();
            for (at, row) in rows.iter_mut().enumerate() {
                for lag in *first..=*last {
                    let value = at.checked_sub(lag).and_then(|at| before.get(at)).cloned();
                    let own = match name {
                        Some(name) if first == last => Arc::clone(name),
                        Some(name) => format!("{name}_p{lag}").into(),
                        None => format!("{field}_p{lag}").into(),
                    };
                    row.set(&own, value.unwrap_or_default());
                }
            }
        }
        Shape::CountFrequent(fields) => *table = count_frequent(rows, fields),
        Shape::FillDown(fields) => fill_down(rows, fields),
        Shape::FillMissing { value, fields } => fill_missing(rows, value.as_ref(), fields, context),
        Shape::Outlier { fields, remove, factor, lower, mark } => {
            let fence = Fence { remove: *remove, factor: *factor, lower: *lower, mark: *mark };
            fields.iter().for_each(|field| fence.apply(rows, field));
        }
        Shape::Sessionize { fields, span, name } => sessionize(rows, fields, *span, name),
    }
}

fn numeric_fields(row: &Row<'_>) -> Vec<Arc<str>> {
    let numeric = row.computed().iter().filter(|(_, value)| value.number().is_some());
    numeric.map(|(name, _)| Arc::clone(name)).collect()
}

fn add_totals(
    rows: &mut Vec<Row<'static>>,
    (name, fields): (&Arc<str>, &[Arc<str>]),
    per_row: bool,
    summary: bool,
) {
    let mut sums: Vec<(Arc<str>, f64)> = Vec::new();
    for row in rows.iter_mut() {
        let own = if fields.is_empty() { numeric_fields(row) } else { fields.to_vec() };
        let numbers = own.iter().filter_map(|field| Some((field, row.get(field).number()?)));
        let numbers: Vec<(&Arc<str>, f64)> = numbers.collect();
        for (field, number) in &numbers {
            match sums.iter_mut().find(|(known, _)| known == *field) {
                Some((_, sum)) => *sum += number,
                None => sums.push((Arc::clone(field), *number)),
            }
        }
        if per_row {
            row.set(name, Value::Number(numbers.iter().map(|(_, number)| number).sum()));
        }
    }
    if summary {
        rows.push(Row::of_values(
            sums.into_iter().map(|(f, sum)| (f, Value::Number(sum))).collect(),
        ));
    }
}

fn count_frequent(rows: &[Row<'static>], fields: &[Arc<str>]) -> Table {
    let mut counts: HashMap<Vec<String>, f64> = HashMap::new();
    for row in rows {
        let key = fields.iter().map(|field| row.get(field).shown()).collect();
        *counts.entry(key).or_default() += 1.0;
    }
    let mut counts: Vec<(Vec<String>, f64)> = counts.into_iter().collect();
    counts.sort_by(|(a, m), (b, n)| n.total_cmp(m).then_with(|| a.cmp(b)));
    let row = |(key, count): (Vec<String>, f64)| {
        let values = fields.iter().zip(key).map(|(f, v)| (Arc::clone(f), Value::text(&v)));
        let count = ("_approxcount".into(), Value::Number(count));
        Row::of_values(values.chain([count]).collect())
    };
    Table::aggregated(counts.into_iter().map(row).collect())
}

fn fill_down(rows: &mut [Row<'static>], fields: &[Arc<str>]) {
    let mut last: HashMap<Arc<str>, Value> = HashMap::new();
    let mut known: Vec<Arc<str>> = fields.to_vec();
    for row in rows {
        if fields.is_empty() {
            for (name, _) in row.computed() {
                if !known.contains(name) {
                    known.push(Arc::clone(name));
                }
            }
        }
        for field in &known {
            let value = row.get(field);
            if value.is_null() {
                if let Some(value) = last.get(field) {
                    row.set(field, value.clone());
                }
            } else {
                last.insert(Arc::clone(field), value);
            }
        }
    }
}

/// Inserts the buckets that `stats .. by bin(..)` had no rows for, at the smallest distance seen.
fn fill_missing(
    rows: &mut Vec<Row<'static>>,
    value: Option<&Value>,
    fields: &[Arc<str>],
    context: &Context,
) {
    // BOUND: as many buckets as a query returns rows.
    const BUCKETS_MAX: usize = 10_000;
    let Some((bucket, _)) = rows.first().and_then(|row| {
        row.computed().iter().find(|(_, value)| matches!(value, Value::Timestamp(_)))
    }) else {
        return;
    };
    let bucket = Arc::clone(bucket);
    let time = |row: &Row<'_>| match row.get(&bucket) {
        Value::Timestamp(at) => Some(at.as_millis()),
        _ => None,
    };
    let mut times: Vec<i64> = rows.iter().filter_map(time).collect();
    times.sort_unstable();
    times.dedup();
    let steps = times.iter().zip(times.iter().skip(1)).map(|(a, b)| b - a);
    let (Some(step), Some(first)) = (steps.min(), times.first()) else { return };
    let end = context.range.end.as_millis();
    let start = first - (first - context.range.start.as_millis()).max(0).div_euclid(step) * step;
    let mut at = start;
    for _ in 0..BUCKETS_MAX {
        if at >= end {
            break;
        }
        if times.binary_search(&at).is_err() {
            let own = (Arc::clone(&bucket), Value::Timestamp(Timestamp::from_millis(at)));
            let filled = fields.iter().map(|f| (Arc::clone(f), value.cloned().unwrap_or_default()));
            rows.push(Row::of_values(std::iter::once(own).chain(filled).collect()));
        }
        at += step;
    }
    rows.sort_by_key(|row| time(row));
}

struct Fence {
    remove: bool,
    factor: f64,
    lower: bool,
    mark: bool,
}

impl Fence {
    /// Values beyond the interquartile fence are held at it or dropped.
    fn apply(&self, rows: &mut Vec<Row<'static>>, field: &Arc<str>) {
        let mut numbers: Vec<f64> = rows.iter().filter_map(|row| row.get(field).number()).collect();
        numbers.sort_unstable_by(f64::total_cmp);
        let quartile = |share: usize| numbers.get(numbers.len() * share / 4).copied();
        let (Some(q1), Some(q3)) = (quartile(1), quartile(3)) else { return };
        let reach = self.factor * (q3 - q1);
        let low = if self.lower { q1 - reach } else { f64::NEG_INFINITY };
        let high = q3 + reach;
        rows.retain_mut(|row| {
            let Some(number) = row.get(field).number() else { return true };
            let outlies = number < low || number > high;
            if self.mark {
                row.set(&format!("{field}_outlier").into(), Value::Boolean(outlies));
            } else if outlies && !self.remove {
                row.set(field, Value::Number(number.clamp(low, high)));
            }
            !(outlies && self.remove)
        });
    }
}

/// Numbers the stretches of rows with equal fields that lie no further apart than `span`.
fn sessionize(rows: &mut [Row<'static>], fields: &[Arc<str>], span: Period, name: &Arc<str>) {
    let time = |row: &Row<'_>| match row.get("@timestamp") {
        Value::Timestamp(at) => at.as_millis(),
        _ => 0,
    };
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|at| rows.get(*at).map(time));
    let mut open: HashMap<Vec<String>, (i64, u32)> = HashMap::new();
    let mut next = 0;
    for at in order {
        let Some(row) = rows.get_mut(at) else { continue };
        let key: Vec<String> = fields.iter().map(|field| row.get(field).shown()).collect();
        let now = time(row);
        let session = match open.get(&key) {
            Some((last, session)) if now - last <= span.millis() => *session,
            _ => {
                next += 1;
                next
            }
        };
        open.insert(key, (now, session));
        row.set(name, Value::Number(f64::from(session)));
    }
}

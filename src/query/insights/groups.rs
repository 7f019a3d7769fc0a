use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::aggregate::{KEPT_MAX, State};
use super::ast::Stats;
use super::evaluate::Scope;
use super::execute::{ROWS_MAX, Table};
use super::row::Row;
use super::value::Value;
use super::{Context, InsightsError};

/// Groups of a stats command.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: HashMap<String, (Vec<Value>, Vec<State>), Xxh3DefaultBuilder>,
    /// The name of the group that is looked up, kept for its memory.
    name: String,
    values_kept: usize,
}

impl Groups {
    pub(super) fn add(
        &mut self,
        stats: &Stats,
        row: &Row<'_>,
        context: &Context,
    ) -> Result<(), InsightsError> {
        let scope = Scope { offset: stats.offset, ..Scope::of(row, context) };
        let keys: Vec<Value> = stats.keys.iter().map(|key| scope.value(&key.expression)).collect();
        self.name.clear();
        keys.iter().for_each(|key| write_name(&mut self.name, key));
        if !self.groups.contains_key(&self.name) {
            if self.groups.len() >= ROWS_MAX {
                return Err(InsightsError::TooLarge { limit: ROWS_MAX, what: "groups" });
            }
            let states = stats.aggregates.iter().map(|a| a.start()).collect();
            self.groups.insert(self.name.clone(), (keys, states));
        }
        let Some((_, states)) = self.groups.get_mut(&self.name) else { return Ok(()) };
        for (aggregate, state) in stats.aggregates.iter().zip(states) {
            self.values_kept += aggregate.add(state, &scope);
        }
        if self.values_kept > KEPT_MAX {
            return Err(InsightsError::TooLarge { limit: KEPT_MAX, what: "values" });
        }
        Ok(())
    }

    /// One row a group, by group key ascending. Without keys there is one row, also of nothing.
    pub(super) fn finish(mut self, stats: &Stats, context: &Context) -> Table {
        if stats.keys.is_empty() && self.groups.is_empty() {
            let states = stats.aggregates.iter().map(|a| a.start()).collect();
            self.groups.insert(String::new(), (Vec::new(), states));
        }
        let range = context.range.end.millis_since(context.range.start);
        #[expect(clippy::cast_precision_loss, reason = "a range is far below 2^52 ms")]
        let range_millis = range as f64;
        let mut groups: Vec<(Vec<Value>, Vec<State>)> = self.groups.into_values().collect();
        groups.sort_by(|(a, _), (b, _)| {
            let pairs = a.iter().zip(b).map(|(a, b)| a.natural(b));
            pairs.fold(Ordering::Equal, Ordering::then)
        });
        let rows = groups.into_iter().map(|(keys, states)| {
            let finished = stats.aggregates.iter().zip(states);
            let results: Vec<Value> = finished.map(|(a, s)| a.finish(s, range_millis)).collect();
            let names = stats.keys.iter().map(|key| Arc::clone(&key.name));
            let mut row = Row::of_values(names.zip(keys).collect());
            for item in &stats.items {
                // Later items may use the names of earlier ones.
                let scope = Scope { aggregates: &results, ..Scope::of(&row, context) };
                let value = scope.value(&item.expression);
                row.set(&item.name, value);
            }
            row
        });
        Table::aggregated(rows.collect())
    }
}

/// Adds a key to a group's name: equal names are equal keys, whatever stands beside them.
fn write_name(name: &mut String, key: &Value) {
    let before = name.len();
    match key {
        Value::Null => name.push('0'),
        Value::Text(text) => name.push_str(text),
        Value::Timestamp(at) => {
            // Writing to a text cannot fail.
            let _written = write!(name, "{}", at.as_millis());
        }
        other => name.push_str(&other.shown()),
    }
    let kind = match key {
        Value::Null => 'n',
        Value::Timestamp(_) => 't',
        _ => 'v',
    };
    let _written = write!(name, "{kind}{};", name.len() - before);
}

//! Variables, matrices and rows: what makes one run differ from another.

use std::sync::Arc;

use serde_json::Value;

use super::fields::Fields;
use super::reader::Reader;
use crate::canary::definition::{Combination, Variable};
use crate::canary::document::Node;
use crate::diagnostic::Diagnostic;

/// BOUND: of runs that one file can ask for.
const COMBINATIONS_MAX: usize = 1000;

/// BOUND: of a file of rows.
const ROWS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Reads `vars`; each may use those before it.
pub(super) fn variables(node: &Node, reader: &mut Reader<'_>) -> Vec<Variable> {
    let mut all = Vec::new();
    for entry in reader.map(node, "a map of variables").unwrap_or(&[]) {
        let value = reader.value(&entry.value);
        if let Err(fault) = reader.names.define(&entry.key, entry.key_span) {
            reader.push(fault);
        }
        if let Some(value) = value {
            all.push(Variable { name: entry.key.as_str().into(), value, span: entry.key_span });
        }
    }
    all
}

/// Reads `matrix` and `rows` and makes their keys known.
pub(super) fn combinations(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Vec<Combination> {
    let mut all = vec![Combination::new()];
    if let Some(node) = fields.node("rows")
        && let Some(rows) = rows(node, reader)
    {
        all = rows;
    }
    let Some(node) = fields.node("matrix") else { return all };
    for entry in reader.map(node, "a map of lists").unwrap_or(&[]) {
        if let Err(fault) = reader.names.define(&entry.key, entry.key_span) {
            reader.push(fault);
        }
        let values: Vec<Value> =
            reader.list(&entry.value).unwrap_or(&[]).iter().map(Node::to_json).collect();
        if values.is_empty() {
            reader.error("empty-matrix", "this key has no values", entry.key_span);
            continue;
        }
        if all.len().saturating_mul(values.len()) > COMBINATIONS_MAX {
            let message = format!("this makes more than {COMBINATIONS_MAX} runs");
            reader.error("too-many-runs", message, entry.key_span);
            return vec![Combination::new()];
        }
        let key: Arc<str> = entry.key.as_str().into();
        let extended = |combination: &Combination| {
            let with = |value: &Value| {
                let mut combination = combination.clone();
                combination.insert(Arc::clone(&key), value.clone());
                combination
            };
            values.iter().map(with).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(extended).collect();
    }
    all
}

fn rows(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<Combination>> {
    let path = reader.text(node)?;
    reader.check_path(&path, node.span)?;
    let file = match reader.imports.read(&path) {
        Ok(file) => file,
        Err(error) => {
            reader.error("import", format!("cannot read `{path}`: {error}"), node.span);
            return None;
        }
    };
    if file.text().len() > ROWS_BYTES_MAX {
        reader.error("file-too-large", format!("`{path}` is larger than 4 MiB"), node.span);
        return None;
    }
    let read = if path.ends_with(".json") { from_json(file.text()) } else { from_csv(file.text()) };
    let rows = match read {
        Ok(rows) if rows.is_empty() => Err("it has no rows".to_owned()),
        Ok(rows) if rows.len() > COMBINATIONS_MAX => {
            Err(format!("it has {} rows; at most {COMBINATIONS_MAX} are run", rows.len()))
        }
        read => read,
    };
    match rows {
        Ok(rows) => {
            for name in rows.iter().flat_map(|row| row.keys()) {
                if let Err(fault) = reader.names.define(name, node.span) {
                    reader.push(Diagnostic { labels: fault.labels, ..fault });
                    return None;
                }
            }
            Some(rows)
        }
        Err(problem) => {
            reader.error("rows", format!("`{path}` cannot be used: {problem}"), node.span);
            None
        }
    }
}

fn from_json(text: &str) -> Result<Vec<Combination>, String> {
    let rows: Vec<serde_json::Map<String, Value>> =
        serde_json::from_str(text).map_err(|error| format!("no JSON list of objects: {error}"))?;
    let row = |row: serde_json::Map<String, Value>| {
        row.into_iter().map(|(key, value)| (Arc::from(key), value)).collect()
    };
    Ok(rows.into_iter().map(row).collect())
}

fn from_csv(text: &str) -> Result<Vec<Combination>, String> {
    let mut lines = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = lines.headers().map_err(|error| error.to_string())?.clone();
    let header: Vec<Arc<str>> = header.iter().map(Arc::from).collect();
    let row = |record: Result<csv::StringRecord, csv::Error>| {
        let record = record.map_err(|error| error.to_string())?;
        Ok(header.iter().cloned().zip(record.iter().map(Value::from)).collect())
    };
    lines.records().map(row).collect()
}

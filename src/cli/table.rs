use clap::ValueEnum;
use serde_json::{Map, Value};

use super::screen::Screen;
use crate::diagnostic::printable;

/// The form of what a command finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// Columns, for people.
    Table,
    /// One JSON object a row.
    Json,
    /// Comma-separated values with a header.
    Csv,
}

/// Rows under named columns.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

#[derive(Debug)]
struct Column {
    name: String,
}

impl Table {
    /// A table with these columns.
    pub(super) fn new(columns: &[&str]) -> Self {
        let column = |name: &&str| Column { name: (*name).to_owned() };
        Self { columns: columns.iter().map(column).collect(), rows: Vec::new() }
    }

    /// A table whose columns are known only now.
    pub(super) fn of_names(names: impl IntoIterator<Item = String>) -> Self {
        let column = |name| Column { name };
        Self { columns: names.into_iter().map(column).collect(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: Vec<Value>) {
        self.rows.push(cells);
    }

    pub(super) const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Writes the table in a form.
    pub(super) fn show(&self, screen: &Screen, form: Form) {
        match form {
            Form::Table => screen.write(&self.text()),
            Form::Json => {
                for row in &self.rows {
                    let names = self.columns.iter().map(|column| column.name.clone());
                    let object: Map<String, Value> = names.zip(row.iter().cloned()).collect();
                    screen.line(&Value::Object(object).to_string());
                }
            }
            Form::Csv => screen.write(&self.csv()),
        }
    }

    /// Aligned columns, two spaces apart; the last one is not padded.
    fn text(&self) -> String {
        let rows: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
        let width = |at: usize, column: &Column| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|text| columns_of(text));
            cells.chain([columns_of(&column.name)]).max().unwrap_or(0)
        };
        let widths: Vec<usize> =
            self.columns.iter().enumerate().map(|(at, column)| width(at, column)).collect();
        let line = |cells: &[String]| {
            let padded = cells.iter().zip(&widths).map(|(text, width)| {
                let space = " ".repeat(width.saturating_sub(columns_of(text)));
                // A number goes to the right, so that its digits stand under each other.
                if text.parse::<f64>().is_ok() {
                    format!("{space}{text}")
                } else {
                    format!("{text}{space}")
                }
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        std::iter::once(line(&names)).chain(rows.iter().map(|row| line(row))).collect()
    }

    fn csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let names = self.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        let rows = self.rows.iter().map(|row| row.iter().map(plain).collect::<Vec<_>>());
        for row in std::iter::once(names).chain(rows) {
            // Writing to memory cannot fail, and every row has as many cells as the header.
            writer.write_record(row).unwrap_or(());
        }
        String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
    }
}

/// What a cell says to programs.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What a cell says to people: one line, and nothing that steers their terminal.
fn cell(value: &Value) -> String {
    printable(&plain(value).replace(['\n', '\r'], " ")).into_owned()
}

fn columns_of(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["name", "value"]);
        table.row(vec![json!("shop"), json!(7)]);
        table.row(vec![json!("a \"long\"\nname\u{1b}[31m"), json!(1234.5)]);
        table
    }

    #[test]
    fn columns_are_aligned_and_nothing_steers_the_terminal() {
        let text = table().text();
        assert!(!text.contains('\u{1b}'), "{text:?}");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("shop  ") && lines[1].ends_with("      7"), "{text}");
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        assert_eq!(
            table().csv(),
            "name,value\nshop,7\n\"a \"\"long\"\"\nname\u{1b}[31m\",1234.5\n"
        );
    }
}

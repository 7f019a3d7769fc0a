use std::sync::Arc;

use super::ast::{Command, Expression, Operator};
use super::evaluate::Scope;
use super::row::{Record, Row};
use super::value::Value;
use super::{Context, Query};

/// The filters that a query begins with: a record that fails one cannot change the result.
///
/// A scan tries them where its data lies, in any order and on any thread, and hands on what passes
/// with [`super::Execution::push_admitted`].
#[derive(Clone, Debug)]
pub struct Admission {
    conditions: Vec<Condition>,
    context: Context,
}

/// One of the conditions that must all hold.
#[derive(Clone, Debug)]
pub struct Condition {
    expression: Expression,
    field: Option<Arc<str>>,
    needle: Option<Arc<str>>,
    text: Option<Arc<str>>,
}

impl Query {
    /// The conditions that every record must meet before anything else is done with it.
    pub fn admission(&self, context: Context) -> Admission {
        let mut conditions = Vec::new();
        for command in self.commands.iter().take(self.leading_filters()) {
            if let Command::Filter(expression) = command {
                split(expression, &mut conditions);
            }
        }
        Admission { conditions, context }
    }

    /// The names of all fields that the query looks at.
    pub fn field_names(&self) -> Vec<Arc<str>> {
        let (instant, mut names) = ("@timestamp".into(), Vec::new());
        for expression in self.commands.iter().flat_map(expressions) {
            collect_names(expression, &instant, &mut names);
        }
        let mut names: Vec<Arc<str>> = names.into_iter().cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    pub(super) fn leading_filters(&self) -> usize {
        self.commands.iter().take_while(|command| matches!(command, Command::Filter(_))).count()
    }
}

impl Admission {
    /// The conditions; all of them must hold.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Whether a condition holds for a record.
    pub fn holds(&self, condition: &Condition, record: &Record<'_>) -> bool {
        Scope::of(&Row::of_record(record), &self.context).holds(&condition.expression)
    }

    /// Whether a record passes all of them.
    pub fn admits(&self, record: &Record<'_>) -> bool {
        let row = Row::of_record(record);
        let scope = Scope::of(&row, &self.context);
        self.conditions.iter().all(|condition| scope.holds(&condition.expression))
    }
}

impl Condition {
    /// The discovered field that it looks at, when it looks at nothing else.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// The text that its field must be, when nothing else meets it.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The text that it looks for in the message, when that is all that it does.
    pub fn needle(&self) -> Option<&str> {
        self.needle.as_deref()
    }
}

fn split(expression: &Expression, conditions: &mut Vec<Condition>) {
    if let Expression::And(left, right) = expression {
        split(left, conditions);
        return split(right, conditions);
    }
    let (instant, mut names) = ("@timestamp".into(), Vec::new());
    collect_names(expression, &instant, &mut names);
    let first = names.first().copied();
    let field =
        first.filter(|first| !first.starts_with('@') && names.iter().all(|name| name == first));
    conditions.push(Condition {
        expression: expression.clone(),
        field: field.cloned(),
        needle: needle(expression),
        text: text(expression),
    });
}

/// The text that a discovered field must be; a number also equals other writings of itself.
fn text(expression: &Expression) -> Option<Arc<str>> {
    let Expression::Binary(Operator::Equal, left, right) = expression else { return None };
    match (&**left, &**right) {
        (Expression::Field(_), Expression::Literal(value @ Value::Text(text)))
            if value.number().is_none() =>
        {
            Some(Arc::clone(text))
        }
        _ => None,
    }
}

fn needle(expression: &Expression) -> Option<Arc<str>> {
    let Expression::Binary(Operator::Like, left, right) = expression else { return None };
    match (&**left, &**right) {
        (Expression::Field(name), Expression::Literal(Value::Text(text)))
            if &**name == "@message" =>
        {
            Some(Arc::clone(text))
        }
        _ => None,
    }
}

/// The fields that an expression looks at.
fn collect_names<'e>(
    expression: &'e Expression,
    instant: &'e Arc<str>,
    names: &mut Vec<&'e Arc<str>>,
) {
    let mut inner = |expression: &'e Expression| collect_names(expression, instant, names);
    match expression {
        Expression::Field(name) => names.push(name),
        Expression::Literal(_) | Expression::Aggregate(_) => {}
        // It looks at the record's instant, which is no discovered field.
        Expression::Bin(_) => names.push(instant),
        Expression::Member(of, _)
        | Expression::Element(of, _)
        | Expression::Floor(of, _)
        | Expression::Ceil(of, _)
        | Expression::Negate(of)
        | Expression::Not(of)
        | Expression::Matches(of, _) => inner(of),
        Expression::Call(_, arguments) => arguments.iter().for_each(inner),
        Expression::In(of, list) => {
            inner(of);
            list.iter().for_each(inner);
        }
        Expression::RegexReplace(left, _, right)
        | Expression::Binary(_, left, right)
        | Expression::And(left, right)
        | Expression::Or(left, right) => {
            inner(left);
            inner(right);
        }
    }
}

/// The expressions of a command that works on records.
fn expressions(command: &Command) -> Vec<&Expression> {
    match command {
        Command::Fields(items) | Command::Display(items) => {
            items.iter().map(|item| &item.expression).collect()
        }
        Command::Filter(expression) | Command::Pattern(expression) => vec![expression],
        Command::Stats(stats) => {
            let keys = stats.keys.iter().chain(&stats.items).map(|item| &item.expression);
            keys.chain(stats.aggregates.iter().filter_map(|a| a.argument.as_ref())).collect()
        }
        Command::Sort(keys) => keys.iter().map(|key| &key.expression).collect(),
        Command::Parse(parse) => vec![&parse.from],
        Command::Unnest { list, .. } => vec![list],
        Command::Limit { .. } | Command::Dedup(_) | Command::Shape(_) => Vec::new(),
    }
}

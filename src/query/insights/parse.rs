//! Reads the commands of a query.

use std::sync::Arc;

use super::InsightsError;
use super::ast::{Command, Expression, Item, Parse, Shape, SortKey, Stats};
use super::expression::Parser;
use super::lex::{self, Kind};
use super::value::Value;
use crate::diagnostic::{Span, did_you_mean};

/// A parsed query.
#[derive(Clone, Debug)]
pub struct Query {
    pub(super) commands: Vec<Command>,
    unmasks: bool,
}

/// Source: CloudWatch Logs quotas, `stats` commands of one query.
const STATS_MAX: usize = 10;
const COMMANDS_MAX: usize = 100;

const COMMANDS: [&str; 22] = [
    "fields",
    "display",
    "filter",
    "where",
    "filterIndex",
    "stats",
    "sort",
    "limit",
    "dedup",
    "parse",
    "pattern",
    "unnest",
    "expand",
    "unmask",
    "addtotals",
    "accum",
    "autoregress",
    "countFrequent",
    "filldown",
    "fillmissing",
    "outlier",
    "sessionize",
];

/// Commands of the language that are not supported.
const UNSUPPORTED: [&str; 9] = [
    "diff",
    "anomaly",
    "logcompare",
    "relevantfields",
    "join",
    "lookup",
    "cidrlookup",
    "appendcols",
    "source",
];

impl Query {
    /// Source: StartQuery, `queryString`.
    const CHARACTERS_MAX: usize = 10_000;

    /// Reads a query.
    ///
    /// Errors: `Malformed` with the bytes concerned, as StartQuery reports them.
    pub fn parse(source: &str) -> Result<Self, InsightsError> {
        if source.chars().count() > Self::CHARACTERS_MAX {
            let message = format!("a query has at most {} characters", Self::CHARACTERS_MAX);
            return Err(InsightsError::Malformed { span: Span::new(0, source.len()), message });
        }
        let mut parser = Parser::new(source, lex::tokens(source)?);
        let mut commands = Vec::new();
        // A leading pipe is accepted.
        parser.take_sign("|");
        while *parser.peek() != Kind::End {
            let span = parser.span();
            let command = parser.command()?;
            follows(&parser, &commands, &command, span)?;
            commands.extend(command);
            if *parser.peek() != Kind::End {
                if !parser.take_sign("|") {
                    return parser.expected("`|` or the end of the command");
                }
                if *parser.peek() == Kind::End {
                    return parser.expected("a command");
                }
            }
        }
        Ok(Self { commands, unmasks: parser.unmasks })
    }

    /// Whether it asks for texts as they are where a data protection policy masks them.
    pub const fn unmasks(&self) -> bool {
        self.unmasks
    }
}

/// The rules on which command may come after which.
fn follows(
    parser: &Parser<'_>,
    before: &[Command],
    command: &Option<Command>,
    span: Span,
) -> Result<(), InsightsError> {
    if before.len() >= COMMANDS_MAX {
        return parser.fault(span, "the query has too many commands");
    }
    let Some(command) = command else { return Ok(()) };
    let after_dedup = before.iter().any(|c| matches!(c, Command::Dedup(_)));
    if after_dedup && !matches!(command, Command::Limit { .. }) {
        return parser.fault(span, "only limit may follow dedup");
    }
    let is_stats = |c: &&Command| matches!(c, Command::Stats(_));
    if matches!(command, Command::Stats(_)) {
        if before.iter().filter(is_stats).count() >= STATS_MAX {
            return parser.fault(span, "a query has at most 10 stats commands");
        }
        let last = before.iter().rposition(|c| matches!(c, Command::Stats(_)));
        let between = last.and_then(|last| before.get(last..)).unwrap_or_default();
        if between.iter().any(|c| matches!(c, Command::Sort(_) | Command::Limit { .. })) {
            return parser.fault(span, "sort and limit come after the last stats command");
        }
    }
    let patterned = before.iter().any(|c| matches!(c, Command::Pattern(_)));
    if patterned && matches!(command, Command::Pattern(_)) {
        return parser.fault(span, "a query has at most one pattern command");
    }
    Ok(())
}

impl Parser<'_> {
    /// One command; `None` for one that changes nothing.
    fn command(&mut self) -> Result<Option<Command>, InsightsError> {
        let span = self.span();
        let Kind::Word(word) = self.advance() else {
            return self.fault(span, "expected a command");
        };
        let lower = word.to_ascii_lowercase();
        let command = match lower.as_str() {
            "fields" => Command::Fields(self.items()?),
            "display" => Command::Display(self.items()?),
            "filter" | "where" | "filterindex" => Command::Filter(self.expression()?),
            "stats" => Command::Stats(self.stats()?),
            "sort" => Command::Sort(self.sort()?),
            "limit" | "head" => {
                let any = self.take_word("any");
                Command::Limit { count: self.whole(1, 100_000)?, any }
            }
            "dedup" => Command::Dedup(self.names()?),
            "parse" => Command::Parse(self.parse_command()?),
            "pattern" => Command::Pattern(self.expression()?),
            "unnest" => {
                let list = self.expression()?;
                if !self.take_word("into") {
                    return self.expected("into");
                }
                Command::Unnest { list, into: self.name()? }
            }
            "expand" => {
                let into = self.name()?;
                Command::Unnest { list: Expression::Field(Arc::clone(&into)), into }
            }
            // What is masked is masked before it is fed; see `Query::unmasks`.
            "unmask" => {
                self.names()?;
                self.unmasks = true;
                return Ok(None);
            }
            _ => Command::Shape(self.shape(&lower, &word, span)?),
        };
        Ok(Some(command))
    }

    fn items(&mut self) -> Result<Vec<Item>, InsightsError> {
        let mut items = vec![self.item()?];
        while self.take_sign(",") {
            items.push(self.item()?);
        }
        Ok(items)
    }

    /// An expression, named by `as` or by its own text.
    fn item(&mut self) -> Result<Item, InsightsError> {
        let start = self.span().start;
        let expression = self.expression()?;
        let text = self.source.get(start..self.last_span().end).unwrap_or("");
        let name = match &expression {
            _ if self.take_word("as") => self.name()?,
            Expression::Field(name) => Arc::clone(name),
            _ => text.split_whitespace().collect::<Vec<_>>().join(" ").into(),
        };
        Ok(Item { name, expression })
    }

    fn stats(&mut self) -> Result<Stats, InsightsError> {
        let span = self.span();
        self.aggregates = Some(Vec::new());
        let items = self.items()?;
        let aggregates = self.aggregates.take().unwrap_or_default();
        if aggregates.is_empty() {
            return self.fault(span, "stats needs an aggregate such as count(*)");
        }
        let keys = if self.take_word("by") { self.items()? } else { Vec::new() };
        let offset = if self.take_word("offset") { Some(self.period()?) } else { None };
        Ok(Stats { keys, aggregates, items, offset })
    }

    fn sort(&mut self) -> Result<Vec<SortKey>, InsightsError> {
        let mut keys = Vec::new();
        loop {
            let expression = self.item()?.expression;
            let descending = self.take_word("desc");
            if !descending {
                self.take_word("asc");
            }
            keys.push(SortKey { expression, descending });
            if !self.take_sign(",") {
                return Ok(keys);
            }
        }
    }

    fn parse_command(&mut self) -> Result<Parse, InsightsError> {
        let direct = matches!(self.peek(), Kind::Text(_) | Kind::Regex(_));
        let from = if direct { Expression::Field("@message".into()) } else { self.expression()? };
        match self.peek().clone() {
            Kind::Regex(source) => {
                let regex = self.regex(&source)?;
                let groups = regex.capture_names().enumerate();
                let names: Vec<(usize, Arc<str>)> =
                    groups.filter_map(|(index, name)| Some((index, name?.into()))).collect();
                if names.is_empty() {
                    return self.fault(self.span(), "the regular expression names no group");
                }
                self.advance();
                Ok(Parse { from, regex, names })
            }
            Kind::Text(glob) => {
                let span = self.span();
                self.advance();
                if !self.take_word("as") {
                    return self.expected("as and a name for each * of the pattern");
                }
                let names = self.names()?;
                if names.len() != glob.matches('*').count() {
                    return self.fault(span, "the pattern needs as many * as there are names");
                }
                let regex = self.regex(&of_glob(&glob))?;
                Ok(Parse { from, regex, names: (1..).zip(names).collect() })
            }
            _ => self.expected("a pattern with * or a /regular expression/"),
        }
    }

    fn shape(&mut self, lower: &str, word: &str, span: Span) -> Result<Shape, InsightsError> {
        match lower {
            "addtotals" => self.add_totals(),
            "accum" => {
                let field = self.name()?;
                let name = if self.take_word("as") { self.name()? } else { Arc::clone(&field) };
                Ok(Shape::Accumulate { field, name })
            }
            "autoregress" => self.autoregress(),
            "countfrequent" | "count_frequent" => Ok(Shape::CountFrequent(self.names()?)),
            "filldown" => {
                let all = matches!(self.peek(), Kind::Sign("|") | Kind::End);
                Ok(Shape::FillDown(if all { Vec::new() } else { self.names()? }))
            }
            "fillmissing" => {
                let mut value = None;
                let mut fields = Vec::new();
                if self.take_word("with") {
                    value = Some(match self.advance() {
                        Kind::Number(number) => Value::Number(number),
                        Kind::Text(text) => Value::text(&text),
                        _ => return self.fault(self.last_span(), "expected a number or a text"),
                    });
                    if !self.take_word("for") {
                        return self.expected("for");
                    }
                    fields = self.names()?;
                }
                Ok(Shape::FillMissing { value, fields })
            }
            "outlier" => self.outlier(),
            "sessionize" => self.sessionize(),
            _ if UNSUPPORTED.contains(&lower) => {
                self.fault(span, format!("the command {word} is not supported"))
            }
            _ => {
                let hint = did_you_mean(word, COMMANDS);
                let hint = hint.map_or(String::new(), |hint| format!("; did you mean {hint}?"));
                self.fault(span, format!("unknown command {word}{hint}"))
            }
        }
    }

    /// `name=value` of a shaping command, by its lower-case name.
    fn option(&mut self, names: &[&str]) -> Result<Option<(String, Kind)>, InsightsError> {
        let Some(name) = names.iter().find(|name| self.is_word(name)) else { return Ok(None) };
        self.advance();
        self.require_sign("=")?;
        Ok(Some(((*name).to_owned(), self.advance())))
    }

    fn add_totals(&mut self) -> Result<Shape, InsightsError> {
        let mut name: Arc<str> = "Total".into();
        let (mut row, mut column) = (true, false);
        while let Some((option, value)) = self.option(&["fieldname", "row", "col"])? {
            match (option.as_str(), value) {
                ("fieldname", Kind::Word(own) | Kind::Text(own)) => name = own.into(),
                ("row", value) => row = is_true(&value),
                (_, value) => column = is_true(&value),
            }
        }
        let all = matches!(self.peek(), Kind::Sign("|") | Kind::End);
        let fields = if all { Vec::new() } else { self.names()? };
        Ok(Shape::AddTotals { name, fields, row, column })
    }

    fn autoregress(&mut self) -> Result<Shape, InsightsError> {
        let field = self.name()?;
        let name = if self.take_word("as") { Some(self.name()?) } else { None };
        let (mut first, mut last) = (1, 1);
        if self.take_word("p") {
            self.require_sign("=")?;
            first = self.whole(1, 1000)?;
            last = if self.take_sign("-") { self.whole(first, 1000)? } else { first };
        }
        Ok(Shape::AutoRegress { field, name, first, last })
    }

    fn outlier(&mut self) -> Result<Shape, InsightsError> {
        let (mut remove, mut factor, mut lower, mut mark) = (false, 2.5, false, false);
        while let Some((option, value)) = self.option(&["action", "param", "uselower", "mark"])? {
            match (option.as_str(), value) {
                ("action", Kind::Word(word)) => remove = word.eq_ignore_ascii_case("remove"),
                ("param", Kind::Number(number)) => factor = number,
                ("uselower", value) => lower = is_true(&value),
                ("mark", value) => mark = is_true(&value),
                _ => return self.fault(self.last_span(), "not a value of this option"),
            }
        }
        Ok(Shape::Outlier { fields: self.names()?, remove, factor, lower, mark })
    }

    fn sessionize(&mut self) -> Result<Shape, InsightsError> {
        let fields = self.names()?;
        let span = if self.take_word("maxspan") {
            self.period()?
        } else {
            match super::period::Period::new(30, "m") {
                Some(period) => period,
                None => return self.expected("maxspan"),
            }
        };
        let named = self.take_word("as");
        let name = if named { self.name()? } else { "session_id".into() };
        Ok(Shape::Sessionize { fields, span, name })
    }
}

fn is_true(value: &Kind) -> bool {
    matches!(value, Kind::Word(word) if word.eq_ignore_ascii_case("true"))
}

/// `*` takes as little as it can, a last one takes the rest.
fn of_glob(glob: &str) -> String {
    let mut parts: Vec<String> = glob.split('*').map(regex::escape).collect();
    let last = parts.pop().unwrap_or_default();
    let tail = if last.is_empty() { "(.*)".to_owned() } else { format!("(.*?){last}") };
    format!("(?s){}{tail}", parts.join("(.*?)"))
}

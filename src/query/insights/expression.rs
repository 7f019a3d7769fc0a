//! Reads expressions. Levels of precedence from the loosest: or, and, not, comparisons, sums,
//! products, signs, powers, primaries.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::InsightsError;
use super::aggregate::{Aggregate, Kind as Aggregation};
use super::ast::{Expression, Operator};
use super::function::Function;
use super::lex::{Kind, Token};
use super::period::Period;
use super::value::Value;
use crate::diagnostic::{Span, did_you_mean};

const DEPTH_MAX: usize = 64;

/// Walks over tokens.
pub(super) struct Parser<'s> {
    pub(super) source: &'s str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// Where aggregates go; `None` outside of stats.
    pub(super) aggregates: Option<Vec<Aggregate>>,
    /// Whether `unmask` was read.
    pub(super) unmasks: bool,
}

impl<'s> Parser<'s> {
    pub(super) const fn new(source: &'s str, tokens: Vec<Token>) -> Self {
        Self { source, tokens, at: 0, depth: 0, aggregates: None, unmasks: false }
    }

    pub(super) fn peek(&self) -> &Kind {
        self.tokens.get(self.at).map_or(&Kind::End, |token| &token.kind)
    }

    fn peek_after(&self) -> &Kind {
        self.tokens.get(self.at + 1).map_or(&Kind::End, |token| &token.kind)
    }

    pub(super) fn span(&self) -> Span {
        let end = Span::point(self.source.len());
        self.tokens.get(self.at).map_or(end, |token| token.span)
    }

    /// The place of the token before this one.
    pub(super) fn last_span(&self) -> Span {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(Span::point(0), |t| t.span)
    }

    pub(super) fn advance(&mut self) -> Kind {
        let kind = self.peek().clone();
        self.at += 1;
        kind
    }

    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Kind::Sign(own) if *own == sign);
        self.at += usize::from(found);
        found
    }

    pub(super) fn require_sign(&mut self, sign: &str) -> Result<(), InsightsError> {
        if self.take_sign(sign) { Ok(()) } else { self.expected(&format!("`{sign}`")) }
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Kind::Word(own) if own.eq_ignore_ascii_case(word))
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expected<T>(&self, what: &str) -> Result<T, InsightsError> {
        self.fault(self.span(), format!("expected {what}"))
    }

    pub(super) fn fault<T>(
        &self,
        span: Span,
        message: impl Into<String>,
    ) -> Result<T, InsightsError> {
        Err(InsightsError::Malformed { span, message: message.into() })
    }

    /// A field's name, bare or in backticks.
    pub(super) fn name(&mut self) -> Result<Arc<str>, InsightsError> {
        match self.peek().clone() {
            Kind::Word(name) | Kind::Quoted(name) => {
                self.at += 1;
                Ok(name.into())
            }
            _ => self.expected("a field"),
        }
    }

    pub(super) fn names(&mut self) -> Result<Vec<Arc<str>>, InsightsError> {
        let mut names = vec![self.name()?];
        while self.take_sign(",") {
            names.push(self.name()?);
        }
        Ok(names)
    }

    fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, InsightsError>,
    ) -> Result<T, InsightsError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.fault(self.span(), "the expression is nested too deeply");
        }
        let result = inner(self)?;
        self.depth -= 1;
        Ok(result)
    }

    pub(super) fn expression(&mut self) -> Result<Expression, InsightsError> {
        self.nested(|parser| {
            let mut left = parser.conjunction()?;
            while parser.take_word("or") {
                left = Expression::Or(Box::new(left), Box::new(parser.conjunction()?));
            }
            Ok(left)
        })
    }

    fn conjunction(&mut self) -> Result<Expression, InsightsError> {
        let mut left = self.negation()?;
        while self.take_word("and") {
            left = Expression::And(Box::new(left), Box::new(self.negation()?));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expression, InsightsError> {
        // `not(x)` and `not x` are the same.
        if self.take_word("not") {
            return self.nested(|parser| Ok(Expression::Not(Box::new(parser.negation()?))));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expression, InsightsError> {
        const SIGNS: [(&str, Operator); 6] = [
            ("=", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        let left = self.sum()?;
        if let Some((_, operator)) = SIGNS.iter().find(|(sign, _)| self.take_sign(sign)) {
            let right = self.sum()?;
            return Ok(Expression::Binary(*operator, Box::new(left), Box::new(right)));
        }
        if self.take_sign("=~") {
            return self.regex_or_text(left);
        }
        let is_like_or_in =
            |word: &str| word.eq_ignore_ascii_case("like") || word.eq_ignore_ascii_case("in");
        let negated = self.is_word("not")
            && matches!(self.peek_after(), Kind::Word(word) if is_like_or_in(word));
        self.at += usize::from(negated);
        let result = if self.take_word("like") {
            self.regex_or_text(left)?
        } else if self.take_word("in") {
            self.list(left)?
        } else {
            return Ok(left);
        };
        Ok(if negated { Expression::Not(Box::new(result)) } else { result })
    }

    fn regex_or_text(&mut self, left: Expression) -> Result<Expression, InsightsError> {
        if let Kind::Regex(source) = self.peek().clone() {
            let regex = self.regex(&source)?;
            self.at += 1;
            return Ok(Expression::Matches(Box::new(left), regex));
        }
        let right = self.sum()?;
        Ok(Expression::Binary(Operator::Like, Box::new(left), Box::new(right)))
    }

    /// Compiles the regex of the current token.
    pub(super) fn regex(&self, source: &str) -> Result<Regex, InsightsError> {
        let built = RegexBuilder::new(source).size_limit(1 << 20).nest_limit(64).build();
        built.or_else(|error| {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or("not valid").trim();
            self.fault(self.span(), format!("regular expression: {reason}"))
        })
    }

    fn list(&mut self, left: Expression) -> Result<Expression, InsightsError> {
        let close = if self.take_sign("[") { "]" } else { ")" };
        if close == ")" {
            self.require_sign("(")?;
            if self.is_word("source") {
                return self.fault(self.span(), "subqueries are not supported");
            }
        }
        let mut items = Vec::new();
        while !self.take_sign(close) {
            if !items.is_empty() {
                self.require_sign(",")?;
            }
            items.push(self.sum()?);
        }
        Ok(Expression::In(Box::new(left), items))
    }

    fn sum(&mut self) -> Result<Expression, InsightsError> {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek() {
                Kind::Sign("+") => Operator::Add,
                Kind::Sign("-") => Operator::Subtract,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.product()?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
    }

    fn product(&mut self) -> Result<Expression, InsightsError> {
        let mut left = self.signed()?;
        loop {
            let operator = match self.peek() {
                Kind::Sign("*") => Operator::Multiply,
                Kind::Sign("/") => Operator::Divide,
                Kind::Sign("%") => Operator::Remainder,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.signed()?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
    }

    fn signed(&mut self) -> Result<Expression, InsightsError> {
        if self.take_sign("-") {
            return self.nested(|parser| Ok(Expression::Negate(Box::new(parser.signed()?))));
        }
        if self.take_sign("!") {
            return self.nested(|parser| Ok(Expression::Not(Box::new(parser.signed()?))));
        }
        let base = self.postfix()?;
        if self.take_sign("^") {
            let power = self.nested(Self::signed)?;
            return Ok(Expression::Binary(Operator::Power, Box::new(base), Box::new(power)));
        }
        Ok(base)
    }

    /// A primary with `.member` and `[index]` behind it.
    fn postfix(&mut self) -> Result<Expression, InsightsError> {
        let mut inner = self.primary()?;
        loop {
            if self.take_sign(".") {
                inner = Expression::Member(Box::new(inner), self.name()?);
            } else if matches!(self.peek(), Kind::Sign("[")) {
                self.at += 1;
                let Kind::Number(index) = self.advance() else { return self.expected("an index") };
                self.require_sign("]")?;
                #[expect(clippy::cast_possible_truncation, reason = "float to int casts saturate")]
                let index = index as i64;
                inner = Expression::Element(Box::new(inner), index);
            } else {
                return Ok(inner);
            }
        }
    }

    fn primary(&mut self) -> Result<Expression, InsightsError> {
        match self.peek().clone() {
            Kind::Number(number) => {
                self.at += 1;
                Ok(Expression::Literal(Value::Number(number)))
            }
            Kind::Text(text) => {
                self.at += 1;
                Ok(Expression::Literal(Value::text(&text)))
            }
            Kind::Quoted(name) => {
                self.at += 1;
                Ok(Expression::Field(name.into()))
            }
            Kind::Word(word) => {
                if matches!(self.peek_after(), Kind::Sign("(")) {
                    return self.call(&word);
                }
                self.at += 1;
                Ok(match word.to_ascii_lowercase().as_str() {
                    "true" => Expression::Literal(Value::Boolean(true)),
                    "false" => Expression::Literal(Value::Boolean(false)),
                    "null" => Expression::Literal(Value::Null),
                    _ => Expression::Field(word.into()),
                })
            }
            Kind::Sign("(") => {
                self.at += 1;
                let inner = self.expression()?;
                self.require_sign(")")?;
                Ok(inner)
            }
            _ => self.expected("a value"),
        }
    }

    fn call(&mut self, name: &str) -> Result<Expression, InsightsError> {
        let span = self.span();
        self.at += 2;
        match name.to_ascii_lowercase().as_str() {
            "bin" => {
                let period = self.period()?;
                self.require_sign(")")?;
                return Ok(Expression::Bin(period));
            }
            lower @ ("datefloor" | "dateceil") => {
                let inner = Box::new(self.expression()?);
                self.require_sign(",")?;
                let period = self.period()?;
                self.require_sign(")")?;
                let floor = lower == "datefloor";
                return Ok(if floor {
                    Expression::Floor(inner, period)
                } else {
                    Expression::Ceil(inner, period)
                });
            }
            "regexreplace" => return self.regex_replace(),
            _ => {}
        }
        if let Some(found) = self.aggregate(name, span)? {
            return Ok(found);
        }
        let Some((function, least, most)) = Function::find(name) else {
            let guess = did_you_mean(name, Function::names());
            let hint = guess.map_or(String::new(), |guess| format!("; did you mean {guess}?"));
            return self.fault(span, format!("unknown function {name}{hint}"));
        };
        let arguments = self.arguments()?;
        if arguments.len() < least || arguments.len() > most {
            return self.fault(span, format!("wrong number of arguments for {name}"));
        }
        Ok(Expression::Call(function, arguments))
    }

    fn arguments(&mut self) -> Result<Vec<Expression>, InsightsError> {
        let mut arguments = Vec::new();
        while !self.take_sign(")") {
            if !arguments.is_empty() {
                self.require_sign(",")?;
            }
            arguments.push(self.expression()?);
        }
        Ok(arguments)
    }

    fn regex_replace(&mut self) -> Result<Expression, InsightsError> {
        let text = Box::new(self.expression()?);
        self.require_sign(",")?;
        let (Kind::Regex(source) | Kind::Text(source)) = self.peek().clone() else {
            return self.expected("a /regular expression/");
        };
        let regex = self.regex(&source)?;
        self.at += 1;
        self.require_sign(",")?;
        let with = Box::new(self.expression()?);
        self.require_sign(")")?;
        Ok(Expression::RegexReplace(text, regex, with))
    }

    pub(super) fn period(&mut self) -> Result<Period, InsightsError> {
        match self.advance() {
            Kind::Period(period) => Ok(period),
            _ => {
                self.at -= 1;
                self.expected("a period such as 5m or 1h")
            }
        }
    }

    /// Reads an aggregate whose name and parenthesis were read; `None` when it is none.
    fn aggregate(&mut self, name: &str, span: Span) -> Result<Option<Expression>, InsightsError> {
        let lower = name.to_ascii_lowercase();
        let plain = match lower.as_str() {
            "count" => Some(Aggregation::Count),
            "count_distinct" | "countdistinct" => Some(Aggregation::CountDistinct),
            "sum" => Some(Aggregation::Sum),
            "avg" => Some(Aggregation::Average),
            "min" => Some(Aggregation::Minimum),
            "max" => Some(Aggregation::Maximum),
            "stddev" => Some(Aggregation::Deviation),
            "variance" => Some(Aggregation::Variance),
            "earliest" => Some(Aggregation::Earliest),
            "latest" => Some(Aggregation::Latest),
            "sortsfirst" => Some(Aggregation::SortsFirst),
            "sortslast" => Some(Aggregation::SortsLast),
            "values" | "collect_values" => Some(Aggregation::Values),
            _ => None,
        };
        let parametric = ["pct", "topk", "rate", "countovertime", "sumovertime", "histogram"]
            .contains(&lower.as_str());
        if plain.is_none() && !parametric {
            return Ok(None);
        }
        let Some(mut aggregates) = self.aggregates.take() else {
            return self.fault(span, format!("{name} belongs into a stats command"));
        };
        let (kind, argument) = match plain {
            Some(Aggregation::Count) => {
                let all = self.take_sign("*") || matches!(self.peek(), Kind::Sign(")"));
                (Aggregation::Count, if all { None } else { Some(self.expression()?) })
            }
            Some(kind) => (kind, Some(self.expression()?)),
            None => self.parametric(&lower)?,
        };
        self.require_sign(")")?;
        aggregates.push(Aggregate { kind, argument });
        let index = aggregates.len() - 1;
        self.aggregates = Some(aggregates);
        Ok(Some(Expression::Aggregate(index)))
    }

    fn parametric(
        &mut self,
        name: &str,
    ) -> Result<(Aggregation, Option<Expression>), InsightsError> {
        match name {
            "countovertime" => Ok((Aggregation::CountOverTime(self.period()?), None)),
            "topk" => {
                let k = self.whole(1, 10_000)?;
                self.require_sign(",")?;
                Ok((Aggregation::TopK(k), Some(self.expression()?)))
            }
            _ => {
                let argument = self.expression()?;
                self.require_sign(",")?;
                let kind = match name {
                    "rate" => Aggregation::Rate(self.period()?),
                    "sumovertime" => Aggregation::SumOverTime(self.period()?),
                    "histogram" => Aggregation::Histogram(self.whole(1, 10_000)?),
                    _ => match self.advance() {
                        Kind::Number(percent) if (0.0..=100.0).contains(&percent) => {
                            Aggregation::Percentile(percent)
                        }
                        _ => {
                            return self.fault(self.last_span(), "expected a number from 0 to 100");
                        }
                    },
                };
                Ok((kind, Some(argument)))
            }
        }
    }

    /// A whole number between two bounds.
    pub(super) fn whole(&mut self, least: usize, most: usize) -> Result<usize, InsightsError> {
        let span = self.span();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        match self.advance() {
            Kind::Number(number)
                if number.fract() == 0.0 && (least..=most).contains(&(number as usize)) =>
            {
                Ok(number as usize)
            }
            _ => self.fault(span, format!("expected a whole number from {least} to {most}")),
        }
    }
}

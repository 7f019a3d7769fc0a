use serde_json::{Number, Value};

use super::expression::{Expression, Node, Operator, PathStep};
use super::operation::{Filter, Function};
use super::text::Piece;
use crate::canary::quantity;
use crate::diagnostic::{Diagnostic, Span, did_you_mean};

/// BOUND: nobody nests expressions this deep by hand; the parser recurses.
const DEPTH_MAX: usize = 32;

/// Cuts a text into literals and templates; no piece at all when there is no template.
pub(super) fn pieces(
    source: &str,
    span: Span,
    written: &str,
) -> Result<Vec<Piece>, Vec<Diagnostic>> {
    let mut pieces = Vec::new();
    let mut faults = Vec::new();
    let mut rest = 0;
    while let Some(found) = source.get(rest..).and_then(|text| text.find("{{")) {
        let open = rest + found;
        let places = Places { span, written, source };
        if open > rest {
            pieces.push(Piece::Literal(source.get(rest..open).unwrap_or("").into()));
        }
        let mut parser = Parser { source, at: open + 2, places, depth: 0 };
        match parser.template() {
            Ok(expression) => pieces.push(Piece::Template(expression)),
            Err(fault) => faults.push(*fault),
        }
        // After a fault, go on behind its end so that every template is looked at.
        rest = match source.get(parser.at..).and_then(|text| text.find("}}")) {
            _ if parser.has_ended() => parser.at,
            Some(close) => parser.at + close + 2,
            None => source.len(),
        };
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    if !pieces.is_empty() && rest < source.len() {
        pieces.push(Piece::Literal(source.get(rest..).unwrap_or("").into()));
    }
    Ok(pieces)
}

/// Turns offsets in the decoded text into places in the file.
#[derive(Clone, Copy)]
struct Places<'s> {
    span: Span,
    written: &'s str,
    source: &'s str,
}

impl Places<'_> {
    /// Exact where the text was written as it is, without escapes and folding; else the nearest
    /// stretch that can be recognised.
    fn span(&self, start: usize, end: usize) -> Span {
        if let Some(shift) = self.written.find(self.source) {
            return Span::new(start + shift, end.max(start + 1) + shift).within(self.span);
        }
        let line_start = self.source.get(..start).and_then(|text| text.rfind('\n'));
        let line_start = line_start.map_or(0, |at| at + 1);
        let line = self.source.get(line_start..).and_then(|text| text.lines().next());
        let found = line.filter(|line| !line.trim().is_empty());
        match found.and_then(|line| self.written.find(line)) {
            Some(at) if end >= line_start => {
                let from = at + (start - line_start);
                Span::new(from, from + (end - start).max(1)).within(self.span)
            }
            _ => self.span,
        }
    }
}

struct Parser<'s> {
    source: &'s str,
    at: usize,
    places: Places<'s>,
    depth: usize,
}

type Parsed = Result<Expression, Box<Diagnostic>>;

impl<'s> Parser<'s> {
    fn has_ended(&self) -> bool {
        self.source.get(..self.at).is_some_and(|text| text.ends_with("}}"))
    }

    fn template(&mut self) -> Parsed {
        let open = self.at - 2;
        let expression = self.expression()?;
        self.skip_space();
        if self.take("}}") {
            return Ok(expression);
        }
        let fault = if self.rest().is_empty() {
            let span = self.places.span(open, open + 2);
            Diagnostic::error("template", "this template is not closed", span)
                .help("write `}}` after it; for two literal braces write `{{ '{{' }}`")
        } else {
            self.fault("expected `|`, an operator or `}}`")
        };
        Err(Box::new(fault))
    }

    fn expression(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Box::new(self.fault("this is nested too deep")));
        }
        let mut input = self.sum()?;
        loop {
            self.skip_space();
            if !self.take("|") {
                self.depth -= 1;
                return Ok(input);
            }
            input = self.filter(input)?;
        }
    }

    fn sum(&mut self) -> Parsed {
        let operators = [("+", Operator::Add), ("-", Operator::Subtract)];
        self.binary(&operators, Self::product)
    }

    fn product(&mut self) -> Parsed {
        let operators =
            [("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)];
        self.binary(&operators, Self::unary)
    }

    fn binary(
        &mut self,
        operators: &[(&str, Operator)],
        operand: impl Fn(&mut Self) -> Parsed,
    ) -> Parsed {
        let mut left = operand(self)?;
        let mut chain = 0;
        loop {
            self.skip_space();
            let found = operators.iter().find(|(symbol, _)| self.rest().starts_with(symbol));
            let Some((symbol, operator)) = found else { return Ok(left) };
            chain += 1;
            if chain > DEPTH_MAX {
                return Err(Box::new(self.fault("this chain of operators is too long")));
            }
            self.at += symbol.len();
            let right = operand(self)?;
            let span = left.span.to(right.span);
            let (left_box, right) = (Box::new(left), Box::new(right));
            let node = Node::Arithmetic { left: left_box, operator: *operator, right };
            left = Expression { node, span };
        }
    }

    fn unary(&mut self) -> Parsed {
        self.skip_space();
        let start = self.at;
        if !self.take("-") {
            return self.primary();
        }
        let right = self.primary()?;
        let span = self.places.span(start, self.at);
        let left = Expression { node: Node::Literal(Value::from(0)), span };
        let (left, right) = (Box::new(left), Box::new(right));
        Ok(Expression {
            node: Node::Arithmetic { left, operator: Operator::Subtract, right },
            span,
        })
    }

    fn primary(&mut self) -> Parsed {
        self.skip_space();
        let start = self.at;
        let node = match self.rest().chars().next() {
            Some('(') => {
                self.at += 1;
                let inner = self.expression()?;
                self.expect(")")?;
                inner.node
            }
            Some(quote @ ('\'' | '"')) => Node::Literal(self.string(quote)?.into()),
            Some(c) if c.is_ascii_digit() => self.number()?,
            Some(c) if is_name_start(c) => self.named()?,
            _ => return Err(Box::new(self.fault("expected a value"))),
        };
        Ok(Expression { node, span: self.places.span(start, self.at) })
    }

    fn named(&mut self) -> Result<Node, Box<Diagnostic>> {
        let start = self.at;
        let name = self.name();
        match name {
            "true" => return Ok(Node::Literal(Value::Bool(true))),
            "false" => return Ok(Node::Literal(Value::Bool(false))),
            "null" => return Ok(Node::Literal(Value::Null)),
            "env" | "secret" if self.rest().starts_with('.') => {
                self.at += 1;
                let inner = self.name();
                if inner.is_empty() {
                    return Err(Box::new(self.fault("expected a name")));
                }
                let inner = inner.into();
                let is_secret = name == "secret";
                return Ok(if is_secret { Node::Secret(inner) } else { Node::Environment(inner) });
            }
            _ => {}
        }
        let is_call = self.rest().trim_start().starts_with('(');
        if let Some(function) = Function::named(name) {
            let arguments = self.arguments(function.name(), function.arity(), start)?;
            return Ok(Node::Call(function, arguments));
        }
        if is_call {
            let span = self.places.span(start, start + name.len());
            let fault = Diagnostic::error("template", format!("no function `{name}`"), span);
            return Err(Box::new(unknown(fault, name, Function::NAMES)));
        }
        let path = self.path()?;
        Ok(Node::Variable { name: name.into(), path })
    }

    fn path(&mut self) -> Result<Vec<PathStep>, Box<Diagnostic>> {
        let mut path = Vec::new();
        loop {
            if self.take(".") {
                let digits = self.digits();
                match digits.parse() {
                    Ok(index) => path.push(PathStep::Index(index)),
                    Err(_not_a_number) => {
                        let key = self.name();
                        if key.is_empty() {
                            return Err(Box::new(self.fault("expected a member's name")));
                        }
                        path.push(PathStep::Key(key.into()));
                    }
                }
            } else if self.take("[") {
                self.skip_space();
                let step = match self.rest().chars().next() {
                    Some(quote @ ('\'' | '"')) => PathStep::Key(self.string(quote)?.into()),
                    _ => match self.digits().parse() {
                        Ok(index) => PathStep::Index(index),
                        Err(_not_a_number) => {
                            return Err(Box::new(self.fault("expected an index or a quoted key")));
                        }
                    },
                };
                self.expect("]")?;
                path.push(step);
            } else {
                return Ok(path);
            }
        }
    }

    fn filter(&mut self, input: Expression) -> Parsed {
        self.skip_space();
        let start = self.at;
        let name = self.name();
        if name.is_empty() {
            return Err(Box::new(self.fault("expected a filter's name")));
        }
        let Some(filter) = Filter::named(name) else {
            let span = self.places.span(start, self.at);
            let fault = Diagnostic::error("template", format!("no filter `{name}`"), span);
            return Err(Box::new(unknown(fault, name, Filter::NAMES)));
        };
        let arguments = self.arguments(name, filter.arity(), start)?;
        let span = input.span.to(self.places.span(start, self.at));
        Ok(Expression { node: Node::Filter { input: Box::new(input), filter, arguments }, span })
    }

    fn arguments(
        &mut self,
        name: &str,
        (least, most): (usize, usize),
        start: usize,
    ) -> Result<Vec<Expression>, Box<Diagnostic>> {
        let mut arguments = Vec::new();
        if self.rest().trim_start().starts_with('(') {
            self.expect("(")?;
            self.skip_space();
            while !self.take(")") {
                if !arguments.is_empty() {
                    self.expect(",")?;
                }
                arguments.push(self.expression()?);
                self.skip_space();
            }
        }
        if (least..=most).contains(&arguments.len()) {
            return Ok(arguments);
        }
        let takes = match (least, most) {
            (0, 0) => "no arguments".to_owned(),
            (1, 1) => "1 argument".to_owned(),
            (least, most) if least == most => format!("{least} arguments"),
            (least, most) => format!("{least} to {most} arguments"),
        };
        let message = format!("`{name}` takes {takes}, not {}", arguments.len());
        Err(Box::new(Diagnostic::error("template", message, self.places.span(start, self.at))))
    }

    fn number(&mut self) -> Result<Node, Box<Diagnostic>> {
        let start = self.at;
        self.digits();
        let fraction = self.rest().strip_prefix('.').and_then(|rest| rest.chars().next());
        if fraction.is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            self.digits();
        }
        let end = self.at;
        let unit = self.name();
        let text = self.source.get(start..end).unwrap_or("");
        if unit.is_empty() {
            let number = match text.parse::<i64>() {
                Ok(whole) => Some(Number::from(whole)),
                Err(_not_whole) => text.parse().ok().and_then(Number::from_f64),
            };
            return match number {
                Some(number) => Ok(Node::Literal(Value::Number(number))),
                None => Err(Box::new(self.fault("this number is too large"))),
            };
        }
        let written = self.source.get(start..self.at).unwrap_or("");
        match quantity::duration(written).map(|duration| i64::try_from(duration.as_millis())) {
            Some(Ok(millis)) => Ok(Node::Duration(millis)),
            _ => {
                let span = self.places.span(start, self.at);
                let message = format!("`{written}` is neither a number nor a duration");
                Err(Box::new(Diagnostic::error("template", message, span)))
            }
        }
    }

    fn string(&mut self, quote: char) -> Result<String, Box<Diagnostic>> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((offset, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.at += offset + 1;
                    return Ok(out);
                }
                '\\' => match chars.next().map(|(_, escaped)| escaped) {
                    Some('n') => out.push('\n'),
                    Some('r') => out.push('\r'),
                    Some('t') => out.push('\t'),
                    Some(other) => out.push(other),
                    None => break,
                },
                c => out.push(c),
            }
        }
        let span = self.places.span(start, start + 1);
        Err(Box::new(Diagnostic::error("template", "this text is not closed", span)))
    }

    fn name(&mut self) -> &'s str {
        let rest = self.rest();
        let end = match rest.chars().next() {
            Some(c) if is_name_start(c) => {
                rest.find(|c: char| !is_name_start(c) && !c.is_ascii_digit() && c != '-')
            }
            _ => Some(0),
        };
        // `a-b` is one name, `a -b` and `a - b` are differences.
        let name = rest.get(..end.unwrap_or(rest.len())).unwrap_or("").trim_end_matches('-');
        self.at += name.len();
        name
    }

    fn digits(&mut self) -> &'s str {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or("")
    }

    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str) -> Result<(), Box<Diagnostic>> {
        self.skip_space();
        if self.take(token) {
            Ok(())
        } else {
            Err(Box::new(self.fault(&format!("expected `{token}`"))))
        }
    }

    fn fault(&self, message: &str) -> Diagnostic {
        let here = self.rest().chars().next().map_or(1, char::len_utf8);
        Diagnostic::error("template", message, self.places.span(self.at, self.at + here))
    }
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn unknown(fault: Diagnostic, name: &str, known: &[&'static str]) -> Diagnostic {
    match did_you_mean(name, known.iter().copied()) {
        Some(guess) => fault.label(format!("did you mean `{guess}`?")),
        None => fault.help(format!("there are: {}", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ReferenceKind, Text};
    use super::*;

    fn faults(source: &str) -> Vec<String> {
        let faults = Text::parse(source, Span::new(0, source.len()), source).unwrap_err();
        faults
            .iter()
            .map(|fault| {
                let span = fault.span().unwrap();
                format!("{}: {}", &source[span.start..span.end.min(source.len())], fault.message)
            })
            .collect()
    }

    #[test]
    fn every_fault_of_every_template_stands_at_its_place() {
        assert_eq!(
            faults("{{ a | uper }} {{ b | default }} {{ }} {{ 'x }}"),
            [
                "uper: no filter `uper`",
                "default: `default` takes 1 argument, not 0",
                "}: expected a value",
                "': this text is not closed",
            ]
        );
        assert_eq!(faults("{{ a b }}"), ["b: expected `|`, an operator or `}}`"]);
        assert_eq!(faults("x {{ a"), ["{{: this template is not closed"]);
    }

    #[test]
    fn deep_nesting_is_refused_and_not_a_stack_overflow() {
        let deep = format!("{{{{ {}a }}}}", "(".repeat(100_000));
        assert_eq!(faults(&deep), ["(: this is nested too deep"]);
        let long = format!("{{{{ a{} }}}}", " + a".repeat(100_000));
        assert_eq!(faults(&long), ["+: this chain of operators is too long"]);
    }

    #[test]
    fn names_looked_up_are_listed_with_their_defaults() {
        let source =
            "{{ env.BASE | default(fallback) }} {{ user.id }} {{ secret.KEY | hmac(key) }}";
        let text = Text::parse(source, Span::new(0, source.len()), source).unwrap();
        let mut found = Vec::new();
        text.references(&mut |reference| {
            found.push((reference.name, reference.kind, reference.has_default));
        });
        assert_eq!(
            found,
            [
                ("BASE", ReferenceKind::Environment, true),
                ("fallback", ReferenceKind::Variable, false),
                ("user", ReferenceKind::Variable, false),
                ("KEY", ReferenceKind::Secret, false),
                ("key", ReferenceKind::Variable, false),
            ]
        );
    }

    #[test]
    fn places_survive_quotes_and_block_indentation() {
        let written = "\"{{ nope( }}\"";
        let fault = Text::parse("{{ nope( }}", Span::new(10, 23), written).unwrap_err();
        assert_eq!(fault[0].span(), Some(Span::new(14, 18)));
        let written = "|\n    first\n    x {{ a | nope }}\n";
        let source = "first\nx {{ a | nope }}\n";
        let fault = Text::parse(source, Span::new(0, written.len()), written).unwrap_err();
        let span = fault[0].span().unwrap();
        assert_eq!(&written[span.start..span.end], "nope");
    }
}

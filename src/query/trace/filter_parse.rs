//! Reads filter expressions.

use super::TraceFilterError;
use super::document::AnnotationValue;
use super::filter::{Flag, Node, NumberField, Operator, Reference, TextField, TraceFilter};

impl TraceFilter {
    /// Source: GetTraceSummaries, `FilterExpression`.
    const CHARACTERS_MAX: usize = 2000;

    /// Reads an expression.
    pub fn parse(source: &str) -> Result<Self, TraceFilterError> {
        let mut reader = Reader { source, at: 0, depth: 0, inside: false };
        if source.chars().count() > Self::CHARACTERS_MAX {
            return reader.expected("at most 2000 characters");
        }
        if reader.is_at_end() {
            return Ok(Self(Node::And(Vec::new())));
        }
        let node = reader.any()?;
        if reader.is_at_end() { Ok(Self(node)) } else { reader.expected("AND, OR or the end") }
    }
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
    depth: usize,
    /// Inside the braces of a service or edge.
    inside: bool,
}

impl<'a> Reader<'a> {
    const DEPTH_MAX: usize = 32;

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn is_at_end(&mut self) -> bool {
        self.at = self.source.len() - self.rest().trim_start().len();
        self.rest().is_empty()
    }

    const fn expected<T>(&self, expected: &'static str) -> Result<T, TraceFilterError> {
        Err(TraceFilterError { offset: self.at, expected })
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = !self.is_at_end() && self.rest().starts_with(sign);
        self.at += if found { sign.len() } else { 0 };
        found
    }

    fn require(&mut self, sign: &str, what: &'static str) -> Result<(), TraceFilterError> {
        if self.take(sign) { Ok(()) } else { self.expected(what) }
    }

    /// The word that comes next, without taking it. Keywords hold dots.
    fn word(&mut self) -> &'a str {
        self.is_at_end();
        let rest = self.rest();
        let belongs = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_');
        rest.get(..rest.find(|c| !belongs(c)).unwrap_or(rest.len())).unwrap_or("")
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.word().eq_ignore_ascii_case(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn any(&mut self) -> Result<Node, TraceFilterError> {
        let mut nodes = vec![self.all()?];
        while self.take_word("OR") {
            nodes.push(self.all()?);
        }
        Ok(Node::Or(nodes))
    }

    /// AND, or simply one after the other.
    fn all(&mut self) -> Result<Node, TraceFilterError> {
        let mut nodes = vec![self.one()?];
        loop {
            let joined = self.take_word("AND");
            let ends = self.is_at_end()
                || self.rest().starts_with([')', '}'])
                || self.word().eq_ignore_ascii_case("OR");
            if !joined && ends {
                return Ok(Node::And(nodes));
            }
            nodes.push(self.one()?);
        }
    }

    fn one(&mut self) -> Result<Node, TraceFilterError> {
        self.depth += 1;
        if self.depth > Self::DEPTH_MAX {
            return self.expected("fewer parentheses");
        }
        let negated = !self.is_at_end() && !self.rest().starts_with("!=") && self.take("!");
        let node = if negated {
            Node::Not(Box::new(self.one()?))
        } else if self.take("(") {
            let node = self.any()?;
            self.require(")", ")")?;
            node
        } else {
            self.primary()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn primary(&mut self) -> Result<Node, TraceFilterError> {
        let start = self.at;
        let word = self.word();
        let lower = word.to_ascii_lowercase();
        let complex = ["service", "edge", "annotation"].contains(&lower.as_str());
        if self.inside && (lower == "service" || lower == "edge") {
            return self.expected("a keyword or an annotation");
        }
        if let Some(key) = word.get("annotation.".len()..)
            && lower.starts_with("annotation.")
        {
            // The dotted form is the old one and is not allowed inside a service or edge.
            if self.inside {
                return self.expected("annotation[key]");
            }
            self.at += word.len();
            return self.annotation(key.to_owned());
        }
        self.at += word.len();
        match lower.as_str() {
            "service" => self.service(),
            "edge" => self.edge(),
            "annotation" => {
                self.require("[", "[")?;
                let end = self.rest().find(']').unwrap_or(0);
                let key = self.rest().get(..end).unwrap_or("").trim().to_owned();
                if key.is_empty() {
                    return self.expected("a key and ]");
                }
                self.at += end + 1;
                self.annotation(key)
            }
            _ if complex => self.expected("an expression"),
            _ => match keyword(&lower) {
                Some(Keyword::Flag(flag)) => self.flag(flag),
                Some(Keyword::Number(field)) => {
                    let operator = self.operator()?;
                    let number = self.number()?;
                    Ok(Node::Number(field, operator, number))
                }
                Some(Keyword::Text(field)) => match self.optional_operator() {
                    None => Ok(Node::Present(field)),
                    Some(operator) => Ok(Node::Text(field, operator, self.text()?)),
                },
                None => {
                    self.at = start;
                    self.is_at_end();
                    self.expected("a keyword of filter expressions")
                }
            },
        }
    }

    fn flag(&mut self, flag: Flag) -> Result<Node, TraceFilterError> {
        let equal = match self.optional_operator() {
            None => return Ok(Node::Flag(flag, true)),
            Some(Operator::Equal) => true,
            Some(Operator::NotEqual) => false,
            Some(_) => return self.expected("= or !="),
        };
        match self.boolean() {
            Some(boolean) => Ok(Node::Flag(flag, boolean == equal)),
            None => self.expected("true or false"),
        }
    }

    fn annotation(&mut self, key: String) -> Result<Node, TraceFilterError> {
        let Some(operator) = self.optional_operator() else {
            return Ok(Node::Annotation(key, None));
        };
        self.is_at_end();
        let value = if self.rest().starts_with(['"', '\'']) {
            AnnotationValue::Text(self.text()?)
        } else if let Some(boolean) = self.boolean() {
            AnnotationValue::Boolean(boolean)
        } else {
            AnnotationValue::Number(self.number()?)
        };
        Ok(Node::Annotation(key, Some((operator, value))))
    }

    fn service(&mut self) -> Result<Node, TraceFilterError> {
        self.require("(", "(")?;
        let reference = if self.take(")") {
            None
        } else {
            let reference = self.reference()?;
            self.require(")", ")")?;
            Some(reference)
        };
        Ok(Node::Service(reference, self.braces()?))
    }

    fn edge(&mut self) -> Result<Node, TraceFilterError> {
        self.require("(", "(")?;
        let from = self.reference()?;
        self.require(",", ", and a second service")?;
        let to = self.reference()?;
        self.require(")", ")")?;
        Ok(Node::Edge(from, to, self.braces()?))
    }

    fn braces(&mut self) -> Result<Option<Box<Node>>, TraceFilterError> {
        if !self.take("{") {
            return Ok(None);
        }
        self.inside = true;
        let node = self.any()?;
        self.inside = false;
        self.require("}", "}")?;
        Ok(Some(Box::new(node)))
    }

    fn reference(&mut self) -> Result<Reference, TraceFilterError> {
        if !self.take_word("id") {
            return Ok(Reference { name: Some(self.text()?), ..Reference::default() });
        }
        self.require("(", "(")?;
        let mut reference = Reference::default();
        while !self.take(")") {
            let key = self.word().to_ascii_lowercase();
            self.at += key.len();
            self.require(":", ":")?;
            let value = Some(self.text()?);
            match key.as_str() {
                "name" => reference.name = value,
                "type" => reference.kind = value,
                "account.id" => reference.account_id = value,
                _ => return self.expected("name, type or account.id"),
            }
            self.take(",");
        }
        Ok(reference)
    }

    fn optional_operator(&mut self) -> Option<Operator> {
        let signs = [
            ("!=", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("=", Operator::Equal),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        let words = [
            ("CONTAINS", Operator::Contains),
            ("BEGINSWITH", Operator::BeginsWith),
            ("ENDSWITH", Operator::EndsWith),
        ];
        let sign = signs.into_iter().find(|(sign, _)| self.take(sign));
        let found = sign.or_else(|| words.into_iter().find(|(word, _)| self.take_word(word)));
        found.map(|(_, operator)| operator)
    }

    fn operator(&mut self) -> Result<Operator, TraceFilterError> {
        match self.optional_operator() {
            Some(operator) => Ok(operator),
            None => self.expected("a comparison"),
        }
    }

    fn boolean(&mut self) -> Option<bool> {
        if self.take_word("true") {
            return Some(true);
        }
        self.take_word("false").then_some(false)
    }

    fn number(&mut self) -> Result<f64, TraceFilterError> {
        self.is_at_end();
        let belongs = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
        let rest = self.rest();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        match rest.get(..end).and_then(|text| text.parse().ok()) {
            Some(number) => {
                self.at += end;
                Ok(number)
            }
            None => self.expected("a number"),
        }
    }

    fn text(&mut self) -> Result<String, TraceFilterError> {
        self.is_at_end();
        let rest = self.rest();
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            return self.expected("a text in quotes");
        };
        let mut text = String::new();
        let mut chars = rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => text.extend(chars.next().map(|(_, c)| c)),
                c if c == quote => {
                    self.at += at + 1;
                    return Ok(text);
                }
                c => text.push(c),
            }
        }
        self.expected("a closing quote")
    }
}

enum Keyword {
    Flag(Flag),
    Number(NumberField),
    Text(TextField),
}

fn keyword(word: &str) -> Option<Keyword> {
    Some(match word {
        "ok" => Keyword::Flag(Flag::Ok),
        "error" => Keyword::Flag(Flag::Error),
        "throttle" => Keyword::Flag(Flag::Throttle),
        "fault" => Keyword::Flag(Flag::Fault),
        "partial" => Keyword::Flag(Flag::Partial),
        "inferred" => Keyword::Flag(Flag::Inferred),
        "remote" => Keyword::Flag(Flag::Remote),
        "root" => Keyword::Flag(Flag::Root),
        "responsetime" => Keyword::Number(NumberField::ResponseTime),
        "duration" => Keyword::Number(NumberField::Duration),
        "http.status" => Keyword::Number(NumberField::Status),
        "http.url" => Keyword::Text(TextField::Url),
        "http.method" => Keyword::Text(TextField::Method),
        "http.useragent" => Keyword::Text(TextField::UserAgent),
        "http.clientip" => Keyword::Text(TextField::ClientIp),
        "user" => Keyword::Text(TextField::User),
        "name" => Keyword::Text(TextField::Name),
        "type" => Keyword::Text(TextField::Type),
        "message" => Keyword::Text(TextField::Message),
        "availabilityzone" => Keyword::Text(TextField::AvailabilityZone),
        "instance.id" => Keyword::Text(TextField::InstanceId),
        "resource.arn" => Keyword::Text(TextField::ResourceArn),
        _ => return None,
    })
}

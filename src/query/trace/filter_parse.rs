//! Reads filter expressions.

use super::TraceFilterError;
use super::document::AnnotationValue;
use super::filter::{
    CauseKind, CausePart, End, EntitySelector, Flag, GroupReference, Node, NumberField, Operator,
    Reference, TextField, TraceFilter,
};

impl TraceFilter {
    /// Source: GetTraceSummaries, `FilterExpression`.
    const CHARACTERS_MAX: usize = 2000;

    /// Reads an expression.
    pub fn parse(source: &str) -> Result<Self, TraceFilterError> {
        let mut reader = Reader::new(source);
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

impl EntitySelector {
    /// Reads a selector.
    pub fn parse(source: &str) -> Result<Self, TraceFilterError> {
        let mut reader = Reader::new(source);
        let word = reader.word().to_ascii_lowercase();
        let node = match word.as_str() {
            // An id alone is a service.
            "id" => Node::Service(Some(reader.reference()?), None),
            "service" | "edge" => reader.primary()?,
            _ => return reader.expected("service, edge or id"),
        };
        if reader.is_at_end() { Ok(Self(node)) } else { reader.expected("the end") }
    }
}

/// What an expression is about, and so what may be said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Trace,
    Service,
    Edge,
    Cause,
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
    depth: usize,
    about: About,
}

impl<'a> Reader<'a> {
    const DEPTH_MAX: usize = 32;

    const fn new(source: &'a str) -> Self {
        Self { source, at: 0, depth: 0, about: About::Trace }
    }

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
        let word = self.word();
        let lower = word.to_ascii_lowercase();
        let is_whole = self.about == About::Trace;
        let only_whole = ["service", "edge"].contains(&lower.as_str())
            || lower.starts_with("group.")
            || lower.starts_with("rootcause.");
        if only_whole && !is_whole {
            return self.expected("a keyword or an annotation");
        }
        if lower.starts_with("annotation.") {
            // The dotted form is the old one and is not allowed inside a service or edge.
            if !is_whole {
                return self.expected("annotation[key]");
            }
            self.at += word.len();
            let key = word.get("annotation.".len()..).unwrap_or_default();
            return self.annotation(End::Own, key.to_owned());
        }
        let start = self.at;
        self.at += word.len();
        match lower.as_str() {
            "service" => self.service(),
            "edge" => self.edge(),
            "annotation" if self.about != About::Cause => self.bracketed(End::Own),
            "source.annotation" if self.about == About::Edge => self.bracketed(End::Source),
            "destination.annotation" if self.about == About::Edge => {
                self.bracketed(End::Destination)
            }
            "group.name" => Ok(Node::Group(GroupReference::Name(self.group()?))),
            "group.arn" => Ok(Node::Group(GroupReference::Arn(self.group()?))),
            "rootcause.json" => self.cause_json(),
            cause if cause.starts_with("rootcause.") => self.cause(cause, start),
            _ => self.keyword(&lower, start),
        }
    }

    fn keyword(&mut self, word: &str, start: usize) -> Result<Node, TraceFilterError> {
        let found = keyword(word).filter(|keyword| keyword.is_said_of(self.about));
        match found {
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
                self.expected("a keyword of filter expressions")
            }
        }
    }

    /// `annotation[key]`; the key may stand in quotes.
    fn bracketed(&mut self, end: End) -> Result<Node, TraceFilterError> {
        self.require("[", "[")?;
        let close = self.rest().find(']').unwrap_or(0);
        let key = self.rest().get(..close).unwrap_or("").trim();
        let key = key.trim_matches(['"', '\'']).to_owned();
        if key.is_empty() {
            return self.expected("a key and ]");
        }
        self.at += close + 1;
        self.annotation(end, key)
    }

    fn group(&mut self) -> Result<String, TraceFilterError> {
        self.require("=", "= and the group")?;
        self.text()
    }

    fn cause(&mut self, word: &str, start: usize) -> Result<Node, TraceFilterError> {
        let mut parts = word.split('.').skip(1);
        let kind = match parts.next() {
            Some("fault") => Some(CauseKind::Fault),
            Some("error") => Some(CauseKind::Error),
            Some("responsetime") => Some(CauseKind::ResponseTime),
            _ => None,
        };
        let part = match parts.next() {
            Some("service") => Some(CausePart::Service),
            Some("entity") => Some(CausePart::Entity),
            Some("exception") if kind != Some(CauseKind::ResponseTime) => {
                Some(CausePart::Exception)
            }
            _ => None,
        };
        let (Some(kind), Some(part), None) = (kind, part, parts.next()) else {
            self.at = start;
            return self.expected("rootcause.fault, .error or .responsetime, and what of it");
        };
        match self.braces(About::Cause)? {
            Some(inner) => Ok(Node::Cause(kind, part, inner)),
            None => self.expected("{"),
        }
    }

    /// `rootcause.json = #[{"Services": [..]}]`.
    fn cause_json(&mut self) -> Result<Node, TraceFilterError> {
        self.require("=", "=")?;
        self.require("#", "# and a JSON array")?;
        let mut values = serde_json::Deserializer::from_str(self.rest()).into_iter();
        match values.next() {
            Some(Ok(pattern @ serde_json::Value::Array(_))) => {
                self.at += values.byte_offset();
                Ok(Node::CauseJson(pattern))
            }
            _ => self.expected("a JSON array"),
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

    fn annotation(&mut self, end: End, key: String) -> Result<Node, TraceFilterError> {
        let Some(operator) = self.optional_operator() else {
            return Ok(Node::Annotation(end, key, None));
        };
        self.is_at_end();
        let value = if self.rest().starts_with(['"', '\'']) {
            AnnotationValue::Text(self.text()?)
        } else if let Some(boolean) = self.boolean() {
            AnnotationValue::Boolean(boolean)
        } else {
            AnnotationValue::Number(self.number()?)
        };
        Ok(Node::Annotation(end, key, Some((operator, value))))
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
        Ok(Node::Service(reference, self.braces(About::Service)?))
    }

    fn edge(&mut self) -> Result<Node, TraceFilterError> {
        self.require("(", "(")?;
        let ends = if self.take(")") {
            None
        } else {
            let from = self.reference()?;
            self.require(",", ", and a second service")?;
            let to = self.reference()?;
            self.require(")", ")")?;
            Some((from, to))
        };
        Ok(Node::Edge(ends, self.braces(About::Edge)?))
    }

    fn braces(&mut self, about: About) -> Result<Option<Box<Node>>, TraceFilterError> {
        if !self.take("{") {
            return Ok(None);
        }
        let outer = std::mem::replace(&mut self.about, about);
        let node = self.any()?;
        self.about = outer;
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

#[derive(Clone, Copy)]
enum Keyword {
    Flag(Flag),
    Number(NumberField),
    Text(TextField),
}

impl Keyword {
    /// Whether it means anything there; what does not is refused rather than never true.
    const fn is_said_of(self, about: About) -> bool {
        let of_causes = matches!(
            self,
            Self::Flag(Flag::First | Flag::Last)
                | Self::Number(NumberField::Index | NumberField::Coverage)
        );
        let of_both = matches!(
            self,
            Self::Flag(Flag::Inferred | Flag::Remote)
                | Self::Text(TextField::Name | TextField::Type | TextField::Message)
        );
        match about {
            About::Cause => of_causes || of_both,
            About::Trace | About::Service | About::Edge => !of_causes,
        }
    }
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
        "first" => Keyword::Flag(Flag::First),
        "last" => Keyword::Flag(Flag::Last),
        "index" => Keyword::Number(NumberField::Index),
        "coverage" => Keyword::Number(NumberField::Coverage),
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

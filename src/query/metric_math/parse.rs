use super::MathError;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    pub(super) root: Node,
    searches: Vec<Search>,
}

/// A SEARCH() that the caller answers before the expression is evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Schema and terms.
    pub query: String,
    /// The statistic.
    pub statistic: String,
    /// The period in seconds, when it is given.
    pub period: Option<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Number(f64),
    Text(String),
    /// An id, or a keyword of a function.
    Name(String),
    Negate(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    List(Vec<Node>),
    Call(String, Vec<Node>),
    /// The n-th search of the expression.
    Search(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

impl Operator {
    /// Tightest last. Each level is read from the left.
    const LEVELS: [&[(&str, Self)]; 7] = [
        &[("||", Self::Or), ("OR", Self::Or)],
        &[("&&", Self::And), ("AND", Self::And)],
        &[("==", Self::Equal), ("!=", Self::NotEqual)],
        &[
            ("<=", Self::LessOrEqual),
            (">=", Self::GreaterOrEqual),
            ("<", Self::Less),
            (">", Self::Greater),
        ],
        &[("+", Self::Add), ("-", Self::Subtract)],
        &[("*", Self::Multiply), ("/", Self::Divide)],
        &[("^", Self::Power)],
    ];

    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Power => "^",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::And => "AND",
            Self::Or => "OR",
        }
    }
}

impl Expression {
    /// Source: MetricDataQuery, `Expression`.
    const CHARACTERS_MAX: usize = 2048;

    /// Reads an expression.
    pub fn parse(source: &str) -> Result<Self, MathError> {
        if source.chars().count() > Self::CHARACTERS_MAX {
            return Err(MathError::TooLarge);
        }
        let mut parser = Parser { source, at: 0, depth: 0, searches: Vec::new() };
        let root = parser.level(0)?;
        parser.skip_spaces();
        if parser.at < source.len() {
            return Err(parser.expected("an operator"));
        }
        Ok(Self { root, searches: parser.searches })
    }

    /// The ids it refers to, in order of appearance; repeated ones once each time.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        let mut names = Vec::new();
        collect(&self.root, &mut names);
        names.into_iter()
    }

    /// The searches it makes, in order of appearance.
    pub fn searches(&self) -> &[Search] {
        &self.searches
    }

    /// Whether METRICS() is used, so that every metric of the request is needed.
    pub fn uses_all_metrics(&self) -> bool {
        calls(&self.root, "METRICS")
    }
}

fn collect<'n>(node: &'n Node, names: &mut Vec<&'n str>) {
    match node {
        // Ids start in lower case, keywords in upper case.
        Node::Name(name) if name.starts_with(|c: char| c.is_ascii_lowercase()) => names.push(name),
        Node::Negate(inner) => collect(inner, names),
        Node::Binary(_, left, right) => {
            collect(left, names);
            collect(right, names);
        }
        Node::List(items) | Node::Call(_, items) => {
            items.iter().for_each(|item| collect(item, names));
        }
        Node::Number(_) | Node::Text(_) | Node::Name(_) | Node::Search(_) => {}
    }
}

fn calls(node: &Node, function: &str) -> bool {
    match node {
        Node::Negate(inner) => calls(inner, function),
        Node::Binary(_, left, right) => calls(left, function) || calls(right, function),
        Node::Call(name, _) if name == function => true,
        Node::List(items) | Node::Call(_, items) => items.iter().any(|i| calls(i, function)),
        Node::Number(_) | Node::Text(_) | Node::Name(_) | Node::Search(_) => false,
    }
}

struct Parser<'a> {
    source: &'a str,
    at: usize,
    depth: usize,
    searches: Vec<Search>,
}

impl<'a> Parser<'a> {
    const DEPTH_MAX: usize = 64;

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn skip_spaces(&mut self) {
        self.at = self.source.len() - self.rest().trim_start().len();
    }

    const fn expected(&self, expected: &'static str) -> MathError {
        MathError::Syntax { offset: self.at, expected }
    }

    fn take(&mut self, text: &str) -> bool {
        self.skip_spaces();
        let rest = self.rest();
        let is_word = text.starts_with(|c: char| c.is_alphabetic());
        let goes_on = |tail: &str| tail.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let found = rest.strip_prefix(text).is_some_and(|tail| !(is_word && goes_on(tail)));
        if found {
            self.at += text.len();
        }
        found
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or("")
    }

    fn level(&mut self, level: usize) -> Result<Node, MathError> {
        let Some(operators) = Operator::LEVELS.get(level) else { return self.unary() };
        let mut left = self.level(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.take(sign)) {
            let right = self.level(level + 1)?;
            left = Node::Binary(*operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, MathError>,
    ) -> Result<T, MathError> {
        self.depth += 1;
        if self.depth > Self::DEPTH_MAX {
            return Err(MathError::TooLarge);
        }
        let result = inner(self)?;
        self.depth -= 1;
        Ok(result)
    }

    fn unary(&mut self) -> Result<Node, MathError> {
        if self.take("-") {
            return self.nested(|parser| Ok(Node::Negate(Box::new(parser.unary()?))));
        }
        self.skip_spaces();
        match self.rest().chars().next() {
            Some('(') => {
                self.at += 1;
                let inner = self.nested(|parser| parser.level(0))?;
                if self.take(")") { Ok(inner) } else { Err(self.expected(")")) }
            }
            Some('[') => {
                self.at += 1;
                Ok(Node::List(self.list("]")?))
            }
            Some(quote @ ('"' | '\'')) => self.text(quote),
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => self.name(),
            _ => Err(self.expected("a value")),
        }
    }

    fn list(&mut self, close: &'static str) -> Result<Vec<Node>, MathError> {
        self.nested(|parser| {
            let mut items = Vec::new();
            if parser.take(close) {
                return Ok(items);
            }
            loop {
                items.push(parser.level(0)?);
                if parser.take(close) {
                    return Ok(items);
                }
                if !parser.take(",") {
                    return Err(parser.expected(", or the end of the list"));
                }
            }
        })
    }

    fn text(&mut self, quote: char) -> Result<Node, MathError> {
        let unclosed = self.expected("a closing quote");
        self.at += 1;
        let mut text = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => text.extend(chars.next().map(|(_, c)| c)),
                c if c == quote => {
                    self.at += at + 1;
                    return Ok(Node::Text(text));
                }
                c => text.push(c),
            }
        }
        Err(unclosed)
    }

    fn number(&mut self) -> Result<Node, MathError> {
        let wrong = self.expected("a number");
        let mut text = self.take_while(|c| c.is_ascii_digit() || c == '.').to_owned();
        let exponent = self.rest().strip_prefix(['e', 'E']);
        let digits = exponent.map(|tail| tail.strip_prefix(['+', '-']).unwrap_or(tail));
        if digits.is_some_and(|tail| tail.starts_with(|c: char| c.is_ascii_digit())) {
            self.at += 1;
            text.push('e');
            text.push_str(self.take_while(|c| matches!(c, '+' | '-')));
            text.push_str(self.take_while(|c| c.is_ascii_digit()));
        }
        text.parse().map(Node::Number).map_err(|_not_a_number| wrong)
    }

    fn name(&mut self) -> Result<Node, MathError> {
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_').to_owned();
        if !self.take("(") {
            return Ok(Node::Name(name));
        }
        let arguments = self.list(")")?;
        if name == "SEARCH" { self.search(arguments) } else { Ok(Node::Call(name, arguments)) }
    }

    fn search(&mut self, arguments: Vec<Node>) -> Result<Node, MathError> {
        let takes = "a query, a statistic and a period";
        let wrong = MathError::Arguments { function: "SEARCH".into(), takes };
        let mut arguments = arguments.into_iter();
        let (Some(Node::Text(query)), Some(Node::Text(statistic)), period, None) =
            (arguments.next(), arguments.next(), arguments.next(), arguments.next())
        else {
            return Err(wrong);
        };
        let period = match period {
            None => None,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturates"
            )]
            Some(Node::Number(seconds)) if seconds >= 1.0 => Some(seconds as u32),
            Some(_) => return Err(wrong),
        };
        self.searches.push(Search { query, statistic, period });
        Ok(Node::Search(self.searches.len() - 1))
    }
}

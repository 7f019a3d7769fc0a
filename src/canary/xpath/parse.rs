use super::XPathError;
use super::expression::{Axis, Comparison, Expression, Function, NodeTest, Path, Step};

/// BOUND: of predicates and parentheses inside each other.
const DEPTH_MAX: usize = 24;

/// Functions by name, with the fewest and most arguments.
pub(super) const FUNCTIONS: &[(&str, Function, usize, usize)] = &[
    ("boolean", Function::Boolean, 1, 1),
    ("concat", Function::Concat, 2, 16),
    ("contains", Function::Contains, 2, 2),
    ("count", Function::Count, 1, 1),
    ("false", Function::False, 0, 0),
    ("last", Function::Last, 0, 0),
    ("local-name", Function::LocalName, 0, 1),
    ("name", Function::Name, 0, 1),
    ("normalize-space", Function::NormalizeSpace, 0, 1),
    ("not", Function::Not, 1, 1),
    ("number", Function::Number, 0, 1),
    ("position", Function::Position, 0, 0),
    ("starts-with", Function::StartsWith, 2, 2),
    ("string", Function::Text, 0, 1),
    ("string-length", Function::TextLength, 0, 1),
    ("substring-after", Function::SubstringAfter, 2, 2),
    ("substring-before", Function::SubstringBefore, 2, 2),
    ("sum", Function::Sum, 1, 1),
    ("true", Function::True, 0, 0),
];

const AXES: &[(&str, Axis)] = &[
    ("child", Axis::Child),
    ("descendant", Axis::Descendant),
    ("descendant-or-self", Axis::DescendantOrSelf),
    ("self", Axis::Itself),
    ("parent", Axis::Parent),
    ("ancestor", Axis::Ancestor),
    ("ancestor-or-self", Axis::AncestorOrSelf),
    ("following-sibling", Axis::FollowingSibling),
    ("preceding-sibling", Axis::PrecedingSibling),
    ("attribute", Axis::Attribute),
];

pub(super) fn parse(source: &str) -> Result<Expression, XPathError> {
    let mut parser = Parser { source, at: 0, depth: 0 };
    let expression = parser.or()?;
    parser.blanks();
    match parser.rest().chars().next() {
        None => Ok(expression),
        Some(c @ ('+' | '*')) => Err(parser.error(format!("arithmetic (`{c}`) is not supported"))),
        Some(c) => Err(parser.error(format!("`{c}` does not belong here"))),
    }
}

struct Parser<'s> {
    source: &'s str,
    at: usize,
    depth: usize,
}

impl<'s> Parser<'s> {
    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn error(&self, problem: impl Into<String>) -> XPathError {
        XPathError { problem: problem.into(), at: self.at }
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Takes `mark`, after blanks.
    fn take(&mut self, mark: &str) -> bool {
        self.blanks();
        let found = self.rest().starts_with(mark);
        if found {
            self.at += mark.len();
        }
        found
    }

    /// Takes a word of an operator: not the beginning of a longer name.
    fn word(&mut self, word: &str) -> bool {
        self.blanks();
        let rest = self.rest().strip_prefix(word);
        let is_whole = rest.is_some_and(|rest| !rest.starts_with(is_name_char));
        if is_whole {
            self.at += word.len();
        }
        is_whole
    }

    fn expect(&mut self, mark: &str) -> Result<(), XPathError> {
        if self.take(mark) { Ok(()) } else { Err(self.error(format!("`{mark}` is missing"))) }
    }

    fn or(&mut self) -> Result<Expression, XPathError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error("this goes too deep"));
        }
        let mut left = self.and()?;
        while self.word("or") {
            left = Expression::Or(Box::new(left), Box::new(self.and()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, XPathError> {
        let mut left = self.comparison()?;
        while self.word("and") {
            left = Expression::And(Box::new(left), Box::new(self.comparison()?));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Expression, XPathError> {
        const OPERATORS: &[(&str, Comparison)] = &[
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("=", Comparison::Equal),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        let left = self.union()?;
        for (mark, comparison) in OPERATORS {
            if self.take(mark) {
                let right = self.union()?;
                return Ok(Expression::Compare(Box::new(left), *comparison, Box::new(right)));
            }
        }
        for word in ["div", "mod"] {
            if self.word(word) {
                return Err(self.error(format!("arithmetic (`{word}`) is not supported")));
            }
        }
        Ok(left)
    }

    fn union(&mut self) -> Result<Expression, XPathError> {
        let mut all = vec![self.primary()?];
        while self.take("|") {
            all.push(self.primary()?);
        }
        match all.len() {
            1 => Ok(all.remove(0)),
            _ => Ok(Expression::Union(all)),
        }
    }

    fn primary(&mut self) -> Result<Expression, XPathError> {
        self.blanks();
        let rest = self.rest();
        match rest.chars().next() {
            Some(quote @ ('\'' | '"')) => {
                let body = rest.get(1..).unwrap_or("");
                let end = body.find(quote).ok_or_else(|| self.error("this quote is not closed"))?;
                self.at += end + 2;
                Ok(Expression::Text(body.get(..end).unwrap_or("").to_owned()))
            }
            Some('$') => Err(self.error("variables are not supported; use a template")),
            Some('(') => {
                self.at += 1;
                let inner = self.or()?;
                self.expect(")")?;
                if self.rest().starts_with(['[', '/']) {
                    return Err(self.error("a path after `)` is not supported"));
                }
                Ok(inner)
            }
            Some(c) if c.is_ascii_digit() || c == '-' => self.number(),
            Some('.')
                if rest.get(1..).is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit())) =>
            {
                self.number()
            }
            None => Err(self.error("something is missing at the end")),
            _ => match self.call()? {
                Some(call) => Ok(call),
                None => self.path().map(Expression::Path),
            },
        }
    }

    fn number(&mut self) -> Result<Expression, XPathError> {
        let rest = self.rest();
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-');
        let text = rest.split(|c| !is_part(c)).next().unwrap_or("");
        let number = text.parse().map_err(|_error| self.error("this is no number"))?;
        self.at += text.len();
        Ok(Expression::Number(number))
    }

    fn name(&mut self) -> &'s str {
        let rest = self.rest();
        let end = rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or("");
        self.at += name.len();
        name
    }

    /// A call, where one stands here. `text()` and `node()` are tests of a path.
    fn call(&mut self) -> Result<Option<Expression>, XPathError> {
        let begin = self.at;
        let name = self.name();
        if name.is_empty() || matches!(name, "text" | "node") || !self.take("(") {
            self.at = begin;
            return Ok(None);
        }
        let Some((_, function, least, most)) = FUNCTIONS.iter().find(|each| each.0 == name) else {
            self.at = begin;
            return Err(self.error(format!("the function `{name}` is not supported")));
        };
        let mut arguments = Vec::new();
        if !self.take(")") {
            loop {
                arguments.push(self.or()?);
                if !self.take(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        if !(*least..=*most).contains(&arguments.len()) {
            self.at = begin;
            return Err(self.error(format!("`{name}` does not take {} arguments", arguments.len())));
        }
        Ok(Some(Expression::Call(*function, arguments)))
    }

    fn path(&mut self) -> Result<Path, XPathError> {
        let mut path = Path { from_root: self.rest().starts_with('/'), steps: Vec::new() };
        if self.take("//") {
            path.steps.push(anywhere());
        } else if self.take("/") && !self.begins_step() {
            return Ok(path);
        }
        loop {
            path.steps.push(self.step()?);
            if self.take("//") {
                path.steps.push(anywhere());
            } else if !self.take("/") {
                return Ok(path);
            }
        }
    }

    fn begins_step(&mut self) -> bool {
        self.blanks();
        self.rest().starts_with(|c: char| is_name_char(c) || matches!(c, '*' | '@' | '.'))
    }

    fn step(&mut self) -> Result<Step, XPathError> {
        self.blanks();
        let short = |axis| Step { axis, test: NodeTest::Node, predicates: Vec::new() };
        if self.take("..") {
            return Ok(short(Axis::Parent));
        }
        if self.take(".") {
            return Ok(short(Axis::Itself));
        }
        let axis = if self.take("@") { Axis::Attribute } else { self.axis()? };
        let test = self.test()?;
        let mut predicates = Vec::new();
        while self.take("[") {
            predicates.push(self.or()?);
            self.expect("]")?;
        }
        Ok(Step { axis, test, predicates })
    }

    fn axis(&mut self) -> Result<Axis, XPathError> {
        let begin = self.at;
        let name = self.name();
        if !self.rest().starts_with("::") {
            self.at = begin;
            return Ok(Axis::Child);
        }
        self.at += 2;
        let found = AXES.iter().find(|(known, _)| *known == name).map(|(_, axis)| *axis);
        found.ok_or_else(|| {
            let problem = format!("the axis `{name}` is not supported");
            XPathError { problem, at: begin }
        })
    }

    fn test(&mut self) -> Result<NodeTest, XPathError> {
        if self.take("*") {
            return Ok(NodeTest::Any);
        }
        let begin = self.at;
        let name = self.name();
        match name {
            "" => return Err(self.error("a name is missing")),
            "text" if self.take("()") => return Ok(NodeTest::Text),
            "node" if self.take("()") => return Ok(NodeTest::Node),
            _ => {}
        }
        if self.rest().starts_with('(') {
            self.at = begin;
            return Err(self.error(format!("`{name}()` cannot stand in a path")));
        }
        if !self.rest().starts_with(':') {
            return Ok(NodeTest::Name(name.to_owned()));
        }
        self.at += 1;
        match self.name() {
            "" => Err(self.error("a name is missing after the prefix")),
            local => Ok(NodeTest::Name(format!("{name}:{local}"))),
        }
    }
}

/// `//` stands for this step.
fn anywhere() -> Step {
    Step { axis: Axis::DescendantOrSelf, test: NodeTest::Node, predicates: Vec::new() }
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_') || (c == '\u{b7}')
}

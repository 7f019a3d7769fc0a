use std::cell::Cell;
use std::cmp::Ordering;

use super::document::{Document, Kind};
use super::expression::{Axis, Comparison, Expression, Function, NodeTest, Path, Step};
use super::{Selected, SelectedNode, TooMuchWork};

/// BOUND: of nodes that one evaluation looks at, however often.
const WORK_MAX: usize = 5_000_000;

/// A node or an attribute; in the order of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    node: usize,
    /// 0 for the node itself, n for its n-th attribute.
    attribute: usize,
}

impl Found {
    const fn node(node: usize) -> Self {
        Self { node, attribute: 0 }
    }
}

/// What a part of an XPath yields.
enum Value {
    Nodes(Vec<Found>),
    Text(String),
    Number(f64),
    Bool(bool),
}

/// What a part is evaluated for.
#[derive(Clone, Copy)]
struct Context {
    found: Found,
    position: usize,
    size: usize,
}

/// One evaluation over one document.
pub(super) struct Evaluation<'d> {
    document: &'d Document,
    work: Cell<usize>,
}

type Evaluated<T> = Result<T, TooMuchWork>;

impl<'d> Evaluation<'d> {
    pub(super) const fn new(document: &'d Document) -> Self {
        Self { document, work: Cell::new(0) }
    }

    pub(super) fn select(&self, of: &Expression, nodes_max: usize) -> Evaluated<Selected> {
        let context = Context { found: Found::node(0), position: 1, size: 1 };
        Ok(match self.value(of, context)? {
            Value::Text(text) => Selected::Text(text),
            Value::Number(number) => Selected::Number(number),
            Value::Bool(is) => Selected::Bool(is),
            Value::Nodes(nodes) => {
                let mut selected = Vec::new();
                for found in nodes.into_iter().take(nodes_max) {
                    let text = self.text(found)?;
                    selected.push(SelectedNode { place: self.place(found), text });
                }
                Selected::Nodes(selected)
            }
        })
    }

    fn spend(&self, work: usize) -> Evaluated<()> {
        let spent = self.work.get().saturating_add(work);
        self.work.set(spent);
        if spent > WORK_MAX { Err(TooMuchWork) } else { Ok(()) }
    }

    fn value(&self, of: &Expression, context: Context) -> Evaluated<Value> {
        self.spend(1)?;
        Ok(match of {
            Expression::Path(path) => Value::Nodes(self.path(path, context.found)?),
            Expression::Text(text) => Value::Text(text.clone()),
            Expression::Number(number) => Value::Number(*number),
            Expression::And(left, right) => {
                Value::Bool(self.truth(left, context)? && self.truth(right, context)?)
            }
            Expression::Or(left, right) => {
                Value::Bool(self.truth(left, context)? || self.truth(right, context)?)
            }
            Expression::Union(all) => {
                let mut nodes = Vec::new();
                for each in all {
                    if let Value::Nodes(more) = self.value(each, context)? {
                        nodes.extend(more);
                    }
                }
                nodes.sort_unstable();
                nodes.dedup();
                Value::Nodes(nodes)
            }
            Expression::Compare(left, comparison, right) => {
                let (left, right) = (self.value(left, context)?, self.value(right, context)?);
                Value::Bool(self.compare(&left, *comparison, &right)?)
            }
            Expression::Call(function, arguments) => self.call(*function, arguments, context)?,
        })
    }

    fn truth(&self, of: &Expression, context: Context) -> Evaluated<bool> {
        Ok(truth(&self.value(of, context)?))
    }

    fn path(&self, path: &Path, from: Found) -> Evaluated<Vec<Found>> {
        let mut nodes = vec![if path.from_root { Found::node(0) } else { from }];
        for step in &path.steps {
            let mut next = Vec::new();
            for found in nodes {
                next.extend(self.step(step, found)?);
            }
            self.spend(next.len())?;
            next.sort_unstable();
            next.dedup();
            nodes = next;
        }
        Ok(nodes)
    }

    /// One step from one node; predicates count along the axis.
    fn step(&self, step: &Step, from: Found) -> Evaluated<Vec<Found>> {
        let mut nodes = self.axis(step.axis, from)?;
        nodes.retain(|found| self.passes(&step.test, step.axis, *found));
        for predicate in &step.predicates {
            let size = nodes.len();
            let mut kept = Vec::new();
            for (index, found) in nodes.into_iter().enumerate() {
                let context = Context { found, position: index + 1, size };
                let holds = match self.value(predicate, context)? {
                    Value::Number(number) => same(number, as_number(index + 1)),
                    value => truth(&value),
                };
                if holds {
                    kept.push(found);
                }
            }
            nodes = kept;
        }
        Ok(nodes)
    }

    fn axis(&self, axis: Axis, from: Found) -> Evaluated<Vec<Found>> {
        let Some(node) = self.document.node(from.node) else { return Ok(Vec::new()) };
        let is_attribute = from.attribute > 0;
        let mut nodes = Vec::new();
        match axis {
            Axis::Itself => nodes.push(from),
            Axis::Child if !is_attribute => {
                nodes.extend(node.children.iter().copied().map(Found::node));
            }
            Axis::Descendant | Axis::DescendantOrSelf => {
                if axis == Axis::DescendantOrSelf {
                    nodes.push(from);
                }
                let mut left: Vec<usize> = match is_attribute {
                    true => Vec::new(),
                    false => node.children.iter().rev().copied().collect(),
                };
                while let Some(at) = left.pop() {
                    nodes.push(Found::node(at));
                    let below = self.document.node(at).map_or(&[][..], |node| &node.children);
                    left.extend(below.iter().rev());
                }
            }
            Axis::Parent if is_attribute => nodes.push(Found::node(from.node)),
            Axis::Parent => nodes.extend((from.node > 0).then(|| Found::node(node.parent))),
            Axis::Ancestor | Axis::AncestorOrSelf => {
                if axis == Axis::AncestorOrSelf {
                    nodes.push(from);
                }
                if is_attribute {
                    nodes.push(Found::node(from.node));
                }
                let mut at = from.node;
                while at > 0 {
                    at = self.document.node(at).map_or(0, |node| node.parent);
                    nodes.push(Found::node(at));
                }
            }
            Axis::FollowingSibling if !is_attribute => {
                let siblings = self.siblings(from.node);
                nodes.extend(
                    siblings.iter().filter(|at| **at > from.node).copied().map(Found::node),
                );
            }
            Axis::PrecedingSibling if !is_attribute => {
                let siblings = self.siblings(from.node).iter().rev();
                nodes.extend(siblings.filter(|at| **at < from.node).copied().map(Found::node));
            }
            Axis::Attribute if !is_attribute => {
                if let Kind::Element { attributes, .. } = &node.kind {
                    let all = 1..=attributes.len();
                    nodes.extend(all.map(|attribute| Found { node: from.node, attribute }));
                }
            }
            _ => {}
        }
        self.spend(nodes.len())?;
        Ok(nodes)
    }

    fn siblings(&self, node: usize) -> &[usize] {
        let parent = self.document.node(node).and_then(|node| self.document.node(node.parent));
        match parent {
            Some(parent) if node > 0 => &parent.children,
            _ => &[],
        }
    }

    fn passes(&self, test: &NodeTest, axis: Axis, found: Found) -> bool {
        let is_text =
            matches!(self.document.node(found.node).map(|n| &n.kind), Some(Kind::Text(_)));
        match test {
            NodeTest::Node => true,
            NodeTest::Text => is_text && found.attribute == 0,
            NodeTest::Any | NodeTest::Name(_) => {
                // The principal kind of the attribute axis are attributes, of others elements.
                let is_principal = (axis == Axis::Attribute) == (found.attribute > 0);
                let name = self.name(found);
                match test {
                    NodeTest::Name(wanted) => is_principal && is_named(name, wanted),
                    _ => is_principal && !name.is_empty(),
                }
            }
        }
    }

    /// As the document writes it; empty for the root and for texts.
    fn name(&self, found: Found) -> &str {
        let Some(node) = self.document.node(found.node) else { return "" };
        match &node.kind {
            Kind::Element { name, .. } if found.attribute == 0 => name,
            Kind::Element { attributes, .. } => {
                attributes.get(found.attribute - 1).map_or("", |(name, _)| name)
            }
            Kind::Root | Kind::Text(_) => "",
        }
    }

    /// The text of a node with all that is below it.
    fn text(&self, found: Found) -> Evaluated<String> {
        let Some(node) = self.document.node(found.node) else { return Ok(String::new()) };
        if let (Kind::Element { attributes, .. }, 1..) = (&node.kind, found.attribute) {
            let attribute = attributes.get(found.attribute - 1);
            return Ok(attribute.map_or_else(String::new, |(_, value)| value.clone()));
        }
        let mut text = String::new();
        for each in self.axis(Axis::DescendantOrSelf, found)? {
            if let Some(Kind::Text(part)) = self.document.node(each.node).map(|node| &node.kind) {
                text.push_str(part);
            }
        }
        Ok(text)
    }

    /// `/feed/entry[2]/@id`.
    fn place(&self, found: Found) -> String {
        let mut parts = Vec::new();
        if found.attribute > 0 {
            parts.push(format!("@{}", self.name(found)));
        }
        let mut at = found.node;
        while at > 0 {
            let name = match self.name(Found::node(at)) {
                "" => "text()",
                name => name,
            };
            let alike: Vec<usize> = self
                .siblings(at)
                .iter()
                .copied()
                .filter(|other| self.name(Found::node(*other)) == self.name(Found::node(at)))
                .collect();
            let index = alike.iter().position(|other| *other == at).map_or(1, |index| index + 1);
            parts.push(if alike.len() > 1 { format!("{name}[{index}]") } else { name.to_owned() });
            at = self.document.node(at).map_or(0, |node| node.parent);
        }
        parts.reverse();
        format!("/{}", parts.join("/"))
    }

    fn string(&self, value: &Value) -> Evaluated<String> {
        Ok(match value {
            Value::Text(text) => text.clone(),
            Value::Bool(is) => is.to_string(),
            Value::Number(number) => number_text(*number),
            Value::Nodes(nodes) => match nodes.first() {
                Some(first) => self.text(*first)?,
                None => String::new(),
            },
        })
    }

    fn number(&self, value: &Value) -> Evaluated<f64> {
        Ok(match value {
            Value::Number(number) => *number,
            Value::Bool(is) => f64::from(u8::from(*is)),
            Value::Text(_) | Value::Nodes(_) => {
                self.string(value)?.trim().parse().unwrap_or(f64::NAN)
            }
        })
    }

    /// A set of nodes compares well when one of them does.
    ///
    /// Source: XPath 1.0, section 3.4.
    fn compare(&self, left: &Value, comparison: Comparison, right: &Value) -> Evaluated<bool> {
        match (left, right) {
            (Value::Bool(_), _) | (_, Value::Bool(_)) if comparison.is_equality() => {
                Ok(comparison.of_equal(truth(left) == truth(right)))
            }
            (Value::Nodes(nodes), other) => {
                for found in nodes {
                    let text = Value::Text(self.text(*found)?);
                    if self.compare(&text, comparison, other)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            (other, Value::Nodes(nodes)) => {
                for found in nodes {
                    let text = Value::Text(self.text(*found)?);
                    if self.compare(other, comparison, &text)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            (Value::Text(left), Value::Text(right)) if comparison.is_equality() => {
                Ok(comparison.of_equal(left == right))
            }
            _ => Ok(comparison.holds(self.number(left)?, self.number(right)?)),
        }
    }

    fn call(
        &self,
        function: Function,
        arguments: &[Expression],
        context: Context,
    ) -> Evaluated<Value> {
        let mut values = Vec::new();
        for argument in arguments {
            values.push(self.value(argument, context)?);
        }
        let own = Value::Nodes(vec![context.found]);
        let first = values.first().unwrap_or(&own);
        let second = values.get(1).map(|value| self.string(value)).transpose()?.unwrap_or_default();
        Ok(match function {
            Function::True => Value::Bool(true),
            Function::False => Value::Bool(false),
            Function::Boolean => Value::Bool(truth(first)),
            Function::Not => Value::Bool(!truth(first)),
            Function::Position => Value::Number(as_number(context.position)),
            Function::Last => Value::Number(as_number(context.size)),
            Function::Count => Value::Number(as_number(nodes_of(first).len())),
            Function::Sum => {
                let mut sum = 0.0;
                for found in nodes_of(first) {
                    sum += self.number(&Value::Nodes(vec![*found]))?;
                }
                Value::Number(sum)
            }
            Function::Number => Value::Number(self.number(first)?),
            Function::Text => Value::Text(self.string(first)?),
            Function::TextLength => Value::Number(as_number(self.string(first)?.chars().count())),
            Function::NormalizeSpace => {
                let text = self.string(first)?;
                Value::Text(text.split_whitespace().collect::<Vec<_>>().join(" "))
            }
            Function::Contains => Value::Bool(self.string(first)?.contains(&second)),
            Function::StartsWith => Value::Bool(self.string(first)?.starts_with(&second)),
            Function::SubstringBefore => {
                let text = self.string(first)?;
                Value::Text(text.split_once(&second).map_or("", |(before, _)| before).to_owned())
            }
            Function::SubstringAfter => {
                let text = self.string(first)?;
                Value::Text(text.split_once(&second).map_or("", |(_, after)| after).to_owned())
            }
            Function::Concat => {
                let texts: Evaluated<Vec<String>> =
                    values.iter().map(|value| self.string(value)).collect();
                Value::Text(texts?.concat())
            }
            Function::Name | Function::LocalName => {
                let name = nodes_of(first).first().map_or("", |found| self.name(*found));
                let local = name.rsplit(':').next().unwrap_or(name);
                let shown = if function == Function::Name { name } else { local };
                Value::Text(shown.to_owned())
            }
        })
    }
}

impl Comparison {
    const fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual)
    }

    const fn of_equal(self, is_equal: bool) -> bool {
        matches!(self, Self::Equal) == is_equal
    }

    fn holds(self, left: f64, right: f64) -> bool {
        let order = left.partial_cmp(&right);
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

fn truth(value: &Value) -> bool {
    match value {
        Value::Bool(is) => *is,
        Value::Number(number) => *number != 0.0 && !number.is_nan(),
        Value::Text(text) => !text.is_empty(),
        Value::Nodes(nodes) => !nodes.is_empty(),
    }
}

fn nodes_of(value: &Value) -> &[Found] {
    match value {
        Value::Nodes(nodes) => nodes,
        _ => &[],
    }
}

/// Whether `name`, which may have a prefix, is what a test asks for.
fn is_named(name: &str, wanted: &str) -> bool {
    if wanted.contains(':') {
        return name == wanted;
    }
    name.rsplit(':').next() == Some(wanted)
}

fn same(left: f64, right: f64) -> bool {
    left.partial_cmp(&right) == Some(Ordering::Equal)
}

#[expect(clippy::cast_precision_loss, reason = "counts of nodes are far from 2^53")]
const fn as_number(count: usize) -> f64 {
    count as f64
}

fn number_text(number: f64) -> String {
    if number.is_nan() { "NaN".to_owned() } else { number.to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::XPath;
    use super::*;
    use scraper::Html;

    const FEED: &str = "<?xml version='1.0'?><a:feed xmlns:a='u'><title>Lamps &amp; more</title>\
        <entry id='1' kind=\"x\"><title>Desk</title><price>39</price></entry>\
        <!-- no --><entry id='2'><title><![CDATA[Floor <b>]]></title><price>129.5</price></entry>\
        <entry id='3'/></a:feed>";

    fn texts(document: &Document, path: &str) -> Vec<String> {
        match XPath::parse(path).unwrap().select(document, 100).unwrap() {
            Selected::Nodes(nodes) => nodes.into_iter().map(|node| node.text).collect(),
            Selected::Text(text) => vec![text],
            Selected::Number(number) => vec![number.to_string()],
            Selected::Bool(is) => vec![is.to_string()],
        }
    }

    #[test]
    fn paths_select_what_the_specification_says() {
        let document = Document::xml(FEED).unwrap();
        for (path, expected) in [
            ("/feed/title", &["Lamps & more"][..]),
            ("/a:feed/entry/@id", &["1", "2", "3"]),
            ("/b:feed/entry/@id", &[]),
            ("//entry[2]/title", &["Floor <b>"]),
            ("//entry[last()]/@id", &["3"]),
            ("//entry[position() < 3]/@id", &["1", "2"]),
            ("//entry[@kind]/@id", &["1"]),
            ("//entry[not(@kind)]/@id", &["2", "3"]),
            ("//entry[price > 100]/title/text()", &["Floor <b>"]),
            ("//entry[title='Desk']/price", &["39"]),
            ("//entry[contains(title, 'oor')]/@*", &["2"]),
            ("//price/../@id", &["1", "2"]),
            ("//price[. = 39]/ancestor::entry/@id", &["1"]),
            ("//entry[3]/preceding-sibling::entry[1]/@id", &["2"]),
            ("//entry[1]/following-sibling::*/@id", &["2", "3"]),
            ("//title | //price", &["Lamps & more", "Desk", "39", "Floor <b>", "129.5"]),
            ("count(//entry)", &["3"]),
            ("sum(//price)", &["168.5"]),
            ("//entry[@id='1' or @id='3'][2]/@id", &["3"]),
            ("string(//entry[1]/title)", &["Desk"]),
            ("//entry/@id = '2'", &["true"]),
            ("//entry/@id != '2'", &["true"]),
            ("local-name(/*)", &["feed"]),
            ("concat(substring-before('a-b', '-'), substring-after('a-b', '-'))", &["ab"]),
            ("/", &["Lamps & moreDesk39Floor <b>129.5"]),
        ] {
            assert_eq!(texts(&document, path), expected, "{path}");
        }
        let places = XPath::parse("//entry[2]/title").unwrap().select(&document, 9).unwrap();
        let Selected::Nodes(nodes) = places else { panic!("nodes") };
        assert_eq!(nodes[0].place, "/a:feed/entry[2]/title");
    }

    #[test]
    fn pages_are_read_as_browsers_read_them() {
        let html = Html::parse_document("<ul><li class=a>One<li>Two</ul><p>x");
        let document = Document::html(&html).unwrap();
        assert_eq!(texts(&document, "//ul/li[@class='a']"), ["One"]);
        assert_eq!(texts(&document, "/html/body/p"), ["x"]);
        let deep = Html::parse_document(&"<div>".repeat(5000));
        assert!(Document::html(&deep).is_err());
    }

    #[test]
    fn what_is_not_taken_is_refused_where_it_stands() {
        for (path, problem, at) in [
            ("", "something is missing at the end", 0),
            ("//a[", "something is missing at the end", 4),
            ("//a[1", "`]` is missing", 5),
            ("//a/following::b", "the axis `following` is not supported", 4),
            ("$x", "variables are not supported; use a template", 0),
            ("count(//a) + 1", "arithmetic (`+`) is not supported", 11),
            ("matches(//a, 'x')", "the function `matches` is not supported", 0),
            ("count()", "`count` does not take 0 arguments", 0),
            ("//a]", "`]` does not belong here", 3),
            ("//comment()", "`comment()` cannot stand in a path", 2),
        ] {
            let error = XPath::parse(path).unwrap_err();
            assert_eq!((error.problem.as_str(), error.at), (problem, at), "{path}");
        }
        assert!(XPath::parse(&"(".repeat(100_000)).is_err());
        assert!(XPath::parse(&"a[".repeat(100_000)).is_err());
    }

    #[test]
    fn no_document_and_no_path_keeps_us_busy() {
        let text = format!("<r>{}</r>", "<a/>".repeat(20_000));
        let document = Document::xml(&text).unwrap();
        let path = XPath::parse("//a[count(//a) > 1]").unwrap();
        assert_eq!(path.select(&document, 9), Err(TooMuchWork));
        for text in ["", "x", "<a>", "<a></b>", "<a x=1/>"] {
            assert!(Document::xml(text).is_err(), "{text}");
        }
        assert!(Document::xml(&"<a>".repeat(100_000)).is_err());
        let bomb = "<!DOCTYPE a [<!ENTITY b 'xxxx'>]><a>&b;</a>";
        assert_eq!(texts(&Document::xml(bomb).unwrap(), "/a"), ["&b;"]);
    }
}

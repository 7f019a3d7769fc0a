use serde_json::Value;
use thiserror::Error;

/// Turns an event into what a target receives.
///
/// Source: EventBridge User Guide, "Input transformation".
#[derive(Clone, Debug)]
pub struct InputTransformer {
    paths: Vec<(String, Vec<Segment>)>,
    template: Vec<Piece>,
}

/// Values of the reserved variables.
#[derive(Clone, Copy, Debug)]
pub struct Variables<'a> {
    /// `<aws.events.rule-arn>`.
    pub rule_arn: &'a str,
    /// `<aws.events.rule-name>`.
    pub rule_name: &'a str,
    /// `<aws.events.event.ingestion-time>`, ISO 8601.
    pub ingestion_time: &'a str,
}

/// Why a transformer cannot be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TransformError {
    /// More than 100 paths, or a longer template than 8,192 characters.
    #[error("the input transformer is too large")]
    TooLarge,
    /// A name that is not allowed.
    #[error("invalid name {0} in InputPathsMap")]
    Name(Box<str>),
    /// A path outside the supported subset.
    #[error("invalid JSON path for {0}")]
    Path(Box<str>),
    /// A placeholder without a path.
    #[error("the template's placeholder {0} is not defined")]
    Placeholder(Box<str>),
}

#[derive(Clone, Debug)]
enum Segment {
    Member(String),
    Element(usize),
    Every,
}

#[derive(Clone, Debug)]
enum Piece {
    Literal(String),
    Placeholder { name: String, quoted: bool },
}

impl InputTransformer {
    const PATHS_MAX: usize = 100;
    const TEMPLATE_CHARACTERS_MAX: usize = 8192;

    /// Reads the paths, by name, and the template.
    pub fn parse<'a>(
        paths: impl IntoIterator<Item = (&'a str, &'a str)>,
        template: &str,
    ) -> Result<Self, TransformError> {
        if template.chars().count() > Self::TEMPLATE_CHARACTERS_MAX {
            return Err(TransformError::TooLarge);
        }
        let paths: Vec<_> = paths
            .into_iter()
            .map(|(name, path)| {
                let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
                if name.is_empty() || !name.chars().all(valid) || name.starts_with("AWS") {
                    return Err(TransformError::Name(name.into()));
                }
                let segments = segments(path).ok_or_else(|| TransformError::Path(name.into()))?;
                Ok((name.to_owned(), segments))
            })
            .collect::<Result<_, _>>()?;
        if paths.len() > Self::PATHS_MAX {
            return Err(TransformError::TooLarge);
        }
        let template = pieces(template);
        for piece in &template {
            if let Piece::Placeholder { name, .. } = piece
                && !name.starts_with("aws.events.")
                && !paths.iter().any(|(known, _)| known == name)
            {
                return Err(TransformError::Placeholder(name.as_str().into()));
            }
        }
        Ok(Self { paths, template })
    }

    /// What the target receives: the template with its placeholders filled.
    ///
    /// Outside quotes a value keeps its JSON form, inside quotes its text is inserted as it is.
    /// Differs: a missing path inserts nothing, where AWS documents only that no variable is made.
    pub fn apply(&self, event: &Value, variables: &Variables<'_>) -> String {
        let mut out = String::new();
        for piece in &self.template {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Placeholder { name, quoted } => {
                    let value = self.value(name, event, variables);
                    out.push_str(&shown(value, *quoted));
                }
            }
        }
        out
    }

    fn value(&self, name: &str, event: &Value, variables: &Variables<'_>) -> Option<Value> {
        match name {
            "aws.events.rule-arn" => Some(variables.rule_arn.into()),
            "aws.events.rule-name" => Some(variables.rule_name.into()),
            "aws.events.event.ingestion-time" => Some(variables.ingestion_time.into()),
            "aws.events.event.json" => Some(event.clone()),
            "aws.events.event" => {
                let mut event = event.clone();
                if let Value::Object(members) = &mut event {
                    members.shift_remove("detail");
                }
                Some(event)
            }
            name => {
                let (_, path) = self.paths.iter().find(|(known, _)| known == name)?;
                select(event, path)
            }
        }
    }
}

fn shown(value: Option<Value>, quoted: bool) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) if quoted => text,
        Some(value) => value.to_string(),
    }
}

/// The subset `$.a.b`, `$.a-b`, `$.list[0]`, `[*]`.
fn segments(path: &str) -> Option<Vec<Segment>> {
    let mut rest = path.strip_prefix('$')?;
    let mut segments = Vec::new();
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix('.') {
            let end = tail.find(['.', '[']).unwrap_or(tail.len());
            let name = tail.get(..end).filter(|name| !name.is_empty())?;
            segments.push(Segment::Member(name.to_owned()));
            rest = tail.get(end..)?;
        } else {
            let (inner, tail) = rest.strip_prefix('[')?.split_once(']')?;
            segments.push(if inner == "*" {
                Segment::Every
            } else {
                Segment::Element(inner.parse().ok()?)
            });
            rest = tail;
        }
    }
    Some(segments)
}

fn select(node: &Value, path: &[Segment]) -> Option<Value> {
    let Some((segment, rest)) = path.split_first() else { return Some(node.clone()) };
    match segment {
        Segment::Member(name) => select(node.get(name)?, rest),
        Segment::Element(index) => select(node.get(index)?, rest),
        Segment::Every => {
            let items = node.as_array()?;
            Some(items.iter().filter_map(|item| select(item, rest)).collect())
        }
    }
}

fn pieces(template: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut quoted = false;
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        let name =
            rest.strip_prefix('<').and_then(|tail| tail.split_once('>')).map(|(name, _)| name);
        let is_name = |name: &&str| {
            let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            !name.is_empty() && name.chars().all(valid)
        };
        if let Some(name) = name.filter(is_name) {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            pieces.push(Piece::Placeholder { name: name.to_owned(), quoted });
            rest = rest.get(name.len() + 2..).unwrap_or("");
            continue;
        }
        if c == '\\' && quoted {
            literal.push(c);
            rest = rest.get(1..).unwrap_or("");
            literal.extend(rest.chars().next());
            rest = rest.get(rest.chars().next().map_or(0, char::len_utf8)..).unwrap_or("");
            continue;
        }
        quoted ^= c == '"';
        literal.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or("");
    }
    pieces.push(Piece::Literal(literal));
    pieces
}

//! One segment document, read and checked.

use std::sync::Arc;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::telemetry::{TraceId, TraceSegment};

/// A segment or subsegment, with what is searched and counted read out of its document.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// 16 hex digits.
    pub id: String,
    /// The subsegment or segment that called it.
    pub parent_id: Option<String>,
    /// The logical service, or what was called.
    pub name: String,
    /// The node type.
    pub origin: Option<String>,
    /// `aws`, `remote` or none for local work.
    pub namespace: Option<String>,
    /// A subsegment, sent inside its segment or by itself.
    pub is_subsegment: bool,
    /// Made here for a callee that sent nothing itself.
    pub is_inferred: bool,
    /// Epoch seconds.
    pub start: f64,
    /// Absent while in progress.
    pub end: Option<f64>,
    /// How it went.
    pub flags: Flags,
    /// The request it made or served.
    pub http: Http,
    /// Who caused it.
    pub user: Option<String>,
    /// The resource it ran on.
    pub resource_arn: Option<String>,
    /// The account it ran in or called.
    pub account_id: Option<String>,
    /// The instance it ran on.
    pub instance_id: Option<String>,
    /// Where that instance stands.
    pub availability_zone: Option<String>,
    /// Indexed annotations, in the order of the document.
    pub annotations: Vec<(String, AnnotationValue)>,
    /// Exceptions: type and message.
    pub exceptions: Vec<(String, String)>,
    /// The callee's own name where the call tells it: a table, a queue, a bucket.
    pub resource: Option<String>,
    /// It is a call to an SQL database.
    pub is_sql: bool,
    /// Segments of other traces that led to it: trace and segment.
    pub links: Vec<(TraceId, String)>,
    /// What it did itself and called.
    pub subsegments: Vec<Segment>,
}

/// How a segment went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent members of the document")]
pub struct Flags {
    /// A client error.
    pub error: bool,
    /// It was throttled.
    pub throttle: bool,
    /// A server fault.
    pub fault: bool,
    /// It has not ended.
    pub in_progress: bool,
}

/// The request of a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Http {
    /// The method.
    pub method: Option<String>,
    /// The URL.
    pub url: Option<String>,
    /// The user agent.
    pub user_agent: Option<String>,
    /// The client's address.
    pub client_ip: Option<String>,
    /// The status code.
    pub status: Option<u16>,
    /// The callee is traced, so that its segment is awaited.
    pub traced: bool,
}

/// The value of an annotation.
#[derive(Clone, Debug, PartialEq)]
pub enum AnnotationValue {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// A boolean.
    Boolean(bool),
}

/// Why a document is refused; the name is the code that PutTraceSegments answers.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DocumentFault {
    /// It is no JSON object.
    #[error("the document is not a JSON object")]
    ParseError,
    /// It is larger than 64 KB.
    #[error("the document is larger than 64 KB")]
    SegmentTooLarge,
    /// It has no id.
    #[error("the document has no id")]
    MissingId,
    /// Its id is not 16 hex digits.
    #[error("id is not 16 hex digits")]
    InvalidId,
    /// Its trace id is none.
    #[error("trace_id is not a trace id")]
    InvalidTraceId,
    /// It has no name.
    #[error("the document has no name")]
    MissingName,
    /// Its name is too long or has characters that are not allowed.
    #[error("name is longer than 200 or has characters that are not allowed")]
    InvalidName,
    /// It does not say when it began.
    #[error("the document has no start_time")]
    MissingStartTime,
    /// It has neither ended nor is it in progress.
    #[error("the document has no end_time and is not in_progress")]
    MissingEndTime,
    /// It is a subsegment sent by itself and does not say whose.
    #[error("a subsegment has no parent_id")]
    MissingParentId,
}

impl DocumentFault {
    /// The code that PutTraceSegments answers.
    ///
    /// Differs: AWS publishes no list; these are the codes seen, and ones named alike.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ParseError => "ParseError",
            Self::SegmentTooLarge => "SegmentTooLarge",
            Self::MissingId => "MissingId",
            Self::InvalidId => "InvalidId",
            Self::InvalidTraceId => "InvalidTraceId",
            Self::MissingName => "MissingName",
            Self::InvalidName => "InvalidName",
            Self::MissingStartTime => "MissingStartTime",
            Self::MissingEndTime => "MissingEndTime",
            Self::MissingParentId => "MissingParentId",
        }
    }
}

const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
/// How deep subsegments may lie in each other.
const DEPTH_MAX: usize = 64;

/// Checks a document as PutTraceSegments does, and makes it what the store keeps.
///
/// Source: X-Ray Developer Guide, "Segment documents". The id comes along with a fault where there
/// is one, since the answer names it.
pub fn read_document(document: Arc<str>) -> Result<TraceSegment, (Option<String>, DocumentFault)> {
    if document.len() > DOCUMENT_BYTES_MAX {
        return Err((None, DocumentFault::SegmentTooLarge));
    }
    let value: Value =
        serde_json::from_str(&document).map_err(|_not_json| (None, DocumentFault::ParseError))?;
    let Value::Object(members) = value else { return Err((None, DocumentFault::ParseError)) };
    let id = text(&members, "id");
    let fault = |fault| (id.clone(), fault);
    let own = id.clone().ok_or((None, DocumentFault::MissingId))?;
    if own.len() != 16 || !own.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(fault(DocumentFault::InvalidId));
    }
    let trace_id = text(&members, "trace_id").and_then(|text| TraceId::parse(&text).ok());
    let trace_id = trace_id.ok_or_else(|| fault(DocumentFault::InvalidTraceId))?;
    let name = text(&members, "name").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| fault(DocumentFault::MissingName))?;
    if name.chars().count() > 200 || !name.chars().all(is_name) {
        return Err(fault(DocumentFault::InvalidName));
    }
    let number = |name: &str| members.get(name).and_then(Value::as_f64);
    let start_time = number("start_time").ok_or_else(|| fault(DocumentFault::MissingStartTime))?;
    let in_progress = members.get("in_progress") == Some(&Value::Bool(true));
    let end_time = number("end_time").map(|end| end.max(start_time));
    if end_time.is_none() && !in_progress {
        return Err(fault(DocumentFault::MissingEndTime));
    }
    let is_subsegment = text(&members, "type").as_deref() == Some("subsegment");
    if is_subsegment && text(&members, "parent_id").is_none() {
        return Err(fault(DocumentFault::MissingParentId));
    }
    Ok(TraceSegment {
        trace_id,
        id: own.into(),
        start_time,
        end_time: if in_progress { None } else { end_time },
        document,
    })
}

/// Source: as above, `name`.
fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() || "_.:/%&#=+\\-@".contains(c)
}

fn text(members: &Map<String, Value>, name: &str) -> Option<String> {
    members.get(name)?.as_str().map(str::to_owned)
}

impl Segment {
    /// Reads a stored document; `None` when it is no object or nests too deeply.
    pub fn of(segment: &TraceSegment) -> Option<Self> {
        let value: Value = serde_json::from_str(&segment.document).ok()?;
        Self::read(value.as_object()?, 0)
    }

    fn read(members: &Map<String, Value>, depth: usize) -> Option<Self> {
        let empty = Map::new();
        let object = |name: &str| members.get(name).and_then(Value::as_object).unwrap_or(&empty);
        let flag = |name: &str| members.get(name) == Some(&Value::Bool(true));
        let aws = object("aws");
        let ec2 = aws.get("ec2").and_then(Value::as_object).unwrap_or(&empty);
        let subsegments = members.get("subsegments").and_then(Value::as_array);
        let inner = subsegments.filter(|_| depth < DEPTH_MAX).into_iter().flatten();
        let inner = inner.filter_map(|value| Self::read(value.as_object()?, depth + 1));
        Some(Self {
            id: text(members, "id")?,
            parent_id: text(members, "parent_id"),
            name: text(members, "name").unwrap_or_default(),
            origin: text(members, "origin"),
            namespace: text(members, "namespace"),
            is_subsegment: depth > 0 || text(members, "type").as_deref() == Some("subsegment"),
            is_inferred: false,
            start: members.get("start_time")?.as_f64()?,
            end: members.get("end_time").and_then(Value::as_f64),
            flags: Flags {
                error: flag("error"),
                throttle: flag("throttle"),
                fault: flag("fault"),
                in_progress: flag("in_progress"),
            },
            http: Http::read(object("http")),
            user: text(members, "user"),
            resource_arn: text(members, "resource_arn"),
            account_id: text(aws, "account_id"),
            instance_id: text(ec2, "instance_id"),
            availability_zone: text(ec2, "availability_zone"),
            annotations: annotations(object("annotations")),
            exceptions: exceptions(object("cause")),
            resource: resource(aws),
            is_sql: members.contains_key("sql"),
            links: links(members),
            subsegments: inner.collect(),
        })
    }

    /// Seconds from start to end; zero while in progress.
    pub fn duration(&self) -> f64 {
        self.end.map_or(0.0, |end| (end - self.start).max(0.0))
    }

    /// The segment and everything below it.
    pub fn walk<'s>(&'s self, visit: &mut dyn FnMut(&'s Self)) {
        visit(self);
        self.subsegments.iter().for_each(|inner| inner.walk(visit));
    }

    /// The subsegment of this id, anywhere below, or the segment itself.
    pub(super) fn find_mut(&mut self, id: &str) -> Option<&mut Self> {
        if self.id == id {
            return Some(self);
        }
        self.subsegments.iter_mut().find_map(|inner| inner.find_mut(id))
    }
}

impl Http {
    fn read(http: &Map<String, Value>) -> Self {
        let empty = Map::new();
        let object = |name: &str| http.get(name).and_then(Value::as_object).unwrap_or(&empty);
        let (request, response) = (object("request"), object("response"));
        let status = response.get("status").and_then(Value::as_u64);
        Self {
            method: text(request, "method"),
            url: text(request, "url"),
            user_agent: text(request, "user_agent"),
            client_ip: text(request, "client_ip"),
            status: status.and_then(|status| u16::try_from(status).ok()),
            traced: request.get("traced") == Some(&Value::Bool(true)),
        }
    }
}

/// Arrays, objects and nulls are no annotations.
fn annotations(members: &Map<String, Value>) -> Vec<(String, AnnotationValue)> {
    let read = |(key, value): (&String, &Value)| {
        // Keys with other characters are kept in the document and not searched.
        if !key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.')) {
            return None;
        }
        let value = match value {
            Value::String(text) => AnnotationValue::Text(text.clone()),
            Value::Number(number) => AnnotationValue::Number(number.as_f64()?),
            Value::Bool(boolean) => AnnotationValue::Boolean(*boolean),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        Some((key.clone(), value))
    };
    members.iter().filter_map(read).collect()
}

/// Source: X-Ray Developer Guide, "Tracing event-driven applications": at most 20 of a segment.
fn links(members: &Map<String, Value>) -> Vec<(TraceId, String)> {
    const LINKS_MAX: usize = 20;
    let list = members.get("links").and_then(Value::as_array);
    let read = |value: &Value| {
        let members = value.as_object()?;
        Some((TraceId::parse(&text(members, "trace_id")?).ok()?, text(members, "id")?))
    };
    list.into_iter().flatten().filter_map(read).take(LINKS_MAX).collect()
}

fn exceptions(cause: &Map<String, Value>) -> Vec<(String, String)> {
    let list = cause.get("exceptions").and_then(Value::as_array);
    let read = |value: &Value| {
        let members = value.as_object()?;
        let kind = text(members, "type").unwrap_or_default();
        Some((kind, text(members, "message").unwrap_or_default()))
    };
    list.into_iter().flatten().filter_map(read).collect()
}

fn resource(aws: &Map<String, Value>) -> Option<String> {
    let names = ["table_name", "bucket_name", "topic_arn", "function_name", "queue_url"];
    let named = names.into_iter().find_map(|name| text(aws, name));
    let listed = aws.get("resource_names").and_then(Value::as_array);
    let first = listed.and_then(|names| names.first()).and_then(Value::as_str);
    let resource = named.or_else(|| first.map(str::to_owned))?;
    // The last part of an ARN or a queue's URL is its name.
    Some(resource.rsplit([':', '/']).next().unwrap_or(&resource).to_owned())
}

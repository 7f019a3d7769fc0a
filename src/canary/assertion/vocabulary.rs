use std::time::Duration;

use regex::Regex;
use serde_json_path::JsonPath;

use crate::canary::json_schema::JsonSchema;
use crate::canary::observation::Phase;
use crate::canary::template::{TemplateValue, Text};
use crate::canary::xpath::XPath;
use crate::diagnostic::Span;

/// One predicate over one observable, with where it stands in the canary file.
#[derive(Clone, Debug)]
pub struct Assertion {
    /// What is looked at.
    pub subject: Subject,
    /// What must hold.
    pub predicate: Predicate,
    /// Where it stands.
    pub span: Span,
}

/// What an assertion looks at.
#[derive(Clone, Debug)]
pub enum Subject {
    /// The status code.
    Status,
    /// From start to end, or one phase.
    Latency(Option<Phase>),
    /// A response header; repeated ones are joined with `, `.
    Header(String),
    /// A cookie set by the response.
    Cookie(String),
    /// The body as text.
    Body,
    /// The nodes a JSON path selects in the body.
    Json(JsonPath),
    /// The text of what a CSS selector selects in an HTML body.
    Css(String),
    /// What an XPath yields from an XML or HTML body.
    XPath(XPath),
    /// The length of the body, in bytes.
    Bytes,
    /// The SHA-256 of the body, hex.
    Sha256,
    /// How many redirects were followed.
    Redirects,
    /// The URL that answered in the end.
    Url,
    /// The address connected to.
    RemoteAddress,
    /// `HTTP/1.1`, `TLSv1.3`.
    Version,
    /// One field of the certificate.
    Certificate(CertificateField),
    /// Text received in a dialogue; the n-th answer, or all of them.
    Received(Option<usize>),
    /// Records of a DNS answer, in presentation form.
    Records,
    /// The smallest time to live of a DNS answer, in seconds.
    TimeToLive,
    /// The DNS response code.
    ResponseCode,
    /// Whether the DNS answer is authoritative.
    Authoritative,
    /// Share of echo requests without a reply, in percent.
    Loss,
    /// The gRPC status message.
    Message,
    /// A named value that a page action observed: the text of an element, the URL, a count.
    Observed(String),
}

/// A field of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateField {
    /// Time left until it expires.
    Expires,
    /// Subject.
    Subject,
    /// Issuer.
    Issuer,
    /// Names it is good for.
    Names,
    /// Serial number.
    Serial,
    /// SHA-256 of the DER form.
    Sha256,
    /// Whether chain and name were trusted.
    Trusted,
}

/// What must hold of an observed value.
#[derive(Clone, Debug)]
pub enum Predicate {
    /// It is this value. Strings may hold templates.
    Equals(TemplateValue),
    /// The inner predicate does not hold.
    Not(Box<Predicate>),
    /// A text holds this text; a list or JSON holds this value.
    Contains(TemplateValue),
    /// A text starts with this.
    StartsWith(Text),
    /// A text ends with this.
    EndsWith(Text),
    /// A text matches this.
    Matches(Regex),
    /// A number, duration or size is smaller.
    Under(Quantity),
    /// A number, duration or size is larger.
    Over(Quantity),
    /// It lies between the two, ends included.
    Between(Quantity, Quantity),
    /// It is one of these.
    OneOf(Vec<TemplateValue>),
    /// It is there (`true`) or it is not.
    Exists(bool),
    /// It is of this JSON type: `number`, `string`, `boolean`, `list`, `object`, `null`.
    Is(ValueType),
    /// Its length (characters of a text, items of a list) fulfils the inner predicate.
    Length(Box<Predicate>),
    /// How many nodes were selected fulfils the inner predicate.
    Count(Box<Predicate>),
    /// It is valid under this JSON Schema.
    Schema(JsonSchema),
    /// A status of this class: 2 for `2xx`.
    StatusClass(u16),
    /// All of these hold.
    All(Vec<Predicate>),
}

/// A number with the unit it was written in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantity {
    /// A bare number.
    Number(f64),
    /// A stretch of time: `300ms`.
    Duration(Duration),
    /// A number of bytes: `10 KiB`.
    Bytes(u64),
    /// A share: `0.1%`.
    Percent(f64),
}

/// The JSON types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the JSON types")]
pub enum ValueType {
    Null,
    Boolean,
    Number,
    String,
    List,
    Object,
}

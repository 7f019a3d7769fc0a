//! AWS wire protocols: bytes to typed input, typed output to bytes.
//!
//! Main types: [`Protocol`], [`Node`]. The design is a convention over serde, with no shape tables:
//!
//! - Every request body, whatever its protocol, is first read into one small tree, [`Node`]
//!   (strings borrow from the body), under one set of caps. One deserializer, `Decode`, then reads
//!   an operation's input struct from the tree. The struct *is* the shape: when it asks for a list,
//!   a form's `X.member.1`, `X.1` or empty `X=` is a list; when it asks for a map, `X.entry.1.key`
//!   is a map; when it asks for a number, the form's text is a number. That is all that the query
//!   protocol needs, and it cannot drift from the code that uses the value.
//! - One serializer per output form: serde_json, ciborium and [`xml`]. The only type whose form
//!   differs by protocol is [`Instant`]: epoch seconds in JSON, tag 1 in CBOR, ISO 8601 in XML. It
//!   says so in its own `Serialize`.
//!
//! The tree costs one pass more than reading JSON straight into the struct. It buys one place for
//! AWS's leniencies (`"NaN"` is a double), faults that know their path
//! (`MetricData.member.1.Value`), and one set of limits for four protocols.
//!
//! Nothing here knows an operation, a service's semantics or the store.

mod caps;
mod cbor;
mod decode;
pub(super) mod event_stream;
mod flat;
mod instant;
mod json;
mod node;
mod query;
mod reply;
mod xml;

pub(super) use caps::BadBody;
pub(super) use cbor::Skim;
pub(super) use decode::{DecodeError, DecodeFault, lower_first};
pub(super) use flat::Flat;
pub(super) use instant::Instant;
pub(super) use node::Node;
pub(super) use query::Form;
pub(super) use reply::{ByteStream, EncodeError, Manner, Reply, error_reply, output_reply};

/// How a request is written, and so how its answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Form in, XML out.
    Query,
    /// AWS JSON 1.0 or 1.1; the version only names the content type.
    Json(JsonVersion),
    /// Smithy RPC v2 with CBOR bodies.
    Cbor,
    /// REST with JSON bodies.
    RestJson,
}

/// Which AWS JSON a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonVersion {
    /// `application/x-amz-json-1.0`.
    V1_0,
    /// `application/x-amz-json-1.1`.
    V1_1,
}

impl Protocol {
    /// The content type of its answers.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Query => "text/xml",
            Self::Json(JsonVersion::V1_0) => "application/x-amz-json-1.0",
            Self::Json(JsonVersion::V1_1) => "application/x-amz-json-1.1",
            Self::Cbor => "application/cbor",
            Self::RestJson => "application/json",
        }
    }

    /// Reads a body into a tree. An empty body is an empty structure.
    pub(super) fn read(self, body: &[u8]) -> Result<Node<'_>, BadBody> {
        if body.is_empty() {
            return Ok(Node::Map(Vec::new()));
        }
        match self {
            Self::Query => Ok(Form::read(body)?.into_node()),
            Self::Json(_) | Self::RestJson => json::read(body),
            Self::Cbor => cbor::read(body),
        }
    }
}

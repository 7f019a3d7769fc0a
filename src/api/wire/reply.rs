use std::fmt::{self, Write};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use serde::Serialize;
use serde_json::{Map, Value};
use thiserror::Error;

use super::Protocol;
use super::xml::{self, XmlError};
use crate::api::error::ApiError;

/// A body that is sent as it is made.
pub(in crate::api) struct ByteStream(pub(in crate::api) BoxStream<'static, Bytes>);

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByteStream")
    }
}

/// An answer, before it is HTTP.
#[derive(Debug)]
pub(in crate::api) struct Reply {
    /// The HTTP status.
    pub(in crate::api) status: u16,
    /// Headers beside those every answer has.
    pub(in crate::api) headers: Vec<(&'static str, String)>,
    /// The body.
    pub(in crate::api) body: Bytes,
    /// What is sent in its place, as it is made.
    pub(in crate::api) stream: Option<ByteStream>,
}

/// How an answer is to be written.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct Manner<'a> {
    /// In which protocol.
    pub(in crate::api) protocol: Protocol,
    /// The operation's name, which the Query protocol wraps answers in.
    pub(in crate::api) operation: &'a str,
    /// The service's XML namespace.
    pub(in crate::api) xml_namespace: &'static str,
    /// What precedes a shape's name in `__type`.
    pub(in crate::api) error_namespace: &'static str,
    /// Whether JSON and CBOR answers carry the Query protocol's error codes.
    pub(in crate::api) query_compatible: bool,
    /// The id of the request.
    pub(in crate::api) request_id: &'a str,
}

/// An output that cannot be written: a fault of ours.
#[derive(Debug, Error)]
pub(in crate::api) enum EncodeError {
    /// As JSON.
    #[error("cannot write the answer as JSON")]
    Json(#[source] serde_json::Error),
    /// As CBOR.
    #[error("cannot write the answer as CBOR")]
    Cbor(#[source] ciborium::ser::Error<std::io::Error>),
    /// As XML.
    #[error("cannot write the answer as XML")]
    Xml(#[from] XmlError),
}

/// Writes an operation's output. `()` is "no output": `{}`, an empty map, or no result element.
pub(in crate::api) fn output_reply<T: Serialize>(
    manner: Manner<'_>,
    output: &T,
) -> Result<Reply, EncodeError> {
    let body = match manner.protocol {
        Protocol::Query => query_output(manner, output)?.into_bytes(),
        Protocol::Json(_) | Protocol::RestJson => json(output)?,
        Protocol::Cbor => cbor(output)?,
    };
    Ok(Reply { status: 200, headers: Vec::new(), body: body.into(), stream: None })
}

/// Writes a refusal. Nothing in it can fail to be written.
pub(in crate::api) fn error_reply(manner: Manner<'_>, error: &ApiError) -> Reply {
    let mut headers = Vec::new();
    if let Some(wait) = error.retry_after {
        headers.push(("retry-after", wait.as_secs().max(1).to_string()));
    }
    let fault = error.fault;
    if manner.query_compatible && manner.protocol != Protocol::Query {
        headers.push(("x-amzn-query-error", format!("{};{}", fault.query_code, fault.side())));
    }
    if matches!(manner.protocol, Protocol::RestJson | Protocol::Json(_)) {
        headers.push(("x-amzn-errortype", fault.shape.to_owned()));
    }
    let body = match manner.protocol {
        Protocol::Query => query_error(manner, error).into_bytes(),
        Protocol::Cbor => cbor(&error_members(manner, error)).unwrap_or_default(),
        Protocol::Json(_) | Protocol::RestJson => {
            json(&error_members(manner, error)).unwrap_or_default()
        }
    };
    Reply { status: fault.status, headers, body: body.into(), stream: None }
}

fn json<T: Serialize>(output: &T) -> Result<Vec<u8>, EncodeError> {
    let body = serde_json::to_vec(output).map_err(EncodeError::Json)?;
    Ok(if body == b"null" { b"{}".to_vec() } else { body })
}

fn cbor<T: Serialize>(output: &T) -> Result<Vec<u8>, EncodeError> {
    const NULL: u8 = 0xf6;
    const EMPTY_MAP: u8 = 0xa0;
    let mut body = Vec::new();
    ciborium::into_writer(output, &mut body).map_err(EncodeError::Cbor)?;
    Ok(if body == [NULL] { vec![EMPTY_MAP] } else { body })
}

fn query_output<T: Serialize>(manner: Manner<'_>, output: &T) -> Result<String, EncodeError> {
    let Manner { operation, xml_namespace, request_id, .. } = manner;
    let mut out = String::new();
    opening(&mut out, &format!("{operation}Response"), xml_namespace);
    xml::element(&mut out, &format!("{operation}Result"), output)?;
    out.push_str("<ResponseMetadata>");
    xml::element(&mut out, "RequestId", request_id)?;
    closing(&mut out, &format!("ResponseMetadata></{operation}Response"));
    Ok(out)
}

/// Source: Smithy, "AWS query protocol", error serialization.
fn query_error(manner: Manner<'_>, error: &ApiError) -> String {
    let mut out = String::new();
    opening(&mut out, "ErrorResponse", manner.xml_namespace);
    out.push_str("<Error>");
    let fault = error.fault;
    let parts = [("Type", fault.side()), ("Code", fault.query_code), ("Message", &error.message)];
    for (name, value) in parts {
        // Writing a text into a string cannot fail.
        xml::element(&mut out, name, value).unwrap_or_default();
    }
    for (name, value) in &error.members {
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        xml::element(&mut out, name, &text).unwrap_or_default();
    }
    out.push_str("</Error>");
    xml::element(&mut out, "RequestId", manner.request_id).unwrap_or_default();
    closing(&mut out, "ErrorResponse");
    out
}

fn opening(out: &mut String, name: &str, namespace: &str) {
    out.push('<');
    out.push_str(name);
    out.push_str(" xmlns=\"");
    xml::text(out, namespace);
    out.push_str("\">");
}

fn closing(out: &mut String, name: &str) {
    write!(out, "</{name}>").unwrap_or_default();
}

fn error_members(manner: Manner<'_>, error: &ApiError) -> Map<String, Value> {
    let shape = error.fault.shape;
    let mut members = Map::new();
    match manner.protocol {
        // COMPAT: the models of the REST services spell it with a capital.
        Protocol::RestJson => members.insert("Message".to_owned(), error.message.clone().into()),
        _ => {
            let kind = match shape {
                "ValidationException" if !manner.error_namespace.is_empty() => {
                    format!("com.amazon.coral.validate#{shape}")
                }
                _ => format!("{}{shape}", manner.error_namespace),
            };
            members.insert("__type".to_owned(), kind.into());
            members.insert("message".to_owned(), error.message.clone().into())
        }
    };
    for (name, value) in &error.members {
        members.insert((*name).to_owned(), value.clone());
    }
    members
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::api::error::Fault;
    use crate::api::wire::{Instant, JsonVersion};
    use crate::time::Timestamp;

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Output {
        name: &'static str,
        values: Vec<f64>,
        none: Vec<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<&'static str>,
        at: Instant,
        whole: Instant,
        tags: BTreeMap<&'static str, i32>,
        inner: Vec<Inner>,
        on: bool,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Inner {
        key: &'static str,
    }

    fn output() -> Output {
        Output {
            name: "a<b>&\"c\u{1}",
            values: vec![100.0, 0.5],
            none: vec![],
            absent: None,
            at: Instant(Timestamp::from_millis(1_767_323_045_678)),
            whole: Instant(Timestamp::from_secs(1_767_323_045)),
            tags: BTreeMap::from([("k", 1)]),
            inner: vec![Inner { key: "x" }],
            on: true,
        }
    }

    fn manner(protocol: Protocol) -> Manner<'static> {
        Manner {
            protocol,
            operation: "Test",
            xml_namespace: "http://example/doc/",
            error_namespace: "com.example#",
            query_compatible: true,
            request_id: "id-1",
        }
    }

    fn written<T: Serialize>(protocol: Protocol, output: &T) -> String {
        let body = output_reply(manner(protocol), output).unwrap().body;
        match protocol {
            Protocol::Cbor => hex::encode(body),
            _ => String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    const JSON: Protocol = Protocol::Json(JsonVersion::V1_0);

    #[test]
    fn an_output_is_written_in_each_protocols_own_form() {
        let xml = "<TestResponse xmlns=\"http://example/doc/\"><TestResult>\
            <Name>a&lt;b&gt;&amp;&quot;c\u{fffd}</Name>\
            <Values><member>100.0</member><member>0.5</member></Values><None></None>\
            <At>2026-01-02T03:04:05.678Z</At><Whole>2026-01-02T03:04:05Z</Whole>\
            <Tags><entry><key>k</key><value>1</value></entry></Tags>\
            <Inner><member><Key>x</Key></member></Inner><On>true</On>\
            </TestResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata>\
            </TestResponse>";
        assert_eq!(written(Protocol::Query, &output()), xml);
        let json = r#"{"Name":"a<b>&\"c\u0001","Values":[100.0,0.5],"None":[],"#.to_owned()
            + r#""At":1767323045.678,"Whole":1767323045.0,"Tags":{"k":1},"#
            + r#""Inner":[{"Key":"x"}],"On":true}"#;
        assert_eq!(written(JSON, &output()), json);
        let cbor = written(Protocol::Cbor, &output());
        // The instants are under tag 1.
        assert!(cbor.contains("624174c1fb41da55cd696b645a"), "{cbor}");
    }

    #[test]
    fn no_output_is_an_empty_structure_or_no_result() {
        assert_eq!(written(JSON, &()), "{}");
        assert_eq!(written(Protocol::Cbor, &()), "a0");
        let xml = "<TestResponse xmlns=\"http://example/doc/\"><ResponseMetadata>\
            <RequestId>id-1</RequestId></ResponseMetadata></TestResponse>";
        assert_eq!(written(Protocol::Query, &()), xml);
    }

    #[test]
    fn a_refusal_is_written_in_each_protocols_own_form() {
        const FAULT: Fault = Fault::coded("BadThingException", "BadThing", 400);
        let error = FAULT.because("no <x>").with("Extra", "e");
        let reply = |protocol| {
            let reply = error_reply(manner(protocol), &error);
            (String::from_utf8_lossy(&reply.body).into_owned(), reply.headers)
        };
        let query_error = ("x-amzn-query-error", "BadThing;Sender".to_owned());
        let kind = ("x-amzn-errortype", "BadThingException".to_owned());
        let xml = "<ErrorResponse xmlns=\"http://example/doc/\"><Error><Type>Sender</Type>\
            <Code>BadThing</Code><Message>no &lt;x&gt;</Message><Extra>e</Extra></Error>\
            <RequestId>id-1</RequestId></ErrorResponse>";
        assert_eq!(reply(Protocol::Query), (xml.to_owned(), vec![]));
        let json = r#"{"__type":"com.example#BadThingException","message":"no <x>","Extra":"e"}"#;
        assert_eq!(reply(JSON), (json.to_owned(), vec![query_error.clone(), kind.clone()]));
        let rest = r#"{"Message":"no <x>","Extra":"e"}"#;
        assert_eq!(reply(Protocol::RestJson).0, rest);
        let (cbor, headers) = reply(Protocol::Cbor);
        assert!(cbor.contains("com.example#BadThingException"));
        // Source: Smithy RPC v2 CBOR: the error type travels in the body only.
        assert_eq!(headers, vec![query_error]);
    }

    #[test]
    fn the_request_validators_own_shape_keeps_its_namespace() {
        let error = crate::api::fault::VALIDATION.because("x");
        let body = error_reply(manner(JSON), &error).body;
        assert!(body.starts_with(br#"{"__type":"com.amazon.coral.validate#ValidationException""#));
    }
}

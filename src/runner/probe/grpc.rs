//! Unary gRPC calls, among them the health check that every server offers alike.
//!
//! Spoken over the HTTP probe's own HTTP/2 rather than a gRPC client's channel, which would connect
//! by itself, unseen by policy and clock.

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;
use percent_encoding::percent_decode_str;
use prost::Message;
use serde_json::{Value, json};

use super::error::{ProbeError, TransferFault};
use super::http::{HttpRequest, HttpSession};
use super::trail::Trail;
use crate::canary::action::{HttpVersion, RedirectPolicy};
use crate::canary::observation::{Answer, Phase};
use crate::time::Deadline;

const HEALTH_METHOD: &str = "grpc.health.v1.Health/Check";

/// Source: grpc/health/v1/health.proto.
#[derive(Clone, PartialEq, Eq, Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// What a unary call brought.
#[derive(Debug)]
pub(crate) struct UnaryAnswer {
    /// The status code, 0 for OK.
    pub(crate) status: i32,
    /// The status message.
    pub(crate) message: String,
    /// The message's bytes, where one came.
    pub(crate) message_bytes: Option<Bytes>,
}

/// Asks a server how a service is.
///
/// Shape: `request` holds the server's URL and metadata; path, body and version are set here.
/// Errors: those of an HTTP exchange; `Transfer` when the answer is not gRPC.
pub(crate) async fn health(
    session: &mut HttpSession,
    (request, service): (HttpRequest, &str),
    trail: &mut Trail,
    deadline: Deadline,
) -> Result<Answer, ProbeError> {
    let asked = HealthCheckRequest { service: service.to_owned() }.encode_to_vec();
    let answer = unary(session, (request, HEALTH_METHOD, &asked), trail, deadline).await?;
    let body = match &answer.message_bytes {
        Some(message) if answer.status == 0 => {
            Some(read(message).ok_or_else(|| malformed(&trail.place))?)
        }
        _ => None,
    };
    Ok(Answer::Grpc { status: answer.status, message: answer.message, body })
}

/// Makes a unary call: one message there, at most one back.
///
/// Shape: `request` holds the server's URL and metadata; path, body and version are set here.
/// Errors: those of an HTTP exchange; `Transfer` when the answer is not gRPC.
pub(crate) async fn unary(
    session: &mut HttpSession,
    (mut request, method, message): (HttpRequest, &str, &[u8]),
    trail: &mut Trail,
    deadline: Deadline,
) -> Result<UnaryAnswer, ProbeError> {
    request.url.set_path(method);
    request.version = Some(HttpVersion::Http2);
    request.redirects = RedirectPolicy::Stop;
    request.body = frame(message);
    let (head, body) = session.call(&request, trail, deadline).await?;
    // An error may come without a body, its status in the header: "Trailers-Only".
    let status = status(&head.trailers).or_else(|| status(&head.headers));
    let Some((status, message)) = status else {
        return Err(match head.status.as_u16() {
            200 => malformed(&trail.place),
            other => {
                let reason = format!("the call with HTTP status {other}");
                let fault = TransferFault::Refused { reason };
                ProbeError::transfer(Phase::Receive, &trail.place, fault)
            }
        });
    };
    let message_bytes = unframe(&body).map(Bytes::copy_from_slice);
    Ok(UnaryAnswer { status, message, message_bytes })
}

/// The answer is not gRPC, or not the message that was described.
pub(crate) fn malformed(place: &str) -> ProbeError {
    let fault = TransferFault::Malformed { protocol: "gRPC", beginning: String::new() };
    ProbeError::transfer(Phase::Receive, place, fault)
}

/// Source: gRPC over HTTP2, "Length-Prefixed-Message".
fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(message);
    framed.freeze()
}

fn unframe(body: &[u8]) -> Option<&[u8]> {
    let [0, a, b, c, d, message @ ..] = body else { return None };
    let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).ok()?;
    message.get(..length)
}

fn read(message: &[u8]) -> Option<Value> {
    let status = HealthCheckResponse::decode(message).ok()?.status;
    let name = match status {
        0 => "UNKNOWN".into(),
        1 => "SERVING".into(),
        2 => "NOT_SERVING".into(),
        3 => "SERVICE_UNKNOWN".into(),
        other => Value::from(other),
    };
    Some(json!({ "status": name }))
}

fn status(fields: &HeaderMap) -> Option<(i32, String)> {
    let text = |name: &str| fields.get(name).and_then(|value| value.to_str().ok());
    let status = text("grpc-status")?.parse().ok()?;
    let message = percent_decode_str(text("grpc-message").unwrap_or_default());
    Some((status, message.decode_utf8_lossy().into_owned()))
}

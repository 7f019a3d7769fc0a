//! OTLP and Prometheus remote write over HTTP.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::body::{self, BodyFault};
use super::logs::Target;
use super::receive::{ReceiveError, Receiver, batch_id};
use super::rejected::Rejected;
use super::remote_write;
use crate::store::AppendError;
use crate::telemetry::{Scope, Spellings};

/// The routes that take telemetry.
pub(super) fn routes(receiver: Receiver) -> Router {
    Router::new()
        .route("/v1/traces", post(traces))
        .route("/v1/metrics", post(metrics))
        .route("/v1/logs", post(logs))
        .route("/api/v1/write", post(samples))
        .with_state(receiver)
}

/// How a message is written, and so how its answer is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

/// Source: OTLP specification, "Export*ServiceResponse", the member that counts.
#[derive(Clone, Copy)]
enum Signal {
    Spans,
    DataPoints,
    LogRecords,
}

async fn traces(State(receiver): State<Receiver>, request: Request) -> Response {
    let sent = match Sent::read(request).await {
        Ok(sent) => sent,
        Err(refused) => return refused,
    };
    let (scope, encoding) = (sent.scope.clone(), sent.encoding);
    let read = move || sent.message::<ExportTraceServiceRequest>();
    answer(encoding, Signal::Spans, receiver.traces(scope, read).await)
}

async fn metrics(State(receiver): State<Receiver>, request: Request) -> Response {
    let sent = match Sent::read(request).await {
        Ok(sent) => sent,
        Err(refused) => return refused,
    };
    let (scope, encoding, id) = (sent.scope.clone(), sent.encoding, batch_id(&sent.body));
    let read = move || sent.message::<ExportMetricsServiceRequest>();
    answer(encoding, Signal::DataPoints, receiver.metrics(scope, id, read).await)
}

async fn logs(State(receiver): State<Receiver>, request: Request) -> Response {
    let target = target(request.headers());
    let sent = match Sent::read(request).await {
        Ok(sent) => sent,
        Err(refused) => return refused,
    };
    let (scope, encoding, id) = (sent.scope.clone(), sent.encoding, batch_id(&sent.body));
    let read = move || sent.message::<ExportLogsServiceRequest>();
    answer(encoding, Signal::LogRecords, receiver.logs((scope, target), id, read).await)
}

fn target(headers: &HeaderMap) -> Target {
    let text =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Target { group: text("x-aws-log-group"), stream: text("x-aws-log-stream") }
}

/// A request, read and not yet decoded.
struct Sent {
    scope: Scope,
    encoding: Encoding,
    is_gzip: bool,
    body: Bytes,
}

impl Sent {
    async fn read(request: Request) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let kind = content_type(&parts.headers);
        let encoding = match kind.as_str() {
            "application/x-protobuf" | "application/protobuf" => Encoding::Protobuf,
            "application/json" => Encoding::Json,
            _ => {
                let why = "the content type is neither application/x-protobuf nor application/json";
                return Err(refusal(Encoding::Json, (415, why)));
            }
        };
        let refuse = |fault| refusal(encoding, fault);
        let is_gzip = match body::encoding(&parts.headers).map_err(refuse)? {
            "gzip" => true,
            "" | "identity" => false,
            _ => return Err(refuse((415, "the content encoding is neither gzip nor identity"))),
        };
        let scope = parts.extensions.get::<Scope>().cloned().unwrap_or_default();
        let body = body::read(body).await.map_err(refuse)?;
        Ok(Self { scope, encoding, is_gzip, body })
    }

    fn message<M: Message + Default + DeserializeOwned>(self) -> Result<M, &'static str> {
        let inflated;
        let bytes: &[u8] = if self.is_gzip {
            inflated = body::gunzip(&self.body)?;
            &inflated
        } else {
            &self.body
        };
        match self.encoding {
            Encoding::Protobuf => M::decode(bytes).map_err(|_fault| "the body is not protobuf"),
            Encoding::Json => {
                serde_json::from_slice(bytes).map_err(|_fault| "the body is not OTLP JSON")
            }
        }
    }
}

fn content_type(headers: &HeaderMap) -> String {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn answer(
    encoding: Encoding,
    signal: Signal,
    received: Result<Rejected, ReceiveError>,
) -> Response {
    let rejected = match received {
        Ok(rejected) => rejected,
        Err(error) => return failure(encoding, &error),
    };
    let why = rejected.why.unwrap_or_default().to_owned();
    let body = match encoding {
        _ if rejected.is_empty() && encoding == Encoding::Protobuf => Vec::new(),
        _ if rejected.is_empty() => b"{}".to_vec(),
        Encoding::Json => {
            let counted = match signal {
                Signal::Spans => "rejectedSpans",
                Signal::DataPoints => "rejectedDataPoints",
                Signal::LogRecords => "rejectedLogRecords",
            };
            // 64-bit integers are texts in OTLP's JSON.
            let partial = json!({ counted: rejected.count.to_string(), "errorMessage": why });
            json!({ "partialSuccess": partial }).to_string().into_bytes()
        }
        // The three responses differ in names only.
        Encoding::Protobuf => {
            let partial = PartialSuccess { rejected: rejected.count, error_message: why };
            ExportResponse { partial_success: Some(partial) }.encode_to_vec()
        }
    };
    response((200, None), encoding, body)
}

/// Source: OTLP specification, `ExportTraceServiceResponse` and its two likes.
#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// Source: `google/rpc/status.proto`.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// The HTTP status of a failure, and after how many seconds to try again where that may help.
///
/// Source: OTLP specification, "Failures"; Prometheus remote write, "Retries & Backoff": both send
/// again after 429 and 503, and never after another 4xx.
pub(super) fn status(error: &ReceiveError) -> (u16, Option<u64>) {
    match error {
        ReceiveError::Append(AppendError::Busy) => (429, Some(1)),
        ReceiveError::Append(AppendError::ReadOnly) => (503, Some(30)),
        ReceiveError::Append(AppendError::Stopped) | ReceiveError::Stopping => (503, Some(1)),
        ReceiveError::Append(AppendError::TooLarge { .. }) => (413, None),
        ReceiveError::Append(_) | ReceiveError::Malformed(_) => (400, None),
    }
}

fn failure(encoding: Encoding, error: &ReceiveError) -> Response {
    let (status, after) = status(error);
    refused(encoding, (status, after), error.to_string())
}

fn refusal(encoding: Encoding, (status, why): BodyFault) -> Response {
    refused(encoding, (status, None), why.to_owned())
}

fn refused(encoding: Encoding, status: (u16, Option<u64>), message: String) -> Response {
    let code = match status.0 {
        429 => tonic::Code::ResourceExhausted,
        503 => tonic::Code::Unavailable,
        408 => tonic::Code::DeadlineExceeded,
        _ => tonic::Code::InvalidArgument,
    };
    let code = i32::from(code);
    let body = match encoding {
        Encoding::Json => json!({ "code": code, "message": message }).to_string().into_bytes(),
        Encoding::Protobuf => RpcStatus { code, message }.encode_to_vec(),
    };
    response(status, encoding, body)
}

fn response((status, after): (u16, Option<u64>), encoding: Encoding, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let kind = match encoding {
        Encoding::Json => "application/json",
        Encoding::Protobuf => "application/x-protobuf",
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(seconds) = after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

async fn samples(State(receiver): State<Receiver>, request: Request) -> Response {
    match take_samples(&receiver, request).await {
        Ok(response) => response,
        Err((status, after, message)) => {
            let mut response = Response::new(Body::from(message));
            *response.status_mut() =
                StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            if let Some(seconds) = after {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    }
}

/// Source: Prometheus Remote-Write 1.0 and 2.0 specifications.
async fn take_samples(
    receiver: &Receiver,
    request: Request,
) -> Result<Response, (u16, Option<u64>, String)> {
    let fault = |(status, why): BodyFault| (status, None, why.to_owned());
    let (parts, body) = request.into_parts();
    let version = remote_write::Version::of(&parts.headers).map_err(fault)?;
    if body::encoding(&parts.headers).map_err(fault)? != "snappy" {
        return Err(fault((415, "the content encoding is not snappy")));
    }
    let scope = parts.extensions.get::<Scope>().cloned().unwrap_or_default();
    let body = body::read(body).await.map_err(fault)?;
    let id = batch_id(&body);
    let read =
        move |spellings: &Spellings| remote_write::read(&body::unsnap(&body)?, version, spellings);
    let written = receiver.samples(scope, id, read).await;
    let written = written.map_err(|error| {
        let (status, after) = status(&error);
        (status, after, error.to_string())
    })?;
    // What could be taken is durable; what could not is told, and must not be sent again.
    let mut response = match written.fault {
        None => Response::new(Body::empty()),
        Some(why) => Response::new(Body::from(why)),
    };
    let status = if written.fault.is_none() { 204 } else { 400 };
    let histograms = written.histograms.iter().map(|series| series.histograms.len()).sum();
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let counts: [(&str, usize); 3] = [
        ("x-prometheus-remote-write-samples-written", written.samples),
        ("x-prometheus-remote-write-histograms-written", histograms),
        ("x-prometheus-remote-write-exemplars-written", 0),
    ];
    for (name, count) in counts {
        response.headers_mut().insert(name, HeaderValue::from(count));
    }
    Ok(response)
}

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use thiserror::Error;
use url::Url;

use super::shapes::bodies;
use crate::notify::{NotifierError, web_client};
use crate::telemetry::TelemetryBatch;

/// Source: OpenTelemetry Protocol Exporter, OTEL_EXPORTER_OTLP_TIMEOUT.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A request is sent so often; the first wait, and each further one is twice as long.
const TRIES: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// A collector that asks for more patience is not waited for.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// More of an answer is not read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Why telemetry did not arrive.
#[derive(Debug, Error)]
pub enum SendError {
    /// No client can be made.
    #[error("no HTTP client can be made")]
    Client(#[from] NotifierError),
    /// The collector cannot be reached.
    #[error("{url} cannot be reached")]
    Unreachable {
        /// Where it was sent.
        url: Box<str>,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The collector answered with an error.
    #[error("{url} answered {status}")]
    Refused {
        /// Where it was sent.
        url: Box<str>,
        /// Its status.
        status: u16,
    },
    /// The collector took only a part.
    #[error("{url} rejected {count} items: {why}")]
    Partial {
        /// Where it was sent.
        url: Box<str>,
        /// How many it did not take.
        count: i64,
        /// What it says.
        why: Box<str>,
    },
}

/// Sends telemetry to a collector. Cheap to clone.
#[derive(Clone)]
pub struct OtlpSender {
    client: reqwest::Client,
    endpoint: Url,
    headers: HeaderMap,
}

impl fmt::Debug for OtlpSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers carry keys.
        f.debug_struct("OtlpSender")
            .field("endpoint", &self.endpoint.as_str())
            .finish_non_exhaustive()
    }
}

/// How one attempt went.
enum Attempt {
    Taken,
    Again(SendError, Option<Duration>),
    Never(SendError),
}

impl OtlpSender {
    /// Sends to `endpoint`, to which each signal's path is added, with these headers.
    ///
    /// Errors: `Client`.
    pub fn new(
        endpoint: Url,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    ) -> Result<Self, SendError> {
        let client = web_client(CONNECT_TIMEOUT)?;
        Ok(Self { client, endpoint, headers: headers.into_iter().collect() })
    }

    /// Sends a batch, each signal on its own, and again after failures that may pass.
    ///
    /// Errors: the first signal that did not arrive; the others are sent all the same, unless there
    /// is nobody to send them to.
    pub async fn send(&self, batch: &TelemetryBatch) -> Result<(), SendError> {
        let mut first = Ok(());
        for (path, body) in bodies(batch) {
            let sent = self.signal(path, body).await;
            if matches!(sent, Err(SendError::Unreachable { .. })) {
                // The others would wait for the same host in vain.
                return first.and(sent);
            }
            first = first.and(sent);
        }
        first
    }

    async fn signal(&self, path: &'static str, body: Vec<u8>) -> Result<(), SendError> {
        let base = self.endpoint.as_str().trim_end_matches('/');
        let url: Box<str> = format!("{base}{path}").into();
        let body = bytes::Bytes::from(body);
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            match self.attempt(path, &url, body.clone()).await {
                Attempt::Taken => return Ok(()),
                Attempt::Never(error) => return Err(error),
                Attempt::Again(error, _) if attempt >= TRIES => return Err(error),
                Attempt::Again(error, asked) => {
                    let asked = asked.unwrap_or_default();
                    if asked > WAIT_MAX {
                        return Err(error);
                    }
                    let full = wait.mul_f64(0.5 + fastrand::f64() / 2.0);
                    tokio::time::sleep(full.max(asked)).await;
                    wait *= 2;
                }
            }
        }
        Ok(())
    }

    async fn attempt(&self, path: &str, url: &str, body: bytes::Bytes) -> Attempt {
        let request = self
            .client
            .post(url)
            .headers(self.headers.clone())
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .timeout(TIMEOUT)
            .body(body);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(source) => {
                return Attempt::Again(SendError::Unreachable { url: url.into(), source }, None);
            }
        };
        let status = answer.status();
        if status.is_success() {
            return match partial(path, answer).await {
                Some((count, why)) => {
                    Attempt::Never(SendError::Partial { url: url.into(), count, why: why.into() })
                }
                None => Attempt::Taken,
            };
        }
        let refused = SendError::Refused { url: url.into(), status: status.as_u16() };
        // Source: OTLP specification, "Failures": these may pass, all others do not.
        let may_pass = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ];
        if may_pass.contains(&status) {
            let after = answer.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok());
            let after = after.and_then(|text| text.parse().ok()).map(Duration::from_secs);
            return Attempt::Again(refused, after);
        }
        Attempt::Never(refused)
    }
}

/// How much a collector did not take, where it says so.
async fn partial(path: &str, mut answer: reqwest::Response) -> Option<(i64, String)> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    let told = match path {
        "/v1/traces" => ExportTraceServiceResponse::decode(&*body)
            .ok()?
            .partial_success
            .map(|partial| (partial.rejected_spans, partial.error_message)),
        "/v1/metrics" => ExportMetricsServiceResponse::decode(&*body)
            .ok()?
            .partial_success
            .map(|partial| (partial.rejected_data_points, partial.error_message)),
        _ => ExportLogsServiceResponse::decode(&*body)
            .ok()?
            .partial_success
            .map(|partial| (partial.rejected_log_records, partial.error_message)),
    };
    told.filter(|(count, _)| *count > 0)
}

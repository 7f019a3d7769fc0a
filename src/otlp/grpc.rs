//! OTLP over gRPC, on the port of HTTP.

use std::convert::Infallible;

use axum::Router;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Code, Request, Response, Status};
use tower::{Service, ServiceExt};

use super::body::BODY_BYTES_MAX;
use super::http::status;
use super::logs::Target;
use super::receive::{ReceiveError, Receiver, batch_id};
use crate::telemetry::Scope;

/// The three services.
pub(super) fn routes(receiver: Receiver) -> Router {
    let traces = TraceServiceServer::new(receiver.clone())
        .accept_compressed(Gzip)
        .max_decoding_message_size(BODY_BYTES_MAX);
    let metrics = MetricsServiceServer::new(receiver.clone())
        .accept_compressed(Gzip)
        .max_decoding_message_size(BODY_BYTES_MAX);
    let logs = LogsServiceServer::new(receiver)
        .accept_compressed(Gzip)
        .max_decoding_message_size(BODY_BYTES_MAX);
    let base = "/opentelemetry.proto.collector";
    Router::new()
        .route_service(&format!("{base}.trace.v1.TraceService/{{*method}}"), framed(traces))
        .route_service(&format!("{base}.metrics.v1.MetricsService/{{*method}}"), framed(metrics))
        .route_service(&format!("{base}.logs.v1.LogsService/{{*method}}"), framed(logs))
}

/// A service of tonic as one of axum.
fn framed<S>(
    service: S,
) -> impl Service<
    axum::extract::Request,
    Response = http::Response<tonic::body::Body>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ Sync
+ 'static
where
    S: Service<
            http::Request<tonic::body::Body>,
            Response = http::Response<tonic::body::Body>,
            Error = Infallible,
        > + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    service.map_request(|request: axum::extract::Request| request.map(tonic::body::Body::new))
}

fn scope<T>(request: &Request<T>) -> Scope {
    request.extensions().get::<Scope>().cloned().unwrap_or_default()
}

/// Source: OTLP specification, "OTLP/gRPC response": `RESOURCE_EXHAUSTED` is sent again only where
/// it says when, `UNAVAILABLE` always.
fn refused(error: &ReceiveError) -> Status {
    let code = match status(error) {
        (429, _) => Code::ResourceExhausted,
        (503, _) => Code::Unavailable,
        _ => Code::InvalidArgument,
    };
    let (_, after) = status(error);
    let Some(seconds) = after else { return Status::new(code, error.to_string()) };
    let wait = Wait { retry_delay: Some(Delay { seconds: i64::try_from(seconds).unwrap_or(1) }) };
    let detail = Detail {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
        value: wait.encode_to_vec(),
    };
    let details =
        Details { code: i32::from(code), message: error.to_string(), details: vec![detail] };
    Status::with_details(code, error.to_string(), details.encode_to_vec().into())
}

/// Source: `google/rpc/status.proto`.
#[derive(Clone, PartialEq, Message)]
struct Details {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

/// Source: `google/protobuf/any.proto`.
#[derive(Clone, PartialEq, Message)]
struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// Source: `google/rpc/error_details.proto`, `RetryInfo`.
#[derive(Clone, Copy, PartialEq, Message)]
struct Wait {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// Source: `google/protobuf/duration.proto`.
#[derive(Clone, Copy, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scope = scope(&request);
        let message = request.into_inner();
        let received = self.traces(scope, move || Ok(message)).await;
        let rejected = received.map_err(|error| refused(&error))?;
        let partial = (!rejected.is_empty()).then(|| ExportTracePartialSuccess {
            rejected_spans: rejected.count,
            error_message: rejected.why.unwrap_or_default().to_owned(),
        });
        Ok(Response::new(ExportTraceServiceResponse { partial_success: partial }))
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let scope = scope(&request);
        let message = request.into_inner();
        let id = batch_id(&message.encode_to_vec());
        let received = self.metrics(scope, id, move || Ok(message)).await;
        let rejected = received.map_err(|error| refused(&error))?;
        let partial = (!rejected.is_empty()).then(|| ExportMetricsPartialSuccess {
            rejected_data_points: rejected.count,
            error_message: rejected.why.unwrap_or_default().to_owned(),
        });
        Ok(Response::new(ExportMetricsServiceResponse { partial_success: partial }))
    }
}

#[tonic::async_trait]
impl LogsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let text = |name: &str| {
            let value = request.metadata().get(name).and_then(|value| value.to_str().ok());
            value.map(str::to_owned)
        };
        let target = Target { group: text("x-aws-log-group"), stream: text("x-aws-log-stream") };
        let scope = scope(&request);
        let message = request.into_inner();
        let id = batch_id(&message.encode_to_vec());
        let received = self.logs((scope, target), id, move || Ok(message)).await;
        let rejected = received.map_err(|error| refused(&error))?;
        let partial = (!rejected.is_empty()).then(|| ExportLogsPartialSuccess {
            rejected_log_records: rejected.count,
            error_message: rejected.why.unwrap_or_default().to_owned(),
        });
        Ok(Response::new(ExportLogsServiceResponse { partial_success: partial }))
    }
}
